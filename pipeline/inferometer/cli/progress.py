"""Progress of long work on stderr: a line now and then, none for work that is quick."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

EVERY_S = 2.0


class Progress:
    """Call it with what is being done; it prints what is still being done after a while."""

    def __init__(self, stderr: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stderr = stderr
        self._clock = clock
        self._printed_at = clock()

    def __call__(self, line: str) -> None:
        """Print the line, unless another was printed just before."""
        at = self._clock()
        if at - self._printed_at >= EVERY_S:
            self._printed_at = at
            print(line, file=self._stderr, flush=True)
