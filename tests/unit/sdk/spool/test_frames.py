"""Frames: round trips, cuts at every byte, flips of every byte, and bytes that only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.sdk.items import Item
from inferometer.sdk.spool.frames import Damage, Frame, frame_bytes, frames

START = 5_000_000_123

ITEMS = st.builds(
    Item,
    value=st.binary(max_size=300),
    key=st.none() | st.binary(max_size=80),
    content_type=st.sampled_from(["application/json", "text/plain", "x/ä"]),
    is_event=st.booleans(),
    partition=st.integers(-1, 9000),
    was_sent=st.booleans(),
)


def written(items: list[Item], start: int = START) -> bytes:
    data = b""
    for item in items:
        data += frame_bytes(item, start + len(data), at_ms=7)
    return data


def whole(data: bytes, start: int = START) -> list[Frame | Damage]:
    return list(frames(data, start, is_whole=True))


def items_in(found: list[Frame | Damage]) -> list[Item]:
    return [each.item for each in found if isinstance(each, Frame)]


@given(items=st.lists(ITEMS, max_size=5))
def test_what_is_written_is_read_in_order(items: list[Item]) -> None:
    data = written(items)
    found = whole(data)
    assert items_in(found) == items
    assert [each.end for each in found][-1:] == ([START + len(data)] if items else [])


@given(data=st.binary(max_size=400))
def test_any_bytes_are_covered_without_a_gap(data: bytes) -> None:
    at = START
    for each in whole(data):
        assert each.start == at < each.end
        at = each.end
    assert at == START + len(data)


def test_a_tail_cut_at_any_byte_leaves_every_whole_frame() -> None:
    items = [Item(b'{"n":%d}' % number, b"key") for number in range(3)]
    data = written(items)
    kept = len(written(items[:2]))
    for length in range(kept + 1, len(data)):
        found = whole(data[:length])
        assert items_in(found) == items[:2]
        assert isinstance(found[-1], Damage)
        assert found[-1].is_torn
        # While more may come, the cut frame is simply not there yet.
        assert items_in(list(frames(data[:length], START, is_whole=False))) == items[:2]


def test_a_flip_of_any_byte_costs_its_own_frame_only() -> None:
    items = [Item(b'{"n":%d}' % number, b"key") for number in range(3)]
    data = written(items)
    first, second = len(written(items[:1])), len(written(items[:2]))
    for at in range(first, second):
        damaged = bytearray(data)
        damaged[at] ^= 0x41
        found = whole(bytes(damaged))
        assert items_in(found) == [items[0], items[2]], at
        (damage,) = [each for each in found if isinstance(each, Damage)]
        assert (damage.start, damage.end) == (START + first, START + second)
        assert not damage.is_torn


def test_a_frame_inside_a_damaged_value_is_not_taken_for_one() -> None:
    inner = frame_bytes(Item(b"an older spool"), 0, at_ms=1)
    data = bytearray(written([Item(b"before"), Item(inner), Item(b"after")]))
    data[len(written([Item(b"before")])) + 8] ^= 1
    assert [item.value for item in items_in(whole(bytes(data)))] == [b"before", b"after"]


def test_a_frame_in_the_wrong_place_is_damage() -> None:
    data = written([Item(b"moved")])
    assert items_in(whole(data, START + 1)) == []


def test_a_tail_of_zeros_is_a_write_that_was_cut_short() -> None:
    found = whole(written([Item(b"x")]) + bytes(100))
    assert isinstance(found[-1], Damage)
    assert found[-1].is_torn


def test_a_content_type_beyond_the_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        frame_bytes(Item(b"", None, "x" * 256), 0, 0)
