"""`inferometer size` prints what a rate needs; the document in `deploy/` is what it prints now."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inferometer.cli.size import TABLE_RATES, unit_costs

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run

DOCUMENT = Path(__file__).parents[3] / "deploy" / "sizing.md"


def test_a_rate_is_answered_with_machines_and_what_breaks_first(run: Run) -> None:
    outcome = run("size", "--rate", "100000", "--retention", "14")
    assert outcome.code == 0
    for word in ("cores in all", "partitions", "brokers", "ClickHouse nodes", "disk: log, 14 days"):
        assert word in outcome.out
    assert "what breaks first" in outcome.out


def test_machines_get_the_same_as_one_object(run: Run) -> None:
    found = json.loads(run("size", "--rate", "250000", "--events", "lean", "--json").out)
    assert found["demand"]["rate"] == 250_000
    assert found["workers"] >= 1
    assert {"name", "use", "breaks_at", "remedy"} == set(found["limits"][0])
    assert found["unit_costs"]["worker_event_us"]["source"]


def test_retention_is_what_the_store_keeps_unless_given(run: Run) -> None:
    kept = {"INFEROMETER_STORE_REQUESTS_RETENTION_DAYS": "30"}
    found = json.loads(run("size", "--json", environ=kept).out)
    assert found["demand"]["log_days"] == 30
    assert json.loads(run("size", "--retention", "3", "--json").out)["demand"]["log_days"] == 3


def test_settings_of_the_worker_count(run: Run) -> None:
    short = {"INFEROMETER_WORKER_LONGEST_OUTAGE_S": "60"}
    found = json.loads(run("size", "--json", environ=short).out)
    assert found["demand"]["longest_outage_s"] == 60


@pytest.mark.parametrize(
    "flags",
    [
        ("--rate", "0"),
        ("--rate", "many"),
        ("--retention", "-1"),
        ("--events", "fat"),
        ("--usage-groups", "0"),
    ],
)
def test_nonsense_is_wrong_use(run: Run, flags: tuple[str, ...]) -> None:
    assert run("size", *flags).code == 2


def test_the_document_of_the_repository_is_what_the_command_prints(
    run: Run, update_golden: bool
) -> None:
    printed = run("size", "--markdown").out
    if update_golden:
        DOCUMENT.write_text(printed, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == printed, (
        "write it anew: inferometer size --markdown > deploy/sizing.md"
    )


def test_the_document_has_every_rate_and_every_unit_cost() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(f"{rate:,.0f} events/s" in text for rate in TABLE_RATES)
    assert all(f"| {figure.name} |" in text for figure in unit_costs())


def test_every_unit_cost_says_how_to_get_it_again() -> None:
    for figure in unit_costs():
        assert re.match(
            r"python -m |make |inferometer |assumed|by construction|simulated", figure.source
        ), figure.name
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", figure.date), figure.name
