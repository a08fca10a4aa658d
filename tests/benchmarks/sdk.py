"""The part `sdk`: what sending costs its host, by `sdk_cost`, as a table of the results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks import sdk_cost
from tests.benchmarks.parts import Part, Surroundings, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.sdk_cost import Cost

QUICK_EVENTS = 50_000


def table(costs: Sequence[Cost]) -> Table:
    """Return costs as a table."""
    return Table(
        "Encode and send",
        (
            "how",
            "events",
            "k events per CPU-second",
            "us of CPU an event",
            "least - most",
            "us on the request path",
            "JSON bytes an event",
            "bytes on the wire an event",
        ),
        [
            [
                cost.title, cost.shape, f"{cost.events_per_cpu_s / 1e3:,.0f}", f"{cost.cpu_us:.2f}",
                "{:.2f} - {:.2f}".format(*cost.cpu_us_spread), f"{cost.caller_us:.2f}",
                f"{cost.json_bytes:.0f}", f"{cost.wire_bytes:.0f}",
            ]
            for cost in costs
        ],
        notes=[
            "CPU of all threads of the sending process, librdkafka's among them, until the last event "
            "is acknowledged."
        ],
        facts={"costs": sdk_cost.as_json(costs)},
    )  # fmt: skip


def _run(surroundings: Surroundings) -> list[Table]:
    # The embedded broker, because topics there need not be made, and its CPU is not counted.
    is_quick = surroundings.is_quick
    costs = sdk_cost.run(
        events=QUICK_EVENTS if is_quick else sdk_cost.EVENTS, runs=1 if is_quick else sdk_cost.RUNS
    )
    return [table(costs)]


PART = Part(what="what the SDK costs its host", run=_run, needs_kafka=False)
