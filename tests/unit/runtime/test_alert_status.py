"""What `inferometer alerts status` says of a board."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.routing import Route
from inferometer.core.alerts.silences import Silence
from inferometer.core.slo.board_snapshots import Kept, Position, to_snapshot
from inferometer.core.slo.budgets import CostRule, MoneyBudget
from inferometer.core.slo.cost_state import COST_NEEDS
from inferometer.core.slo.counting import CountTable
from inferometer.core.slo.measure_lanes import CostLane
from inferometer.errors import StoreError
from inferometer.runtime.alert_status import status_rows, status_table
from inferometer.runtime.alert_view import BoardsView
from inferometer.runtime.other_boards import OtherBoards
from inferometer.testing.alerts import MemorySnapshots
from inferometer.webhooks.receivers_file import ReceiversFile
from tests.unit.jobs.alert_pipeline import START_S, Pipeline, incident_trace

if TYPE_CHECKING:
    from inferometer.core.slo.board import Board


def burning() -> Pipeline:
    pipeline = Pipeline()
    pipeline.feed(incident_trace(minutes=30, incident=(20, 90)), chunk=200)
    pipeline.finish()
    return pipeline


def burning_board() -> Board:
    board, _lock = burning().evaluator.boards()[0]
    return board


def silence(**labels: str) -> Silence:
    return Silence(
        id="quiet",
        matchers=tuple(Matcher(name, value) for name, value in labels.items()),
        starts_at_us=0,
        ends_at_us=2 * START_S * 1_000_000,
        created_by="ada",
        comment="known",
        updated_at_us=0,
    )


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


def test_a_budget_that_is_gone_is_shown_after_the_page_has_ended() -> None:
    pipeline = Pipeline()
    pipeline.feed(incident_trace(minutes=300, incident=(20, 110)), chunk=200)
    pipeline.finish()
    board, _lock = pipeline.evaluator.boards()[0]
    rows = {row["group"]["model"]: row for row in status_rows(board)}
    assert "exhausted" in rows["m"]["true_rules"]
    assert (rows["m"]["state"], rows["m"]["severity"]) == ("firing", "ticket")
    assert (rows["n"]["state"], rows["n"]["incident_id"]) == ("ok", "")
    # The hour that the page looked at is well; what fires is about the period.
    assert rows["m"]["burn"] > 100


def test_what_is_silenced_fires_and_is_shown_as_silenced() -> None:
    pipeline = Pipeline()
    pipeline.mutes = MuteBook([silence(model="m")])
    pipeline.feed(incident_trace(minutes=30, incident=(20, 90)), chunk=200)
    pipeline.finish()
    board, _lock = pipeline.evaluator.boards()[0]
    rows = {row["group"]["model"]: row for row in status_rows(board)}
    assert rows["m"]["state"] == "firing"
    assert rows["m"]["suppressed_by"] == ["silence:quiet"]
    assert rows["n"]["suppressed_by"] == []
    assert "firing page, silenced  " in status_table(list(rows.values()))


def test_what_another_incident_mutes_is_shown_as_inhibited() -> None:
    (row,) = (one for one in status_rows(burning_board()) if one["group"]["model"] == "m")
    table = status_table([{**row, "suppressed_by": ["an-incident"]}])
    assert "firing page, inhibited  " in table


def test_a_threshold_of_spending_that_was_told_is_not_shown_as_well() -> None:
    budget = MoneyBudget(
        name="spend",
        amount_usd=Decimal(10),
        rules=frozenset({CostRule.SPENT}),
        spent_shares=(Decimal("0.4"),),
    )
    lane, tick_s = CostLane(budget), START_S + 60
    counts = {name: np.array([5 * 10**12]) for name in COST_NEEDS}
    cells_s, group = np.array([START_S]), np.zeros(1, np.int32)
    lane.add(CountTable(lane.name, lane.digest, (("m",),), group, cells_s, counts))
    alerts = Alerts([lane.definition], routes=Route(receiver="r"))
    alerts.step(tick_s, lane.observe(tick_s, ()), now_s=tick_s)
    board = SimpleNamespace(
        reducer=SimpleNamespace(last_tick_s=tick_s),
        own_lanes=lambda: (lane,),
        alerts=alerts,
        clock_alerts=Alerts([], routes=Route(receiver="r")),
    )
    (row,) = status_rows(cast("Any", board))
    assert (row["state"], row["severity"], row["true_rules"]) == (
        "firing", "ticket", ["c6-spent-40"],
    )  # fmt: skip


def test_without_state_it_says_what_makes_some() -> None:
    assert "inferometer alerts" in status_table([])


def test_the_view_shows_what_fires() -> None:
    view = BoardsView(burning().evaluator.boards, ReceiversFile())
    (alert,) = view.alerts()
    assert (alert.labels["model"], alert.labels["severity"]) == ("m", "page")
    assert view.receivers() == []


class AwaySnapshots(MemorySnapshots):
    """Cannot be read once it is told so."""

    is_away = False

    def latest(self, partition: int) -> Kept:
        if self.is_away:
            raise StoreError("no broker", retryable=True)
        return super().latest(partition)


def others_of(pipeline: Pipeline, own: set[int]) -> tuple[OtherBoards, AwaySnapshots]:
    board, _lock = pipeline.evaluator.boards()[0]
    snapshots = AwaySnapshots()
    snapshots.save(0, to_snapshot(board, Position("run", 7)))
    setup = SimpleNamespace(
        lanes=pipeline.lanes,
        alerts=lambda state: Alerts(
            pipeline.definitions(), routes=Route(receiver="r"), state=state
        ),
    )
    others = OtherBoards(
        setup=cast("Any", setup), partitions=2, own=lambda: own, snapshots=snapshots
    )
    return others, snapshots


def test_what_another_process_evaluates_is_shown_too() -> None:
    others, snapshots = others_of(burning(), own=set())
    view = BoardsView(dict, ReceiversFile(), others.alerts)
    assert view.alerts() == []
    others.read()
    (alert,) = view.alerts()
    assert (alert.labels["model"], alert.labels["severity"]) == ("m", "page")
    snapshots.is_away = True
    others.read()
    assert len(view.alerts()) == 1, "what was read last is the best that is known"


def test_what_is_evaluated_here_is_not_read_from_the_state_of_others() -> None:
    pipeline = burning()
    others, _snapshots = others_of(pipeline, own={0})
    others.read()
    assert others.alerts() == {}
    assert len(BoardsView(pipeline.evaluator.boards, ReceiversFile(), others.alerts).alerts()) == 1
