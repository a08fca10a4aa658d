"""Records as they leave a fetch: columns over one buffer, never one Python object a record."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from inferometer.core.envelopes import count_events
from inferometer.names import (
    ARROW_CONTENT_TYPE,
    CONTENT_TYPE_HEADER,
    JSON_CONTENT_TYPE,
    NDJSON_CONTENT_TYPE,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray


SPARE_BYTES = 4096
"""Enough for what a decoder adds to texts without escapes."""


class ContentType(enum.IntEnum):
    """What the `content-type` header of a record says; a record without one is JSON."""

    JSON = 0
    NDJSON = 1
    ARROW = 2
    UNKNOWN = 255


_TYPE_OF_NAME = {
    JSON_CONTENT_TYPE.encode(): ContentType.JSON,
    NDJSON_CONTENT_TYPE.encode(): ContentType.NDJSON,
    ARROW_CONTENT_TYPE.encode(): ContentType.ARROW,
}


def content_type_of(headers: Iterable[tuple[str, bytes | None]] | None) -> ContentType:
    """Return what the headers of one record say, as `batch_kernel.headers` reads them."""
    found = ContentType.JSON
    for name, value in headers or ():
        if name.lower() == CONTENT_TYPE_HEADER:
            text = (value or b"").lstrip(b" \t")
            stated = text.partition(b";")[0].rstrip(b" \t").lower()
            found = _TYPE_OF_NAME.get(stated, ContentType.UNKNOWN) if text else ContentType.JSON
    return found


@dataclass(frozen=True, slots=True)
class RecordColumns:
    """Records of one partition in offset order.

    The value of record i is `buffer[starts[i] : starts[i] + lengths[i]]`; a null value has
    length 0. `offsets` ascend, with holes where a topic was compacted or a transaction aborted.
    """

    buffer: NDArray[np.uint8]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    offsets: NDArray[np.int64]
    append_times_ms: NDArray[np.int64]
    """The broker's (or producer's) record timestamp, milliseconds since 1970."""
    content_types: NDArray[np.uint8]
    spare_bytes: int = 0
    """At the end of the buffer, part of no record: room for who decodes, who else had to copy."""

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def size_bytes(self) -> int:
        """Bytes of all values."""
        return int(self.lengths.sum())

    def value(self, index: int) -> bytes:
        """Return the bytes of one record (for dead letters and the slow path)."""
        start = int(self.starts[index])
        return self.buffer[start : start + int(self.lengths[index])].tobytes()

    def event_counts(self) -> NDArray[np.int64]:
        """Return about how many events each record carries, 1 at least; nothing is unpacked."""
        if not self.content_types.any():
            return np.ones(len(self), dtype=np.int64)
        return count_events(
            self.buffer,
            self.starts,
            self.lengths,
            self.content_types == ContentType.NDJSON,
            self.content_types == ContentType.ARROW,
        )

    @classmethod
    def empty(cls) -> Self:
        """Return columns of no record."""
        return cls.from_values([])

    @classmethod
    def from_values(
        cls,
        values: Sequence[bytes],
        *,
        first_offset: int = 0,
        append_time_ms: int = 0,
        content_types: Sequence[int] | None = None,
    ) -> Self:
        """Lay out values as consecutive records (tests, replays of dead letters)."""
        lengths = np.array([len(value) for value in values], dtype=np.int64)
        ends = np.cumsum(lengths)
        count = len(values)
        return cls(
            buffer=np.frombuffer(b"".join(values), dtype=np.uint8),
            starts=ends - lengths,
            lengths=lengths,
            offsets=np.arange(first_offset, first_offset + count, dtype=np.int64),
            append_times_ms=np.full(count, append_time_ms, dtype=np.int64),
            content_types=(
                np.zeros(count, dtype=np.uint8)
                if content_types is None
                else np.array(content_types, dtype=np.uint8)
            ),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join consecutive parts of one partition into one buffer."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return cls.empty()
        bases = np.cumsum([0, *(len(part.buffer) for part in parts[:-1])])
        return cls(
            buffer=np.concatenate([part.buffer for part in parts]),
            starts=np.concatenate(
                [part.starts + base for part, base in zip(parts, bases, strict=True)]
            ),
            lengths=np.concatenate([part.lengths for part in parts]),
            offsets=np.concatenate([part.offsets for part in parts]),
            append_times_ms=np.concatenate([part.append_times_ms for part in parts]),
            content_types=np.concatenate([part.content_types for part in parts]),
        )

    def stretch(self, start: int, stop: int) -> Self:
        """Return records start..stop, at least one, as views on their own stretch of the buffer."""
        first = int(self.starts[start])
        end = int(self.starts[stop - 1] + self.lengths[stop - 1])
        piece = self.slice(start, stop)
        return replace(
            piece, buffer=piece.buffer[first:end], starts=piece.starts - first, spare_bytes=0
        )

    def slice(self, start: int, stop: int) -> Self:
        """Return records start..stop as views on the same buffer."""
        return type(self)(
            buffer=self.buffer,
            starts=self.starts[start:stop],
            lengths=self.lengths[start:stop],
            offsets=self.offsets[start:stop],
            append_times_ms=self.append_times_ms[start:stop],
            content_types=self.content_types[start:stop],
            spare_bytes=self.spare_bytes,
        )
