"""Model Metrics: counters and every chart, by any view, filtered, compared and exported."""

from __future__ import annotations

import csv
import io
import re
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.browser.checking import assert_tiles, day, error_of
from tests.browser.data_set import DAY_US, OUTAGE_MODEL, VIRTUAL_MODEL
from tests.browser.oracle import Totals, Where, value_of, workspace
from tests.browser.screen import until

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

CHARTS = {
    "Requests per second": "rps",
    "Request failure rate": "failure_ratio",
    "Request latency": "e2e_p95_ms",
    "Time to first token (TTFT)": "ttft_p95_ms",
    "Inter-token latency (ITL)": "itl_p95_ms",
    "Time per output token (TPOT)": "tpot_p95_ms",
    "Cost of inference": "cost_usd",
    "Input tokens": "input_tokens",
    "Output tokens": "output_tokens",
}
VIEWS = {
    "Virtual models": "virtual_model",
    "Users": "user_id",
    "Virtual accounts": "virtual_account_id",
    "Teams": "team_id",
    "Models": "model",
}


def having(where: Where, dimension: str, value: str) -> Where:
    """Return a condition, and that a dimension has a value."""
    return lambda event: where(event) and value_of(event, dimension) == value


def drawn_groups(screen: Screen, title: str) -> set[str]:
    """Return the groups that a chart has a line of."""
    labels = {one["label"] for one in screen.chart_data(title)["series"] if not one["isOther"]}
    return {"" if label == "(none)" else label for label in labels}


def assert_charts(
    screen: Screen, world: World, by: str, where: Where, titles: dict[str, str] = CHARTS
) -> None:
    """Require that every line of every chart is the oracle's, hour by hour."""
    start, end = day(world)
    lines: dict[str, list[Totals]] = {}
    for title, measure in titles.items():
        drawn = screen.chart_data(title)
        assert len(drawn["windows"]) == 24
        own = [one for one in drawn["series"] if not one["isOther"] and not one["isDashed"]]
        assert len(own) >= 2, title
        for series in own:
            label = "" if series["label"] in {"(none)", ""} else series["label"]
            if label not in lines:
                is_of = having(where, by, label)
                lines[label] = world.oracle.windows(start, end, 3600, is_of)
            for place, value in enumerate(series["values"]):
                exact = lines[label][place].measure(measure)
                if exact is None:
                    assert value is None, (title, label, place)
                else:
                    wanted = pytest.approx(float(exact), rel=error_of(measure), abs=1e-9)
                    assert value == wanted, (title, label, place)


def is_viewed_by(screen: Screen, dimension: str) -> bool:
    return screen.state.get("view", ["model"]) == [dimension]


def is_drawn_by(screen: Screen, values: set[str]) -> bool:
    return drawn_groups(screen, "Output tokens") == values


