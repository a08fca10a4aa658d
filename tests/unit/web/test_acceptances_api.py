"""Accepted levels over HTTP."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.unit.web.serving import ALERT, AUTHORIZED, Bench, serving

BODY = {
    "matchers": [{"name": "alertname", "value": "ttft-unusual"}],
    "createdBy": "me",
    "comment": "new hardware",
}
LABELS = {"slo": "ttft-unusual", "model": "m", "rule": "threshold+band"}


async def post(bench: Bench, **fields: object) -> tuple[int, Any]:
    return await bench.ask("POST", "/acceptances", json={**BODY, **fields}, headers=AUTHORIZED)


def test_a_level_is_accepted_and_listed_with_the_alerts_that_it_is_about() -> None:
    async def use(bench: Bench) -> None:
        bench.view.listed = [
            replace(ALERT, labels=LABELS),
            replace(ALERT, labels={**LABELS, "rule": "threshold"}),
            replace(ALERT, labels={**LABELS, "slo": "other"}),
        ]
        status, made = await post(bench)
        assert status == 200
        assert made.pop("alerts") == [LABELS]
        assert made["matchers"] == [
            {"name": "alertname", "value": "ttft-unusual", "isRegex": False, "isEqual": True}
        ]
        assert "since" not in made
        assert await bench.ask("GET", "/acceptances") == (200, [made])
        (stored,) = bench.store.book().acceptances()
        assert (stored.id, stored.comment) == (made["id"], "new hardware")

    serving(use)


def test_what_is_wrong_is_refused_with_its_reasons() -> None:
    async def use(bench: Bench) -> None:
        status, said = await post(bench, createdBy="", since="2040-01-01T00:00:00Z")
        assert status == 400
        assert "say who accepts" in said
        assert "since lies in the future" in said
        status, said = await post(bench, since="soon", matchers=[])
        assert status == 400
        assert "since: " in said
        status, _ = await bench.ask("POST", "/acceptances", json=BODY)
        assert status == 401
        assert bench.store.stored == []

    serving(use)


def test_alerts_of_others_are_refused_with_a_reason() -> None:
    async def use(bench: Bench) -> None:
        status, said = await bench.ask("POST", "/api/v2/alerts", json=[], headers=AUTHORIZED)
        assert status == 400
        assert "takes no alerts" in said

    serving(use)
