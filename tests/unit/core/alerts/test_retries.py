from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.endpoints import Breaker, Endpoint
from inferometer.core.alerts.receivers import Receiver
from inferometer.core.alerts.retries import (
    PAGES,
    SECOND_US,
    TICKETS,
    Attempt,
    AttemptKind,
    RetryPolicy,
    Verdict,
    judge,
    next_attempt_us,
    retry_after_seconds,
)
from inferometer.testing.notices import DELIVERED

NOW_US = 1_767_607_310_000_000


def answered(status: int) -> Attempt:
    return Attempt(kind=AttemptKind.ANSWERED, status=status)


@pytest.mark.parametrize(
    ("attempt", "verdict"),
    [
        *((answered(status), Verdict.DELIVERED) for status in (200, 202, 204, 299)),
        *((answered(status), Verdict.RETRY) for status in (408, 425, 429, 500, 502, 503, 599)),
        *((answered(status), Verdict.REFUSED) for status in (301, 302, 307, 400, 401, 404, 413)),
        (answered(410), Verdict.GONE),
        (Attempt(kind=AttemptKind.LOST), Verdict.RETRY),
        (Attempt(kind=AttemptKind.UNREACHED), Verdict.RETRY),
        (Attempt(kind=AttemptKind.FORBIDDEN), Verdict.REFUSED),
    ],
    ids=str,
)
def test_what_an_attempt_means(attempt: Attempt, verdict: Verdict) -> None:
    assert judge(attempt) is verdict


def schedule(policy: RetryPolicy, key: str, *, took_s: int = 0) -> list[float]:
    """Return the starts of all attempts of a notice that is never delivered, in seconds."""
    starts = [0]
    while len(starts) < 1000:
        following = next_attempt_us(
            policy,
            key=key,
            verdict=Verdict.RETRY,
            attempts=len(starts),
            refusals=0,
            first_at_us=0,
            last_at_us=starts[-1],
            retry_after_s=None,
            now_us=starts[-1] + took_s * SECOND_US,
        )
        if following is None:
            break
        starts.append(following)
    return [start / SECOND_US for start in starts]


@given(key=st.text(max_size=10), took_s=st.integers(0, 15))
def test_a_page_is_tried_each_minute_for_half_an_hour(key: str, took_s: int) -> None:
    starts = schedule(PAGES, key, took_s=took_s)
    early = [start for start in starts if start <= 1800]
    assert max(b - a for a, b in pairwise(early)) <= 60
    assert early[-1] > 1740
    assert len(early) < 60


@given(key=st.text(max_size=10))
def test_a_page_is_given_up_after_a_day(key: str) -> None:
    assert 24 * 3600 <= schedule(PAGES, key)[-1] <= 24 * 3600 + 360


@given(key=st.text(max_size=10))
def test_a_ticket_follows_standard_webhooks(key: str) -> None:
    starts = schedule(TICKETS, key)
    planned = [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert len(starts) == len(planned)
    gaps = [b - a for a, b in pairwise(starts)]
    for gap, wanted in zip(gaps, planned[1:], strict=True):
        assert 0.8 * wanted <= gap <= 1.2 * wanted


def test_the_jitter_of_two_notices_differs_and_that_of_one_does_not() -> None:
    assert schedule(PAGES, "a") == schedule(PAGES, "a")
    assert schedule(PAGES, "a") != schedule(PAGES, "b")


def next_of(policy: RetryPolicy, *, retry_after_s: int | None = None, refusals: int = 0) -> int:
    found = next_attempt_us(
        policy,
        key="k",
        verdict=Verdict.REFUSED if refusals else Verdict.RETRY,
        attempts=max(1, refusals),
        refusals=refusals,
        first_at_us=NOW_US,
        last_at_us=NOW_US,
        retry_after_s=retry_after_s,
        now_us=NOW_US,
    )
    return -1 if found is None else (found - NOW_US) // SECOND_US


@pytest.mark.parametrize(
    ("policy", "asked", "waits"),
    [(PAGES, 120, 120), (PAGES, 3600, 300), (TICKETS, 3000, 3000), (TICKETS, 86_400, 3600)],
    ids=["page", "page, capped", "ticket", "ticket, capped"],
)
def test_what_a_receiver_asks_for_is_heeded(policy: RetryPolicy, asked: int, waits: int) -> None:
    assert next_of(policy, retry_after_s=asked) == waits


def test_a_receiver_that_asks_for_less_than_the_gap_does_not_shorten_it() -> None:
    assert next_of(PAGES, retry_after_s=0) >= 4


def test_a_refusal_is_tried_three_times_over_five_minutes() -> None:
    first, second, third = (next_of(PAGES, refusals=count) for count in (1, 2, 3))
    assert 48 <= first <= 72
    assert 192 <= second <= 288
    assert third == -1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Mon, 05 Jan 2026 10:02:20 GMT", 30),
        ("Mon, 05 Jan 2026 10:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
        ("99999999999999999999", 999_999_999),
    ],
)
def test_retry_after_holds_seconds_or_a_date(header: str | None, seconds: int | None) -> None:
    assert retry_after_seconds(header, now_us=NOW_US) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_breaks_anything(header: str) -> None:
    found = retry_after_seconds(header, now_us=NOW_US)
    assert found is None or found >= 0


def test_an_open_breaker_lets_one_through_each_half_minute_at_least() -> None:
    breaker = Breaker()
    for _ in range(5):
        assert breaker.ready_at_us() == 0
        breaker.started(NOW_US)
        assert not breaker.ended(Verdict.RETRY, NOW_US)
    now_us, waits = NOW_US, []
    for _ in range(30):
        waits.append((breaker.ready_at_us() - now_us) // SECOND_US)
        now_us = breaker.ready_at_us()
        breaker.started(now_us)
        assert not breaker.ended(Verdict.RETRY, now_us)
    assert waits == [5, 10, 20, *[30] * 27]
    assert breaker.ended(Verdict.DELIVERED, now_us)
    assert breaker.ready_at_us() == 0


def test_an_endpoint_keeps_to_its_rate() -> None:
    endpoint = Endpoint(Receiver(name="pd", max_per_minute=2))
    for _ in range(2):
        assert endpoint.admits(NOW_US, is_urgent=True)
        endpoint.started(NOW_US)
        endpoint.ended(DELIVERED, NOW_US)
    assert not endpoint.admits(NOW_US, is_urgent=True)
    assert endpoint.ready_at_us(is_urgent=True) == NOW_US + 60 * SECOND_US
    assert endpoint.admits(NOW_US + 60 * SECOND_US, is_urgent=True)


def test_an_endpoint_takes_only_so_many_at_once() -> None:
    endpoint = Endpoint(Receiver(name="hook"), at_once=1)
    endpoint.started(NOW_US)
    assert not endpoint.admits(NOW_US, is_urgent=True)
