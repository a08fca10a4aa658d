"""What speaks against an accepted level, and how it is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from inferometer.core.alerts.acceptances import Acceptance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.mute_json import decode_entry, encode_entry
from inferometer.core.alerts.silences import MuteRefusedError

NOW_US = 1_767_600_000_000_000
DAY_US = 86_400_000_000
LEVEL = Acceptance(
    id="a", matchers=(Matcher("slo", "ttft-unusual"),), since_us=NOW_US - DAY_US,
    updated_at_us=NOW_US, created_by="me", comment="new hardware",
)  # fmt: skip


@pytest.mark.parametrize(
    ("level", "wanted"),
    [
        (replace(LEVEL, matchers=()), "no matcher"),
        (replace(LEVEL, created_by=""), "say who accepts"),
        (replace(LEVEL, comment="x" * 5000), "comment is longer than"),
        (replace(LEVEL, since_us=NOW_US), "since lies in the future"),
        (replace(LEVEL, since_us=NOW_US - 8 * DAY_US), "over a week ago"),
    ],
)
def test_a_level_that_cannot_be_accepted_says_why(level: Acceptance, wanted: str) -> None:
    with pytest.raises(MuteRefusedError, match=wanted):
        level.check()


def test_a_sound_level_is_accepted() -> None:
    LEVEL.check()
    replace(LEVEL, since_us=None).check()


@pytest.mark.parametrize("since_us", [None, NOW_US - 5])
def test_it_is_read_back_as_it_was_written(since_us: int | None) -> None:
    level = replace(LEVEL, since_us=since_us)
    assert decode_entry(encode_entry(level)) == level


def test_the_book_keeps_levels_in_order_until_they_are_forgotten() -> None:
    book = MuteBook()
    assert book.acceptances() == ()
    later = replace(LEVEL, id="0", updated_at_us=NOW_US + 1)
    assert book.apply(later)
    assert book.apply(LEVEL)
    assert not book.apply(LEVEL)
    assert book.acceptances() == (LEVEL, later)
    assert set(book.entries()) == {LEVEL, later}
    assert book.outdated(NOW_US + 1) == ["a"]
    book.forget("a")
    assert book.acceptances() == (later,)
