"""The memory of event ids: a replay under the same floor decides alike."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.records import RecordColumns
from inferometer.core.slo.event_memory import EventMemory, MemoryPolicy


def hashes(*values: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return np.array(values, dtype=np.uint64)


def offsets(first: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.arange(first, first + count, dtype=np.int64)


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=60), st.integers(0, 400))
def test_an_event_is_repeated_if_it_came_since_the_floor(
    chunks: list[list[int]], floor: int
) -> None:
    memory = EventMemory()
    seen: dict[int, int] = {}
    at = 0
    for chunk in chunks:
        found = memory.repeated(hashes(*chunk), floor).tolist()
        expected = []
        here: set[int] = set()
        for value in chunk:
            expected.append(value in here or seen.get(value, -1) >= floor)
            here.add(value)
        assert found == expected
        memory.add(hashes(*chunk), offsets(at, len(chunk)), floor=0)
        for place, value in enumerate(chunk):
            seen[value] = at + place
        at += len(chunk)


def chunk(first: int, count: int, append_ms: int) -> RecordColumns:
    return RecordColumns.from_values([b"{}"] * count, first_offset=first, append_time_ms=append_ms)


def test_the_floor_follows_the_horizon() -> None:
    memory = EventMemory(MemoryPolicy(horizon_ms=1000, max_events=10**6))
    floors = [memory.pin(chunk(10 * n, 10, 400 * n)) for n in range(6)]
    assert floors == [0, 0, 0, 0, 10, 20]


def test_the_floor_follows_the_number_of_events() -> None:
    memory = EventMemory(MemoryPolicy(horizon_ms=10**9, max_events=25))
    floors = [memory.pin(chunk(10 * n, 10, n)) for n in range(4)]
    assert floors == [0, 0, 0, 10]


def test_what_lies_below_the_floor_is_forgotten() -> None:
    memory = EventMemory()
    for n in range(40):
        memory.add(hashes(n), offsets(n, 1), floor=n - 5)
    assert len(memory) <= 22
