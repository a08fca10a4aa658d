"""An answer of the store that changes so seldom that it is asked for once a while."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

T = TypeVar("T")

WHILE = timedelta(minutes=1)


class Remembered(Generic[T]):
    """Asks anew a minute after it last did; may be called from several threads.

    Two that find it old at once both ask, which does no harm. What `ask` raises is raised, and
    remembered by nobody.
    """

    def __init__(self, ask: Callable[[], T], clock: Callable[[], datetime]) -> None:
        self._ask = ask
        self._clock = clock
        self._held: tuple[datetime, T] | None = None

    def __call__(self) -> T:
        """Return the answer."""
        now, held = self._clock(), self._held
        # A clock that went back makes it old too.
        if held is not None and timedelta(0) <= now - held[0] < WHILE:
            return held[1]
        found = self._ask()
        self._held = (now, found)
        return found
