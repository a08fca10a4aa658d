"""Everything that runs in the harness: broker, store, proxy, workers, producers; and how far it is."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.fleet import ProducerPlan, ProducerProcess, WorkerPlace, Workers
from tests.faults.producer_main import PAUSE, STOP, Progress
from tests.faults.schedule import Mix
from tests.faults.services import START_TIMEOUT_S, Store, new_broker, run_command
from tests.faults.store_proxy import StoreProxy
from tests.faults.topic import LogEnds
from tests.faults.traffic import MODELS, PROVIDERS, RATES
from tests.faults.verify import deduplicated_blocks, open_store

TOPIC = "inference.requests"
GROUP = "faults"
PARTITIONS = 8
PRODUCERS = 3
WATCH_S = 1.0
DRAIN_TIMEOUT_S = 600.0
MIN_BACKLOG, MAX_BACKLOG = 10_000, 100_000
AHEAD = 1.15
"""How much faster producers send than the run needs, since they pause and die at times."""
_SAY_EVERY_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run does."""

    seed: int
    events: int
    minutes: float
    mix: Mix
    workers: int = 4
    session_timeout_s: float = 6.0
    chunk_range: tuple[int, int] = (200, 8000)
    step_wait_s: float = 12.0
    """How long a worker has to come to the step at which it is to die."""
    without: str = ""
    """`intents` or `tokens`: a protocol that must be seen to fail."""

    @property
    def backlog(self) -> int:
        """Records that may wait for the workers; beyond it the producers pause."""
        return min(MAX_BACKLOG, max(MIN_BACKLOG, self.events // 8))


@dataclass
class Scene:
    """Services and processes of one run; `start` it, watch it, drain it, close it."""

    plan: Plan
    folder: Path
    say: Callable[[str], None]
    injected: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    lag: int = 0
    """Records that waited for their ledger row at the last look."""
    stored: dict[int, int] = field(default_factory=dict)
    """The offset after the last chunk of each partition at the last look."""
    deduplicated: dict[int, int] = field(default_factory=dict)
    """Blocks that the store found to be there already, by its start, at the last look."""

    def __post_init__(self) -> None:
        self.broker = new_broker(self.folder)
        self.store = Store(self.folder)
        self.proxy = StoreProxy(self.store.port)
        self.producers: list[ProducerProcess] = []
        self.workers: Workers | None = None
        self._ends: LogEnds | None = None
        self._started_s = self._watched_s = self._said_s = time.monotonic()

    def start(self) -> Workers:
        """Start services and processes; returns once they are asked to work."""
        self.broker.start(timeout_s=START_TIMEOUT_S)
        self.store.start()
        self.proxy.start()
        run_command("migrate", "--store", self.store.url)
        run_command(
            "topics", "--kafka", self.broker.bootstrap_servers, "--partitions", str(PARTITIONS)
        )
        self.workers = self._new_workers()
        for slot in range(self.plan.workers):
            self.workers.fill(slot)
        for number in range(PRODUCERS):
            self.producers.append(ProducerProcess(self._producer_plan(number)))
            self.producers[-1].start()
        self._started_s = time.monotonic()
        return self.workers

    def _new_workers(self) -> Workers:
        prices = self.folder / "prices.json"
        prices.write_text(json.dumps(_price_file()))
        place = WorkerPlace(
            kafka=self.broker.bootstrap_servers,
            store=f"http://127.0.0.1:{self.proxy.port}",
            topic=TOPIC,
            group=GROUP,
            prices=prices,
            folder=self.folder,
            session_timeout_s=self.plan.session_timeout_s,
            without=self.plan.without,
        )
        return Workers(
            place,
            self.plan.seed,
            self.plan.chunk_range,
            pressure=lambda: self.lag / self.plan.backlog,
        )

    def _producer_plan(self, number: int) -> ProducerPlan:
        return ProducerPlan(
            number=number,
            kafka=self.broker.bootstrap_servers,
            topic=TOPIC,
            folder=self.folder / f"producer-{number}",
            seed=self.plan.seed,
            rate=AHEAD * self.plan.events / (self.plan.minutes * 60) / PRODUCERS,
        )

    def close(self) -> None:
        """End everything that runs."""
        for producer in self.producers:
            producer.kill()
        if self.workers is not None:
            self.workers.close()
        if self._ends is not None:
            self._ends.close()
        self.proxy.close()
        self.store.stop()
        self.broker.close()

    # Watching

    def watch(self, for_s: float) -> None:
        """Let time pass; pause producers that are too far ahead of the workers."""
        time.sleep(for_s)
        now_s = time.monotonic()
        if now_s - self._watched_s < WATCH_S:
            return
        self._watched_s = now_s
        self.lag = self._lag_now(default=self.lag)
        for producer in self.producers:
            pause = producer.plan.folder / PAUSE
            if self.lag > self.plan.backlog:
                pause.touch()
            else:
                pause.unlink(missing_ok=True)
        if now_s - self._said_s > _SAY_EVERY_S:
            self._said_s = now_s
            self.say(self._summary(now_s - self._started_s))

    def _lag_now(self, *, default: int) -> int:
        """Return how many records wait for their ledger row."""
        if not (self.store.is_running and self.broker.is_running):
            return default
        try:
            if self._ends is None:
                self._ends = LogEnds(self.broker.bootstrap_servers, TOPIC, PARTITIONS)
            ends = self._ends.ask(timeout_s=2.0)
            self._look_at_store()
        except Exception:  # noqa: BLE001 - both services come and go here
            return default
        return sum(end - self.stored.get(each, 0) for each, end in ends.items())

    def _look_at_store(self) -> None:
        """Note how far the ledger is, and how many blocks the store has found to be there already."""
        with contextlib.closing(open_store(self.store.port)) as client:
            rows = client.query(
                "SELECT kafka_partition, max(last_offset) + 1 FROM chunk_ledger "
                "GROUP BY kafka_partition"
            ).result_rows
            self.stored = {int(partition): int(end) for partition, end in rows}
            self.deduplicated[self.store.starts] = deduplicated_blocks(client)

    @property
    def sent(self) -> int:
        """Events that the producers' clients have vouched for."""
        return sum(Progress(each.plan.folder).events for each in self.producers)

    def _summary(self, at_s: float) -> str:
        lives = [] if self.workers is None else self.workers.lives
        ended = Counter(life.cause for life in lives if life.cause)
        return (
            f"{at_s:5.0f} s  sent {self.sent:,}  waiting {self.lag:,}  workers ended "
            f"{_counts(ended)}  injected {_counts(self.injected)}"
        )

    # After the faults

    def drain(self) -> None:
        """Let producers and workers finish what is there. Notes a problem where they do not.

        Every worker is stopped in order first and comes back with the largest chunks.
        """
        if self.workers is None:
            return
        self.workers.chunk_range = (self.plan.chunk_range[1], self.plan.chunk_range[1])
        for slot in range(self.plan.workers):
            self.workers.leave(slot)
            self.workers.fill(slot)
        deadline = time.monotonic() + max(DRAIN_TIMEOUT_S, self.plan.minutes * 60)
        while time.monotonic() < deadline:
            self.watch(WATCH_S)
            if self.sent >= self.plan.events:
                for producer in self.producers:
                    (producer.plan.folder / STOP).touch()
            for producer in self.producers:
                if producer.exit_code not in {None, 0}:
                    self.problems.append(
                        f"producer {producer.plan.number} ended with {producer.exit_code}"
                    )
                    return
            if self.lag == 0 and all(each.exit_code == 0 for each in self.producers):
                self.workers.close()
                return
        self.problems.append(f"{self.lag} records still wait after the faults ended")


def _counts(counter: Counter[str]) -> str:
    return " ".join(f"{name}={count}" for name, count in sorted(counter.items())) or "-"


def _price_file() -> dict[str, Any]:
    entries = [
        {
            "provider": PROVIDERS[MODELS.index(model)],
            "model": model,
            "unit": unit,
            ("usd_per_unit" if unit == "images" else "usd_per_mtok"): usd,
        }
        for model, rates in RATES.items()
        for unit, usd in rates.items()
    ]
    return {"format": "inferometer.prices.v1", "label": "faults", "prices": entries}
