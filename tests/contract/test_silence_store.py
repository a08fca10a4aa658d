"""The contract of `SilenceStore`, over the fake and over a topic of the embedded broker."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.maintenance import Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.silences import Silence
from inferometer.errors import BrokerError, StateError
from inferometer.kafka.embedded import EmbeddedBroker
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.silence_topic import KafkaSilenceStore
from inferometer.names import SILENCES_TOPIC
from inferometer.testing.silences import MemorySilenceStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from inferometer.alert_ports import SilenceStore

    Use = Callable[[SilenceStore], Awaitable[None]]

S = 1_000_000
NOW_S = 1_767_600_000
SILENCE = Silence(
    id="s",
    matchers=(Matcher("slo", "chat-success"),),
    starts_at_us=NOW_S * S,
    ends_at_us=(NOW_S + 60) * S,
    updated_at_us=NOW_S * S,
    created_by="me",
    comment="known",
)
WINDOW = Maintenance(
    id="w",
    matchers=(Matcher("service", "chat"),),
    effect=Effect.BOTH,
    reason="upgrade",
    created_by="ci",
    updated_at_us=NOW_S * S,
    starts_at_us=NOW_S * S,
    ends_at_us=(NOW_S + 60) * S,
)
LABELS = {"slo": "chat-success", "service": "chat"}
ANSWER_S = 8.0
"""A broker that is there answers in less, even on a machine that stands still for a while."""


def clock() -> datetime:
    return datetime.fromtimestamp(NOW_S, UTC)


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[SilenceStore]:
    if kind == "memory":
        yield MemorySilenceStore()
        return
    with EmbeddedBroker() as broker:
        broker.start({SILENCES_TOPIC: 2})
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic=SILENCES_TOPIC)
        async with KafkaSilenceStore(kafka, clock=clock) as store:
            yield store


@pytest.fixture(params=["memory", "kafka"])
def stored(request: pytest.FixtureRequest) -> Callable[[Use], None]:
    async def run(use: Use) -> None:
        async with opened(request.param) as store:
            await use(store)

    return lambda use: asyncio.run(run(use))


def test_what_was_put_is_in_the_book(stored: Callable[[Use], None]) -> None:
    async def use(store: SilenceStore) -> None:
        assert store.book().silences() == ()
        await store.put([SILENCE, WINDOW])
        assert store.book().silence("s") == SILENCE
        assert store.book().window("w") == WINDOW
        assert store.book().muted_by(LABELS, NOW_S) == ("maintenance:w", "silence:s")

    stored(use)


def test_the_book_is_kept_up_to_date_in_place(stored: Callable[[Use], None]) -> None:
    async def use(store: SilenceStore) -> None:
        book = store.book()
        await store.put([SILENCE])
        assert book.silence("s") == SILENCE

    stored(use)


def test_the_last_update_wins_whatever_comes_last(stored: Callable[[Use], None]) -> None:
    async def use(store: SilenceStore) -> None:
        later = replace(SILENCE, updated_at_us=SILENCE.updated_at_us + 1, comment="later")
        for entry in (SILENCE, later, SILENCE, SILENCE):
            await store.put([entry])
        assert store.book().silences() == (later,)

    stored(use)


def test_what_was_not_confirmed_is_an_error_and_not_in_the_book() -> None:
    async def run() -> None:
        away = MemorySilenceStore()
        away.is_away = True
        broker = EmbeddedBroker()
        broker.start({SILENCES_TOPIC: 1})
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic=SILENCES_TOPIC)
        async with KafkaSilenceStore(kafka, clock=clock, answer_timeout_s=ANSWER_S) as store:
            await store.put([WINDOW])
            broker.close()
            for one in (away, store):
                with pytest.raises(BrokerError, match="try again") as refused:
                    await one.put([SILENCE])
                assert refused.value.retryable
                assert one.book().silences() == ()
            # What was known stays known while the broker is away.
            assert store.book().windows() == (WINDOW,)

    asyncio.run(run())


def test_nothing_is_known_before_it_was_read() -> None:
    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:1", topic=SILENCES_TOPIC)
    for store in (MemorySilenceStore(is_read=False), KafkaSilenceStore(kafka, clock=clock)):
        with pytest.raises(StateError, match="not been read"):
            store.book()
        with pytest.raises(StateError, match="not been read"):
            asyncio.run(store.put([SILENCE]))
