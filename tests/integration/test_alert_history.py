from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from inferometer.clickhouse.alert_history import ClickHouseAlertHistory
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core.alerts.history import RecordKind
from tests.integration.alert_seed import ATTEMPTS, DRIVERS, HISTORY, LABELS, START, happened

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseAlertHistory]:
    folder = tmp_path_factory.mktemp("history")
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        yield ClickHouseAlertHistory(connection)


@pytest.fixture(scope="module")
def kept(history: ClickHouseAlertHistory) -> ClickHouseAlertHistory:
    # Read twice, in other pieces, as a reader does that was killed before it could commit.
    for token, records in (("a", HISTORY), ("b", HISTORY[:3]), ("c", HISTORY[1:])):
        history.keep_transitions(records, token=token)
    for token, attempts in (("a", ATTEMPTS), ("b", ATTEMPTS[1:])):
        history.keep_attempts(attempts, token=token)
    return history


def test_what_is_read_twice_is_kept_once(kept: ClickHouseAlertHistory) -> None:
    found = kept.transitions("q7c")
    assert [row["kind"] for row in found] == ["rule_fired", "firing", "cleared", "resolved"]
    attempts = kept.attempts("q7c")
    assert [(row["transition"], row["attempt"]) for row in attempts] == [
        ("firing", 1), ("firing", 2), ("resolved", 1),
    ]  # fmt: skip


def test_the_numbers_that_fired_come_back_as_they_were(kept: ClickHouseAlertHistory) -> None:
    [facts] = kept.transitions("q7c")[0]["conditions"]
    assert facts["rule"] == "page-fast"
    assert (facts["long_s"], facts["long_burn"], facts["long_bad"]) == (3600, 15.1, 151)
    assert (facts["short_s"], facts["short_total"], facts["p_value"]) == (300, 829, 1e-12)
    assert facts["value"] is None


def test_what_a_notice_named_comes_back(kept: ClickHouseAlertHistory) -> None:
    first, *_, last = (row["drivers"] for row in kept.attempts("q7c"))
    assert first == [asdict(each) for each in DRIVERS]
    assert last == []


def test_an_incident_says_when_how_bad_and_who_was_told(kept: ClickHouseAlertHistory) -> None:
    [incident] = kept.incidents(since=START, until=START + timedelta(hours=1))
    assert incident["incident_id"] == "q7c"
    assert incident["severity"] == "page"
    assert incident["labels"] == LABELS
    assert incident["rules"] == ["page-fast"]
    assert incident["peak_burn"] == 15.1
    assert incident["starts_at"] == START + timedelta(seconds=60)
    assert incident["detected_at"] == START + timedelta(seconds=110)
    assert incident["resolved_at"] == START + timedelta(seconds=1200)
    assert incident["resolve_reason"] == "cleared"
    assert (incident["notices_delivered"], incident["pages_delivered"]) == (2, 1)
    assert incident["first_delivered_at"] == START + timedelta(seconds=116)


def test_an_incident_is_found_by_the_beginning_of_its_id(kept: ClickHouseAlertHistory) -> None:
    assert [row["incident_id"] for row in kept.incidents_named("q7")] == ["q7c"]
    assert kept.incidents_named("zz") == []


def test_a_reopened_incident_is_open(history: ClickHouseAlertHistory) -> None:
    again = [
        happened(11, RecordKind.FIRING, 100, incident_id="open"),
        happened(12, RecordKind.RESOLVED, 200, incident_id="open"),
        happened(13, RecordKind.REOPENED, 300, incident_id="open", episode=2),
    ]
    history.keep_transitions(again, token="reopened")
    [incident] = history.incidents_named("open")
    assert incident["resolved_at"] is None
    assert incident["episodes"] == 2
    assert incident["notices_delivered"] == 0
    assert incident["first_delivered_at"] is None


def test_a_span_holds_what_was_open_in_it(kept: ClickHouseAlertHistory) -> None:
    later = START + timedelta(hours=3)
    found = kept.incidents(since=later, until=later + timedelta(hours=1))
    assert "q7c" not in {row["incident_id"] for row in found}
