"""Records reach the processor whole, once and in order, over real TCP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from inferometer.core.chunks import StreamPartition
from inferometer.core.records import ContentType
from inferometer.kafka.partition_reader import PartitionReader
from inferometer.kafka.topic_view import KafkaTopicView
from tests.integration.kafka_bench import broker, produce, running, settings, until, worker
from tests.unit.kafka.recording import RecordingProcessor

if TYPE_CHECKING:
    from inferometer.kafka.embedded import EmbeddedBroker

__all__ = ["broker"]

pytestmark = pytest.mark.integration

HEADERS: list[tuple[list[tuple[str, str | bytes | None]], ContentType]] = [
    ([], ContentType.JSON),
    ([("content-type", b"application/json; charset=utf-8")], ContentType.JSON),
    ([("Content-Type", b"application/x-ndjson")], ContentType.NDJSON),
    (
        [("ce_id", b"1"), ("content-type", b"application/vnd.apache.arrow.stream")],
        ContentType.ARROW,
    ),
    ([("content-type", b"text/plain")], ContentType.UNKNOWN),
    ([("content-type", None)], ContentType.JSON),
]


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_compression_brings_the_same_records(
    broker: EmbeddedBroker, compression: str
) -> None:
    values = [None, b"", *(b"value %d " % index * 20 for index in range(300))]
    processor = RecordingProcessor()

    async def read() -> None:
        async with running(worker(broker, processor)):
            await until(lambda: len(processor.offsets(0)) >= len(values))

    produce(
        broker,
        [(0, value, HEADERS[index % len(HEADERS)][0]) for index, value in enumerate(values)],
        **{"compression.type": compression},
    )
    asyncio.run(read())

    assert processor.values(0) == [value or b"" for value in values]
    assert processor.offsets(0) == list(range(len(values)))
    types = [kind for chunk in processor.chunks for kind in chunk.records.content_types.tolist()]
    assert types == [HEADERS[index % len(HEADERS)][1] for index in range(len(values))]


def test_who_reads_from_outside_the_group_gets_the_same_records(broker: EmbeddedBroker) -> None:
    values = [b"value %d" % index for index in range(len(HEADERS))]
    produce(
        broker, [(2, value, headers) for value, (headers, _) in zip(values, HEADERS, strict=True)]
    )
    kafka = settings(broker).kafka
    source = StreamPartition(kafka.topic, 2, kafka.run_epoch)

    with KafkaTopicView(kafka) as view, PartitionReader(kafka) as reader:
        found = [view.records(2, 1, 9), reader.records(source, 1, 9)]
        assert view.held_offsets(2, 1, 9, limit=2) == (len(HEADERS) - 1, [1, 2])
        assert view.held_offsets(2, 50, 90, limit=2) == (0, [])

    for records in found:
        assert [records.value(row) for row in range(len(records))] == values[1:]
        assert records.offsets.tolist() == list(range(1, len(HEADERS)))
        assert records.content_types.tolist() == [kind for _, kind in HEADERS[1:]]
        assert (records.append_times_ms > 0).all()


def test_a_record_of_nearly_five_megabytes_is_read(broker: EmbeddedBroker) -> None:
    large = b"x" * 4_900_000
    processor = RecordingProcessor()

    async def read() -> None:
        async with running(worker(broker, processor, gapless=True)):
            await until(lambda: processor.values(1))

    produce(broker, [(1, large, [])])
    asyncio.run(read())

    assert processor.values(1) == [large]


def test_twenty_thousand_records_come_once_and_in_order(broker: EmbeddedBroker) -> None:
    processor = RecordingProcessor()

    async def read() -> None:
        members = worker(broker, processor, chunk_max_events=1_000, gapless=True)
        async with running(members):
            await until(lambda: members.counters.records >= 20_000)

    produce(broker, [(index % 4, b"%d" % index, []) for index in range(20_000)])
    asyncio.run(read())

    for partition in range(4):
        assert processor.offsets(partition) == list(range(5_000))
        expected = [b"%d" % index for index in range(partition, 20_000, 4)]
        assert processor.values(partition) == expected
    assert max(len(chunk.records) for chunk in processor.chunks) <= 1_000
