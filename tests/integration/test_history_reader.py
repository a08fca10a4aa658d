"""What alerts told their topics reaches the store, whatever is away meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from inferometer.clickhouse.alert_history import ClickHouseAlertHistory
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.alerts.history import encode_transition
from inferometer.core.alerts.ledger import encode_attempt
from inferometer.errors import StoreError
from inferometer.jobs.keep_history import KeepHistory
from inferometer.kafka.history_reader import HistoryReader
from inferometer.kafka.settings import KafkaSettings
from tests.integration.alert_seed import ATTEMPTS, HISTORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.services.kafka import KafkaService

pytestmark = pytest.mark.integration

WITHIN_S = 180.0


class AwayAtFirst:
    """A keeper whose store is away for the first tries, and may die after it has stored."""

    def __init__(self, keeps: KeepHistory, *, refusals: int = 0, deaths: int = 0) -> None:
        self._keeps = keeps
        self._refusals = refusals
        self._deaths = deaths

    def transitions(self, messages: Sequence[bytes], *, token: str) -> int:
        if self._refusals:
            self._refusals -= 1
            raise StoreError("away", retryable=True)
        unreadable = self._keeps.transitions(messages, token=token)
        if self._deaths:
            self._deaths -= 1
            raise StoreError("killed", retryable=False)
        return unreadable


@pytest.fixture
def history(tmp_path: Path) -> Iterator[ClickHouseAlertHistory]:
    with StoreConnection(StoreSettings(data_dir=tmp_path / "data")) as connection:
        migrate(connection, report=lambda _: None)
        yield ClickHouseAlertHistory(connection)


def test_messages_are_kept_once_though_the_store_was_away_and_a_reader_died(
    kafka_broker: KafkaService, history: ClickHouseAlertHistory
) -> None:
    transitions, attempts = (kafka_broker.new_topic(partitions=2) for _ in range(2))
    producer = Producer({"bootstrap.servers": kafka_broker.bootstrap_servers})
    for record in HISTORY:
        producer.produce(transitions, encode_transition(record), key=record.incident_id)
    producer.produce(transitions, b"{]", key=b"q7c")
    for attempt in ATTEMPTS:
        producer.produce(attempts, encode_attempt(attempt), key=attempt.incident_id)
    assert producer.flush(WITHIN_S) == 0

    keeps = KeepHistory(history)

    def reader(keeper: AwayAtFirst | KeepHistory) -> HistoryReader:
        return HistoryReader(
            KafkaSettings(bootstrap_servers=kafka_broker.bootstrap_servers),
            group=f"history-{transitions}",
            keepers={transitions: keeper.transitions, attempts: keeps.attempts},
        )

    async def read(one: HistoryReader, messages: int) -> None:
        stopping = asyncio.Event()

        def kept() -> None:
            if one.kept >= messages:
                stopping.set()

        async with asyncio.timeout(WITHIN_S):
            await one.run(stopping, kept)

    first = reader(AwayAtFirst(keeps, deaths=1))
    with pytest.raises(StoreError, match="killed"):
        asyncio.run(read(first, 99))
    second = reader(AwayAtFirst(keeps, refusals=2))
    # Attempts that came in a batch of their own were kept and committed by the first.
    asyncio.run(read(second, len(HISTORY) + 1 + len(ATTEMPTS) - first.kept))

    assert second.unreadable == 1
    kinds = [row["kind"] for row in history.transitions("q7c")]
    assert kinds == [str(record.kind) for record in HISTORY]
    assert len(history.attempts("q7c")) == len(ATTEMPTS)
