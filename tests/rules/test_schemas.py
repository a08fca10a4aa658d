"""Published schemas equal the code, and never break what was valid at the last release."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from inferometer import config
from inferometer.cli.schema import generated, rendered
from inferometer.core import codec
from inferometer.core.arrow_contract import ARROW_CONTRACT
from inferometer.core.codec import encode, encode_signal
from inferometer.core.compatibility import incompatibilities
from inferometer.core.contracts import EVENT_SCHEMAS
from inferometer.core.events import InferenceRequest
from inferometer.core.signals import InferenceSignal
from inferometer.names import REQUEST_EVENT_TYPE

SCHEMAS = Path(__file__).parents[2] / "schemas"
RELEASED = Path(__file__).parents[1] / "golden" / "released_schemas"

Schema = dict[str, Any]

FULL_EVENT: Schema = {
    "event_id": "0198c5b2-0000-7000-8000-000000000001",
    "ts": "2026-01-01T00:00:00Z",
    "ts_end": 1_767_225_601_000_000,
    "request_id": "r1",
    "model": "m",
    "status_code": 200,
    "team_ids": ["a", "b"],
    "metadata": {"k": "v"},
    "priority": -1,
    "input_tokens": 10,
    "output_tokens": 5,
    "ttft_ms": 1.5,
    "e2e_ms": 20.0,
    "itl": {"count": 2, "sum_ms": 3.0, "max_ms": 2.0, "bins": [690, 1, 760, 1]},
    "price_cost": "0.000001900000",
}


@pytest.mark.parametrize("name", sorted(generated()))
def test_a_published_schema_equals_the_code(name: str, update_golden: bool) -> None:
    text = rendered(generated()[name])
    if update_golden:
        (SCHEMAS / name).write_text(text, encoding="utf-8")
    assert (SCHEMAS / name).read_text(encoding="utf-8") == text, (
        "run: inferometer schema --write schemas"
    )


@pytest.mark.parametrize("name", sorted(EVENT_SCHEMAS))
def test_a_schema_accepts_what_the_last_release_accepted(name: str) -> None:
    released = json.loads((RELEASED / f"{name}.schema.json").read_text(encoding="utf-8"))
    assert incompatibilities(released, EVENT_SCHEMAS[name]()) == []


@pytest.mark.parametrize("name", sorted(EVENT_SCHEMAS))
def test_every_field_has_a_description(name: str) -> None:
    schema = EVENT_SCHEMAS[name]()
    areas = [schema["properties"], *(d["properties"] for d in schema.get("$defs", {}).values())]
    silent = [
        field for area in areas for field, inner in area.items() if "description" not in inner
    ]
    assert silent == []


@pytest.mark.parametrize("name", sorted(generated()))
def test_a_schema_is_valid_json_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(generated()[name])


def test_an_event_as_sent_is_valid_under_its_schema() -> None:
    event = InferenceRequest.model_validate(FULL_EVENT)
    jsonschema.validate(json.loads(encode(event)), EVENT_SCHEMAS["inference.request.v1"]())


def test_a_signal_as_sent_is_valid_under_its_schema() -> None:
    signal = InferenceSignal.model_validate(
        {
            "event_id": "s1",
            "request_id": "r1",
            "ts": 1_767_225_601_000_000,
            "deadline": "ttft",
            "deadline_ms": 500.0,
            "model": "m",
        }
    )
    jsonschema.validate(json.loads(encode_signal(signal)), EVENT_SCHEMAS["inference.signal.v1"]())


@pytest.mark.parametrize(
    "change",
    [
        {"ts_end": -1},
        {"status_code": "200"},
        {"metadata": {str(key): "v" for key in range(33)}},
        {"model_type": "telepathy"},
        {"e2e_ms": -0.5},
        {"event_id": ""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_schema_refuses_what_the_model_refuses(change: Schema) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        InferenceRequest.model_validate(FULL_EVENT | change)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(FULL_EVENT | change, EVENT_SCHEMAS["inference.request.v1"]())


def examples(name: str) -> list[bytes]:
    return (SCHEMAS / "examples" / name).read_bytes().splitlines()


@pytest.mark.parametrize(
    "line",
    examples("inference.request.v1.jsonl"),
    ids=lambda line: json.loads(line)["event_id"][-2:],
)
def test_an_example_event_is_valid(line: bytes) -> None:
    codec.decode(line)
    jsonschema.validate(json.loads(line), EVENT_SCHEMAS["inference.request.v1"]())


def test_the_example_gauges_are_valid() -> None:
    lines = examples("inference.gauge.v1.jsonl")
    assert len(lines) == 3
    for line in lines:
        sample = codec.decode_signal_or_sample(line)
        assert codec.decode_signal_or_sample(encode_signal(sample)) == sample
        jsonschema.validate(json.loads(line), EVENT_SCHEMAS["inference.gauge.v1"]())


def test_the_example_signal_is_valid() -> None:
    (line,) = examples("inference.signal.v1.jsonl")
    codec.decode_signal(line)
    jsonschema.validate(json.loads(line), EVENT_SCHEMAS["inference.signal.v1"]())


def test_the_example_configuration_is_valid() -> None:
    file = SCHEMAS / "examples" / "inferometer.toml"
    secrets = {"INFEROMETER_KAFKA_SASL_PASSWORD": "x", "INFEROMETER_STORE_PASSWORD": "x"}
    assert config.resolve(secrets, file=file).problems == ()
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    jsonschema.validate(content, config.config_schema())


def asyncapi() -> Schema:
    document: Schema = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))
    return document


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    lost = [
        reference for reference in references(document) if not leads_somewhere(document, reference)
    ]
    assert lost == []


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for inner in node.values() for found in references(inner)]
    if isinstance(node, list):
        return [found for inner in node for found in references(inner)]
    return []


def leads_somewhere(document: Schema, reference: str) -> bool:
    file, _, pointer = reference.partition("#")
    if file:
        return (SCHEMAS / file).is_file()
    node: Any = document
    for part in pointer.strip("/").split("/"):
        if not isinstance(node, dict) or part not in node:
            return False
        node = node[part]
    return True


def test_the_asyncapi_document_describes_every_event_and_topic() -> None:
    document = asyncapi()
    assert document["asyncapi"].startswith("3.")
    assert {channel["address"] for channel in document["channels"].values()} == {
        "inference.requests",
        "inference.signals",
    }
    names = {message["name"] for message in document["components"]["messages"].values()}
    assert names == {*EVENT_SCHEMAS, f"{REQUEST_EVENT_TYPE}.lines", ARROW_CONTRACT}


def test_the_asyncapi_document_lists_the_headers_that_the_codec_sends() -> None:
    event = InferenceRequest.model_validate(FULL_EVENT | {"user_id": "u"})
    sent = {name for name, _ in codec.headers(event)}
    documented = asyncapi()["components"]["messageTraits"]["cloudEvent"]["headers"]
    assert set(documented["properties"]) == sent
    assert set(documented["required"]) <= sent


def test_every_operation_of_the_asyncapi_document_names_an_action_and_a_channel() -> None:
    document = asyncapi()
    channels = {f"#/channels/{name}" for name in document["channels"]}
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        assert operation["channel"]["$ref"] in channels
