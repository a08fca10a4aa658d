"""What objectives count, as Prometheus counters; `inferometer slo rules --prometheus` reads them.

Counted here is what this process has published since its start, so a chunk that is counted again by
another process after a crash is in both counters once, as everywhere in Prometheus.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from inferometer.core.slo.count_records import decode_counts
from inferometer.core.slo.counting import slo_digest, table_name
from inferometer.names import BAD_REQUESTS_METRIC, VALID_REQUESTS_METRIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from inferometer.alert_ports import CountsOutput
    from inferometer.core.slo.counting import CountTable
    from inferometer.core.slo.definitions import Slo

MAX_GROUPS = 2_000
"""Of one objective; what is beyond is one more, `__other__`, lest a scrape grow without end."""
OTHER = "__other__"

Group = tuple[str, ...]


class SloCounters(Collector):
    """The counters of some objectives; `around` a `CountsOutput` they add up what it published."""

    def __init__(self, slos: Iterable[Slo]) -> None:
        self._slos = {table_name(slo.workspace, slo.name): slo for slo in slos}
        self._digests = {name: slo_digest(slo) for name, slo in self._slos.items()}
        self._sums: dict[str, dict[Group, list[int]]] = defaultdict(dict)
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def around(self, output: CountsOutput) -> CountsOutput:
        """Return an output whose records are added up once they are durable."""
        return _Counted(output, self)

    def add(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Add what records hold of objectives."""
        tables = [table for _target, value in records for table in decode_counts(value).tables]
        with self._lock:
            for table in tables:
                # Budgets and rules on metrics travel alike, and one may be called as an objective.
                if self._digests.get(table.name) == table.digest:
                    self._add(table)

    def _add(self, table: CountTable) -> None:
        sums = self._sums[table.name]
        totals, bads = (table.columns[name].tolist() for name in ("total", "bad"))
        for place, total, bad in zip(table.group.tolist(), totals, bads, strict=True):
            group = table.groups[place]
            is_known = group in sums or len(sums) < MAX_GROUPS
            counts = sums.setdefault(group if is_known else (OTHER,) * len(group), [0, 0])
            counts[0] += total
            counts[1] += bad

    def collect(self) -> Iterator[Metric]:
        """Yield both counters; objectives without a group have one series."""
        valid = CounterMetricFamily(
            VALID_REQUESTS_METRIC, "Requests that an objective holds for valid"
        )
        bad = CounterMetricFamily(BAD_REQUESTS_METRIC, "Requests that an objective holds for bad")
        with self._lock:
            for name, groups in sorted(self._sums.items()):
                slo = self._slos[name]
                for group, counts in sorted(groups.items()):
                    own = {"slo": slo.name, "workspace": slo.workspace}
                    labels = {**dict(zip(slo.group_by, group, strict=True)), **own}
                    for family, count in zip((valid, bad), counts, strict=True):
                        family.add_sample(f"{family.name}_total", labels, count)
        yield valid
        yield bad

    def text(self) -> bytes:
        """Return the counters in Prometheus' text format."""
        return generate_latest(self._registry)


class _Counted:
    """A `CountsOutput` in front of another one."""

    def __init__(self, output: CountsOutput, counters: SloCounters) -> None:
        self._output = output
        self._counters = counters

    def publish(self, records: Sequence[tuple[int, bytes]]) -> None:
        """Send records, then add them; see `CountsOutput.publish`."""
        self._output.publish(records)
        self._counters.add(records)
