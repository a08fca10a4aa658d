"""Silences in a topic of a real Kafka: durable when confirmed, the same for every process."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiokafka
import pytest

from inferometer.errors import BrokerError
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.silence_topic import KafkaSilenceStore, make_silence_topic
from tests.contract.test_silence_store import NOW_S, SILENCE, WINDOW, S, clock
from tests.integration.kafka_bench import until

if TYPE_CHECKING:
    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration


def new_topic(broker: KafkaService) -> KafkaSettings:
    kafka = KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers, topic=f"silences-{uuid.uuid4().hex[:12]}"
    )
    asyncio.run(make_silence_topic(kafka, replication_factor=1))
    return kafka


def test_another_process_knows_what_was_confirmed(kafka_broker: KafkaService) -> None:
    kafka = new_topic(kafka_broker)

    async def run() -> None:
        async with KafkaSilenceStore(kafka, clock=clock) as one:
            await one.put([SILENCE, WINDOW])
            async with KafkaSilenceStore(kafka, clock=clock) as other:
                assert other.book().silences() == (SILENCE,)
                assert other.book().windows() == (WINDOW,)
                later = replace(SILENCE, updated_at_us=NOW_S * S + 1, comment="later")
                await one.put([later])
                await until(lambda: other.book().silences() == (later,))
        async with KafkaSilenceStore(kafka, clock=clock) as again:
            assert again.book().silences() == (later,)

    asyncio.run(run())


def test_a_topic_is_made_once_and_compacted(kafka_broker: KafkaService) -> None:
    kafka = new_topic(kafka_broker)
    asyncio.run(make_silence_topic(kafka, replication_factor=1))

    async def policy() -> str:
        from aiokafka.admin import AIOKafkaAdminClient
        from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

        client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
        await client.start()
        try:
            resource = ConfigResource(ConfigResourceType.TOPIC, kafka.topic)
            (answer,) = await client.describe_configs([resource])
        finally:
            await client.close()
        entries = {entry[0]: entry[1] for entry in answer.resources[0][4]}
        return str(entries["cleanup.policy"])

    assert asyncio.run(policy()) == "compact"


def test_what_ended_long_ago_is_dropped_everywhere(kafka_broker: KafkaService) -> None:
    kafka = new_topic(kafka_broker)

    def long_after() -> datetime:
        return clock() + timedelta(days=41)

    async def run() -> None:
        async with KafkaSilenceStore(kafka, clock=clock) as one:
            await one.put([SILENCE])
            # It sweeps when it starts, and every hour.
            async with KafkaSilenceStore(kafka, clock=long_after) as later:
                await until(lambda: not later.book().silences())
                await until(lambda: not one.book().silences())

    asyncio.run(run())


def test_a_record_that_cannot_be_read_keeps_no_other_out(kafka_broker: KafkaService) -> None:
    kafka = new_topic(kafka_broker)

    async def run() -> None:
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
        await producer.start()
        for value in (b"{", b'{"schema": "9", "kind": "silence"}'):
            await producer.send_and_wait(kafka.topic, key=b"x", value=value)
        await producer.stop()
        async with KafkaSilenceStore(kafka, clock=lambda: datetime.now(UTC)) as store:
            assert store.refused == 2
            await store.put([SILENCE])
            assert store.book().silences() == (SILENCE,)

    asyncio.run(run())


def test_a_broker_that_is_away_is_told() -> None:
    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:1", topic="silences")
    with pytest.raises(BrokerError, match="is the broker running"):
        asyncio.run(KafkaSilenceStore(kafka, clock=clock).start())
    with pytest.raises(BrokerError, match="is the broker running"):
        asyncio.run(make_silence_topic(kafka, replication_factor=1))
