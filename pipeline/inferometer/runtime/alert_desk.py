"""What the query API asks about alerts: those of this process, or of one that is reached by address.

Implements the ports AlertStatus and SilenceDesk.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.core.alerts.maintenance import ending as window_ending
from inferometer.core.alerts.matcher_texts import parse_matcher
from inferometer.core.alerts.mute_json import maintenance_answer, silence_answer, silence_from
from inferometer.core.alerts.silences import MuteRefusedError, changes, ending
from inferometer.errors import BrokerError, StateError
from inferometer.runtime.clock import now_us
from inferometer.runtime.silences import NOT_FOUND, InterfaceError, SilenceClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inferometer.alert_ports import AlertStatus, Objectives, SilenceDesk, SilenceStore
    from inferometer.config import Settings
    from inferometer.core.alerts.mute_book import Entry, MuteBook

BAD_REQUEST = 400
PUT_TIMEOUT_S = 15.0
READ_EVERY_S = 15.0
"""Evaluation keeps its state every minute, and reading it takes a connection to the broker."""

Row = dict[str, Any]
Running = tuple["SilenceStore", asyncio.AbstractEventLoop]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSources:
    """What is known of alerts here; None where nobody can be asked."""

    status: AlertStatus | None = None
    desk: SilenceDesk | None = None
    objectives: Objectives | None = None


def alert_sources(settings: Settings, environ: Mapping[str, str]) -> AlertSources:
    """Return whom the settings name: objectives whose state a broker keeps, and an interface.

    Raises ConfigError.
    """
    desk = None
    if settings.web.alerts_url:
        token = settings.alerts.http_token.reveal()
        desk = InterfaceDesk(SilenceClient(settings.web.alerts_url, token=token))
    if settings.alerts.slo_path is None:
        return AlertSources(desk=desk)
    # Counting comes with them, whose kernels take seconds to load: not for who names no objectives.
    from inferometer.runtime.alert_setup import load_setup
    from inferometer.runtime.alert_status import read_status
    from inferometer.runtime.objective_facts import DeclaredObjectives

    setup = load_setup(settings, environ, needs_receivers=False)
    return AlertSources(
        status=KeptStatus(lambda: read_status(settings, environ)),
        desk=desk,
        objectives=DeclaredObjectives(setup),
    )


class KeptStatus:
    """An AlertStatus that is read now and then, once for all who ask."""

    def __init__(
        self,
        read: Callable[[], list[Row]],
        *,
        every_s: float = READ_EVERY_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._every_s = every_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept: tuple[float, list[Row]] | None = None

    def rows(self) -> list[Row]:
        """Return how groups stood a moment ago; see AlertStatus."""
        with self._lock:
            now_s = self._monotonic()
            if self._kept is None or now_s - self._kept[0] >= self._every_s:
                self._kept = now_s, self._read()
            return self._kept[1]


class RunningStatus:
    """An AlertStatus of alerts that run in this process."""

    def __init__(self, read: Callable[[], list[Row]]) -> None:
        self._read = read

    def rows(self) -> list[Row]:
        """Return how groups stand now; see AlertStatus."""
        return self._read()


class InterfaceDesk:
    """A SilenceDesk that asks the HTTP interface of `inferometer alerts`."""

    def __init__(self, client: SilenceClient) -> None:
        self._client = client

    def silences(self, filters: Sequence[str] = ()) -> list[Row]:
        """Return the silences; see SilenceDesk."""
        return self._client.silences(filters)

    def windows(self) -> list[Row]:
        """Return the maintenance windows; see SilenceDesk."""
        return self._client.windows()

    def add_silence(self, silence: Mapping[str, Any]) -> str:
        """Make a silence; see SilenceDesk."""
        # Read here first, so that what is wrong with it is told field by field.
        silence_from(dict(silence), now_us=now_us())
        try:
            return self._client.add_silence(silence)
        except InterfaceError as error:
            if error.status == BAD_REQUEST:
                raise MuteRefusedError([str(error)]) from error
            raise

    def expire(self, entry_id: str) -> str:
        """End a silence or maintenance window; see SilenceDesk."""
        try:
            return self._client.expire(entry_id)
        except InterfaceError as error:
            if error.status == NOT_FOUND:
                raise _unknown(entry_id) from error
            raise


class RunningDesk:
    """A SilenceDesk on the silences of alerts that run in this process, on a loop of their own."""

    def __init__(self, running: Callable[[], Running | None]) -> None:
        """Ask `running` for the store of silences and its loop; None while alerts start or end."""
        self._running = running

    def silences(self, filters: Sequence[str] = ()) -> list[Row]:
        """Return the silences; see SilenceDesk."""
        at_us = now_us()
        try:
            wanted = {parse_matcher(text) for text in filters}
        except ValueError as error:
            raise MuteRefusedError([f"filter: {error}"]) from error
        found = [each for each in self._book().silences() if wanted <= set(each.matchers)]
        found.sort(key=lambda each: (-each.starts_at_us, each.id))
        return [silence_answer(each, at_us) for each in found]

    def windows(self) -> list[Row]:
        """Return the maintenance windows; see SilenceDesk."""
        at_us = now_us()
        found = sorted(self._book().windows(), key=lambda each: (-each.starts_at_us, each.id))
        return [maintenance_answer(each, at_us) for each in found]

    def add_silence(self, silence: Mapping[str, Any]) -> str:
        """Make a silence; see SilenceDesk."""
        at_us = now_us()
        wanted = silence_from(dict(silence), now_us=at_us)
        before = self._book().silence(wanted.id) if wanted.id else None
        if wanted.id and before is None:
            raise _unknown(wanted.id)
        versions = changes(wanted, before, now_us=at_us, new_id=str(uuid.uuid4()))
        self._put(versions)
        return versions[-1].id

    def expire(self, entry_id: str) -> str:
        """End a silence or maintenance window; see SilenceDesk."""
        book, at_us = self._book(), now_us()
        silence, window = book.silence(entry_id), book.window(entry_id)
        if silence is not None:
            ended: Entry | None = ending(silence, at_us)
        elif window is not None:
            ended = window_ending(window, at_us)
        else:
            raise _unknown(entry_id)
        if ended is not None:
            self._put([ended])
        return "silence" if silence is not None else "maintenance"

    def _book(self) -> MuteBook:
        return self._found()[0].book()

    def _put(self, entries: Sequence[Entry]) -> None:
        store, loop = self._found()
        putting = asyncio.run_coroutine_threadsafe(store.put(entries), loop)
        try:
            putting.result(PUT_TIMEOUT_S)
        except FutureTimeoutError as error:
            putting.cancel()
            raise BrokerError(
                "the broker did not confirm the silence; it may be stored or not: look, then try "
                "again",
                retryable=True,
            ) from error

    def _found(self) -> Running:
        found = self._running()
        if found is None:
            raise StateError("alerts do not run at this moment; try again in a few seconds")
        return found


def _unknown(entry_id: str) -> MuteRefusedError:
    return MuteRefusedError([f"no silence or maintenance window has the id {entry_id[:64]}"])
