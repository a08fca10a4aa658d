"""JSON Schema of the standard body, for those who write receivers."""

from __future__ import annotations

from typing import Any

from inferometer.core.alerts.notices import Family, Status, Transition
from inferometer.core.slo.definitions import Severity

SCHEMA_FILE = "webhooks/standard.v1.schema.json"
"""Under `schemas/`."""

Schema = dict[str, Any]
INSTANT: Schema = {"type": "string", "format": "date-time"}
MAYBE_INSTANT: Schema = {"type": ["string", "null"], "format": "date-time"}
MAYBE_NUMBER: Schema = {"type": ["number", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}


def standard_schema() -> Schema:
    """Return the schema of `{type, timestamp, data}`; readers must allow for further fields."""
    types = [f"{family}.alert.{transition}" for family in Family for transition in Transition]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Notice of an alert, Standard Webhooks 1.0.0",
        "description": "Fields may be added. Beyond 20 kB parts are left out: see `truncated`.",
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": _said({"enum": [*types, "system.heartbeat"]}, "What happened."),
            "timestamp": _said(INSTANT, "When it happened, in event time."),
            "data": {
                "if": {"required": ["interval_s"]},
                "then": {"$ref": "#/$defs/heartbeat"},
                "else": {"$ref": "#/$defs/notice"},
            },
        },
        "$defs": {
            "notice": _notice(),
            "heartbeat": _heartbeat(),
            "condition": _condition(),
            "window": _window(),
        },
    }


def _said(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _notice() -> Schema:
    return _object(
        {
            "schema": {"const": "1"},
            "incident_id": _said({"type": "string"}, "The same for all notices of an incident."),
            "seq": _said(COUNT, "Order of the notices of an incident to this receiver."),
            "episode": _said(COUNT, "Counts how often the incident began again."),
            "severity": {"enum": [str(one) for one in Severity]},
            "status": {"enum": [str(one) for one in Status]},
            "reason": _said({"type": "string"}, "Why this notice, and why now."),
            "fingerprint": _said({"type": "string"}, "The same for all incidents of a series."),
            "summary": {"type": "string"},
            "labels": _said(TEXTS, "What it is about: workspace, service, slo and the group."),
            "annotations": _said(TEXTS, "Owner, runbook and whatever the definition carries."),
            "starts_at": INSTANT,
            "detected_at": INSTANT,
            "condition_cleared_at": MAYBE_INSTANT,
            "resolved_at": MAYBE_INSTANT,
            "members": _said(COUNT, "How many incidents this notice stands for."),
            "detected_late": {"type": "boolean"},
            "flapping": {"type": "boolean"},
            "links": TEXTS,
        },
        {
            "text": {"type": "string"},
            "slo": _said({"$ref": "#/$defs/notice/$defs/budget"}, "With `target`, a ratio."),
            "budget": _said({"$ref": "#/$defs/notice/$defs/budget"}, "With `amount_usd`, a text."),
            "conditions": {"type": "array", "items": {"$ref": "#/$defs/condition"}},
            "drivers": {
                "type": "array",
                "items": _object(
                    {"dim": {"type": "string"}, "value": {"type": "string"}, "share": MAYBE_NUMBER}
                ),
            },
            "member_labels": {"type": "array", "items": TEXTS},
            "suppressed": {"type": "array", "items": {"type": "string"}},
            "details": {"type": "object"},
            "truncated": _said(
                {"type": "array", "items": {"type": "string"}}, "Parts that were left out."
            ),
        },
    ) | {
        "$defs": {
            "budget": _object(
                {
                    "period": _said({"type": "string"}, "As 30d."),
                    "budget_remaining": _said(MAYBE_NUMBER, "Share; below 0 it is overspent."),
                    "exhausts_in_s": {"type": ["integer", "null"]},
                },
                {"target": {"type": "number"}, "amount_usd": {"type": "string"}},
            )
        }
    }


def _heartbeat() -> Schema:
    return _object(
        {
            "schema": {"const": "1"},
            "receiver": {"type": "string"},
            "interval_s": _said(COUNT, "When the next is to be expected."),
            "evaluated_until": _said(INSTANT, "Event time up to which rules were evaluated."),
        }
    )


def _condition() -> Schema:
    window = {"anyOf": [{"$ref": "#/$defs/window"}, {"type": "null"}]}
    return _object(
        {
            "rule": {"type": "string"},
            "severity": {"enum": [str(one) for one in Severity]},
            "true": {"type": "boolean"},
            "p_value": _said(MAYBE_NUMBER, "How likely so many failures are by chance."),
        },
        {
            "burn": _said(MAYBE_NUMBER, "Threshold of the burn rates."),
            "long": window,
            "short": window,
            "threshold": MAYBE_NUMBER,
            "value": MAYBE_NUMBER,
            "unit": {"type": "string"},
        },
    )


def _window() -> Schema:
    return _object(
        {
            "w": _said({"type": "string"}, "Its length, as 1h."),
        },
        {
            "burn": _said(MAYBE_NUMBER, "How many times too fast the budget burnt."),
            "bad": COUNT,
            "total": COUNT,
            "ratio": _said(MAYBE_NUMBER, "Spent by expected, or attempts by requests."),
            "spent_usd": {"type": "string"},
            "expected_usd": {"type": "string"},
            "attempts": COUNT,
            "requests": COUNT,
        },
    )


def _object(required: Schema, optional: Schema | None = None) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
    }
