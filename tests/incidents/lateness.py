"""INC-33: counts that come late: a little, too late for their tick, and after an outage of hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.definitions import Severity
from tests.incidents.behaviours import Stage, case_of, firing, run, seconds
from tests.incidents.generator import NOBODY_HIGH, NOBODY_LOW, Trace, sample
from tests.incidents.objectives import slo_of
from tests.incidents.ours import LATENESS_S, add_cells
from tests.incidents.report import Check
from tests.incidents.scenario import CELL_S, HOUR_S, ORIGIN_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inferometer.core.alerts.notices import Notice
    from tests.incidents.scenario import Case

LATE_SHARE = 0.05


def checks() -> Iterator[Check]:
    """Yield what late counts may and may not change."""
    case = case_of("INC-33")
    trace = sample(case, 0)
    in_order = run(case, Stage(slo_of(case)), [trace]).notices
    slightly = _played(case, trace, late_s=20)
    yield Check(scenario="INC-33", says="20 s late: the notices of counts in order",
                is_reached=_told(slightly) == _told(in_order),
                found=f"{len(slightly)} notices, {len(in_order)} in order")  # fmt: skip
    late = _played(case, trace, late_s=300)
    first, usual = seconds(case, firing(late)[0]), seconds(case, firing(in_order)[0])
    yield Check(scenario="INC-33", says="5 min late: never earlier, one page",
                is_reached=first >= usual and len(firing(late)) == 1,
                found=f"fires {first - usual} s later")  # fmt: skip
    yield from _backlog(case, trace)


def _told(notices: list[Notice]) -> list[tuple[str, str, int]]:
    return [(each.notification_id, each.incident_id, each.detected_at_us) for each in notices]


def _played(case: Case, trace: Trace, *, late_s: int) -> list[Notice]:
    """Deliver a share of every cell so much later; ticks stay the allowed lateness behind."""
    held, kept = _split(trace)
    stage = Stage(slo_of(case))
    place = stage.places[()]
    first = (case.evaluated_from_s - ORIGIN_S) // CELL_S
    add_cells(stage.evaluator, place, trace, 0, first)
    behind, later = LATENESS_S // CELL_S, late_s // CELL_S
    for index in range(first, case.cells + behind):
        if index < case.cells:
            add_cells(stage.evaluator, place, kept, index, index + 1)
        if first <= index - later < case.cells:
            add_cells(stage.evaluator, place, held, index - later, index - later + 1)
        if index - behind >= first:
            stage.tick(ORIGIN_S + (index - behind + 1) * CELL_S)
    return stage.notices


def _split(trace: Trace) -> tuple[Trace, Trace]:
    dice = np.random.default_rng(33)
    bad = dice.binomial(trace.bad, LATE_SHARE)
    good = dice.binomial(trace.total - trace.bad, LATE_SHARE)
    nobody = bad == 0
    held = Trace(
        good + bad,
        bad,
        np.where(nobody, NOBODY_LOW, trace.low),
        np.where(nobody, NOBODY_HIGH, trace.high),
    )
    rest = trace.bad - bad
    kept = Trace(
        trace.total - held.total,
        rest,
        np.where(rest > 0, trace.low, NOBODY_LOW),
        np.where(rest > 0, trace.high, NOBODY_HIGH),
    )
    return held, kept


def _backlog(case: Case, trace: Trace) -> Iterator[Check]:
    """Everything comes two hours late at once: the past is recorded, not told."""
    stage = Stage(slo_of(case))
    now_s = case.starts_s + case.incident_s + 2 * HOUR_S
    stage.late_s = 0

    def hold_clock(tick_s: int) -> None:
        stage.late_s = max(LATENESS_S, now_s - tick_s)

    run(case, stage, [trace], before=hold_clock, until_s=now_s)
    stale = [each for each in firing(stage.notices) if each.severity is Severity.PAGE]
    yield Check(scenario="INC-33", says="a backlog of two hours pages nobody about the past",
                is_reached=not stale, found=f"{len(stale)} pages")  # fmt: skip
    live = Stage(slo_of(case))
    edge_s = case.starts_s + case.incident_s - 5 * 60

    def hold_longer(tick_s: int) -> None:
        live.late_s = max(LATENESS_S, edge_s - tick_s)

    run(case, live, [trace], before=hold_longer)
    told = firing(live.notices)
    yield Check(scenario="INC-33", says="what is still true at the live edge is told once, as late",
                is_reached=len(told) == 1 and told[0].is_detected_late,
                found=f"{len(told)} firing notices, late: {[n.is_detected_late for n in told]}")  # fmt: skip
