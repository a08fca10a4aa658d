from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from inferometer.errors import BrokerError
from inferometer.kafka.local_broker import LocalBroker, free_port
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import describe_topic, make_topics
from tests.services.kafka import JVM_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Command

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("kafka_packages")]

WAIT_S = 90.0
TOPIC = "inference.requests"


@contextlib.contextmanager
def dev_kafka(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command as a user does; yield the process and the address that it prints."""
    command = [sys.executable, "-m", "inferometer", "dev", "kafka", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith("ready: "):
            process.kill()
            pytest.fail(f"{line}{process.communicate()[1]}")
        yield process, line.split()[1]
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_S)


def brokers_on(folder: Path) -> list[str]:
    """Return the ids of processes that run Kafka on a folder."""
    found = subprocess.run(
        ["pgrep", "-f", f"kafka.Kafka {folder}"], capture_output=True, text=True, check=False
    )
    return found.stdout.split()


def send(address: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": address, "linger.ms": 0, "acks": "all"})
    for value in values:
        producer.produce(TOPIC, value=value, partition=0)
    assert producer.flush(WAIT_S) == 0


def received(address: str, count: int) -> list[bytes | str | None]:
    """Return the first values of partition 0, and commit as a group that has read them."""
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "readers",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.assign([TopicPartition(TOPIC, 0, 0)])
    messages = consumer.consume(count, timeout=WAIT_S)
    consumer.commit(offsets=[TopicPartition(TOPIC, 0, count)], asynchronous=False)
    consumer.close()
    return [message.value() for message in messages]


def committed(address: str) -> int:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "readers"})
    (found,) = consumer.committed([TopicPartition(TOPIC, 0)], timeout=WAIT_S)
    consumer.close()
    return int(found.offset)


def test_topics_records_and_offsets_survive_stop_kill_and_start(
    tmp_path: Path, inferometer: Command
) -> None:
    port = free_port()
    with dev_kafka("--port", str(port), "--data", tmp_path) as (process, address):
        assert address == f"127.0.0.1:{port}"
        made = inferometer("topics", "--kafka", address, "--partitions", "3")
        assert made.returncode == 0, made.stderr
        assert f"{TOPIC}  created  3 partitions" in made.stdout
        send(address, b"one", b"two")
        assert received(address, 2) == [b"one", b"two"]
        stopped_from = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0
        assert time.monotonic() - stopped_from < WAIT_S
    assert brokers_on(tmp_path) == []
    with dev_kafka("--port", str(port), "--data", tmp_path) as (process, address):
        assert committed(address) == 2
        send(address, b"three")
        process.kill()
        process.wait(WAIT_S)
        deadline = time.monotonic() + WAIT_S
        while brokers_on(tmp_path):
            assert time.monotonic() < deadline, "kill -9 left the broker behind"
            time.sleep(0.05)
    with LocalBroker(data_dir=tmp_path, port=port, jvm_options=JVM_OPTIONS) as broker:
        address = broker.bootstrap_servers
        kafka = KafkaSettings(bootstrap_servers=address)
        assert describe_topic(kafka, TOPIC).partitions == 3
        assert received(address, 3) == [b"one", b"two", b"three"]


def test_a_broker_that_was_killed_starts_again_as_the_same_one() -> None:
    with LocalBroker(jvm_options=JVM_OPTIONS) as broker:
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        (made,) = make_topics(kafka, (TOPIC,), partitions=1, replication_factor=1)
        send(broker.bootstrap_servers, b"before")
        folder = broker.folder
        broker.kill()
        assert not broker.is_running
        broker.start()
        assert describe_topic(kafka, TOPIC).topic_id == made.topic_id
        assert received(broker.bootstrap_servers, 1) == [b"before"]
        other = LocalBroker(data_dir=folder)
        with pytest.raises(BrokerError, match=f"is in use by process {os.getpid()}"):
            other.start()
    assert not folder.exists()


def test_a_port_that_is_taken_and_flags_that_cannot_work_say_what_to_do(
    inferometer: Command,
) -> None:
    with LocalBroker(jvm_options=JVM_OPTIONS) as broker:
        port = broker.bootstrap_servers.rpartition(":")[2]
        taken = inferometer("dev", "kafka", "--port", port)
        copies = inferometer(
            "topics", "--kafka", broker.bootstrap_servers, "--replication-factor", "3"
        )
        with pytest.raises(BrokerError, match="already running"):
            broker.start()
    assert taken.returncode == 1
    assert f"port {port} of 127.0.0.1 is taken" in taken.stderr
    assert copies.returncode == 1
    assert "1 broker" in copies.stderr
    assert "--replication-factor" in copies.stderr
    for shown in (taken, copies):
        assert "Traceback" not in shown.stderr
    wrong = inferometer("dev", "kafka", "--port", "65536")
    assert wrong.returncode == 2


def test_a_broker_that_cannot_start_shows_its_own_error(tmp_path: Path) -> None:
    broker = LocalBroker(data_dir=tmp_path, properties={"num.io.threads": "none"})
    with pytest.raises(BrokerError, match=r"cannot format[^$]*num\.io\.threads"):
        broker.start()
    broker = LocalBroker(data_dir=tmp_path, jvm_options=["-Xmx1k"])
    with pytest.raises(BrokerError, match=r"ended while it started[^$]*heap"):
        broker.start()
    assert brokers_on(tmp_path) == []


def test_a_service_of_the_session_answers(kafka_broker: object, clickhouse_server: object) -> None:
    assert kafka_broker
    assert clickhouse_server
