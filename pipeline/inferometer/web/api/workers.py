"""Runs blocking questions in threads of their own: a bounded number at once, a bounded number waiting.

The event loop never blocks, and a store that has become slow fills the queue, not the memory.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from inferometer.errors import PipelineError
from inferometer.web.api.problems import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Answer = TypeVar("Answer")

STALLED_S = 60.0
"""A client that reads nothing for so long gives its thread back: there are few of them."""
PIECES_AHEAD = 4
"""How many pieces of an export may wait for a slow client."""
_GONE_CHECK_S = 0.5


class StalledError(PipelineError):
    """A file whose client read nothing for too long."""

    def __init__(self) -> None:
        super().__init__("the file was not read on for a minute; ask for it again")


@dataclass(frozen=True, slots=True)
class Opened:
    """A file on its way: what the response's headers say of it, and its pieces."""

    headers: Mapping[str, str]
    pieces: Iterator[bytes]

    def close(self) -> None:
        """Let go of whatever the pieces come from."""
        close = getattr(self.pieces, "close", None)
        if close is not None:
            close()


class Workers:
    """Threads that answer, and a queue that refuses when it is full."""

    def __init__(self, *, threads: int, waiting: int, name: str) -> None:
        self._room = threads + waiting
        self._pool = concurrent.futures.ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._under_way = 0
        self._lock = threading.Lock()

    def begin(self, call: Callable[[], Answer]) -> concurrent.futures.Future[Answer]:
        """Start a call, or have it wait for a thread. Raises BusyError where the queue is full."""
        with self._lock:
            if self._under_way >= self._room:
                raise BusyError
            self._under_way += 1
        try:
            future = self._pool.submit(call)
        except RuntimeError as error:
            self._ended(None)
            # The pool is closed: the server is stopping.
            raise BusyError from error
        # Not when who waits goes away: the thread is busy until the call returns.
        future.add_done_callback(self._ended)
        return future

    async def run(self, call: Callable[[], Answer]) -> Answer:
        """Return what a blocking call returns. Raises BusyError where the queue is full."""
        return await asyncio.wrap_future(self.begin(call))

    async def stream(
        self, opens: Callable[[], Opened], *, stalled_s: float = STALLED_S
    ) -> PieceStream:
        """Return what one thread opens and draws piece by piece, once the first piece is there.

        So a failure before the first piece is raised here, while it can be answered as one.
        """
        stream = PieceStream(opens, stalled_s)
        self.begin(stream.draw)
        try:
            await stream.begin()
        except BaseException:
            stream.close()
            raise
        return stream

    def close(self) -> None:
        """Take no more calls; those under way end by the limits of the store."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _ended(self, _: object) -> None:
        with self._lock:
            self._under_way -= 1


class PieceStream:
    """Pieces on their way from a thread to the event loop, no more ahead than a few."""

    def __init__(self, opens: Callable[[], Opened], stalled_s: float) -> None:
        self.headers: Mapping[str, str] = {}
        """What was said of the pieces; known after `begin`."""
        self._opens = opens
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Mapping[str, str] | bytes | Exception | None] = asyncio.Queue(
            PIECES_AHEAD
        )
        self._stalled_s = stalled_s
        self._is_gone = threading.Event()
        self._is_stalled = False
        self._first: bytes | None = None
        self._is_ended = False

    def draw(self) -> None:
        """Draw every piece, in a thread; stop where nobody wants them any more."""
        if self._is_gone.is_set():
            # It was waiting for a thread when its client left.
            return
        try:
            opened = self._opens()
            # A generator holds an answer of the store open until it is closed.
            with contextlib.closing(opened):
                if not self._put(opened.headers):
                    return
                for piece in opened.pieces:
                    if not self._put(piece):
                        return
            self._put(None)
        except Exception as error:  # noqa: BLE001 - it is raised again where the pieces are read
            self._put(error)

    def _put(self, item: Mapping[str, str] | bytes | Exception | None) -> bool:
        if self._is_gone.is_set():
            return False
        putting = self._queue.put(item)
        try:
            waiting = asyncio.run_coroutine_threadsafe(putting, self._loop)
        except RuntimeError:
            # The loop is closed: the server has stopped.
            putting.close()
            return False
        step_s = min(_GONE_CHECK_S, self._stalled_s)
        waited_s = 0.0
        while not self._is_gone.is_set() and not self._loop.is_closed():
            try:
                waiting.result(step_s)
            except TimeoutError:
                waited_s += step_s
                if waited_s >= self._stalled_s:
                    self._is_stalled = True
                    self.close()
            except concurrent.futures.CancelledError:
                return False
            else:
                return True
        waiting.cancel()
        return False

    async def begin(self) -> None:
        """Wait for headers and the first piece. Raises what opening or drawing raised."""
        headers = await self._next()
        if not isinstance(headers, bytes | None):
            self.headers = headers
            self._first = await self._next_piece()

    def __aiter__(self) -> PieceStream:
        return self

    async def __anext__(self) -> bytes:
        first, self._first = self._first, None
        if first is not None:
            return first
        piece = None if self._is_ended else await self._next_piece()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def _next_piece(self) -> bytes | None:
        item = await self._next()
        return item if isinstance(item, bytes) else None

    async def _next(self) -> Mapping[str, str] | bytes | None:
        if self._is_stalled and self._queue.empty():
            # Broken off, so that what was read is not taken for the whole.
            raise StalledError
        item = await self._queue.get()
        if isinstance(item, Exception):
            self._is_ended = True
            raise item
        self._is_ended = item is None
        return item

    async def aclose(self) -> None:
        """Want no more pieces; safe to call twice."""
        self.close()

    def close(self) -> None:
        """As `aclose`, without a loop."""
        self._is_gone.set()
