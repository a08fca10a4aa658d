"""The published examples: valid ones pass the door and the schema, invalid ones fail as they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest

from inferometer.core import codec
from inferometer.core.door import DoorPolicy
from inferometer.core.judgement import Accepted, judge
from inferometer.core.reasons import Reason, Refusal

SCHEMAS = Path(__file__).parents[3] / "schemas"
EXAMPLES = SCHEMAS / "examples"
VALID = sorted((EXAMPLES / "inference.request.v1" / "valid").glob("*.json"))
INVALID = sorted((EXAMPLES / "inference.request.v1" / "invalid").glob("*.json"))
DAY_US = 86_400_000_000
POLICY = DoorPolicy(
    now_us=1_790_000_060_000_000, retention_us=14 * DAY_US, future_tolerance_us=300_000_000
)


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((SCHEMAS / "events" / f"{name}.schema.json").read_text())
    return loaded


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_valid_example_passes_model_door_and_schema(path: Path) -> None:
    value = path.read_bytes()
    event = codec.decode(value)
    assert codec.decode(codec.encode(event)) == event
    assert isinstance(judge(value, POLICY), Accepted)
    jsonschema.validate(json.loads(value), schema("inference.request.v1"))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_example_is_refused_for_the_reason_it_names(path: Path) -> None:
    example = json.loads(path.read_text())
    record = example["record"].encode() if "record" in example else orjson.dumps(example["event"])
    refusal = judge(record, POLICY)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == example["reason"]


def test_every_reason_of_a_json_record_has_an_example() -> None:
    shown = {json.loads(path.read_text())["reason"] for path in INVALID}
    other_formats = {
        Reason.UNKNOWN_CONTENT_TYPE, Reason.UNREADABLE_BATCH, Reason.TOO_LARGE,
        Reason.UNDECODABLE, Reason.FAILED,
    }  # fmt: skip
    assert shown == set(Reason) - other_formats


def test_the_signal_example_passes_model_and_schema() -> None:
    path = EXAMPLES / "inference.signal.v1" / "valid" / "ttft_deadline_missed.json"
    assert codec.decode_signal(path.read_bytes()).deadline == "ttft"
    jsonschema.validate(json.loads(path.read_text()), schema("inference.signal.v1"))
