"""One poller a workspace; late seconds are corrected; an outage is told, and ends by itself."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from inferometer.core.query.answers import Freshness
from inferometer.errors import StoreError
from inferometer.web.api.live import AWAY_TICK_S, TICK_S, LiveHub, live_events
from inferometer.web.api.live_documents import LiveDocument, LiveProblemDocument
from inferometer.web.api.live_window import AGAIN_S, MOST_MODELS, SNAPSHOT_S, LiveWindow
from inferometer.web.api.problems import BusyError
from inferometer.web.api.workers import Workers
from inferometer.web.identity.roles import NotIdentifiedError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from inferometer.query_ports import QueryStore

START = datetime(2026, 1, 5, 12, 0, 0, 250_000, UTC)


def row(at: datetime, model: str = "m", requests: int = 1) -> dict[str, Any]:
    return {
        "at": at,
        "model": model,
        "requests": requests,
        "failures": 0,
        "output_tokens": 10 * requests,
        "cost_usd": Decimal("0.5"),
    }


@dataclass
class Seconds:
    """A store of seconds, and what it was asked."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str | None, datetime, datetime]] = field(default_factory=list)
    is_away: bool = False

    def seconds(self, workspace: str | None, since: datetime, until: datetime) -> Any:
        self.asked.append((workspace, since, until))
        if self.is_away:
            raise StoreError("no answer from the store; is it running?", retryable=True)
        return [each for each in self.rows if since <= each["at"] < until]

    def freshness(self) -> Freshness:
        return Freshness(START, START)


class Bench:
    """A hub whose seconds pass when a test lets them."""

    def __init__(self, most: int = 10) -> None:
        self.store = Seconds()
        self.now = START
        self.pauses: list[float] = []
        self._passing = asyncio.Semaphore(0)
        self.workers = Workers(threads=1, waiting=10, name="test")
        self.hub = LiveHub(
            store=cast("QueryStore", self.store),
            workers=self.workers,
            clock=lambda: self.now,
            most=most,
            pause=self._pause,
        )
        self.gone: Exception | None = None

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self._passing.acquire()

    def tick(self, seconds: float = 1.0) -> None:
        self.now += timedelta(seconds=seconds)
        self._passing.release()

    def watch(self, workspace: str | None = None, *models: str) -> Watching:
        async def welcome() -> Exception | None:
            return self.gone

        return Watching(live_events(self.hub, workspace, models, welcome))

    def close(self) -> None:
        self.hub.close()
        self.workers.close()


class Watching:
    """One stream, event by event."""

    def __init__(self, events: AsyncGenerator[bytes]) -> None:
        self.events = events

    async def next(self) -> tuple[str, dict[str, Any]]:
        text = (await anext(self.events)).decode()
        if text.startswith("retry:"):
            assert text == "retry: 2000\n\n"
            return await self.next()
        lines = dict(line.split(": ", 1) for line in text.strip().splitlines())
        assert lines["id"].isdigit()
        document = LiveProblemDocument if lines["event"] == "problem" else LiveDocument
        document.model_validate_json(lines["data"])
        return lines["event"], orjson.loads(lines["data"])


def test_a_snapshot_comes_first_then_the_last_seconds_again() -> None:
    async def run() -> None:
        bench = Bench()
        late = START.replace(microsecond=0) - timedelta(seconds=5)
        watching = bench.watch()
        async with aclosing(watching.events):
            name, data = await watching.next()
            assert (name, len(data["seconds"]), data["models"]) == ("snapshot", SNAPSHOT_S, [])
            bench.store.rows.append(row(late))
            bench.tick()
            name, data = await watching.next()
            assert (name, len(data["seconds"])) == ("seconds", AGAIN_S)
            place = data["seconds"].index(late.strftime("%Y-%m-%dT%H:%M:%SZ"))
            assert data["requests"]["m"][place] == 1
            assert sum(data["cost_usd"]["m"]) == 0.5
        bench.close()

    asyncio.run(run())


def test_however_many_watch_the_store_is_asked_once_a_second_for_a_workspace() -> None:
    async def run() -> None:
        bench = Bench()
        watching = [bench.watch("acme") for _ in range(3)]
        others = bench.watch("umbrella")
        for each in (*watching, others):
            assert (await each.next())[0] == "snapshot"
        assert sorted(str(workspace) for workspace, *_ in bench.store.asked) == ["acme", "umbrella"]
        for each in (*watching, others):
            await each.events.aclose()
        bench.close()

    asyncio.run(run())


