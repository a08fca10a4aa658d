"""Analytics: tiles, tokens by kind, the table of models, and how range and models are chosen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.checking import HOURS_24, assert_tiles, day, error_of, is_written
from tests.browser.oracle import workspace
from tests.browser.screen import until

if TYPE_CHECKING:
    from tests.browser.screen import Screen
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

MODELS = "Models by throughput, success and latency"
TYPES = "Usage by model type"
INPUT = ("uncached_input_tokens", "cache_read_tokens", "image_input_tokens", "video_input_tokens")
OUTPUT = ("text_output_tokens", "reasoning_tokens")


def test_the_tiles_are_those_of_the_events(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("analytics", from_=start, to=end)
    totals = world.oracle.total(start, end, workspace("acme"))
    assert_tiles(screen, totals, ("total_tokens", "requests", "e2e_mean_ms", "success_ratio"))


def test_the_analysis_of_tokens_stacks_disjoint_kinds(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("analytics", from_=start, to=end, granularity="1h")
    drawn = {series["key"]: series for series in screen.chart_data("Tokens analysis")["series"]}
    windows = world.oracle.windows(start, end, 3600, workspace("acme"))
    assert set(drawn) == {*INPUT, *OUTPUT}
    for kind, series in drawn.items():
        assert series["values"] == [window.measure(kind) for window in windows]
    whole = world.oracle.total(start, end, workspace("acme")).measure("total_tokens")
    assert sum(sum(series["values"]) for series in drawn.values()) == whole


def test_the_table_of_models_is_that_of_the_events(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("analytics", from_=start, to=end, percentile="0.9")
    expected = world.oracle.groups(start, end, ["model"], workspace("acme"))
    rows = screen.rows(MODELS)
    assert len(rows) == len(expected)
    columns = {
        "requests": "requests", "rpm": "rpm", "tpm": "tpm", "success_ratio": "success_ratio",
        "ttft_ms": "ttft_p90_ms", "e2e_ms": "e2e_p90_ms", "itl_ms": "itl_p90_ms",
        "tpot_ms": "tpot_p90_ms", "input_tokens": "input_tokens", "cost_usd": "cost_usd",
    }  # fmt: skip
    for row in rows:
        totals = expected[(row["model"].split()[0],)]
        for key, measure in columns.items():
            exact = totals.measure(measure)
            assert is_written(row[key], exact, error_of(measure)), (row["model"], key, exact)


def test_the_table_sorts_and_its_percentile_is_chosen(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("analytics", from_=start, to=end)
    head = screen.table(MODELS).locator('th[data-key="ttft_ms"] button')
    head.click()
    values = [row["ttft_ms"] for row in screen.facts(MODELS) if row["ttft_ms"] is not None]
    assert values == sorted(values, reverse=True)
    assert screen.table(MODELS).locator('th[data-key="ttft_ms"]').get_attribute(
        "aria-sort"
    ) == "descending"  # fmt: skip
    head.click()
    again = [row["ttft_ms"] for row in screen.facts(MODELS) if row["ttft_ms"] is not None]
    assert again == values[::-1]
    screen.page.get_by_role("radio", name="P99").first.check(force=True)
    until(lambda: any("P99" in heading for heading in screen.headings(MODELS)))
    screen.settle()
    totals = world.oracle.groups(start, end, ["model"], workspace("acme"))
    for row in screen.facts(MODELS):
        exact = totals[(row["model"],)].measure("e2e_p99_ms")
        if exact is not None:
            assert row["e2e_ms"] == pytest.approx(float(exact), rel=0.0051)


def test_usage_is_told_in_the_unit_that_bills(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("analytics", from_=start, to=end)
    expected = world.oracle.groups(start, end, ["model_type"], workspace("acme"))
    rows = {row["model_type"]: row for row in screen.facts(TYPES)}
    assert set(rows) == {kind for (kind,) in expected}
    for kind, row in rows.items():
        for unit in ("requests", "total_tokens", "images", "video_s", "audio_s", "characters"):
            exact = float(expected[(kind,)].measure(unit) or 0)
            assert row[unit] == pytest.approx(exact), (kind, unit)


def test_one_or_several_models_are_chosen(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("analytics", from_=start, to=end)
    screen.page.get_by_role("button", name=re.compile("Models")).first.click()
    panel = screen.page.get_by_role("dialog", name="Models")
    for model in ("bge-m3", "claude-sonnet"):
        panel.get_by_role("checkbox", name=re.compile(model)).check()
    screen.page.keyboard.press("Escape")
    until(lambda: "claude-sonnet" in "".join(screen.state.get("filter", [])))
    screen.settle()
    chosen = {"bge-m3", "claude-sonnet"}
    totals = world.oracle.total(
        start, end, lambda e: e["workspace_id"] == "acme" and e["model"] in chosen
    )
    screen.wait_until(
        "n => document.querySelector('main .tile[data-measure=requests] .tile-value').title"
        ".replaceAll(',', '') === String(n)",
        totals.measure("requests"),
    )
    assert_tiles(screen, totals, ("total_tokens", "requests"))


def test_a_range_is_chosen_from_presets_and_by_dates(screen: Screen) -> None:
    screen.open("analytics", **HOURS_24)
    screen.page.get_by_role("button", name=re.compile("24 hours|Time range")).first.click()
    screen.page.get_by_text("Last 7 days", exact=True).first.click()
    until(lambda: screen.state.get("from") == ["now-7d"])
    screen.settle()


def test_granularity_is_chosen_and_checked_against_the_range(screen: Screen, world: World) -> None:
    start, end = day(world)
    screen.open("analytics", from_=start, to=end)
    choice = screen.page.get_by_label("Granularity").first
    offered = choice.locator("option").all_inner_texts()
    assert len(offered) >= 3
    assert not any(re.search(r"10 s", text) for text in offered), "8,640 windows are too many"
    choice.select_option("3h")
    until(lambda: screen.state.get("granularity") == ["3h"])
    until(lambda: len(screen.chart_data("Tokens analysis")["windows"]) in {8, 9})
    refused = world.viewer.ask(
        "/metrics", measure="requests", granularity="10s", from_=start, to=end
    )
    assert refused.status == 400
    assert {problem["parameter"] for problem in refused.json["problems"]} & {"granularity"}
    assert all(problem["remedy"] for problem in refused.json["problems"])
