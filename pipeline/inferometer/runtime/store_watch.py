"""Whether the store answers and has its schema, asked every few seconds beside everything else."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Self

from inferometer.errors import PipelineError
from inferometer.runtime.opened_store import require_schema
from inferometer.runtime.ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.clickhouse.connect import StoreConnection

PROBE_EVERY_S = 5.0
PROBE_TIMEOUT_S = 15.0
"""A store that has not answered for so long counts as away, be it that it hangs."""

logger = logging.getLogger(__name__)


class StoreWatch:
    """Enter it to begin, leave it to end; safe for threads."""

    def __init__(
        self,
        connection: StoreConnection,
        *,
        monotonic: Callable[[], float],
        every_s: float = PROBE_EVERY_S,
    ) -> None:
        self._connection = connection
        self._monotonic = monotonic
        self._answered_s: float | None = None
        self._has_schema = False
        self._problem = "has not answered yet"
        self._ticker = Ticker("store", every_s, self.probe, end=connection.close_of_this_thread)

    def __enter__(self) -> Self:
        self._ticker.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._ticker.__exit__()

    @property
    def is_up(self) -> bool:
        """Whether the store has answered of late, and has its schema."""
        answered_s = self._answered_s
        return answered_s is not None and self._monotonic() - answered_s < PROBE_TIMEOUT_S

    def obstacles(self) -> list[str]:
        """Return why questions cannot be answered now."""
        if self.is_up:
            return []
        return [f"the store at {self._connection.settings.place} {self._problem}"]

    def probe(self) -> None:
        """Ask the store once."""
        was_up = self.is_up
        try:
            if not self._has_schema:
                require_schema(self._connection)
                self._has_schema = True
            with self._connection.errors():
                self._connection.reader().query("SELECT 1")
        except PipelineError as error:
            self._answered_s = None
            self._problem = f"does not answer: {error}"
            if was_up:
                logger.warning("the store went away: %s", error, extra={"reason": "store_away"})
        else:
            if self._problem and not was_up:
                logger.info("the store answers")
            self._problem = "has not answered for a while"
            self._answered_s = self._monotonic()
