"""The named steps of the protocol: a store and a committer that trace them, and die at one.

A step is `before`, `during` or `after` a call, named by what the call does: `taking` (a partition's
progress is read on assignment), `intent`, `acknowledgement`, `acknowledgement+intent` (commits), and
`insert:<table>`.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson

from inferometer.errors import StoreError
from inferometer.kafka.commits import FencedError
from tests.faults import trace
from tests.faults.trace import Trace

if TYPE_CHECKING:
    import pyarrow as pa

    from inferometer.core.chunks import StreamPartition
    from inferometer.core.resumption import StoredProgress

TABLES = (
    "chunk_intents", "requests", "service_10s_rows", "service_1m_rows", "service_1h_rows",
    "usage_1m_rows", "usage_1h_rows", "chunk_ledger",
)  # fmt: skip
CALLS = (
    "taking", "intent", "acknowledgement", "acknowledgement+intent",
    *(f"insert:{table}" for table in TABLES),
)  # fmt: skip
STEPS = tuple(
    f"{when}:{call}" for call in CALLS for when in ("before", "during", "after")
)  # fmt: skip
RARE_STEPS = tuple(f"{when}:insert:dead_letters" for when in ("before", "during", "after"))
"""Not every chunk has dead letters."""


@dataclass(frozen=True, slots=True)
class Fate:
    """At which passing of which step a worker kills itself."""

    step: str
    nth: int = 1
    delay_s: float = 0.0
    """How far into the call, where the step is `during` one."""

    def write(self, path: Path) -> None:
        """Put it where the worker looks, whole or not at all."""
        draft = path.with_suffix(".draft")
        draft.write_text(f"{self.step} {self.nth} {self.delay_s}")
        draft.rename(path)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return what is there now; None where nothing is."""
        try:
            step, nth, delay_s = path.read_text().split(" ")
        except OSError:
            return None
        return cls(step, int(nth), float(delay_s))


class Reaper:
    """Ends the process by kill -9 at the step that its fate names; looks for one at every step."""

    def __init__(self, path: Path, lines: Trace) -> None:
        self._path = path
        self._passed = 0
        self._lines = lines
        self._lock = threading.Lock()

    def passing(self, when: str, call: str) -> None:
        """Hear that a step is passed."""
        fate = Fate.read(self._path)
        if fate is None or fate.step != f"{when}:{call}":
            return
        with self._lock:
            self._passed += 1
            if self._passed != fate.nth:
                return
        if when == "during":
            threading.Timer(fate.delay_s, self._die, (fate,)).start()
        else:
            self._die(fate)

    def _die(self, fate: Fate) -> None:
        self._lines.write(trace.DYING, detail=fate.step)
        os.kill(os.getpid(), signal.SIGKILL)


class SteppedStore:
    """A `ChunkStore` over the real one; `tokens` off gives every insert a token of its own."""

    def __init__(self, inner: Any, lines: Trace, reaper: Reaper, *, intents: bool, tokens: bool):
        self._inner = inner
        self._lines = lines
        self._reaper = reaper
        self._intents = intents
        self._tokens = tokens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def insert(self, *, table: str, rows: pa.Table, token: str) -> None:
        """Insert, and trace it; an intent is left out where intents are off."""
        place = token.rsplit("/", 3)
        if len(place) != 4 or "-" not in place[2]:
            self._inner.insert(table=table, rows=rows, token=token)
            return
        if table == "chunk_intents" and not self._intents:
            return
        partition = int(place[1])
        first, last = map(int, place[2].split("-"))
        if not self._tokens:
            token = f"{token}/{os.urandom(8).hex()}"
        call = f"insert:{table}"
        self._reaper.passing("before", call)
        self._lines.write(trace.INSERT, partition, first, last, table)
        self._reaper.passing("during", call)
        try:
            self._inner.insert(table=table, rows=rows, token=token)
        except StoreError:
            self._lines.write(trace.FAILED, partition, first, last, table)
            raise
        self._lines.write(trace.STORED, partition, first, last, table)
        self._reaper.passing("after", call)

    def progress(self, source: StreamPartition) -> StoredProgress:
        """Ask the store how far a partition is; where intents are off, it knows nothing."""
        self._lines.write(trace.TAKEN, source.partition)
        self._reaper.passing("before", "taking")
        self._reaper.passing("during", "taking")
        found: StoredProgress = self._inner.progress(source)
        self._reaper.passing("after", "taking")
        if self._intents:
            return found
        return type(found)(next_offset=None, open_intent=None)


class SteppedCommitter:
    """A `Committer` over the real one; where intents are off, it commits offsets alone."""

    def __init__(self, inner: Any, lines: Trace, reaper: Reaper, *, intents: bool) -> None:
        self._inner = inner
        self._lines = lines
        self._reaper = reaper
        self._intents = intents
        self._open: dict[int, tuple[int, int]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit_position(
        self, membership: Any, key: Any, offset: int, metadata: str, *more: Any
    ) -> None:
        """Commit, and trace it."""
        fields = orjson.loads(metadata) if metadata else {}
        intent = fields.get("intent")
        closes = key.partition in self._open and offset > self._open[key.partition][0]
        call = "acknowledgement" if closes else ""
        if intent is not None:
            call = "acknowledgement+intent" if closes else "intent"
            if not self._intents:
                metadata = orjson.dumps({**fields, "intent": None}).decode()
        self._reaper.passing("before", call)
        self._reaper.passing("during", call)
        try:
            await self._inner.commit_position(membership, key, offset, metadata, *more)
        except FencedError:
            self._lines.write(trace.FENCED, key.partition, offset, detail=call or "-")
            raise
        if closes:
            self._lines.write(trace.DONE, key.partition, offset)
        if intent is not None:
            first, last = intent["first_offset"], intent["last_offset"]
            self._open[key.partition] = (first, last)
            generation = getattr(membership, "generation", -1)
            self._lines.write(trace.INTENT, key.partition, first, last, str(generation))
        else:
            self._open.pop(key.partition, None)
        self._reaper.passing("after", call)
