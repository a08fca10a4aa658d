"""Two days of events of a small fleet, stored by the worker's own job, and the log's rows behind them."""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.dimension_caps import CapPolicy
from inferometer.core.price_rows import price_table
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.names import PRICE_BOOK_TABLE
from inferometer.prices import load_book
from inferometer.testing.leases import CertainLease

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

HOSTILE = (
    "' OR 1=1 --", "\\'; DROP TABLE requests; --", "{v0:String}", "`model`", "a\tb\nc\\", "%s%(x)s",
    "ü\u2028\U0001f600", "", "NULL", "\\N", '"', "[1,2]", "{'a':'b'}", "$$", "/*", ";",
)  # fmt: skip
"""Texts that break out of quotes that are badly made; every one is stored as a value as well."""

MODELS = ("gpt-4o", "claude-3-5-sonnet-20241022", "llama-70b", "whale", "tiny")
STATUSES = (200, 200, 200, 200, 200, 201, 400, 429, 499, 500, 503, 302)
SPAN = timedelta(hours=50)
EVENTS = 600
CHUNKS = 5


@dataclass(frozen=True)
class QuerySeed:
    """An open store, and the rows of its log as dictionaries."""

    connection: StoreConnection
    rows: list[dict[str, Any]]
    start: datetime
    """A whole hour; the last event is before `start + SPAN`."""


@contextmanager
def query_seed(folder: Path, *, caps: Mapping[str, int] | None = None) -> Iterator[QuerySeed]:
    """Open a fresh store in a folder and fill it through the sink."""
    now = datetime.now(tz=UTC)
    start = now.replace(minute=0, second=0, microsecond=0) - SPAN - timedelta(hours=1)
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        _store(connection, make_events(start), now, caps or {})
        computed = "cost_usd, uncached_input_tokens, text_output_tokens"
        rows = connection.reader().query(f"SELECT *, {computed} FROM requests", tz_mode="aware")
        yield QuerySeed(connection, [dict(row) for row in rows.named_results()], start)


def make_events(start: datetime, *, seed: int = 5, count: int = EVENTS) -> list[dict[str, Any]]:
    """Return events as producers send them."""
    chance = random.Random(seed)
    return [_event(number, start, chance) for number in range(count)]


def _event(number: int, start: datetime, chance: random.Random) -> dict[str, Any]:
    end_us = int(start.timestamp() * 1e6) + chance.randrange(int(SPAN.total_seconds() * 1e6))
    status = chance.choice(STATUSES)
    is_final = chance.random() > 0.15
    event: dict[str, Any] = {
        "event_id": f"event-{number:05}",
        "source": "test",
        "ts": end_us - 2_000_000,
        "ts_end": end_us,
        "request_id": f"request-{number // 2}",
        "attempt_no": number % 2 + 1,
        "is_final": is_final,
        "workspace_id": chance.choice(["acme", "globex"]),
        "provider": chance.choice(["openai", "vllm"]),
        "model": chance.choice(MODELS),
        "virtual_model": chance.choice(["fast", "smart", ""]),
        "user_id": chance.choice(HOSTILE),
        "team_ids": chance.choice([[], ["red"], ["blue", "red"], ["' OR ''='"]]),
        "feature": chance.choice(["chat", "", "search'"]),
        "region": chance.choice(["eu", "us"]),
        "metadata": {"tenant": chance.choice(HOSTILE), "it's`a\\key": chance.choice("ab")},
        "status_code": status,
        "error_type": "" if status < 300 else f"e{status}",
        "stream": chance.random() > 0.5,
        "cold_start": chance.random() > 0.9,
        "cache_hit": chance.random() > 0.9,
        "input_tokens": chance.randrange(4000),
        "output_tokens": chance.randrange(800),
        "cache_read_tokens": 0,
        "gpu_seconds": chance.randrange(5000) / 1000,
        "egress_bytes": chance.randrange(10**6),
        "log_bytes": chance.randrange(1000),
    }
    if status < 300 or chance.random() > 0.7:
        e2e_us = int(chance.lognormvariate(13.5, 0.8)) + 3
        ttft_us = min(e2e_us, int(chance.lognormvariate(12.3, 0.6)))
        # Edges of bins: nought, one microsecond.
        ttft_us = {0: 0, 1: 1}.get(number, ttft_us)
        event |= {
            "e2e_ms": e2e_us / 1000,
            "ttft_ms": ttft_us / 1000,
            "queue_ms": chance.randrange(ttft_us + 1) / 1000,
        }
        if chance.random() > 0.3:
            bins = sorted({chance.randrange(600, 1200) for _ in range(4)})
            counts = [chance.randrange(1, 9) for _ in bins]
            # Without bins only the mean is known.
            bins = bins if chance.random() > 0.2 else []
            event["itl"] = {
                "count": sum(counts[: len(bins)] or [7]), "sum_ms": 12.5 * len(counts), "max_ms": 40.0,
                "bins": [part for pair in zip(bins, counts, strict=False) for part in pair],
            }  # fmt: skip
    return event


def _store(
    connection: StoreConnection,
    events: list[dict[str, Any]],
    now: datetime,
    caps: Mapping[str, int],
) -> None:
    span = timedelta(days=10)
    policy = SinkPolicy(retention=span, future_tolerance=span, caps=CapPolicy.by_name(caps))
    store, book = ClickHouseChunkStore(connection), load_book()
    store.insert(table=PRICE_BOOK_TABLE, rows=price_table(book), token="book")
    job = ProcessChunk(store=store, book=book, policy=policy, clock=lambda: now)
    source = StreamPartition("inference.requests", 0, "run")
    job.assigned(source, GroupPosition(0, None, earliest=0), partition_count=1)
    size = -(-len(events) // CHUNKS)
    for first in range(0, len(events), size):
        values = [json.dumps(event).encode() for event in events[first : first + size]]
        # One dead letter a chunk.
        values[-1:] = [values[-1], b"{not json\xff"]
        records = RecordColumns.from_values(
            values, first_offset=first + first // size, append_time_ms=int(now.timestamp() * 1000)
        )
        job.run(Chunk(source, job.plan(source, records), records), CertainLease())
