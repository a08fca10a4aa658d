"""A person takes the level of a learnt band as the new normal: from the book to the incident's end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from inferometer.core.alerts.acceptances import Acceptance
from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.alerts.mute_book import MuteBook
from inferometer.core.alerts.routing import NO_INTERVALS, Route
from inferometer.core.slo.board import Board
from inferometer.core.slo.counting import CountTable
from inferometer.core.slo.definitions import HOUR_S
from inferometer.core.slo.measure_lanes import MetricLane, counts_of_rule
from inferometer.core.slo.metric_rules import AdaptiveBand, MetricRule, parse_metric

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S = 1_767_571_200
"""A Monday, 00:00 UTC."""
WEEKS_S = 3 * 7 * 24 * HOUR_S
S = 1_000_000
RULE = MetricRule(
    name="usual",
    metric=parse_metric("cold_starts / attempts"),
    band=AdaptiveBand(),
    window_s=HOUR_S,
    keep_firing_s=0,
    group_by=("model",),
)
WANTED = counts_of_rule(RULE)
ACCEPTED = Acceptance(
    id="a", matchers=(Matcher("alertname", "usual"), Matcher("model", "m")), since_us=None,
    updated_at_us=(START_S + WEEKS_S + 12 * HOUR_S - 60) * S, created_by="me", comment="",
)  # fmt: skip


class Hours:
    """Counts of two models by the hour, in place of a reducer: twice as many after three weeks."""

    def __init__(self, hours: range) -> None:
        self._hours = hours

    def due(self) -> Iterator[int]:
        return (START_S + (hour + 1) * HOUR_S for hour in self._hours)

    def release(self, tick_s: int) -> list[CountTable]:
        assert WANTED is not None
        at_s = tick_s - HOUR_S
        cold = 200 if at_s >= START_S + WEEKS_S else 100
        return [
            CountTable(
                name="/usual", digest=WANTED.digest, groups=(("m",), ("n",)),
                group=np.array([0, 1], np.int32), cells_s=np.full(2, at_s),
                columns={"cold_starts": np.full(2, cold), "attempts": np.full(2, 1000)},
            )
        ]  # fmt: skip


def board_of(lane: MetricLane) -> Board:
    routes = Route(receiver="oncall")
    return Board(
        reducer=Hours(range(0)),  # type: ignore[arg-type]
        lanes={lane.name: lane},
        alerts=Alerts([lane.definition], routes=routes),
        clock_alerts=Alerts([], routes=routes),
    )


def play(board: Board, hours: range, book: MuteBook) -> None:
    board.reducer = Hours(hours)  # type: ignore[assignment]
    for _ in board.take_ticks(now_s=0, mutes=book, intervals=NO_INTERVALS):
        pass


def firing(board: Board) -> list[str]:
    return [dict(one.subject.group)["model"] for one in board.alerts.incidents() if one.is_firing]


WEEKS = WEEKS_S // HOUR_S


def test_a_level_that_is_accepted_fires_no_more_where_it_was_meant() -> None:
    board = board_of(MetricLane(RULE))
    play(board, range(WEEKS + 11), MuteBook())
    assert firing(board) == ["m", "n"]
    play(board, range(WEEKS + 11, WEEKS + 30), MuteBook([ACCEPTED]))
    assert firing(board) == ["n"]


def test_before_its_instant_and_without_a_firing_band_it_changes_nothing() -> None:
    later = replace(ACCEPTED, updated_at_us=ACCEPTED.updated_at_us + 30 * HOUR_S * S)
    early = replace(ACCEPTED, updated_at_us=(START_S + WEEKS_S) * S)
    board = board_of(MetricLane(RULE))
    play(board, range(WEEKS + 20), MuteBook([later, replace(early, id="b")]))
    assert firing(board) == ["m", "n"]


def test_with_the_instant_it_began_a_level_is_accepted_before_it_fires() -> None:
    since = replace(
        ACCEPTED, since_us=(START_S + WEEKS_S) * S,
        updated_at_us=(START_S + WEEKS_S + 2 * HOUR_S + 60) * S,
    )  # fmt: skip
    board = board_of(MetricLane(RULE))
    play(board, range(WEEKS + 20), MuteBook([since]))
    assert firing(board) == ["n"]


def test_a_snapshot_remembers_what_was_accepted() -> None:
    book = MuteBook([ACCEPTED])
    lane = MetricLane(RULE)
    play(board_of(lane), range(WEEKS + 14), book)
    again = MetricLane(RULE)
    assert again.restore(lane.to_snapshot())

    def limits(of: MetricLane) -> Any:
        board = board_of(of)
        play(board, range(WEEKS + 14, WEEKS + 20), book)
        return {one.subject: one.readings[0].facts for one in of.standing()}

    assert limits(again) == limits(lane)


def test_a_rule_without_a_band_is_left_alone() -> None:
    fixed = MetricLane(replace(RULE, band=None))
    fixed.accept([ACCEPTED], START_S)
    assert list(fixed.standing()) == []
