"""The native SLO file as its author writes it: the one authority on its keys, types and schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StrictBool, WithJsonSchema

from inferometer.core.slo.definitions import CostPer, Duration, Severity, Weighting
from inferometer.core.slo.shipped_rules import shipped_rules
from inferometer.slo_files.budget_parts import BudgetPart
from inferometer.slo_files.part_types import (
    Name,
    Number,
    OwnedPart,
    Part,
    SpanS,
    SpanUs,
    Word,
    Words,
)
from inferometer.slo_files.rule_parts import RulePart

FORMAT = "inferometer.slos.v1"
SHIPPED_RULES = [rule.name for rule in shipped_rules()]


class WindowPart(Part):
    """A pair of burn-rate windows."""

    name: Name = Field(description="Name of the rule; it appears in notices.")
    severity: Severity = Field(description="page or ticket.")
    long: SpanS = Field(description="The window that says how much is burnt.")
    short: SpanS | None = Field(None, description="Says that it burns now; absent: long / 12.")
    budget_share: Number | None = Field(
        None, description="Share of the budget that is gone when a steady burn fires, such as 0.02."
    )
    burn: Number | None = Field(
        None, description="Instead of budget_share: the burn rate, share * period / long."
    )
    significance: Number | None = Field(
        None, description="Low-traffic guard; absent: 0.001 for a page, 0.01 for a ticket."
    )


class AvailabilityPart(Part):
    """Requests by status class."""

    bad: Words | None = Field(
        None, description="Status classes that fail; absent: 5xx, 429, other."
    )
    excluded: Words | None = Field(
        None, description="Classes that are no valid requests; absent: 4xx, 499."
    )


class LatencyPart(Part):
    """The share of requests under a duration."""

    of: Duration = Field(description="ttft, e2e, itl, tpot or queue.")
    under: SpanUs = Field(description="A request is good up to this, for example 2s or 800ms.")
    counts_failed: StrictBool = Field(
        False, description="Whether a failed request is bad; by default availability counts it."
    )


class CostPart(Part):
    """The share of requests, or of minutes, under an amount."""

    per: CostPer = Field(description="request or minute.")
    under_usd: Number = Field(description="Good up to this many US dollars.")


class BatchIsolationPart(Part):
    """How much slower realtime requests may be while batch runs."""

    of: Duration = Field(Duration.E2E, description="The duration that is compared.")
    allowed: Number = Field(Decimal("0.05"), description="How much worse p99 may be: 0.05 is 5 %.")


class IndicatorPart(Part):
    """What makes a request good or bad; exactly one of its keys."""

    availability: AvailabilityPart | None = Field(None, description="By status class.")
    latency: LatencyPart | None = Field(None, description="By a duration.")
    cost: CostPart | None = Field(None, description="By an amount of money.")
    batch_isolation: BatchIsolationPart | None = Field(
        None, description="By the effect of batch on realtime."
    )


class OutagePart(Part):
    """Pages when most requests fail, whatever the objective."""

    bad_ratio: Number = Field(Decimal("0.5"), description="Share of failed requests.")
    long: SpanS = Field(300, description="5m where absent.")
    short: SpanS = Field(60, description="1m where absent.")
    significance: Number = Field(Decimal("0.001"), description="Low-traffic guard.")


class AbsencePart(Part):
    """Fires when traffic that was to be expected is missing."""

    p_value: Number = Field(Decimal("0.000001"), description="How improbable the silence must be.")
    shortest: SpanS = Field(300, description="The least silence; 5m where absent.")
    collapse_ratio: Number = Field(
        Decimal("0.1"), description="Traffic at or below this share of the expected is missing too."
    )


def _indicator(value: object) -> object:
    if isinstance(value, str) and value in {"availability", "batch_isolation"}:
        return {value: {}}
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - pydantic's protocol
            f"{value!r} is no indicator; write availability, batch_isolation, "
            "latency: {of: ttft, under: 2s} or cost: {per: request, under_usd: 0.05}"
        )
    return {key: {} if item is None else item for key, item in value.items()}


def _switch(value: object) -> object:
    """Accept true for the shipped numbers; false turns the rule off."""
    if value is True:
        return {}
    return None if value is False else value


def _switchable(part: type[Part]) -> Any:
    return {"anyOf": [{"type": "boolean"}, {"$ref": f"#/$defs/{part.__name__}"}]}


def _windows(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _shipped(value: object) -> object:
    """Accept true for all shipped rules and false for none."""
    if isinstance(value, bool):
        return None if value else []
    items = value if isinstance(value, list) else []
    unknown = [item for item in items if item not in SHIPPED_RULES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no shipped rule; they are {', '.join(SHIPPED_RULES)}")
    return value


class SloDefaults(OwnedPart):
    """What every objective of a file shares; an objective's own keys win."""

    period: SpanS = Field(30 * 86_400, description="What the budget is for; 30d where absent.")
    burn_windows: Annotated[
        list[Any],
        BeforeValidator(_windows),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string"},
                    {"type": "array", "items": {
                        "anyOf": [{"type": "string"}, {"$ref": "#/$defs/WindowPart"}]}},
                ],
            }
        ),
    ] = Field(
        default_factory=lambda: ["workbook"],
        description="Names of sets or of shipped windows, or windows of its own.",
    )  # fmt: skip
    outage: Annotated[
        OutagePart | None, BeforeValidator(_switch), WithJsonSchema(_switchable(OutagePart))
    ] = Field(None, description="Absent: on for availability and latency, off for the others.")
    absence: Annotated[
        AbsencePart | None, BeforeValidator(_switch), WithJsonSchema(_switchable(AbsencePart))
    ] = Field(None, description="Absent: on for availability, off for the others.")
    weighting: Weighting = Field(
        Weighting.RATIO,
        description="ratio, or budget: failures are compared with what a window holds on average.",
    )
    low_traffic_guard: StrictBool = Field(True, description="Pages need significance.")
    principal: Word = Field("user_id", description="Dimension that tells callers apart.")
    min_distinct_principals: Annotated[int, Field(strict=True)] = Field(
        2, description="2: a page needs failures of two callers; 1 turns that off."
    )
    keep_firing_for: SpanS | None = Field(
        None, description="Absent: the pair's short window, 30m at most."
    )
    requests_per_hour: Number | None = Field(
        None, description="Expected traffic of one group; lets `slo check` judge the objective."
    )


