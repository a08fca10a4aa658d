"""Topics: makes them, and tells which incarnation of a topic this is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.kafka.settings import KafkaSettings

ANSWER_TIMEOUT_S = 15.0
MAX_MESSAGE_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker has it."""

    name: str
    partitions: int
    topic_id: str
    """Empty where the broker has no topic ids."""
    was_created: bool = False


def make_topics(
    kafka: KafkaSettings, names: Sequence[str], *, partitions: int, replication_factor: int
) -> list[TopicState]:
    """Create the topics that are missing; one that is there keeps its partitions.

    Records carry the broker's append time, which watermarks and the deduplication horizon rely on.
    Raises BrokerError.
    """
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.cimpl import NewTopic

    admin = _admin(kafka)
    wanted = [
        NewTopic(
            name,
            num_partitions=partitions,
            replication_factor=replication_factor,
            config={
                "message.timestamp.type": "LogAppendTime",
                "max.message.bytes": str(MAX_MESSAGE_BYTES),
            },
        )
        for name in names
    ]
    created: set[str] = set()
    for name, future in admin.create_topics(wanted, operation_timeout=ANSWER_TIMEOUT_S).items():
        try:
            future.result(ANSWER_TIMEOUT_S)
            created.add(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(
                    f"topic {name} cannot be made: {error.args[0].str()}", retryable=False
                ) from error
    return [
        TopicState(state.name, state.partitions, state.topic_id, state.name in created)
        for state in (describe_topic(kafka, name) for name in names)
    ]


def describe_topic(kafka: KafkaSettings, name: str) -> TopicState:
    """Return a topic's partitions and id. Raises BrokerError where there is none."""
    from confluent_kafka import KafkaException, TopicCollection

    # Kept until the answer is there: a client that nobody holds takes its requests with it.
    admin = _admin(kafka)
    try:
        found = admin.describe_topics(TopicCollection([name]))[name].result(ANSWER_TIMEOUT_S)
    except KafkaException as error:
        raise BrokerError(
            f"topic {name} at {kafka.bootstrap_servers}: {error.args[0].str()}; "
            "`inferometer topics` makes it",
            retryable=False,
        ) from error
    return TopicState(name, len(found.partitions), str(found.topic_id or ""))


def topic_id(kafka: KafkaSettings) -> str:
    """Return what tells this incarnation of the requests topic from any other.

    Raises BrokerError where the topic is missing or the broker has no topic ids.
    """
    found = describe_topic(kafka, kafka.topic).topic_id
    if not found or not found.strip("A="):
        raise BrokerError(
            f"the broker at {kafka.bootstrap_servers} has no topic ids, so a topic made anew could "
            "not be told from the old one; use Apache Kafka 3.1 or newer",
            retryable=False,
        )
    return found


def _admin(kafka: KafkaSettings) -> Any:
    from confluent_kafka.admin import AdminClient

    return AdminClient({**kafka.librdkafka(), "log_level": 0})
