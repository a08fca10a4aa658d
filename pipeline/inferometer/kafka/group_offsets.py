"""What a consumer group has committed, asked from outside the group.

By aiokafka: librdkafka hands metadata on with what happens to follow it in memory.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from inferometer.errors import BrokerError
from inferometer.kafka.security import security_options

if TYPE_CHECKING:
    from inferometer.kafka.settings import KafkaSettings

TRIES = 10
RETRY_S = 0.5


def committed_offsets(kafka: KafkaSettings, partitions: int) -> dict[int, tuple[int, str]]:
    """Return offset and metadata of each partition that the group has committed one for.

    Blocks; not to be called on a running loop. Raises BrokerError.
    """
    return asyncio.run(_ask(kafka, partitions))


async def _ask(kafka: KafkaSettings, partitions: int) -> dict[int, tuple[int, str]]:
    keys = [TopicPartition(kafka.topic, number) for number in range(partitions)]
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.addresses, **security_options(kafka))
    try:
        await client.start()
        for tries_left in reversed(range(TRIES)):
            try:
                found = await client.list_consumer_group_offsets(kafka.group, partitions=keys)
            except KafkaError as error:
                # A coordinator that loads or moves answers soon.
                if not (error.retriable and tries_left):
                    raise
                await asyncio.sleep(RETRY_S)
            else:
                return {
                    key.partition: (place.offset, (place.metadata or "").rstrip("\0"))
                    for key, place in found.items()
                    if place.offset >= 0
                }
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"the offsets of group {kafka.group} at {kafka.bootstrap_servers} cannot be read: "
            f"{error!r}",
            retryable=True,
        ) from error
    finally:
        await client.close()
    return {}
