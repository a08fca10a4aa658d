"""The embedded engine after a question that ran out of memory: the next one is answered in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import StreamPartition
from inferometer.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

SOURCE = StreamPartition("inference.requests", 0, "run-1")
TOO_MUCH = """SELECT groupArray(toString(number)) FROM numbers(5000000)
SETTINGS max_memory_usage = 1000000"""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path / "store")) as opened:
        migrate(opened, report=lambda _line: None)
        opened.client().command(
            "INSERT INTO requests (event_id, stream_id, kafka_topic, kafka_partition, kafka_offset,"
            " ts_end) VALUES ('e-1', 'run-1', 'inference.requests', 0, 7, now64(6))"
        )
        yield opened


def test_what_was_seen_is_still_seen_after_a_question_ran_out_of_memory(
    connection: StoreConnection,
) -> None:
    store = ClickHouseChunkStore(connection)
    for _ in range(3):
        with pytest.raises(StoreError, match="memory"), connection.errors():
            connection.reader().raw_query(TOO_MUCH, fmt="ArrowStream")
        seen = store.recent_event_ids(source=SOURCE, floor=0, before=9)
        assert seen.to_pylist() == ["e-1"]


def test_a_client_that_ran_out_of_memory_answers_the_next_question_wrongly(
    connection: StoreConnection,
) -> None:
    """The trap itself: when an engine no longer has it, `StoreConnection.errors` may go."""
    reader = connection.reader()
    answers = []
    for _ in range(3):
        with pytest.raises(ClickHouseError, match="memory"):
            reader.raw_query(TOO_MUCH, fmt="ArrowStream")
        answers.append(reader.raw_query("SELECT 7", fmt="TSV"))
    assert answers != [b"7\n"] * 3
