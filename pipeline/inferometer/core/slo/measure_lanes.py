"""Budgets and rules on metrics from released counts to observations.

Invariant: as for objectives, counts of another definition never reach the evaluator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from inferometer.core.alerts.mute_book import mute_labels
from inferometer.core.slo.cost_evaluation import CostEvaluator
from inferometer.core.slo.cost_state import COST_NEEDS
from inferometer.core.slo.counting import MeasureCount, table_name
from inferometer.core.slo.exclusion import without_excluded
from inferometer.core.slo.metric_evaluation import MetricEvaluator
from inferometer.core.slo.metric_rules import GAUGES, PIPELINE_GAUGES, SYSTEM_COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inferometer.core.alerts.acceptances import Acceptance
    from inferometer.core.alerts.subjects import Definition, Observation, Subject
    from inferometer.core.slo.budgets import MoneyBudget
    from inferometer.core.slo.counting import CountTable
    from inferometer.core.slo.metric_rules import MetricRule
    from inferometer.core.slo.slo_lane import ExcludedBy

US_PER_S = 1_000_000
WATERMARK_AGE = "watermark_age_s"
CONSUMER_LAG = "consumer_lag_records"
BY_CLOCK = frozenset({WATERMARK_AGE, CONSUMER_LAG})
"""Gauges of the pipeline itself; rules on them are judged by the clock, not in event time."""


class _Snapshot(msgspec.Struct, array_like=True):
    digest: str
    groups: list[bytes]


def counts_of_budget(budget: MoneyBudget) -> MeasureCount:
    """Return what a budget needs counted."""
    return MeasureCount(
        workspace=budget.workspace,
        service=budget.service,
        name=budget.name,
        needs=COST_NEEDS,
        selector=budget.selector,
        group_by=CostEvaluator(budget).state.group_by,
    )


def counts_of_rule(rule: MetricRule) -> MeasureCount | None:
    """Return what a rule needs counted of the requests; None where it is about something else."""
    if any(name in GAUGES or name in SYSTEM_COUNTS for name in rule.metric.needs):
        return None
    return MeasureCount(
        workspace=rule.workspace,
        service=rule.service,
        name=rule.name,
        needs=rule.metric.needs,
        selector=rule.selector,
        group_by=rule.group_by,
    )


def samples_of_rule(rule: MetricRule) -> MeasureCount | None:
    """Return the gauges that a rule needs of the signals topic; None where it needs none."""
    gauges = [name for name in rule.metric.needs if name in GAUGES]
    if not gauges or not PIPELINE_GAUGES.isdisjoint(gauges):
        return None
    return MeasureCount(
        workspace=rule.workspace,
        service=rule.service,
        name=rule.name,
        needs=rule.metric.needs,
        selector=rule.selector,
        group_by=rule.group_by,
        # What is known of the pipeline inhibits absence of every service.
        is_everywhere=rule.is_meta,
    )


def is_everywhere(rule: MetricRule) -> bool:
    """Return whether every partition evaluates a rule, so that it can inhibit what is there."""
    samples = samples_of_rule(rule)
    return samples is not None and samples.is_everywhere


def _watched(definition: Definition, watched: Iterable[Subject]) -> set[tuple[str, ...]]:
    return {
        tuple(value for _, value in subject.group)
        for subject in watched
        if subject.key == definition.key
    }


class CostLane:
    """All groups of one budget."""

    def __init__(self, budget: MoneyBudget) -> None:
        self.name = table_name(budget.workspace, budget.name)
        self.digest = counts_of_budget(budget).digest
        self._evaluator = CostEvaluator(budget)
        self.definition = self._evaluator.definition
        self._last_tick_s: int | None = None

    def add(self, table: CountTable, excluded_by: ExcludedBy | None = None) -> None:
        """Take in released counts; money spent under maintenance is spent all the same."""
        del excluded_by
        self._evaluator.add(table.groups, table.group, table.cells_s, table.columns)

    def observe(self, tick_s: int, watched: Iterable[Subject]) -> Iterator[Observation]:
        """Evaluate a tick."""
        self._last_tick_s = tick_s
        yield from self._evaluator.evaluate(tick_s, watched=_watched(self.definition, watched))

    def standing(self) -> Iterator[Observation]:
        """Yield how every group stands at the last tick."""
        if self._last_tick_s is not None:
            keys = self._evaluator.state.keys
            yield from self._evaluator.evaluate(self._last_tick_s, watched=keys)

    def to_snapshot(self) -> bytes:
        """Return everything that `restore` needs."""
        state = self._evaluator.state
        kept = [state.snapshot(number) for number in range(len(state.keys))]
        return msgspec.msgpack.encode(_Snapshot(self.digest, kept))

    def restore(self, data: bytes) -> bool:
        """Go on from `to_snapshot`; False where it is of another definition."""
        found = msgspec.msgpack.decode(data, type=_Snapshot)
        if found.digest != self.digest:
            return False
        for one in found.groups:
            self._evaluator.state.restore(one)
        return True


class MetricLane:
    """All groups of one rule on a metric."""

    def __init__(self, rule: MetricRule, *, is_echo: bool = False) -> None:
        """Evaluate a rule; an echo is evaluated for what it inhibits, and speaks elsewhere."""
        self.is_echo = is_echo
        counts = counts_of_rule(rule) or samples_of_rule(rule)
        self.name = table_name(rule.workspace, rule.name)
        self.digest = "" if counts is None else counts.digest
        self._rule = rule
        self._evaluator = MetricEvaluator(rule)
        self.definition = self._evaluator.definition
        self._last_tick_s: int | None = None

    @property
    def system_counts(self) -> tuple[str, ...]:
        """Counts that the pipeline keeps of itself and this rule is about."""
        return tuple(name for name in self._rule.metric.needs if name in SYSTEM_COUNTS)

    @property
    def gauges(self) -> tuple[str, ...]:
        """Gauges that this rule is about."""
        return tuple(name for name in self._rule.metric.needs if name in GAUGES)

    def sample(self, gauge: str, at_s: int, value: float) -> None:
        """Keep a sample of a gauge of the whole pipeline."""
        self._evaluator.sample((), gauge, at_s, value)

    def add(self, table: CountTable, excluded_by: ExcludedBy | None = None) -> None:
        """Take in released counts, but for those that a maintenance window excludes."""
        kept = without_excluded(table, self.definition, excluded_by)
        self._evaluator.add(kept.groups, kept.group, kept.cells_s, kept.columns, kept.bins)

    def accept(self, accepted: Sequence[Acceptance], tick_s: int) -> None:
        """Take levels that a person accepted until this tick as normal, each once a group."""
        if self._evaluator.bands is None:
            return
        for number, key in enumerate(self._evaluator.windows.keys):
            subject = self.definition.subject(key)
            labels = mute_labels({**self.definition.labels, **subject.labels})
            for one in accepted:
                if one.updated_at_us <= tick_s * US_PER_S and one.applies(labels):
                    self._evaluator.accept(number, one.updated_at_us, one.since_us)

    def observe(self, tick_s: int, watched: Iterable[Subject]) -> Iterator[Observation]:
        """Evaluate a tick."""
        self._last_tick_s = tick_s
        yield from self._evaluator.evaluate(tick_s, watched=_watched(self.definition, watched))

    def standing(self) -> Iterator[Observation]:
        """Yield how every group stands at the last tick."""
        if self._last_tick_s is not None:
            keys = self._evaluator.windows.keys
            yield from self._evaluator.evaluate(self._last_tick_s, watched=keys)

    def to_snapshot(self) -> bytes:
        """Return everything that `restore` needs."""
        count = len(self._evaluator.windows.keys)
        kept = [self._evaluator.snapshot(number) for number in range(count)]
        return msgspec.msgpack.encode(_Snapshot(self.digest, kept))

    def restore(self, data: bytes) -> bool:
        """Go on from `to_snapshot`; False where it is of another definition."""
        found = msgspec.msgpack.decode(data, type=_Snapshot)
        if found.digest != self.digest:
            return False
        for one in found.groups:
            self._evaluator.restore(one)
        return True
