"""One pipeline of real processes for a part: `inferometer dev store`, topics, `inferometer worker`s.

The broker is given; everything that is started here ends with the scene.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inferometer.kafka.local_broker import free_port
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import make_topics
from tests.benchmarks.process_tree import TreeMark, take_mark
from tests.faults.services import Store, run_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DATABASE = "inferometer"
LOG_TAIL = 3000
_STOP_S = 30.0
_ANSWER_S = 30.0
_POLL_S = 0.02


@dataclass
class Worker:
    """An `inferometer worker` process as the outside sees it."""

    process: subprocess.Popen[bytes]
    log: Path
    metrics_port: int
    spawned_at: float
    """Seconds since 1970, just before the process was made."""

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self.process.pid

    def mark(self) -> TreeMark:
        """Return CPU, memory and wall clock now."""
        return take_mark(self.pid)

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels; 0 while it does not answer."""
        url = f"http://127.0.0.1:{self.metrics_port}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    @property
    def events(self) -> float:
        """Events stored, dead or duplicates so far."""
        return self.metric("inferometer_worker_events_total")

    def require_alive(self) -> None:
        """Raise RuntimeError with the end of its log where it has ended."""
        if self.process.poll() is not None:
            raise RuntimeError(f"the worker ended with {self.process.returncode}: {self.tail}")

    @property
    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:]

    def stop(self) -> None:
        """End it in order, or else by force."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass
class Scene:
    """A store, a topic of its own, and workers of one group."""

    bootstrap_servers: str
    folder: Path
    store: Store
    topic: str
    partitions: int
    _started: ExitStack = field(default_factory=ExitStack)
    _count: int = 0

    def start_worker(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        program: Sequence[str] = (),
        environ: Mapping[str, str] | None = None,
    ) -> Worker:
        """Start a worker; `settings` are variables without their prefix, `program` replaces
        `-m inferometer`, `environ` is what that program reads besides.
        """
        self._count += 1
        port, log = free_port(), self.folder / f"worker-{self._count}.log"
        given = {"KAFKA_REQUESTS_TOPIC": self.topic, "KAFKA_GROUP": self.topic, **(settings or {})}
        variables = {f"INFEROMETER_{name}": value for name, value in given.items()}
        command = [
            sys.executable, *(program or ("-m", "inferometer")), "worker",
            "--kafka", self.bootstrap_servers, "--store", self.store.url,
            "--metrics", f"127.0.0.1:{port}",
        ]  # fmt: skip
        with log.open("wb") as out:
            spawned_at = time.time()
            process = subprocess.Popen(
                command,
                env={**os.environ, **variables, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        worker = Worker(process, log, port, spawned_at)
        self._started.callback(worker.stop)
        return worker

    def ask(self, query: str) -> list[list[str]]:
        """Return the rows of a query."""
        parameters = urllib.parse.urlencode(
            {"database": DATABASE, "default_format": "JSONCompactStrings"}
        )
        request = urllib.request.Request(f"{self.store.url}/?{parameters}", query.encode())
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
            rows: list[list[str]] = json.load(answer)["data"]
        return rows

    def tell(self, statement: str) -> None:
        """Run a statement that answers nothing."""
        parameters = urllib.parse.urlencode({"database": DATABASE})
        request = urllib.request.Request(f"{self.store.url}/?{parameters}", statement.encode())
        with urllib.request.urlopen(request, timeout=600.0):
            pass

    def stored_events(self) -> int:
        """Return how many events stand in the ledger, all their rows with them."""
        return int(self.ask("SELECT sum(events) FROM chunk_ledger")[0][0])

    def store_mark(self) -> TreeMark:
        """Return CPU and memory of the store's process now."""
        return take_mark(self.store.pid)

    def wait_for(self, events: int, workers: Sequence[Worker], *, timeout_s: float) -> None:
        """Wait until so many events stand in the ledger. Raises RuntimeError."""
        deadline = time.monotonic() + timeout_s
        while (found := self.stored_events()) < events:
            for worker in workers:
                worker.require_alive()
            if time.monotonic() > deadline:
                tails = "\n".join(worker.tail for worker in workers)
                raise RuntimeError(f"{found} of {events} events after {timeout_s:.0f} s: {tails}")
            time.sleep(_POLL_S)

    def new_topic(self) -> str:
        """Make a topic for the workers that are started from now on, and return its name."""
        self.topic = f"bench-{uuid.uuid4().hex[:12]}"
        kafka = KafkaSettings(bootstrap_servers=self.bootstrap_servers)
        make_topics(kafka, (self.topic,), partitions=self.partitions, replication_factor=1)
        return self.topic


@contextmanager
def new_scene(bootstrap_servers: str, folder: Path, *, partitions: int) -> Iterator[Scene]:
    """Start a store with the schema in it and make a topic; end all of it."""
    store = Store(folder)
    store.start()
    scene = Scene(bootstrap_servers, folder, store, topic="", partitions=partitions)
    try:
        run_command("migrate", "--store", store.url)
        scene.new_topic()
        with scene._started:
            yield scene
    finally:
        store.stop()
