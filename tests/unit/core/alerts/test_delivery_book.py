from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts import lanes
from inferometer.core.alerts.delivery_book import GONE, UNKNOWN_RECEIVER, DeliveryBook
from inferometer.core.alerts.ledger import (
    LedgerEntry,
    NoticeState,
    attempt_record,
    redelivery_request,
)
from inferometer.core.alerts.notices import Notice, Status, Transition
from inferometer.core.alerts.receivers import Receiver, fallback_problems
from inferometer.core.alerts.retries import SECOND_US, Attempt, AttemptKind
from inferometer.core.slo.definitions import Severity
from inferometer.testing.notices import DELIVERED, example_notice, example_resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW_US = 1_767_607_310_000_000
MINUTE_US = 60 * SECOND_US
BROKEN = Attempt(kind=AttemptKind.ANSWERED, status=503)
UNREACHED = Attempt(kind=AttemptKind.UNREACHED)
LOST = Attempt(kind=AttemptKind.LOST)
REFUSED = Attempt(kind=AttemptKind.ANSWERED, status=404)


def book_of(**oncall: Any) -> DeliveryBook:
    names = {"oncall": oncall, "chat": {}}
    receivers = {name: Receiver(name=name, **more) for name, more in names.items()}
    return DeliveryBook(receivers=receivers)


def started_ids(book: DeliveryBook, now_us: int) -> list[str]:
    book.settle(now_us=now_us)
    return [entry.notification_id for entry in book.start(now_us=now_us)]


def one_turn(book: DeliveryBook, now_us: int, attempt: Attempt) -> list[Notice]:
    """Start what is due and let each attempt end alike; returns the notices."""
    book.settle(now_us=now_us)
    entries = book.start(now_us=now_us)
    for entry in entries:
        book.finish(entry.notification_id, attempt, now_us=now_us)
    return [entry.notice for entry in entries]


def turns(book: DeliveryBook, now_us: int, attempt: Attempt, *, count: int) -> int:
    for _ in range(count):
        now_us = max(now_us, book.next_due_us() or now_us)
        one_turn(book, now_us, attempt)
    return now_us


def states(book: DeliveryBook) -> dict[str, NoticeState]:
    return {entry.notification_id: entry.state for entry in book.entries()}


def reason(book: DeliveryBook, notice: Notice) -> str:
    (found,) = [e for e in book.entries() if e.notification_id == notice.notification_id]
    return found.reason


def test_a_notice_is_sent_once() -> None:
    book = book_of()
    notice = example_notice()
    assert len(book.plan([notice, notice], now_us=NOW_US)) == 1
    assert one_turn(book, NOW_US, DELIVERED) == [notice]
    assert book.plan([notice], now_us=NOW_US) == []
    assert one_turn(book, NOW_US, DELIVERED) == []
    assert book.next_due_us() is None


def test_a_resolve_waits_until_the_firing_has_arrived() -> None:
    book = book_of()
    firing, resolve = example_notice(), example_resolve()
    book.plan([firing], now_us=NOW_US)
    assert started_ids(book, NOW_US) == [firing.notification_id]
    book.plan([resolve], now_us=NOW_US)
    assert started_ids(book, NOW_US) == []
    book.finish(firing.notification_id, DELIVERED, now_us=NOW_US)
    assert started_ids(book, NOW_US) == [resolve.notification_id]


def test_another_incident_does_not_wait() -> None:
    book = book_of()
    firing, other = example_notice(), example_notice(incident_id="other")
    book.plan([firing], now_us=NOW_US)
    started_ids(book, NOW_US)
    book.plan([other], now_us=NOW_US)
    assert started_ids(book, NOW_US) == [other.notification_id]


def test_a_receiver_that_is_gone_delays_no_other() -> None:
    book = book_of()
    mine = [example_notice(incident_id=f"i{at}") for at in range(20)]
    theirs = [example_notice(incident_id=f"i{at}", receiver="chat") for at in range(3)]
    book.plan(mine, now_us=NOW_US)
    assert len(started_ids(book, NOW_US)) == 8
    book.plan(theirs, now_us=NOW_US)
    assert len(started_ids(book, NOW_US)) == 3


def test_a_pair_that_nobody_heard_of_is_not_sent() -> None:
    book = book_of()
    firing, resolve = example_notice(), example_resolve()
    book.plan([firing], now_us=NOW_US)
    now_us = turns(book, NOW_US, BROKEN, count=3)
    book.plan([resolve], now_us=now_us)
    assert one_turn(book, now_us + MINUTE_US, DELIVERED) == []
    assert set(states(book).values()) == {NoticeState.DROPPED}
    assert reason(book, firing) == lanes.RESOLVED_FIRST
    assert reason(book, resolve) == lanes.NEVER_HEARD


