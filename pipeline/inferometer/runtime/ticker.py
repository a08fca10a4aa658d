"""A thread that does something again and again, beside the loop of the worker."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

JOIN_S = 2.0

logger = logging.getLogger(__name__)


class Ticker:
    """Enter it to begin at once, leave it to end; a call that hangs is left behind.

    What a call raises is logged, and the next call comes all the same: watching must not end what
    is watched.
    """

    def __init__(
        self,
        name: str,
        every_s: float,
        tick: Callable[[], None],
        *,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        """Call `tick` every so often, and `end` after the last time, both in the same thread."""
        self._name = name
        self._every_s = every_s
        self._tick = tick
        self._end = end
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"inferometer-{name}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._tick()
            except Exception:
                logger.exception("watching %s failed", self._name, extra={"watch": self._name})
            self._ended.wait(self._every_s)
        self._end()
