"""`inferometer alerts` against a real broker: an outage, killed processes, and who is told of it."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inferometer.core.slo.board_snapshots import Kept
from inferometer.kafka.alert_outputs import KafkaSnapshots
from inferometer.kafka.alert_producer import AlertProducer, Outgoing
from inferometer.kafka.local_broker import free_port
from inferometer.kafka.partition_reader import PartitionReader
from inferometer.kafka.settings import KafkaSettings
from tests.integration.alert_processes import Fleet, Receiver, deployed, ended, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

PRODUCER_QUEUE_RECORDS = 100_000
"""What librdkafka holds unless told otherwise (`queue.buffering.max.messages`)."""


def test_an_outage_is_told_once_though_the_process_is_killed_again_and_again(
    kafka_broker: KafkaService, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        deployment = deployed(tmp_path, kafka_broker, receiver)
        topic = deployment.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]
        with Fleet(kafka_broker.bootstrap_servers, topic) as fleet:
            for _ in range(2):
                with ended(deployment.start()) as process:
                    until(deployment.is_serving, deployment, "it does not serve")
                    fleet.is_failing.set()
                    time.sleep(5)
                    process.send_signal(signal.SIGKILL)
            with ended(deployment.start()):
                until(lambda: bool(receiver.got), deployment, "nobody was told")
                fleet.is_failing.clear()
                until(lambda: len(receiver.types()) > 1, deployment, "no end was told")
                rows = json.loads(deployment.run("alerts", "status", "--json"))
        assert receiver.refused == []
        told = json.dumps(receiver.got, indent=1)
        assert receiver.types() == ["slo.alert.firing", "slo.alert.resolved"], told
        assert len({event["data"]["incident_id"] for _, event in receiver.got}) == 1
        (success,) = [row for row in rows if row["slo"] == "chat-success"]
        assert success["group"] == {"model": "m-large"}
        assert success["budget_left"] < 1


def test_a_page_names_the_node_that_fails_and_how(
    kafka_broker: KafkaService, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        deployment = deployed(tmp_path, kafka_broker, receiver)
        topic = deployment.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]
        with (
            Fleet(kafka_broker.bootstrap_servers, topic, failing_node="node-2") as fleet,
            ended(deployment.start()),
        ):
            until(deployment.is_serving, deployment, "it does not serve")
            # Until it is known what traffic each node has.
            enough = fleet.sent + 1000
            until(lambda: fleet.sent >= enough, deployment, "nothing is sent")
            fleet.is_failing.set()
            until(lambda: bool(receiver.got), deployment, "nobody was told")
            _, event = receiver.got[0]
            fleet.is_failing.clear()
            until(lambda: len(receiver.types()) > 1, deployment, "no end was told")
        drivers = [
            {"dim": "error_type", "value": "overloaded", "share": 1.0},
            {"dim": "node_id", "value": "node-2", "share": 1.0},
        ]
        assert event["data"]["drivers"] == drivers
        assert "Drivers: error_type overloaded 100%, node_id node-2 100%" in event["data"]["text"]
        end = next(e for _, e in receiver.got if e["type"] == "slo.alert.resolved")
        assert end["data"]["drivers"] == drivers


def test_two_processes_share_the_work_and_one_takes_over_for_the_other(
    kafka_broker: KafkaService, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        deployment = deployed(tmp_path, kafka_broker, receiver)
        topic = deployment.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]
        other = replace(deployment, http_port=free_port()).on_its_port()
        with (
            Fleet(kafka_broker.bootstrap_servers, topic) as fleet,
            ended(deployment.start()) as first,
            ended(other.start()),
        ):
            until(deployment.is_serving, deployment, "the first does not serve")
            until(other.is_serving, deployment, "the second does not serve")
            time.sleep(10)
            fleet.is_failing.set()
            until(lambda: bool(receiver.got), deployment, "nobody was told")
            # Whoever is asked answers for both, though only one evaluates the objective.
            for each in (deployment, other):
                until(
                    lambda one=each: "chat-success" in one.get("/api/v2/alerts"),  # type: ignore[misc]
                    deployment, "an instance knows only its own incidents",
                )  # fmt: skip
            counted = deployment.get("/metrics") + other.get("/metrics")
            assert 'requests_total{model="m-large",slo="chat-success",workspace="acme"}' in counted
            first.send_signal(signal.SIGKILL)
            time.sleep(10)
            fleet.is_failing.clear()
            until(lambda: len(receiver.types()) > 1, deployment, "no end was told")
        told = json.dumps(receiver.got, indent=1)
        assert receiver.types() == ["slo.alert.firing", "slo.alert.resolved"], told
        assert len({event["data"]["incident_id"] for _, event in receiver.got}) == 1


def test_an_objective_that_is_removed_while_it_fires_ends_its_incident(
    kafka_broker: KafkaService, tmp_path: Path
) -> None:
    with Receiver() as receiver:
        deployment = deployed(tmp_path, kafka_broker, receiver)
        slos = tmp_path / "slos.yaml"
        text = slos.read_text()
        slos.write_text(text + text[text.index("  - name:") :].replace("chat-success", "to-go"))
        topic = deployment.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]
        with (
            Fleet(kafka_broker.bootstrap_servers, topic) as fleet,
            ended(deployment.start()) as process,
        ):
            until(deployment.is_serving, deployment, "it does not serve")
            fleet.is_failing.set()
            until(lambda: len(receiver.types()) == 2, deployment, "nobody was told")
            slos.write_text("no objectives")
            process.send_signal(signal.SIGHUP)
            until(
                lambda: "the old objectives" in deployment.log(), deployment, "it does not say so"
            )
            slos.write_text(text)
            process.send_signal(signal.SIGHUP)
            until(lambda: len(receiver.types()) > 2, deployment, "no end was told")
        assert receiver.types() == ["slo.alert.firing"] * 2 + ["slo.alert.resolved"]
        (ending,) = [e["data"] for _, e in receiver.got if e["type"] == "slo.alert.resolved"]
        assert (ending["labels"]["slo"], ending["reason"]) == ("to-go", "rule_removed")


def test_more_is_told_at_once_than_the_queue_of_the_producer_holds(
    kafka_broker: KafkaService,
) -> None:
    topic = kafka_broker.new_topic(partitions=1)
    kafka = KafkaSettings(bootstrap_servers=kafka_broker.bootstrap_servers, topic=topic)
    count = PRODUCER_QUEUE_RECORDS + 1000
    with AlertProducer(kafka) as producer, PartitionReader(kafka) as reader:
        producer.send([Outgoing(topic, b"%d" % number, partition=0) for number in range(count)])
        values = [message.value() for message in reader.messages(topic, 0)]
    assert values == [b"%d" % number for number in range(count)]


def test_a_snapshot_is_whole_or_the_one_before(kafka_broker: KafkaService) -> None:
    topic = kafka_broker.new_topic(partitions=2)
    kafka = KafkaSettings(bootstrap_servers=kafka_broker.bootstrap_servers, topic=topic)
    with AlertProducer(kafka) as producer, PartitionReader(kafka) as reader:
        store = KafkaSnapshots(producer, reader, topic)
        assert store.latest(1) == Kept()
        large = bytes(range(256)) * 8000
        for snapshot in (b"first", large, b"third"):
            store.save(1, snapshot)
            assert KafkaSnapshots(producer, reader, topic).latest(1) == Kept(snapshot)
        assert store.latest(0) == Kept()
        # A writer that dies before its manifest: pieces of the next generation, and no more.
        producer.send([Outgoing(topic, bytes(8) + b"half", key=b"b/0", partition=1)])
        again = KafkaSnapshots(producer, reader, topic)
        assert again.latest(1) == Kept(b"third")
        again.save(1, b"fourth")
        assert KafkaSnapshots(producer, reader, topic).latest(1) == Kept(b"fourth")


def test_what_was_told_is_kept_until_a_later_snapshot_holds_it(kafka_broker: KafkaService) -> None:
    topic = kafka_broker.new_topic(partitions=1)
    kafka = KafkaSettings(bootstrap_servers=kafka_broker.bootstrap_servers, topic=topic)
    with AlertProducer(kafka) as producer, PartitionReader(kafka) as reader:
        store = KafkaSnapshots(producer, reader, topic)
        large = bytes(range(256)) * 8000
        for told in (b"first", large):
            store.save_told(0, told)
            assert KafkaSnapshots(producer, reader, topic).latest(0) == Kept(None, told)
        store.save(0, b"whole")
        assert KafkaSnapshots(producer, reader, topic).latest(0) == Kept(b"whole")
        again = KafkaSnapshots(producer, reader, topic)
        again.latest(0)
        again.save_told(0, b"third")
        assert KafkaSnapshots(producer, reader, topic).latest(0) == Kept(b"whole", b"third")
