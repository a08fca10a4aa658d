"""Values that parts of the receivers file share: spans of time and matchers, each with its schema."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from inferometer.core.alerts.matcher_texts import parse_matcher
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.slo.spans import parse_span_s

SPAN_PATTERN = r"^\s*(\d+(\.\d+)?\s*(s|m|h|d|w)\s*)+$"


def _span_s(value: object) -> object:
    if isinstance(value, str):
        return parse_span_s(value)
    raise ValueError(f"{value!r} is no span of time; write it with its unit, such as 5m or 4h")


def _matcher(value: object) -> object:
    if isinstance(value, str):
        return parse_matcher(value)
    raise ValueError('is no matcher; write a text such as severity="page"')


Span = Annotated[
    int,
    BeforeValidator(_span_s),
    WithJsonSchema({"type": "string", "pattern": SPAN_PATTERN, "examples": ["30s", "5m", "4h"]}),
]
MatcherText = Annotated[
    Matcher,
    BeforeValidator(_matcher),
    WithJsonSchema({"type": "string", "examples": ['severity="page"', 'model=~"gpt.*"']}),
]


class Part(BaseModel):
    """What all parts share."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)
