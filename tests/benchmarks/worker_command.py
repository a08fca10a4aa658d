"""Measures `inferometer worker` of any tree over a filled topic, by nothing but its command line.

How far it is is told by the offsets that its group has committed, so that a commit of last month,
of which nothing else is known, is measured by the same rule.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import Consumer, TopicPartition

from tests.benchmarks.contest import ContestError
from tests.benchmarks.feeder import PARTITIONS
from tests.benchmarks.pinning import measured_core, pinned
from tests.benchmarks.process_tree import take_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.benchmarks.other_commit import Tree
    from tests.benchmarks.process_tree import TreeMark
    from tests.benchmarks.topic_filling import FilledTopic

_POLL_S = 0.02
_STALL_S = 180.0
_STOP_S = 60.0
_ANSWER_S = 10.0


def events_per_cpu_s(
    tree: Tree, servers: str, topic: FilledTopic, marks: tuple[int, int, int], folder: Path
) -> float:
    """Return the rate between the first two marks; the third is all that the topic holds.

    Raises ContestError where the worker fails, stalls, or has not stored each event once.
    """
    begin, until, events = marks
    data, group = folder / "data", f"{topic.name}-{time.time_ns()}"
    _run(tree, "migrate", "--data", str(data))
    environ = tree.environ() | {"INFEROMETER_KAFKA_REQUESTS_TOPIC": topic.name}
    command = ["worker", "--kafka", servers, "--data", str(data), "--group", group]
    with (folder / "worker.log").open("wb") as log, pinned(measured_core()):
        process = subprocess.Popen(
            [tree.python, "-m", "inferometer", *command],
            env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        with _committed(servers, group, topic.name) as committed:
            start, end = _marks(process, committed, begin, until, events)
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)
    except (ContestError, subprocess.TimeoutExpired) as error:
        said = (folder / "worker.log").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise ContestError(f"{tree.name}: {error}\n{said}") from error
    finally:
        process.kill()
        process.wait()
    _require_stored(tree, data, events)
    return (end[0] - start[0]) / (end[1].cpu_s - start[1].cpu_s)


def _marks(
    process: subprocess.Popen[bytes],
    committed: Callable[[], int],
    begin: int,
    until: int,
    events: int,
) -> tuple[tuple[int, TreeMark], tuple[int, TreeMark]]:
    start: tuple[int, TreeMark] | None = None
    end: tuple[int, TreeMark] | None = None
    last, deadline = 0, time.monotonic() + _STALL_S
    while last < events:
        done = committed()
        if done > last:
            last, deadline = done, time.monotonic() + _STALL_S
            if start is None and done >= begin:
                start = done, take_mark(process.pid)
            elif start is not None and end is None and done >= until:
                end = done, take_mark(process.pid)
        if process.poll() is not None or time.monotonic() > deadline:
            raise ContestError(f"the worker stands at {last} of {events} events")
        time.sleep(_POLL_S)
    if start is None or end is None:
        raise ContestError(f"{events} events are too few for two marks; run it over more")
    return start, end


@contextmanager
def _committed(servers: str, group: str, topic: str) -> Iterator[Callable[[], int]]:
    """Yield what tells how many records a group has committed."""
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": group, "enable.auto.commit": False}
    )
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    try:
        yield lambda: sum(
            max(0, each.offset) for each in consumer.committed(partitions, timeout=_ANSWER_S)
        )
    finally:
        consumer.close()


def _require_stored(tree: Tree, data: Path, events: int) -> None:
    query = "SELECT count() AS n FROM requests"
    rows = json.loads(_run(tree, "sql", query, "--data", str(data), "--json"))
    if int(rows[0]["n"]) != events:
        raise ContestError(f"{tree.name}: {rows[0]['n']} rows are stored, sent were {events}")


def _run(tree: Tree, *arguments: str) -> str:
    done = subprocess.run(
        [tree.python, "-m", "inferometer", *arguments],
        env=tree.environ(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ContestError(f"{tree.name}: inferometer {arguments[0]}: {done.stderr[-2000:]}")
    return done.stdout
