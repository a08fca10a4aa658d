"""Makes the topics of alerting where they are missing, each with what it must keep.

Notices and their ledger have one partition: whoever owns it delivers, all others stand by.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from inferometer import names
from inferometer.errors import BrokerError
from inferometer.kafka.security import security_options
from inferometer.kafka.topics import MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from inferometer.kafka.settings import KafkaSettings

DAY_MS = 86_400_000
COMPACTED = {"cleanup.policy": "compact"}


@dataclass(frozen=True, slots=True)
class AlertTopicNames:
    """The names of the topics of alerting: those of `inferometer.names`, unless one is given."""

    counts: str = names.SLO_COUNTS_TOPIC
    state: str = names.ALERT_STATE_TOPIC
    notices: str = names.ALERT_NOTICES_TOPIC
    ledger: str = names.NOTIFICATION_LEDGER_TOPIC
    transitions: str = names.ALERT_TRANSITIONS_TOPIC
    attempts: str = names.NOTIFICATION_ATTEMPTS_TOPIC
    silences: str = names.SILENCES_TOPIC

    @classmethod
    def behind(cls, prefix: str) -> Self:
        """Return the names behind another prefix, for a second deployment on one cluster."""
        usual = asdict(cls())
        return cls(**{key: prefix + name.partition(".")[2] for key, name in usual.items()})


@dataclass(frozen=True, slots=True)
class AlertTopic:
    """One topic of alerting."""

    name: str
    partitions: int
    configs: dict[str, str]


def alert_topics(named: AlertTopicNames, count_partitions: int) -> tuple[AlertTopic, ...]:
    """Return every topic of alerting; counts and state have as many partitions."""
    week = {"retention.ms": str(7 * DAY_MS)}
    month = {"retention.ms": str(30 * DAY_MS)}
    # Without a snapshot the counts of a week build the state again.
    counts = {**week, "message.timestamp.type": "LogAppendTime"}
    return (
        AlertTopic(named.counts, count_partitions, counts),
        AlertTopic(named.state, count_partitions, COMPACTED),
        AlertTopic(named.notices, 1, week),
        AlertTopic(named.ledger, 1, COMPACTED),
        AlertTopic(named.transitions, 1, month),
        AlertTopic(named.attempts, 1, month),
        AlertTopic(named.silences, 1, COMPACTED),
    )


async def make_alert_topics(
    kafka: KafkaSettings,
    named: AlertTopicNames,
    *,
    count_partitions: int,
    replication_factor: int,
) -> list[str]:
    """Create what is missing and return the names of what was created. Raises BrokerError."""
    wanted = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=replication_factor,
            topic_configs={**topic.configs, "max.message.bytes": str(MAX_MESSAGE_BYTES)},
        )
        for topic in alert_topics(named, count_partitions)
    ]
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.addresses, **security_options(kafka))
    try:
        await client.start()
        answer = await client.create_topics(wanted)
    except (KafkaError, OSError) as error:
        raise _not_made(kafka, repr(error), retryable=True) from error
    finally:
        await client.close()
    created = []
    for name, code, *_ in answer.topic_errors:
        reason = for_code(code)
        if not code:
            created.append(name)
        elif reason is not TopicAlreadyExistsError:
            raise _not_made(kafka, f"{reason.__name__} of {name}", retryable=False)
    return created


def _not_made(kafka: KafkaSettings, reason: str, *, retryable: bool) -> BrokerError:
    return BrokerError(
        f"the topics of alerting cannot be made at {kafka.bootstrap_servers}: {reason}; may this "
        "user create topics, and are there enough brokers for the replication factor?",
        retryable=retryable,
    )
