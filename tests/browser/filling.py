"""Stores a data set by the sink's own job, chunk after chunk, with what alerts would have left."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from inferometer.clickhouse.alert_history import ClickHouseAlertHistory
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.names import REQUESTS_TOPIC
from inferometer.prices import read_price_file
from inferometer.runtime.worker import publish_prices
from inferometer.testing.leases import CertainLease
from tests.browser.alert_records import alert_records
from tests.browser.offerings import price_document

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.price_book import PriceBook
    from tests.browser.data_set import DataSet, Sent

STREAM = "seeded"
PARTITIONS = 2
CHUNK_RECORDS = 3_000


def write_prices(folder: Path) -> Path:
    """Write the price file of the data set."""
    file = folder / "prices.json"
    file.write_bytes(orjson.dumps(price_document()))
    return file


def fill(
    connection: StoreConnection, data_set: DataSet, book: PriceBook, *, has_alerts: bool = True
) -> dict[int, int]:
    """Store everything, as a worker that was there all the time would have.

    Returns the offset of each partition that its next record would have. Without `has_alerts` the
    history of alerts is left empty.
    """
    migrate(connection, report=lambda _: None)
    store = ClickHouseChunkStore(connection)
    publish_prices(store, book)
    sink = Sink(store, book, datetime.fromtimestamp(data_set.start_us / 1e6, UTC))
    for begin in range(0, len(data_set.sent), CHUNK_RECORDS):
        sink.take(data_set.sent[begin : begin + CHUNK_RECORDS])
    if has_alerts:
        history = ClickHouseAlertHistory(connection)
        transitions, attempts = alert_records(data_set)
        history.keep_transitions(transitions, token="seeded-transitions")
        history.keep_attempts(attempts, token="seeded-attempts")
    return sink.next_offsets


def book_of(folder: Path) -> PriceBook:
    """Return the prices of the data set as the pipeline reads them."""
    return read_price_file(write_prices(folder))


class Sink:
    """A worker on a store: it knows how far each partition has come."""

    def __init__(
        self,
        store: ClickHouseChunkStore,
        book: PriceBook,
        now: datetime,
        next_offsets: dict[int, int] | None = None,
    ) -> None:
        self._now = now
        self._job = ProcessChunk(
            store=store, book=book, policy=SinkPolicy(), clock=lambda: self._now
        )
        self.next_offsets = next_offsets or dict.fromkeys(range(PARTITIONS), 0)
        for partition, offset in self.next_offsets.items():
            begin = GroupPosition(offset, None, earliest=0)
            self._job.assigned(_source(partition), begin, PARTITIONS)

    def take(self, sent: Sequence[Sent]) -> None:
        """Store some records at the instant at which the last of them arrived."""
        self._now = datetime.fromtimestamp(sent[-1].arrival_us / 1e6, UTC)
        for partition in range(PARTITIONS):
            values = [one.value for one in sent if _partition_of(one) == partition]
            if values:
                self._chunk(partition, values)

    def _chunk(self, partition: int, values: list[bytes]) -> None:
        first = self.next_offsets[partition]
        records = RecordColumns.from_values(
            values,
            content_types=[0] * len(values),
            first_offset=first,
            append_time_ms=int(self._now.timestamp() * 1000),
        )
        source = _source(partition)
        chunk = Chunk(source, self._job.plan(source, records), records)
        self._job.run(chunk, CertainLease())
        self.next_offsets[partition] = first + len(values)


def _source(partition: int) -> StreamPartition:
    return StreamPartition(REQUESTS_TOPIC, partition, STREAM)


def _partition_of(sent: Sent) -> int:
    """Return where a record goes: all attempts of a request, and its repetitions, together."""
    try:
        key = orjson.loads(sent.value)["request_id"].encode()
    except (ValueError, KeyError):
        key = sent.value
    return zlib.crc32(key) % PARTITIONS
