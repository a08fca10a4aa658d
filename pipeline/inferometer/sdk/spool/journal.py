"""Segment files of frames: appended to, read in order, deleted once everything in them is delivered.

A position counts bytes over all segments ever written; a segment is named by that of its first byte.
A process always begins a segment of its own, so what an earlier one left is never written to again.
"""

from __future__ import annotations

import enum
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from inferometer.sdk.spool.frames import Damage, Frame, frame_bytes, frames, wanted_bytes
from inferometer.sdk.spool.slots import SEGMENT_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from inferometer.sdk.items import Item

ASIDE_FOLDER = "aside"
REASONS_FILE = "reasons.jsonl"
_SEGMENT_BYTES = 8 << 20
# Not every system has the cheaper one, which leaves out the time of the change.
_force = getattr(os, "fdatasync", os.fsync)
_WINDOW_BYTES = 1 << 20


class Fsync(enum.Enum):
    """When written items are forced to the disk; a kill of the process loses none of them anyway."""

    BATCH = "batch"
    """After each write: a power loss takes nothing that `persist` has reported."""
    INTERVAL = "interval"
    """A power loss takes at most the last `spool_fsync_interval_s`."""
    NEVER = "never"
    """A power loss takes what the system has not written yet, 30 s on most."""


class Journal:
    """The items of one spool folder. Raises OSError where the disk refuses."""

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        fsync: Fsync,
        fsync_interval_s: float,
        monotonic: Callable[[], float],
        now_ms: Callable[[], int],
        begin: int = 0,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._segment_bytes = max(1, min(_SEGMENT_BYTES, max_bytes // 8))
        self._fsync = fsync
        self._interval_s = fsync_interval_s
        self._monotonic = monotonic
        self._now_ms = now_ms
        self._bases = sorted(
            int(path.stem) for path in folder.glob(f"*{SEGMENT_SUFFIX}") if path.stem.isdecimal()
        )
        ends = [base + self._path(base).stat().st_size for base in self._bases]
        self.end = max([begin, *ends])
        self.set_aside = 0
        """Damaged frames and refused items that this process put aside."""
        self._aside_bytes = sum(
            path.stat().st_size for path in (folder / ASIDE_FOLDER).glob("*") if path.is_file()
        )
        self._file = -1
        self._unsynced_since: float | None = None

    @property
    def size_bytes(self) -> int:
        """What the segments and the bytes put aside take."""
        # Counts are asked for by other threads, so a segment may go between two looks.
        held = sum(self.end - base for base in self._bases[:1])
        return held + self._aside_bytes

    def append(self, items: Sequence[Item]) -> list[Frame]:
        """Write the items that there is room for, by one call; return their frames."""
        at_ms, position = self._now_ms(), self.end
        room = self._max_bytes - self.size_bytes
        parts: list[bytes] = []
        written: list[Frame] = []
        for item in items:
            data = frame_bytes(item, position, at_ms)
            room -= len(data)
            if room < 0:
                break
            parts.append(data)
            written.append(Frame(position, position + len(data), at_ms, item))
            position += len(data)
        if written:
            self._write(b"".join(parts))
            if self._fsync is not Fsync.NEVER and self._unsynced_since is None:
                self._unsynced_since = self._monotonic()
            if self._fsync is Fsync.BATCH:
                self._keep(begin=written[0].start)
        return written

    def read(self, position: int) -> list[Frame | Damage]:
        """Return some of what follows a position; empty at the end."""
        base = self._segment_of(position)
        if base is None:
            return []
        position = max(position, base)
        until = self._end_of(base)
        window = _WINDOW_BYTES
        while True:
            asked_to = min(until, position + window)
            data = self._bytes(base, position, asked_to)
            # A file that somebody cut short has no more, however often it is asked.
            is_whole = asked_to >= until or position + len(data) < asked_to
            found = list(frames(data, position, is_whole=is_whole))
            if found or is_whole:
                return found
            window = max(2 * window, wanted_bytes(data, 0))

    def release(self, position: int) -> None:
        """Delete the segments that end at a position or before, the one being written once it is full."""
        while self._bases and self._end_of(self._bases[0]) <= position:
            if self._file >= 0 and len(self._bases) == 1:
                if self.end - self._bases[0] < self._segment_bytes:
                    return
                self.abandon()
            self._path(self._bases[0]).unlink(missing_ok=True)
            del self._bases[0]

    def put_aside(self, start: int, data: bytes, reason: str) -> None:
        """Keep bytes that cannot be sent, and why, beside the spool."""
        folder = self._folder / ASIDE_FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"{start:020d}-{self._now_ms()}.bin"
        path.write_bytes(data)
        line = orjson.dumps({"file": path.name, "position": start, "reason": reason}) + b"\n"
        with (folder / REASONS_FILE).open("ab") as reasons:
            reasons.write(line)
        self._aside_bytes += len(data) + len(line)
        self.set_aside += 1

    def bytes_between(self, start: int, end: int) -> bytes:
        """Return the bytes of one segment as they are."""
        base = self._segment_of(start)
        return b"" if base is None else self._bytes(base, start, end)

    def sync_when_due(self, acknowledged: int) -> None:
        """Force written items to the disk where the policy says that it is time.

        What the broker has acknowledged needs no disk.
        """
        since = self._unsynced_since
        if since is None or acknowledged == self.end:
            self._unsynced_since = None
        elif self._fsync is Fsync.BATCH or self._monotonic() - since >= self._interval_s:
            self._sync()

    def close(self, acknowledged: int) -> None:
        """Leave on the disk what the next process has to send."""
        if acknowledged != self.end:
            self._leave_segment()
        self.abandon()
        self.release(acknowledged)

    def abandon(self) -> None:
        """Close without a word to the disk: in a forked child the files are the parent's."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, data: bytes) -> None:
        if self._file < 0 or self.end - self._bases[-1] >= self._segment_bytes:
            self._begin_segment()
        written = 0
        try:
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError:
            # Half a batch must not stand before what is written next: a new segment follows, which
            # ends this one where the last whole batch does.
            self.abandon()
            raise
        self.end += len(data)

    def _keep(self, begin: int) -> None:
        """Force what was written from a position on to the disk, or take it back."""
        try:
            self._sync()
        except OSError:
            # The caller sends it past the spool now, which must not send it as well.
            with suppress(OSError):
                os.ftruncate(self._file, begin - self._bases[-1])
            self.end, self._unsynced_since = begin, None
            self.abandon()
            raise

    def _begin_segment(self) -> None:
        self._leave_segment()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(self._path(self.end), flags, 0o600)
        if not self._bases or self._bases[-1] != self.end:
            self._bases.append(self.end)
        if self._fsync is not Fsync.NEVER:
            folder = os.open(self._folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _leave_segment(self) -> None:
        if self._file >= 0:
            if self._unsynced_since is not None:
                self._sync()
            self.abandon()

    def _sync(self) -> None:
        if self._file >= 0:
            _force(self._file)
        self._unsynced_since = None

    def _segment_of(self, position: int) -> int | None:
        """Return the segment of a position, or the next where it was lost."""
        return next((base for base in self._bases if self._end_of(base) > position), None)

    def _end_of(self, base: int) -> int:
        at = self._bases.index(base)
        following = self._bases[at + 1] if at + 1 < len(self._bases) else self.end
        if base == self._bases[-1]:
            return following
        return min(following, base + self._path(base).stat().st_size)

    def _bytes(self, base: int, start: int, end: int) -> bytes:
        with self._path(base).open("rb") as segment:
            segment.seek(start - base)
            return segment.read(end - start)

    def _path(self, base: int) -> Path:
        return self._folder / f"{base:020d}{SEGMENT_SUFFIX}"
