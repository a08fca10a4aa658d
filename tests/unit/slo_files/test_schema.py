from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from inferometer.slo_files import load_slo_texts
from inferometer.slo_files.schema import SCHEMA_FILE, slo_file_schema

SCHEMAS = Path(__file__).parents[3] / "schemas"
START = {"format": "inferometer.slos.v1"}
SLO = {"name": "chat", "indicator": "availability", "objective": 0.99}


def test_the_published_schema_is_that_of_the_code() -> None:
    assert json.loads((SCHEMAS / SCHEMA_FILE).read_text(encoding="utf-8")) == slo_file_schema()


def test_every_key_is_described() -> None:
    schema = slo_file_schema()
    parts = [schema, *schema["$defs"].values()]
    silent = [
        key
        for part in parts
        for key, inner in part.get("properties", {}).items()
        if "description" not in inner
    ]
    assert silent == []


def test_the_example_is_valid_under_the_schema() -> None:
    example = yaml.safe_load((SCHEMAS / "examples" / "slos.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(example, slo_file_schema())


@pytest.mark.parametrize(
    ("change", "is_valid"),
    [
        ({}, True),
        ({"burn_windows": "quick"}, True),
        ({"burn_windows": ["page-fast", {"name": "w", "severity": "page", "long": "1h"}]}, True),
        ({"outage": False, "absence": {"shortest": "10m"}}, True),
        ({"where": ['a="b"']}, True),
        ({"indicator": {"latency": {"of": "ttft", "under": "2s"}}}, True),
        ({"colour": "red"}, False),
        ({"objective": None}, False),
        ({"tier": "huge"}, False),
        ({"period": "soon"}, False),
        ({"burn_windows": [{"name": "w"}]}, False),
        ({"outage": "on"}, False),
    ],
)
def test_the_schema_and_the_loader_agree(change: dict[str, Any], *, is_valid: bool) -> None:
    document = {**START, "slos": [{**SLO, **change}]}
    errors = list(jsonschema.Draft202012Validator(slo_file_schema()).iter_errors(document))
    assert (errors == []) is is_valid
    if not is_valid:
        assert load_slo_texts({"f": json.dumps(document)}).slos == ()
