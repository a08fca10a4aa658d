"""The contract of `NoticeLedger`, over the fake and a topic of a real Kafka."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.ledger import LedgerEntry, NoticeState, planned, started
from inferometer.kafka.alert_topics import AlertTopicNames, make_alert_topics
from inferometer.kafka.notification_topics import NotificationTopics
from inferometer.kafka.settings import KafkaSettings
from inferometer.testing.notices import MemoryNoticeLedger, example_notice, example_resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from inferometer.alert_ports import NoticeLedger
    from tests.services.kafka import KafkaService

    Opened = Callable[[], contextlib.AbstractAsyncContextManager[NoticeLedger]]

NOW_US = 1_767_607_310_000_000


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.integration)])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Return what opens the same ledger each time, as processes one after the other do."""
    if request.param == "memory":
        memory = MemoryNoticeLedger()
        return lambda: contextlib.nullcontext(memory)
    broker: KafkaService = request.getfixturevalue("kafka_broker")
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic="")
    named = AlertTopicNames.behind(f"test-{uuid.uuid4().hex[:12]}.")
    asyncio.run(make_alert_topics(kafka, named, count_partitions=1, replication_factor=1))

    @contextlib.asynccontextmanager
    async def open_topics() -> AsyncIterator[NoticeLedger]:
        async with NotificationTopics(kafka, named) as topics:
            yield topics

    return open_topics


def kept(opened: Opened) -> dict[str, LedgerEntry]:
    async def run() -> dict[str, LedgerEntry]:
        async with opened() as ledger:
            return {entry.notification_id: entry for entry in await ledger.entries()}

    return asyncio.run(run())


def test_an_empty_ledger_has_no_entries(opened: Opened) -> None:
    assert kept(opened) == {}


def test_the_last_entry_of_a_notice_counts_and_outlives_the_process(opened: Opened) -> None:
    first = planned(example_notice(), now_us=NOW_US)
    other = planned(example_resolve(), now_us=NOW_US)
    under_way = started(first, now_us=NOW_US + 1)

    async def run() -> None:
        async with opened() as ledger:
            await ledger.write([first, other])
            await ledger.write([under_way])
            await ledger.write([])

    asyncio.run(run())
    found = kept(opened)
    assert found == {one.notification_id: one for one in (under_way, other)}
    assert found[first.notification_id].state is NoticeState.INFLIGHT


def test_a_notice_of_very_many_incidents_is_kept_whole(opened: Opened) -> None:
    labels = {"workspace": "acme", "service": "chat-api", "slo": "chat-success", "model": "m" * 128}
    many = tuple({**labels, "team": f"{number:0128}"} for number in range(10_000))
    entry = planned(example_notice(members=many), now_us=NOW_US)

    async def run() -> None:
        async with opened() as ledger:
            await ledger.write([entry])

    asyncio.run(run())
    assert kept(opened) == {entry.notification_id: entry}


def test_what_was_removed_is_gone_for_good(opened: Opened) -> None:
    entry = planned(example_notice(), now_us=NOW_US)

    async def run() -> None:
        async with opened() as ledger:
            await ledger.write([entry])
            await ledger.remove([entry.notification_id, "unknown"])
            await ledger.remove([entry.notification_id])

    asyncio.run(run())
    assert kept(opened) == {}


def test_writes_side_by_side_keep_the_order_in_which_they_were_made(opened: Opened) -> None:
    steps = [planned(example_notice(), now_us=NOW_US + step) for step in range(50)]

    async def run() -> None:
        async with opened() as ledger:
            await asyncio.gather(*(ledger.write([entry]) for entry in steps))

    asyncio.run(run())
    (last,) = kept(opened).values()
    assert last == steps[-1]
