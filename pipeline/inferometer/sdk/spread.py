"""Which partition an event that shares its record goes to: its producer and its second decide.

Events of one second share a partition, so that they can share a record; the next second has
another, so that a topic fills evenly. Both are read off the event's bytes and what the spool keeps,
so the same event finds the same partition whoever sends it again, and whatever it shares its record
with then.
"""

from __future__ import annotations

import random
import re
from hashlib import blake2b

from inferometer.sdk.partitioning import murmur2

BY_KEY = 0
"""In place of a producer: each event goes where its own key belongs, in a record of its own."""

_INSTANT = re.compile(rb'"ts_end"\s*:\s*(?:(\d{10})\d{6}(?!\d)|"([^"]{19}))').search
"""An instant in microseconds, of 16 digits from 2001 to 2286, or in the form of RFC 3339."""
_MAX_KNOWN = 256
_POSITIVE = 0x7FFF_FFFF


def producer_of(source: str) -> int:
    """Return what tells one producer from others: of its name for good, else of chance."""
    if not source:
        return random.getrandbits(63) | 1
    return int.from_bytes(blake2b(source.encode(), digest_size=8).digest(), "big") >> 1 | 1


def second_of(value: bytes) -> bytes:
    """Return what tells the second of an event's end; empty where its JSON does not say."""
    found = _INSTANT(value)
    return b"" if found is None else found[1] or found[2]


def shared_key(producer: int, second: bytes) -> bytes:
    """Return the key of a record of several events."""
    return b"%016x-%s" % (producer, second)


class Spread:
    """The key and partition of each second of one producer; partition -1 leaves it to the key."""

    def __init__(self, producer: int) -> None:
        self.producer = producer
        self._known: dict[tuple[bytes, int], tuple[bytes, int]] = {}

    def place(self, second: bytes, partitions: int) -> tuple[bytes, int]:
        """Return key and partition; `partitions` is how many there are, 0 where nobody knows."""
        name = second, partitions
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            key = shared_key(self.producer, second)
            chosen = (murmur2(key) & _POSITIVE) % partitions if partitions else -1
            found = self._known[name] = (key, chosen)
        return found
