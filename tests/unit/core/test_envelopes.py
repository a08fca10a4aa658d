"""Envelopes: the same events yield the same columns, whatever brings them, and each has its fate."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.admission import Admission, admit
from inferometer.core.arrow_events import (
    COMPRESSIONS,
    batch_of,
    batch_of_json,
    encode,
)
from inferometer.core.arrow_schema import DURATION, INSTANT, SCHEMA
from inferometer.core.columns import EventColumns
from inferometer.core.door import DoorPolicy
from inferometer.core.envelopes import MAX_RECORD_EVENTS, MAX_UNPACKED_BYTES
from inferometer.core.event_merge import take
from inferometer.core.events import InferenceRequest
from inferometer.core.judged import WHOLE
from inferometer.core.judgement import Accepted, judge
from inferometer.core.reasons import Reason, Refusal
from inferometer.core.records import ContentType, RecordColumns
from tests.unit.core.test_admission import MINIMAL, NOW_US, POLICY, event, field_values

JSON, NDJSON, ARROW = ContentType.JSON, ContentType.NDJSON, ContentType.ARROW


def admit_records(*records: tuple[int, bytes], policy: DoorPolicy = POLICY) -> Admission:
    columns = RecordColumns.from_values(
        [value for _, value in records],
        first_offset=7,
        content_types=[kind for kind, _ in records],
    )
    return admit(columns, policy)


def columns_of(admission: Admission) -> EventColumns:
    events = admission.select(np.flatnonzero(admission.accepted))
    return take(events, np.lexsort((events.indexes, events.offsets)))


def rows_of(columns: EventColumns) -> list[dict[str, Any]]:
    """Each event as plain values, whatever the layout of its columns."""
    rows: list[dict[str, Any]] = []
    for row in range(len(columns)):
        gaps = columns.gaps
        first, last = gaps.starts[row], gaps.starts[row + 1]
        rows.append(
            {
                **{name: int(values[row]) for name, values in columns.numbers.items()},
                **{name: c.values[c.codes[row]] for name, c in columns.codes.items()},
                **{name: texts[row].as_py() for name, texts in columns.texts.items()},
                **{name: items[row].as_py() for name, items in columns.lists.items()},
                **{name: dict(pairs[row].as_py()) for name, pairs in columns.maps.items()},
                "itl": (
                    int(gaps.counts[row]),
                    int(gaps.sums_us[row]),
                    int(gaps.maxima_us[row]),
                    gaps.bins[first:last].tolist(),
                    gaps.bin_counts[first:last].tolist(),
                ),
            }
        )
    return rows


def places_of(columns: EventColumns) -> list[tuple[int, int]]:
    return list(zip(columns.offsets.tolist(), columns.indexes.tolist(), strict=True))


def ids(*names: str) -> list[bytes]:
    return [event(event_id=name) for name in names]


def table(count: int = 3, **columns: pa.Array) -> pa.RecordBatch:
    """A batch of plain events with some columns in place of its own."""
    whole: dict[str, pa.Array] = {
        "event_id": pa.array([f"a-{row}" for row in range(count)]),
        "request_id": pa.array(["r"] * count),
        "model": pa.array(["m"] * count).dictionary_encode(),
        "status_code": pa.array([200] * count, pa.int64()),
        "ts_end": pa.array([NOW_US] * count, INSTANT),
        **columns,
    }
    return pa.RecordBatch.from_pydict(whole)


VALID = st.lists(
    field_values().filter(
        lambda change: (
            max([*"a", *json.dumps(change, ensure_ascii=False)]) < "\ud800"
            and isinstance(judge(json.dumps({**MINIMAL, **change}).encode(), POLICY), Accepted)
        )
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=80, deadline=None)
@given(VALID, st.sampled_from(COMPRESSIONS))
def test_events_are_the_same_in_every_envelope(
    changes: list[dict[str, Any]], compression: str
) -> None:
    values = [json.dumps({**MINIMAL, **change}).encode() for change in changes]
    events = [InferenceRequest.model_validate_json(value) for value in values]
    single = rows_of(columns_of(admit_records(*((JSON, value) for value in values))))
    lines = columns_of(admit_records((NDJSON, b"\n".join(values))))
    batches = columns_of(admit_records((ARROW, encode(batch_of(events), compression))))
    assert rows_of(lines) == single
    assert rows_of(batches) == single
    places = [(7, index) for index in range(len(values))]
    assert places_of(lines) == places_of(batches) == places


@settings(max_examples=40, deadline=None)
@given(VALID, st.lists(st.sampled_from([JSON, NDJSON, ARROW]), min_size=1, max_size=5), st.data())
def test_a_chunk_may_mix_envelopes_and_keeps_the_order_of_its_events(
    changes: list[dict[str, Any]], kinds: list[int], data: st.DataObject
) -> None:
    records: list[tuple[int, bytes]] = []
    expected: list[bytes] = []
    places: list[tuple[int, int]] = []
    for offset, kind in enumerate(kinds, start=7):
        count = 1 if kind == JSON else data.draw(st.integers(1, 4))
        picked = [changes[data.draw(st.integers(0, len(changes) - 1))] for _ in range(count)]
        values = [json.dumps({**MINIMAL, **change}).encode() for change in picked]
        events = [InferenceRequest.model_validate_json(value) for value in values]
        body = encode(batch_of(events)) if kind == ARROW else b"\n".join(values)
        records.append((kind, body))
        expected += values
        places += [(offset, index) for index in range(count)]
    columns = columns_of(admit_records(*records))
    single = columns_of(admit_records(*((JSON, value) for value in expected)))
    assert rows_of(columns) == rows_of(single)
    assert places_of(columns) == places


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([JSON, NDJSON, ARROW, ContentType.UNKNOWN]), st.binary(max_size=80))
def test_any_bytes_of_any_content_type_have_a_fate(kind: int, value: bytes) -> None:
    admission = admit_records((kind, value), (JSON, event()))
    assert "e-1" in columns_of(admission).texts["event_id"].to_pylist()
    counted = len(admission.dead_letters) + int(admission.accepted.sum())
    assert counted >= 2


WHOLE_STREAM = {
    kind: encode(
        batch_of_json([event(event_id=f"e{n}", metadata={"a": "b"}, e2e_ms=n) for n in range(4)]),
        kind,
    )
    for kind in COMPRESSIONS
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(COMPRESSIONS), st.data())
def test_a_damaged_stream_never_raises_and_never_costs_its_neighbours(
    compression: str, data: st.DataObject
) -> None:
    value = bytearray(WHOLE_STREAM[compression])
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(len(value) // 2, len(value)))
    records = [(ARROW, bytes(value[:end])), (ARROW, WHOLE_STREAM["none"]), (JSON, event())]
    columns = columns_of(admit_records(*records))
    assert [place for place in places_of(columns) if place[0] > 7] == [
        (8, 0), (8, 1), (8, 2), (8, 3), (9, 0),
    ]  # fmt: skip


def test_lines_are_split_at_newlines_and_blank_ones_count_for_nothing() -> None:
    a, b, c = ids("a", "b", "c")
    admission = admit_records((NDJSON, b"\n" + a + b"\r\n\n  \n" + b + b"\n" + c + b"\n"))
    columns = columns_of(admission)
    assert columns.texts["event_id"].to_pylist() == ["a", "b", "c"]
    assert columns.indexes.tolist() == [0, 1, 2]
    assert admission.dead_letters == []


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        (NDJSON, b"", Reason.EMPTY_RECORD),
        (NDJSON, b" \n\n", Reason.EMPTY_RECORD),
        (NDJSON, (event() + b"\n") * 3 + b"\n" * MAX_RECORD_EVENTS, Reason.TOO_LARGE),
        (ARROW, b"", Reason.EMPTY_RECORD),
        (ARROW, b"no stream", Reason.UNREADABLE_BATCH),
        (ARROW, WHOLE_STREAM["none"][:-40], Reason.UNREADABLE_BATCH),
        (ARROW, encode(table(0)), Reason.EMPTY_RECORD),
        (ARROW, encode(table(MAX_RECORD_EVENTS + 1)), Reason.TOO_LARGE),
        (ARROW, encode(pa.RecordBatch.from_pydict({"x": [1]})), Reason.UNREADABLE_BATCH),
        (
            ARROW,
            encode(table(2, new=pa.array([b"\0" * (MAX_UNPACKED_BYTES // 2 + 1)] * 2))),
            Reason.TOO_LARGE,
        ),
        (ContentType.UNKNOWN, event(), Reason.UNKNOWN_CONTENT_TYPE),
    ],
    ids=[
        "no lines", "blank lines", "too many lines", "no bytes", "no stream", "a cut stream",
        "no rows", "too many rows", "no field of events", "a bomb", "unknown content",
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_read_is_one_dead_letter_with_its_bytes(
    kind: int, value: bytes, reason: Reason
) -> None:
    admission = admit_records((JSON, event(event_id="a")), (kind, value), (JSON, event()))
    [letter] = admission.dead_letters
    assert letter.refusal.reason is reason
    assert (letter.offset, letter.index, letter.value) == (8, 0, value)
    assert columns_of(admission).texts["event_id"].to_pylist() == ["a", "e-1"]


def test_a_bad_line_is_a_dead_letter_with_its_own_bytes() -> None:
    a, b = ids("a", "b")
    admission = admit_records((NDJSON, b"\n".join([a, b"{broken", b, event(model=5)])))
    assert [(d.offset, d.index, d.value, d.refusal.reason) for d in admission.dead_letters] == [
        (7, 1, b"{broken", Reason.INVALID_JSON),
        (7, 3, event(model=5), Reason.WRONG_TYPE),
    ]
    assert {letter.content_type for letter in admission.dead_letters} == {"application/json"}
    assert columns_of(admission).indexes.tolist() == [0, 2]


def test_a_stream_may_hold_several_batches_with_their_own_dictionaries() -> None:
    schema = table(1).schema
    batches = [
        table(1, model=pa.array(["m", "n", "o"])[n : n + 1].dictionary_encode()) for n in range(3)
    ]
    value = encode([batch.cast(schema) for batch in batches])
    columns = columns_of(admit_records((ARROW, value)))
    models = columns.codes["model"]
    assert [models.values[code] for code in models.codes] == ["m", "n", "o"]
    assert columns.indexes.tolist() == [0, 1, 2]


def test_streams_of_different_schemas_share_a_chunk() -> None:
    first = encode(table(2))
    second = encode(table(2, user_id=pa.array(["u", "v"]), e2e_ms=pa.array([5, 6], DURATION)))
    columns = columns_of(admit_records((ARROW, first), (ARROW, second), (ARROW, first)))
    users = columns.codes["user_id"]
    assert [users.values[code] for code in users.codes] == ["", "", "u", "v", "", ""]
    assert places_of(columns) == [(7, 0), (7, 1), (8, 0), (8, 1), (9, 0), (9, 1)]


def test_texts_that_grow_without_their_dictionary_make_a_record_too_large() -> None:
    huge = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(100, dtype=np.int32)), pa.array(["x" * (MAX_UNPACKED_BYTES // 64)])
    )
    admission = admit_records((ARROW, encode(table(100, error_message=huge))), (JSON, event()))
    assert [letter.refusal.reason for letter in admission.dead_letters] == [Reason.TOO_LARGE]


@pytest.mark.parametrize("kind", [pa.ListArray, pa.FixedSizeListArray])
def test_texts_that_grow_inside_lists_make_a_record_too_large(kind: type[pa.Array]) -> None:
    texts = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(400, dtype=np.int32)), pa.array(["x" * (MAX_UNPACKED_BYTES // 256)])
    )
    layout = 4 if kind is pa.FixedSizeListArray else pa.array(range(0, 401, 4), pa.int32())
    lists = (
        kind.from_arrays(texts, layout)
        if kind is pa.FixedSizeListArray
        else kind.from_arrays(layout, texts)
    )
    admission = admit_records((ARROW, encode(table(100, team_ids=lists))), (JSON, event()))
    [letter] = admission.dead_letters
    assert letter.refusal.reason is Reason.TOO_LARGE
    assert "without dictionaries" in letter.refusal.detail


def test_refused_rows_of_a_record_take_a_bounded_number_of_bytes() -> None:
    huge = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(100, dtype=np.int32)), pa.array(["x" * (MAX_UNPACKED_BYTES // 64)])
    )
    value = encode(table(100, user_id=huge))
    admission = admit_records((ARROW, value), (JSON, event()))
    [letter] = admission.dead_letters
    assert (letter.refusal.reason, letter.value) == (Reason.TOO_LARGE, value)
    assert int(admission.accepted.sum()) == 1


def test_poison_names_an_event_inside_its_record() -> None:
    a, b, c = ids("a", "b", "c")
    records = RecordColumns.from_values(
        [b"\n".join([a, b]), encode(batch_of_json([a, b, c])), c],
        content_types=[NDJSON, ARROW, JSON],
    )
    why = Refusal(Reason.FAILED, "by this one")
    admission = admit(records, POLICY, {(0, 1): why, (1, 0): why, (2, WHOLE): why})
    assert [(d.offset, d.index) for d in admission.dead_letters] == [(0, 1), (1, 0), (2, 0)]
    assert places_of(columns_of(admission)) == [(0, 0), (1, 1), (1, 2)]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_records_say_about_how_many_events_they_carry(compression: str) -> None:
    a, b, c = ids("a", "b", "c")
    records = RecordColumns.from_values(
        [a, a + b"\n" + b + b"\n", encode(batch_of_json([a, b, c]), compression), b"broken", b""],
        content_types=[JSON, NDJSON, ARROW, ARROW, JSON],
    )
    assert records.event_counts().tolist() == [1, 2, 3, 1, 1]
    assert records.slice(0, 1).event_counts().tolist() == [1]


def test_batches_have_the_canonical_schema_and_only_the_columns_they_need() -> None:
    batch = batch_of_json(ids("a", "b"))
    assert batch.schema.names == ["event_id", "ts_end", "request_id", "model", "status_code"]
    for field in batch.schema:
        assert SCHEMA.field(field.name) == field
    assert batch.schema.metadata == SCHEMA.metadata


def test_what_is_no_event_cannot_be_made_a_batch() -> None:
    with pytest.raises(ValueError, match="event 1 is none of"):
        batch_of_json([event(), event(model=5)])


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_column_that_is_no_field_is_not_trusted_either(compression: str) -> None:
    rows = {name: [value, value] for name, value in {**MINIMAL, "ts_end": NOW_US}.items()}
    # The second row is too old, and a letter shows all columns of it.
    rows |= {"ts_end": [NOW_US, 5], "extra": ["unlisted", "whatever"]}
    stream = encode(pa.RecordBatch.from_pydict(rows), compression=compression)
    places = np.array([0, 8, 16], dtype=np.int32).tobytes()
    if compression == "none":
        # Its second text reaches beyond its bytes.
        spoiled = stream.replace(places, np.array([0, 8, 24], dtype=np.int32).tobytes())
    else:
        cut = stream.index(b"\x28\xb5\x2f\xfd", stream.rindex(b"whatever") - 40)
        spoiled = stream[:cut] + bytes(4) + stream[cut + 4 :]
    assert spoiled != stream
    (letter,) = admit_records((ARROW, spoiled)).dead_letters
    assert letter.refusal.reason is Reason.UNREADABLE_BATCH
    assert letter.value == spoiled
    (sound,) = admit_records((ARROW, stream)).dead_letters
    assert sound.refusal.reason is Reason.EVENT_TIME_TOO_OLD
