"""Reads dead letters and what was sent again; implements the port DeadLetterStore."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.redrive import DeadLetterRow, LetterPlace
from inferometer.names import DEAD_LETTERS_TABLE, REDRIVES_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.core.redrive import LetterFilter

PAGE_LETTERS = 5000
PLACES_A_QUERY = 100
"""Bound values travel in the address of an HTTP request, which servers limit."""
_KEY = "kafka_topic, kafka_partition, stream_id, kafka_offset, kafka_index"


def _where(wanted: LetterFilter) -> tuple[str, dict[str, Any]]:
    conditions = ["kafka_topic = {topic:String}"]
    parameters: dict[str, Any] = {"topic": wanted.topic}
    if wanted.reasons:
        conditions.append("reason IN {reasons:Array(String)}")
        parameters["reasons"] = list(wanted.reasons)
    if wanted.partitions:
        conditions.append("kafka_partition IN {partitions:Array(UInt32)}")
        parameters["partitions"] = list(wanted.partitions)
    for name, sign, instant in (("from_us", ">=", wanted.from_us), ("to_us", "<", wanted.to_us)):
        if instant is not None:
            conditions.append(
                f"decided_at {sign} fromUnixTimestamp64Micro({{{name}:Int64}}, 'UTC')"
            )
            parameters[name] = instant
    if wanted.places:
        places = []
        for number, (partition, offset, index) in enumerate(wanted.places):
            parameters |= {f"p{number}": partition, f"o{number}": offset}
            place = (
                f"kafka_partition = {{p{number}:UInt32}} AND kafka_offset = {{o{number}:UInt64}}"
            )
            if index is not None:
                parameters[f"i{number}"] = index
                place += f" AND kafka_index = {{i{number}:UInt32}}"
            places.append(f"({place})")
        conditions.append(f"({' OR '.join(places)})")
    return "\n  AND ".join(conditions), parameters


@dataclass(frozen=True, slots=True)
class Letters:
    """A page of letters behind a place, with how often each was sent again."""

    wanted: LetterFilter
    after: tuple[int, LetterPlace] | None
    limit: int

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        where, parameters = _where(self.wanted)
        if self.after is not None:
            decided_us, place = self.after
            # By itself the instant rules out whole days, which the tuple does not.
            where += """
  AND decided_at >= fromUnixTimestamp64Micro({after_us:Int64}, 'UTC')
  AND (toUnixTimestamp64Micro(decided_at), stream_id, kafka_partition, kafka_offset, kafka_index)
    > ({after_us:Int64}, {after_stream:String}, {after_partition:UInt32}, {after_offset:UInt64},
       {after_index:UInt32})"""
            parameters |= {
                "after_us": decided_us,
                "after_stream": place.stream_id,
                "after_partition": place.partition,
                "after_offset": place.offset,
                "after_index": place.index,
            }
        # The values are the bulk of the table: only their length is read, and only for the page.
        page = f"""SELECT
        {_KEY}, reason, detail, toUnixTimestamp64Micro(decided_at) AS decided_us,
        toUnixTimestamp64Milli(append_time) AS append_ms, content_type, length(value) AS size
    FROM {DEAD_LETTERS_TABLE}
    WHERE {where}
    ORDER BY decided_us, stream_id, kafka_partition, kafka_offset, kafka_index
    LIMIT {{limit:UInt64}}"""  # noqa: S608 - constants and bound values
        text = f"""SELECT
    {_KEY}, reason, detail, decided_us, append_ms, content_type, size, s.begun, s.sent
FROM
(
    {page}
) AS l
LEFT JOIN
(
    SELECT {_KEY}, countIf(state = 'begun') AS begun, countIf(state = 'sent') AS sent
    FROM {REDRIVES_TABLE}
    WHERE ({_KEY}) IN (SELECT {_KEY} FROM (
    {page}
    ))
    GROUP BY {_KEY}
) AS s USING ({_KEY})
ORDER BY decided_us, stream_id, kafka_partition, kafka_offset, kafka_index"""  # noqa: S608 - constants and bound values
        return text, {**parameters, "limit": self.limit}


@dataclass(frozen=True, slots=True)
class LastLetters:
    """The last offset of each partition that has letters."""

    wanted: LetterFilter

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        where, parameters = _where(self.wanted)
        text = f"""SELECT kafka_partition, stream_id, max(kafka_offset)
