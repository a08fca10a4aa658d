"""A broker, producers and sink workers for the tests of the broker's room."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiokafka
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Consumer, Producer, TopicPartition

from inferometer.core.chunks import GroupMetadata, Intent
from inferometer.kafka.embedded import EmbeddedBroker
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from inferometer.kafka.worker import SinkWorker
from inferometer.ports import ChunkProcessor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

TOPIC = "requests"
GROUP = "sink"
WAIT_S = 180.0
QUICK: dict[str, Any] = {
    "chunk_max_wait_s": 0.05,
    "idle_interval_s": 0.1,
    "fetch_max_wait_ms": 20,
    # A member that a busy machine holds up for longer is put out, and reads chunks once more.
    "session_timeout_s": 10.0,
    "heartbeat_interval_s": 0.1,
}


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as running:
        running.start({TOPIC: 4})
        yield running


def settings(
    broker: EmbeddedBroker, *, bootstrap_servers: str = "", **changes: Any
) -> WorkerSettings:
    """Return settings of a worker that cuts soon."""
    return WorkerSettings(
        kafka=KafkaSettings(
            bootstrap_servers=bootstrap_servers or broker.bootstrap_servers,
            group=GROUP,
            topic=TOPIC,
            run_epoch=broker.run_epoch,
        ),
        **{**QUICK, **changes},
    )


def worker(broker: EmbeddedBroker, processor: ChunkProcessor, **changes: Any) -> SinkWorker:
    return SinkWorker(settings=settings(broker, **changes), processor=processor, clock=now)


def now() -> datetime:
    return datetime.now(UTC)


@contextlib.asynccontextmanager
async def running(*workers: SinkWorker) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run workers; stop them, and raise what they raised, at the end."""
    tasks = [asyncio.create_task(one.run()) for one in workers]
    try:
        yield tasks
    finally:
        for one in workers:
            one.request_stop()
        await asyncio.gather(*tasks)


async def until(is_so: Callable[[], object], timeout_s: float = WAIT_S) -> None:
    """Wait for something to become so."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            pytest.fail(f"not so after {timeout_s} s")
        await asyncio.sleep(0.01)


Record = tuple[int, bytes | None, list[tuple[str, str | bytes | None]]]
"""Partition, value, headers."""


def produce(broker: EmbeddedBroker, records: Iterable[Record], **options: Any) -> None:
    """Send records and wait until the broker has them."""
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "linger.ms": 5,
            "message.max.bytes": 8_000_000,
            **options,
        }
    )
    for partition, value, headers in records:
        producer.produce(TOPIC, value=value, partition=partition, headers=headers)
    assert producer.flush(WAIT_S) == 0


def committed(broker: EmbeddedBroker) -> dict[int, tuple[int, Intent | None]]:
    """Return offset and open intent of each partition that has them.

    By aiokafka: confluent-kafka returns metadata with what happens to follow it in memory.
    """

    async def ask() -> dict[int, tuple[int, Intent | None]]:
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(
                GROUP, partitions=[aiokafka.TopicPartition(TOPIC, each) for each in range(4)]
            )
        finally:
            await admin.close()
        return {
            key.partition: (place.offset, _intent(place.metadata))
            for key, place in found.items()
            if place.offset >= 0
        }

    return asyncio.run(ask())


def _intent(metadata: str) -> Intent | None:
    kept = GroupMetadata.from_text(metadata)
    return kept.intent if kept is not None else None


def commit(broker: EmbeddedBroker, partition: int, offset: int, metadata: str) -> None:
    """Move the group to an offset, as an operator does, with a client of librdkafka."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": GROUP})
    consumer.commit(
        offsets=[TopicPartition(TOPIC, partition, offset, metadata)], asynchronous=False
    )
    consumer.close()
