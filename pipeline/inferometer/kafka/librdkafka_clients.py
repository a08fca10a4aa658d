"""Clients of librdkafka with the options that a guarantee of ours rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