def test_who_comes_later_gets_the_snapshot_without_a_question() -> None:
    async def run() -> None:
        bench = Bench()
        first, second = bench.watch(), bench.watch()
        await first.next()
        asked = len(bench.store.asked)
        assert (await second.next())[0] == "snapshot"
        assert len(bench.store.asked) == asked
        await first.events.aclose()
        await second.events.aclose()
        bench.close()

    asyncio.run(run())


def test_an_outage_is_told_and_a_snapshot_follows_it() -> None:
    async def run() -> None:
        bench = Bench()
        watching = bench.watch()
        await watching.next()
        bench.store.is_away = True
        bench.tick()
        name, data = await watching.next()
        assert name == "problem"
        assert (data["status"], data["retry_after_s"]) == (503, 2)
        assert "recovers by itself" in data["detail"]
        bench.store.is_away = False
        bench.tick(60)
        assert (await watching.next())[0] == "snapshot"
        assert bench.pauses[:2] == [TICK_S, AWAY_TICK_S]
        await watching.events.aclose()
        bench.close()

    asyncio.run(run())


def test_polling_ends_with_the_last_who_watches() -> None:
    async def run() -> None:
        bench = Bench()
        watching = bench.watch()
        await watching.next()
        (task,) = (each for each in asyncio.all_tasks() if each.get_name() == "live")
        await watching.events.aclose()
        await asyncio.wait([task])
        assert task.cancelled()
        bench.close()

    asyncio.run(run())


def test_a_token_that_ends_ends_the_stream() -> None:
    async def run() -> None:
        bench = Bench()
        watching = bench.watch()
        await watching.next()
        bench.gone = NotIdentifiedError("the token has expired", "sign in again")
        bench.tick()
        name, data = await watching.next()
        assert (name, data["status"]) == ("problem", 401)
        with pytest.raises(StopAsyncIteration):
            await anext(watching.events)
        bench.close()

    asyncio.run(run())


def test_too_many_who_watch_are_refused() -> None:
    async def run() -> None:
        bench = Bench(most=1)
        first = bench.watch()
        await first.next()
        with pytest.raises(BusyError):
            await bench.watch().next()
        await first.events.aclose()
        assert not bench.hub.is_full
        bench.close()

    asyncio.run(run())


def test_models_can_be_chosen() -> None:
    async def run() -> None:
        bench = Bench()
        at = START - timedelta(seconds=3)
        bench.store.rows += [row(at, "a"), row(at, "b")]
        watching = bench.watch(None, "b")
        _, data = await watching.next()
        assert data["models"] == ["b"]
        await watching.events.aclose()
        bench.close()

    asyncio.run(run())


def test_beyond_the_busiest_models_the_rest_is_one() -> None:
    window = LiveWindow()
    since, until = window.span(START)
    rows = [row(START - timedelta(seconds=2), f"m{place:02}", place + 1) for place in range(40)]
    window.take(rows, since, until, START, None)
    said = window.document(AGAIN_S)
    assert len(said["models"]) == MOST_MODELS + 1
    assert sum(said["requests"]["__other__"]) == sum(range(1, 11))
    assert sum(sum(each) for each in said["requests"].values()) == sum(range(1, 41))


@pytest.mark.parametrize(
    ("gap_s", "asked_s"), [(1, AGAIN_S), (10, AGAIN_S + 9), (3600, SNAPSHOT_S)]
)
def test_after_a_gap_its_seconds_are_asked_for_too(gap_s: int, asked_s: int) -> None:
    window = LiveWindow()
    since, until = window.span(START)
    assert (until - since).total_seconds() == SNAPSHOT_S
    window.take([], since, until, START, None)
    since, until = window.span(START + timedelta(seconds=gap_s))
    assert (until - since).total_seconds() == asked_s


def test_seconds_that_were_corrected_away_are_gone() -> None:
    window = LiveWindow()
    since, until = window.span(START)
    window.take([row(START - timedelta(seconds=2))], since, until, START, None)
    window.take([], until - timedelta(seconds=AGAIN_S), until, START, None)
    assert window.document(AGAIN_S)["models"] == []
