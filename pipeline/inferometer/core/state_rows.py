"""Rows that say what became of a chunk: dead letters, admitted values, the ledger, watermarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.core.chunks import ChunkOutcome, Intent, StreamPartition
    from inferometer.core.columns import EventColumns
    from inferometer.core.dimension_lists import Folding
    from inferometer.core.reasons import DeadLetter

_INSTANT_US = pa.timestamp("us", "UTC")
_INSTANT_MS = pa.timestamp("ms", "UTC")
_COUNTS = pa.map_(pa.string(), pa.uint64())


def _place(source: StreamPartition, count: int) -> dict[str, pa.Array]:
    return {
        "stream_id": pa.array([source.stream_id] * count),
        "kafka_topic": pa.array([source.topic] * count),
        "kafka_partition": pa.array([source.partition] * count, pa.int64()),
    }


def dead_letter_table(
    dead_letters: Sequence[DeadLetter], source: StreamPartition, decided_at_us: int
) -> pa.Table:
    """Return the rows of refused events, with their original bytes."""
    count = len(dead_letters)
    return pa.table(
        {
            **_place(source, count),
            "reason": pa.array([letter.refusal.reason.value for letter in dead_letters]),
            "detail": pa.array([letter.refusal.detail for letter in dead_letters]),
            "kafka_offset": pa.array([letter.offset for letter in dead_letters], pa.int64()),
            "kafka_index": pa.array([letter.index for letter in dead_letters], pa.int64()),
            "append_time": pa.array(
                [letter.append_time_ms for letter in dead_letters], _INSTANT_MS
            ),
            "decided_at": pa.array([decided_at_us] * count, _INSTANT_US),
            "content_type": pa.array([letter.content_type for letter in dead_letters]),
            "value": pa.array([letter.value for letter in dead_letters], pa.binary()),
        }
    )


def ledger_table(outcome: ChunkOutcome, intent: Intent, source: StreamPartition) -> pa.Table:
    """Return the one row that accounts for a chunk."""
    counts = {
        "first_offset": intent.first_offset,
        "last_offset": intent.last_offset,
        "records": outcome.records,
        "events": outcome.events,
        "stored": outcome.stored,
        "dead": outcome.dead,
        "duplicates": outcome.duplicates,
        "unknown_fields": outcome.unknown_fields,
        "partition_count": intent.partition_count,
        "days": outcome.days,
    }
    return pa.table(
        {
            **_place(source, 1),
            **{name: pa.array([value], pa.int64()) for name, value in counts.items()},
            "decided_at": pa.array([intent.decided_at_us], _INSTANT_US),
            "price_version": pa.array([intent.price_version]),
            "cubes_version": pa.array([intent.cubes_version]),
            "watermark": pa.array([outcome.watermark_us], _INSTANT_US),
            "folded": pa.array([list(outcome.folded)], _COUNTS),
        }
    )


def dimension_values_table(
    folding: Folding, events: EventColumns, source: StreamPartition
) -> pa.Table:
    """Return the rows of the values that a chunk admits, each with where it first appeared."""
    found = folding.admitted.items()
    rows = np.concatenate([new.rows for _, new in found])
    return pa.table(
        {
            **_place(source, len(rows)),
            "month": pa.array([folding.month] * len(rows), pa.date32()),
            "dimension": pa.array([name for name, new in found for _ in new.rows]),
            "value": pa.concat_arrays([new.texts for _, new in found]),
            "kafka_offset": pa.array(events.offsets[rows], pa.int64()),
            "kafka_index": pa.array(events.indexes[rows], pa.int64()),
        }
    )


def intent_table(intent: Intent, source: StreamPartition) -> pa.Table:
    """Return the one row that says what a chunk was begun with."""
    return pa.table(
        {
            **_place(source, 1),
            "first_offset": pa.array([intent.first_offset], pa.int64()),
            "last_offset": pa.array([intent.last_offset], pa.int64()),
            "decided_at": pa.array([intent.decided_at_us], _INSTANT_US),
            "intent": pa.array([intent.to_json()]),
        }
    )


def watermark_table(source: StreamPartition, watermark_us: int, updated_at_us: int) -> pa.Table:
    """Return the row of a watermark that rose without a chunk."""
    return pa.table(
        {
            **_place(source, 1),
            "watermark": pa.array([watermark_us], _INSTANT_US),
            "updated_at": pa.array([updated_at_us], _INSTANT_US),
        }
    )
