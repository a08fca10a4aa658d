"""`inferometer simulate` against a broker: what it says is what arrives."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from inferometer.cli.main import main
from inferometer.core import codec
from inferometer.core.pricing import price_request
from inferometer.kafka.embedded import EmbeddedBroker
from inferometer.kafka.local_broker import LocalBroker
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import make_topics
from inferometer.prices import load_book

if TYPE_CHECKING:
    from inferometer.core.events import InferenceRequest

pytestmark = pytest.mark.integration


def run(*flags: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(["simulate", *flags], io.StringIO(), stdout, stderr, {})
    return code, stdout.getvalue(), stderr.getvalue()


def lines(message: Any) -> list[bytes]:
    found: list[bytes] = message.value().split(b"\n")
    return found


@pytest.mark.parametrize(
    ("flags", "largest"),
    [((), 400), (("--batch-events", "50"), 50), (("--envelope", "json"), 1)],
)
def test_the_summary_is_what_arrived_to_the_last_digit(
    flags: tuple[str, ...], largest: int
) -> None:
    with EmbeddedBroker() as broker:
        broker.start({"inference.requests": 2})
        code, stdout, _ = run(
            "--kafka", broker.bootstrap_servers, "--events", "400", "--rate", "0", "--seed", "5",
            *flags,
        )  # fmt: skip
        consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader"})
        consumer.assign([TopicPartition("inference.requests", n, 0) for n in range(2)])
        messages: list[Any] = []
        while sum(map(len, map(lines, messages))) < 400:
            messages += [each for each in consumer.consume(400, 1) if each.error() is None]
        consumer.close()
    assert code == 0
    assert max(len(lines(message)) for message in messages) <= largest
    summary = json.loads(stdout, parse_float=Decimal)
    events = [codec.decode(line) for message in messages for line in lines(message)]
    book = load_book()
    assert summary["events"] == len({event.event_id for event in events}) == 400
    assert summary["input_tokens"] == sum(event.input_tokens or 0 for event in events)
    assert summary["output_tokens"] == sum(event.output_tokens or 0 for event in events)
    costs = [price_request(book, event).price_cost_usd for event in events]
    assert summary["cost_usd"] == sum(costs) > 0
    by_model = summary["by_model"].values()
    assert sum(model["cost_usd"] for model in by_model) == summary["cost_usd"]
    assert sum(model["events"] for model in by_model) == 400
    assert len({event.request_id for event in events}) == 400


def test_an_outage_in_the_middle_loses_nothing_and_doubles_nothing(kafka_packages: None) -> None:
    with LocalBroker() as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        make_topics(kafka, ("inference.requests",), partitions=3, replication_factor=1)
        command = [
            sys.executable, "-m", "inferometer", "simulate", "--kafka", broker.bootstrap_servers,
            "--events", "2000", "--rate", "500", "--seed", "3",
        ]  # fmt: skip
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            assert "sent " in process.stderr.readline()
            broker.kill()
            time.sleep(1)
            broker.start()
            stdout, stderr = process.communicate(timeout=240)
        assert process.returncode == 0, stderr
        events = read(broker.bootstrap_servers, partitions=3)
    summary = json.loads(stdout, parse_float=Decimal)
    assert len(events) == len({event.event_id for event in events}) == 2_000
    assert summary["events"] == 2_000
    assert summary["output_tokens"] == sum(event.output_tokens or 0 for event in events)
    book = load_book()
    assert summary["cost_usd"] == sum(price_request(book, each).price_cost_usd for each in events)
    assert {(event.attempt_no, event.resent) for event in events} == {(1, False)}


def read(servers: str, *, partitions: int) -> list[InferenceRequest]:
    """Return every event of the topic."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "reader"})
    everywhere = [TopicPartition("inference.requests", n, 0) for n in range(partitions)]
    expected = sum(consumer.get_watermark_offsets(each, 20)[1] for each in everywhere)
    consumer.assign(everywhere)
    messages: list[Any] = []
    while len(messages) < expected:
        messages += [each for each in consumer.consume(1_000, 5) if each.error() is None]
    consumer.close()
    return [codec.decode(line) for message in messages for line in lines(message)]


def test_without_a_broker_it_says_what_to_do() -> None:
    code, stdout, stderr = run("--kafka", "127.0.0.1:1", "--events", "3", "--rate", "0",
                               "--timeout", "0.5")  # fmt: skip
    assert (code, stdout) == (1, "")
    assert "check the broker" in stderr


@pytest.mark.parametrize("flags", [("--events", "0"), ("--rate", "-1"), ("--rate", "nan")])
def test_a_senseless_number_is_wrong_use(flags: tuple[str, str]) -> None:
    assert run(*flags)[0] == 2
