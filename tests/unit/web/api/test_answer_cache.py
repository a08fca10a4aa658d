"""Equal questions are asked once, answers are kept for a moment, failures never."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from inferometer.core.query.questions import TimeRange
from inferometer.errors import StoreError
from inferometer.web.api.answer_cache import AnswerCache, Rendered, keep_s

NOW = datetime(2026, 1, 5, 12, 0, 0, 0, UTC)


@dataclass
class Source:
    """Answers, counts, and waits until it is let go."""

    asked: int = 0
    answer: Rendered = field(default_factory=lambda: Rendered(b"1"))
    error: Exception | None = None
    gate: asyncio.Event | None = None

    async def ask(self) -> Rendered:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.answer


@dataclass
class Clock:
    s: float = 0.0

    def __call__(self) -> float:
        return self.s


def test_equal_questions_at_one_time_are_asked_once() -> None:
    async def run() -> None:
        source, cache = Source(gate=asyncio.Event()), AnswerCache(seconds=Clock())
        asking = [asyncio.ensure_future(cache.get("q", source.ask)) for _ in range(5)]
        await asyncio.sleep(0)
        assert source.gate is not None
        source.gate.set()
        assert [each.body for each in await asyncio.gather(*asking)] == [b"1"] * 5
        assert source.asked == 1

    asyncio.run(run())


def test_who_goes_away_takes_the_answer_from_nobody_else() -> None:
    async def run() -> None:
        source, cache = Source(gate=asyncio.Event()), AnswerCache(seconds=Clock())
        first = asyncio.ensure_future(cache.get("q", source.ask))
        second = asyncio.ensure_future(cache.get("q", source.ask))
        await asyncio.sleep(0)
        first.cancel()
        assert source.gate is not None
        source.gate.set()
        assert (await second).body == b"1"
        assert source.asked == 1

    asyncio.run(run())


@pytest.mark.parametrize(("after_s", "asked"), [(1.9, 1), (2.1, 2)])
def test_an_answer_is_kept_for_two_seconds(after_s: float, asked: int) -> None:
    async def run() -> None:
        clock, source = Clock(), Source()
        cache = AnswerCache(seconds=clock)
        await cache.get("q", source.ask)
        clock.s = after_s
        await cache.get("q", source.ask)
        assert source.asked == asked

    asyncio.run(run())


@pytest.mark.parametrize(
    ("hours", "ended_h", "kept_s"),
    [(0.25, 0, 2), (1, 0, 2), (6, 0, 5), (24, 0, 5), (168, 0, 10), (1, 2, 30), (168, 24, 30)],
)
def test_answers_about_spans_that_are_long_or_long_over_are_kept_for_longer(
    hours: float, ended_h: float, kept_s: float
) -> None:
    end = NOW - timedelta(hours=ended_h)
    assert keep_s(TimeRange(end - timedelta(hours=hours), end), NOW) == kept_s


def test_other_questions_are_asked_apart() -> None:
    async def run() -> None:
        source, cache = Source(), AnswerCache(seconds=Clock())
        await cache.get(("page", "acme"), source.ask)
        await cache.get(("page", "umbrella"), source.ask)
        assert source.asked == 2

    asyncio.run(run())


def test_a_failure_is_not_kept() -> None:
    async def run() -> None:
        source = Source(error=StoreError("away", retryable=True))
        cache = AnswerCache(seconds=Clock())
        with pytest.raises(StoreError):
            await cache.get("q", source.ask)
        source.error = None
        assert (await cache.get("q", source.ask)).body == b"1"

    asyncio.run(run())


def test_the_oldest_answers_make_room() -> None:
    async def run() -> None:
        source = Source(answer=Rendered(b"x" * 60))
        cache = AnswerCache(seconds=Clock(), max_bytes=100)
        await cache.get("a", source.ask)
        await cache.get("b", source.ask)
        await cache.get("b", source.ask)
        assert source.asked == 2
        await cache.get("a", source.ask)
        assert source.asked == 3

    asyncio.run(run())
