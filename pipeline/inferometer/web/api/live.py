"""`/live`: what happens now, each second, to everybody who watches; one poller a workspace.

However many watch, the store is asked once a second for each workspace that is watched. Who reads
slowly skips seconds and is brought up to date by the next ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.errors import PipelineError
from inferometer.web.api.desk import rendered_json
from inferometer.web.api.live_window import AGAIN_S, SNAPSHOT_S, LiveWindow
from inferometer.web.api.problems import BusyError, response_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

    from inferometer.query_ports import QueryStore
    from inferometer.web.api.workers import Workers

TICK_S = 1.0
AWAY_TICK_S = 2.0
RETRY_MS = 2000

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """What is told to those who watch: a problem, or that the window has moved on."""

    problem: dict[str, Any] | None = None
    is_recovery: bool = False


class Watcher:
    """One who watches; holds the newest tick only."""

    def __init__(self, models: Sequence[str]) -> None:
        self.models = tuple(models)
        self._tick: Tick | None = None
        self._told = asyncio.Event()

    def tell(self, tick: Tick) -> None:
        """Hand over a tick, in place of one that was not read yet."""
        if self._tick is not None and self._tick.is_recovery and tick.problem is None:
            tick = self._tick
        self._tick = tick
        self._told.set()

    async def next(self) -> Tick:
        """Wait for a tick."""
        await self._told.wait()
        tick, self._tick = self._tick, None
        self._told.clear()
        return tick or Tick()


class Poller:
    """Asks for the last seconds of one workspace, or of all, while somebody watches."""

    def __init__(self, hub: LiveHub, workspace_id: str | None) -> None:
        self._hub = hub
        self._workspace_id = workspace_id
        self.watchers: set[Watcher] = set()
        self.window = LiveWindow()
        self._is_away = False
        self._documents: dict[tuple[str, ...], bytes] = {}

    async def run(self) -> None:
        """Ask again and again; ends when it is cancelled."""
        while True:
            tick = await self._tick()
            for watcher in tuple(self.watchers):
                watcher.tell(tick)
            await self._hub.pause(AWAY_TICK_S if self._is_away else TICK_S)

    async def _tick(self) -> Tick:
        try:
            await self._read()
        except PipelineError as error:
            self._is_away = True
            return Tick(problem=_problem_json(error))
        except Exception as error:
            logger.exception("live figures failed", extra={"reason": "internal_error"})
            self._is_away = True
            return Tick(problem=_problem_json(error))
        was_away, self._is_away = self._is_away, False
        return Tick(is_recovery=was_away)

    async def _read(self) -> None:
        now = self._hub.clock()
        since, until = self.window.span(now)
        rows, watermark = await self._hub.workers.run(
            lambda: self._hub.read(self._workspace_id, since, until)
        )
        self.window.take(rows, since, until, now, watermark)
        self._documents.clear()

    def seconds(self, models: tuple[str, ...]) -> bytes:
        """Return the last seconds as JSON; made once for all who watch the same models."""
        found = self._documents.get(models)
        if found is None:
            found = self._documents[models] = rendered_json(self.window.document(AGAIN_S, models))
        return found


class LiveHub:
    """Everybody who watches, and the pollers that serve them. Belongs to one event loop."""

    def __init__(
        self,
        *,
        store: QueryStore,
        workers: Workers,
        clock: Callable[[], datetime],
        most: int,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self.workers = workers
        self.clock = clock
        self.pause = pause
        self._most = most
        self._pollers: dict[str | None, tuple[Poller, asyncio.Task[None]]] = {}
        self._watching = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody else may watch."""
        return self._watching >= self._most

    def read(
        self, workspace_id: str | None, since: datetime, until: datetime
    ) -> tuple[Sequence[dict[str, Any]], datetime | None]:
        """Return the rows of some seconds, and the watermark; blocks."""
        rows = self._store.seconds(workspace_id, since, until)
        return rows, self._store.freshness().watermark

    @contextlib.asynccontextmanager
    async def watching(
        self, workspace_id: str | None, models: Sequence[str]
    ) -> AsyncIterator[tuple[Poller, Watcher]]:
        """Watch a workspace, or all. Raises BusyError where too many watch."""
        if self.is_full:
            raise BusyError
        self._watching += 1
        poller, task = self._pollers.get(workspace_id) or self._start(workspace_id)
        watcher = Watcher(models)
        poller.watchers.add(watcher)
        if not poller.window.is_empty:
            watcher.tell(Tick())
        try:
            yield poller, watcher
        finally:
            self._watching -= 1
            poller.watchers.discard(watcher)
            if not poller.watchers and self._pollers.get(workspace_id) == (poller, task):
                del self._pollers[workspace_id]
                task.cancel()

    def _start(self, workspace_id: str | None) -> tuple[Poller, asyncio.Task[None]]:
        poller = Poller(self, workspace_id)
        task = asyncio.get_running_loop().create_task(poller.run(), name="live")
        self._pollers[workspace_id] = poller, task
        return poller, task

    def close(self) -> None:
        """Stop every poller."""
        for _, task in self._pollers.values():
            task.cancel()
        self._pollers.clear()


async def live_events(
    hub: LiveHub,
    workspace_id: str | None,
    models: Sequence[str],
    is_still_welcome: Callable[[], Awaitable[Exception | None]],
) -> AsyncGenerator[bytes]:
    """Yield server-sent events: a snapshot, then the last seconds again each second.

    `is_still_welcome` is asked now and then; what it returns is told, and ends the stream.
    """
    async with hub.watching(workspace_id, models) as (poller, watcher):
        yield f"retry: {RETRY_MS}\n\n".encode()
        needs_snapshot = True
        while True:
            tick = await watcher.next()
            gone = await is_still_welcome()
            if gone is not None:
                yield _event("problem", hub.clock(), orjson.dumps(_problem_json(gone)))
                return
            if tick.problem is not None:
                needs_snapshot = True
                yield _event("problem", hub.clock(), orjson.dumps(tick.problem))
            elif needs_snapshot or tick.is_recovery:
                needs_snapshot = False
                data = rendered_json(poller.window.document(SNAPSHOT_S, watcher.models))
                yield _event("snapshot", hub.clock(), data)
            else:
                yield _event("seconds", hub.clock(), poller.seconds(watcher.models))


def _event(name: str, now: datetime, data: bytes) -> bytes:
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (int(now.timestamp() * 1000), name.encode(), data)


def _problem_json(error: Exception) -> dict[str, Any]:
    response = response_for(error)
    said = orjson.loads(response.body)
    return {
        "title": said["title"],
        "detail": said["detail"],
        "status": said["status"],
        "retry_after_s": int(response.headers.get("Retry-After", "0")),
    }