def test_the_counters_are_those_of_the_events(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("models", from_=start, to=end)
    totals = world.oracle.total(start, end, workspace("acme"))
    assert_tiles(screen, totals, ("input_tokens", "output_tokens", "requests", "cost_usd"))


def test_every_chart_is_that_of_the_events(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("models", from_=start, to=end, granularity="1h", compare="none")
    assert_charts(screen, world, "model", workspace("acme"))


def test_view_by_changes_the_grouping_of_every_chart(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("models", from_=start, to=end, granularity="1h", compare="none", top="20")
    few = {"Requests per second": "rps", "Cost of inference": "cost_usd"}
    for label, by in VIEWS.items():
        screen.page.get_by_role("radio", name=label, exact=True).first.check(force=True)
        until(partial(is_viewed_by, screen, by))
        values = {one for (one,) in world.oracle.groups(start, end, [by], workspace("acme"))}
        until(partial(is_drawn_by, screen, values))
        assert_charts(screen, world, by, workspace("acme"), few)


def test_view_by_any_metadata_key(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("models", from_=start, to=end, granularity="1h", compare="none")
    screen.page.get_by_label("Metadata key").select_option("metadata.tenant_name")
    until(lambda: screen.state.get("view") == ["metadata.tenant_name"])
    until(lambda: "stark" in str(screen.chart_data("Output tokens")))
    few = {"Requests per second": "rps", "Cost of inference": "cost_usd"}
    assert_charts(screen, world, "metadata.tenant_name", workspace("acme"), few)


def test_failures_are_drawn_by_status_and_by_error_type(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("models", from_=start, to=end, granularity="1h", compare="none")
    drawn = screen.chart_data("Request failures breakdown")
    failed = sum(sum(v or 0 for v in one["values"]) for one in drawn["series"])
    assert failed == world.oracle.total(start, end, workspace("acme")).measure("failures")
    by_type = world.oracle.groups(start, end, ["model", "error_type"], workspace("acme"))
    for series in drawn["series"]:
        model, _, error = series["label"].partition(" \u00b7 ")
        if (model, error) in by_type and not series["isOther"]:
            exact = by_type[(model, error)].measure("failures")
            assert sum(v or 0 for v in series["values"]) == exact
    classes = screen.chart_data("Failure rate by HTTP status")
    names = {series["label"].rpartition(" \u00b7 ")[2] for series in classes["series"]}
    assert {"429", "5xx"} <= names


def test_the_percentile_of_latencies_is_chosen(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("models", from_=start, to=end, granularity="1h", compare="none", percent="99")
    titles = {
        "Request latency": "e2e_p99_ms",
        "Time to first token (TTFT)": "ttft_p99_ms",
    }
    assert_charts(screen, world, "model", workspace("acme"), titles)
    chart = screen.chart("Request latency")
    for percent in ("P50", "P75", "P90", "P99"):
        assert chart.get_by_text(percent, exact=True).count() >= 1
    chart.get_by_role("radio", name="P50").check(force=True)
    until(lambda: screen.state.get("percent") == ["50"])


def test_a_filter_is_made_by_hand_and_stands_as_a_tag(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("models", from_=start, to=end)
    page = screen.page
    page.get_by_role("button", name=re.compile("^Filter|Add filter")).first.click()
    # In the panel only: legends and tables of the page have the same words.
    panel = page.get_by_role("dialog", name="Filter")
    panel.get_by_label("Dimension").select_option(label="Model")
    panel.get_by_role("checkbox", name=re.compile(OUTAGE_MODEL)).check()
    page.keyboard.press("Escape")
    until(lambda: OUTAGE_MODEL in "".join(screen.state.get("filter", [])))
    screen.settle()
    totals = world.oracle.total(start, end, workspace("acme", model=OUTAGE_MODEL))
    screen.wait_until(
        "n => document.querySelector('main .tile[data-measure=requests] .tile-value').title"
        ".replaceAll(',', '') === String(n)",
        totals.measure("requests"),
    )
    assert_tiles(screen, totals, ("requests", "cost_usd"))


def test_an_export_has_the_chosen_groups_and_metadata_keys(screen: Screen, world: World) -> None:
    start, end = day(world)
    # The keys come by themselves, and the dialog waits for them, however late they are.
    held: list[Route] = []
    screen.page.route("**/api/v1/metadata-keys**", lambda route: held.append(route))
    screen.open("models", from_=start, to=end)
    screen.page.get_by_role("button", name="Export these metrics").click()
    for route in held:
        route.continue_()
    dialog = screen.page.get_by_role("dialog", name="Export metrics")
    for name in ("Models", "Teams"):
        dialog.get_by_role("checkbox", name=name, exact=True).check(force=True)
    dialog.get_by_role("checkbox", name="tenant_name").check(force=True)
    data = screen.download(dialog.get_by_role("link", name="Download"))
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    by = ["model", "team_id", "metadata.tenant_name"]
    expected = world.oracle.groups(start, end, by, workspace("acme"))
    found = {tuple(row[name] for name in by): row for row in rows}
    assert set(found) == set(expected)
    for key, row in found.items():
        assert int(row["requests"]) == expected[key].measure("requests")
        assert Decimal(row["cost_usd"]) == expected[key].cost_usd
    address = dialog.get_by_label("Address of the API for this export").input_value()
    assert "group_by=" in address


def test_one_user_is_drawn_against_a_baseline(screen: Screen, world: World) -> None:
    start, end = day(world)
    user = "ada@example.org"
    screen.open(
        "models",
        from_=start,
        to=end,
        granularity="1h",
        view="user_id",
        compare="baseline",
        filter=f"user_id={user}",
    )
    drawn = screen.chart_data("Request failure rate")["series"]
    (baseline,) = [one for one in drawn if one["isDashed"]]
    everybody = world.oracle.windows(start, end, 3600, workspace("acme"))
    for value, window in zip(baseline["values"], everybody, strict=True):
        assert value == pytest.approx(window.measure("failure_ratio"))
    (own,) = [one for one in drawn if not one["isDashed"]]
    assert own["label"] == user


def test_a_change_of_routing_is_seen(screen: Screen, world: World) -> None:
    moved = world.data_set.rerouted_us // 3_600_000_000 * 3_600_000_000
    span = (moved - DAY_US, moved + DAY_US)
    screen.open(
        "models",
        from_=span[0],
        to=span[1],
        granularity="1d" if moved % DAY_US == 0 else "12h",
        compare="none",
        filter=f"virtual_model={VIRTUAL_MODEL}",
    )
    drawn = {one["label"]: one["values"] for one in screen.chart_data("Input tokens")["series"]}
    first, last = drawn["claude-sonnet"], drawn["llama-3.3-70b"]
    is_routed = workspace("acme", virtual_model=VIRTUAL_MODEL)
    for model in drawn:
        exact = world.oracle.total(*span, having(is_routed, "model", model))
        assert sum(value or 0 for value in drawn[model]) == exact.measure("input_tokens")
    assert first[0] > first[-1] or last[-1] > last[0]
