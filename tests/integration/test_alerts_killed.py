"""Processes of alerting are killed at random, with rebalances: no notice is lost, none is added.

What is expected is what an untouched deployment tells of the same requests at the same time, down
to the ids. `TEST_ALERT_KILLS` says how many kills; `make incidents` asks for fifty.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from inferometer.kafka.local_broker import free_port
from tests.integration.alert_processes import (
    PATIENCE_S,
    Deployment,
    Fleet,
    Receiver,
    deployed,
    ended,
    until,
)

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

KILLS = int(os.environ.get("TEST_ALERT_KILLS", "2"))
KILLS_AN_INCIDENT = 4
SEED = 7


def test_kills_lose_and_add_no_notice(kafka_broker: KafkaService, tmp_path: Path) -> None:
    chance = random.Random(SEED)
    models = tuple(f"m-{number}" for number in range(-(-KILLS // KILLS_AN_INCIDENT)))
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    with Receiver() as expected, Receiver() as found:
        calm = deployed(tmp_path / "calm", kafka_broker, expected)
        first = deployed(tmp_path / "killed", kafka_broker, found, beside=calm)
        second = replace(first, http_port=free_port()).on_its_port()
        topic = calm.environ["INFEROMETER_KAFKA_REQUESTS_TOPIC"]
        with (
            Fleet(kafka_broker.bootstrap_servers, topic, models=models) as fleet,
            ended(calm.start()),
        ):
            until(calm.is_serving, calm, "the untouched one does not serve")
            pair = [(first, first.start()), (second, second.start())]
            try:
                for number, model in enumerate(models, start=1):
                    fleet.failing = model
                    fleet.is_failing.set()
                    pair = _kill(pair, min(KILLS_AN_INCIDENT, KILLS), chance)
                    until(partial(_told, expected, "slo.alert.firing", number), calm, model)
                    fleet.is_failing.clear()
                    until(partial(_told, expected, "slo.alert.resolved", number), calm, model)
                until(
                    lambda: set(_ids(found)) >= set(_ids(expected)),
                    first,
                    f"{set(_ids(expected)) - set(_ids(found))} were never told",
                )
                # Whoever was killed last may have left something that nobody asked for.
                time.sleep(15)
            finally:
                for _deployment, process in pair:
                    process.terminate()
                for _deployment, process in pair:
                    process.wait(PATIENCE_S)
    assert (expected.refused, found.refused) == ([], [])
    assert len(expected.types()) == 2 * len(models)
    assert set(_ids(found)) == set(_ids(expected))
    again = {name: count - 1 for name, count in Counter(_ids(found)).items() if count > 1}
    # A receiver that answered a sender which was killed before it wrote that down hears it again.
    assert sum(again.values()) <= KILLS, again


def _kill(
    pair: list[tuple[Deployment, subprocess.Popen[bytes]]], times: int, chance: random.Random
) -> list[tuple[Deployment, subprocess.Popen[bytes]]]:
    """Kill one of two processes, start it anew, and again; sometimes both at once."""
    for _ in range(times):
        deployment, process = pair.pop(chance.randrange(2))
        until(deployment.is_serving, deployment, "it does not serve")
        time.sleep(chance.uniform(0.0, 6.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        pair.append((deployment, deployment.start()))
    return pair


def _told(receiver: Receiver, kind: str, count: int) -> bool:
    return receiver.types().count(kind) >= count


def _ids(receiver: Receiver) -> list[str]:
    return [name for name, _event in list(receiver.got)]
