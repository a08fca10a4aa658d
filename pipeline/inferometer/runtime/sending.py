"""Sends records to a broker that forgets, never more than it keeps: the SDK's client, paced."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Any, Self

from inferometer.core import codec
from inferometer.errors import BrokerError
from inferometer.sdk.client import Client

if TYPE_CHECKING:
    from inferometer.core.events import InferenceRequest
    from inferometer.kafka.pace import Pace
    from inferometer.sdk.stats import Delivery, Drop

HEADER_BYTES = 300
"""Room for the headers of a record of one event, which the broker keeps; more than a line takes."""


class PacedSender:
    """The SDK's client behind a pace: a send waits until the broker can keep the record.

    Use it from one thread. A record that the client refuses raises and takes no room; one that
    gets lost later is a failure of the run, raised by the next send and by `flush`.
    """

    def __init__(
        self, *, bootstrap_servers: str, topic: str, partitions: int, pace: Pace, **client: Any
    ) -> None:
        self._topic = topic
        self._partitions = partitions
        self._pace = pace
        self._lost: str = ""
        self._reserved: dict[int, deque[int]] = defaultdict(deque)
        """By partition the sizes of events on their way, in their order."""
        self._client = Client(
            bootstrap_servers=bootstrap_servers,
            requests_topic=topic,
            environ={},
            on_delivery=self._on_delivery,
            on_drop=self._on_drop,
            **client,
        )
        self.produced = 0
        """Events that the client took."""

    def send_event(self, event: InferenceRequest) -> None:
        """Send an event. Raises EventTooLargeError, BrokerError."""
        self.send_record(codec.encode(event), codec.key(event))

    def send_record(self, value: bytes, key: bytes) -> None:
        """Send bytes as they are. Raises EventTooLargeError, BrokerError."""
        self._raise_if_lost()
        partition = self._client.partition_of(value, key=key, partitions=self._partitions)
        size = len(value) + len(key) + HEADER_BYTES
        self._pace.reserve(self._topic, partition, size)
        reserved = self._reserved[partition]
        reserved.append(size)
        try:
            self._client.emit_record(value, key=key)
        except BaseException:
            reserved.pop()
            self._pace.failed(self._topic, partition, size)
            raise
        self.produced += 1

    def flush(self, timeout_s: float) -> None:
        """Wait until the broker holds everything. Raises BrokerError where it does not."""
        remaining = self._client.flush(timeout_s)
        self._raise_if_lost()
        if remaining:
            raise BrokerError(
                f"{remaining} records did not reach the broker within {timeout_s:g} s",
                retryable=True,
            )

    def close(self) -> None:
        """Give up what has not been sent."""
        self._client.close(0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _on_delivery(self, delivery: Delivery) -> None:
        sizes = self._reserved[delivery.partition]
        for _ in range(delivery.events):
            self._pace.delivered(
                delivery.topic, delivery.partition, delivery.offset, sizes.popleft()
            )

    def _on_drop(self, drop: Drop) -> None:
        if drop.reason.value not in {"invalid", "too_large"}:
            self._lost = drop.detail

    def _raise_if_lost(self) -> None:
        if self._lost:
            raise BrokerError(f"a record was lost on its way: {self._lost}", retryable=False)
