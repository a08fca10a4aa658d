from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
import time
import uuid
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, TopicPartition

from inferometer.cli.main import main
from inferometer.errors import BrokerError, ConfigError
from inferometer.kafka.security import check_access, security_options
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import TopicReader, make_topics
from inferometer.kafka_security import KafkaSecurity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.services.clickhouse import ClickHouseService
    from tests.services.secured_kafka import SecuredKafka

pytestmark = pytest.mark.integration
pytest_plugins = ["tests.services.secured_kafka"]

EVENTS = 20
WAIT_S = 240.0
WITH_WORKER = {"mTLS", "SCRAM-SHA-512", "OAUTHBEARER"}
"""The others differ from these in nothing that a worker would notice, and a process takes seconds."""
WAYS = ["TLS", "mTLS", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


def environ(security: KafkaSecurity, folder: Path) -> dict[str, str]:
    """Return settings as an operator gives them: the secrets in files."""
    found = {}
    for setting in fields(security):
        value = getattr(security, setting.name)
        variable = f"INFEROMETER_KAFKA_{setting.name.upper()}"
        if value and not setting.repr:
            secret = folder / setting.name
            secret.write_text(f"{value}\n", encoding="utf-8")
            found[f"{variable}_FILE"] = str(secret)
        elif value:
            found[variable] = value
    return found


def run(*arguments: str, settings: dict[str, str]) -> str:
    """Run a command in this process; return what it printed."""
    out, errors = io.StringIO(), io.StringIO()
    code = main(arguments, io.StringIO(), out, errors, settings)
    assert code == 0, errors.getvalue()
    return out.getvalue()


@pytest.fixture(scope="module")
def store_url(clickhouse_server: ClickHouseService) -> str:
    url = clickhouse_server.store_url(clickhouse_server.new_database())
    run("migrate", "--store", url, settings={})
    return url


@contextlib.contextmanager
def worker(*arguments: str, settings: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "inferometer", "worker", *arguments],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("way", WAYS)
def test_every_command_gets_in(
    secured_kafka: SecuredKafka, store_url: str, tmp_path: Path, way: str
) -> None:
    listener, security = secured_kafka.ways()[way]
    topic = f"requests-{uuid.uuid4().hex[:8]}"
    settings = {
        **environ(security, tmp_path),
        # One address that nobody answers at: the next one is asked.
        "INFEROMETER_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:1,{secured_kafka.address(listener)}",
        "INFEROMETER_KAFKA_REQUESTS_TOPIC": topic,
        "INFEROMETER_KAFKA_PARTITIONS": "1",
        "INFEROMETER_WORKER_CHUNK_MAX_WAIT_S": "0.1",
    }
    assert f"{topic}  created  1 partitions" in run("topics", settings=settings)
    sent = run("simulate", "--events", str(EVENTS), "--rate", "0", settings=settings)
    assert json.loads(sent)["events"] == EVENTS
    kafka = KafkaSettings(
        bootstrap_servers=settings["INFEROMETER_KAFKA_BOOTSTRAP_SERVERS"], security=security
    )
    asyncio.run(check_access(kafka))
    if way not in WITH_WORKER:
        return
    with worker("--store", store_url, "--group", topic, settings=settings) as process:
        wait_until_read(secured_kafka.plain, topic, process)
        process.terminate()
        out, errors = process.communicate(timeout=WAIT_S)
    assert f"events {EVENTS}  stored {EVENTS}" in out, errors


def wait_until_read(address: str, topic: str, process: subprocess.Popen[str]) -> None:
    """Wait until the group of a topic has committed what was sent to it."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": topic})
    deadline = time.monotonic() + WAIT_S
    try:
        while True:
            (found,) = consumer.committed([TopicPartition(topic, 0)], timeout=WAIT_S)
            # Many events share a record.
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT_S)
            if found.offset == end > 0:
                return
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                pytest.fail(f"the worker is at {found.offset}: {process.communicate()[1]}")
            time.sleep(0.1)
    finally:
        consumer.close()


def refusals(kafka: SecuredKafka) -> dict[str, tuple[str, KafkaSecurity, str]]:
    """Return listener, settings and the beginning of what is said of them."""
    tls = kafka.ways()["TLS"][1]
    return {
        "unknown authority": ("TLS", replace(tls, ssl_ca_file=""), "TLS with"),
        "no certificate": ("MTLS", tls, "TLS with"),
        "wrong password": ("PASSWORD", kafka.password("PLAIN", "x"), "refuses user fleet (PLAIN)"),
        "wrong SCRAM password": (
            "PASSWORD",
            kafka.password("SCRAM-SHA-512", "x"),
            "refuses user fleet (SCRAM-SHA-512)",
        ),
        "wrong mechanism": ("TOKEN", kafka.password("PLAIN"), "does not take PLAIN"),
        "wrong client secret": ("TOKEN", kafka.token("x"), "refuses client inferometer: 401"),
        "unknown authority of the tokens": (
            "TOKEN",
            replace(kafka.token(), oauth_ca_file=""),
            "TLS with the token endpoint",
        ),
    }


@pytest.mark.parametrize(
    "case",
    [
        "unknown authority",
        "no certificate",
        "wrong password",
        "wrong SCRAM password",
        "wrong mechanism",
        "wrong client secret",
        "unknown authority of the tokens",
    ],
)
def test_a_refusal_is_told_at_once_and_not_tried_again(
    secured_kafka: SecuredKafka, case: str
) -> None:
    listener, security, said = refusals(secured_kafka)[case]
    kafka = KafkaSettings(bootstrap_servers=secured_kafka.address(listener), security=security)
    with pytest.raises(BrokerError) as caught:
        asyncio.run(check_access(kafka))
    assert said in str(caught.value)
    assert "check kafka." in str(caught.value)
    assert not caught.value.retryable


@pytest.mark.parametrize("command", ["topics", "worker"])
def test_a_wrong_password_ends_a_command_with_one_line(
    secured_kafka: SecuredKafka, store_url: str, tmp_path: Path, command: str
) -> None:
    where = ["--kafka", secured_kafka.address("PASSWORD")]
    if command == "worker":
        where += ["--store", store_url]
    settings = environ(secured_kafka.password("SCRAM-SHA-256", "mistaken"), tmp_path)
    out, errors = io.StringIO(), io.StringIO()
    assert main([command, *where], io.StringIO(), out, errors, settings) == 1
    said = errors.getvalue()
    (line,) = [each for each in said.splitlines() if each.startswith("inferometer:")]
    assert "refuses user fleet (SCRAM-SHA-256)" in line
    assert "Traceback" not in said
    assert "mistaken" not in said


def test_a_port_that_speaks_something_else_may_yet_come(secured_kafka: SecuredKafka) -> None:
    mixed = {
        secured_kafka.address("TLS"): KafkaSecurity(),
        secured_kafka.plain: secured_kafka.ways()["TLS"][1],
    }
    for address, security in mixed.items():
        kafka = KafkaSettings(bootstrap_servers=address, security=security)
        with pytest.raises(BrokerError, match=r"does the port speak") as caught:
            asyncio.run(check_access(kafka))
        assert caught.value.retryable


@pytest.mark.parametrize(
    "change",
    [{"ssl_key_password": ""}, {"ssl_ca_file": "absent.pem"}, {"ssl_key_password": "wrong"}],
    ids=str,
)
def test_files_that_do_not_read_are_a_problem_of_the_configuration(
    secured_kafka: SecuredKafka, change: dict[str, str]
) -> None:
    security = replace(secured_kafka.ways()["mTLS"][1], **change)
    kafka = KafkaSettings(bootstrap_servers=secured_kafka.address("MTLS"), security=security)
    with pytest.raises(ConfigError, match="check ssl_ca_file"):
        asyncio.run(check_access(kafka))


def test_an_endpoint_that_is_away_is_waited_for(secured_kafka: SecuredKafka) -> None:
    kafka = KafkaSettings(
        bootstrap_servers=secured_kafka.address("TOKEN"), security=secured_kafka.token()
    )
    secured_kafka.tokens.answers_with = 503
    try:
        with pytest.raises(BrokerError, match="fails: 503") as caught:
            asyncio.run(check_access(kafka))
    finally:
        secured_kafka.tokens.answers_with = 200
    assert caught.value.retryable


def test_connections_outlive_their_tokens(secured_kafka: SecuredKafka) -> None:
    topic = f"requests-{uuid.uuid4().hex[:8]}"
    plain = KafkaSettings(bootstrap_servers=secured_kafka.plain)
    make_topics(plain, (topic,), partitions=1, replication_factor=1)
    kafka = KafkaSettings(
        bootstrap_servers=secured_kafka.address("TOKEN"), security=secured_kafka.token()
    )
    tokens = secured_kafka.tokens
    before, tokens.life_s = tokens.issued, 3.0
    try:
        reader = TopicReader(kafka)
        assert reader.describe(topic).partitions == 1
        # Librdkafka's own tokens expire several times meanwhile.
        asyncio.run(_send_until(kafka, topic, lambda: tokens.issued - before >= 5, least_s=9.0))
        assert reader.describe(topic).partitions == 1
    finally:
        tokens.life_s = 300.0


async def _send_until(
    kafka: KafkaSettings, topic: str, is_enough: Callable[[], bool], *, least_s: float
) -> None:
    """Send over one producer for a while, and until it is enough."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka.addresses, **security_options(kafka))
    await producer.start()
    try:
        begun = time.monotonic()
        while time.monotonic() < begun + least_s or not is_enough():
            assert time.monotonic() < begun + WAIT_S, "no new tokens are asked for"
            await producer.send_and_wait(topic, b"x")
            await asyncio.sleep(0.2)
    finally:
        await producer.stop()
