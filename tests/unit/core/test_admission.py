"""The door: what is refused and why, and that the compiled decoder agrees with the model."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.admission import Admission, admit
from inferometer.core.admitted_rows import AdmittedRows, Part
from inferometer.core.columns import MISSING
from inferometer.core.decoder import decode_spans
from inferometer.core.door import DoorPolicy, complete
from inferometer.core.event_kernel import OK
from inferometer.core.events import InferenceRequest, Kind
from inferometer.core.fields import FIELDS, NUMBER_KINDS, SCALES
from inferometer.core.judgement import Accepted, judge
from inferometer.core.reasons import Reason
from inferometer.core.records import ContentType, RecordColumns

NOW_US = 1_763_690_000_000_000
DAY_US = 86_400_000_000
POLICY = DoorPolicy(now_us=NOW_US, retention_us=14 * DAY_US, future_tolerance_us=300_000_000)
MINIMAL: dict[str, Any] = {
    "event_id": "e-1", "request_id": "r-1", "model": "m", "status_code": 200, "ts_end": NOW_US,
}  # fmt: skip
ABSENT = object()


def event(**changes: Any) -> bytes:
    merged = {**MINIMAL, **changes}
    return json.dumps({key: value for key, value in merged.items() if value is not ABSENT}).encode()


def admit_values(*values: bytes, content_types: list[int] | None = None) -> Admission:
    return admit(RecordColumns.from_values(values, content_types=content_types), POLICY)


def _stored_ids(admission: Admission) -> list[str]:
    return list(admission.select(np.flatnonzero(admission.accepted)).texts["event_id"].to_pylist())


REFUSED = {
    "an empty record": (b"", Reason.EMPTY_RECORD),
    "truncated JSON": (event()[:-5], Reason.INVALID_JSON),
    "bytes that are no UTF-8": (b'{"model":"\xff"}', Reason.INVALID_JSON),
    "text after the object": (event() + b"x", Reason.INVALID_JSON),
    "a byte order mark": (b"\xef\xbb\xbf" + event(), Reason.INVALID_JSON),
    "UTF-16": (event().decode().encode("utf-16"), Reason.INVALID_JSON),
    "half a surrogate pair": (event(model="\ud800"), Reason.INVALID_JSON),
    "a list": (b"[]", Reason.NOT_AN_OBJECT),
    "a number": (b"5", Reason.NOT_AN_OBJECT),
    "a NaN duration": (event(e2e_ms=float("nan")), Reason.NOT_FINITE),
    "an infinite duration": (event(e2e_ms=float("inf")), Reason.NOT_FINITE),
    "a number beyond all doubles": (event()[:-1] + b',"e2e_ms":1e999}', Reason.NOT_FINITE),
    "a missing model": (event(model=ABSENT), Reason.MISSING_FIELD),
    "a null model": (event(model=None), Reason.MISSING_FIELD),
    "a number for a text": (event(model=5), Reason.WRONG_TYPE),
    "a fraction for tokens": (event(input_tokens=1.5), Reason.WRONG_TYPE),
    "a text for a duration": (event(e2e_ms="5"), Reason.WRONG_TYPE),
    "a number for a flag": (event(is_final=1), Reason.WRONG_TYPE),
    "a negative duration": (event(e2e_ms=-1), Reason.OUT_OF_RANGE),
    "an empty event_id": (event(event_id=""), Reason.OUT_OF_RANGE),
    "an event_id too long": (event(event_id="x" * 257), Reason.OUT_OF_RANGE),
    "tokens beyond 32 bits": (event(input_tokens=2**32), Reason.OUT_OF_RANGE),
    "an unlisted traffic class": (event(traffic_class="nightly"), Reason.UNKNOWN_VALUE),
    "33 metadata keys": (event(metadata={str(k): "v" for k in range(33)}), Reason.INVALID_METADATA),
    "a metadata value too long": (event(metadata={"k": "v" * 129}), Reason.INVALID_METADATA),
    "a metadata number": (event(metadata={"k": 1}), Reason.INVALID_METADATA),
    "a class that contradicts the status": (
        event(status_class="5xx"),
        Reason.STATUS_CLASS_MISMATCH,
    ),
    "buckets beyond the total": (
        event(input_tokens=10, cache_read_tokens=11),
        Reason.TOKEN_SUM_MISMATCH,
    ),
    "buckets below the total": (
        event(output_tokens=10, text_output_tokens=4, reasoning_tokens=5),
        Reason.TOKEN_SUM_MISMATCH,
    ),
    "ttft beyond e2e": (event(ttft_ms=5.001, e2e_ms=5), Reason.TTFT_EXCEEDS_E2E),
    "the year 1970": (event(ts_end=0), Reason.EVENT_TIME_TOO_OLD),
    "the year 2100": (event(ts_end=4_102_444_800_000_000), Reason.EVENT_TIME_IN_FUTURE),
    "one microsecond too old": (event(ts_end=NOW_US - 14 * DAY_US - 1), Reason.EVENT_TIME_TOO_OLD),
    "one microsecond too new": (event(ts_end=NOW_US + 300_000_001), Reason.EVENT_TIME_IN_FUTURE),
    "bins that do not sum": (
        event(itl={"count": 3, "sum_ms": 1.0, "bins": [1, 2]}),
        Reason.WRONG_TYPE,
    ),
}


@pytest.mark.parametrize(("value", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_an_event_that_breaks_a_rule_is_a_dead_letter_with_its_bytes(
    value: bytes, reason: Reason
) -> None:
    admission = admit_values(event(event_id="a"), value, event(event_id="b"))
    [letter] = admission.dead_letters
    assert letter.refusal.reason is reason
    assert letter.refusal.detail
    assert (letter.offset, letter.value) == (1, value)
    assert _stored_ids(admission) == ["a", "b"]


ACCEPTED = {
    "the earliest instant": event(ts_end=NOW_US - 14 * DAY_US),
    "the latest instant": event(ts_end=NOW_US + 300_000_000),
    "RFC 3339 with Z": event(ts_end="2025-11-21T01:53:20Z"),
    "RFC 3339 with an offset": event(ts_end="2025-11-21T03:53:20.25+02:00"),
    "buckets without a total": event(cache_read_tokens=5),
    "128 characters of metadata beyond ASCII": event(metadata={"k": "é" * 128}),
    "escapes and emoji": event(model='a"b\\c\n\u00e9\U0001f600'),
    "a key that stands twice": event()[:-1] + b',"model":"n"}',
    "spaces everywhere": b" " + json.dumps(MINIMAL, indent=2).encode() + b"\n",
    "an exponent": event(e2e_ms=1e2),
    "seventeen digits": event(e2e_ms=123.45678901234567),
    "money as text": event(price_cost="0.000000000001"),
    "unknown nested fields": event(new_field={"a": [1, {"b": None}]}),
}


@pytest.mark.parametrize("value", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_an_unusual_yet_valid_event_enters(value: bytes) -> None:
    admission = admit_values(value)
    assert admission.dead_letters == []
    assert admission.accepted.all()


def test_a_content_type_that_is_not_read_is_a_dead_letter() -> None:
    admission = admit_values(
        event(), event(), content_types=[ContentType.JSON, ContentType.UNKNOWN]
    )
    assert [letter.refusal.reason for letter in admission.dead_letters] == [
        Reason.UNKNOWN_CONTENT_TYPE
    ]


def test_unknown_fields_are_counted_in_both_paths() -> None:
    assert admit_values(event(new_one=1)).unknown_fields == 1
    assert admit_values(event(new_one=1, new_two={"nested": [1]})).unknown_fields == 2


def test_remainders_totals_and_tpot_are_derived() -> None:
    admission = admit_values(
        event(input_tokens=10, cache_read_tokens=4, output_tokens=3, e2e_ms=10, ttft_ms=5),
        event(cache_read_tokens=4, text_output_tokens=1, e2e_ms=10, ttft_ms=5, tpot_ms=9),
    )
    columns = admission.select(np.arange(2))
    complete(columns.numbers)
    assert columns.numbers["uncached_input_tokens"].tolist() == [6, 0]
    assert columns.numbers["input_tokens"].tolist() == [10, 4]
    assert columns.numbers["text_output_tokens"].tolist() == [3, 1]
    assert columns.numbers["tpot_ms"].tolist() == [2500, MISSING]


# Any bytes, any JSON, any event: the kernel may leave a record open, but never contradict the model.

texts = st.text(max_size=12) | st.sampled_from(["chat", "m-1", "é" * 5, "2xx", "batch", ""])
numbers = (
    st.integers(-2, 2**33)
    | st.floats(-1, 1e7)
    | st.decimals(0, 1000, places=5).map(float)
    | st.sampled_from([0, 0.0005, 0.0015, 1.0005, 2.5e-7, 1e300])
)
values: st.SearchStrategy[Any] = st.one_of(
    texts,
    numbers,
    st.booleans(),
    st.none(),
    st.lists(texts, max_size=3),
    st.dictionaries(texts, texts | numbers, max_size=3),
)


def plausible(kind: Kind) -> st.SearchStrategy[Any]:
    match kind:
        case Kind.CODE | Kind.TEXT:
            return texts
        case Kind.BOOL:
            return st.booleans()
        case Kind.INT:
            return st.integers(0, 400)
        case Kind.TEXT_LIST:
            return st.lists(texts, max_size=3)
        case Kind.TEXT_MAP:
            return st.dictionaries(texts, texts, max_size=4)
        case Kind.GAPS:
            return st.fixed_dictionaries(
                {"count": st.just(3), "sum_ms": st.floats(0, 9)}
            ) | st.just({"count": 3, "sum_ms": 1.25, "max_ms": 1, "bins": [-1, 1, 40, 2]})
        case Kind.INSTANT:
            return st.integers(NOW_US - DAY_US, NOW_US)
        case _:
            return (
                st.floats(0, 1e6) | st.integers(0, 10**6) | st.decimals(0, 99, places=4).map(float)
            )


def field_values() -> st.SearchStrategy[dict[str, Any]]:
    optional = {
        field.name: plausible(field.kind) | values for field in FIELDS if field.name not in MINIMAL
    }
    chosen = st.lists(st.sampled_from(sorted(optional)), max_size=8, unique=True)
    return chosen.flatmap(
        lambda names: st.fixed_dictionaries({name: optional[name] for name in names})
    )


def stored(request: InferenceRequest) -> dict[str, int]:
    """The numbers of an event in stored units, from the model and by Decimal alone."""
    result = {}
    for field in FIELDS:
        if field.kind in NUMBER_KINDS:
            value = getattr(request, field.name)
            exact = (
                None
                if value is None
                else Decimal(str(value if not isinstance(value, bool) else int(value)))
            )
            result[field.name] = (
                MISSING
                if exact is None
                else int((exact * SCALES[field.kind]).to_integral_value(ROUND_HALF_EVEN))
            )
    return result


def assert_same_event(admission: Admission, row: int, request: InferenceRequest) -> None:
    columns = admission.select(np.array([row]))
    assert {name: int(column[0]) for name, column in columns.numbers.items()} == stored(request)
    for name, codes in columns.codes.items():
        assert codes.values[codes.codes[0]] == getattr(request, name), name
    for name, text in columns.texts.items():
        assert text[0].as_py() == getattr(request, name), name
    for name, items in columns.lists.items():
        assert items[0].as_py() == getattr(request, name), name
    for name, pairs in columns.maps.items():
        assert dict(pairs[0].as_py()) == getattr(request, name), name
    if request.itl is None:
        assert columns.gaps.counts[0] == MISSING
    else:
        assert columns.gaps.counts[0] == request.itl.count
        assert columns.gaps.bins.tolist() == request.itl.bins[::2]
        assert columns.gaps.bin_counts.tolist() == request.itl.bins[1::2]


@settings(max_examples=400, deadline=None)
@given(st.lists(field_values(), min_size=1, max_size=6))
def test_the_kernel_and_the_model_agree_on_every_event(changes: list[dict[str, Any]]) -> None:
    records = [
        json.dumps({**MINIMAL, **change}, ensure_ascii=index % 2 == 0).encode()
        for index, change in enumerate(changes)
        if max([*"a", *json.dumps(change, ensure_ascii=False)]) < "\ud800"
    ]
    admission = admit_values(*records)
    dead = {letter.offset: letter for letter in admission.dead_letters}
    for row, record in enumerate(records):
        verdict = judge(record, POLICY)
        if isinstance(verdict, Accepted):
            assert row not in dead
            assert_same_event(admission, row, InferenceRequest.model_validate_json(record))
        else:
            assert dead[row].refusal == verdict


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.text().map(str.encode), min_size=1, max_size=5))
def test_any_bytes_are_an_event_or_have_a_reason(records: list[bytes]) -> None:
    admission = admit_values(*records)
    assert len(admission.dead_letters) + int(admission.accepted.sum()) == len(records)
    assert [letter.value for letter in admission.dead_letters] == records


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_event_is_never_read_differently_from_the_model(data: st.DataObject) -> None:
    record = bytearray(event(metadata={"a": "b"}, team_ids=["t"], e2e_ms=12.25, stream=True))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(record) - 1))
        record[at] = data.draw(st.integers(0, 255))
    value = bytes(record)
    columns = RecordColumns.from_values([value])
    rows = decode_spans(columns.buffer, columns.starts, columns.lengths)
    if rows.status[0] == OK:
        request = InferenceRequest.model_validate_json(value)
        part = Part(rows, np.array([True]), columns.offsets, np.zeros(1, dtype=np.int64))
        admission = Admission(AdmittedRows([part]), [], 0)
        assert_same_event(admission, 0, request)


def test_canonical_bytes_are_accepted_by_the_kernel_at_once() -> None:
    for value in ACCEPTED.values():
        verdict = judge(value, POLICY)
        assert isinstance(verdict, Accepted)
        columns = RecordColumns.from_values([verdict.canonical])
        rows = decode_spans(columns.buffer, columns.starts, columns.lengths)
        assert rows.status[0] == OK


def test_gaps_of_the_most_bins_find_room_beside_those_of_few() -> None:
    pairs = [1, 4096, 0, 3, 1200, 4095, 3999, 2, 900] * 4

    def gaps(bins: range) -> dict[str, Any]:
        numbers = [number for index in bins for number in (index, index + 1)]
        return {"count": sum(numbers[1::2]), "sum_ms": 1.0, "bins": numbers}

    values = [event(event_id=f"e-{at}", itl=gaps(range(each))) for at, each in enumerate(pairs)]
    values[3:3] = [event(itl=gaps(range(1600, 0, -1))), event(itl=gaps(range(4097)))]
    admission = admit_values(*values)
    kept = np.flatnonzero(admission.accepted)
    assert kept.tolist() == [row for row in range(len(values)) if row not in {3, 4}]
    found = admission.select(kept).gaps
    for row, each in enumerate(pairs):
        part = slice(int(found.starts[row]), int(found.starts[row + 1]))
        assert found.bins[part].tolist() == list(range(each))
        assert found.bin_counts[part].tolist() == list(range(1, each + 1))


def test_the_most_items_find_room_beside_few_and_their_escapes_beside_each_other() -> None:
    counts = [0, 32, 1, 31, 32, 2, 33, 32] * 5

    def metadata(row: int, keys: int) -> dict[str, str]:
        return {f'k"{row}.{key}': f"v\n{row}\\{key}" for key in range(keys)}

    values = [
        event(
            event_id=f"e-{row}",
            metadata=metadata(row, keys),
            team_ids=[f"t\t{row}.{team}" for team in range(keys)],
            gpu_ids=[f"plain-{row}"],
        )
        for row, keys in enumerate(counts)
    ]
    admission = admit_values(*values)
    kept = np.flatnonzero(admission.accepted)
    assert kept.tolist() == [row for row, keys in enumerate(counts) if keys <= 32]
    # Backwards, as the log's order may have it.
    found = admission.select(kept[::-1])
    for at, row in enumerate(kept[::-1].tolist()):
        wanted = list(metadata(row, counts[row]).items())
        assert found.maps["metadata"][at].as_py() == wanted
        teams = [f"t\t{row}.{team}" for team in range(counts[row])]
        assert found.lists["team_ids"][at].as_py() == teams
        assert found.lists["gpu_ids"][at].as_py() == [f"plain-{row}"]
