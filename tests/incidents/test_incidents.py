"""The short form of the suite: a few seeds of the scenarios that tell most, every exactness row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from inferometer.core.slo.definitions import Severity
from tests.incidents import (
    behaviours,
    export,
    lateness,
    missing,
    money,
    noise,
    report,
    suite_run,
    sweeps,
    targets,
)
from tests.incidents.__main__ import main
from tests.incidents.exactness import INCIDENTS, differences
from tests.incidents.generator import sample
from tests.incidents.objectives import slo_of
from tests.incidents.ours import play
from tests.incidents.scenario import compliant_case, suite
from tests.incidents.scoring import Score, quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.incidents.report import Check, Row
    from tests.incidents.scenario import Case

RUNS = 2


def named(key: str) -> Case:
    return next(case for case in suite().counted if case.key == key)


def played(key: str, runs: int = RUNS) -> Row:
    return suite_run.row_of(replace(named(key), lead_h=0.2, tail_h=1), runs)


def test_pages_fire_and_clear_at_the_tick_of_the_closed_form() -> None:
    compared, found = differences("0.999", Severity.PAGE)
    assert compared == 4 * len(INCIDENTS)
    assert found == []


@pytest.mark.parametrize("key", ["INC-03", "INC-10", "INC-21", "INC-22 traffic x0.1"])
def test_a_clear_incident_pages_near_its_closed_form_and_nothing_else_does(key: str) -> None:
    row = played(key)
    assert row.ours.recall.value == row.ours.precision.value == 1
    assert row.expected_min is not None
    assert quantile(row.ours.detections_s, 0.5) <= 1.25 * row.expected_min * 60
    assert row.ours.notices_an_incident == 1


@pytest.mark.parametrize("key", ["INC-09 5 % for 5 min", "INC-25", "INC-26 20 min"])
def test_what_does_no_harm_tells_nobody(key: str) -> None:
    row = played(key)
    assert row.ours.false_pages == row.ours.notices == 0


def test_pulses_are_one_page() -> None:
    row = played("INC-15 1 min in 10")
    assert row.ours.notices_an_incident == 1 < row.reference.notices_an_incident


def test_page_and_ticket_at_once_are_one_page() -> None:
    assert played("INC-30").ours.notices_an_incident == 1


def test_an_outage_of_a_lax_objective_is_found_before_its_burn_rate() -> None:
    row = played("INC-27")
    assert max(row.ours.detections_s) <= 360 < min(row.reference.detections_s)


def test_notices_are_the_same_with_the_numbers_and_without() -> None:
    case = replace(named("INC-10"), history_h=6, lead_h=0.2, tail_h=1)
    trace = sample(case, 0)
    stage = behaviours.run(case, behaviours.Stage(slo_of(case)), [trace])
    (plain,) = play(case, [trace], slo_of(case))
    told = [(each.notification_id, each.detected_at_us) for each in plain.notices]
    assert told == [(each.notification_id, each.detected_at_us) for each in stage.notices]


def test_a_healthy_service_and_a_fresh_start_page_nobody() -> None:
    for is_cold in (False, True):
        case = compliant_case(
            rph=60, errors_of_budget=0.5, days=0.5, is_diurnal=False, history_h=0 if is_cold else 6
        )
        row = sweeps.sweep(sweeps.SweepTask(case=case, runs=20, is_cold_start=is_cold))
        assert row.ours.false_pages == 0
        assert row.reference.false_pages > 0


SCENES = {
    "INC-18": behaviours.one_caller,
    "INC-29": behaviours.three_models,
    "INC-31": behaviours.maintenance_ends,
    "INC-33": lateness.checks,
    "INC-34": behaviours.restarted,
    "INC-35": money.steps,
    "INC-36": money.retries,
    "INC-37": money.heavy_request,
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_a_scenario_holds_what_it_asserts(scene: Callable[[], Iterator[Check]]) -> None:
    assert [each for each in scene() if not each.is_reached] == []


def test_missing_traffic_is_told_in_time_and_a_broken_pipeline_is_not() -> None:
    found = [missing.silence(600, 300, 3), missing.collapse(3), missing.broken_pipeline(3)]
    assert [each for each in found if not each.is_reached] == []


def test_bands_keep_their_recall_after_an_incident_in_the_weeks_that_teach() -> None:
    assert [each for each in noise.bands(4) if not each.is_reached] == []


def test_ten_thousand_groups_take_less_than_two_seconds_a_tick() -> None:
    goal = targets.scale(ticks=2)
    assert goal.is_reached, goal.found


def test_a_goal_that_is_missed_is_said_to_be() -> None:
    missed = report.Row(
        name="INC-30", truth="page", expected_min=None, clears_min=None,
        ours=Score(runs=1, notices=3, heard_incidents=1, true_pages=1, false_pages=1),
        reference=Score(runs=1),
    )  # fmt: skip
    flapping = replace(missed, name="INC-14")
    assert targets.notices([missed, flapping]).state == "NOT REACHED"
    assert targets.precision([missed]).state == "NOT REACHED"
    assert targets.notices([]).state == "not measured"


def test_labels_counts_and_events_can_be_written(tmp_path: Path) -> None:
    case = replace(named("INC-10"), history_h=0, lead_h=0.1, tail_h=0.1, rph=600)
    written = export.write(tmp_path, [case], run=0, with_events=True)
    assert [path.name for path in written] == [
        "labels.json", "labels_budget.json", "inc-10.counts.jsonl", "inc-10.events.jsonl",
    ]  # fmt: skip
    assert all(path.stat().st_size for path in written)


def test_one_scenario_can_be_run_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "INC-09", "--seeds", "1", "--jobs", "1"]) == 0
    assert "INC-09 5 % for 5 min" in capsys.readouterr().out
