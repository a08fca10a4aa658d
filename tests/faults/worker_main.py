"""A worker of the harness: the real one, with steps that are traced and at which it may die.

It runs in a process of its own, forked from a server that has everything imported and compiled.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.errors import StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from inferometer.kafka.worker import SinkWorker
from inferometer.prices import load_book
from inferometer.runtime.clock import now
from inferometer.runtime.worker import publish_prices
from tests.faults import trace
from tests.faults.steps import Reaper, SteppedCommitter, SteppedStore
from tests.faults.trace import Trace

if TYPE_CHECKING:
    from inferometer.core.price_book import PriceBook

STORE_RETRY_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOrder:
    """What a worker is started with."""

    kafka: str
    store: str
    topic: str
    group: str
    instance_id: str
    prices: Path
    trace: Path
    log: Path
    chunk_events: int
    chunk_wait_s: float
    session_timeout_s: float
    fate: Path
    """Where the step is written at which it dies, once it is to die."""
    without: str
    """`intents`, `tokens` or nothing."""


def main(given: WorkerOrder) -> None:
    """Work until a signal, or until the step at which to die."""
    log = os.open(given.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    asyncio.run(_work(given))


def _end_with_parent(parent: int) -> None:
    # A harness that was killed leaves nothing behind.
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


async def _work(given: WorkerOrder) -> None:
    lines = Trace(given.trace)
    lines.write(trace.START)
    reaper = Reaper(given.fate, lines)
    book = load_book((given.prices,), with_shipped=False)
    with await _open_store(given.store) as connection:
        plain = ClickHouseChunkStore(connection)
        await asyncio.to_thread(_until_stored, plain, book)
        store = SteppedStore(
            plain,
            lines,
            reaper,
            intents=given.without != "intents",
            tokens=given.without != "tokens",
        )
        worker = SinkWorker(
            settings=_settings(given),
            processor=ProcessChunk(
                store=store,
                book=book,
                policy=SinkPolicy(idle_step=timedelta(seconds=30)),
                clock=now,
                beside=ThreadPoolExecutor(),
            ),
            clock=now,
            decorate_committer=lambda committer: SteppedCommitter(
                committer, lines, reaper, intents=given.without != "intents"
            ),
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, worker.request_stop)
        await worker.run()
    lines.write(trace.STOPPED)


def _settings(given: WorkerOrder) -> WorkerSettings:
    return WorkerSettings(
        kafka=KafkaSettings(
            bootstrap_servers=given.kafka,
            group=given.group,
            topic=given.topic,
            instance_id=given.instance_id,
        ),
        chunk_max_events=given.chunk_events,
        chunk_max_wait_s=given.chunk_wait_s,
        session_timeout_s=given.session_timeout_s,
        heartbeat_interval_s=1.0,
        retry_backoff_s=0.1,
        retry_backoff_max_s=1.0,
        stop_s=10.0,
    )


async def _open_store(url: str) -> StoreConnection:
    """Return the store once it is there: a worker may start while it is away."""
    while True:
        try:
            return await asyncio.to_thread(
                StoreConnection, StoreSettings.from_url(url), create=False
            )
        except StoreError as error:
            if not error.retryable:
                raise
            await asyncio.sleep(STORE_RETRY_S)


def _until_stored(store: ClickHouseChunkStore, book: PriceBook) -> None:
    while True:
        try:
            publish_prices(store, book)
            return
        except StoreError as error:
            if not error.retryable:
                raise
            time.sleep(STORE_RETRY_S)
