"""Builds an objective from the keys that both file formats share, and decides what absence means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.slo.definitions import AbsenceRule, Availability, Latency, OutageRule, Slo

if TYPE_CHECKING:
    from decimal import Decimal

    from inferometer.core.slo.definitions import BurnWindow, Indicator
    from inferometer.slo_files.parts import SloDefaults


def default_outage(indicator: Indicator) -> OutageRule | None:
    """Return the outage rule of an objective whose file says nothing about it."""
    return OutageRule() if isinstance(indicator, Availability | Latency) else None


def default_absence(indicator: Indicator) -> AbsenceRule | None:
    """Return the absence rule of an objective whose file says nothing about it.

    Availability alone: several objectives of one service would all tell of the same silence.
    """
    return AbsenceRule() if isinstance(indicator, Availability) else None


def _outage(part: SloDefaults, indicator: Indicator) -> OutageRule | None:
    if "outage" not in part.model_fields_set:
        return default_outage(indicator)
    rule = part.outage
    return None if rule is None else OutageRule(
        bad_ratio=rule.bad_ratio,
        long_s=rule.long,
        short_s=rule.short,
        significance=float(rule.significance),
    )  # fmt: skip


def _absence(part: SloDefaults, indicator: Indicator) -> AbsenceRule | None:
    if "absence" not in part.model_fields_set:
        return default_absence(indicator)
    rule = part.absence
    return None if rule is None else AbsenceRule(
        p_value=float(rule.p_value),
        shortest_s=rule.shortest,
        collapse_ratio=rule.collapse_ratio,
    )  # fmt: skip


def build_slo(
    part: SloDefaults,
    *,
    name: str,
    description: str,
    indicator: Indicator,
    objective: Decimal,
    windows: tuple[BurnWindow, ...],
    source: str,
) -> Slo:
    """Return the objective; the service is that of the file, else the objective's own name."""
    return Slo(
        name=name,
        workspace=part.workspace,
        service=part.service or name,
        indicator=indicator,
        objective=objective,
        period_s=part.period,
        selector=tuple(part.where),
        group_by=tuple(part.group_by),
        burn_windows=windows,
        outage=_outage(part, indicator),
        absence=_absence(part, indicator),
        weighting=part.weighting,
        low_traffic_guard=part.low_traffic_guard,
        principal=part.principal,
        min_distinct_principals=part.min_distinct_principals,
        keep_firing_s=part.keep_firing_for,
        description=description,
        owner=part.owner,
        cost_responder=part.cost_responder,
        tier=part.tier,
        runbook_url=part.runbook,
        dashboard_url=part.dashboard,
        receivers=tuple(part.receivers),
        labels=dict(part.labels),
        annotations=dict(part.annotations),
        source=source,
    )
