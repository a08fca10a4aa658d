"""Queries that hold log, dead letters and ledger of a partition against each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.names import DEAD_LETTERS_TABLE, INTENTS_TABLE, LEDGER_TABLE, REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from inferometer.core.audit_spans import Slice
    from inferometer.core.chunks import StreamPartition
    from inferometer.core.conservation import OpenChunk

_OF_SOURCE = """kafka_topic = {topic:String}
  AND stream_id = {stream_id:String}
  AND kafka_partition = {partition:UInt32}"""
_TIME_COLUMN = {REQUESTS_TABLE: "ts_end", DEAD_LETTERS_TABLE: "decided_at"}
_AND = "\n  AND "
MAX_OFFSET = 2**63 - 1


def _source(source: StreamPartition) -> dict[str, Any]:
    return {
        "topic": source.topic,
        "stream_id": source.stream_id,
        "partition": source.partition,
    }


@dataclass(frozen=True, slots=True)
class KeptDays:
    """How many days each table keeps its rows, as the store itself has it."""

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = r"""SELECT name, toUInt32OrZero(extract(engine_full, 'TTL .+? \\+ toIntervalDay\\((\\d+)\\)'))
FROM system.tables
WHERE database = currentDatabase()"""
        return text, {}


@dataclass(frozen=True, slots=True)
class Sources:
    """Every partition of every incarnation that ledger, intents or log of a span know."""

    span: Slice

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT DISTINCT kafka_topic, kafka_partition, stream_id
FROM
(
    SELECT kafka_topic, kafka_partition, stream_id FROM {LEDGER_TABLE}
    WHERE decided_at >= toDateTime({{from_s:UInt32}}, 'UTC')
    UNION ALL
    SELECT kafka_topic, kafka_partition, stream_id FROM {INTENTS_TABLE}
    WHERE decided_at >= toDateTime({{from_s:UInt32}}, 'UTC')
    UNION ALL
    SELECT kafka_topic, kafka_partition, stream_id FROM {REQUESTS_TABLE}
    WHERE ts_end >= toDateTime({{from_s:UInt32}}, 'UTC')
      AND ts_end < toDateTime({{to_s:UInt32}}, 'UTC')
)
ORDER BY kafka_topic, stream_id, kafka_partition"""  # noqa: S608 - constants
        return text, {"from_s": self.span.from_s, "to_s": self.span.to_s}


@dataclass(frozen=True, slots=True)
class LedgerEnds:
    """How far the ledger of each partition reaches, and since when it is kept."""

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT
    kafka_topic, kafka_partition, stream_id, max(last_offset),
    toUnixTimestamp(min(decided_at))
FROM {LEDGER_TABLE}
GROUP BY kafka_topic, kafka_partition, stream_id"""  # noqa: S608 - a constant
        return text, {}


@dataclass(frozen=True, slots=True)
class LedgerEntries:
    """A page of a partition's ledger, decided in a span, from an offset on."""

    source: StreamPartition
    span: Slice
    from_offset: int
    limit: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT
    first_offset, last_offset, records, events, stored, dead, duplicates, days,
    toUnixTimestamp(decided_at)
FROM {LEDGER_TABLE}
WHERE {_OF_SOURCE}
  AND first_offset >= {{from_offset:UInt64}}
  AND decided_at >= toDateTime({{from_s:UInt32}}, 'UTC')
  AND decided_at < toDateTime({{to_s:UInt32}}, 'UTC')
