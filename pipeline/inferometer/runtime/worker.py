"""The worker against real services: store and broker by address, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import pending
from inferometer.clickhouse.owner import FolderOwner
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.price_rows import price_table
from inferometer.errors import StateError, StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.kafka.worker import SinkWorker
from inferometer.names import PRICE_BOOK_TABLE
from inferometer.runtime.mapping import price_book, sink_policy, worker_settings

if TYPE_CHECKING:
    from inferometer.clickhouse.settings import StoreSettings
    from inferometer.config import Settings
    from inferometer.core.price_book import PriceBook
    from inferometer.kafka.surroundings import SinkCounters
    from inferometer.ports import ChunkStore

REPORT_EVERY_S = 10.0
STORE_RETRY_S = 2.0

logger = logging.getLogger(__name__)


def now() -> datetime:
    """Return the wall clock; the one place that reads it for a worker."""
    return datetime.now(UTC)  # noqa: TID251 - this is the edge that makes the clock


def run_worker(settings: Settings, store: StoreSettings) -> SinkCounters:
    """Work until SIGINT or SIGTERM; return what was done.

    Raises StateError where the store's schema is not up to date.
    """
    return asyncio.run(_run(settings, store))


async def _run(settings: Settings, store: StoreSettings) -> SinkCounters:
    book = price_book(settings.prices)
    with await _open_store(store) as connection:
        _require_schema(connection)
        chunk_store = ClickHouseChunkStore(connection)
        publish_prices(chunk_store, book)
        worker = SinkWorker(
            settings=worker_settings(settings),
            processor=ProcessChunk(
                store=chunk_store, book=book, policy=sink_policy(settings), clock=now
            ),
            clock=now,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, worker.request_stop)
        if store.is_embedded:
            with FolderOwner(connection):
                await _run_and_report(worker)
        else:
            await _run_and_report(worker)
        return worker.counters


async def _run_and_report(worker: SinkWorker) -> None:
    report = asyncio.create_task(_report(worker))
    try:
        await worker.run()
    finally:
        report.cancel()


async def _open_store(store: StoreSettings) -> StoreConnection:
    """Return the store once it is there: a worker may start before it."""
    is_first = True
    while True:
        try:
            return await asyncio.to_thread(StoreConnection, store)
        except StoreError as error:
            if not error.retryable:
                raise
            if is_first:
                logger.warning(
                    "no store at %s yet (%s); trying every %.0f s",
                    store.place,
                    error,
                    STORE_RETRY_S,
                )
            is_first = False
            await asyncio.sleep(STORE_RETRY_S)


def _require_schema(connection: StoreConnection) -> None:
    missing = pending(connection)
    if missing:
        raise StateError(
            f"the store lacks {len(missing)} migrations, the first is {missing[0].name}; run "
            "`inferometer migrate` with the same store, then start the worker again"
        )


def publish_prices(store: ChunkStore, book: PriceBook) -> None:
    """Store the price book under its version, once, so that every cost can be explained later."""
    store.insert(
        table=PRICE_BOOK_TABLE, rows=price_table(book), token=f"{PRICE_BOOK_TABLE}/{book.version}"
    )


async def _report(worker: SinkWorker) -> None:
    last = 0
    while True:
        await asyncio.sleep(REPORT_EVERY_S)
        counters = worker.counters
        logger.info(
            "%d events (%.0f a second), %d stored, %d dead letters, %d duplicates, %d chunks, "
            "%d retries",
            counters.events, (counters.events - last) / REPORT_EVERY_S, counters.stored,
            counters.dead, counters.duplicates, counters.chunks, counters.retries,
        )  # fmt: skip
        last = counters.events
