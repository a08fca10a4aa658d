"""Shows a client's counts to Prometheus, where the model server has prometheus_client.

from inferometer.sdk.prometheus import register

register(client)  # in the default registry; from then on at each scrape
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import CollectorRegistry, Metric

    from inferometer.sdk.client import Client
    from inferometer.sdk.stats import ClientStats

PREFIX = "inferometer_producer_"

COUNTERS = (
    ("emitted_events", "emitted", "Events given to the client."),
    ("taken_over_events", "taken_over", "Events left in the spool by an earlier process."),
    ("delivered_events", "delivered", "Events acknowledged by all in-sync replicas."),
    ("invalid_events", "invalid", "Events that break the contract."),
    ("spool_set_aside", "spool_set_aside", "Damaged stretches and refused events of the spool."),
)
"""Name of the metric after its prefix, field of `ClientStats`, help."""

DROPS = {
    "failed": "failed",
    "buffer_full": "dropped_buffer_full",
    "spool_full": "dropped_spool_full",
    "too_large": "dropped_too_large",
    "closed": "dropped_closed",
}
"""Reason of a drop, field of `ClientStats`."""

GAUGES = (
    ("in_flight_events", "in_flight", "Events in memory or in the spool, or on their way."),
    ("spool_events", "spool_events", "Events in the spool without acknowledgement."),
    ("spool_bytes", "spool_bytes", "What the spool takes on the disk."),
    ("spool_oldest_age_seconds", "spool_oldest_age_s", "Age of the oldest event in the spool."),
)


class ClientCollector(Collector):
    """A collector that asks a client for its counts at each scrape; keeps nothing itself."""

    def __init__(self, stats: Callable[[], ClientStats]) -> None:
        self._stats = stats

    def describe(self) -> Iterator[Metric]:
        """Yield every family without samples."""
        yield from _families(None)

    def collect(self) -> Iterator[Metric]:
        """Yield every family with its samples."""
        yield from _families(self._stats())


def register(client: Client, registry: CollectorRegistry = REGISTRY) -> ClientCollector:
    """Show a client's counts in a registry, one client each; return what `unregister` takes."""
    collector = ClientCollector(client.stats)
    registry.register(collector)
    return collector


def _families(stats: ClientStats | None) -> Iterator[Metric]:
    def value(field: str) -> Any:
        return None if stats is None else getattr(stats, field)

    for name, field, text in COUNTERS:
        yield CounterMetricFamily(f"{PREFIX}{name}", text, value=value(field))
    drops = CounterMetricFamily(
        f"{PREFIX}dropped_events", "Events that will not arrive, by reason.", labels=("reason",)
    )
    if stats is not None:
        for reason, field in DROPS.items():
            drops.add_metric([reason], value(field))
    yield drops
    for name, field, text in GAUGES:
        yield GaugeMetricFamily(f"{PREFIX}{name}", text, value=value(field))
