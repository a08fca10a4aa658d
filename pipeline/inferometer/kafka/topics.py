"""Topics: makes them, and tells which incarnation of a topic this is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inferometer.errors import BrokerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inferometer.kafka.settings import KafkaSettings

ANSWER_TIMEOUT_S = 15.0
SPREAD_PAUSE_S = 0.1
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

    admin = admin_client(kafka)
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
                raise BrokerError(_not_made(name, error.args[0]), retryable=False) from error
        except TimeoutError as error:
            raise BrokerError(
                f"topic {name} cannot be made: {kafka.bootstrap_servers} did not answer within "
                f"{ANSWER_TIMEOUT_S:.0f} s; is it a broker that is well?",
                retryable=True,
            ) from error
    return [
        TopicState(state.name, state.partitions, state.topic_id, state.name in created)
        for state in (_describe_new(kafka, name) for name in names)
    ]


def _describe_new(kafka: KafkaSettings, name: str) -> TopicState:
    """Describe a topic that a broker may not have heard of yet."""
    reader = TopicReader(kafka)
    deadline = time.monotonic() + ANSWER_TIMEOUT_S
    while True:
        try:
            return reader.describe(name)
        except BrokerError:
            if time.monotonic() > deadline:
                raise
        time.sleep(SPREAD_PAUSE_S)


def _not_made(name: str, reason: Any) -> str:
    from confluent_kafka import KafkaError

    said = f"topic {name} cannot be made: {reason.str()}"
    if reason.code() == KafkaError.INVALID_REPLICATION_FACTOR:
        return f"{said}; give --replication-factor the number of brokers or less"
    return said


def describe_topic(kafka: KafkaSettings, name: str) -> TopicState:
    """Return a topic's partitions and id. Raises BrokerError where there is none."""
    return TopicReader(kafka).describe(name)


def partition_count(kafka: KafkaSettings, name: str) -> int:
    """Return a topic's partitions by the broker's metadata, which every broker has.

    Raises BrokerError where there is no such topic or no answer.
    """
    from confluent_kafka import KafkaException

    try:
        found = admin_client(kafka).list_topics(name, timeout=ANSWER_TIMEOUT_S).topics[name]
    except KafkaException as error:
        raise BrokerError(
            f"topic {name} at {kafka.bootstrap_servers}: {error.args[0].str()}", retryable=True
        ) from error
    if found.error is not None:
        raise BrokerError(
            f"topic {name} at {kafka.bootstrap_servers}: {found.error.str()}", retryable=False
        )
    return len(found.partitions)


class TopicReader:
    """Asks a broker about topics over one connection; from any thread."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        # Kept: a client that nobody holds takes its requests with it.
        self._admin = admin_client(kafka)

    def describe(self, name: str) -> TopicState:
        """Return a topic's partitions and id.

        Raises BrokerError; a retryable one where the broker is away.
        """
        from confluent_kafka import KafkaError, KafkaException, TopicCollection

        try:
            found = self._admin.describe_topics(
                TopicCollection([name]), request_timeout=ANSWER_TIMEOUT_S
            )[name].result(ANSWER_TIMEOUT_S + 1)
        except (KafkaException, TimeoutError) as error:
            reason = error.args[0] if isinstance(error, KafkaException) else None
            is_missing = reason is not None and reason.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            raise BrokerError(
                f"topic {name} at {self._kafka.bootstrap_servers}: "
                f"{reason.str() if reason is not None else 'no answer'}"
                + ("; `inferometer topics` makes it" if is_missing else ""),
                retryable=not is_missing and not _is_refusal(reason),
            ) from error
        return TopicState(name, len(found.partitions), str(found.topic_id or ""))

    def topic_id(self, name: str) -> str:
        """Return what tells this incarnation of a topic from any other.

        Raises BrokerError where the topic is missing or the broker has no topic ids.
        """
        found = self.describe(name).topic_id
        if not found or not found.strip("A="):
            raise BrokerError(
                f"the broker at {self._kafka.bootstrap_servers} has no topic ids, so a topic made "
                "anew could not be told from the old one; use Apache Kafka 3.1 or newer",
                retryable=False,
            )
        return found


def _is_refusal(reason: Any) -> bool:
    """Whether another try is no use: who we are, or what we may do."""
    from confluent_kafka import KafkaError

    return reason is not None and reason.code() in {
        KafkaError._AUTHENTICATION,  # noqa: SLF001 - how the library names its own codes
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError._SSL,  # noqa: SLF001
    }


def admin_client(kafka: KafkaSettings) -> Any:
    """Return librdkafka's client for questions about a cluster; what it cannot say it raises."""
    from confluent_kafka.admin import AdminClient

    return AdminClient({**kafka.librdkafka(), "log_level": 0})
