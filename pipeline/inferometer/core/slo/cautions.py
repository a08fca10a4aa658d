"""What the owner of an objective should know before it fires: how slow, and on how little.

Invariant: the numbers are those of the closed forms for steady traffic, so that a tick of the
evaluation confirms them.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

from inferometer.core.slo.closed_forms import (
    outage_detection_s,
    pair_detection_s,
    single_failure_bound,
    threshold_of,
)
from inferometer.core.slo.definitions import HOUR_S, MINUTE_S
from inferometer.core.slo.dimensions import MANY_VALUED
from inferometer.core.slo.soundness import Objection, pages
from inferometer.core.slo.spans import span_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.slo.definitions import Slo

SLOW_PAGE_S = 10 * MINUTE_S
"""A total outage that nobody hears of for so long deserves a word."""


def total_outage_detections_s(slo: Slo) -> dict[str, float]:
    """Return after how many seconds a total outage fires each rule, by the rule's name."""
    found = {window.name: pair_detection_s(window, slo, 1) for window in slo.burn_windows}
    if slo.outage is not None:
        found["outage"] = outage_detection_s(slo.outage, 1)
    return {name: float(seconds) for name, seconds in found.items() if seconds is not None}


def budget_of_period(slo: Slo, requests_per_hour: Decimal) -> Decimal:
    """Return how many failures the budget of a period allows."""
    return requests_per_hour * slo.period_s / HOUR_S * (1 - slo.objective)


def traffic_objections(slo: Slo, requests_per_hour: Decimal) -> list[Objection]:
    """Return why an objective cannot be measured on so little traffic, or nothing."""
    budget = budget_of_period(slo, requests_per_hour)
    if budget >= 1:
        return []
    most = 1 - 1 / (requests_per_hour * slo.period_s / HOUR_S) if requests_per_hour else Decimal(0)
    shown = most.quantize(Decimal("1E-6"), ROUND_DOWN).normalize()
    remedy = f"lower the objective to {shown:f} or less, or" if most > 0 else "group by less, or"
    return [
        Objection(
            ("objective",),
            f"it cannot be measured: at {requests_per_hour:f} requests/h a period of "
            f"{span_text(slo.period_s)} allows {float(budget):.3g} failures, so one failure breaks it; "
            f"{remedy} select more traffic",
        )
    ]


def cautions(slo: Slo, requests_per_hour: Decimal | None = None) -> list[Objection]:
    """Return what is allowed and still worth a word."""
    return [
        *_of_slow_pages(slo),
        *_of_low_traffic(slo, requests_per_hour),
        *_of_many_groups(slo),
    ]


def _of_slow_pages(slo: Slo) -> Iterator[Objection]:
    if slo.outage is not None:
        return
    detections_s = total_outage_detections_s(slo)
    paging = {window.name: detections_s[window.name] for window in pages(slo)}
    if not paging:
        return
    fastest = min(paging, key=paging.__getitem__)
    if paging[fastest] > SLOW_PAGE_S:
        yield Objection(
            ("burn_windows",),
            f"{fastest} detects a total outage in {paging[fastest] / MINUTE_S:.3g} min; "
            "add an outage rule (outage: true), which needs 2.5 min",
        )


def _of_low_traffic(slo: Slo, requests_per_hour: Decimal | None) -> Iterator[Objection]:
    if requests_per_hour is None:
        return
    for index, window in enumerate(slo.burn_windows):
        expected = requests_per_hour * window.long_s / HOUR_S
        bound = float(single_failure_bound(threshold_of(window, slo)))
        if expected < bound:
            guard = (
                "the low-traffic guard makes it wait for more"
                if slo.low_traffic_guard
                else "turn the low-traffic guard on"
            )
            yield Objection(
                ("burn_windows", index),
                f"{window.name}: one failure alone crosses its threshold below {bound:.3g} "
                f"requests in {span_text(window.long_s)}, and {float(expected):.3g} are expected; {guard}",
            )


def _of_many_groups(slo: Slo) -> Iterator[Objection]:
    for index, name in enumerate(slo.group_by):
        if name in MANY_VALUED:
            yield Objection(
                ("group_by", index),
                f"{name} has many values, and each keeps up to 32 kB and incidents of its own; "
                "group by something coarser unless this is meant",
            )
