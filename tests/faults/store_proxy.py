"""Stands between the workers and the store, and spoils chosen inserts before or after they commit."""

from __future__ import annotations

import asyncio
import enum
import threading
from collections import Counter, deque
from dataclasses import dataclass, field

LIMIT_BYTES = 256 << 20
_REFUSAL = b"the harness refuses this request"
_ANSWER = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
)


class Spoil(enum.StrEnum):
    """What becomes of an insert."""

    REFUSED = "refused"
    """Answered 500, never sent on."""
    REFUSED_AFTER_COMMIT = "refused_after_commit"
    HUNG = "hung"
    """Never sent on, never answered: the connection is held, then closed."""
    HUNG_AFTER_COMMIT = "hung_after_commit"
    CLOSED = "closed"
    """The connection is closed, nothing was sent on."""
    CLOSED_AFTER_COMMIT = "closed_after_commit"
    CUT = "cut"
    """Half of the request is sent on, then both connections are closed."""


AFTER_COMMIT = frozenset(
    {Spoil.REFUSED_AFTER_COMMIT, Spoil.HUNG_AFTER_COMMIT, Spoil.CLOSED_AFTER_COMMIT}
)


@dataclass(frozen=True, slots=True)
class Order:
    """One insert to spoil."""

    spoil: Spoil
    hold_s: float = 0.0
    """How long a connection hangs."""


@dataclass(frozen=True, slots=True)
class _Message:
    head: bytes
    body: bytes

    @property
    def is_insert(self) -> bool:
        first_line = self.head.split(b"\r\n", 1)[0]
        return first_line.startswith(b"POST") and b"insert_deduplication_token" in first_line


class _SpoiledError(Exception):
    """The connection ends here, as ordered."""


@dataclass
class StoreProxy:
    """An HTTP proxy on a thread of its own; `order` spoils the next insert that passes."""

    store_port: int
    port: int = 0
    done: Counter[Spoil] = field(default_factory=Counter)
    _orders: deque[Order] = field(default_factory=deque)
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None
    _thread: threading.Thread | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def order(self, spoil: Spoil, hold_s: float = 0.0) -> None:
        """Spoil one more insert; from any thread."""
        self._orders.append(Order(spoil, hold_s))

    def start(self) -> None:
        """Listen; returns once it does."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="store-proxy", daemon=True
        )
        self._thread.start()
        ready.wait()

    def close(self) -> None:
        """End every connection."""
        if self._loop is not None and self._stop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, limit=LIMIT_BYTES, backlog=128
        )
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        upstream: list[asyncio.StreamWriter] = []
        try:
            await self._relay(reader, writer, upstream)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, _SpoiledError):
            pass
        except asyncio.CancelledError:
            return
        finally:
            for each in (writer, *upstream):
                each.close()

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        upstream: list[asyncio.StreamWriter],
    ) -> None:
        """Pass requests and answers on, one after another."""
        store: asyncio.StreamReader | None = None
        while True:
            request = await _read_message(reader, is_answer=False)
            order = self._orders.popleft() if request.is_insert and self._orders else None
            if order is not None and order.spoil not in AFTER_COMMIT:
                await self._spoil(order, writer, request)
            if store is None:
                store, to_store = await asyncio.open_connection(
                    "127.0.0.1", self.store_port, limit=LIMIT_BYTES
                )
                upstream.append(to_store)
            await _send(upstream[0], request.head + request.body)
            answer = await _read_message(store, is_answer=True)
            if order is not None:
                await self._spoil(order, writer, request)
            await _send(writer, answer.head + answer.body)

    async def _spoil(self, order: Order, writer: asyncio.StreamWriter, request: _Message) -> None:
        """Do what was ordered. Always raises _SpoiledError."""
        self.done[order.spoil] += 1
        match order.spoil:
            case Spoil.REFUSED | Spoil.REFUSED_AFTER_COMMIT:
                await _send(writer, _ANSWER % (len(_REFUSAL), _REFUSAL))
            case Spoil.HUNG | Spoil.HUNG_AFTER_COMMIT:
                await asyncio.sleep(order.hold_s)
            case Spoil.CUT:
                whole = request.head + request.body
                _, to_store = await asyncio.open_connection("127.0.0.1", self.store_port)
                await _send(to_store, whole[: (len(request.head) + len(whole)) // 2])
                to_store.close()
            case Spoil.CLOSED | Spoil.CLOSED_AFTER_COMMIT:
                pass
        raise _SpoiledError


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _read_message(reader: asyncio.StreamReader, *, is_answer: bool) -> _Message:
    """Read a request or an answer, the framing of its body as it came."""
    head = await reader.readuntil(b"\r\n\r\n")
    fields = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip().lower()
    if fields.get(b"transfer-encoding") == b"chunked":
        return _Message(head, await _read_chunks(reader))
    if b"content-length" in fields:
        return _Message(head, await reader.readexactly(int(fields[b"content-length"])))
    if is_answer and head.split(b" ", 2)[1] not in {b"204", b"304"}:
        return _Message(head, await reader.read())
    return _Message(head, b"")


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while True:
        size_line = await reader.readuntil(b"\r\n")
        size = int(size_line.split(b";")[0], 16)
        parts += [size_line, await reader.readexactly(size + 2)]
        if size == 0:
            return b"".join(parts)
