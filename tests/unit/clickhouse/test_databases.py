from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from inferometer.clickhouse.databases import MIN_ROOM_BYTES, engine_problem, require_room
from inferometer.errors import StoreError


@pytest.mark.parametrize(
    ("engine", "replicated", "problem"),
    [
        ("Atomic", False, ""),
        ("Ordinary", False, ""),
        ("Replicated", True, ""),
        # Of a managed service, whose tables are replicated whatever their engine is called.
        ("Shared", False, ""),
        ("Shared", True, ""),
        ("Atomic", True, "on this node alone"),
        ("Ordinary", True, "on this node alone"),
        ("Replicated", False, "rows of its own"),
    ],
)
def test_the_engine_of_a_database_and_the_setting_say_the_same(
    engine: str, replicated: bool, problem: str
) -> None:
    found = engine_problem(engine, replicated=replicated)
    assert problem in found
    assert bool(found) == bool(problem)


class _Disks:
    """Answers how much room is left, or refuses to."""

    def __init__(self, *rows: tuple[int], refusal: int = 0) -> None:
        self._rows = list(rows)
        self._refusal = refusal

    def query(self, _text: str) -> Any:
        if self._refusal:
            raise DatabaseError("Code: 0. DB::Exception: no", code=self._refusal)
        return type("Result", (), {"result_rows": self._rows})()


def test_a_disk_that_is_about_to_be_full_is_refused_and_may_be_tried_again() -> None:
    disks: Any = _Disks((MIN_ROOM_BYTES - 1,))
    with pytest.raises(StoreError, match=r"at x has 63 MiB left.*make room for 64 MiB") as caught:
        require_room(disks, "x")
    assert caught.value.retryable


def test_a_disk_with_room_and_one_that_is_not_shown_are_no_obstacle() -> None:
    for disks in (_Disks((MIN_ROOM_BYTES,)), _Disks(), _Disks(refusal=497)):
        looked_at: Any = disks
        require_room(looked_at, "x")


def test_any_other_refusal_is_passed_on() -> None:
    disks: Any = _Disks(refusal=60)
    with pytest.raises(DatabaseError):
        require_room(disks, "x")
