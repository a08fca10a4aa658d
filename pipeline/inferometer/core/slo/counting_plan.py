"""What a counter counts: every objective, and every measure that budgets and rules need.

Invariant: all tables of one definition go to one target partition, chosen by workspace and service,
so that one evaluator sees all that an incident is made of.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.door import complete
from inferometer.core.duplicates import hash_texts
from inferometer.core.price_columns import price_columns
from inferometer.core.rollups import measure
from inferometer.core.slo.count_records import target_of
from inferometer.core.slo.counting import count_measures, count_slo, count_slo_signals
from inferometer.core.slo.definitions import Cost
from inferometer.core.slo.event_view import EventView
from inferometer.core.slo.gauge_counting import count_gauges

if TYPE_CHECKING:
    from inferometer.core.columns import EventColumns
    from inferometer.core.price_book import PriceBook
    from inferometer.core.slo.counting import CountTable, MeasureCount
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.event_view import SignalView
    from inferometer.core.slo.gauge_counting import GaugeView

TablesByTarget = dict[int, list["CountTable"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingPlan:
    """What is counted, and into how many partitions of the counts topic."""

    slos: tuple[Slo, ...]
    targets: int
    book: PriceBook
    """Prices what indicators of cost, budgets and metrics on money need."""
    measures: tuple[MeasureCount, ...] = field(default=())
    gauges: tuple[MeasureCount, ...] = field(default=())
    """What rules need of the samples beside the signals."""

    def of_events(self, events: EventColumns) -> TablesByTarget:
        """Count accepted events, each once."""
        found: TablesByTarget = defaultdict(list)
        if len(events) == 0:
            return found
        complete(events.numbers)
        view = EventView(events, hash_texts(events.texts["event_id"]))
        costs = price_columns(self.book, events) if self._needs_costs else None
        for slo in self.slos:
            self._put(found, slo.workspace, slo.service, count_slo(slo, view, costs))
        if self.measures and costs is not None:
            measured = measure(events, costs)
            for wanted in self.measures:
                table = count_measures(wanted, view, measured)
                self._put(found, wanted.workspace, wanted.service, table)
        return found

    def of_signals(self, view: SignalView) -> TablesByTarget:
        """Count deadline signals, each once."""
        found: TablesByTarget = defaultdict(list)
        if not view.signals:
            return found
        for slo in self.slos:
            table = count_slo_signals(slo, view)
            if table is not None:
                self._put(found, slo.workspace, slo.service, table)
        return found

    def of_samples(self, view: GaugeView) -> TablesByTarget:
        """Count samples of gauges, each once."""
        found: TablesByTarget = defaultdict(list)
        if view.samples:
            for wanted in self.gauges:
                table = count_gauges(wanted, view)
                if not wanted.is_everywhere:
                    self._put(found, wanted.workspace, wanted.service, table)
                elif len(table):
                    for target in range(self.targets):
                        found[target].append(table)
        return found

    @property
    def _needs_costs(self) -> bool:
        return bool(self.measures) or any(isinstance(slo.indicator, Cost) for slo in self.slos)

    def _put(self, found: TablesByTarget, workspace: str, service: str, table: CountTable) -> None:
        if len(table):
            found[target_of(workspace, service, self.targets)].append(table)
