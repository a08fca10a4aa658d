from __future__ import annotations

from typing import Any

import pytest

from inferometer.kafka.settings import KafkaSettings, WorkerSettings
from inferometer.kafka_security import KafkaSecurity

GOOD = KafkaSettings(bootstrap_servers="kafka-1:9092,kafka-2:9092")


def test_the_defaults_work() -> None:
    assert WorkerSettings(kafka=GOOD).problems() == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"bootstrap_servers": ""}, "bootstrap_servers is empty"),
        ({"bootstrap_servers": "kafka"}, "'kafka' is not host:port"),
        ({"group": ""}, "group is empty"),
        ({"security": KafkaSecurity(security_protocol="TLS")}, "security_protocol must be one of"),
    ],
)
def test_a_broker_that_cannot_be_reached_so_is_a_problem(
    changes: dict[str, Any], problem: str
) -> None:
    found = KafkaSettings(**{"bootstrap_servers": "kafka:9092", **changes}).problems()
    assert any(problem in each for each in found)


@pytest.mark.parametrize("name", ["chunk_max_events", "drain_s", "max_bytes_in_flight"])
def test_an_amount_is_positive(name: str) -> None:
    changes: dict[str, Any] = {name: 0}
    assert WorkerSettings(kafka=GOOD, **changes).problems() == [f"{name} must be above 0"]


def test_a_session_has_room_for_two_heartbeats() -> None:
    settings = WorkerSettings(kafka=GOOD, session_timeout_s=10, heartbeat_interval_s=6)
    assert "half of session_timeout_s" in settings.problems()[0]


def test_security_reaches_the_client() -> None:
    settings = KafkaSettings(
        bootstrap_servers="kafka:9092, kafka-2:9092",
        security=KafkaSecurity(security_protocol="SSL", ssl_ca_file="ca.pem"),
    )
    assert settings.problems() == []
    assert settings.addresses == ["kafka:9092", "kafka-2:9092"]
    assert settings.librdkafka() == {
        "bootstrap.servers": "kafka:9092, kafka-2:9092",
        "security.protocol": "SSL",
        "ssl.ca.location": "ca.pem",
    }
