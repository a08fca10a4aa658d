"""Layer L3: traces of the incident suite through a real broker and killed processes tell what L2 says.

Events come up to 20 s late, in another order, each twice, over four partitions; the process is
killed while it catches up. What is compared are the transitions, tick by tick, with those of the
counts of the same trace, played in memory.
"""

from __future__ import annotations

import json
import random
import signal
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from inferometer.core.alerts.history import RecordKind, decode_transition
from inferometer.kafka.partition_reader import PartitionReader
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import describe_topic
from tests.incidents import export
from tests.incidents.generator import sample
from tests.incidents.objectives import slo_of
from tests.incidents.ours import MICROSECONDS, play
from tests.incidents.scenario import DAY_S, MINUTE_S, suite
from tests.integration.alert_processes import Receiver, deployed, ended, until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from inferometer.core.alerts.history import TransitionRecord
    from tests.incidents.scenario import Case
    from tests.integration.alert_processes import Deployment
    from tests.services.kafka import KafkaService

    Told = set[tuple[int, str, str, str]]

pytestmark = pytest.mark.integration

BY_THE_CLOCK = {RecordKind.DETECTED_LATE, RecordKind.GROUPED}
LATE_S = 20.0
PARTITIONS = 4
SLOS = """
format: inferometer.slos.v1
shipped_rules: false
slos:
  - name: chat-success
    workspace: acme
    service: chat-api
    indicator: availability
    objective: {objective}
"""


@pytest.mark.parametrize("key", ["INC-10", "INC-01"])
def test_a_trace_through_the_broker_gives_the_transitions_of_its_counts(
    key: str, kafka_broker: KafkaService, tmp_path: Path
) -> None:
    whole = next(each for each in suite().counted if each.key == key)
    case = replace(whole, rph=1500, history_h=0, lead_h=0.6, tail_h=0.8)
    trace = sample(case, 0)
    (diary,) = play(case, [trace], slo_of(case))
    expected = _told(diary.transitions, case, shift_s=0)
    # Whole days, so that cells and ticks lie as they did.
    shift_s = int(time.time() - case.ends_s - 10 * MINUTE_S) // DAY_S * DAY_S
    with Receiver() as receiver:
        deployment = deployed(tmp_path, kafka_broker, receiver)
        topic = kafka_broker.new_topic(partitions=PARTITIONS)
        environ = {
            **deployment.environ,
            "INFEROMETER_KAFKA_REQUESTS_TOPIC": topic,
            "INFEROMETER_ALERTS_LATENESS_S": "30",
            "INFEROMETER_ALERTS_SNAPSHOT_EVERY_S": "1",
        }
        deployment = replace(deployment, environ=environ)
        (tmp_path / "slos.yaml").write_text(SLOS.format(objective=case.objective))
        _send(kafka_broker.bootstrap_servers, topic, case, export.events(case, trace, 0), shift_s)
        for _ in range(2):
            with ended(deployment.start()) as process:
                until(deployment.is_serving, deployment, "it does not serve")
                time.sleep(3)
                process.send_signal(signal.SIGKILL)
        with ended(deployment.start()):
            until(lambda: _found(deployment, case, shift_s) >= expected, deployment, "not all told")
            time.sleep(5)
    assert expected
    assert _found(deployment, case, shift_s) == expected


def _send(
    broker: str, topic: str, case: Case, events: Iterable[dict[str, object]], shift_s: int
) -> None:
    """Send each event twice, up to 20 s after its end, as the broker's times say."""
    chance = random.Random(case.key)
    records = []
    for event in events:
        ends_us = int(str(event["ts_end"])) + shift_s * MICROSECONDS
        event |= {"ts_end": ends_us, "ts": ends_us - 500_000}
        partition = sum(str(event["event_id"]).encode()) % PARTITIONS
        for _twice in range(2):
            appended_us = ends_us + round(chance.uniform(0, LATE_S) * MICROSECONDS)
            records.append((appended_us, partition, json.dumps(event).encode()))
    producer = Producer({"bootstrap.servers": broker, "linger.ms": 20})
    for appended_us, partition, value in sorted(records):
        producer.produce(topic, value, partition=partition, timestamp=appended_us // 1000)
        producer.poll(0)
    assert producer.flush(180) == 0


def _found(deployment: Deployment, case: Case, shift_s: int) -> Told:
    topic = f"{deployment.environ['INFEROMETER_ALERTS_TOPIC_PREFIX']}alert_transitions"
    broker = deployment.environ["INFEROMETER_KAFKA_BOOTSTRAP_SERVERS"]
    kafka = KafkaSettings(bootstrap_servers=broker, topic=topic)
    with PartitionReader(kafka) as reader:
        records = [
            decode_transition(message.value())
            for partition in range(describe_topic(kafka, topic).partitions)
            for message in reader.messages(topic, partition)
        ]
    return _told(records, case, shift_s=shift_s)


def _told(transitions: Iterable[TransitionRecord], case: Case, *, shift_s: int) -> Told:
    """Return what happened up to a few minutes before the trace ends, in the trace's own time.

    What depends on the clock is left out: the trace is of the past, and every tick of it is late.
    """
    until_us = (case.ends_s - 5 * MINUTE_S) * MICROSECONDS
    return {
        (at_us, str(each.kind), each.rule, str(each.severity))
        for each in transitions
        if (at_us := each.at_us - shift_s * MICROSECONDS) <= until_us
        and each.kind not in BY_THE_CLOCK
    }
