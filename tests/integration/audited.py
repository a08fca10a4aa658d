"""A store that the sink's job has filled, the topic behind it in memory, and an audit of both."""

from __future__ import annotations

import copy
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.clickhouse.audit_store import ClickHouseAuditStore
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import Chunk, GroupMetadata, StreamPartition
from inferometer.core.conservation import PartitionPosition
from inferometer.core.price_book import PriceBook
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs.audit import Audit
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.names import REQUESTS_TOPIC
from inferometer.testing.leases import CertainLease

if TYPE_CHECKING:
    from pathlib import Path

    from inferometer.core.audit_report import AuditReport

STREAM = "stream-1"
PARTITIONS = 2
CHUNK = 60
CHUNKS = 4
HOURS = 5


class MemoryTopic:
    """A topic as the audit sees it: records by partition and offset, and the group's offsets."""

    def __init__(self) -> None:
        self.values: dict[int, dict[int, bytes]] = {p: {} for p in range(PARTITIONS)}
        self.committed: dict[int, int] = {}
        self.content_types: dict[bytes, int] = {}
        """Of records that are no single event, by value."""
        self.low = 0
        self.stream = STREAM

    def stream_id(self) -> str:
        """Return the topic's id."""
        return self.stream

    def positions(self) -> dict[int, PartitionPosition]:
        """Return each partition's offsets."""
        return {
            partition: PartitionPosition(
                low=self.low,
                high=max(values, default=-1) + 1,
                committed=self.committed.get(partition),
                metadata=GroupMetadata(self.stream),
            )
            for partition, values in self.values.items()
        }

    def columns(self, values: Sequence[bytes], **options: int) -> RecordColumns:
        """Return values as records with their content types."""
        types = [self.content_types.get(value, 0) for value in values]
        return RecordColumns.from_values(values, content_types=types, **options)

    def records(self, partition: int, first_offset: int, last_offset: int) -> RecordColumns:
        """Return the records of a range, holes left out."""
        offsets = [o for o in self.values[partition] if first_offset <= o <= last_offset]
        held = [o for o in sorted(offsets) if o >= self.low]
        columns = self.columns([self.values[partition][o] for o in held])
        return replace(columns, offsets=np.array(held, dtype=np.int64))

    def held_offsets(
        self, partition: int, first_offset: int, last_offset: int, *, limit: int
    ) -> tuple[int, list[int]]:
        """Count the records of a range."""
        held = self.records(partition, first_offset, last_offset).offsets.tolist()
        return len(held), held[:limit]


@dataclass
class Audited:
    """An open store, its topic, and how to damage and audit them."""

    connection: StoreConnection
    topic: MemoryTopic
    now: datetime
    said: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def command(self, text: str) -> None:
        """Run a statement on the store."""
        self.connection.client().command(text)

    def delete(self, table: str, where: str) -> None:
        """Delete rows, at once."""
        self.command(f"ALTER TABLE {table} DELETE WHERE {where} SETTINGS mutations_sync = 2")

    def rows(self, text: str) -> list[Any]:
        """Return the answer to a query."""
        return list(self.connection.reader().query(text).result_rows)

    def audit(self, *, with_topic: bool = True, **options: Any) -> AuditReport:
        """Audit store and topic."""
        span = {name: options.pop(name) for name in ("from_s", "to_s") if name in options}
        return Audit(
            store=ClickHouseAuditStore(self.connection),
            topic=REQUESTS_TOPIC,
            reader=self.topic if with_topic else None,
            now_s=int(self.now.timestamp()),
            pause=self.pauses.append,
            progress=self.said.append,
            **options,
        ).run(**span)

    def job(self, now: datetime | None = None, policy: SinkPolicy | None = None) -> ProcessChunk:
        """Return a sink on this store."""
        return ProcessChunk(
            store=ClickHouseChunkStore(self.connection),
            book=PriceBook("none", ()),
            policy=policy or SinkPolicy(),
            clock=lambda: now or self.now,
        )

    def process(
        self,
        job: ProcessChunk,
        partition: int,
        values: Sequence[bytes],
        *,
        holes: int = 0,
        stream: str = STREAM,
    ) -> Chunk:
        """Append values to a partition, behind some holes, and let the sink store them as a chunk."""
        held = self.topic.values[partition]
        first = max(held, default=-1) + 1 + holes
        held |= {first + number: value for number, value in enumerate(values)}
        source = StreamPartition(REQUESTS_TOPIC, partition, stream)
        records = self.topic.columns(
            values, first_offset=first, append_time_ms=int(self.now.timestamp() * 1000)
        )
        job.assigned(source, GroupPosition(first, None, earliest=0), PARTITIONS)
        chunk = Chunk(source, job.plan(source, records), records)
        job.run(chunk, CertainLease())
        self.topic.committed[partition] = first + len(values)
        return chunk


