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

INTENT_FORMAT = 1


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
class Intent:
    """What was decided about a chunk before its first write; kept as the group's offset metadata."""

    first_offset: int
    last_offset: int
    decided_at_us: int
    """The clock of the door's checks, microseconds since 1970."""
    dedupe_floor: int
    """Offset from which earlier events of this partition are held against duplicates."""
    price_version: str
    cubes_version: str
    schema_version: int = 1

    def to_metadata(self) -> str:
        """Return the text that is committed beside the offset."""
        return orjson.dumps({"format": INTENT_FORMAT, **asdict(self)}).decode()

    @classmethod
    def from_metadata(cls, metadata: str) -> Self | None:
        """Read committed text; None where no chunk is open.

        Raises StateError for an intent that another version wrote.
        """
        if not metadata:
            return None
        try:
            fields: dict[str, Any] = orjson.loads(metadata)
            written_format = fields.pop("format")
            if written_format == INTENT_FORMAT:
                return cls(**fields)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise StateError(
                f"the committed intent cannot be read ({error}); drain with the version that wrote it"
            ) from error
        raise StateError(
            f"the committed intent has format {written_format}, this version writes {INTENT_FORMAT}; "
            "drain with the version that wrote it, then upgrade"
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
