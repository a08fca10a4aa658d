"""What `inferometer alerts status` says of a board."""

from __future__ import annotations

from inferometer.runtime.alert_status import status_rows, status_table
from inferometer.runtime.alert_view import BoardsView
from inferometer.webhooks.receivers_file import ReceiversFile
from tests.unit.jobs.alert_pipeline import Pipeline, incident_trace


def burning() -> Pipeline:
    pipeline = Pipeline()
    pipeline.feed(incident_trace(minutes=30, incident=(20, 90)), chunk=200)
    pipeline.finish()
    return pipeline


def test_every_group_has_its_state_burn_and_budget() -> None:
    board, _lock = burning().evaluator.boards()[0]
    rows = {row["group"]["model"]: row for row in status_rows(board)}
    assert (rows["m"]["state"], rows["m"]["severity"]) == ("firing", "page")
    assert rows["m"]["true_rules"] == ["page-fast"]
    assert rows["m"]["burn"] > 14.4
    assert rows["n"]["state"] == "ok"
    assert rows["n"]["budget_left"] == 1
    table = status_table(list(rows.values()))
    assert "acme/chat-success  model=m  firing page" in table


def test_without_state_it_says_what_makes_some() -> None:
    assert "inferometer alerts" in status_table([])


def test_the_view_shows_what_fires() -> None:
    view = BoardsView(burning().evaluator.boards, ReceiversFile())
    (alert,) = view.alerts()
    assert (alert.labels["model"], alert.labels["severity"]) == ("m", "page")
    assert view.receivers() == []
