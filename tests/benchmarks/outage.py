"""A worker's memory while its store is away under full input, and how soon it is at full rate again.

    python -m tests.benchmarks.outage --outage-s 300

Apache Kafka, `inferometer dev store` and one `inferometer worker` as processes; a backlog is written
before and keeps growing meanwhile, so that the worker always has more to fetch than it may hold.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer

from inferometer.kafka.local_broker import free_port
from inferometer.names import REQUESTS_TOPIC
from tests.benchmarks.feeder import make_values
from tests.faults.services import Store, new_broker, run_command

PARTITIONS = 8
BACKLOG = 800_000
RATE_BEFORE_S = 20.0
BACK_AT = 0.8
"""Share of the rate before the outage that counts as full rate again."""


def main(argv: list[str]) -> int:
    """Run the outage and print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.outage")
    parser.add_argument("--outage-s", type=float, default=300.0, help="how long the store is away")
    parser.add_argument(
        "--rate", type=float, default=3_000.0, help="events a second sent meanwhile"
    )
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="inferometer-outage-") as folder:
        print(json.dumps(_measure(Path(folder), arguments.outage_s, arguments.rate)))
    return 0


def _measure(folder: Path, outage_s: float, rate: float) -> dict[str, float]:
    broker, store = new_broker(folder), Store(folder)
    broker.start()
    store.start()
    try:
        run_command("topics", "--kafka", broker.bootstrap_servers, "--partitions", str(PARTITIONS))
        run_command("migrate", "--store", store.url)
        with (
            _feeding(broker.bootstrap_servers, rate),
            _worker(folder, broker.bootstrap_servers, store.url) as worker,
        ):
            found = _through(worker, store, outage_s)
            if found["seconds_to_full_rate"] == float("inf"):
                print((folder / "worker.log").read_text(errors="replace")[-4000:], file=sys.stderr)
            return found
    finally:
        store.kill()
        broker.close()


class _Worker:
    """The worker's process as the outside sees it."""

    def __init__(self, pid: int, port: int) -> None:
        self._pid = pid
        self._metrics = f"http://127.0.0.1:{port}/metrics"

    def rss_mb(self) -> float:
        """Return resident memory, megabytes."""
        pages = int(Path(f"/proc/{self._pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def metric(self, name: str) -> float:
        """Return a metric without labels; 0 while it does not answer."""
        try:
            with urllib.request.urlopen(self._metrics, timeout=5.0) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    @property
    def events(self) -> float:
        """Events stored, dead or duplicates so far."""
        return self.metric("inferometer_worker_events_total")


def _through(worker: _Worker, store: Store, outage_s: float) -> dict[str, float]:
    while worker.events < BACKLOG / 8:
        time.sleep(0.5)
    began, events = time.monotonic(), worker.events
    time.sleep(RATE_BEFORE_S)
    rate_before = (worker.events - events) / (time.monotonic() - began)
    before_mb = worker.rss_mb()
    store.kill()
    samples = []
    until = time.monotonic() + outage_s
    while time.monotonic() < until:
        time.sleep(1.0)
        samples.append(worker.rss_mb())
    in_flight_mb = worker.metric("inferometer_worker_in_flight_bytes") / 1e6
    store.start()
    back_s = _seconds_to_rate(worker, BACK_AT * rate_before)
    half = len(samples) // 2
    return {
        "outage_s": outage_s,
        "events_a_second_before": round(rate_before),
        "memory_before_mb": round(before_mb),
        "memory_first_half_mb": round(statistics.median(samples[:half])),
        "memory_second_half_mb": round(statistics.median(samples[half:])),
        "memory_most_mb": round(max(samples)),
        "in_flight_mb": round(in_flight_mb),
        "seconds_to_full_rate": round(back_s, 1),
    }


def _seconds_to_rate(worker: _Worker, rate: float) -> float:
    """Return when a span of five seconds first began in which the rate was reached."""
    began = time.monotonic()
    seen = [(0.0, worker.events)]
    while time.monotonic() - began < 120.0:
        time.sleep(0.5)
        now, events = time.monotonic() - began, worker.events
        seen.append((now, events))
        for at, then in seen:
            if now - at >= 5.0 and (events - then) / (now - at) >= rate:
                return at
    return float("inf")


@contextmanager
def _worker(folder: Path, address: str, url: str) -> Iterator[_Worker]:
    port = free_port()
    command = ["worker", "--kafka", address, "--store", url, "--metrics", f"127.0.0.1:{port}"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "inferometer", *command], stdout=log, stderr=log
        )
    try:
        yield _Worker(process.pid, port)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def _feeding(address: str, rate: float) -> Iterator[None]:
    """Write a backlog, then go on at a rate."""
    producer = Producer({"bootstrap.servers": address, "compression.type": "lz4", "linger.ms": 50})
    is_over = threading.Event()

    def send(count: int, seed: int) -> None:
        for number, value in enumerate(make_values("full", count, seed)):
            while True:
                try:
                    producer.produce(REQUESTS_TOPIC, value, partition=number % PARTITIONS)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.flush()

    def go_on() -> None:
        seed = 1000
        while not is_over.is_set():
            began = time.monotonic()
            seed += 1
            send(int(rate * 5), seed)
            is_over.wait(max(0.0, 5.0 - (time.monotonic() - began)))

    for seed in range(BACKLOG // 50_000):
        send(50_000, seed)
    thread = threading.Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
