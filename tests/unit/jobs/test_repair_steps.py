"""The mending of roll-ups, failing at each call of the store in turn: what is added is added once."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from inferometer.core.conservation import GroupDifference
from inferometer.core.cubes import COST_MEASURE, CUBES, MEASURES, SKETCHES, bins_column, rows_table
from inferometer.errors import StoreError
from inferometer.jobs.repair import RollupRepairs
from inferometer.names import REPAIRS_TABLE
from inferometer.testing.stores import MemoryChunkStore

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

T = TypeVar("T")

NOW = datetime(2025, 11, 21, 1, 53, 20, tzinfo=UTC)
CUBE = next(cube for cube in CUBES if cube.name == "usage")
RESOLUTION = CUBE.resolutions[0]
TABLE = rows_table(CUBE, RESOLUTION)
LOG = {(0, "m1"): 5, (0, "m2"): 3, (60, "m1"): 2}
"""Requests that the log has, by (window, model)."""
DAMAGED = {(0, "m1"): 4, (0, "m2"): 9, (60, "m1"): 2}
MODULUS = 2**64
SKETCH_MEASURES = frozenset(map(bins_column, SKETCHES))
AUDITS = 3
"""After a run that died, the second one at the latest finds what it did or did not."""


class Rollup:
    """A damaged roll-up table; implements RepairStore, one call of which may fail."""

    def __init__(self, *, fail_at: int = -1, is_applied: bool = False) -> None:
        self.base = Counter(DAMAGED)
        self.calls: list[str] = []
        self._kept = MemoryChunkStore()
        self._fail_at = fail_at
        self._is_applied = is_applied

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        self._call(
            f"insert {table}", lambda: self._kept.insert(table=table, rows=rows, token=token)
        )

    def count_repairs(self, token_prefix: str) -> int:
        return self._call("count_repairs", lambda: len(self._done(token_prefix)))

    def _done(self, token_prefix: str) -> set[str]:
        rows = self._kept.rows(REPAIRS_TABLE)
        found = [] if rows is None else rows.to_pylist()
        return {
            row["token"]
            for row in found
            if row["state"] == "done" and row["token"].startswith(token_prefix)
        }

    def _call(self, what: str, work: Callable[[], T]) -> T:
        is_failing = len(self.calls) == self._fail_at
        self.calls.append(what)
        if is_failing and not self._is_applied:
            raise StoreError("away", retryable=True)
        result = work()
        if is_failing:
            raise StoreError("no answer", retryable=True)
        return result

    def requests(self) -> dict[tuple[int, str], int]:
        """Return what the table says after all that was added to it."""
        sums = Counter(self.base)
        rows = self._kept.rows(TABLE)
        for row in [] if rows is None else rows.to_pylist():
            sums[int(row["window_start"].timestamp()), row["model"]] += row["requests"]
        return {key: value % MODULUS for key, value in sums.items()}

    def differences(self) -> list[GroupDifference]:
        """Return what an audit would find."""
        return [
            GroupDifference(
                window_start_s=window,
                group={
                    dimension.name: model if dimension.name == "model" else ""
                    for dimension in CUBE.dimensions
                },
                expected=measures(LOG[window, model]),
                found=measures(found),
            )
            for (window, model), found in self.requests().items()
            if found != LOG[window, model]
        ]


def measures(requests: int) -> dict[str, Any]:
    empty: dict[str, Any] = {
        measure: {} if measure in SKETCH_MEASURES else "0" if measure == COST_MEASURE else 0
        for measure in MEASURES
    }
    return {**empty, "requests": requests}


def audit_until_clean(store: Rollup) -> int:
    """Mend what is found until nothing is; return how many runs failed."""
    job = RollupRepairs(store, lambda: NOW)
    failures = 0
    for _ in range(AUDITS):
        found = store.differences()
        if not found:
            break
        try:
            job.mend(CUBE, RESOLUTION, found)
        except StoreError:
            failures += 1
    return failures


def calls_of_a_repair() -> list[str]:
    store = Rollup()
    assert audit_until_clean(store) == 0
    return store.calls


def test_a_repair_records_what_it_will_add_then_adds_it_then_says_so() -> None:
    # The damage lies in one window.
    assert calls_of_a_repair() == [
        "count_repairs",
        f"insert {REPAIRS_TABLE}",
        f"insert {TABLE}",
        f"insert {REPAIRS_TABLE}",
    ]


@pytest.mark.parametrize("is_applied", [False, True], ids=["refused", "answer lost"])
def test_a_repair_that_fails_at_any_call_is_made_up_for_and_adds_once(*, is_applied: bool) -> None:
    for number, call in enumerate(calls_of_a_repair()):
        store = Rollup(fail_at=number, is_applied=is_applied)
        assert audit_until_clean(store) == 1, call
        assert store.requests() == LOG, f"call {number}, {call}"
        calls = len(store.calls)
        assert audit_until_clean(store) == 0
        assert len(store.calls) == calls, "a second run changes nothing"


@pytest.mark.parametrize("is_applied", [False, True], ids=["refused", "answer lost"])
def test_the_same_damage_again_is_mended_again_whenever_the_first_repair_died(
    *, is_applied: bool
) -> None:
    for number, call in enumerate(calls_of_a_repair()):
        store = Rollup(fail_at=number, is_applied=is_applied)
        audit_until_clean(store)
        for key, damaged in DAMAGED.items():
            store.base[key] += damaged - LOG[key]
        assert audit_until_clean(store) == 0, call
        assert store.requests() == LOG, f"call {number}, {call}"
