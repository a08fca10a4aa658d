"""Texts about the pipeline itself: how far it is, what it refused, what it folded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.query_filters import instant, micros
from inferometer.clickhouse.query_parameters import Bound
from inferometer.names import DEAD_LETTERS_TABLE, LEDGER_TABLE

if TYPE_CHECKING:
    from inferometer.core.query.questions import TimeRange

_Sql = tuple[str, dict[str, Any]]

_LETTER_PLACE = (
    "concat(toString(kafka_topic), '/', toString(stream_id), '/', "
    "leftPad(toString(kafka_partition), 10, '0'), '/', leftPad(toString(kafka_offset), 20, '0'), "
    "'/', leftPad(toString(kafka_index), 10, '0'))"
)
"""What orders dead letters of one instant, as one text."""


@dataclass(frozen=True, slots=True)
class FreshnessNow:
    """How far all partitions are complete."""

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        text = """SELECT count() AS partitions, min(watermark) AS watermark, max(updated_at) AS updated_at
FROM freshness"""
        return text, {}


@dataclass(frozen=True, slots=True)
class Partitions:
    """Each partition: how far it is, and the account of its chunks of the last hour."""

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        names = ("records", "events", "stored", "dead", "duplicates")
        sums = ", ".join(f"sum(l.{name}) AS {name}" for name in names)
        chosen = ", ".join(f"account.{name} AS {name}" for name in ("chunks", *names))
        text = f"""SELECT
    toString(freshness.kafka_topic) AS kafka_topic,
    freshness.kafka_partition AS kafka_partition,
    toString(freshness.stream_id) AS stream_id,
    freshness.watermark AS watermark,
    freshness.updated_at AS updated_at,
    {chosen}
FROM freshness
LEFT JOIN
(
    SELECT kafka_topic, kafka_partition, stream_id, count() AS chunks, {sums}
    FROM {LEDGER_TABLE} AS l
    WHERE decided_at >= now64(6, 'UTC') - INTERVAL 1 HOUR
    GROUP BY kafka_topic, kafka_partition, stream_id
) AS account
ON account.kafka_topic = freshness.kafka_topic
    AND account.kafka_partition = freshness.kafka_partition
    AND account.stream_id = freshness.stream_id
ORDER BY kafka_topic, kafka_partition"""  # noqa: S608 - constants
        return text, {}


def _decided(bound: Bound, time_range: TimeRange) -> str:
    return " AND ".join(
        instant("decided_at", sign, bound, micros(edge))
        for sign, edge in ((">=", time_range.start), ("<", time_range.end))
    )


@dataclass(frozen=True, slots=True)
class DeadLetterCounts:
    """Dead letters by reason."""

    time_range: TimeRange

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        text = f"""SELECT
    toString(reason) AS reason, count() AS count, min(decided_at) AS first_at,
    max(decided_at) AS last_at
FROM {DEAD_LETTERS_TABLE}
WHERE {_decided(bound, self.time_range)}
GROUP BY reason
ORDER BY count DESC, reason"""  # noqa: S608 - constants and bound values
        return text, bound.values


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A page of dead letters, newest first; bytes in base64, since drivers take them for text."""

    time_range: TimeRange
    reason: str
    limit: int
    before: tuple[int, str] | None

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        bound = Bound()
        found = [_decided(bound, self.time_range)]
        if self.reason:
            found.append(f"reason = {bound.text(self.reason)}")
        if self.before is not None:
            us, place = self.before
            at = "decided_at"
            found.append(instant(at, "<=", bound, us))
            found.append(f"({instant(at, '<', bound, us)} OR place < {bound.text(place)})")
        text = f"""SELECT
    {_LETTER_PLACE} AS place, decided_at, toString(reason) AS reason, detail,
    toString(kafka_topic) AS kafka_topic, kafka_partition, toString(stream_id) AS stream_id,
    kafka_offset, kafka_index, append_time, content_type, base64Encode(value) AS value
FROM {DEAD_LETTERS_TABLE}
WHERE {" AND ".join(found)}
ORDER BY decided_at DESC, place DESC
LIMIT {bound.integer(self.limit)}"""  # noqa: S608 - constants and bound values
        return text, bound.values


@dataclass(frozen=True, slots=True)
class Folded:
    """How full the lists of values are, in the newest two months."""

    def sql(self) -> _Sql:
        """Return the text and its parameters."""
        text = """SELECT
    toString(kafka_topic) AS kafka_topic, toString(stream_id) AS stream_id, month, dimension,
    distinct_values, fullest_partition_values, folded_events
FROM dimension_use
WHERE month >= addMonths((SELECT max(month) FROM dimension_values), -1)
ORDER BY month DESC, folded_events DESC, dimension, kafka_topic, stream_id"""
        return text, {}
