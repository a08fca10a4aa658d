"""One objective from released counts to observations: its groups, its rings, its readings.

Invariants: a group is known from its first count on, and its number never means another; counts of
another definition never reach the rings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inferometer.core.alerts.subjects import Definition, Observation
from inferometer.core.slo.absence import AbsenceWatch
from inferometer.core.slo.burn_evaluation import SloEvaluator
from inferometer.core.slo.counting import slo_digest, table_name
from inferometer.core.slo.definitions import HOUR_S
from inferometer.core.slo.derived_counts import derived_counts
from inferometer.core.slo.drawn_requests import dimensions_of
from inferometer.core.slo.exclusion import without_excluded
from inferometer.core.slo.failure_drivers import failure_drivers
from inferometer.core.slo.request_memory import LATELY_S, RequestMemory, WrittenMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from inferometer.core.alerts.notices import Driver
    from inferometer.core.alerts.subjects import Subject
    from inferometer.core.slo.counting import CountTable
    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.evaluations import Evaluation

    ExcludedBy = Callable[[Mapping[str, str], int], tuple[str, ...]]


class _Snapshot(msgspec.Struct, array_like=True):
    digest: str
    groups: list[tuple[list[str], bytes, bytes]]
    """Values, counts, and what absence has learnt."""
    derived: list[Any] | None
    requests: WrittenMemory | None = None
    """Added later, so an older release wrote none."""


class SloLane:
    """All groups of one objective."""

    def __init__(self, slo: Slo) -> None:
        self.slo = slo
        self.name = table_name(slo.workspace, slo.name)
        self.digest = slo_digest(slo)
        self.definition = Definition.of_slo(slo)
        self.evaluation: Evaluation | None = None
        """Of the last tick."""
        self.excluded = 0
        """Requests left out because of a maintenance window."""
        self._evaluator = SloEvaluator(slo)
        self._absence = None if slo.absence is None else AbsenceWatch(slo.absence, tier=slo.tier)
        self._derived = derived_counts(slo)
        self._requests = RequestMemory(dimensions_of(slo))
        self._groups: dict[tuple[str, ...], int] = {}
        self._subjects: dict[int, Subject] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, table: CountTable, excluded_by: ExcludedBy | None = None) -> None:
        """Take in released counts, but for those that a maintenance window excludes."""
        groups = [self._group(values) for values in table.groups]
        if self._derived is not None:
            # Cost by the minute, and realtime beside batch.
            self._derived.add(without_excluded(table, self.definition, excluded_by), groups)
            return
        columns = table.columns
        rows = np.ones(len(table), dtype=np.bool_)
        if excluded_by is not None:
            rows = self._kept(table, groups, excluded_by)
            self.excluded += int(columns["total"][~rows].sum())
        numbers = np.array(groups, dtype=np.int64)[table.group]
        drawn = table.drawn if rows.all() or table.drawn is None else table.drawn.of_rows(rows)
        if drawn is not None:
            self._requests.add(drawn, numbers[rows][drawn.row], table.cells_s[rows][drawn.row])
        if self._absence is not None:
            # What is excluded from the budget has come all the same.
            self._absence.add(numbers, table.cells_s, columns["total"])
        self._evaluator.rings.add(
            numbers[rows],
            table.cells_s[rows],
            columns["total"][rows],
            columns["bad"][rows],
            lows=columns["principal_low"][rows],
            highs=columns["principal_high"][rows],
        )

    def _group(self, values: tuple[str, ...]) -> int:
        known = self._groups.get(values)
        if known is not None:
            return known
        group = int(self._evaluator.rings.new_group())
        self._groups[values] = group
        self._subjects[group] = self.definition.subject(values)
        return group

    def _kept(
        self, table: CountTable, groups: list[int], excluded_by: ExcludedBy
    ) -> np.ndarray[Any, np.dtype[np.bool_]]:
        places = zip(table.group.tolist(), table.cells_s.tolist(), strict=True)
        return np.array(
            [not excluded_by(self._labels(groups[local]), cell_s) for local, cell_s in places],
            dtype=np.bool_,
        )

    def _labels(self, group: int) -> Mapping[str, str]:
        return {**self.definition.labels, **self._subjects[group].labels}

    def observe(self, tick_s: int, watched: Iterable[Subject]) -> Iterator[Observation]:
        """Evaluate a tick; yield what is true of any group, and what is so of the watched ones."""
        if self._derived is not None:
            self._add_derived(tick_s)
        self.evaluation = evaluation = self._evaluator.evaluate(tick_s)
        if tick_s % LATELY_S == 0:
            self._requests.advance(tick_s)
        asked = {self._place(subject) for subject in watched} - {None}
        if tick_s % HOUR_S == 0:
            self._forget_idle(asked)
        wanted: set[int | None] = asked.union(evaluation.true_groups().tolist())
        missing = None
        if self._absence is not None and self._groups:
            self._absence.ensure(len(self._groups))
            missing = self._absence.evaluate(tick_s)
            wanted.update(self._absence.true_groups(missing))
        for group in sorted(group for group in wanted if group is not None):
            readings = evaluation.readings(group)
            if self._absence is not None and missing is not None:
                readings += self._absence.readings(missing, group)
            yield Observation(
                subject=self._subjects[group],
                readings=tuple(readings),
                budget=evaluation.budget(group),
            )

    def drivers(self, subject: Subject) -> tuple[Driver, ...] | None:
        """Return what most bad requests of a group share at the last tick; None for others' groups."""
        group = self._place(subject)
        if group is None or self.evaluation is None:
            return None
        tick_s = self.evaluation.tick_s
        return failure_drivers(
            self._requests.dimensions,
            self._requests.bad(group, tick_s),
            self._requests.traffic(group, tick_s),
        )

    def _forget_idle(self, watched: set[int | None]) -> None:
        """Let go of groups of which nothing is left in the whole period."""
        # Absence and whole minutes remember longer, by the same numbers.
        if self._absence is not None or self._derived is not None:
            return
        idle = {int(group) for group in self._evaluator.rings.idle_groups()} - watched
        for values, group in [item for item in self._groups.items() if item[1] in idle]:
            del self._groups[values], self._subjects[group]
            self._evaluator.forget(group)
        self._requests.forget(idle)

    def _place(self, subject: Subject) -> int | None:
        if subject.key != self.definition.key:
            return None
        return self._groups.get(tuple(value for _, value in subject.group))

    def _add_derived(self, tick_s: int) -> None:
        counted = self._derived.complete(tick_s) if self._derived is not None else []
        if counted:
            groups, cells_s, totals, bads = np.array(counted, dtype=np.int64).T
            self._evaluator.rings.add(groups, cells_s, totals, bads)

    def standing(self) -> Iterator[Observation]:
        """Yield how every group stands at the last tick, with the numbers of every rule."""
        if self.evaluation is None:
            return
        for group, subject in sorted(self._subjects.items()):
            yield Observation(
                subject=subject,
                readings=tuple(self.evaluation.readings(group, with_facts=True)),
                budget=self.evaluation.budget(group),
            )

    def to_snapshot(self) -> bytes:
        """Return everything that `restore` needs."""
        if self._absence is not None:
            self._absence.ensure(len(self._groups))
        written = self._evaluator.snapshots(self._groups.values())
        return msgspec.msgpack.encode(
            _Snapshot(
                self.digest,
                [
                    (
                        list(values),
                        written[group],
                        b"" if self._absence is None else self._absence.snapshot(group),
                    )
                    for values, group in self._groups.items()
                ],
                None if self._derived is None else self._derived.to_state(),
                self._requests.to_state(list(self._groups.values())) if self._requests else None,
            )
        )

    def restore(self, data: bytes) -> bool:
        """Go on from `to_snapshot`; False where it is of another definition, and is left aside."""
        found = msgspec.msgpack.decode(data, type=_Snapshot)
        if found.digest != self.digest:
            return False
        groups = [self._group(tuple(values)) for values, _, _ in found.groups]
        for group, (_, state, absence) in zip(groups, found.groups, strict=True):
            self._evaluator.restore(group, state)
            if self._absence is not None and absence:
                self._absence.ensure(group + 1)
                self._absence.restore(group, absence)
        if self._derived is not None and found.derived is not None:
            self._derived.restore(found.derived)
        if found.requests is not None:
            self._requests.restore(found.requests, groups)
        return True
