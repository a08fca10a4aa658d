"""What alerts did: kept in a store while alerting runs, and asked of one by address."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.alert_history import ClickHouseAlertHistory
from inferometer.clickhouse.settings import StoreSettings
from inferometer.errors import PipelineError
from inferometer.jobs.keep_history import KeepHistory
from inferometer.kafka.history_reader import HistoryReader
from inferometer.runtime.opened_store import opened_store

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.kafka.alert_topics import AlertTopicNames
    from inferometer.kafka.settings import KafkaSettings

TRY_AGAIN_S = 15.0

logger = logging.getLogger(__name__)


class HistoryKeeping:
    """Follows what alerts tell their topics; nothing that goes wrong here reaches alerting.

    The topics keep what the store does not take, and the group goes on where it was.
    """

    def __init__(
        self, kafka: KafkaSettings, named: AlertTopicNames, store: StoreSettings | StoreConnection
    ) -> None:
        """Keep history in a store of one's own, or in one that is open already."""
        self._kafka = kafka
        self._named = named
        self._store = store
        self._is_stopped = False
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def request_stop(self) -> None:
        """Ask for an orderly end, from any thread."""
        self._is_stopped = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)

    async def run(self) -> None:
        """Keep history until told to stop, whatever it takes; on a loop that may be blocked."""
        self._loop = asyncio.get_running_loop()
        while not self._is_stopped:
            try:
                with self._opened() as connection:
                    await self._follow(connection)
            except PipelineError as error:
                logger.warning(
                    "the history of alerts is not kept for now, and made up for later: %s",
                    error,
                    extra={"reason": "history_away"},
                )
                await self._pause()
            except Exception:
                logger.exception(
                    "the history of alerts failed; please report it",
                    extra={"reason": "internal_error"},
                )
                await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), TRY_AGAIN_S)

    def _opened(self) -> AbstractContextManager[StoreConnection]:
        if isinstance(self._store, StoreSettings):
            return opened_store(self._store)
        return contextlib.nullcontext(self._store)

    async def _follow(self, connection: StoreConnection) -> None:
        keeps = KeepHistory(ClickHouseAlertHistory(connection))
        reader = HistoryReader(
            self._kafka,
            group=self._kafka.group,
            keepers={
                self._named.transitions: keeps.transitions,
                self._named.attempts: keeps.attempts,
            },
        )
        await reader.run(self._stopping)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One incident: its row, what happened to it in order, and who was told how."""

    incident: dict[str, Any]
    transitions: list[dict[str, Any]]
    attempts: list[dict[str, Any]]

    @property
    def drivers(self) -> list[dict[str, Any]]:
        """Return those of its last notice that named any; see `failure_drivers`."""
        own_id = self.incident["incident_id"]
        named = [
            each["drivers"]
            for each in self.attempts
            if each["drivers"] and each["incident_id"] == own_id
        ]
        return named[-1] if named else []


def explain(store: StoreSettings, prefix: str) -> list[dict[str, Any]] | Explanation:
    """Return the incident whose id begins so, or the rows of all that do where it is not one.

    Raises StoreError, and StateError where the schema is not up to date.
    """
    with opened_store(store) as connection:
        history = ClickHouseAlertHistory(connection)
        found = history.incidents_named(prefix)
        whole = [row for row in found if row["incident_id"] == prefix]
        if len(found) != 1 and not whole:
            return found
        incident = (whole or found)[0]
        incident_id = incident["incident_id"]
        return Explanation(
            incident=incident,
            transitions=history.transitions(incident_id),
            attempts=history.attempts(incident_id),
        )


def incidents(
    store: StoreSettings, *, since: datetime, until: datetime, limit: int
) -> list[dict[str, Any]]:
    """Return the incidents that were open in [since, until), the latest first. Raises StoreError."""
    with opened_store(store) as connection:
        return ClickHouseAlertHistory(connection).incidents(since=since, until=until, limit=limit)
