"""Each way of breaking a schema is found, and each harmless change is let through."""

from __future__ import annotations

from typing import Any

import pytest

from inferometer.core.compatibility import incompatibilities
from inferometer.core.contracts import request_schema

Schema = dict[str, Any]

OLD: Schema = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 10},
        "n": {"type": "integer", "minimum": 0, "maximum": 9, "default": 0},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "maybe": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "gaps": {"anyOf": [{"$ref": "#/$defs/Gaps"}, {"type": "null"}]},
        "free": {"type": "string"},
        "items": {"type": "array", "maxItems": 3, "items": {"type": "integer"}},
    },
    "$defs": {"Gaps": {"type": "object", "properties": {"count": {"type": "integer"}}}},
}


def with_field(name: str, schema: Schema) -> Schema:
    return OLD | {"properties": OLD["properties"] | {name: schema}}


def without_field(name: str) -> Schema:
    left = {key: value for key, value in OLD["properties"].items() if key != name}
    return OLD | {"properties": left}


BREAKS: dict[str, tuple[Schema, str]] = {
    "a field is removed": (without_field("n"), "$.n: field removed"),
    "an old field becomes required": (
        OLD | {"required": ["id", "n"]},
        "$.n: field is now required",
    ),
    "a new field is required": (
        with_field("new", {"type": "string"}) | {"required": ["id", "new"]},
        "$.new: field is now required",
    ),
    "a type changes": (with_field("n", {"type": "string", "default": 0}), "$.n: type narrowed"),
    "a number becomes an integer": (
        with_field("maybe", {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}),
        "$.maybe: alternative 0",
    ),
    "null is no longer accepted": (
        with_field("maybe", {"type": "number", "minimum": 0}),
        "$.maybe: alternative 1",
    ),
    "a maximum falls": (
        with_field("n", {"type": "integer", "minimum": 0, "maximum": 8, "default": 0}),
        "$.n: maximum narrowed from 9 to 8",
    ),
    "a minimum rises": (
        with_field("n", {"type": "integer", "minimum": 1, "maximum": 9, "default": 0}),
        "$.n: minimum narrowed from 0 to 1",
    ),
    "a text becomes bounded": (
        with_field("free", {"type": "string", "maxLength": 5}),
        "$.free: maxLength narrowed from no bound to 5",
    ),
    "a text must match a pattern": (
        with_field("free", {"type": "string", "pattern": "^a"}),
        "$.free: pattern changed",
    ),
    "a choice goes": (with_field("kind", {"type": "string", "enum": ["a"]}), "$.kind: no longer"),
    "a free text becomes a choice": (
        with_field("free", {"type": "string", "enum": ["a"]}),
        "$.free: any value was accepted",
    ),
    "a constant takes the place of choices": (
        with_field("kind", {"type": "string", "const": "a"}),
        "$.kind: no longer",
    ),
    "a default changes": (
        with_field("n", {"type": "integer", "minimum": 0, "maximum": 9, "default": 1}),
        "$.n: default changed",
    ),
    "unknown fields are refused": (
        OLD | {"additionalProperties": False},
        "$: additionalProperties",
    ),
    "values of a map narrow": (
        with_field(
            "labels",
            {"type": "object", "additionalProperties": {"type": "string", "maxLength": 1}},
        ),
        "$.labels.additionalProperties: maxLength",
    ),
    "items of a list narrow": (
        with_field("items", {"type": "array", "maxItems": 3, "items": {"type": "null"}}),
        "$.items.items: type narrowed",
    ),
    "a list becomes shorter": (
        with_field("items", {"type": "array", "maxItems": 2, "items": {"type": "integer"}}),
        "$.items: maxItems",
    ),
    "a definition narrows": (
        OLD | {"$defs": {"Gaps": {"type": "object", "properties": {}}}},
        "$.gaps: alternative 0",
    ),
}

HARMLESS: dict[str, Schema] = {
    "nothing changes": OLD,
    "an optional field is added": with_field("new", {"type": "string"}),
    "a bound widens": with_field(
        "n", {"type": "integer", "minimum": -1, "maximum": 10, "default": 0}
    ),
    "a bound goes": with_field("id", {"type": "string"}),
    "a choice is added": with_field("kind", {"type": "string", "enum": ["a", "b", "c"]}),
    "a choice becomes free text": with_field("kind", {"type": "string"}),
    "an integer becomes a number": with_field(
        "n", {"type": "number", "minimum": 0, "maximum": 9, "default": 0}
    ),
    "null is accepted too": with_field("free", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    "a field is no longer required": OLD | {"required": []},
    "a description changes": with_field("free", {"type": "string", "description": "words"}),
    "any type is accepted": with_field("free", {}),
}


@pytest.mark.parametrize(("new", "problem"), BREAKS.values(), ids=BREAKS)
def test_a_breaking_change_is_found(new: Schema, problem: str) -> None:
    found = incompatibilities(OLD, new)
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize("new", HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_change_passes(new: Schema) -> None:
    assert incompatibilities(OLD, new) == []


def test_a_contract_is_compatible_with_itself() -> None:
    assert incompatibilities(request_schema(), request_schema()) == []


def test_every_problem_is_found_at_once() -> None:
    new = without_field("n") | {"required": ["id", "kind"]}
    assert len(incompatibilities(OLD, new)) == 2
