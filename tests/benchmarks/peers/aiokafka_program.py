"""Reads a topic by aiokafka's `getmany` and counts."""

from __future__ import annotations

import asyncio
import sys

from aiokafka import AIOKafkaConsumer

from tests.benchmarks.peers.speaking import Progress, say

_MAX_RECORDS = 5_000
_FETCH_BYTES = 8 << 20
_WAIT_MS = 50


async def main(servers: str, topic: str, group: str, number: str) -> None:
    """Read so many events."""
    events = int(number)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=servers,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=_WAIT_MS,
        max_partition_fetch_bytes=_FETCH_BYTES,
    )
    progress = Progress()
    await consumer.start()
    while progress.events < events:
        found = await consumer.getmany(timeout_ms=_WAIT_MS, max_records=_MAX_RECORDS)
        progress.add(sum(map(len, found.values())))
    progress.say_last()
    say("counted", progress.events)
    await consumer.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