ORDER BY first_offset, last_offset
LIMIT {{limit:UInt64}}"""  # noqa: S608 - constants
        return text, {
            **_source(self.source),
            "from_offset": self.from_offset,
            "from_s": self.span.from_s,
            "to_s": self.span.to_s,
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True)
class RowsByEntry:
    """Rows of a table at offsets in [first, last], by the ledger row that they fall behind."""

    table: str
    source: StreamPartition
    first_offset: int
    last_offset: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT
    receipt.first_offset AS entry,
    receipt.one = 1 AND placed.kafka_offset <= receipt.last_offset AS is_inside,
    count(),
    uniqExact(placed.kafka_offset, placed.kafka_index),
    uniqExact(placed.day),
    min(placed.kafka_offset),
    max(placed.kafka_offset)
FROM
(
    SELECT kafka_offset, kafka_index, toDate({_TIME_COLUMN[self.table]}) AS day, 1 AS one
    FROM {self.table}
    WHERE {_OF_SOURCE}
      AND kafka_offset >= {{first:UInt64}} AND kafka_offset <= {{last:UInt64}}
) AS placed
ASOF LEFT JOIN
(
    SELECT first_offset, max(chunk_ledger.last_offset) AS last_offset, 1 AS one
    FROM {LEDGER_TABLE} AS chunk_ledger
    WHERE {_OF_SOURCE}
      AND first_offset >= {{first:UInt64}} AND first_offset <= {{last:UInt64}}
    GROUP BY first_offset
) AS receipt ON placed.one = receipt.one AND placed.kafka_offset >= receipt.first_offset
GROUP BY entry, is_inside"""  # noqa: S608 - constants
        return text, {
            **_source(self.source),
            "first": self.first_offset,
            "last": min(self.last_offset, MAX_OFFSET),
        }


@dataclass(frozen=True, slots=True)
class StoredPlaces:
    """The events, by offset and index, in [first, last] that a table has rows of."""

    table: str
    source: StreamPartition
    first_offset: int
    last_offset: int
    only_repeated: bool
    limit: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        repeated = "\nHAVING count() > 1" if self.only_repeated else ""
        text = f"""SELECT kafka_offset, kafka_index
FROM {self.table}
WHERE {_OF_SOURCE}
  AND kafka_offset >= {{first:UInt64}} AND kafka_offset <= {{last:UInt64}}
GROUP BY kafka_offset, kafka_index{repeated}
ORDER BY kafka_offset, kafka_index
LIMIT {{limit:UInt64}}"""  # noqa: S608 - constants
        return text, {
            **_source(self.source),
            "first": self.first_offset,
            "last": self.last_offset,
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True)
class IntentsAfter:
    """Chunks that were begun behind the given end of each partition, or in partitions without."""

    ends: Mapping[StreamPartition, int]
    since_s: int
    """Older intents do not count: whatever they wrote lies before it."""
    source: StreamPartition | None = None
    """Of this partition alone."""

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        parameters: dict[str, Any] = {"since_s": self.since_s}
        behind = ["decided_at >= toDateTime({since_s:UInt32}, 'UTC')"]
        if self.source is not None:
            parameters |= _source(self.source)
            behind.append(_OF_SOURCE)
        for number, (source, end) in enumerate(self.ends.items()):
            parameters |= {
                f"t{number}": source.topic,
                f"p{number}": source.partition,
                f"s{number}": source.stream_id,
                f"e{number}": end,
            }
            of_source = (
                f"kafka_topic = {{t{number}:String}} AND kafka_partition = {{p{number}:UInt32}} "
                f"AND stream_id = {{s{number}:String}}"
            )
            behind.append(f"NOT ({of_source} AND first_offset <= {{e{number}:UInt64}})")
        text = f"""SELECT DISTINCT kafka_topic, kafka_partition, stream_id, first_offset, last_offset
FROM {INTENTS_TABLE}
WHERE {_AND.join(behind)}
ORDER BY kafka_topic, stream_id, kafka_partition, first_offset"""  # noqa: S608 - constants
        return text, parameters


@dataclass(frozen=True, slots=True)
class WindowsOfChunks:
    """Starts of the windows, of one length, that log rows of each chunk lie in, by its number."""

    chunks: Sequence[OpenChunk]
    seconds: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        parameters: dict[str, Any] = {"seconds": self.seconds}
        parts: list[str] = []
        for number, chunk in enumerate(self.chunks):
            parameters |= {
                f"t{number}": chunk.source.topic,
                f"p{number}": chunk.source.partition,
                f"s{number}": chunk.source.stream_id,
                f"f{number}": chunk.first_offset,
                f"l{number}": chunk.last_offset,
            }
            parts.append(f"""SELECT DISTINCT
    {number} AS number,
    intDiv(toUnixTimestamp(ts_end), {{seconds:UInt32}}) * {{seconds:UInt32}}
FROM {REQUESTS_TABLE}
WHERE kafka_topic = {{t{number}:String}} AND kafka_partition = {{p{number}:UInt32}}
  AND stream_id = {{s{number}:String}}
  AND kafka_offset >= {{f{number}:UInt64}} AND kafka_offset <= {{l{number}:UInt64}}""")  # noqa: S608 - constants
        return "\nUNION ALL\n".join(parts), parameters


