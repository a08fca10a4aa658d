"""`inferometer alerts accept` against a running interface."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.unit.web.serving import ALERT, NOW_S, TOKEN, Bench, serving

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Outcome, Run

LABELS = {"slo": "ttft-unusual", "model": "m", "rule": "band"}
WHO = ("--author", "me", "--comment", "new hardware")


def accepted(run: Run, *words: str) -> tuple[Outcome, Bench]:
    found: list[tuple[Outcome, Bench]] = []

    async def use(bench: Bench) -> None:
        bench.view.listed = [replace(ALERT, labels=LABELS)]
        line = ("alerts", "accept", *words, "--url", bench.url)
        environ = {"INFEROMETER_ALERTS_HTTP_TOKEN": TOKEN}
        found.append((await asyncio.to_thread(run, *line, environ=environ), bench))

    serving(use)
    return found[0]


def test_it_prints_the_id_and_what_ends_by_it(run: Run) -> None:
    outcome, bench = accepted(run, "ttft-unusual", "model=m", *WHO)
    (level,) = bench.store.book().acceptances()
    assert outcome.code == 0
    assert outcome.out.strip() == level.id
    assert [str(each) for each in level.matchers] == ['alertname="ttft-unusual"', 'model="m"']
    assert (level.created_by, level.comment, level.since_us) == ("me", "new hardware", None)
    assert "after its hold: model=m rule=band slo=ttft-unusual" in outcome.err


def test_it_says_that_nothing_changes_where_no_band_fires(run: Run) -> None:
    outcome, _ = accepted(run, "other", *WHO)
    assert outcome.code == 0
    assert "nothing changes" in outcome.err


def test_the_instant_since_when_and_json(run: Run) -> None:
    outcome, bench = accepted(run, "other", *WHO, "--since", "2026-01-05T07:00", "--json")
    (level,) = bench.store.book().acceptances()
    assert level.since_us == (NOW_S - 3600) * 1_000_000
    assert json.loads(outcome.out)["alerts"] == []
    assert outcome.err == ""


def test_it_needs_somebody_who_says_it(run: Run) -> None:
    outcome, _ = accepted(run, "other", "--comment", "x")
    assert outcome.code == 2
    assert "give --author NAME" in outcome.err
