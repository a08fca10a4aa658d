"""Says in a few words what an indicator counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.slo.definitions import Availability, BatchIsolation, Cost, Latency

if TYPE_CHECKING:
    from inferometer.core.slo.definitions import Indicator

US_PER_MS = 1_000


def indicator_text(indicator: Indicator) -> str:
    """Return for example `ttft <= 2000 ms`."""
    match indicator:
        case Availability(bad=bad):
            return f"availability, bad {' '.join(sorted(bad))}"
        case Latency(duration=duration, threshold_us=threshold_us):
            return f"{duration} <= {threshold_us / US_PER_MS:g} ms"
        case Cost(per=per, threshold_usd=usd):
            return f"cost of a {per} <= {usd} USD"
        case BatchIsolation(duration=duration, allowed=allowed):
            return f"{duration} beside batch <= {allowed:.0%} worse"
