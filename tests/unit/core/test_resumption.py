"""Where a partition goes on: the group, the ledger and the stored intents against each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inferometer.core.chunks import Intent
from inferometer.core.resumption import GroupPosition, Resumption, StoredProgress, resume
from inferometer.errors import StateError


def intent(first: int, last: int) -> Intent:
    return Intent(
        first_offset=first,
        last_offset=last,
        decided_at_us=1,
        dedupe_floor=0,
        price_version="p",
        cubes_version="1",
    )


OPEN = intent(10, 19)
NEXT = intent(20, 29)


def group(
    offset: int | None, open_intent: Intent | None = None, earliest: int = 0
) -> GroupPosition:
    return GroupPosition(offset, open_intent, earliest)


@pytest.mark.parametrize(
    ("at", "stored", "expected"),
    [
        (group(None), StoredProgress(None, None), Resumption(0)),
        (group(None, earliest=7), StoredProgress(None, None), Resumption(7)),
        (group(10), StoredProgress(None, None), Resumption(10)),
        (group(10), StoredProgress(10, None), Resumption(10)),
        (group(12), StoredProgress(10, None), Resumption(12)),
    ],
    ids=["a new group", "a topic that was cut", "no ledger", "in step", "a hole after the ledger"],
)
def test_the_group_counts_where_the_store_says_nothing_else(
    at: GroupPosition, stored: StoredProgress, expected: Resumption
) -> None:
    assert resume(at, stored) == expected


def test_an_open_chunk_is_finished() -> None:
    assert resume(group(10, OPEN), StoredProgress(10, None)) == Resumption(10, OPEN)
    assert resume(group(10, OPEN), StoredProgress(10, OPEN)) == Resumption(10, OPEN)
    assert resume(group(10, OPEN), StoredProgress(None, OPEN)) == Resumption(10, OPEN)


def test_a_chunk_that_the_ledger_closes_is_not_begun_again() -> None:
    assert resume(group(10, OPEN), StoredProgress(20, None)) == Resumption(20)


def test_offsets_that_went_back_go_on_at_the_end_of_the_ledger() -> None:
    assert resume(group(3), StoredProgress(20, None)) == Resumption(20)
    assert resume(group(10, OPEN), StoredProgress(20, NEXT)) == Resumption(20, NEXT)


def test_offsets_that_expired_go_on_where_the_store_stands() -> None:
    assert resume(group(None), StoredProgress(20, None)) == Resumption(20)
    assert resume(group(None), StoredProgress(20, NEXT)) == Resumption(20, NEXT)
    assert resume(group(None), StoredProgress(None, OPEN)) == Resumption(10, OPEN)


def test_an_offset_that_was_set_beyond_an_open_chunk_leaves_it_behind() -> None:
    assert resume(group(15), StoredProgress(10, OPEN)) == Resumption(15)


def test_records_that_are_gone_are_said_to_be_lost() -> None:
    assert resume(group(10, earliest=25), StoredProgress(None, None)) == Resumption(25, None, 15)
    assert resume(group(None, earliest=25), StoredProgress(20, None)) == Resumption(25, None, 5)


def test_of_two_chunks_begun_at_one_place_the_later_counts() -> None:
    later = replace(intent(10, 12), decided_at_us=5)
    assert resume(group(10, OPEN), StoredProgress(10, later)) == Resumption(10, later)
    assert resume(group(10, later), StoredProgress(10, OPEN)) == Resumption(10, later)


def test_an_open_chunk_that_the_ledger_goes_past_was_never_begun() -> None:
    assert resume(group(10, OPEN), StoredProgress(13, None)) == Resumption(13)


def test_an_open_chunk_whose_records_are_gone_stops() -> None:
    with pytest.raises(StateError, match="offsets 10 to 19 is half written"):
        resume(group(10, OPEN, earliest=11), StoredProgress(10, OPEN))
