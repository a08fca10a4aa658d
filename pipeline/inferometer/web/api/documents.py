"""What answers have in common, as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.core.query.answers import Coverage, Freshness


class Document(BaseModel):
    """A JSON object whose members are all known."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


Amount = Annotated[
    float | None,
    Field(description="null where it cannot be said: no value, or nothing to divide by"),
]


class FreshnessDocument(Document):
    """How far what is stored is complete."""

    watermark: datetime | None = Field(description="everything that ended before is stored")
    updated_at: datetime | None
    lag_s: float | None = Field(description="from the watermark to now")


class CoverageDocument(Document):
    """Which part of the asked span the data still holds."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    is_whole: bool
    reason: str


def freshness_json(freshness: Freshness, now: datetime) -> dict[str, Any]:
    """Return freshness as answers carry it."""
    lag_s = None
    if freshness.watermark is not None:
        lag_s = round((now - freshness.watermark).total_seconds(), 3)
    return {
        "watermark": freshness.watermark,
        "updated_at": freshness.updated_at,
        "lag_s": lag_s,
    }


def coverage_json(coverage: Coverage) -> dict[str, Any]:
    """Return coverage as answers carry it."""
    return {
        "from": coverage.start,
        "to": coverage.end,
        "is_whole": coverage.is_whole,
        "reason": coverage.reason,
    }


def cost_scope(workspace_id: str | None, filters: Iterable[object]) -> str:
    """Return which consumption the figures of cost are about; a bill may have more or less."""
    whose = "all workspaces" if workspace_id is None else f"workspace {workspace_id}"
    which = " that meets the filters" if tuple(filters) else ""
    return (
        f"Usage of {whose}{which}, every attempt, priced by the price book; what has no price "
        "counts as $0. The provider's bill is the reference."
    )
