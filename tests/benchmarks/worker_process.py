"""The measured process: the real worker over the real store, as `inferometer worker` assembles it.

Only the hook that tells the feeder how far has been read is the benchmark's own; its CPU counts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.kafka.chunk_buffer import ChunkBuffer
from inferometer.kafka.settings import KafkaSettings
from tests.benchmarks.measuring import Mark, Span
from tests.benchmarks.our_worker import CountingProcessor, build_worker
from tests.benchmarks.without_protocol import PlainCommitter, PlainStore, take_out

if TYPE_CHECKING:
    from collections.abc import MutableSequence
    from multiprocessing.connection import Connection

    from inferometer.kafka.fetched import FetchedRecords
    from inferometer.kafka.worker import SinkWorker
    from tests.benchmarks.feeder import BrokerPlace, Feed

CHUNK_MAX_WAIT_S = 6.0
_POLL_S = 0.005
_STALL_S = 120.0


def run_without_protocol(
    place: BrokerPlace, feed: Feed, pipe: Connection, fetched: MutableSequence[int]
) -> None:
    """Do the same at least once instead of exactly once."""
    take_out()
    run(place, feed, pipe, fetched, is_exact=False)


def run(
    place: BrokerPlace,
    feed: Feed,
    pipe: Connection,
    fetched: MutableSequence[int],
    *,
    is_exact: bool = True,
) -> None:
    """Work until every record is acknowledged; answers "ready", "warm", then a `Span`.

    An exception is answered in place of what is due.
    """
    logging.basicConfig(level=logging.ERROR)
    # One core, all threads on it: two hardware threads of one core slow each other down, and a
    # CPU-second would mean something else from moment to moment.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    try:
        with tempfile.TemporaryDirectory(prefix="inferometer-bench-") as folder:
            _run(place, feed, pipe, fetched, Path(folder), is_exact=is_exact)
    except BaseException as error:
        pipe.send(RuntimeError(repr(error)))
        raise


def _run(
    place: BrokerPlace,
    feed: Feed,
    pipe: Connection,
    fetched: MutableSequence[int],
    folder: Path,
    *,
    is_exact: bool,
) -> None:
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _line: None)
        _report_fetches(fetched)
        acknowledged = _Acknowledged()
        worker = _worker(place, connection, acknowledged, is_exact=is_exact)
        thread = threading.Thread(target=lambda: asyncio.run(worker.run()), daemon=True)
        thread.start()
        pipe.send("ready")
        acknowledged.wait(feed.warm_up, thread)
        start = Mark.now()
        pipe.send("warm")
        acknowledged.wait(feed.warm_up + feed.events, thread)
        span = Span.between(start, Mark.now(), feed.events)
        worker.request_stop()
        thread.join()
        _require_all_stored(connection, feed)
    pipe.send(span)


def _worker(
    place: BrokerPlace,
    connection: StoreConnection,
    acknowledged: _Acknowledged,
    *,
    is_exact: bool,
) -> SinkWorker:
    store = (ClickHouseChunkStore if is_exact else PlainStore)(connection)
    return build_worker(
        kafka=KafkaSettings(
            bootstrap_servers=place.bootstrap_servers,
            run_epoch=place.run_epoch,
            topic=place.topic,
            group=place.topic,
        ),
        processor=CountingProcessor(store=store),
        store=store,
        on_acknowledged=acknowledged,
        # The feeder can't keep a backlog, in which chunks would be full at once.
        chunk_max_wait_s=CHUNK_MAX_WAIT_S,
        decorate_committer=(lambda committer: committer) if is_exact else PlainCommitter,
    )


class _Acknowledged:
    """How many records the group has committed."""

    def __init__(self) -> None:
        self._offsets: dict[int, int] = {}

    def __call__(self, _topic: str, partition: int, next_offset: int) -> None:
        self._offsets[partition] = next_offset

    def wait(self, records: int, worker: threading.Thread) -> None:
        """Wait for so many records over all partitions."""
        last, deadline = -1, time.monotonic() + _STALL_S
        while (done := sum(list(self._offsets.values()))) < records:
            if done != last:
                last, deadline = done, time.monotonic() + _STALL_S
            if not worker.is_alive() or time.monotonic() > deadline:
                raise RuntimeError(f"the worker stands at {done} of {records} records")
            time.sleep(_POLL_S)


def _report_fetches(fetched: MutableSequence[int]) -> None:
    add = ChunkBuffer.add

    def add_and_report(buffer: ChunkBuffer, part: FetchedRecords, now_s: float) -> None:
        add(buffer, part, now_s)
        fetched[part.partition] = part.next_offset

    ChunkBuffer.add = add_and_report  # type: ignore[assignment, method-assign]  # this process ends with the run


def _require_all_stored(connection: StoreConnection, feed: Feed) -> None:
    stored = connection.reader().query("SELECT count() FROM requests").result_rows[0][0]
    if stored != feed.warm_up + feed.events:
        raise RuntimeError(f"{stored} rows are stored, sent were {feed.warm_up + feed.events}")
