"""Compiles every kernel once, into the cache that the tests and their processes share."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.price_book import PriceBook
from inferometer.core.record_batches import compile_reader
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.testing.leases import CertainLease
from inferometer.testing.stores import MemoryChunkStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Send a few events through the whole computation."""
    compile_reader()
    fields = {
        "request_id": "r", "model": "m", "status_code": 200, "ts_end": int(NOW.timestamp() * 1e6),
        "team_ids": ["t"], "metadata": {"k": "v"}, "e2e_ms": 2.5, "ttft_ms": 1.0,
        "itl": {"count": 1, "sum_ms": 1.0, "bins": [1, 1]},
    }  # fmt: skip
    values = [json.dumps({"event_id": str(n % 7), **fields}).encode() for n in range(9)]
    # An escape beyond ASCII takes the slow path, which decodes its canonical form again.
    values.append(json.dumps({"event_id": "é", **fields}).encode())
    source = StreamPartition("t", 0, "s")
    job = ProcessChunk(
        store=MemoryChunkStore(), book=PriceBook("warm", ()), policy=SinkPolicy(), clock=lambda: NOW
    )
    job.assigned(source, GroupPosition(0, None, earliest=0), partition_count=1)
    records = RecordColumns.from_values(values)
    job.run(Chunk(source, job.plan(source, records), records), CertainLease())


if __name__ == "__main__":
    main()
