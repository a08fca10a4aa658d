"""The real worker over a filled topic, until every event is acknowledged; counts what is stored."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.cubes import CUBES, SERVICE
from inferometer.kafka.settings import KafkaSettings
from inferometer.runtime.start_up import keep_memory_small, leave_pandas_out, settle_memory
from tests.benchmarks.null_store import NullStore
from tests.benchmarks.our_worker import CountingProcessor, build_worker
from tests.benchmarks.peers.speaking import say
from tests.benchmarks.store_share import MeteredStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.kafka.worker import SinkWorker
    from inferometer.ports import ChunkStore

_CUBES = {"all": CUBES, "one": (replace(SERVICE, resolutions=SERVICE.resolutions[:1]),)}
_COUNTS = ("SELECT count() FROM requests", "SELECT sum(attempts) FROM service_10s")


def main(given: dict[str, Any]) -> None:
    """Work until all events are acknowledged."""
    logging.basicConfig(level=logging.ERROR)
    settle_memory()
    leave_pandas_out()
    with _store(given["store"], Path(given["folder"])) as (store, connection):
        processor = CountingProcessor(store=store, cubes=_CUBES[given["cubes"]])
        _work(given, store, processor)
        say("counted", processor.stored if connection is None else _stored(connection))


def _work(given: dict[str, Any], store: ChunkStore, processor: CountingProcessor) -> None:
    done = 0
    lock = threading.Lock()

    def acknowledged(_topic: str, partition: int, next_offset: int) -> None:
        nonlocal done
        with lock:
            before = done
            done += processor.acknowledged(partition, next_offset)
            say("progress", done)
            for mark in ("warm_up", "until"):
                if before < given[mark] <= done:
                    say("note", f"at {done:,} events {_ahead(worker):,} records were fetched ahead")
                    _meter(store, mark)
        if done >= given["events"]:
            worker.request_stop()

    worker = build_worker(
        kafka=KafkaSettings(
            bootstrap_servers=given["bootstrap_servers"],
            run_epoch=given["run_epoch"],
            topic=given["topic"],
            group=given["group"],
        ),
        processor=processor,
        store=store,
        on_acknowledged=acknowledged,
    )
    asyncio.run(_run(worker))


async def _run(worker: SinkWorker) -> None:
    # As `inferometer worker` does: what it spends on its memory counts.
    trimming = asyncio.create_task(keep_memory_small())
    try:
        await worker.run()
    finally:
        trimming.cancel()


def _ahead(worker: SinkWorker) -> int:
    return sum(each.next_offset - each.position for each in worker.status().partitions)


def _meter(store: ChunkStore, mark: str) -> None:
    """Measure the embedded store's share between the two marks."""
    if not isinstance(store, MeteredStore):
        return
    if mark == "warm_up":
        store.begin()
    elif (share := store.share()) is not None:
        say("note", f"{share:.0%} of the CPU is the store's")


@contextmanager
def _store(kind: str, folder: Path) -> Iterator[tuple[ChunkStore, StoreConnection | None]]:
    if kind == "none":
        yield NullStore(), None
        return
    folder.mkdir(parents=True, exist_ok=True)
    settings = (
        StoreSettings(data_dir=folder) if kind == "embedded" else StoreSettings.from_url(kind)
    )
    with StoreConnection(settings) as connection:
        migrate(connection, report=lambda _line: None)
        is_embedded = kind == "embedded"
        yield (MeteredStore if is_embedded else ClickHouseChunkStore)(connection), connection


def _stored(connection: StoreConnection) -> int:
    """Return how many events are in the log, which must be as many as in the roll-ups."""
    log, rollups = (
        int(connection.reader().query(query).result_rows[0][0] or 0) for query in _COUNTS
    )
    if log != rollups:
        raise RuntimeError(f"{log} events are in the log and {rollups} in the roll-ups")
    return log


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