def make_event(rnd: random.Random, number: str, now: datetime) -> dict[str, Any]:
    """Return an event that uses every measure."""
    status = rnd.choice([200] * 8 + [429, 499, 404, 503, 302])
    e2e = rnd.choice([0, 0.001, 0.25, round(rnd.lognormvariate(6, 2), 3)])
    outputs = rnd.randrange(1, 500)
    cache, reasoning = rnd.randrange(100), rnd.randrange(outputs)
    event: dict[str, Any] = {
        "event_id": number,
        "request_id": f"r-{number}",
        "ts_end": int(now.timestamp() * 1e6) - rnd.randrange(HOURS * 3600 * 10**6),
        "workspace_id": rnd.choice(["", "acme"]),
        "provider": "p",
        "model": rnd.choice(["alpha", "beta"]),
        "region": rnd.choice(["eu", ""]),
        "user_id": f"u{rnd.randrange(4)}",
        "team_ids": rnd.choice([[], ["red", "blue"], ["blue"]]),
        "status_code": status,
        "is_final": rnd.random() < 0.85,
        "input_tokens": cache + rnd.randrange(4000),
        "cache_read_tokens": cache,
        "output_tokens": outputs,
        "reasoning_tokens": reasoning,
        "images": rnd.randrange(3),
        "characters": rnd.randrange(50),
        "gpu_seconds": rnd.randrange(10**6) / 10**6,
        "audio_out_seconds": rnd.randrange(10**6) / 10**6,
        "video_seconds": 1.5,
        "audio_in_seconds": 0.000001,
        "egress_bytes": rnd.randrange(10**9),
        "cold_start": rnd.random() < 0.1,
        "cache_hit": rnd.random() < 0.1,
        "deadline_missed": rnd.random() < 0.1,
        "price_cost": rnd.randrange(10**12) / 10**12,
        "queue_ms": rnd.randrange(10**6) / 1000,
        "prefill_ms": 3.25,
        "decode_ms": rnd.randrange(10**6) / 1000,
        "itl": {"count": 3, "sum_ms": 12.5, "max_ms": 9.0, "bins": [700, 2, 910, 1]},
    }
    if rnd.random() < 0.8:
        event |= {"e2e_ms": e2e, "ttft_ms": e2e / 2, "ttfa_ms": e2e / 2}
    if rnd.random() < 0.3:
        del event["price_cost"]
    return event


@dataclass
class Template:
    """A closed store that can be copied, and the topic behind it."""

    folder: Path
    topic: MemoryTopic
    now: datetime

    @contextmanager
    def opened(self, folder: Path) -> Iterator[Audited]:
        """Open a copy in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        with StoreConnection(StoreSettings(data_dir=folder)) as connection:
            yield Audited(connection, copy.deepcopy(self.topic), self.now)


def filled_store(folder: Path) -> Template:
    """Fill a fresh store through the sink: good events, dead letters, duplicates, holes."""
    # The store's own clock decides what it keeps.
    now = datetime.now(tz=UTC).replace(microsecond=0)
    rnd = random.Random(11)
    topic = MemoryTopic()
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        audited = Audited(connection, topic, now)
        job = audited.job()
        for chunk in range(CHUNKS):
            for partition in range(PARTITIONS):
                values = [
                    json.dumps(make_event(rnd, f"{partition}-{chunk}-{n}", now)).encode()
                    for n in range(CHUNK)
                ]
                values[7] = b"{not json"
                values[9] = values[8]
                audited.process(job, partition, values, holes=2 if chunk == 2 else 0)
    return Template(folder, topic, now)
