"""`inferometer worker` with tiny caps, killed again and again: roll-ups are what an oracle folds."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Producer

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.dimension_caps import OTHER
from inferometer.kafka.local_broker import free_port
from tests.integration.test_worker_process import (
    PASSWORD,
    is_open,
    migrated,
    process,
    until,
)
from tests.oracle.folding import FoldingOracle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

PARTITIONS = 2
EVENTS = 1600
KILLS = (0.25, 0.6)
"""Shares of the events that are stored when a worker is killed."""
CAPS = {"user_id": 40, "team_id": 3}

Event = dict[str, Any]


def synthetic(now_us: int) -> list[Event]:
    rnd = random.Random(17)
    return [
        {
            "event_id": f"e-{number}",
            "request_id": f"r-{number}",
            "model": rnd.choice(["alpha", "beta"]),
            "status_code": rnd.choice([200, 200, 200, 500]),
            "ts_end": now_us - rnd.randrange(60 * 10**6),
            "input_tokens": rnd.randrange(1000),
            "price_cost": rnd.randrange(1000) / 1000,
            # Users appear throughout, so that lists grow in many chunks.
            "user_id": f"u{rnd.randrange(1 + number // 10)}",
            "team_ids": rnd.choice([[], [f"t{rnd.randrange(6)}"]]),
        }
        for number in range(EVENTS)
    ]


def send(kafka_broker: KafkaService, topic: str, events: list[Event]) -> None:
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap_servers})
    for number, event in enumerate(events):
        producer.produce(topic, json.dumps(event).encode(), partition=number % PARTITIONS)
    assert producer.flush(180) == 0


def folded(events: list[Event], dimension: str) -> Counter[tuple[str, str]]:
    """Return attempts and input tokens by value, as the partitions fold it one by one."""
    found: Counter[tuple[str, str]] = Counter()
    oracles = [FoldingOracle() for _ in range(PARTITIONS)]
    for number, event in enumerate(events):
        raw = event["user_id"] if dimension == "user_id" else next(iter(event["team_ids"]), "")
        value = oracles[number % PARTITIONS].fold("now", dimension, raw, CAPS[dimension])
        found["attempts", value] += 1
        found["input_tokens", value] += event["input_tokens"]
    return found


def test_a_worker_that_is_killed_folds_as_one_that_is_not(
    kafka_broker: KafkaService, kafka_packages: None, tmp_path: Path
) -> None:
    topic = kafka_broker.new_topic(partitions=PARTITIONS)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    caps = "\n".join(f"{name} = {cap}" for name, cap in CAPS.items())
    (tmp_path / "worker.toml").write_text(
        f'[kafka]\nrequests_topic = "{topic}"\ninstance_id = "only"\n'
        f"[worker]\nchunk_max_wait_s = 0.2\nchunk_max_events = 100\n[cardinality]\n{caps}\n"
    )
    worker = (
        "worker", "--config", str(tmp_path / "worker.toml"), "--group", topic, "--store", url,
        "--kafka", kafka_broker.bootstrap_servers,
    )  # fmt: skip
    store = ("dev", "store", "--port", str(port), "--data", str(tmp_path / "store"))
    events = synthetic(int(time.time() * 1_000_000))
    send(kafka_broker, topic, events)
    with process(tmp_path / "store.log", *store):
        until(lambda: is_open(port), "the store listens")
        migrated(url)
        with StoreConnection(StoreSettings(url=url, password=PASSWORD)) as connection:
            client = connection.client()

            def stored() -> int:
                return int(str(client.command("SELECT count() FROM requests")))

            def has_stored(events: float) -> bool:
                return stored() >= events

            for share in KILLS:
                with process(tmp_path / "worker.log", *worker) as running:
                    until(partial(has_stored, share * EVENTS), "the worker gets on")
                    os.kill(running.pid, signal.SIGKILL)
            with process(tmp_path / "worker.log", *worker):
                closed = "SELECT sum(stored) FROM chunk_ledger"
                until(lambda: int(str(client.command(closed))) >= EVENTS, "all is stored")
            assert stored() == EVENTS
            for relation in ("usage_1m", "usage_1h"):
                for dimension in CAPS:
                    rows = client.query(
                        f"SELECT {dimension}, sum(attempts), sum(input_tokens) FROM {relation} "
                        f"GROUP BY {dimension}"
                    ).result_rows
                    found = Counter({("attempts", value): n for value, n, _ in rows})
                    found.update({("input_tokens", value): n for value, _, n in rows})
                    expected = folded(events, dimension)
                    assert found == expected
                    assert expected["attempts", OTHER] > 0
            lists = client.query(
                "SELECT kafka_partition, dimension, count(), uniqExact(value) FROM dimension_values "
                "WHERE dimension IN ('user_id', 'team_id') GROUP BY ALL"
            ).result_rows
            assert {tuple(row) for row in lists} == {
                (partition, name, cap, cap)
                for partition in range(PARTITIONS)
                for name, cap in CAPS.items()
            }
            grown = "SELECT uniqExact(kafka_partition, admitted) FROM (SELECT kafka_partition, "
            grown += "intDiv(kafka_offset, 100) AS admitted FROM dimension_values)"
            assert int(str(client.command(grown))) > 2 * PARTITIONS
        audit = subprocess.run(
            [sys.executable, "-m", "inferometer", "audit", "--json",
             "--config", str(tmp_path / "worker.toml"), "--group", topic, "--store", url,
             "--kafka", kafka_broker.bootstrap_servers],
            env={**os.environ, "INFEROMETER_STORE_PASSWORD": PASSWORD},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert audit.returncode == 0, audit.stdout + audit.stderr
