"""Queries of the chunk store as values: names from constants, values always bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.names import (
    DIMENSION_VALUES_TABLE,
    INTENTS_TABLE,
    LEDGER_TABLE,
    REQUESTS_TABLE,
)

if TYPE_CHECKING:
    from datetime import datetime

    from inferometer.core.chunks import StreamPartition

_IN_OFFSETS = """kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}
  AND kafka_offset >= {floor:UInt64}
  AND kafka_offset < {before:UInt64}"""


_OF_PARTITION = """kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a partition has come: one row of (chunks, next offset, open intents)."""

    source: StreamPartition

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""WITH
  (SELECT (count(), max(last_offset) + 1) FROM {LEDGER_TABLE} WHERE {_OF_PARTITION}) AS closed
SELECT closed.1, closed.2, argMin(intent, (first_offset, -toUnixTimestamp64Micro(decided_at)))
FROM {INTENTS_TABLE}
WHERE {_OF_PARTITION}
  AND (closed.1 = 0 OR first_offset >= closed.2)"""  # noqa: S608 - constants
        return text, {
            "topic": self.source.topic,
            "stream_id": self.source.stream_id,
            "partition": self.source.partition,
        }


@dataclass(frozen=True, slots=True)
class SpansBeforeResize:
    """Offsets that other partitions stored since an instant: (partition, floor, before) rows.

    No row where every chunk since then was cut under the present number of partitions.
    """

    source: StreamPartition
    partition_count: int
    since: datetime

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT kafka_partition, min(first_offset), max(last_offset) + 1
FROM {LEDGER_TABLE}
WHERE kafka_topic = {{topic:String}}
  AND stream_id = {{stream_id:String}}
  AND kafka_partition != {{partition:UInt32}}
  AND decided_at >= {{since:DateTime64(6)}}
  AND partition_count != 0
  AND (
    SELECT max(partition_count != {{partition_count:UInt32}})
    FROM {LEDGER_TABLE}
    WHERE kafka_topic = {{topic:String}}
      AND stream_id = {{stream_id:String}}
      AND decided_at >= {{since:DateTime64(6)}}
      AND partition_count != 0
  ) = 1
GROUP BY kafka_partition
ORDER BY kafka_partition"""  # noqa: S608 - constants
        return text, {
            "topic": self.source.topic,
            "stream_id": self.source.stream_id,
            "partition": self.source.partition,
            "partition_count": self.partition_count,
            "since": self.since,
        }


@dataclass(frozen=True, slots=True)
class AdmittedValues:
    """What a partition had admitted before an offset, in its latest month, in that order."""

    source: StreamPartition
    before: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT month, toString(dimension) AS dimension, value
FROM {DIMENSION_VALUES_TABLE}
WHERE {_OF_PARTITION}
  AND kafka_offset < {{before:UInt64}}
  AND month = (
    SELECT max(month)
    FROM {DIMENSION_VALUES_TABLE}
    WHERE {_OF_PARTITION}
      AND kafka_offset < {{before:UInt64}}
  )
ORDER BY kafka_offset, kafka_index"""  # noqa: S608 - constants
        return text, {
            "topic": self.source.topic,
            "stream_id": self.source.stream_id,
            "partition": self.source.partition,
            "before": max(self.before, 0),
        }


@dataclass(frozen=True, slots=True)
class DedupeFloor:
    """Where the last chunks before an offset begin that hold so many stored events; 0 for none."""

    source: StreamPartition
    before: int
    max_events: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT min(first_offset)
FROM
(
    SELECT first_offset, sum(stored) OVER (ORDER BY first_offset DESC) - stored AS newer
    FROM {LEDGER_TABLE}
    WHERE {_OF_PARTITION}
      AND first_offset < {{before:UInt64}}
)
WHERE newer < {{max_events:UInt64}}"""  # noqa: S608 - constants
        return text, {
            "topic": self.source.topic,
            "stream_id": self.source.stream_id,
            "partition": self.source.partition,
            "before": max(self.before, 0),
            "max_events": self.max_events,
        }


@dataclass(frozen=True, slots=True)
class OffsetSpan:
    """Rows of the log that came from one partition, at offsets in [floor, before)."""

    source: StreamPartition
    floor: int
    before: int

    def parameters(self) -> dict[str, Any]:
        """Return the values that `_IN_OFFSETS` binds."""
        return {
            "topic": self.source.topic,
            "stream_id": self.source.stream_id,
            "partition": self.source.partition,
            "floor": max(self.floor, 0),
            "before": max(self.before, 0),
        }


@dataclass(frozen=True, slots=True)
class KnownEvents:
    """Which of some event ids a span of the log holds."""

    span: OffsetSpan
    event_ids: tuple[str, ...]

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT DISTINCT event_id
FROM {REQUESTS_TABLE}
WHERE {_IN_OFFSETS}
  AND event_id IN {{event_ids:Array(String)}}"""  # noqa: S608 - a constant
        return text, {**self.span.parameters(), "event_ids": list(self.event_ids)}


@dataclass(frozen=True, slots=True)
class EventIds:
    """Every event id of a span of the log, in the order of the records."""

    span: OffsetSpan

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT event_id
FROM {REQUESTS_TABLE}
WHERE {_IN_OFFSETS}
ORDER BY kafka_offset, kafka_index"""  # noqa: S608 - a constant
        return text, self.span.parameters()


@dataclass(frozen=True, slots=True)
class StoredPlaces:
    """Where in the stream those rows come from that a table has of a span of offsets."""

    table: str
    span: OffsetSpan

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT kafka_offset, kafka_index
FROM {self.table}
WHERE {_IN_OFFSETS}"""  # noqa: S608 - constants
        return text, self.span.parameters()