FROM {DEAD_LETTERS_TABLE}
WHERE {where}
GROUP BY kafka_partition, stream_id"""  # noqa: S608 - constants and bound values
        return text, parameters


@dataclass(frozen=True, slots=True)
class LetterCounts:
    """How many letters there are by reason."""

    wanted: LetterFilter

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        where, parameters = _where(self.wanted)
        text = f"""SELECT reason, uniqExact({_KEY}) AS letters
FROM {DEAD_LETTERS_TABLE}
WHERE {where}
GROUP BY reason
ORDER BY letters DESC, reason"""  # noqa: S608 - constants and bound values
        return text, parameters


@dataclass(frozen=True, slots=True)
class LetterValues:
    """The original bytes of letters, in base64: a client would take them for text."""

    places: Sequence[LetterPlace]

    def sql(self) -> tuple[str, dict[str, Any]]:
        """Return the text and its parameters."""
        parameters: dict[str, Any] = {}
        parts = []
        for number, place in enumerate(self.places):
            parameters |= {
                f"t{number}": place.topic,
                f"p{number}": place.partition,
                f"s{number}": place.stream_id,
                f"o{number}": place.offset,
                f"i{number}": place.index,
            }
            parts.append(
                f"({{t{number}:String}}, {{p{number}:UInt32}}, {{s{number}:String}}, "
                f"{{o{number}:UInt64}}, {{i{number}:UInt32}})"
            )
        text = f"""SELECT {_KEY}, base64Encode(any(value))
FROM {DEAD_LETTERS_TABLE}
WHERE ({_KEY}) IN ({", ".join(parts)})
GROUP BY {_KEY}"""  # noqa: S608 - constants and bound values
        return text, parameters


class ClickHouseDeadLetters:
    """A `DeadLetterStore` on an open connection."""

    def __init__(self, connection: StoreConnection, *, page_letters: int = PAGE_LETTERS) -> None:
        self._connection = connection
        self._blocks = ClickHouseChunkStore(connection)
        self._page_letters = page_letters

    def letters(self, wanted: LetterFilter) -> Iterator[DeadLetterRow]:
        """Yield letters; see `DeadLetterStore.letters`."""
        # By offsets, not by time: the clocks of workers differ.
        ends = {
            (int(partition), str(stream_id)): int(offset)
            for partition, stream_id, offset in self._rows(LastLetters(wanted).sql())
        }
        left = wanted.limit
        last: DeadLetterRow | None = None
        while left is None or left > 0:
            limit = self._page_letters if left is None else min(left, self._page_letters)
            after = None if last is None else (last.decided_at_us, last.place)
            page = [_letter(row) for row in self._rows(Letters(wanted, after, limit).sql())]
            for letter in page:
                place = letter.place
                is_late = place.offset > ends.get((place.partition, place.stream_id), -1)
                # A row that the store has twice stands beside itself.
                if not is_late and (last is None or place != last.place):
                    yield letter
                    left = None if left is None else left - 1
                last = letter
            if len(page) < limit:
                return

    def counts(self, wanted: LetterFilter) -> dict[str, int]:
        """Return letters by reason; see `DeadLetterStore.counts`."""
        rows = self._rows(LetterCounts(replace(wanted, limit=None)).sql())
        return {str(reason): int(count) for reason, count in rows}

    def values(self, places: Sequence[LetterPlace]) -> dict[LetterPlace, bytes]:
        """Return the bytes of letters; see `DeadLetterStore.values`."""
        found: dict[LetterPlace, bytes] = {}
        for start in range(0, len(places), PLACES_A_QUERY):
            query = LetterValues(places[start : start + PLACES_A_QUERY])
            for *key, encoded in self._rows(query.sql()):
                found[_place(key)] = base64.b64decode(encoded)
        return found

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Store rows as one block; see `DeadLetterStore.insert`."""
        self._blocks.insert(table=table, rows=rows, token=token)

    def _rows(self, query: tuple[str, dict[str, Any]]) -> list[Any]:
        text, parameters = query
        with self._connection.errors():
            return list(self._connection.reader().query(text, parameters).result_rows)


def _place(key: Sequence[Any]) -> LetterPlace:
    topic, partition, stream_id, offset, index = key
    return LetterPlace(str(topic), int(partition), str(stream_id), int(offset), int(index))


def _letter(row: Sequence[Any]) -> DeadLetterRow:
    reason, detail, decided_us, append_ms, content_type, size, begun, sent = row[5:]
    return DeadLetterRow(
        place=_place(row[:5]),
        reason=str(reason),
        detail=str(detail),
        decided_at_us=int(decided_us),
        append_time_ms=int(append_ms),
        content_type=str(content_type),
        size=int(size),
        redriven="sent" if sent else "begun" if begun else "",
        times_sent=int(sent),
    )
