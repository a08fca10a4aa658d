"""What waits is bounded by events and by bytes, and counted to the last one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.sdk.intake import Intake
from inferometer.sdk.items import Entry, Item

COLUMNS = Item(b"columns", b"k", events=3)
ENTRIES: list[Entry] = [b"a", b"bb", COLUMNS, Item(b"ccc"), b"dddd"]


def intake(max_events: int = 100, max_bytes: int = 1_000, *, counts_loose: bool = True) -> Intake:
    return Intake(max_events=max_events, max_bytes=max_bytes, counts_loose=counts_loose)


@pytest.mark.parametrize(
    ("max_events", "max_bytes", "taken", "events"),
    [
        pytest.param(7, 18, 5, 7, id="all fit to the last byte and event"),
        pytest.param(6, 1_000, 4, 6, id="one event too many"),
        pytest.param(4, 1_000, 2, 2, id="columns are taken whole or not"),
        pytest.param(100, 17, 4, 6, id="one byte too many"),
        pytest.param(100, 10, 2, 2, id="the key of an item counts"),
        pytest.param(0, 0, 0, 0, id="no room"),
    ],
)
def test_entries_are_taken_as_far_as_there_is_room(
    max_events: int, max_bytes: int, taken: int, events: int
) -> None:
    at_once, one_by_one = intake(max_events, max_bytes), intake(max_events, max_bytes)
    assert at_once.put_all(ENTRIES) == taken
    for entry in ENTRIES[:taken]:
        assert one_by_one.put(entry)
    if taken < len(ENTRIES):
        assert not one_by_one.put(ENTRIES[taken])
    for each in (at_once, one_by_one):
        assert (each.queued_events, each.accepted, len(each)) == (events, events, taken)
        assert each.take(99) == ENTRIES[:taken]


@pytest.mark.parametrize(("counts_loose", "is_taken"), [(True, False), (False, True)])
def test_what_the_producer_holds_takes_room_where_no_spool_has_it(
    counts_loose: bool, is_taken: bool
) -> None:
    desk = intake(max_events=2, counts_loose=counts_loose)
    desk.count_loose(2, 10)
    assert desk.put(b"a") is is_taken


@given(st.lists(st.lists(st.sampled_from(ENTRIES), max_size=6), max_size=6), st.integers(0, 20))
def test_what_is_settled_leaves_nothing_behind(groups: list[list[Entry]], room: int) -> None:
    desk = intake(max_events=room, max_bytes=3 * room)
    for group in groups:
        desk.put_all(group)
        assert desk.queued_events <= room
    taken = desk.take(99)
    events = sum(1 if isinstance(each, bytes) else each.events for each in taken)
    desk.settled(events, sum(map(len, taken)))
    assert (desk.queued_events, len(desk), desk.accepted) == (0, 0, events)
    assert desk.put(b"") is (room > 0)
