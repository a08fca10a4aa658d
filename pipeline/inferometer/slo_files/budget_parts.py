"""The `budgets:` of the native SLO file, key by key."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from inferometer.core.slo.budgets import CalendarPeriod, CostRule
from inferometer.core.slo.definitions import Severity
from inferometer.slo_files.part_types import Name, Number, OwnedPart, Part, SpanS, Word


def _day(value: object) -> object:
    """Accept a date, or an instant without an offset, both in the budget's own zone."""
    if isinstance(value, str):
        is_date = len(value) == len("2026-01-31")
        return datetime.combine(date.fromisoformat(value), time()) if is_date else (
            datetime.fromisoformat(value)
        )  # fmt: skip
    raise ValueError(f"{value!r} is no date; write 2026-11-27 or 2026-11-27T08:00:00")


Wall = Annotated[
    datetime, BeforeValidator(_day), WithJsonSchema({"type": "string", "pattern": r"^\d{4}-"})
]


class PlannedPart(Part):
    """A stretch of time in which spending is expected to differ."""

    start: Wall = Field(description="Date or wall time in the budget's zone.")
    end: Wall = Field(description="Not included.")
    factor: Number = Field(description="Multiplies the forecast: 5 for five times as much.")
    reason: Word = Field("", description="Shown in notices.")


class CostWindowPart(Part):
    """The windows of a rule; what is absent stays as shipped."""

    long: SpanS | None = Field(None, description="The window that says how much.")
    short: SpanS | None = Field(None, description="The window that says it goes on.")
    ratio: Number | None = Field(None, description="Spent to forecast over both windows.")
    severity: Severity | None = Field(None, description="page or ticket.")
    critical_severity: Severity | None = Field(
        None, description="Severity for a budget of tier critical."
    )


class BudgetPart(OwnedPart):
    """An amount of money for each calendar period."""

    name: Name = Field(description="Unique within its workspace.")
    description: Word = Field("", description="One sentence.")
    amount_usd: Number = Field(description="US dollars for each period, of each group.")
    period: CalendarPeriod = Field(CalendarPeriod.MONTH, description="day, week, month, ...")
    zone: Word = Field("UTC", description="IANA zone in which periods begin, as Europe/Berlin.")
    rules: list[CostRule] = Field(
        default_factory=lambda: list(CostRule), description="Absent: all of them."
    )
    windows: dict[CostRule, CostWindowPart] = Field(
        default_factory=dict, description="Other windows and ratios than the shipped ones."
    )
    smallest_excess_usd: Number | None = Field(
        None, description="What C1 needs above the forecast; absent: a thousandth of the amount."
    )
    absolute_share: Number = Field(Decimal("0.02"), description="Share of the budget for C4.")
    spent_shares: list[Number] = Field(
        default_factory=lambda: [Decimal("0.5"), Decimal("0.8"), Decimal("0.9"), Decimal(1)],
        description="Thresholds of C6, rising.",
    )
    exhaustion: SpanS = Field(86_400, description="C6 pages when the budget is gone this soon.")
    cost_variation: Number = Field(
        Decimal(2), description="Standard deviation of a request's cost over its mean."
    )
    explained_share: Number = Field(
        Decimal("0.9"), description="C1 to C3 are tickets when volume explains so much."
    )
    planned: list[PlannedPart] = Field(
        default_factory=list, description="Launches, sales and new prices."
    )

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no IANA zone; write one like Europe/Berlin") from error
        return value


def instant_s(wall: datetime, zone: str) -> int:
    """Return epoch seconds of a wall time in a zone; one with an offset keeps its own."""
    aware = wall if wall.tzinfo is not None else wall.replace(tzinfo=ZoneInfo(zone))
    return int(aware.astimezone(UTC).timestamp())
