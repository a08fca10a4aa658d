"""What the broker says of a topic's logs, asked from outside of the group: offsets, ages, retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from inferometer.core.retention import LogSpan, TopicRetention
from inferometer.errors import BrokerError
from inferometer.kafka.topics import admin_client

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.kafka.settings import KafkaSettings

ANSWER_TIMEOUT_S = 5.0
_UNLIMITED = -1


class LogState:
    """Asks the broker about one topic; for one thread, which it blocks for seconds at most.

    It reads records by assignment, never as a member of the group, and commits nothing.
    """

    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka
        self._topic = kafka.topic
        self._admin_client: Any = None
        self._reader: Any = None

    def spans(self, partitions: Iterable[int]) -> dict[int, LogSpan]:
        """Return which committed offsets the broker holds. Raises BrokerError."""
        wanted = list(partitions)
        if not wanted:
            return {}
        specs = _admin_module().OffsetSpec
        starts = self._offsets(wanted, specs.earliest())
        ends = self._offsets(wanted, specs.latest())
        return {number: LogSpan(starts[number], ends[number]) for number in wanted}

    def append_ms(self, partition: int, offset: int) -> int | None:
        """Return when the first record from an offset on was appended; None where there is none.

        Raises BrokerError.
        """
        from confluent_kafka import KafkaException, TopicPartition

        reader = self._reading()
        try:
            reader.assign([TopicPartition(self._topic, partition, offset)])
            message = reader.poll(ANSWER_TIMEOUT_S)
        except KafkaException as error:
            raise self._unknown("a record's time", error) from error
        finally:
            reader.unassign()
        if message is None or message.error() is not None:
            return None
        _kind, append_ms = message.timestamp()
        return int(append_ms)

    def retention(self) -> TopicRetention:
        """Return what the topic keeps. Raises BrokerError, also where the user may not ask."""
        from confluent_kafka import KafkaException

        resources = _admin_module().ConfigResource
        resource = resources(resources.Type.TOPIC, self._topic)
        try:
            futures = self._admin().describe_configs([resource], request_timeout=ANSWER_TIMEOUT_S)
            found = futures[resource].result(ANSWER_TIMEOUT_S * 2)
        except (KafkaException, TimeoutError) as error:
            raise self._unknown("the retention", error) from error
        policies = _text(found, "cleanup.policy")
        if "delete" not in policies.split(","):
            return TopicRetention()
        return TopicRetention(
            age_ms=_limit(_text(found, "retention.ms")),
            size_bytes=_limit(_text(found, "retention.bytes")),
        )

    def close(self) -> None:
        """Disconnect; again is harmless."""
        reader, self._reader, self._admin_client = self._reader, None, None
        if reader is not None:
            reader.close()

    def _offsets(self, partitions: list[int], spec: Any) -> dict[int, int]:
        from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

        try:
            futures = self._admin().list_offsets(
                {TopicPartition(self._topic, number): spec for number in partitions},
                isolation_level=IsolationLevel.READ_COMMITTED,
                request_timeout=ANSWER_TIMEOUT_S,
            )
            return {
                key.partition: int(future.result(ANSWER_TIMEOUT_S * 2).offset)
                for key, future in futures.items()
            }
        except (KafkaException, TimeoutError) as error:
            raise self._unknown("the offsets", error) from error

    def _admin(self) -> Any:
        if self._admin_client is None:
            self._admin_client = admin_client(self._kafka)
        return self._admin_client

    def _reading(self) -> Any:
        from confluent_kafka import Consumer

        if self._reader is None:
            self._reader = Consumer(
                {
                    **self._kafka.librdkafka(),
                    # The library wants one; nothing joins it.
                    "group.id": self._kafka.group,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_committed",
                    # One batch is enough: a broker gives the first one whatever its size.
                    "fetch.message.max.bytes": 1,
                    "queued.min.messages": 1,
                    "fetch.queue.backoff.ms": 10,
                    "log_level": 0,
                }
            )
        return self._reader

    def _unknown(self, what: str, error: Exception) -> BrokerError:
        first = error.args[0] if error.args else error
        reason = first.str() if hasattr(first, "str") else repr(error)
        return BrokerError(
            f"{what} of {self._topic} at {self._kafka.bootstrap_servers} cannot be had: {reason}",
            retryable=True,
        )


def _admin_module() -> Any:
    # It declares no exports and has few annotations.
    from confluent_kafka import admin

    return admin


def _text(configs: Any, name: str) -> str:
    entry = configs.get(name)
    return "" if entry is None else str(entry.value)


def _limit(text: str) -> int | None:
    """Return a limit of the topic's configuration; None for none."""
    try:
        limit = int(text)
    except ValueError:
        return None
    return None if limit == _UNLIMITED else limit