@dataclass(frozen=True, slots=True)
class RowsByHour:
    """Log rows of each hour of event time in a span."""

    span: Slice

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT toUnixTimestamp(toStartOfHour(ts_end, 'UTC')) AS hour_s, count()
FROM {REQUESTS_TABLE}
WHERE ts_end >= toDateTime({{from_s:UInt32}}, 'UTC')
  AND ts_end < toDateTime({{to_s:UInt32}}, 'UTC')
GROUP BY hour_s"""  # noqa: S608 - a constant
        return text, {"from_s": self.span.from_s, "to_s": self.span.to_s}


@dataclass(frozen=True, slots=True)
class RollupHours:
    """Hours of a span in which a roll-up table has rows, and how many windows each."""

    table: str
    span: Slice

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT toUnixTimestamp(toStartOfHour(window_start, 'UTC')) AS hour_s, uniqExact(window_start)
FROM {self.table}
WHERE window_start >= toDateTime({{from_s:UInt32}}, 'UTC')
  AND window_start < toDateTime({{to_s:UInt32}}, 'UTC')
GROUP BY hour_s"""  # noqa: S608 - a constant
        return text, {"from_s": self.span.from_s, "to_s": self.span.to_s}


@dataclass(frozen=True, slots=True)
class RepeatedHashes:
    """Hashes of event ids that the log of a span holds more than once: one of `parts` passes."""

    span: Slice
    part: int
    parts: int
    limit: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT cityHash64(event_id) AS hash
FROM {REQUESTS_TABLE}
WHERE ts_end >= toDateTime({{from_s:UInt32}}, 'UTC')
  AND ts_end < toDateTime({{to_s:UInt32}}, 'UTC')
  AND cityHash64(event_id) % {{parts:UInt64}} = {{part:UInt64}}
GROUP BY hash
HAVING count() > 1
ORDER BY hash
LIMIT {{limit:UInt64}}"""  # noqa: S608 - a constant
        return text, {
            "from_s": self.span.from_s,
            "to_s": self.span.to_s,
            "part": self.part,
            "parts": self.parts,
            "limit": self.limit,
        }


@dataclass(frozen=True, slots=True)
class RepeatedEvents:
    """Event ids of some hashes with several rows, and the places that these came from."""

    span: Slice
    hashes: Sequence[int]

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT event_id, arraySort(groupArray((kafka_topic, kafka_partition, kafka_offset)))
FROM {REQUESTS_TABLE}
WHERE ts_end >= toDateTime({{from_s:UInt32}}, 'UTC')
  AND ts_end < toDateTime({{to_s:UInt32}}, 'UTC')
  AND cityHash64(event_id) IN {{hashes:Array(UInt64)}}
GROUP BY event_id
HAVING count() > 1
ORDER BY event_id"""  # noqa: S608 - a constant
        return text, {
            "from_s": self.span.from_s,
            "to_s": self.span.to_s,
            "hashes": list(self.hashes),
        }


@dataclass(frozen=True, slots=True)
class KnownIds:
    """Which of some event ids the log of a topic holds anywhere."""

    topic: str
    event_ids: Sequence[str]

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        text = f"""SELECT DISTINCT event_id
FROM {REQUESTS_TABLE}
WHERE kafka_topic = {{topic:String}}
  AND event_id IN {{event_ids:Array(String)}}"""  # noqa: S608 - a constant
        return text, {"topic": self.topic, "event_ids": list(self.event_ids)}
