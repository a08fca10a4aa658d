"""Deadlines: each is reported once, by whoever notices first, or never."""

from __future__ import annotations

import threading
import time

from inferometer.sdk.deadlines import DeadlineState, DeadlineTimer
from tests.unit.sdk.recording import Clock


def timer_of(clock: Clock) -> tuple[DeadlineTimer, list[str]]:
    """Return a timer whose own thread never runs, so that the test says when it looks."""
    timer = DeadlineTimer(clock.monotonic)
    timer._thread = threading.current_thread()
    return timer, []


def test_a_deadline_that_passes_is_reported_once() -> None:
    clock = Clock()
    timer, reports = timer_of(clock)
    deadline = timer.add(1.0, lambda: reports.append("missed"))
    timer.report_due()
    clock.pass_ms(1001)
    timer.report_due()
    deadline.settle(clock.now_s)
    assert reports == ["missed"]
    assert deadline.state is DeadlineState.MISSED


def test_a_deadline_that_is_met_is_never_reported() -> None:
    clock = Clock()
    timer, reports = timer_of(clock)
    deadline = timer.add(1.0, lambda: reports.append("missed"))
    deadline.settle(1.0)
    clock.pass_ms(5000)
    timer.report_due()
    assert reports == []
    assert deadline.state is DeadlineState.MET


def test_a_deadline_that_the_timer_has_not_noticed_is_reported_by_who_settles_it() -> None:
    timer, reports = timer_of(Clock())
    deadline = timer.add(1.0, lambda: reports.append("missed"))
    deadline.settle(1.5)
    assert reports == ["missed"]
    assert deadline.state is DeadlineState.MISSED


def test_one_report_that_fails_does_not_stop_the_others() -> None:
    clock = Clock()
    timer, reports = timer_of(clock)

    def fail() -> None:
        raise RuntimeError("the report failed")

    timer.add(1.0, fail)
    timer.add(2.0, lambda: reports.append("second"))
    clock.pass_ms(3000)
    timer.report_due()
    assert reports == ["second"]


def test_met_deadlines_do_not_pile_up() -> None:
    clock = Clock()
    timer, _ = timer_of(clock)
    for _ in range(20_000):
        timer.add(1e6, lambda: None).settle(0.0)
    assert len(timer._heap) < 10_000


def test_the_thread_reports_in_order_of_time() -> None:
    reported, is_later = threading.Event(), threading.Event()
    order: list[str] = []
    # Time stands still until both are there, however slowly this thread gets on.
    now = time.monotonic()
    timer = DeadlineTimer(lambda: now + is_later.is_set())

    def last() -> None:
        order.append("late")
        reported.set()

    timer.add(now + 0.03, last)
    timer.add(now + 0.01, lambda: order.append("early"))
    is_later.set()
    assert reported.wait(60)
    timer.close()
    assert order == ["early", "late"]
