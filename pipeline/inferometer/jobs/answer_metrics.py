"""Answers questions for measures: plan, ask the store, fill, and hold against another span."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from inferometer.core.dimension_caps import CAPPED_DIMENSIONS
from inferometer.core.query.assembly import assemble, assemble_compared
from inferometer.core.query.measures import Mean, Quantile, ShareBelow
from inferometer.core.query.planning import dimensions_of, plan_metrics, ranking
from inferometer.core.query.questions import (
    Comparison,
    Granularity,
    Match,
    QueryRefusedError,
    Statuses,
)
from inferometer.core.query.ranges import previous_range
from inferometer.jobs.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from inferometer.core.query.answers import Compared, Coverage, MetricsAnswer, Series
    from inferometer.core.query.planning import Planned
    from inferometer.core.query.plans import MetricsPlan
    from inferometer.core.query.questions import MetricsQuery
    from inferometer.query_ports import QueryStore

Group = tuple[str, ...]
STATUS_DIMENSIONS = frozenset({"status_class", "status_code", "error_type"})


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file of (window, group) rows; its chunks are asked for as they are taken."""

    plan: MetricsPlan
    coverage: Coverage
    notes: tuple[str, ...]
    chunks: Iterator[bytes]


class AnswerMetrics:
    """The job; may be called from several threads."""

    def __init__(self, store: QueryStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._kept_days = Remembered(store.kept_days, clock)
        self._folded_rows = Remembered(store.folded, clock)

    def __call__(self, query: MetricsQuery) -> MetricsAnswer:
        """Return the answer. Raises QueryRefusedError, QueryTooCostlyError, StoreError."""
        # Before the rows, so that no window is called final by a watermark that is newer than they.
        freshness = self._store.freshness()
        planned = self.planned(query)
        rows, groups_total = self._store.measured(ranking(planned.plan))
        answer = assemble(planned, rows, groups_total=groups_total, freshness=freshness)
        compared, notes = self._compared(query, answer)
        notes = [*answer.notes, *notes, *self._folded(query, answer), *_latency_notes(query)]
        return replace(answer, compared=compared, notes=notes)

    def planned(self, query: MetricsQuery) -> Planned:
        """Return how a question would be answered. Raises QueryRefusedError, StoreError."""
        return plan_metrics(query, kept_days=self._kept_days(), now=self._clock())

    def export(self, query: MetricsQuery, form: str) -> Export:
        """Return all groups in all windows as a file. Raises as a call, and while it is taken."""
        planned = self.planned(query)
        return Export(
            plan=planned.plan,
            coverage=planned.coverage,
            notes=planned.notes,
            chunks=self._store.export_measured(planned.plan, form),
        )

    def _compared(
        self, query: MetricsQuery, answer: MetricsAnswer
    ) -> tuple[Compared | None, list[str]]:
        if query.comparison is Comparison.NONE:
            return None, []
        try:
            planned = self.planned(_other_query(query, answer))
        except QueryRefusedError as error:
            reasons = "; ".join(problem.reason for problem in error.problems)
            return None, [f"Nothing to compare with: {reasons}."]
        plan = planned.plan
        if plan.group_by:
            groups = _own_groups(answer.series)
            plan = replace(plan, groups=(*groups, *self._vanished(planned, answer, groups)))
        planned = replace(planned, plan=plan)
        rows, _ = self._store.measured(plan)
        notes = []
        if not planned.coverage.is_whole:
            notes = [f"What it is compared with is not kept in full: {planned.coverage.reason}."]
        return assemble_compared(planned, rows), notes

    def _vanished(
        self, before: Planned, answer: MetricsAnswer, groups: tuple[Group, ...]
    ) -> tuple[Group, ...]:
        """Return the top groups of the span before that have nothing now, highest first."""
        whole = _as_total(before.plan)
        rows, _ = self._store.measured(whole)
        ranked = assemble_compared(replace(before, plan=whole), rows).series
        gone = tuple(group for group in _own_groups(ranked) if group not in groups)
        if not gone or not any(series.is_other for series in answer.series):
            return gone
        # The rest of now may hold them: those only fell behind, and stay in the rest of before.
        rows, _ = self._store.measured(replace(_as_total(answer.plan), groups=gone))
        left = {row.group for row in rows}
        return tuple(group for group in gone if group not in left)

    def _folded(self, query: MetricsQuery, answer: MetricsAnswer) -> list[str]:
        """Say which dimensions have values that roll-ups count as `__other__`."""
        capped = [name for name in dimensions_of(query) if name in CAPPED_DIMENSIONS]
        if answer.is_from_log or not capped:
            return []
        folded = {
            row["dimension"] for row in self._folded_rows() if int(row["folded_events"] or 0) > 0
        }
        return [
            f"Some values of {name} are counted as __other__: it has more than roll-ups keep apart."
            for name in capped
            if name in folded
        ]


def _own_groups(series: Sequence[Series]) -> tuple[Group, ...]:
    return tuple(tuple(each.group.values()) for each in series if not each.is_other)


def _as_total(plan: MetricsPlan) -> MetricsPlan:
    """Return a plan for one window over the same range, with what groups are ranked by."""
    return replace(
        plan,
        measures=(plan.order_by,),
        granularity=Granularity.TOTAL,
        windows=(plan.time_range.start,),
        window_ends=(plan.time_range.end,),
    )


def _other_query(query: MetricsQuery, answer: MetricsAnswer) -> MetricsQuery:
    """Return the question that an answer is held against, in windows of the same length."""
    same = replace(
        query,
        granularity=answer.plan.granularity,
        may_coarsen=False,
        comparison=Comparison.NONE,
        baseline_filters=(),
    )
    if query.comparison is Comparison.BASELINE:
        return replace(
            same,
            time_range=answer.plan.time_range,
            filters=query.baseline_filters,
            group_by=(),
        )
    return replace(same, time_range=previous_range(answer.plan.time_range))


def _latency_notes(query: MetricsQuery) -> list[str]:
    has_latency = any(isinstance(m.form, Mean | Quantile | ShareBelow) for m in query.measures)
    if not has_latency or query.statuses is Statuses.ALL:
        return []
    by_status = STATUS_DIMENSIONS & {
        *query.group_by,
        *(each.dimension for each in query.filters if each.match is not Match.IS_NOT),
    }
    if not by_status:
        return []
    return ["Latencies are of successful requests only; statuses=all counts those of all."]