class SloPart(SloDefaults):
    """One objective."""

    name: Name = Field(description="Unique within its workspace.")
    description: Word = Field("", description="One sentence.")
    indicator: Annotated[
        IndicatorPart,
        BeforeValidator(_indicator),
        WithJsonSchema(
            {"anyOf": [{"enum": ["availability", "batch_isolation"]},
                       {"$ref": "#/$defs/IndicatorPart"}]}
        ),
    ] = Field(description="What makes a request good or bad.")  # fmt: skip
    objective: Number = Field(description="Share of valid requests that are good, such as 0.999.")


class SloFile(Part):
    """An SLO file of Inferometer, YAML."""

    format: Literal["inferometer.slos.v1"] = Field(description="Says what the file is.")
    defaults: SloDefaults = Field(SloDefaults(), description="Shared by the objectives below.")
    burn_windows: dict[str, list[WindowPart]] = Field(
        default_factory=dict, description="Named sets of windows; `workbook` is shipped."
    )
    shipped_rules: Annotated[
        list[str] | None,
        BeforeValidator(_shipped),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "boolean"},
                    {"type": "array", "items": {"enum": SHIPPED_RULES}},
                ]
            }
        ),
    ] = Field(None, description="false, or the shipped rules to keep; absent: all of them.")
    slos: list[SloPart] = Field(default_factory=list, description="The objectives.")
    budgets: list[BudgetPart] = Field(default_factory=list, description="Amounts of money.")
    rules: list[RulePart] = Field(
        default_factory=list, description="Thresholds and bands on any metric of the views."
    )