def test_a_receiver_that_asks_for_it_hears_of_the_end_alone() -> None:
    book = book_of(sends_unseen_resolved=True)
    firing, resolve = example_notice(), example_resolve()
    book.plan([firing], now_us=NOW_US)
    now_us = turns(book, NOW_US, UNREACHED, count=2)
    book.plan([resolve], now_us=now_us)
    assert one_turn(book, now_us, DELIVERED) == [resolve]


def test_a_firing_that_may_have_arrived_is_resolved() -> None:
    book = book_of()
    firing, resolve = example_notice(), example_resolve()
    book.plan([firing], now_us=NOW_US)
    now_us = turns(book, NOW_US, LOST, count=1)
    book.plan([resolve], now_us=now_us)
    assert one_turn(book, now_us, DELIVERED) == [resolve]
    assert states(book)[firing.notification_id] is NoticeState.DROPPED


def test_a_firing_in_flight_at_a_crash_is_sent_again_and_resolved() -> None:
    first = book_of()
    firing, resolve = example_notice(), example_resolve()
    first.plan([firing], now_us=NOW_US)
    entries = first.start(now_us=NOW_US)
    second = book_of()
    second.restore(entries, now_us=NOW_US)
    second.plan([resolve], now_us=NOW_US)
    assert one_turn(second, NOW_US, DELIVERED) == [resolve]


def test_a_resolve_whose_firing_the_ledger_forgot_is_sent() -> None:
    book = book_of()
    book.plan([example_resolve(seq=7)], now_us=NOW_US)
    assert one_turn(book, NOW_US, DELIVERED) == [example_resolve(seq=7)]


def test_a_second_episode_is_sent_after_the_first_is_over() -> None:
    book = book_of()
    firing, resolve = example_notice(), example_resolve()
    again = example_notice(seq=3, episode=2)
    book.plan([again, resolve, firing], now_us=NOW_US)
    found = []
    for _ in range(4):
        found += one_turn(book, NOW_US, DELIVERED)
    assert found == [again]
    assert states(book)[resolve.notification_id] is NoticeState.DROPPED


def test_resolves_go_only_to_those_who_want_them_and_the_ledger_says_so() -> None:
    book = book_of(sends_resolved=False)
    firing, resolve = example_notice(), example_resolve()
    book.plan([firing, resolve], now_us=NOW_US)
    assert one_turn(book, NOW_US, DELIVERED) == [firing]
    assert reason(book, resolve) == lanes.NOT_WANTED


def test_a_page_that_fails_for_three_minutes_goes_to_the_fallback_too() -> None:
    book = book_of(fallback="chat")
    firing, resolve = example_notice(), example_resolve()
    book.plan([firing], now_us=NOW_US)
    now_us = NOW_US
    while now_us < NOW_US + 3 * MINUTE_US:
        assert all(notice.receiver == "oncall" for notice in one_turn(book, now_us, BROKEN))
        now_us += 10 * SECOND_US
    heard = [n for n in one_turn(book, now_us, DELIVERED) if n.receiver == "chat"]
    assert [notice.details["fallback_for"] for notice in heard] == ["oncall"]
    now_us = turns(book, now_us, DELIVERED, count=2)
    book.plan([resolve], now_us=now_us)
    ends = {notice.receiver for notice in one_turn(book, now_us, DELIVERED)}
    assert ends == {"oncall", "chat"}


def test_a_ticket_goes_to_the_fallback_when_it_is_dead() -> None:
    book = book_of(fallback="chat")
    ticket = example_notice(severity=Severity.TICKET)
    book.plan([ticket], now_us=NOW_US)
    now_us = turns(book, NOW_US, REFUSED, count=3)
    assert states(book)[ticket.notification_id] is NoticeState.DEAD
    assert [notice.receiver for notice in one_turn(book, now_us, DELIVERED)] == ["chat"]
    assert len(book.entries()) == 2
    assert one_turn(book, now_us, DELIVERED) == []


