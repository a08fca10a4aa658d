"""Arrow rows: what is taken as it is, what is judged as JSON, and that both say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from inferometer.core.arrow_columns import ArrowColumns
from inferometer.core.arrow_events import batch_of_json, encode
from inferometer.core.arrow_json import row_json
from inferometer.core.arrow_schema import DURATION, GAPS, INSTANT, MONEY
from inferometer.core.judgement import judge
from inferometer.core.reasons import Reason
from tests.unit.core.test_admission import NOW_US, POLICY, event
from tests.unit.core.test_envelopes import (
    ARROW,
    JSON,
    admit_records,
    columns_of,
    rows_of,
    table,
)


def one(*values: Any, kind: pa.DataType | None = None) -> pa.Array:
    return pa.array(values, kind)


def gaps(*pairs: tuple[int, int], count: int = 3) -> pa.Array:
    return pa.array([None, {"count": count, "sum": 5, "max": None, "bins": pairs}, None], GAPS)


LIST, MAP = pa.list_(pa.string()), pa.map_(pa.string(), pa.string())
BAD_ROWS = {
    "a null model": ("model", one("m", None, "m"), Reason.MISSING_FIELD),
    "an empty model": ("model", one("m", "", "m"), Reason.OUT_OF_RANGE),
    "a model too long": ("model", one("m", "x" * 129, "m"), Reason.OUT_OF_RANGE),
    "a null event_id": ("event_id", one("a", None, "c"), Reason.MISSING_FIELD),
    "an empty event_id": ("event_id", one("a", "", "c"), Reason.OUT_OF_RANGE),
    "an unlisted class": ("traffic_class", one(None, "nightly", None), Reason.UNKNOWN_VALUE),
    "tokens below zero": ("input_tokens", one(1, -1, 1), Reason.OUT_OF_RANGE),
    "tokens beyond 64 bits": (
        "priority", one(1, 2**64 - 5, 1, kind=pa.uint64()), Reason.OUT_OF_RANGE,
    ),
    "fractions of tokens": ("input_tokens", one(None, 1.5, None), Reason.WRONG_TYPE),
    "text for tokens": ("input_tokens", one(None, "5", None), Reason.WRONG_TYPE),
    "a dictionary of views for tokens": (
        "input_tokens",
        pa.DictionaryArray.from_arrays(one(None, 0, None, kind=pa.int8()),
                                       one("5", kind=pa.string_view())),
        Reason.WRONG_TYPE,
    ),
    "a status of a thousand": ("status_code", one(200, 1000, 200), Reason.OUT_OF_RANGE),
    "a number for a flag": ("stream", one(None, 1, None), Reason.WRONG_TYPE),
    "a duration below zero": ("e2e_ms", one(1, -1, 1, kind=DURATION), Reason.OUT_OF_RANGE),
    "a month and more": ("e2e_ms", one(1, 2**60, 1, kind=pa.duration("s")), Reason.OUT_OF_RANGE),
    "no number": ("e2e_ms", one(1.0, float("nan"), 2.0), Reason.NOT_FINITE),
    "money below zero": ("price_cost", one(None, -1, None, kind=MONEY), Reason.OUT_OF_RANGE),
    "too much money": ("price_cost", one(None, 10**20, None, kind=MONEY), Reason.OUT_OF_RANGE),
    "a naive instant": (
        "ts_end", pa.array([None, NOW_US, None], pa.timestamp("us")), Reason.WRONG_TYPE,
    ),
    "an instant too old": ("ts_end", one(NOW_US, 0, NOW_US, kind=INSTANT), Reason.EVENT_TIME_TOO_OLD),
    "a null in a list": ("team_ids", one(["a"], ["a", None], None, kind=LIST), Reason.WRONG_TYPE),
    "numbers in a list": (
        "team_ids", one(None, [5], None, kind=pa.list_(pa.int64())), Reason.WRONG_TYPE,
    ),
    "bytes in a list": (
        "team_ids", one(None, [b"x"], None, kind=pa.list_(pa.binary())), Reason.WRONG_TYPE,
    ),
    "a view of a list": (
        "team_ids", one(None, ["x"], None, kind=pa.list_view(pa.string())), Reason.WRONG_TYPE,
    ),
    "numbers in a map": (
        "metadata", one(None, [("k", 5)], None, kind=pa.map_(pa.string(), pa.int64())),
        Reason.INVALID_METADATA,
    ),
    "a list too long": ("team_ids", one(["a"], ["a"] * 65, None, kind=LIST), Reason.OUT_OF_RANGE),
    "an item too long": ("team_ids", one(["a"], ["a" * 129], None, kind=LIST), Reason.OUT_OF_RANGE),
    "a null in a map": (
        "metadata", one(None, [("a", None)], [("b", "c")], kind=MAP), Reason.INVALID_METADATA,
    ),
    "33 keys": (
        "metadata", one(None, [(str(n), "") for n in range(33)], None, kind=MAP),
        Reason.INVALID_METADATA,
    ),
    "bytes for a text": ("error_message", one(None, b"x", None), Reason.WRONG_TYPE),
    "a date for a text": (
        "error_message", pa.array([None, 5, None], pa.date32()), Reason.WRONG_TYPE,
    ),
    "bins that descend": ("itl", gaps((5, 1), (4, 2)), Reason.WRONG_TYPE),
    "bins that do not sum": ("itl", gaps((4, 1), (5, 1)), Reason.WRONG_TYPE),
    "a bin of nothing": ("itl", gaps((4, 0), (5, 3)), Reason.WRONG_TYPE),
    "a bin beyond all": ("itl", gaps((4, 1), (4401, 2)), Reason.WRONG_TYPE),
}  # fmt: skip


@pytest.mark.parametrize(("name", "column", "reason"), BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_a_dead_letter_with_its_json(
    name: str, column: pa.Array, reason: Reason
) -> None:
    batch = table(**{name: column})
    only_row_1 = column.null_count < 2 or name not in {"ts_end"}
    admission = admit_records((ARROW, encode(batch)))
    letters = {letter.index: letter for letter in admission.dead_letters}
    assert letters[1].refusal.reason is reason
    assert letters[1].content_type == "application/json"
    # NaN apart, the letter is one JSON document, which is judged alike when it comes by itself.
    assert judge(letters[1].value, POLICY) == letters[1].refusal
    if only_row_1:
        assert list(letters) == [1]
        assert columns_of(admission).indexes.tolist() == [0, 2]


FOREIGN: dict[str, tuple[str, pa.Array]] = {
    "large text": ("model", pa.array(["m", "n", "m"], pa.large_string())),
    "views of text": ("user_id", pa.array(["u", None, "v"], pa.string_view())),
    "a dictionary with small codes": (
        "user_id", pa.array(["u", None, "v"]).cast(pa.dictionary(pa.int8(), pa.string()))),
    "a dictionary with a null": (
        "user_id",
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int8()), pa.array(["u", None, "v"]))),
    **{
        f"a dictionary with codes of {codes}": (
            "user_id", pa.array(["u", None, "v"]).cast(pa.dictionary(codes, pa.string())))
        for codes in (pa.uint8(), pa.uint16(), pa.uint32(), pa.int64(), pa.uint64())
    },
    "an empty dictionary": (
        "user_id",
        pa.DictionaryArray.from_arrays(pa.nulls(3, pa.uint8()), pa.array([], pa.string()))),
    "a dictionary that repeats": (
        "user_id",
        pa.DictionaryArray.from_arrays(pa.array([0, 1, 2], pa.int8()), pa.array(["u", "u", "v"]))),
    "ids as a dictionary": ("trace_id", pa.array(["t", None, "t"]).dictionary_encode()),
    "small integers": ("input_tokens", pa.array([1, None, 3], pa.uint8())),
    "milliseconds as a fraction": ("e2e_ms", pa.array([1.25, None, 0.0005])),
    "milliseconds as an integer": ("e2e_ms", pa.array([1, None, 3], pa.int16())),
    "durations in ns": ("e2e_ms", pa.array([1500, None, 2500], pa.duration("ns"))),
    "durations in ms": ("e2e_ms", pa.array([1500, None, 2500], pa.duration("ms"))),
    "seconds as a fraction": ("gpu_seconds", pa.array([1.25, None, 0.000001])),
    "instants in ms": ("ts", pa.array([NOW_US // 1000] * 3, pa.timestamp("ms", "UTC"))),
    "instants elsewhere": ("ts", pa.array([NOW_US] * 3, pa.timestamp("us", "Asia/Tokyo"))),
    "instants as integers": ("ts", pa.array([NOW_US, None, 5])),
    "instants as text": ("ts", pa.array(["2025-11-21T03:53:20.25+02:00", None, None])),
    "money of other digits": ("price_cost", pa.array([125, None, 1], pa.decimal128(9, 3))),
    "money as text": ("price_cost", pa.array(["0.125", None, "1e-12"])),
    "money as a fraction": ("price_cost", pa.array([0.125, None, 3e-12])),
    "lists of one size": (
        "team_ids", pa.array([["a"], None, ["b"]], pa.list_(pa.string(), 1))),
    "lists of dictionaries": (
        "team_ids",
        pa.array([["a"], None, []], pa.list_(pa.dictionary(pa.uint8(), pa.large_string())))),
    "large lists": ("team_ids", pa.array([["a"], None, []], pa.large_list(pa.large_string()))),
    "maps of dictionaries": (
        "metadata",
        pa.array(
            [[("k", "v")], None, []], pa.map_(pa.dictionary(pa.int8(), pa.string()), pa.string()),
        )),
    "a key that stands twice": (
        "metadata", pa.array([[("k", "v"), ("k", "w")], None, []], MAP)),
    "an unknown field": ("new_field", pa.array([1, 2, None])),
    "all null": ("user_id", pa.nulls(3)),
}  # fmt: skip


@pytest.mark.parametrize(("name", "column"), FOREIGN.values(), ids=FOREIGN.keys())
def test_what_other_writers_send_reads_as_its_json_would(name: str, column: pa.Array) -> None:
    batch = table(**{name: column})
    admission = admit_records((ARROW, encode(batch)))
    as_json = [(JSON, row_json(batch, row)) for row in range(3)]
    assert admission.dead_letters == []
    assert rows_of(columns_of(admission)) == rows_of(columns_of(admit_records(*as_json)))


def test_null_slots_of_nested_columns_are_empty_whatever_lies_under_them() -> None:
    hidden = pa.ListArray.from_arrays(
        pa.array([0, 1, 2, 3], pa.int32()), pa.array(["a", "b", "c"]),
        mask=pa.array([False, True, False]),
    )  # fmt: skip
    admission = admit_records((ARROW, encode(table(team_ids=hidden))))
    assert columns_of(admission).lists["team_ids"].to_pylist() == [["a"], [], ["c"]]


def test_plain_events_of_every_kind_of_field_are_never_in_doubt() -> None:
    value = event(
        team_ids=["t"], metadata={"k": "v"}, stream=True, is_final=False, priority=-5, e2e_ms=5.5,
        gpu_seconds=1.5, price_cost="0.25", trace_id="t", user_id="u", ts=5, model_type="audio",
        itl={"count": 3, "sum_ms": 1.5, "max_ms": 1, "bins": [4, 1, 7, 2]}, input_tokens=2**32 - 1,
    )  # fmt: skip
    batch = batch_of_json([value, event()])
    nothing = np.zeros(2, dtype=np.int64)
    assert not ArrowColumns(pa.Table.from_batches([batch]), nothing, nothing).doubtful.any()


def test_small_integers_in_gaps_are_read_without_doubt() -> None:
    narrow = pa.array(
        [{"count": 3, "sum": 5, "max": None, "bins": [(4, 1), (5, 2)]}] * 3,
        pa.struct(
            [
                ("count", pa.int32()), ("sum", DURATION), ("max", DURATION),
                ("bins", pa.map_(pa.int16(), pa.int8())),
            ]
        ),
    )  # fmt: skip
    nothing = np.zeros(3, dtype=np.int64)
    columns = ArrowColumns(pa.Table.from_batches([table(itl=narrow)]), nothing, nothing)
    assert not columns.doubtful.any()
    assert columns.events.gaps.bin_counts.tolist() == [1, 2] * 3
