"""Event ids: UUIDv7 that ascend."""

from __future__ import annotations

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.sdk.ids import EventIds, uuid7_text


@settings(deadline=None)
@given(st.integers(0, 2**60 - 1), st.integers(0, 2**62 - 1))
def test_an_id_is_a_uuid_of_version_7_and_variant_2(ticks: int, bits: int) -> None:
    parsed = uuid.UUID(uuid7_text(ticks, bits))
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert parsed.int >> 80 == ticks >> 12


def test_ids_ascend_when_the_clock_stands_or_steps_back() -> None:
    readings = iter([5_000_000_000, 5_000_000_000, 1, 6_000_000_000])
    ids = EventIds(lambda: next(readings))
    made = [ids.next() for _ in range(4)]
    assert made == sorted(made)
    assert len(set(made)) == 4


def test_ids_of_one_millisecond_differ_by_its_fraction_and_other_digits_are_drawn_anew() -> None:
    readings = iter([*[5_000_000_000] * 4_000, *[5_001_000_000] * 4_000, 9_000_000_000])
    ids = EventIds(lambda: next(readings))
    made = [ids.next() for _ in range(8_001)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(
        (uuid.UUID(each).version, uuid.UUID(each).variant) == (7, uuid.RFC_4122) for each in made
    )
    assert len({each[19:] for each in made}) == 3