def test_a_fallback_that_was_told_anyway_is_not_told_twice() -> None:
    book = book_of(fallback="chat")
    first = book.plan([example_notice()], now_us=NOW_US)
    turns(book, NOW_US, REFUSED, count=3)
    book.settle(now_us=NOW_US + 10 * MINUTE_US)
    copies = [e.notice for e in book.entries() if e.notice.receiver == "chat"]
    assert len(copies) == 1
    other = book_of(fallback="chat")
    routed = example_notice(receiver="chat", notification_id=copies[0].notification_id)
    other.plan([routed, first[0].notice], now_us=NOW_US)
    turns(other, NOW_US, REFUSED, count=3)
    other.settle(now_us=NOW_US + 10 * MINUTE_US)
    assert len(other.entries()) == 2


def test_an_endpoint_that_is_gone_is_not_called_again_until_a_redelivery() -> None:
    book = book_of()
    gone = Attempt(kind=AttemptKind.ANSWERED, status=410)
    first, second = example_notice(), example_notice(incident_id="other")
    book.plan([first], now_us=NOW_US)
    one_turn(book, NOW_US, gone)
    book.plan([second], now_us=NOW_US)
    assert one_turn(book, NOW_US, DELIVERED) == []
    assert reason(book, second) == GONE
    request = redelivery_request(first, token="t")
    assert len(book.plan([request, request], now_us=NOW_US)) == 1
    assert one_turn(book, NOW_US, DELIVERED) == [request]
    assert book.plan([request], now_us=NOW_US) == []


def test_a_redelivery_is_sent_although_its_incident_is_over() -> None:
    book = book_of()
    pair = [example_notice(), example_resolve()]
    book.plan(pair, now_us=NOW_US)
    one_turn(book, NOW_US, DELIVERED)
    requests = [redelivery_request(notice, token="t") for notice in pair]
    book.plan(requests, now_us=NOW_US)
    assert one_turn(book, NOW_US, DELIVERED) == requests[:1]
    assert one_turn(book, NOW_US, DELIVERED) == requests[1:]


@pytest.mark.parametrize("answer", [REFUSED, LOST], ids=["never heard", "perhaps heard"])
def test_what_is_over_is_ended_again_after_its_redelivery(answer: Attempt) -> None:
    book = book_of()
    pair = [example_notice(), example_resolve()]
    book.plan(pair[:1], now_us=NOW_US)
    # Later, so that the breaker lets it through.
    now_us = turns(book, NOW_US, answer, count=400) + 10 * MINUTE_US
    assert states(book)[pair[0].notification_id] is NoticeState.DEAD
    book.plan(pair[1:], now_us=now_us)
    one_turn(book, now_us, DELIVERED)
    requests = [redelivery_request(notice, token="t") for notice in pair]
    book.plan(requests[:1], now_us=now_us)
    assert one_turn(book, now_us, DELIVERED) == requests[:1]
    assert one_turn(book, now_us, DELIVERED) == requests[1:]


def test_a_redelivery_leaves_open_what_is_not_over_or_whose_end_is_not_wanted() -> None:
    book = book_of(sends_resolved=False)
    pair = [example_notice(), example_resolve()]
    for count in (1, 2):
        book.plan(pair[:count], now_us=NOW_US)
        one_turn(book, NOW_US, DELIVERED)
        again = redelivery_request(pair[0], token=str(count))
        assert len(book.plan([again], now_us=NOW_US)) == 1
        assert one_turn(book, NOW_US, DELIVERED) == [again]


def test_a_redelivery_begins_its_schedule_anew_and_goes_on_counting() -> None:
    book = book_of()
    ticket = example_notice(severity=Severity.TICKET)
    book.plan([ticket], now_us=NOW_US)
    now_us = turns(book, NOW_US, BROKEN, count=10)
    assert states(book)[ticket.notification_id] is NoticeState.DEAD
    book.plan([redelivery_request(ticket, token="t")], now_us=now_us)
    turns(book, now_us, BROKEN, count=1)
    (entry,) = book.entries()
    assert entry.state is NoticeState.PLANNED
    assert attempt_record(entry, format_name="standard").attempt == 11


def test_a_receiver_that_nobody_declared_is_a_dead_letter() -> None:
    book = book_of()
    notice = example_notice(receiver="nobody")
    book.plan([notice], now_us=NOW_US)
    assert one_turn(book, NOW_US, DELIVERED) == []
    assert reason(book, notice) == UNKNOWN_RECEIVER


def test_a_receiver_removed_while_a_notice_waited_is_a_dead_letter() -> None:
    book = DeliveryBook(receivers={})
    waiting = book_of().plan([example_notice()], now_us=NOW_US)
    book.restore(waiting, now_us=NOW_US)
    book.settle(now_us=NOW_US)
    assert set(states(book).values()) == {NoticeState.DEAD}


