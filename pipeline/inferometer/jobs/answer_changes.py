"""Answers what changed: a sum in a span and in the one before, by the values of each dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.query.asked import ChangesAnswer
from inferometer.core.query.changes import changes_of, pair_of, plan_changes, ranked
from inferometer.jobs.remembered import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from inferometer.core.query.asked import ChangesQuery
    from inferometer.query_ports import QueryStore


class AnswerChanges:
    """The job; may be called from several threads."""

    def __init__(self, store: QueryStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._kept_days = Remembered(store.kept_days, clock)

    def __call__(self, query: ChangesQuery) -> ChangesAnswer:
        """Return the changes. Raises QueryRefusedError, QueryTooCostlyError, StoreError."""
        freshness = self._store.freshness()
        plan = plan_changes(query, kept_days=self._kept_days(), now=self._clock())
        found = [self._store.margins(part) for part in plan.parts]
        total = pair_of(found[0].total)
        return ChangesAnswer(
            measure=query.measure,
            time_range=plan.whole.plan.time_range,
            previous_range=plan.previous,
            total=total[0],
            previous_total=total[1],
            changes=ranked(
                (each for part in found for each in changes_of(part)), total, query.limit
            ),
            freshness=freshness,
            coverage=plan.whole.coverage,
            notes=list(plan.notes),
        )
