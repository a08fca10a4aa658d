"""The alerts of the pictures: the product's own jobs find what the data set hides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.core.alerts.history import RecordKind
from inferometer.core.slo.definitions import Severity
from inferometer.slo_files import load_slo_files
from tests.browser.data_set import LIMITED_MODEL, MINUTE_US, make_data_set
from tests.browser.filling import book_of
from tests.browser.fleet_alerts import FOLDER, FleetAlerts, mutes_of

if TYPE_CHECKING:
    from pathlib import Path

END_US = 1_780_000_020_000_000
JUDGED_US = 50 * MINUTE_US


def test_the_objectives_of_the_fleet_are_sound() -> None:
    found = load_slo_files([FOLDER / "fleet_slos.yaml"])
    assert [str(problem) for problem in found.problems] == []


def test_the_limit_pages_and_somebody_is_told(tmp_path: Path) -> None:
    data_set = make_data_set(END_US)
    begin_us = END_US - JUDGED_US
    with FleetAlerts(book_of(tmp_path), begin_us, mutes_of(data_set)) as alerts:
        alerts.take([one for one in data_set.sent if one.arrival_us >= begin_us])
        transitions, attempts = alerts.told()
        status = alerts.sources().status
        assert status is not None
        rows = [row for row in status.rows() if row["state"] == "firing"]
    paged = {one.incident_id for one in transitions if one.kind is RecordKind.ESCALATED}
    paged |= {one.incident_id for one in transitions
              if one.kind is RecordKind.FIRING and one.severity is Severity.PAGE}  # fmt: skip
    (limit,) = [row["incident_id"] for row in rows if row["group"] == {"model": LIMITED_MODEL}]
    assert limit in paged
    told = [one for one in attempts if one.incident_id == limit]
    assert {("oncall", "retry"), ("oncall", "delivered")} <= {
        (one.receiver, one.outcome) for one in told
    }
