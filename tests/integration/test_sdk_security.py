"""The client against brokers that let nobody in unasked, with settings from the environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import make_topics
from inferometer.kafka_security import SETTINGS
from inferometer.sdk import Client

if TYPE_CHECKING:
    from pathlib import Path

    from tests.services.secured_kafka import SecuredKafka

pytestmark = pytest.mark.integration

WAYS = ("TLS", "mTLS", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
EVENT = {"request_id": "r", "model": "m", "ts_end": 5, "status_code": 200}
WITHIN_S = 180.0
SECRETS = frozenset({"ssl_key_password", "sasl_password", "oauth_client_secret"})


@pytest.fixture(scope="module")
def topic(secured_kafka: SecuredKafka) -> str:
    make_topics(
        KafkaSettings(bootstrap_servers=secured_kafka.plain),
        ("secured",),
        partitions=2,
        replication_factor=1,
    )
    return "secured"


@pytest.mark.parametrize("way", WAYS)
def test_events_arrive_by_each_way_in(
    secured_kafka: SecuredKafka, topic: str, tmp_path: Path, way: str
) -> None:
    listener, security = secured_kafka.ways()[way]
    environ = {"INFEROMETER_KAFKA_BOOTSTRAP_SERVERS": secured_kafka.address(listener)}
    for name in SETTINGS:
        variable, value = f"INFEROMETER_KAFKA_{name.upper()}", getattr(security, name)
        if value and name in SECRETS:
            (tmp_path / name).write_text(f"{value}\n", encoding="utf-8")
            environ[f"{variable}_FILE"] = str(tmp_path / name)
        elif value:
            environ[variable] = value
    spool = str(tmp_path / "spool")
    with Client(requests_topic=topic, spool_dir=spool, environ=environ) as client:
        client.emit(EVENT)
        assert client.flush(WITHIN_S) == 0
        assert client.stats().delivered == 1


def test_events_of_a_client_with_a_wrong_password_wait_in_the_spool(
    secured_kafka: SecuredKafka, topic: str, tmp_path: Path
) -> None:
    servers, spool = secured_kafka.address("PASSWORD"), str(tmp_path / "spool")
    wrong = secured_kafka.password("PLAIN", "guess")
    with Client(
        bootstrap_servers=servers, requests_topic=topic, spool_dir=spool, security=wrong, environ={}
    ) as client:
        client.emit(EVENT)
        assert client.flush(2) == 1
        client.close(0)
    right = secured_kafka.password("PLAIN")
    with Client(
        bootstrap_servers=servers, requests_topic=topic, spool_dir=spool, security=right, environ={}
    ) as client:
        assert client.flush(WITHIN_S) == 0
        assert client.stats().delivered == 1
