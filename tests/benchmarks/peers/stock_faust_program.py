"""Reads a topic with stock Faust; its agent does nothing, or sums windows in a dictionary."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import faust

from tests.benchmarks.peers.speaking import Progress, say
from tests.benchmarks.peers.windows import Windows

_BUFFER = 16_384


async def main(work: str, servers: str, topic: str, group: str, number: str, folder: str) -> None:
    """Read so many events."""
    events = int(number)
    app = faust.App(
        group,
        broker=f"aiokafka://{servers}",
        store="memory://",
        datadir=folder,
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=_BUFFER,
        consumer_auto_offset_reset="earliest",
        logging_config=None,
    )
    progress, windows, is_over = Progress(), Windows(), asyncio.Event()

    def done() -> None:
        progress.add(1)
        if progress.events >= events:
            is_over.set()

    if work == "nothing":

        @app.agent(app.topic(topic, value_serializer="raw"))
        async def look(stream: Any) -> None:
            async for _value in stream:
                done()

    else:

        @app.agent(app.topic(topic, value_serializer="json"))
        async def add(stream: Any) -> None:
            async for event in stream:
                windows.add(event)
                done()

    await app.start()
    await is_over.wait()
    progress.say_last()
    say("counted", progress.events if work == "nothing" else windows.counted)
    await app.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(*sys.argv[1:]))
