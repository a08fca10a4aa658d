"""One Apache Kafka for a test session."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from inferometer.errors import BrokerError
from inferometer.kafka.broker_jars import broker_jars
from inferometer.kafka.broker_properties import new_cluster_id, server_properties
from inferometer.kafka.local_broker import LocalBroker, find_java, free_port
from inferometer.kafka.readiness import check_answers
from inferometer.kafka.settings import KafkaSettings
from inferometer.kafka.topics import make_topics
from tests.services import choice

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT_S = 120.0
CONTAINER_DATA = "/var/lib/kafka/data"
JVM_OPTIONS = ("-XX:TieredStopAtLevel=1",)
"""Started for seconds, a broker spends more on its compiler than on its work."""
PROPERTIES = {
    # Tests of rebalances do not wait for the 6 s of Kafka's default.
    "group.min.session.timeout.ms": "1000",
}


@dataclass(frozen=True)
class KafkaService:
    """A broker that many tests share: each makes topics and groups of its own names."""

    bootstrap_servers: str

    def new_topic(self, *, partitions: int) -> str:
        """Make a topic that no other test has, and return its name."""
        name = f"test-{uuid.uuid4().hex[:12]}"
        kafka = KafkaSettings(bootstrap_servers=self.bootstrap_servers)
        make_topics(kafka, (name,), partitions=partitions, replication_factor=1)
        return name


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaService]:
    """A real Apache Kafka, shared by the session."""
    if choice.chosen() == choice.CONTAINERS:
        yield from _container()
        return
    require_kafka_packages()
    with LocalBroker(properties=PROPERTIES, jvm_options=JVM_OPTIONS) as broker:
        yield KafkaService(broker.bootstrap_servers)


@pytest.fixture(scope="session")
def kafka_packages() -> None:
    """Skip where no local broker can be started: a test kills it, or gives it listeners."""
    require_kafka_packages()


def require_kafka_packages() -> None:
    """Skip where Java is missing, or the jars cannot be had."""
    try:
        find_java()
        broker_jars()
    except BrokerError as error:
        choice.skip(error)


def _container() -> Iterator[KafkaService]:
    from testcontainers.core.container import DockerContainer

    # Outside and inside alike, because a broker tells its clients its own address.
    port, controller_port = free_port(), free_port()
    properties = server_properties(
        port=port, controller_port=controller_port, log_dir=CONTAINER_DATA, extra=PROPERTIES
    )
    container = DockerContainer(choice.image("kafka")).with_bind_ports(port, port)
    host = container.get_container_host_ip()
    properties["listeners"] = f"PLAINTEXT://:{port},CONTROLLER://:{controller_port}"
    properties["advertised.listeners"] = f"PLAINTEXT://{host}:{port}"
    container.with_env("CLUSTER_ID", new_cluster_id())
    for key, value in properties.items():
        # As the image reads them.
        container.with_env("KAFKA_" + key.upper().replace(".", "_"), value)
    with container:
        address = f"{host}:{port}"
        _wait_for(address)
        yield KafkaService(address)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            check_answers(address, timeout_s=2.0)
        except BrokerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return
