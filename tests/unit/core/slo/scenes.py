"""Objectives and evaluators that tests of evaluation share."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np

from inferometer.core.slo.burn_evaluation import Evaluation, SloEvaluator
from inferometer.core.slo.definitions import (
    DAY_S,
    HOUR_S,
    Availability,
    BurnWindow,
    OutageRule,
    Severity,
    Slo,
)

START = 1_700_000_400 // DAY_S * DAY_S


def window(name: str, severity: Severity, long_s: int, share: str) -> BurnWindow:
    return BurnWindow(
        name=name,
        severity=severity,
        long_s=long_s,
        short_s=long_s // 12,
        budget_share=Decimal(share),
        significance=1e-3 if severity is Severity.PAGE else 1e-2,
    )


WORKBOOK = (
    window("page-fast", Severity.PAGE, HOUR_S, "0.02"),
    window("page-slow", Severity.PAGE, 6 * HOUR_S, "0.05"),
    window("ticket-day", Severity.TICKET, DAY_S, "0.1"),
    window("ticket-3d", Severity.TICKET, 3 * DAY_S, "0.1"),
)


def slo(objective: str = "0.999", **changes: object) -> Slo:
    declared = Slo(
        name="chat-success",
        workspace="acme",
        service="chat",
        indicator=Availability(),
        objective=Decimal(objective),
        burn_windows=WORKBOOK,
        outage=OutageRule(),
    )
    return replace(declared, **changes)  # type: ignore[arg-type]


def filled(declared: Slo, *spans: tuple[int, int, int], **hashes: int) -> SloEvaluator:
    """Return an evaluator of one group after spans of (cells, total, bad) from START on."""
    evaluator = SloEvaluator(declared)
    group = evaluator.rings.new_group()
    counts = np.concatenate([np.tile((total, bad), (cells, 1)) for cells, total, bad in spans])
    cells_s = START + 10 * np.arange(len(counts))
    lows = np.where(counts[:, 1] > 0, hashes.get("low", 0xFFFFFFFF), 0xFFFFFFFF)
    highs = np.where(counts[:, 1] > 0, hashes.get("high", 0), 0)
    evaluator.rings.add(
        np.full(len(counts), group), cells_s, counts[:, 0], counts[:, 1], lows, highs
    )
    return evaluator


def at_end(declared: Slo, *spans: tuple[int, int, int], **hashes: int) -> Evaluation:
    cells = sum(cells for cells, _, _ in spans)
    return filled(declared, *spans, **hashes).evaluate(START + 10 * cells)


def conditions(evaluation: Evaluation) -> dict[str, str]:
    return {reading.rule: reading.condition.name for reading in evaluation.readings(0)}


def severity(evaluation: Evaluation, rule: str) -> Severity:
    return next(reading.severity for reading in evaluation.readings(0) if reading.rule == rule)
