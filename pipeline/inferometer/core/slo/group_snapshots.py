"""What is kept of one group, as bytes that another version can read again.

Invariants: writing and reading again gives the same counts; a snapshot of another format version is
refused, one with other resolutions keeps those that are the same. Sums are not in it: they follow
from the cells.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from inferometer.errors import StateError

if TYPE_CHECKING:
    import numpy.typing as npt

VERSION = 1
_MAGIC = b"SLOG"
_HEAD = struct.Struct("<4sHqqqB")
_SECTION = struct.Struct("<BIqII")
_RING, _PRINCIPALS, _WAITING = 0, 1, 2
_NEVER = -1
# Speed first: most bytes are zeros.
_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Section:
    """Cells side by side: the number of the first, and [cell, two values]."""

    first: int
    cells: npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSnapshot:
    """All that evaluation knows of one group."""

    now_s: int | None
    """The last tick, None before the first."""
    first_seen_s: int
    rings: dict[int, Section] = field(default_factory=dict)
    """By length of a cell in seconds."""
    principals: Section | None = None
    waiting: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 5), np.int64))
    """[row, (cell, total, bad, low, high)] of cells after the last tick."""
    exhausted_at_s: int = 0
    """When the budget was last reported as exhausted; 0 for never."""
    is_exhausted: bool = False

    def to_bytes(self) -> bytes:
        """Return the snapshot in the present format."""
        sections = [(_RING, cell_s, section) for cell_s, section in self.rings.items()]
        if self.principals is not None:
            sections.append((_PRINCIPALS, 0, self.principals))
        parts = [_written(kind, cell_s, section) for kind, cell_s, section in sections]
        rows = np.ascontiguousarray(self.waiting, "<i8")
        parts.append(_SECTION.pack(_WAITING, 0, 0, len(rows), rows.nbytes) + rows.tobytes())
        head = _HEAD.pack(
            _MAGIC,
            VERSION,
            _NEVER if self.now_s is None else self.now_s,
            self.first_seen_s,
            self.exhausted_at_s,
            self.is_exhausted,
        )
        return head + zlib.compress(b"".join(parts), _LEVEL)

    @classmethod
    def from_bytes(cls, data: bytes) -> GroupSnapshot:
        """Read a snapshot; raises StateError for what this version cannot read."""
        if len(data) < _HEAD.size or data[:4] != _MAGIC:
            raise StateError("not the state of an SLO group: the topic holds something else")
        _, version, now_s, first_seen_s, exhausted_at_s, is_exhausted = _HEAD.unpack_from(data)
        if version != VERSION:
            raise StateError(
                f"SLO state of version {version}, this program reads {VERSION}: run the version "
                "that wrote it, or start from an empty state topic and rebuild it from the counts"
            )
        try:
            rings, principals, waiting = _read(zlib.decompress(data[_HEAD.size :]))
        except (zlib.error, struct.error, ValueError) as error:
            raise StateError(f"broken state of an SLO group: {error}") from error
        return cls(
            now_s=None if now_s == _NEVER else now_s,
            first_seen_s=first_seen_s,
            exhausted_at_s=exhausted_at_s,
            is_exhausted=bool(is_exhausted),
            rings=rings,
            principals=principals,
            waiting=waiting,
        )


def _written(kind: int, cell_s: int, section: Section) -> bytes:
    # Empty cells at the far end are most of a young group.
    used = np.flatnonzero(section.cells.any(axis=1))
    first = int(used[0]) if used.size else len(section.cells)
    values = np.ascontiguousarray(section.cells[first:], "<u4")
    # The four bytes of a count apart: the upper ones are zero throughout and compress to nothing.
    planes = values.view(np.uint8).reshape(-1, 4).T.tobytes()
    return _SECTION.pack(kind, cell_s, section.first + first, len(values), len(planes)) + planes


def _read(
    data: bytes,
) -> tuple[dict[int, Section], Section | None, npt.NDArray[np.int64]]:
    rings: dict[int, Section] = {}
    principals, waiting = None, np.zeros((0, 5), np.int64)
    place = 0
    while place < len(data):
        kind, cell_s, first, rows, size = _SECTION.unpack_from(data, place)
        place += _SECTION.size
        content = np.frombuffer(data, np.uint8, size, place)
        place += size
        if kind == _WAITING:
            waiting = content.view("<i8").reshape(rows, 5).astype(np.int64)
            continue
        values = np.ascontiguousarray(content.reshape(4, -1).T).view("<u4").reshape(rows, 2)
        section = Section(first, values.astype(np.uint32))
        if kind == _RING:
            rings[cell_s] = section
        else:
            principals = section
    return rings, principals, waiting
