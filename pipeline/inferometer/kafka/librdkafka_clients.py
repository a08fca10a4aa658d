"""Clients of librdkafka with the options that a guarantee of ours rests on, and what they read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.records import RecordColumns, content_type_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.kafka.settings import KafkaSettings


def durable_producer(
    kafka: KafkaSettings, *, timeout_s: float, max_message_bytes: int, **more: object
) -> Any:
    """Return a producer that repeats nothing and reports a record once every replica has it."""
    from confluent_kafka import Producer

    return Producer(
        {
            **kafka.librdkafka(),
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "message.max.bytes": max_message_bytes,
            "delivery.timeout.ms": int(timeout_s * 1000),
            "log_level": 0,
            **more,
        }
    )


def outside_consumer(kafka: KafkaSettings, **more: object) -> Any:
    """Return a consumer that is assigned partitions, joins no group and commits nothing."""
    from confluent_kafka import Consumer

    return Consumer(
        {
            **kafka.librdkafka(),
            # The library wants one; nothing joins it.
            "group.id": kafka.group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 0,
            **more,
        }
    )


def columns_of(messages: Iterable[Any]) -> RecordColumns:
    """Return messages of one partition as the sink's own fetches would have them."""
    offsets: list[int] = []
    values: list[bytes] = []
    times: list[int] = []
    types: list[int] = []
    for message in messages:
        offsets.append(message.offset())
        values.append(message.value() or b"")
        times.append(message.timestamp()[1])
        types.append(content_type_of(message.headers()))
    return replace(
        RecordColumns.from_values(values, content_types=types),
        offsets=np.array(offsets, dtype=np.int64),
        append_times_ms=np.array(times, dtype=np.int64),
    )
