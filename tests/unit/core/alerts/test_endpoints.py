"""What an endpoint asks of all that is sent to it."""

from __future__ import annotations

from inferometer.core.alerts.retries import SECOND_US, Attempt, AttemptKind
from inferometer.core.slo.definitions import Severity
from inferometer.testing.notices import example_notice
from tests.unit.core.alerts.test_delivery_book import (
    MINUTE_US,
    NOW_US,
    book_of,
    one_turn,
    started_ids,
)


def asking(pause_s: int) -> Attempt:
    return Attempt(kind=AttemptKind.ANSWERED, status=429, retry_after_s=pause_s)


def test_a_receiver_that_asks_for_a_pause_gets_it_from_every_notice() -> None:
    book = book_of()
    first, second = (example_notice(incident_id=f"i{at}") for at in range(2))
    book.plan([first], now_us=NOW_US)
    one_turn(book, NOW_US, asking(120))
    book.plan([second], now_us=NOW_US)
    assert started_ids(book, NOW_US + 119 * SECOND_US) == []
    assert book.next_due_us() == NOW_US + 120 * SECOND_US
    later = started_ids(book, NOW_US + 120 * SECOND_US)
    assert sorted(later) == sorted([first.notification_id, second.notification_id])


def test_a_pause_that_a_ticket_is_asked_for_holds_back_a_page_for_five_minutes() -> None:
    book = book_of()
    book.plan([example_notice(incident_id="a", severity=Severity.TICKET)], now_us=NOW_US)
    one_turn(book, NOW_US, asking(3600))
    page = example_notice(incident_id="b")
    book.plan([page], now_us=NOW_US)
    assert book.next_due_us() == NOW_US + 5 * MINUTE_US
    assert started_ids(book, NOW_US + 5 * MINUTE_US) == [page.notification_id]


def test_a_pause_is_that_of_one_receiver() -> None:
    book = book_of()
    book.plan([example_notice()], now_us=NOW_US)
    one_turn(book, NOW_US, asking(120))
    other = example_notice(receiver="chat")
    book.plan([other], now_us=NOW_US)
    assert started_ids(book, NOW_US) == [other.notification_id]