def test_after_a_recovery_all_that_waits_goes_out_at_once() -> None:
    book = book_of()
    book.plan([example_notice(incident_id=f"i{at}") for at in range(8)], now_us=NOW_US)
    one_turn(book, NOW_US, BROKEN)
    due_us = book.next_due_us()
    assert due_us is not None
    assert NOW_US + 5 * SECOND_US <= due_us <= NOW_US + 6 * SECOND_US
    assert len(one_turn(book, due_us, BROKEN)) == 1
    due_us = book.next_due_us() or 0
    assert len(one_turn(book, due_us, DELIVERED)) == 1
    assert len(one_turn(book, due_us, DELIVERED)) == 7


def test_pages_go_before_tickets() -> None:
    book = DeliveryBook(receivers={"oncall": Receiver(name="oncall")}, at_once=1)
    ticket = example_notice(incident_id="a", severity=Severity.TICKET)
    page = example_notice(incident_id="b")
    book.plan([ticket, page], now_us=NOW_US)
    assert started_ids(book, NOW_US) == [page.notification_id]


def test_an_incident_is_forgotten_a_week_after_its_end() -> None:
    book = book_of()
    firing, resolve = example_notice(), example_resolve()
    still = example_notice(incident_id="still")
    book.plan([firing, resolve, still], now_us=NOW_US)
    book = book_of()
    book.plan([firing, still], now_us=NOW_US)
    one_turn(book, NOW_US, DELIVERED)
    book.plan([resolve], now_us=NOW_US)
    one_turn(book, NOW_US, DELIVERED)
    day_us = 24 * 60 * MINUTE_US
    assert book.forget(now_us=NOW_US + 6 * day_us) == []
    gone = book.forget(now_us=NOW_US + 8 * day_us)
    assert set(gone) == {firing.notification_id, resolve.notification_id}
    assert set(states(book)) == {still.notification_id}


def test_fallbacks_in_a_circle_are_a_problem() -> None:
    receivers = [Receiver(name="a", fallback="b"), Receiver(name="b", fallback="a")]
    assert any("circle" in problem for problem in fallback_problems(receivers))
    assert "known are c" in fallback_problems([Receiver(name="c", fallback="d")])[0]


ANSWERS = st.sampled_from([DELIVERED, BROKEN, LOST, UNREACHED, REFUSED])


def episodes(count: int) -> list[Notice]:
    found = []
    for at in range(count):
        found.append(example_notice(seq=2 * at + 1, episode=at + 1))
        found.append(example_resolve(seq=2 * at + 2, episode=at + 1))
    return found


@given(
    script=st.lists(st.tuples(ANSWERS, st.integers(0, 2), st.booleans()), max_size=30),
    count=st.integers(1, 3),
)
def test_whatever_happens_a_lane_stays_in_order_and_ends(
    script: Sequence[tuple[Attempt, int, bool]], count: int
) -> None:
    notices = episodes(count)
    book, now_us = book_of(), NOW_US
    ledger: dict[str, LedgerEntry] = {}
    arrived: list[Notice] = []

    def keep(entries: list[LedgerEntry]) -> None:
        ledger.update({entry.notification_id: entry for entry in entries})

    def turn(attempt: Attempt) -> None:
        keep(book.settle(now_us=now_us))
        for entry in book.start(now_us=now_us):
            keep([entry])
            keep(book.finish(entry.notification_id, attempt, now_us=now_us))
            if attempt in (DELIVERED, LOST):
                arrived.append(entry.notice)

    for attempt, fresh, has_crashed in script:
        if has_crashed:
            book = book_of()
            book.restore(ledger.values(), now_us=now_us)
        keep(book.plan(notices[:fresh], now_us=now_us))
        notices = notices[fresh:]
        now_us = max(now_us, book.next_due_us() or now_us)
        turn(attempt)
    keep(book.plan(notices, now_us=now_us))
    for _ in range(20):
        now_us = max(now_us, book.next_due_us() or now_us)
        turn(DELIVERED)

    seqs = [notice.seq for notice in arrived]
    assert seqs == sorted(seqs)
    assert all(entry.state.is_final for entry in ledger.values())
    # Nobody is left with an incident that is over.
    if arrived and not any(e.state is NoticeState.DEAD for e in ledger.values()):
        assert arrived[-1].status is Status.RESOLVED
    assert all(notice.transition is not Transition.TEST for notice in arrived)
