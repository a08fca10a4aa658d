"""An answer that holds for a minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from inferometer.errors import StoreError
from inferometer.jobs.remembered import WHILE, Remembered

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Asked:
    """Counts questions, at a time that tests set."""

    def __init__(self) -> None:
        self.count = 0
        self.now = NOON

    def ask(self) -> int:
        self.count += 1
        if self.count == 2:
            raise StoreError("away", retryable=True)
        return self.count

    def clock(self) -> datetime:
        return self.now


def test_an_answer_is_asked_for_once_a_while() -> None:
    asked = Asked()
    remembered = Remembered(asked.ask, asked.clock)
    assert [remembered(), remembered()] == [1, 1]
    asked.now += WHILE - timedelta(microseconds=1)
    assert remembered() == 1


def test_a_failure_is_raised_and_not_remembered() -> None:
    asked = Asked()
    remembered = Remembered(asked.ask, asked.clock)
    assert remembered() == 1
    asked.now += WHILE
    with pytest.raises(StoreError):
        remembered()
    assert remembered() == 3


def test_a_clock_that_went_back_makes_it_old() -> None:
    asked = Asked()
    remembered = Remembered(asked.ask, asked.clock)
    remembered()
    asked.now -= timedelta(seconds=1)
    with pytest.raises(StoreError):
        remembered()
