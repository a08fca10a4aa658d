from __future__ import annotations

import threading

import pytest

from inferometer.errors import BrokerError
from inferometer.kafka.pace import RECORD_OVERHEAD_BYTES, Pace

SIZE = 10
RECORD = SIZE + RECORD_OVERHEAD_BYTES


def reserve(pace: Pace, count: int, *, timeout_s: float = 0.0) -> None:
    for _ in range(count):
        pace.reserve("t", 0, SIZE, timeout_s=timeout_s)


def test_no_more_bytes_than_the_limit_are_under_way() -> None:
    pace = Pace(limit_bytes=2 * RECORD)
    reserve(pace, 2)
    with pytest.raises(BrokerError, match="no room in t/0"):
        reserve(pace, 1)
    pace.reserve("t", 1, SIZE, timeout_s=0.0)


def test_no_more_records_than_the_limit_are_under_way() -> None:
    pace = Pace(limit_records=2)
    reserve(pace, 2)
    with pytest.raises(BrokerError, match="no room"):
        reserve(pace, 1)


def test_a_record_above_the_limit_goes_alone() -> None:
    pace = Pace(limit_bytes=5)
    reserve(pace, 1)
    with pytest.raises(BrokerError, match="no room"):
        reserve(pace, 1)


def test_an_acknowledgement_makes_room_for_what_is_below_it() -> None:
    pace = Pace(limit_records=3)
    reserve(pace, 3)
    for offset in range(3):
        pace.delivered("t", 0, offset, SIZE)
    pace.acknowledged("t", 0, 2)
    assert pace.unacknowledged() == 1
    reserve(pace, 2)


def test_an_acknowledgement_may_come_before_the_delivery() -> None:
    pace = Pace(limit_records=1)
    reserve(pace, 1)
    pace.acknowledged("t", 0, 1)
    assert pace.unacknowledged() == 1
    pace.delivered("t", 0, 0, SIZE)
    assert pace.unacknowledged() == 0


def test_an_older_acknowledgement_takes_nothing_back() -> None:
    pace = Pace(limit_records=2)
    pace.acknowledged("t", 0, 5)
    pace.acknowledged("t", 0, 1)
    reserve(pace, 1)
    pace.delivered("t", 0, 4, SIZE)
    assert pace.unacknowledged() == 0


def test_a_record_that_was_not_sent_gives_its_room_back() -> None:
    pace = Pace(limit_records=1)
    reserve(pace, 1)
    pace.failed("t", 0, SIZE)
    reserve(pace, 1)


def test_a_producer_that_waits_goes_on_when_there_is_room() -> None:
    pace = Pace(limit_records=1)
    reserve(pace, 1)
    pace.delivered("t", 0, 0, SIZE)
    waiting = threading.Thread(target=reserve, args=(pace, 1), kwargs={"timeout_s": 60.0})
    waiting.start()
    pace.acknowledged("t", 0, 1)
    waiting.join(60.0)
    assert not waiting.is_alive()
    assert pace.unacknowledged() == 1


def test_closing_wakes_a_producer_that_waits() -> None:
    pace = Pace(limit_records=1)
    reserve(pace, 1)
    caught: list[BrokerError] = []

    def wait() -> None:
        try:
            reserve(pace, 1, timeout_s=60.0)
        except BrokerError as error:
            caught.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    pace.close()
    waiting.join(60.0)
    assert "closed" in str(caught[0])


@pytest.mark.parametrize("limits", [{"limit_bytes": 0}, {"limit_records": 0}])
def test_a_limit_is_positive(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        Pace(**limits)
