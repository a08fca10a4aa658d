"""The dimensions of an event that objectives may select, group and tell callers apart by.

Invariant: none of them is known only from the outcome, so that no selection can hide failures.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from inferometer.core.events import Kind
from inferometer.core.fields import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTCOMES = frozenset(
    {
        "cost_source",
        "cost_status",
        "error_type",
        "finish_reason",
        "price_version",
        "response_model",
        "status_class",
        "usage_source",
    }
)
"""Text that the end of a request decides; what is good or bad is the indicator's to say."""

TEAM = "team_id"
"""The first of `team_ids`: the one that is billed."""
STREAM = "stream"
"""`true` or `false`."""
STATUS = "status_code"
"""No dimension: what is told of requests that failed."""

SLO_DIMENSIONS = (
    *(found.name for found in fields_of(Kind.CODE) if found.name not in OUTCOMES),
    TEAM,
    STREAM,
)
"""Every name that a selector, a grouping or a principal may use."""

EVENT_FIELD_OF = {name: name for name in SLO_DIMENSIONS} | {TEAM: "team_ids"}
"""The field of the event that a dimension is taken from."""

MANY_VALUED = frozenset({"api_key_hash", "batch_job_id", "node_id", "pod_id", "source", "user_id"})
"""Dimensions with so many values that a state for each is a decision to take knowingly."""

SPOKEN_NAMES = {
    "api_key": "api_key_hash",
    "env": "environment",
    "team": TEAM,
    "tenant": "workspace_id",
    "user": "user_id",
    "virtual_account": "virtual_account_id",
    "workspace": "workspace_id",
}
"""What people write for a dimension that is called otherwise."""


def unknown_dimension(name: str) -> str:
    """Say that a dimension is unknown, and what was probably meant."""
    if name in OUTCOMES:
        return (
            f"{name} is known only from the outcome, so choosing by it would hide failures; "
            "let the indicator say what is bad"
        )
    meant = SPOKEN_NAMES.get(name) or close_name(name, SLO_DIMENSIONS)
    hint = f"did you mean {meant}?" if meant else f"known are {', '.join(SLO_DIMENSIONS)}"
    return f"unknown dimension {name}; {hint}"


def close_name(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like one that is not, or ""."""
    by_folded = {other.casefold(): other for other in known}
    close = difflib.get_close_matches(name.casefold(), list(by_folded), n=1)
    return by_folded[close[0]] if close else ""
