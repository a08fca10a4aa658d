"""Pipeline: freshness, the account of every record, and dead letters with reason and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.screen import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

WEEK = {"from_": "now-7d", "to": "now"}


@pytest.fixture
def operators(screens: Callable[..., Screen], world: World) -> Screen:
    """The screen of somebody who may see the pipeline."""
    return screens(world.tokens.everything)


def test_the_account_balances_and_is_that_of_the_answer(operators: Screen, world: World) -> None:
    # The account is of the last hour, which goes on meanwhile.
    before = world.admin.get("/pipeline", **WEEK)["ledger"]
    operators.open("pipeline", **WEEK)
    after, text = world.admin.get("/pipeline", **WEEK)["ledger"], operators.text()
    for name in ("events", "stored", "duplicates", "dead"):
        assert any(f"{ledger[name]:,} {name}" in text for ledger in (before, after))
    assert "balanced" in text


def test_dead_letters_are_counted_by_reason(operators: Screen, world: World) -> None:
    operators.open("pipeline", **WEEK)
    rows = operators.facts("Dead letters by reason")
    assert {row["reason"]: row["count"] for row in rows} == world.data_set.damaged


def test_a_dead_letter_shows_its_bytes(operators: Screen, world: World) -> None:
    operators.open("pipeline", **WEEK)
    table = operators.table("Dead letters, newest first")
    table.get_by_role("button").first.click()
    panel = operators.page.get_by_role("dialog").first
    until(lambda: "event_id" in panel.inner_text() or "request_id" in panel.inner_text())


def test_partitions_are_fresh_to_the_last_event(operators: Screen, world: World) -> None:
    operators.open("pipeline", **WEEK)
    rows = operators.facts("Freshness by partition")
    assert {row["kafka_partition"] for row in rows} == {0, 1}
    assert all(row["watermark"] for row in rows)


def test_a_viewer_of_one_workspace_is_told_why_not(screen: Screen) -> None:
    with screen.expecting_complaints():
        screen.open("pipeline", **WEEK)
    assert "workspace" in screen.page.inner_text("body").lower()
