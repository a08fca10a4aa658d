"""Intents travel as text beside the offset and refuse what they cannot read."""

from __future__ import annotations

import dataclasses

import pytest

from inferometer.core.chunks import Chunk, GroupMetadata, Intent, PartitionSpan, StreamPartition
from inferometer.core.records import RecordColumns
from inferometer.errors import StateError

INTENT = Intent(
    first_offset=10,
    last_offset=19,
    decided_at_us=1,
    dedupe_floor=0,
    price_version="p",
    cubes_version="1",
    partition_count=12,
    elsewhere=(PartitionSpan(3, 100, 200),),
)


@pytest.mark.parametrize("intent", [INTENT, None], ids=["open", "none open"])
def test_what_the_group_keeps_survives_the_round_trip(intent: Intent | None) -> None:
    kept = GroupMetadata("run-1", intent)
    assert GroupMetadata.from_text(kept.to_text()) == kept


def test_an_intent_of_the_store_survives_the_round_trip() -> None:
    assert Intent.from_json(INTENT.to_json()) == INTENT


@pytest.mark.parametrize("text", ["x", "[]", '{"other": 1}'])
def test_an_intent_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(StateError, match="drain with the version that wrote it"):
        Intent.from_json(text)


def test_the_metadata_of_fifty_partitions_elsewhere_fits_a_broker() -> None:
    spans = tuple(PartitionSpan(1000 + n, 10**12, 10**12) for n in range(50))
    kept = GroupMetadata("A" * 22, dataclasses.replace(INTENT, elsewhere=spans))
    assert len(kept.to_text()) < 4096


def test_no_metadata_means_an_offset_that_was_set_by_hand() -> None:
    assert GroupMetadata.from_text("") is None


@pytest.mark.parametrize(
    "text", ["x", "[]", "{}", '{"format":1}', '{"format":2}', '"text"', '{"format":3}']
)
def test_an_intent_of_another_version_is_refused(text: str) -> None:
    with pytest.raises(StateError, match="drain with the version that wrote it"):
        GroupMetadata.from_text(text)


def test_tokens_carry_stream_partition_offsets_and_table() -> None:
    source = StreamPartition("inference.requests", 3, "run-1")
    other = StreamPartition("inference.requests", 3, "run-2")
    chunk = Chunk(source, INTENT, RecordColumns.empty())
    assert chunk.token("requests") == "run-1/3/10-19/requests"
    assert Chunk(other, INTENT, RecordColumns.empty()).token("requests") != chunk.token("requests")
