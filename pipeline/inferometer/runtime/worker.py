"""The worker against real services: store and broker by address, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.owner import FolderOwner
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.price_rows import price_table
from inferometer.errors import BrokerError, ConfigError, StoreError
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.kafka.topics import describe_topic
from inferometer.kafka.worker import SinkWorker
from inferometer.names import PRICE_BOOK_TABLE
from inferometer.runtime.clock import now
from inferometer.runtime.mapping import price_book, sink_policy, worker_settings
from inferometer.runtime.opened_store import require_schema, warn_of_retention
from inferometer.runtime.operation import Operation
from inferometer.runtime.start_up import (
    LoadingKernels,
    keep_memory_small,
    leave_pandas_out,
    settle_memory,
)
from inferometer.runtime.token_windows import TokenWindowWatch, check_token_windows

if TYPE_CHECKING:
    from inferometer.clickhouse.settings import StoreSettings
    from inferometer.config import Settings
    from inferometer.core.price_book import PriceBook
    from inferometer.kafka.settings import KafkaSettings
    from inferometer.kafka.surroundings import SinkCounters
    from inferometer.ports import ChunkStore

REPORT_EVERY_S = 10.0
STORE_RETRY_S = 2.0
CHECK_RETRY_S = 10.0

logger = logging.getLogger(__name__)


def run_worker(settings: Settings, store: StoreSettings) -> SinkCounters:
    """Work until SIGINT or SIGTERM; return what was done.

    Raises StateError where the store's schema is not up to date.
    """
    settle_memory()
    leave_pandas_out()
    return asyncio.run(_run(settings, store))


async def _run(settings: Settings, store: StoreSettings) -> SinkCounters:
    chosen = worker_settings(settings)
    with Operation(
        kafka=chosen.kafka,
        place=store.place,
        metrics_host=settings.worker.metrics_host,
        metrics_port=settings.worker.metrics_port,
        clock=now,
    ) as operation:
        # Beside what waits for the store. Before the group is joined, since a first compilation
        # takes half a minute, in which nobody would read the partitions that the group gave.
        kernels = LoadingKernels()
        book = price_book(settings.prices)
        with await _open_store(store) as connection:
            require_schema(connection)
            warn_of_retention(connection)
            chunk_store = operation.measured_store(ClickHouseChunkStore(connection))
            publish_prices(chunk_store, book)
            await asyncio.to_thread(kernels.wait, logger.info)
            # An embedded engine takes one insert after another.
            beside = (
                None
                if store.is_embedded
                else ThreadPoolExecutor(settings.worker.chunk_threads, "inferometer-roll-ups")
            )
            job = ProcessChunk(
                store=chunk_store,
                book=book,
                policy=sink_policy(settings),
                clock=now,
                beside=beside,
            )
            worker = SinkWorker(
                settings=chosen,
                processor=operation.measured_processor(job, chunk_store),
                clock=now,
                observer=operation.observer,
            )
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, worker.request_stop)
            windows = TokenWindowWatch(
                connection, longest_outage_s=settings.worker.longest_outage_s
            )
            with (
                FolderOwner(connection) if store.is_embedded else contextlib.nullcontext(),
                operation.watching(
                    worker,
                    final_before_us=job.final_before_us,
                    ask_store=partial(_ask, connection),
                    token_windows=partial(_token_windows, windows),
                ),
            ):
                checking = asyncio.create_task(
                    _check_windows(worker, connection, settings, chosen.kafka)
                )
                await _run_and_report(worker, operation)
                await _end(checking)
            return worker.counters


def _ask(connection: StoreConnection) -> None:
    """Return once the store answers. Raises StoreError."""
    with connection.errors():
        connection.reader().query("SELECT 1")


def _token_windows(watch: TokenWindowWatch) -> dict[str, float]:
    use = watch.measure(now())
    return {} if use is None else {use.table: use.ratio}


async def _check_windows(
    worker: SinkWorker, connection: StoreConnection, settings: Settings, kafka: KafkaSettings
) -> None:
    """Hold the tables' token windows against the topic's partitions, once both are there.

    Stops the worker and raises ConfigError where a retry would be stored twice.
    """
    while True:
        try:
            topic = await asyncio.to_thread(describe_topic, kafka, kafka.topic)
            await asyncio.to_thread(
                check_token_windows, connection, settings, partitions=topic.partitions, now=now()
            )
        except ConfigError:
            worker.request_stop()
            raise
        except (BrokerError, StoreError) as error:
            logger.debug("the token windows cannot be checked yet: %s", error)
            await asyncio.sleep(CHECK_RETRY_S)
        else:
            return


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a task; raise what it raised before."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _run_and_report(worker: SinkWorker, operation: Operation) -> None:
    beside = [
        asyncio.create_task(_report(worker)),
        asyncio.create_task(operation.health.beat()),
        asyncio.create_task(keep_memory_small()),
    ]
    try:
        await worker.run()
    finally:
        for task in beside:
            task.cancel()


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
                    store.place, error, STORE_RETRY_S,
                    extra={"store": store.place, "reason": "store_away"},
                )  # fmt: skip
            is_first = False
            await asyncio.sleep(STORE_RETRY_S)


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
        rate = (counters.events - last) / REPORT_EVERY_S
        logger.info(
            "%d events (%.0f a second), %d stored, %d dead letters, %d duplicates, %d chunks, "
            "%d retries",
            counters.events, rate, counters.stored, counters.dead, counters.duplicates,
            counters.chunks, counters.retries,
            extra={"events_per_s": round(rate, 1), **asdict(counters)},
        )  # fmt: skip
        last = counters.events
