"""Runs a measured process against a feeder, several times, each with a fresh broker and store."""

from __future__ import annotations

import multiprocessing
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.benchmarks import feeder
from tests.benchmarks.measuring import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

    from tests.benchmarks.feeder import Feed

ANSWER_TIMEOUT_S = 300.0
# Every event is made, and sent to a broker that keeps it, before a run begins.
FILL_TIMEOUT_S = 1800.0
# Forking a process that holds librdkafka or ClickHouse would copy their locks, not their threads.
_CONTEXT = multiprocessing.get_context("spawn")


def measure(feed: Feed, measured: Callable[..., None], *, runs: int) -> list[Span]:
    """Return what the events of a feed took in each run of a measured process."""
    fetched = _CONTEXT.Array("q", feeder.PARTITIONS, lock=False)
    with _process(feeder.serve, fetched, feed) as commands:
        return [_one_run(feed, measured, commands, fetched) for _ in range(runs)]


def _one_run(feed: Feed, measured: Callable[..., None], commands: Connection, fetched: Any) -> Span:
    for partition in range(feeder.PARTITIONS):
        fetched[partition] = 0
    commands.send("open")
    place = _answer(commands, FILL_TIMEOUT_S)
    pipe, far_end = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=measured, args=(place, feed, far_end, fetched), daemon=True)
    process.start()
    try:
        _answer(pipe)
        commands.send("warm")
        _answer(pipe)
        commands.send("go")
        span = _answer(pipe)
        process.join(ANSWER_TIMEOUT_S)
    finally:
        process.kill()
    commands.send("close")
    if not isinstance(span, Span):
        raise TypeError(f"expected a measurement, got {span!r}")
    return span


def in_process(
    work: Callable[..., None], *arguments: Any, timeout_s: float = ANSWER_TIMEOUT_S
) -> Any:
    """Return what `work(pipe, *arguments)` sends from a process of its own."""
    pipe, far_end = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=work, args=(far_end, *arguments), daemon=True)
    process.start()
    try:
        return _answer(pipe, timeout_s)
    finally:
        process.kill()


@contextmanager
def _process(work: Callable[..., None], *arguments: Any) -> Iterator[Connection]:
    pipe, far_end = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=work, args=(far_end, *arguments), daemon=True)
    process.start()
    try:
        yield pipe
        pipe.send("end")
        process.join(ANSWER_TIMEOUT_S)
    finally:
        process.kill()


def _answer(pipe: Connection, timeout_s: float = ANSWER_TIMEOUT_S) -> Any:
    if not pipe.poll(timeout_s):
        raise RuntimeError(f"a process of the benchmark has been silent for {timeout_s:.0f} s")
    answer = pipe.recv()
    if isinstance(answer, BaseException):
        raise answer
    return answer
