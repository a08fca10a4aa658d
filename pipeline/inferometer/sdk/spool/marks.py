"""What a spool knows about its items besides their bytes: how far they were handed to the producer
and acknowledged, by how many partitions their keys were divided, and which producer's seconds chose
among them.

An append-only text file, one mark a line with its checksum; lines that do not check are passed over,
which costs a second sending of what they told, never an item. Marks are not forced to the disk, so
how far items were handed over is believed only as long as the machine has not started anew.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

MARKS_FILE = "marks"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UNKNOWN_BOOT = 0
EVERYTHING = 1 << 62
_COMPACT_AT_BYTES = 64 * 1024


class Marks:
    """The marks of one spool folder. Methods that write raise OSError."""

    def __init__(self, folder: Path, *, boot: int | None = None) -> None:
        """Read the marks; `boot` tells one run of the machine from another (default: ask it)."""
        boot = boot_id() if boot is None else boot
        self._path = folder / MARKS_FILE
        self.acknowledged = 0
        """Every item that ends here or before is with the broker."""
        self.counts: list[tuple[int, int]] = []
        """From a position on, the number of partitions that keys are divided by; ascending."""
        self.producers: list[tuple[int, int]] = []
        """From a position on, whose seconds choose the partition; see `inferometer.sdk.spread`."""
        self.handed = 0
        """Nothing from here on was ever handed to a producer."""
        self._boots: set[int] = set()
        self._boot = boot
        if self._path.exists():
            for line in self._path.read_bytes().splitlines():
                self._take(line)
        self._file = -1
        self._size = 0
        if boot == _UNKNOWN_BOOT or self._boots != {boot}:
            self.handed = EVERYTHING
        self._rewrite()

    def note_acknowledged(self, position: int) -> None:
        """Remember that everything before a position is with the broker."""
        self.acknowledged = position
        self._append(b"a %d" % position)

    def note_handed(self, position: int) -> None:
        """Remember, before it happens, that items up to a position are handed to a producer."""
        self.handed = position
        self._append(b"h %d" % position)

    def note_count(self, position: int, partitions: int) -> None:
        """Remember the number of partitions before anything from a position on is sent by it."""
        self.counts.append((position, partitions))
        self._append(b"c %d %d" % (position, partitions))

    def count_at(self, position: int) -> int:
        """Return the number of partitions that an item is sent by; 0 where none was noted."""
        return next((count for start, count in reversed(self.counts) if start <= position), 0)

    def note_producer(self, position: int, producer: int) -> None:
        """Remember whose seconds choose the partition before anything from a position on is sent."""
        self.producers.append((position, producer))
        self._append(b"p %d %d" % (position, producer))

    def note_spread(self, position: int, partitions: int, producer: int) -> None:
        """Remember both where they differ from what holds so far; what was sent stays with that."""
        # Without a number nothing was ever sent.
        position = position if self.counts else 0
        if (self.producers[-1][1] if self.producers else 0) != producer:
            self.note_producer(position, producer)
        if not self.counts or self.counts[-1][1] != partitions:
            self.note_count(position, partitions)

    def next_spread(self, position: int) -> int:
        """Return the first position behind one from which on another rule holds."""
        changes = (at for at, _ in (*self.counts, *self.producers) if at > position)
        return min(changes, default=EVERYTHING)

    def producer_at(self, position: int) -> int:
        """Return whose seconds choose the partition of an item; 0 leaves it to the item's key."""
        return next((who for start, who in reversed(self.producers) if start <= position), 0)

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take(self, line: bytes) -> None:
        text, _, checksum = line.rpartition(b" ")
        try:
            kind, *numbers = text.split()
            values = [int(number) for number in numbers]
            is_sound = int(checksum, 16) == zlib.crc32(text)
        except ValueError:
            return
        if is_sound and kind == b"a" and len(values) == 1:
            self.acknowledged = max(self.acknowledged, values[0])
        elif is_sound and kind == b"c" and len(values) == 2:
            self.counts.append((values[0], values[1]))
        elif is_sound and kind == b"p" and len(values) == 2:
            self.producers.append((values[0], values[1]))
        elif is_sound and kind == b"h" and len(values) == 1:
            self.handed = values[0]
        elif is_sound and kind == b"b" and len(values) == 1:
            self._boots.add(values[0])

    def _append(self, text: bytes) -> None:
        line = _line(text)
        os.write(self._file, line)
        self._size += len(line)
        if self._size > _COMPACT_AT_BYTES:
            self._rewrite()

    def _rewrite(self) -> None:
        """Write only what still matters, and put the new file in the place of the old one."""
        self.counts = self._that_matter(self.counts)
        self.producers = self._that_matter(self.producers)
        lines = [_line(b"b %d" % self._boot), _line(b"h %d" % self.handed)]
        lines += [_line(b"a %d" % self.acknowledged)]
        lines += [_line(b"c %d %d" % each) for each in self.counts]
        lines += [_line(b"p %d %d" % each) for each in self.producers]
        fresh = self._path.with_suffix(".new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        try:
            os.write(file, b"".join(lines))
            fresh.replace(self._path)
        except OSError:
            os.close(file)
            raise
        self.close()
        self._file, self._size = file, sum(map(len, lines))

    def _that_matter(self, marks: list[tuple[int, int]]) -> list[tuple[int, int]]:
        past = [each for each in marks if each[0] <= self.acknowledged]
        return past[-1:] + [each for each in marks if each[0] > self.acknowledged]


def _line(text: bytes) -> bytes:
    # A leading line end keeps a mark whole behind one that was cut short.
    return b"\n%s %08x\n" % (text, zlib.crc32(text))


def boot_id() -> int:
    """Return what tells this run of the machine from others; the same number where none does."""
    try:
        return int(_BOOT_ID.read_text(encoding="ascii").replace("-", ""), 16)
    except (OSError, ValueError):
        return _UNKNOWN_BOOT
