"""Where the benchmarks' Apache Kafka is: one that was given, or one of our own for the time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from inferometer.errors import BrokerError
from inferometer.kafka.local_broker import LocalBroker
from tests.benchmarks.pinning import all_but_measured, pinned

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROPERTIES = {"offsets.topic.num.partitions": "4"}
_MISSING = "no Apache Kafka here"


@contextmanager
def apache_kafka(given: str) -> Iterator[tuple[str, str]]:
    """Yield its address and why there is none; one of the two is empty."""
    if given:
        yield given, ""
        return
    broker = LocalBroker(properties=_PROPERTIES)
    try:
        with pinned(all_but_measured()):
            broker.start()
    except BrokerError as error:
        yield "", f"{_MISSING}: {error}"
        return
    try:
        yield broker.bootstrap_servers, ""
    finally:
        broker.close()
