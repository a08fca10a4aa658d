"""Fields as lines: surely right at once, left to be judged where they are odd, refused by name."""

from __future__ import annotations

import enum
import time
import uuid
from decimal import Decimal
from typing import Any

import orjson
import pytest

from inferometer.sdk.ids import EventIds
from inferometer.sdk.items import Item
from inferometer.sdk.lines import LineMaker

FIELDS: dict[str, Any] = {
    "event_id": "e-1",
    "request_id": "r-1",
    "model": "m",
    "ts_end": 1_790_000_000_000_000,
    "status_code": 200,
}


class Provider(enum.StrEnum):
    """Values as applications name them."""

    OPENAI = "openai"


def line_of(fields: dict[str, Any], *, is_judging: bool = True, **defaults: Any) -> Any:
    return LineMaker(defaults, is_judging=is_judging).line(fields, EventIds(time.monotonic_ns))


@pytest.mark.parametrize(
    ("fields", "defaults", "expected"),
    [
        pytest.param({}, {}, {}, id="nothing to add"),
        pytest.param({}, {"region": "eu"}, {"region": "eu"}, id="a default"),
        pytest.param({"region": "us"}, {"region": "eu"}, {"region": "us"}, id="fields win"),
        pytest.param({"region": None}, {"region": "eu"}, {"region": "eu"}, id="None is absent"),
        pytest.param({"user_id": None}, {}, {}, id="None is left out"),
        pytest.param({"model": None}, {"model": "n"}, {"model": "n"}, id="a required default"),
        pytest.param({"provider": Provider.OPENAI}, {}, {"provider": "openai"}, id="an enum"),
        pytest.param({"team_ids": ("a", "b")}, {}, {"team_ids": ["a", "b"]}, id="a tuple"),
        pytest.param({}, {"event_id": "own"}, {}, id="an id of the event beats one by default"),
    ],
)
def test_what_is_surely_right_is_a_bare_line(
    fields: dict[str, Any], defaults: dict[str, Any], expected: dict[str, Any]
) -> None:
    line = line_of({**FIELDS, **fields}, **defaults)
    assert isinstance(line, bytes)
    assert orjson.loads(line) == {**FIELDS, **expected}


def test_an_event_without_an_id_gets_one() -> None:
    fields = {name: value for name, value in FIELDS.items() if name != "event_id"}
    assert uuid.UUID(orjson.loads(line_of(fields))["event_id"]).version == 7


@pytest.mark.parametrize(
    ("fields", "defaults"),
    [
        pytest.param({"e2e_ms": -1.0}, {}, id="out of range"),
        pytest.param({"model": None}, {}, id="a required field is missing"),
        pytest.param({"request_id": uuid.UUID(int=1)}, {}, id="another form of text"),
        pytest.param({"ts_end": "2026-09-21T14:13:20Z"}, {}, id="another form of an instant"),
        pytest.param({"itl": {"count": 2, "sum_ms": 1.0, "bins": [5, 1]}}, {}, id="no sketch"),
        pytest.param({}, {"region": "x" * 300}, id="a wrong default"),
        pytest.param(
            {},
            {"itl": {"count": 2, "sum_ms": 1.0, "bins": [5, 1]}},
            id="a default that is no sketch",
        ),
    ],
)
def test_what_is_odd_is_completed_and_left_to_be_judged(
    fields: dict[str, Any], defaults: dict[str, Any]
) -> None:
    line = line_of({**FIELDS, **fields}, **defaults)
    assert isinstance(line, Item)
    assert not line.is_judged
    present = {k: v for k, v in {**FIELDS, **defaults, **fields}.items() if v is not None}
    assert orjson.loads(line.value) == orjson.loads(orjson.dumps(present))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"modle": "typo"}, id="no field"),
        pytest.param({"e2e_ms": float("nan")}, id="not a number"),
        pytest.param({"e2e_ms": float("inf")}, id="not finite"),
        pytest.param({"user_id": "\ud800"}, id="no text"),
        pytest.param({"metadata": {"a": None}}, id="null inside"),
        pytest.param({"price_cost": Decimal("0.123456789012")}, id="money with all its digits"),
        pytest.param({"model": object()}, id="no value of JSON"),
    ],
)
def test_what_json_loses_is_no_line(fields: dict[str, Any]) -> None:
    assert line_of({**FIELDS, **fields}) is None


def test_where_it_is_not_judging_all_is_left_to_be_judged() -> None:
    line = line_of(FIELDS, is_judging=False, region="eu")
    assert isinstance(line, Item)
    assert not line.is_judged
    assert orjson.loads(line.value) == {**FIELDS, "region": "eu"}
