"""The first peer: a stock Faust agent that does nothing, on the same bytes from the same broker."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from typing import TYPE_CHECKING, Any

import faust

from inferometer.names import REQUESTS_TOPIC
from tests.benchmarks.measuring import Mark, Span

if TYPE_CHECKING:
    from collections.abc import MutableSequence
    from multiprocessing.connection import Connection

    from tests.benchmarks.feeder import BrokerPlace, Feed

_POLL_S = 0.01
_STALL_S = 120.0


def run(place: BrokerPlace, feed: Feed, pipe: Connection, fetched: MutableSequence[int]) -> None:
    """Read every record; answers "ready", "warm", then a `Span`, or an exception."""
    logging.basicConfig(level=logging.CRITICAL)
    try:
        asyncio.run(_run(place, feed, pipe, fetched))
    except BaseException as error:
        pipe.send(RuntimeError(repr(error)))
        raise


async def _run(
    place: BrokerPlace, feed: Feed, pipe: Connection, fetched: MutableSequence[int]
) -> None:
    app = _app(place, fetched)
    await app.start()
    pipe.send("ready")
    await _wait(fetched, feed.warm_up)
    start = Mark.now()
    pipe.send("warm")
    await _wait(fetched, feed.warm_up + feed.events)
    pipe.send(Span.between(start, Mark.now(), feed.events))
    await app.stop()


def _app(place: BrokerPlace, fetched: MutableSequence[int]) -> faust.App:
    app = faust.App(
        "benchmark",
        broker=f"aiokafka://{place.bootstrap_servers}",
        store="memory://",
        autodiscover=False,
        web_enabled=False,
        datadir=tempfile.mkdtemp(prefix="inferometer-bench-faust-"),
        # The embedded broker creates no topics.
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        logging_config=None,
    )

    @app.agent(app.topic(REQUESTS_TOPIC, value_serializer="raw"))
    async def count(stream: Any) -> None:
        # The least that an agent can do and still tell how far it is.
        async for event in stream.events():
            fetched[event.message.partition] = event.message.offset + 1

    return app


async def _wait(fetched: MutableSequence[int], records: int) -> None:
    deadline = time.monotonic() + _STALL_S
    while sum(fetched) < records:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the agent stands at {sum(fetched)} of {records} records")
        await asyncio.sleep(_POLL_S)
