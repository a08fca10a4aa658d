"""Intents travel as text beside the offset and refuse what they cannot read."""

from __future__ import annotations

import pytest

from inferometer.core.chunks import Chunk, Intent, StreamPartition
from inferometer.core.records import RecordColumns
from inferometer.errors import StateError

INTENT = Intent(
    first_offset=10,
    last_offset=19,
    decided_at_us=1,
    dedupe_floor=0,
    price_version="p",
    cubes_version="1",
)


def test_an_intent_survives_the_round_trip() -> None:
    assert Intent.from_metadata(INTENT.to_metadata()) == INTENT


def test_no_metadata_means_no_open_chunk() -> None:
    assert Intent.from_metadata("") is None


@pytest.mark.parametrize("text", ["x", "[]", "{}", '{"format":1}', '{"format":2}', '"text"'])
def test_an_intent_of_another_version_is_refused(text: str) -> None:
    with pytest.raises(StateError, match="drain with the version that wrote it"):
        Intent.from_metadata(text)


def test_tokens_carry_stream_partition_offsets_and_table() -> None:
    source = StreamPartition("inference.requests", 3, "run-1")
    other = StreamPartition("inference.requests", 3, "run-2")
    chunk = Chunk(source, INTENT, RecordColumns.empty())
    assert chunk.token("requests") == "run-1/3/10-19/requests"
    assert Chunk(other, INTENT, RecordColumns.empty()).token("requests") != chunk.token("requests")
