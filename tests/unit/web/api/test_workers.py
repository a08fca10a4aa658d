"""A bounded number of questions at once and waiting; files are drawn no faster than they are read."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from inferometer.errors import StoreError
from inferometer.web.api.problems import BusyError
from inferometer.web.api.workers import PIECES_AHEAD, Opened, StalledError, Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 60


def test_a_full_queue_refuses_and_takes_again_once_there_is_room() -> None:
    gate = threading.Event()

    async def run() -> None:
        workers = Workers(threads=1, waiting=1, name="test")
        held = [asyncio.ensure_future(workers.run(lambda: gate.wait(WAIT_S))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await workers.run(lambda: True)
        gate.set()
        assert await asyncio.gather(*held) == [True, True]
        assert await workers.run(lambda: True)
        workers.close()

    asyncio.run(run())


def test_a_thread_counts_as_busy_after_its_client_went_away() -> None:
    gate = threading.Event()

    async def run() -> None:
        workers = Workers(threads=1, waiting=0, name="test")
        gone = asyncio.ensure_future(workers.run(lambda: gate.wait(WAIT_S)))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(BusyError):
            await workers.run(lambda: True)
        gate.set()
        workers.close()

    asyncio.run(run())


def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    def fails() -> None:
        raise StoreError("away", retryable=True)

    async def run() -> None:
        workers = Workers(threads=1, waiting=0, name="test")
        with pytest.raises(StoreError):
            await workers.run(fails)
        workers.close()

    asyncio.run(run())


class Pieces:
    """Pieces that are counted, and that say when they were let go."""

    def __init__(self, most: int, *, fails_at: int | None = None) -> None:
        self.most = most
        self.fails_at = fails_at
        self.drawn = 0
        self.is_closed = threading.Event()

    def open(self) -> Opened:
        return Opened({"X-Row-Count": str(self.most)}, self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        try:
            for place in range(self.most):
                if place == self.fails_at:
                    raise StoreError("away", retryable=True)
                self.drawn += 1
                yield b"%d;" % place
        finally:
            self.is_closed.set()


def test_pieces_arrive_in_order_after_the_headers() -> None:
    async def run() -> None:
        workers, pieces = Workers(threads=1, waiting=0, name="test"), Pieces(20)
        stream = await workers.stream(pieces.open)
        assert stream.headers == {"X-Row-Count": "20"}
        assert b"".join([piece async for piece in stream]) == b"".join(
            b"%d;" % place for place in range(20)
        )
        assert pieces.is_closed.wait(WAIT_S)
        workers.close()

    asyncio.run(run())


def test_a_failure_before_the_first_piece_is_raised_before_the_response_begins() -> None:
    async def run() -> None:
        workers, pieces = Workers(threads=1, waiting=0, name="test"), Pieces(3, fails_at=0)
        with pytest.raises(StoreError):
            await workers.stream(pieces.open)
        workers.close()

    asyncio.run(run())


def test_a_failure_within_a_file_breaks_it_off() -> None:
    async def run() -> None:
        workers, pieces = Workers(threads=1, waiting=0, name="test"), Pieces(3, fails_at=2)
        stream = await workers.stream(pieces.open)
        with pytest.raises(StoreError):
            [piece async for piece in stream]
        workers.close()

    asyncio.run(run())


def test_nothing_is_drawn_that_nobody_reads_and_a_client_that_leaves_ends_the_reading() -> None:
    async def run() -> None:
        workers, pieces = Workers(threads=1, waiting=0, name="test"), Pieces(1000)
        stream = await workers.stream(pieces.open)
        await anext(stream)
        await stream.aclose()
        assert await asyncio.to_thread(pieces.is_closed.wait, WAIT_S)
        # The headers, those in the queue, and the one that was waiting to get in.
        assert pieces.drawn <= PIECES_AHEAD + 3
        workers.close()

    asyncio.run(run())


def test_a_client_that_reads_nothing_gives_its_thread_back_and_never_a_file_that_looks_whole() -> (
    None
):
    async def run() -> None:
        workers, pieces = Workers(threads=1, waiting=0, name="test"), Pieces(1000)
        stream = await workers.stream(pieces.open, stalled_s=0.05)
        assert await asyncio.to_thread(pieces.is_closed.wait, WAIT_S)
        with pytest.raises(StalledError):
            [piece async for piece in stream]
        workers.close()

    asyncio.run(run())


def test_who_left_while_waiting_for_a_thread_costs_the_store_nothing() -> None:
    gate = threading.Event()

    async def run() -> None:
        workers, pieces = Workers(threads=1, waiting=1, name="test"), Pieces(1)
        held = asyncio.ensure_future(workers.run(lambda: gate.wait(WAIT_S)))
        asking = asyncio.ensure_future(workers.stream(pieces.open))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        gate.set()
        await held
        assert await workers.run(lambda: pieces.drawn) == 0
        workers.close()

    asyncio.run(run())


def test_an_empty_file_is_a_file() -> None:
    async def run() -> None:
        workers, pieces = Workers(threads=1, waiting=0, name="test"), Pieces(0)
        stream = await workers.stream(pieces.open)
        assert [piece async for piece in stream] == []
        workers.close()

    asyncio.run(run())
