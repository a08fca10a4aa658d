"""The contract of `ChunkStore`, over the fake, the embedded engine, and the engine behind HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.http_server.background import BackgroundServer
from inferometer.clickhouse.http_server.server import HttpStoreServer
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.chunks import ChunkOutcome, Intent, PartitionSpan, StreamPartition
from inferometer.core.resumption import StoredProgress
from inferometer.core.state_rows import intent_table, ledger_table
from inferometer.testing.stores import MemoryChunkStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inferometer.ports import ChunkStore

SOURCE = StreamPartition("inference.requests", 3, "run-1")

ALIVE_US = 4_000_000_000_000_000
"""In 2096: rows beyond the retention of their table would be gone at once."""

Stored = tuple["ChunkStore", "Callable[[str], int]"]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=tmp_path_factory.mktemp("store"))) as opened:
        migrate(opened, report=lambda _: None)
        yield opened


@pytest.fixture(scope="module")
def http_connection(connection: StoreConnection) -> Iterator[StoreConnection]:
    """Reach the same store as a server is reached."""
    with (
        BackgroundServer(lambda: HttpStoreServer(connection)) as server,
        StoreConnection(StoreSettings(url=server.url)) as opened,
    ):
        yield opened


@pytest.fixture(params=["memory", "connection", "http_connection"])
def stored(request: pytest.FixtureRequest) -> Stored:
    """Return an empty store, and how many rows one of its tables has."""
    if request.param == "memory":
        memory = MemoryChunkStore()
        return memory, lambda table: sum(block.num_rows for block in memory.blocks(table))
    connection: StoreConnection = request.getfixturevalue(request.param)
    client = connection.client()
    for table in ("requests", "dead_letters", "chunk_ledger", "chunk_intents", "dimension_values"):
        client.command(f"TRUNCATE TABLE {table}")
    return (
        ClickHouseChunkStore(connection),
        lambda table: int(str(client.command(f"SELECT count() FROM {table}"))),
    )


def requests(
    ids: list[str], *, first_offset: int = 0, source: StreamPartition = SOURCE
) -> pa.Table:
    count = len(ids)
    return pa.table(
        {
            "event_id": ids,
            "model": pa.array(["m"] * count).dictionary_encode(),
            "ts_end": pa.array([ALIVE_US] * count, pa.timestamp("us", tz="UTC")),
            "stream_id": pa.array([source.stream_id] * count).dictionary_encode(),
            "kafka_topic": pa.array([source.topic] * count).dictionary_encode(),
            "kafka_partition": pa.array([source.partition] * count, pa.uint32()),
            "kafka_offset": pa.array(range(first_offset, first_offset + count), pa.uint64()),
        }
    )


def test_one_token_stores_rows_once(stored: Stored) -> None:
    store, count = stored
    for _ in range(3):
        store.insert(table="requests", rows=requests(["a", "b"]), token="once")
    assert count("requests") == 2


def test_other_tokens_store_equal_rows_again(stored: Stored) -> None:
    store, count = stored
    for token in ("first", "second"):
        store.insert(table="requests", rows=requests(["a"]), token=token)
    assert count("requests") == 2


def test_a_token_belongs_to_its_table(stored: Stored) -> None:
    store, count = stored
    store.insert(table="requests", rows=requests(["a"]), token="shared")
    letters = pa.table(
        {
            "reason": ["invalid_json"],
            "stream_id": [SOURCE.stream_id],
            "kafka_topic": [SOURCE.topic],
            "kafka_partition": pa.array([SOURCE.partition], pa.uint32()),
            "kafka_offset": pa.array([7], pa.uint64()),
            "value": pa.array([b"\xff{"], pa.binary()),
            "decided_at": pa.array([ALIVE_US], pa.timestamp("us", tz="UTC")),
        }
    )
    store.insert(table="dead_letters", rows=letters, token="shared")
    assert (count("requests"), count("dead_letters")) == (1, 1)


def test_no_rows_are_no_insert_and_leave_the_token_free(stored: Stored) -> None:
    store, count = stored
    store.insert(table="requests", rows=requests([]), token="empty")
    store.insert(table="requests", rows=requests(["a"]), token="empty")
    assert count("requests") == 1


def test_rows_in_several_batches_are_still_one_block(stored: Stored) -> None:
    store, count = stored
    rows = pa.concat_tables([requests(["a", "b"]), requests(["c"], first_offset=2)])
    for _ in range(2):
        store.insert(table="requests", rows=rows, token="batches")
    assert count("requests") == 3


def test_ids_are_found_inside_the_span_of_offsets_only(stored: Stored) -> None:
    store, _ = stored
    store.insert(table="requests", rows=requests(list("abcde"), first_offset=10), token="span")
    found = store.find_events(source=SOURCE, event_ids=list("abcdez"), floor=11, before=14)
    assert found == {"b", "c", "d"}


def test_other_partitions_topics_and_streams_do_not_count(stored: Stored) -> None:
    store, _ = stored
    others = (
        StreamPartition("inference.requests", 4, "run-1"),
        StreamPartition("other", 3, "run-1"),
        StreamPartition("inference.requests", 3, "run-2"),
    )
    for number, other in enumerate(others):
        store.insert(table="requests", rows=requests(["a"], source=other), token=f"other-{number}")
    assert store.find_events(source=SOURCE, event_ids=["a"], floor=0, before=100) == set()
    assert len(store.recent_event_ids(source=SOURCE, floor=0, before=100)) == 0


def test_many_ids_are_looked_up_at_once(stored: Stored) -> None:
    store, _ = stored
    ids = [f"id-{number} ' \\ é" for number in range(1200)]
    store.insert(table="requests", rows=requests(ids), token="many")
    asked = [*ids[::3], "absent"]
    assert store.find_events(source=SOURCE, event_ids=asked, floor=0, before=5000) == set(ids[::3])


def test_no_ids_are_found_without_asking(stored: Stored) -> None:
    store, _ = stored
    assert store.find_events(source=SOURCE, event_ids=[], floor=0, before=1) == set()


def test_recent_ids_come_in_the_order_of_the_records(stored: Stored) -> None:
    store, _ = stored
    store.insert(table="requests", rows=requests(["c", "d"], first_offset=2), token="later")
    store.insert(table="requests", rows=requests(["a", "b"], first_offset=0), token="earlier")
    recent = store.recent_event_ids(source=SOURCE, floor=1, before=4)
    assert recent.to_pylist() == ["b", "c", "d"]
    assert recent.type == pa.string()


def test_threads_insert_at_the_same_time(stored: Stored) -> None:
    store, count = stored

    def insert(number: int) -> None:
        source = StreamPartition("inference.requests", number, "run-1")
        store.insert(table="requests", rows=requests(["a"], source=source), token=f"t{number}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(insert, range(8)))
    assert count("requests") == 8


def intent(first: int, last: int, *, decided_at_us: int = ALIVE_US) -> Intent:
    return Intent(
        first_offset=first,
        last_offset=last,
        decided_at_us=decided_at_us,
        dedupe_floor=0,
        price_version="p",
        cubes_version="1",
        partition_count=4,
    )


def close(store: ChunkStore, chunk: Intent, *, source: StreamPartition = SOURCE) -> None:
    outcome = ChunkOutcome(1, 1, 1, 0, 0, 0, ALIVE_US)
    rows = ledger_table(outcome, chunk, source)
    store.insert(table="chunk_ledger", rows=rows, token=f"{source}/{chunk.first_offset}")


def account(store: ChunkStore, first: int, last: int, *, stored: int) -> None:
    outcome = ChunkOutcome(last - first + 1, stored, stored, 0, 0, 0, ALIVE_US)
    rows = ledger_table(outcome, intent(first, last), SOURCE)
    store.insert(table="chunk_ledger", rows=rows, token=f"{SOURCE}/{first}")


@pytest.mark.parametrize(
    ("before", "max_events", "floor"),
    [(30, 1, 20), (30, 500, 20), (30, 501, 10), (30, 10_000, 0), (20, 500, 10), (0, 500, 0)],
)
def test_the_latest_events_begin_with_the_chunk_that_holds_the_first_of_them(
    stored: Stored, before: int, max_events: int, floor: int
) -> None:
    store, _ = stored
    for first in (0, 10, 20):
        account(store, first, first + 9, stored=500)
    close(store, intent(25, 29), source=StreamPartition("inference.requests", 3, "run-2"))
    assert store.dedupe_floor(SOURCE, before=before, max_events=max_events) == floor


def begin(store: ChunkStore, chunk: Intent, *, source: StreamPartition = SOURCE) -> None:
    rows = intent_table(chunk, source)
    store.insert(table="chunk_intents", rows=rows, token=f"{source}/{chunk.first_offset}")


def test_a_partition_without_a_chunk_has_no_progress(stored: Stored) -> None:
    store, _ = stored
    close(store, intent(0, 9), source=StreamPartition("inference.requests", 3, "run-2"))
    assert store.progress(SOURCE) == StoredProgress(None, None)


def test_progress_is_the_end_of_the_ledger_and_the_open_intent(stored: Stored) -> None:
    store, _ = stored
    begin(store, intent(0, 9))
    assert store.progress(SOURCE) == StoredProgress(None, intent(0, 9))
    close(store, intent(0, 9))
    assert store.progress(SOURCE) == StoredProgress(10, None)
    begin(store, intent(10, 14))
    begin(store, intent(20, 24), source=StreamPartition("inference.requests", 4, "run-1"))
    assert store.progress(SOURCE) == StoredProgress(10, intent(10, 14))
    close(store, intent(10, 14))
    assert store.progress(SOURCE) == StoredProgress(15, None)


def test_spans_of_other_partitions_are_given_once_their_number_has_changed(stored: Stored) -> None:
    store, _ = stored
    others = [StreamPartition("inference.requests", number, "run-1") for number in (0, 1)]
    for other in others:
        close(store, intent(5, 9), source=other)
        close(store, intent(10, 14 + other.partition), source=other)
    early = intent(0, 4, decided_at_us=ALIVE_US - 3_600_000_000)
    close(store, early, source=others[0])
    since = datetime.fromtimestamp(ALIVE_US / 1e6, UTC) - timedelta(minutes=10)
    assert store.spans_before_resize(SOURCE, partition_count=4, since=since) == ()
    assert store.spans_before_resize(SOURCE, partition_count=6, since=since) == (
        PartitionSpan(0, 5, 15),
        PartitionSpan(1, 5, 16),
    )
    later = since + timedelta(hours=1)
    assert store.spans_before_resize(SOURCE, partition_count=6, since=later) == ()


def admit(
    store: ChunkStore,
    values: list[tuple[str, str, int]],
    *,
    month: date = date(2096, 10, 1),
    source: StreamPartition = SOURCE,
) -> None:
    """Store (dimension, value, offset) rows."""
    dimensions, texts, offsets = zip(*values, strict=True)
    count = len(values)
    rows = pa.table(
        {
            "stream_id": [source.stream_id] * count,
            "kafka_topic": [source.topic] * count,
            "kafka_partition": pa.array([source.partition] * count, pa.int64()),
            "month": pa.array([month] * count, pa.date32()),
            "dimension": list(dimensions),
            "value": list(texts),
            "kafka_offset": pa.array(offsets, pa.int64()),
            "kafka_index": pa.array(range(count), pa.int64()),
        }
    )
    store.insert(table="dimension_values", rows=rows, token=f"{source}/{month}/{offsets}")


def test_a_partition_that_admitted_nothing_has_an_empty_list(stored: Stored) -> None:
    store, _ = stored
    admit(store, [("model", "m", 1)], source=StreamPartition("inference.requests", 3, "run-2"))
    rows = store.admitted_values(SOURCE, before=100)
    assert rows.num_rows == 0
    assert rows.schema == pa.schema(
        [("month", pa.date32()), ("dimension", pa.string()), ("value", pa.string())]
    )


def test_admitted_values_come_in_order_of_appearance_before_an_offset(stored: Stored) -> None:
    store, _ = stored
    admit(store, [("user_id", "z", 20), ("user_id", "é", 20), ("model", "late", 30)])
    admit(store, [("model", "b", 5), ("model", "a", 7)])
    october = date(2096, 10, 1)
    assert store.admitted_values(SOURCE, before=30).to_pylist() == [
        {"month": october, "dimension": dimension, "value": value}
        for dimension, value in [
            ("model", "b"), ("model", "a"), ("user_id", "z"), ("user_id", "é"),
        ]
    ]  # fmt: skip
    assert store.admitted_values(SOURCE, before=5).num_rows == 0


def test_only_the_latest_month_before_an_offset_is_given(stored: Stored) -> None:
    store, _ = stored
    november = date(2096, 11, 1)
    admit(store, [("model", "old", 5)])
    admit(store, [("model", "new", 9)], month=november)
    for before, expected in ((9, "old"), (10, "new")):
        rows = store.admitted_values(SOURCE, before=before)
        assert rows.column("value").to_pylist() == [expected]
