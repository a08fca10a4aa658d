"""Types of the keys in SLO files: spans with units, exact numbers, lists of words, matchers."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from inferometer.core.alerts.matcher_texts import parse_matcher
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.slo.definitions import Tier
from inferometer.core.slo.spans import parse_span_s, parse_span_us

MAX_MAGNITUDE = 30
SPAN_PATTERN = r"^\s*(\d+(\.\d+)?\s*(us|ms|s|m|h|d|w)\s*)+$"
NAME_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"


def _span_s(value: object) -> object:
    if isinstance(value, str):
        return parse_span_s(value)
    raise ValueError(f"{value!r} is no span of time; write it with its unit, such as 5m or 30d")


def _span_us(value: object) -> object:
    if isinstance(value, str):
        return parse_span_us(value)
    raise ValueError(f"{value!r} is no span of time; write it with its unit, such as 500ms or 2s")


def _number(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().endswith("%")):
        raise ValueError(f"{value!r} is no number here; write a ratio such as 0.999, not a percent")
    return value


def in_range(value: Decimal) -> Decimal:
    """Refuse numbers so large or fine that exact arithmetic with them would not end."""
    digits = len(value.as_tuple().digits)
    if value and (abs(value.adjusted()) > MAX_MAGNITUDE or digits > MAX_MAGNITUDE):
        raise ValueError(f"a number of more than {MAX_MAGNITUDE} digits; write a shorter one")
    return value


def _texts(value: object) -> object:
    """Accept one text for a list of one, and any scalar for its text."""
    items = value if isinstance(value, list) else [value]
    return [_text(item) for item in items]


def _text(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return str(value)
    return value


def _matchers(value: object) -> object:
    """Accept a mapping of names to values, or texts of matchers."""
    if isinstance(value, dict):
        return [_chosen(name, item) for name, item in value.items()]
    items = value if isinstance(value, list) else [value]
    return [
        parse_matcher(item) if isinstance(item, str) else _refuse_matcher(item) for item in items
    ]


def _chosen(name: str, value: object) -> Matcher:
    if isinstance(value, list):
        texts = [str(_text(item)) for item in value]
        return Matcher(name, "|".join(re.escape(text) for text in texts), is_regex=True)
    if isinstance(value, dict) or value is None:
        return _refuse_matcher(value)
    return Matcher(name, str(_text(value)))


def _refuse_matcher(value: object) -> Matcher:
    raise ValueError(f"{value!r} is no matcher; write model: m, model: [a, b] or 'model=~\"a.*\"'")


_SPAN_SCHEMA = WithJsonSchema({"type": "string", "pattern": SPAN_PATTERN})
SpanS = Annotated[int, BeforeValidator(_span_s), _SPAN_SCHEMA]
SpanUs = Annotated[int, BeforeValidator(_span_us), _SPAN_SCHEMA]
Number = Annotated[
    Decimal,
    BeforeValidator(_number),
    Field(allow_inf_nan=False),
    AfterValidator(in_range),
    WithJsonSchema({"type": ["number", "string"]}),
]
Words = Annotated[
    list[str],
    BeforeValidator(_texts),
    WithJsonSchema(
        {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": ["string", "number"]}}]}
    ),
]
Matchers = Annotated[
    list[Matcher],
    BeforeValidator(_matchers),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {
                    "anyOf": [{"type": ["string", "number", "boolean"]},
                              {"type": "array", "items": {"type": ["string", "number"]}}]}},
                {"type": "array", "items": {"type": "string"}},
                {"type": "string"},
            ]
        }
    ),
]  # fmt: skip
Word = Annotated[str, BeforeValidator(_text), Field(max_length=2048)]
Name = Annotated[
    str, BeforeValidator(_text), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
]


class Part(BaseModel):
    """A mapping of the file: unknown keys are problems."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class OwnedPart(Part):
    """What objectives, budgets and rules have in common."""

    workspace: Word = Field(
        "", description="The only workspace that it counts; absent: all as one."
    )
    service: Annotated[
        str, BeforeValidator(_text), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})
    ] = Field("", description="The service that it belongs to.")
    where: Matchers = Field(
        default_factory=list, description="Requests that it is about, by their dimensions."
    )
    group_by: Words = Field(
        default_factory=list, description="Dimensions; each group has incidents of its own."
    )
    owner: Word = Field("", description="Team that answers.")
    cost_responder: Word = Field("", description="Who answers for money.")
    tier: Tier = Field(Tier.STANDARD, description="standard or critical.")
    runbook: Word = Field("", description="URL, in every notice.")
    dashboard: Word = Field("", description="URL, in every notice.")
    receivers: Words = Field(default_factory=list, description="Receivers beside the routes'.")
    labels: dict[str, Word] = Field(default_factory=dict, description="Of every notice.")
    annotations: dict[str, Word] = Field(default_factory=dict, description="Of every notice.")
