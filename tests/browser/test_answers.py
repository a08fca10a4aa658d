"""What the query API answers is what was sent: totals, groups, windows, percentiles, money."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.browser.data_set import CALLERS, DAY_US, HOUR_US, MINUTE_US, VIRTUAL_MODEL
from tests.browser.oracle import CLASSES, Oracle, Totals, Where, value_of, workspace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.browser.serving import World

pytestmark = pytest.mark.integration

ADDITIVE = (
    "requests", "attempts", *CLASSES, "failures", "input_tokens", "output_tokens", "total_tokens",
    "cache_read_tokens", "reasoning_tokens", "images", "characters", "audio_s", "audio_in_s",
    "video_s", "gpu_s", "egress_bytes", "cold_starts", "cost_usd", "unpriced_requests",
    "partially_priced_requests",
)  # fmt: skip
RATIOS = (
    "success_ratio", "failure_ratio", "error_4xx_ratio", "rate_limited_ratio",
    "client_aborted_ratio", "error_5xx_ratio", "retry_inflation", "rps", "rpm", "tpm",
    "cost_per_request_usd", "cost_per_1k_requests_usd", "cost_per_success_usd",
)  # fmt: skip
MEANS = ("ttft_mean_ms", "e2e_mean_ms", "tpot_mean_ms", "queue_mean_ms")
QUANTILES = tuple(
    f"{duration}_p{q}_ms"
    for duration in ("ttft", "e2e", "itl", "tpot", "queue")
    for q in ("50", "75", "90", "99", "99.9")
)
ALPHA = 0.0051
"""Half a percent of a sketch, and what floats add."""
CUBED = (
    "model", "provider", "model_type", "region", "status_class", "error_type", "user_id",
    "team_id", "virtual_account_id", "virtual_model", "status_code", "environment",
)  # fmt: skip
LOGGED = ("metadata.tenant_name", "metadata.plan", "feature", "node_id", "hosting")
FEW = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def is_same(name: str, found: float | None, expected: object) -> bool:
    """Tell whether an answer is right, to what its kind of measure promises."""
    if expected is None or found is None:
        return found is None and expected is None
    tolerance = ALPHA if name in QUANTILES else 1e-6
    return bool(found == pytest.approx(float(expected), rel=tolerance, abs=1e-9))  # type: ignore[arg-type]


def wrong(found: dict[str, Any], expected: Totals, names: Iterable[str]) -> dict[str, Any]:
    """Return the measures that differ, with both values."""
    pairs = {name: (found[name], expected.measure(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if not is_same(name, *pair)}


def spans(world: World) -> dict[str, tuple[int, int]]:
    """Return spans that different relations serve: hours, minutes, seconds, days."""
    end = world.data_set.end_us
    hour = end // HOUR_US * HOUR_US
    return {
        "day": (hour - DAY_US, hour),
        "days": (hour - 4 * DAY_US, hour),
        "minutes": (end - 55 * MINUTE_US, end - MINUTE_US),
        "outage": world.data_set.outage,
    }


@pytest.mark.parametrize("span", ["day", "days", "minutes", "outage"])
@pytest.mark.parametrize("names", [ADDITIVE, RATIOS, MEANS, QUANTILES], ids="srmq")
def test_a_total_is_that_of_the_events(world: World, span: str, names: tuple[str, ...]) -> None:
    start, end = spans(world)[span]
    answer = world.viewer.get("/metrics", measure=list(names), from_=start, to=end)
    assert wrong(answer["total"], world.oracle.total(start, end, workspace("acme")), names) == {}


@pytest.mark.parametrize("by", [*CUBED, *LOGGED, "model,region", "team_id,metadata.tenant_name"])
def test_every_group_is_that_of_the_events(world: World, by: str) -> None:
    start, end = spans(world)["day"]
    names = ("requests", "success_ratio", "cost_usd", "ttft_p90_ms", "e2e_mean_ms")
    answer = world.viewer.get(
        "/metrics", measure=list(names), group_by=by, from_=start, to=end, top=200
    )
    expected = world.oracle.groups(start, end, by.split(","), workspace("acme"))
    found = {
        tuple(str(series["group"][name]) for name in by.split(",")): series["total"]
        for series in answer["series"]
        if not series["is_other"]
    }
    assert set(found) == set(expected)
    differing = {key: wrong(found[key], expected[key], names) for key in found}
    assert not any(differing.values()), differing
    assert answer["groups_total"] == len(expected)


@pytest.mark.parametrize(
    ("granularity", "window_s", "span"),
    [("1h", 3600, "day"), ("5m", 300, "outage"), ("1m", 60, "minutes"), ("10s", 10, "minutes")],
)
def test_every_window_is_that_of_the_events(
    world: World, granularity: str, window_s: int, span: str
) -> None:
    start, end = spans(world)[span]
    start, end = (at // (window_s * 10**6) * window_s * 10**6 for at in (start, end))
    names = ("requests", "failures", "rps", "cost_usd", "ttft_p99_ms", "input_tokens")
    answer = world.viewer.get(
        "/metrics", measure=list(names), granularity=granularity, from_=start, to=end
    )
    expected = world.oracle.windows(start, end, window_s, workspace("acme"))
    assert len(answer["windows"]) == len(expected)
    for place, totals in enumerate(expected):
        found = {name: answer["values"][name][place] for name in names}
        assert wrong(found, totals, names) == {}, answer["windows"][place]


FILTERS: dict[str, Where] = {
    "model=llama-3.3-70b": lambda e: e["model"] == "llama-3.3-70b",
    "model=llama-3.3-70b,bge-m3": lambda e: e["model"] in {"llama-3.3-70b", "bge-m3"},
    "model!=gpt-4o-mini": lambda e: e["model"] != "gpt-4o-mini",
    "user_id^=ad": lambda e: e["user_id"].startswith("ad"),
    "metadata.tenant_name=stark": lambda e: e["metadata"]["tenant_name"] == "stark",
    "status_class=429,5xx": lambda e: value_of(e, "status_class") in {"429", "5xx"},
    f"virtual_model={VIRTUAL_MODEL}": lambda e: e.get("virtual_model") == VIRTUAL_MODEL,
}


@pytest.mark.parametrize("written", FILTERS)
def test_a_filter_keeps_what_it_says(world: World, written: str) -> None:
    start, end = spans(world)["day"]
    names = ("requests", "attempts", "cost_usd", "output_tokens", "e2e_p90_ms")
    answer = world.viewer.get("/metrics", measure=list(names), filter=written, from_=start, to=end)
    is_acme, holds = workspace("acme"), FILTERS[written]
    expected = world.oracle.total(start, end, lambda e: is_acme(e) and holds(e))
    assert expected.counts["attempts"] > 0
    assert wrong(answer["total"], expected, names) == {}


@FEW
@given(data=st.data())
def test_any_grouping_of_any_slice_sums_to_the_ungrouped_total(
    world: World, data: st.DataObject
) -> None:
    start, end = spans(world)[data.draw(st.sampled_from(["day", "days", "minutes"]))]
    by = data.draw(
        st.lists(st.sampled_from([*CUBED, *LOGGED]), min_size=1, max_size=3, unique=True)
    )
    chosen = data.draw(st.lists(st.sampled_from(sorted(FILTERS)), max_size=2, unique=True))
    top = data.draw(st.integers(1, 12))
    names = ("requests", "attempts", "failures", "total_tokens", "cost_usd", "images", "gpu_s")
    common: dict[str, Any] = {"measure": list(names), "filter": chosen, "from_": start, "to": end}
    plain = world.viewer.get("/metrics", **common)
    grouped = world.viewer.get("/metrics", group_by=by, top=top, **common)
    for name in names:
        whole = plain["total"][name]
        assert grouped["total"][name] == pytest.approx(whole, rel=1e-9, abs=1e-9)
        parts = sum(series["total"][name] for series in grouped["series"])
        assert parts == pytest.approx(whole, rel=1e-9, abs=1e-9)
        by_window = sum(value for value in grouped["values"][name] if value is not None)
        assert by_window == pytest.approx(whole, rel=1e-9, abs=1e-9)
        for place, value in enumerate(grouped["values"][name]):
            cells = sum(series["values"][name][place] or 0 for series in grouped["series"])
            assert cells == pytest.approx(value or 0, rel=1e-9, abs=1e-9)
    folded = [series for series in grouped["series"] if series["is_other"]]
    assert len(grouped["series"]) - len(folded) == min(top, grouped["groups_total"])
    assert bool(folded) == (grouped["groups_total"] > top)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("by", [["model"], ["team_id", "metadata.tenant_name"]])
def test_an_export_has_every_group_and_exact_money(world: World, form: str, by: list[str]) -> None:
    start, end = spans(world)["day"]
    parameters: dict[str, Any] = {
        "measure": ["requests", "input_tokens", "cost_usd"], "group_by": by, "granularity": "1h",
        "from_": start, "to": end,
    }  # fmt: skip
    answer = world.viewer.ask("/metrics", format=form, **parameters)
    assert answer.status == 200
    rows = answer.rows(form)
    assert [*rows[0]] == ["window_start", "window_end", *by, *parameters["measure"]]
    groups = world.oracle.groups(start, end, by, workspace("acme"))
    for key, expected in groups.items():
        mine = [row for row in rows if tuple(str(row[name]) for name in by) == key]
        assert sum(int(row["requests"]) for row in mine) == expected.measure("requests")
        assert sum(int(row["input_tokens"]) for row in mine) == expected.measure("input_tokens")
        assert sum(Decimal(str(row["cost_usd"])) for row in mine) == expected.cost_usd
    assert {tuple(str(row[name]) for name in by) for row in rows} == set(groups)


def test_the_export_of_a_page_has_the_numbers_of_the_page(world: World) -> None:
    start, end = spans(world)["day"]
    parameters: dict[str, Any] = {
        "measure": ["requests", "failure_ratio", "ttft_p99_ms", "cost_usd"], "group_by": "model",
        "granularity": "1h", "from_": start, "to": end,
    }  # fmt: skip
    page = world.viewer.get("/metrics", top=200, **parameters)
    rows = world.viewer.ask("/metrics", format="jsonl", **parameters).lines()
    found = {(row["window_start"][:13].replace(" ", "T"), row["model"]): row for row in rows}
    for series in page["series"]:
        for place, window in enumerate(page["windows"]):
            row = found.get((window[:13], series["group"]["model"]))
            for name in parameters["measure"]:
                shown = series["values"][name][place]
                stored = None if row is None else row[name]
                if row is None:
                    assert not shown
                else:
                    assert is_same(name, None if stored is None else float(stored), shown)


def test_ten_thousand_groups_are_counted_and_folded(world: World) -> None:
    end = world.data_set.end_us
    crowd = world.as_(world.tokens.crowd)
    answer = crowd.get(
        "/metrics", measure="requests", group_by="user_id", top=200, from_=end - 4 * DAY_US, to=end
    )
    assert answer["groups_total"] == CALLERS
    assert len(answer["series"]) == 201
    assert sum(series["total"]["requests"] for series in answer["series"]) == CALLERS


def test_a_range_without_data_is_empty_and_no_error(world: World) -> None:
    begin = world.data_set.start_us - 3 * DAY_US
    names = ["requests", "cost_usd", "success_ratio", "ttft_p99_ms"]
    answer = world.viewer.get("/metrics", measure=names, from_=begin, to=begin + DAY_US)
    assert answer["total"] == {
        "requests": 0, "cost_usd": 0, "success_ratio": None, "ttft_p99_ms": None,
    }  # fmt: skip


def test_the_previous_span_stands_beside_the_answer(world: World) -> None:
    start, end = spans(world)["day"]
    answer = world.viewer.get(
        "/metrics", measure=["requests", "cost_usd"], compare="previous", from_=start, to=end
    )
    before = world.oracle.total(2 * start - end, start, workspace("acme"))
    assert wrong(answer["compared"]["total"], before, ("requests", "cost_usd")) == {}


def test_one_user_is_held_against_everybody(world: World) -> None:
    start, end = spans(world)["day"]
    user = "ada@example.org"
    answer = world.viewer.get(
        "/metrics", measure=["failure_ratio", "e2e_p90_ms"], filter=f"user_id={user}",
        compare="baseline", from_=start, to=end,
    )  # fmt: skip
    names = ("failure_ratio", "e2e_p90_ms")
    mine = world.oracle.total(start, end, workspace("acme", user_id=user))
    everybody = world.oracle.total(start, end, workspace("acme"))
    assert wrong(answer["total"], mine, names) == {}
    assert wrong(answer["compared"]["total"], everybody, names) == {}


def test_points_before_the_watermark_are_final_and_later_ones_are_not(world: World) -> None:
    end = world.data_set.end_us
    answer = world.viewer.get(
        "/metrics", measure="requests", granularity="1m", from_=end - HOUR_US, to=end + HOUR_US
    )
    finals = answer["is_final"]
    assert finals == sorted(finals, reverse=True)
    assert 0 < sum(finals) < len(finals)
    ends = answer["window_ends"]
    watermark = answer["freshness"]["watermark"]
    assert [at <= watermark for at in ends] == finals


def test_models_are_compared_in_one_table(world: World) -> None:
    start, end = spans(world)["day"]
    answer = world.viewer.get("/models", percentile=0.9, from_=start, to=end)
    expected = world.oracle.groups(start, end, ["model"], workspace("acme"))
    names = {
        "requests": "requests", "rpm": "rpm", "tpm": "tpm", "success_ratio": "success_ratio",
        "ttft_ms": "ttft_p90_ms", "e2e_ms": "e2e_p90_ms", "itl_ms": "itl_p90_ms",
        "tpot_ms": "tpot_p90_ms", "e2e_mean_ms": "e2e_mean_ms", "input_tokens": "input_tokens",
        "output_tokens": "output_tokens", "cost_usd": "cost_usd",
        "cost_per_request_usd": "cost_per_request_usd",
    }  # fmt: skip
    assert {row["model"] for row in answer["models"]} == {model for (model,) in expected}
    for row in answer["models"]:
        totals = expected[(row["model"],)]
        for column, name in names.items():
            assert is_same(name, row[column], totals.measure(name)), (row["model"], column)


def test_values_and_metadata_keys_are_found_with_their_counts(world: World) -> None:
    start, end = spans(world)["day"]
    for dimension in ("model", "user_id", "metadata.tenant_name"):
        answer = world.viewer.get(
            f"/dimensions/{dimension}/values", from_=start, to=end, limit=1000
        )
        expected = world.oracle.groups(start, end, [dimension], workspace("acme"))
        found = {value["value"]: value["requests"] for value in answer["values"]}
        assert found == {key: totals.measure("requests") for (key,), totals in expected.items()}
        counts = [value["requests"] for value in answer["values"]]
        assert counts == sorted(counts, reverse=True)
    keys = world.viewer.get("/metadata-keys", from_=start, to=end)["values"]
    assert {key["value"] for key in keys} == {"tenant_name", "plan"}


def test_what_changed_adds_up(world: World) -> None:
    start, end = spans(world)["day"]
    answer = world.viewer.get("/changes", measure="requests", from_=start, to=end)
    now = world.oracle.total(start, end, workspace("acme")).measure("requests")
    before = world.oracle.total(2 * start - end, start, workspace("acme")).measure("requests")
    assert (answer["total"], answer["previous_total"]) == (now, before)
    models = world.oracle.groups(start, end, ["model"], workspace("acme"))
    for change in answer["changes"]:
        assert change["difference"] == pytest.approx(change["now"] - change["before"])
        if change["dimension"] == "model":
            assert change["now"] == models[(change["value"],)].measure("requests")


def test_the_month_is_forecast_from_what_was_spent(world: World) -> None:
    answer = world.viewer.get("/forecast")
    spent, projected = Decimal(str(answer["spent_usd"])), Decimal(str(answer["projected_usd"]))
    # On the first of a month little or nothing of the data set is in it.
    month_us = round(datetime.fromisoformat(f"{answer['month']}-01T00:00Z").timestamp() * 1e6)
    exact = world.oracle.total(month_us, world.data_set.end_us, workspace("acme")).cost_usd
    assert spent == pytest.approx(exact, rel=Decimal("1e-9"))
    assert projected >= spent
    assert projected > 0
    low, high = Decimal(str(answer["low_usd"])), Decimal(str(answer["high_usd"]))
    assert low <= projected <= high


def test_what_has_no_price_is_named(world: World) -> None:
    start, end = spans(world)["days"]
    rows = world.viewer.get("/unpriced", from_=start, to=end)["models"]
    found = {row["model"]: row for row in rows}
    assert set(found) == {"experimental-moe", "gpt-realtime"}
    totals = world.oracle.total(start, end, workspace("acme"))
    for name in ("unpriced_requests", "partially_priced_requests"):
        assert sum(int(row[name]) for row in rows) == totals.measure(name)


def test_every_measure_of_the_catalogue_can_be_asked_for(world: World) -> None:
    start, end = spans(world)["minutes"]
    names = [measure["name"] for measure in world.viewer.get("/measures")["measures"]]
    assert len(names) > 60
    for place in range(0, len(names), 20):
        some = names[place : place + 20]
        answer = world.viewer.get("/metrics", measure=some, from_=start, to=end)
        assert set(answer["total"]) == set(some)


def test_the_oracle_itself_adds_up(world: World) -> None:
    start, end = spans(world)["days"]
    oracle: Oracle = world.oracle
    whole = oracle.total(start, end)
    for by in (["model"], ["user_id", "region"]):
        parts = oracle.groups(start, end, by).values()
        for name in ADDITIVE:
            assert sum(part.measure(name) or 0 for part in parts) == whole.measure(name)
