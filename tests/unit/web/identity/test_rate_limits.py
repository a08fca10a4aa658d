"""Limits of requests: a burst at once, then a rate, each key for itself."""

from __future__ import annotations

from datetime import timedelta

import pytest

from inferometer.web.identity.rate_limits import RateLimits
from tests.unit.web.identity.clocks import Clock


def limits(clock: Clock, **options: float) -> RateLimits:
    return RateLimits(per_s=2.0, burst=3.0, monotonic=clock.monotonic, **options)  # type: ignore[arg-type]


def test_a_burst_is_allowed_and_then_the_rate() -> None:
    clock = Clock()
    bucket = limits(clock)
    assert [bucket.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take("a") == pytest.approx(0.5)
    clock.move(timedelta(seconds=0.5))
    assert bucket.take("a") == 0.0
    assert bucket.take("a") == pytest.approx(0.5)


def test_what_is_refused_costs_nothing() -> None:
    clock = Clock()
    bucket = limits(clock)
    for _ in range(100):
        bucket.take("a")
    clock.move(timedelta(seconds=0.5))
    assert bucket.take("a") == 0.0


def test_each_key_has_its_own_and_rest_fills_no_more_than_a_burst() -> None:
    clock = Clock()
    bucket = limits(clock)
    for _ in range(4):
        bucket.take("a")
    assert bucket.take("b") == 0.0
    clock.move(timedelta(hours=1))
    assert [bucket.take("a") == 0.0 for _ in range(4)] == [True, True, True, False]


def test_the_least_used_are_forgotten() -> None:
    bucket = limits(Clock(), max_keys=2)
    for _ in range(4):
        bucket.take("a")
    bucket.take("b")
    bucket.take("c")
    assert bucket.take("a") == 0.0
