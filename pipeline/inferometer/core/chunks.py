"""A chunk: the unit of exactness, a run of records of one partition and all that pins its outcome.

Invariant: what a chunk yields is a pure function of its records and of its intent, so a chunk that
was half written is written again byte for byte the same, under the same tokens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import orjson

from inferometer.errors import StateError

if TYPE_CHECKING:
    from inferometer.core.records import RecordColumns

METADATA_FORMAT = 2


@dataclass(frozen=True, slots=True)
class StreamPartition:
    """One partition of one incarnation of a topic.

    `stream_id` is the topic's id, or a run epoch where the broker has none: offsets restart when a
    topic is made anew, and old tokens must never meet the new rows.
    """

    topic: str
    partition: int
    stream_id: str


@dataclass(frozen=True, slots=True)
class PartitionSpan:
    """Offsets [floor, before) of another partition."""

    partition: int
    floor: int
    before: int


@dataclass(frozen=True, slots=True)
class Intent:
    """What was decided about a chunk before its first write."""

    first_offset: int
    last_offset: int
    decided_at_us: int
    """The clock of the door's checks, microseconds since 1970."""
    dedupe_floor: int
    """Offset from which earlier events of this partition are held against duplicates."""
    price_version: str
    cubes_version: str
    schema_version: int = 1
    partition_count: int = 0
    """Partitions of the topic when the chunk was cut; 0 where nobody knows."""
    elsewhere: tuple[PartitionSpan, ...] = ()
    """Where else duplicates are looked for: keys move to other partitions when their number changes."""
    caps: tuple[int, ...] = ()
    """Dimension caps, in the order of `dimension_caps.CAPPED_DIMENSIONS`; empty: the defaults."""

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `to_json`. Raises StateError for an intent that another version wrote."""
        try:
            return cls.from_fields(orjson.loads(text))
        except (orjson.JSONDecodeError, TypeError, AttributeError) as error:
            raise _unreadable(error) from error

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Read what `asdict` gave. Raises TypeError for fields of another version."""
        spans = tuple(PartitionSpan(**span) for span in fields.pop("elsewhere", ()))
        return cls(caps=tuple(fields.pop("caps", ())), **fields, elsewhere=spans)


@dataclass(frozen=True, slots=True)
class GroupMetadata:
    """What the consumer group keeps beside a committed offset."""

    stream_id: str
    """Incarnation of the topic that the offset belongs to."""
    intent: Intent | None = None
    """The chunk that begins at the offset, when one is open."""

    def to_text(self) -> str:
        """Return the text that is committed."""
        fields = {
            "format": METADATA_FORMAT,
            "stream_id": self.stream_id,
            "intent": None if self.intent is None else asdict(self.intent),
        }
        return orjson.dumps(fields).decode()

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """Read committed text; None where an offset was set by hand, which leaves none.

        Raises StateError for what another version wrote.
        """
        if not text:
            return None
        try:
            fields: dict[str, Any] = orjson.loads(text)
            written_format = fields["format"]
            if written_format == METADATA_FORMAT:
                intent = fields["intent"]
                return cls(
                    stream_id=fields["stream_id"],
                    intent=None if intent is None else Intent.from_fields(intent),
                )
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise _unreadable(error) from error
        raise StateError(
            f"the group's offset carries format {written_format}, this version writes "
            f"{METADATA_FORMAT}; drain with the version that wrote it, then upgrade"
        )


def _unreadable(error: Exception) -> StateError:
    return StateError(
        f"a committed intent cannot be read ({error}); drain with the version that wrote it"
    )


@dataclass(frozen=True, slots=True)
class Chunk:
    """The records of an intent, in offset order."""

    source: StreamPartition
    intent: Intent
    records: RecordColumns

    def token(self, table: str) -> str:
        """Return the deduplication token of this chunk's insert into a table."""
        return (
            f"{self.source.stream_id}/{self.source.partition}/"
            f"{self.intent.first_offset}-{self.intent.last_offset}/{table}"
        )


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """What became of a chunk: every event is stored, dead or a duplicate, none is lost."""

    records: int
    events: int
    stored: int
    dead: int
    duplicates: int
    unknown_fields: int
    watermark_us: int
    """Lower bound, in event time, of what this partition may still bring."""
    dead_by_reason: tuple[tuple[str, int], ...] = ()
    """Sorted by reason; the counts sum to `dead`."""
    days: int = 0
    """Days (UTC) of event time that the stored rows lie in."""
    folded: tuple[tuple[str, int], ...] = ()
    """Events whose value became `__other__` in roll-ups, by dimension, sorted by it."""
    admitted: tuple[tuple[str, int], ...] = ()
    """Values that have roll-up rows of their own from this chunk on, by dimension, sorted by it."""
