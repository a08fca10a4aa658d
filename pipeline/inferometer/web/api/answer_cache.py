"""Keeps answers for a moment, and has equal questions at one time asked once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable
    from datetime import datetime

    from inferometer.core.query.questions import TimeRange

FRESH_S = 2.0
OLD_SPAN_S = 30.0
"""For spans that ended long ago: only late events and repairs change them."""
_OLD_AFTER_S = 3600.0
_BY_SPAN_S = ((86_400.0, 10.0), (3600.0, 5.0))
"""Seconds to keep answers about spans that are longer: a point of theirs is minutes or hours."""
MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document as it is sent, and how long it may be sent again."""

    body: bytes
    keep_s: float = FRESH_S
    gzipped: bytes | None = None
    """The same, compressed; None where that is not worth it."""

    @property
    def weight(self) -> int:
        """Bytes that it takes."""
        return len(self.body) + len(self.gzipped or b"")


def keep_s(span: TimeRange, now: datetime) -> float:
    """Return how long an answer about a span may be sent again."""
    if (now - span.end).total_seconds() > _OLD_AFTER_S:
        return OLD_SPAN_S
    length_s = (span.end - span.start).total_seconds()
    return next((kept_s for longer_s, kept_s in _BY_SPAN_S if length_s > longer_s), FRESH_S)


class AnswerCache:
    """Answers by question. Belongs to one event loop.

    A key must hold all that an answer depends on, who may see it included. Failures are shared by
    those who wait for one answer, and never kept.
    """

    def __init__(self, *, seconds: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        """Take a clock that never goes back."""
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, tuple[float, Rendered]] = OrderedDict()
        self._bytes = 0
        self._asked: dict[Hashable, asyncio.Task[Rendered]] = {}

    async def get(self, key: Hashable, ask: Callable[[], Awaitable[Rendered]]) -> Rendered:
        """Return the answer that is kept or on its way, or else ask."""
        kept = self._kept.get(key)
        if kept is not None and self._seconds() < kept[0]:
            self._kept.move_to_end(key)
            return kept[1]
        task = self._asked.get(key)
        if task is None:
            task = asyncio.ensure_future(self._ask(key, ask))
            self._asked[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # Who goes away takes the answer from nobody else.
        return await asyncio.shield(task)

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[Rendered]]) -> Rendered:
        answer = await ask()
        self._keep(key, answer)
        return answer

    def _forget(self, key: Hashable, task: asyncio.Task[Rendered]) -> None:
        self._asked.pop(key, None)
        if not task.cancelled():
            # Read, so that a failure that nobody waited for is not reported by the loop.
            task.exception()

    def _keep(self, key: Hashable, answer: Rendered) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self._bytes -= before[1].weight
        self._kept[key] = (self._seconds() + answer.keep_s, answer)
        self._bytes += answer.weight
        while self._bytes > self._max_bytes:
            _, (_, oldest) = self._kept.popitem(last=False)
            self._bytes -= oldest.weight
