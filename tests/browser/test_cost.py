"""Cost: by team, model and component, unit costs, the price book, and what has no price."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from inferometer.cli.main import main
from tests.browser.checking import assert_tiles, day, is_written
from tests.browser.data_set import DAY_US, HOUR_US
from tests.browser.offerings import PRICES
from tests.browser.oracle import workspace
from tests.browser.screen import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

SPEND = "Spend by group"


def test_the_tiles_are_those_of_the_events(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("cost", from_=start, to=end)
    totals = world.oracle.total(start, end, workspace("acme"))
    assert_tiles(
        screen,
        totals,
        ("cost_usd", "cost_per_1k_requests_usd", "cost_per_success_usd", "unpriced_requests"),
    )


@pytest.mark.parametrize(
    "by", ["team_id", "model", "user_id", "virtual_account_id", "metadata.tenant_name"]
)
def test_cost_is_shown_by_team_and_model(screen: Screen, world: World, by: str) -> None:
    start, end = day(world)
    screen.open("cost", from_=start, to=end, by=by)
    expected = world.oracle.groups(start, end, [by], workspace("acme"))
    shown = {row["label"].split("\n")[0]: row for row in screen.rows(SPEND)}
    for (value,), totals in expected.items():
        if value in shown:
            assert is_written(shown[value]["cost"], totals.cost_usd), value
            assert is_written(shown[value]["requests"], totals.measure("requests")), value
    assert len(set(shown) & {value for (value,) in expected}) >= min(10, len(expected))
    spent = sum(Decimal(str(row["cost"])) for row in screen.facts(SPEND))
    whole = world.oracle.total(start, end, workspace("acme")).cost_usd
    assert float(spent) == pytest.approx(float(whole))


def test_the_components_sum_to_the_whole(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("cost", from_=start, to=end, by="component")
    spent = sum(row["cost"] or 0 for row in screen.facts(SPEND))
    whole = world.oracle.total(start, end, workspace("acme")).cost_usd
    assert spent == pytest.approx(float(whole))


def test_the_scope_of_cost_is_told(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("cost", from_=start, to=end)
    scope = world.viewer.get("/metrics", measure="cost_usd", from_=start, to=end)["cost_scope"]
    assert scope
    assert scope in screen.page.inner_text("body")


def test_the_rows_of_a_table_are_called_what_they_are(screen: Screen, world: World) -> None:
    start, end = day(world)
    for by, heading in (("team_id", "Team"), ("model", "Model"), ("component", "Component")):
        screen.open("cost", from_=start, to=end, by=by)
        assert screen.headings(SPEND)[0] == heading


def test_an_export_is_charged_to_what_was_chosen_last(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("cost", from_=start, to=end)
    screen.page.get_by_role("button", name="Export for finance").click()
    dialog = screen.page.get_by_role("dialog", name="Export for finance")
    charged = dialog.get_by_role("button", name=re.compile("^Charged to"))
    assert charged.inner_text() == "Team"
    charged.click()
    dialog.get_by_role("checkbox", name="Model", exact=True).check()
    until(lambda: charged.inner_text() == "Team, Model")
    screen.page.keyboard.press("Escape")
    charged.click()
    assert dialog.get_by_role("checkbox", name="Model", exact=True).is_checked()
    dialog.get_by_role("checkbox", name="Team", exact=True).uncheck()
    link = dialog.get_by_role("link", name="Download")
    until(lambda: "group_by=model&" in (link.get_attribute("href") or ""))


def test_the_price_book_is_shown(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("cost", from_=start, to=end)
    text = screen.text()
    for provider, model in PRICES:
        assert model in text, provider


def test_models_without_a_price_are_listed(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("cost", from_=start, to=end)
    part = screen.page.locator("section, .card", has_text="experimental-moe").last
    assert "experimental-moe" in part.inner_text()


def test_a_bill_stands_beside_what_was_priced_for_admins_alone(
    screens: Callable[..., Screen], world: World, tmp_path: Path
) -> None:
    start, end = day(world)
    admin, viewer = screens(world.tokens.everything), screens()
    admin.open("cost", from_=start - 3 * DAY_US, to=start - 2 * DAY_US)
    assert "inferometer bill import" in admin.text()
    viewer.open("cost", from_=start, to=end)
    assert "Priced and billed" not in viewer.text()
    days = world.admin.get("/reconciliation", from_=start, to=end)["days"]
    row = next(row for row in days if row["provider"] and row["priced_usd"])
    file = tmp_path / "bill.csv"
    file.write_text(f"day,provider,amount_usd\n{row['day']},{row['provider']},123.25\n")
    said = io.StringIO()
    command = ["bill", "import", str(file), "--store", world.store_url]
    assert main(command, said, said, said, {}) == 0, said.getvalue()
    # Another span: the answer to the first is kept for a while.
    admin.open("cost", from_=start, to=end - HOUR_US)
    shown = {each["provider"]: each for each in admin.rows("By provider, days that have a bill")}
    assert is_written(shown[row["provider"]]["billed_usd"], 123.25)
    assert is_written(shown[row["provider"]]["difference_usd"], 123.25 - row["priced_usd"])
    [at] = [each for each in admin.rows("By day") if is_written(each["billed_usd"], 123.25)]
    assert (at["day"], at["provider"]) == (row["day"], row["provider"])
