"""Questions for measures, over the store in memory."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.query.catalogue import MEASURES, is_sum
from inferometer.core.query.reading import read_metrics
from inferometer.errors import QueryTooCostlyError, StoreError
from inferometer.jobs.answer_metrics import AnswerMetrics
from inferometer.testing.query_store import MemoryQueryStore
from tests.unit.jobs.query_rows import NOW, attempts, clock, row

if TYPE_CHECKING:
    from inferometer.core.query.answers import MetricsAnswer

SUMS = [each.name for each in MEASURES if is_sum(each)]


def ask(
    store: MemoryQueryStore, workspace_id: str | None = "w", **texts: str | list[str]
) -> MetricsAnswer:
    asked = {
        name.rstrip("_"): [text] if isinstance(text, str) else text for name, text in texts.items()
    }
    query = read_metrics(asked, workspace_id=workspace_id, now=NOW)
    return AnswerMetrics(store, clock)(query)


groupings = st.lists(
    st.sampled_from(
        ["model", "user_id", "team_id", "region", "status_class", "status_code", "stream",
         "metadata.tenant", "workspace_id"]
    ),
    min_size=1,
    max_size=3,
    unique=True,
)  # fmt: skip


@settings(max_examples=50)
@given(
    rows=attempts(),
    group_by=groupings,
    top=st.integers(1, 5),
    granularity=st.sampled_from(["1h", "30m", "total", "1d"]),
    wanted=st.lists(st.sampled_from(SUMS), min_size=1, max_size=4, unique=True),
    slice_=st.sampled_from(["model=a,b", "user_id!=u1", "status_code^=2", "stream=true"]),
)
def test_any_grouping_of_any_slice_sums_to_the_ungrouped_total(
    rows: list[dict[str, Any]],
    group_by: list[str],
    top: int,
    granularity: str,
    wanted: list[str],
    slice_: str,
) -> None:
    store = MemoryQueryStore(rows)
    same: dict[str, Any] = {
        "measure": wanted,
        "from_": "now-4h",
        "granularity": granularity,
        "filter": slice_,
    }
    whole = ask(store, **same)
    grouped = ask(store, **same, group_by=group_by, top=str(top), order_by=wanted[0])
    for name in wanted:
        assert grouped.total[name] == pytest.approx(whole.total[name])
        assert grouped.values[name] == pytest.approx(whole.values[name])
        assert sum(s.total[name] or 0 for s in grouped.series) == pytest.approx(whole.total[name])
        for index in range(len(grouped.windows)):
            parts = [series.values[name][index] or 0 for series in grouped.series]
            assert sum(parts) == pytest.approx(whole.values[name][index])
    assert len(grouped.series) <= top + 1
    assert len([s for s in grouped.series if not s.is_other]) == min(top, grouped.groups_total)


@settings(max_examples=25)
@given(rows=attempts())
def test_windows_of_any_length_sum_to_the_same_total(rows: list[dict[str, Any]]) -> None:
    store = MemoryQueryStore(rows)
    totals = set()
    for granularity in ("total", "1m", "15m", "1h", "1d"):
        found = ask(store, from_="now-4h", granularity=granularity, measure="attempts")
        totals.add((found.total["attempts"], sum(v or 0 for v in found.values["attempts"])))
    assert len(totals) == 1


@settings(max_examples=25)
@given(rows=attempts())
def test_the_six_classes_sum_to_the_requests_and_rates_are_counts_over_time(
    rows: list[dict[str, Any]],
) -> None:
    classes = "successes,errors_4xx,rate_limited,client_aborted,errors_5xx,errors_other"
    found = ask(MemoryQueryStore(rows), measure=f"requests,failures,rps,{classes}", from_="now-4h")
    total = {name: value or 0 for name, value in found.total.items()}
    assert sum(total[name] for name in classes.split(",")) == total["requests"]
    assert total["failures"] == total["requests"] - total["successes"]
    length_s = (found.plan.time_range.end - found.plan.time_range.start).total_seconds()
    assert total["rps"] == pytest.approx(total["requests"] / length_s)


def test_a_workspace_sees_its_own_only_and_all_see_all() -> None:
    store = MemoryQueryStore([row(60), row(61, workspace_id="v")])
    assert ask(store).total["requests"] == 1
    assert ask(store, None).total["requests"] == 2


def test_latencies_are_of_successes_unless_all_are_asked_for() -> None:
    store = MemoryQueryStore([row(60, e2e_ms=100), row(61, e2e_ms=900, status_code=500)])
    assert ask(store, measure="e2e_mean_ms").total["e2e_mean_ms"] == 100
    assert ask(store, measure="e2e_mean_ms", statuses="all").total["e2e_mean_ms"] == 500


def test_latencies_of_a_slice_of_failures_are_explained() -> None:
    store = MemoryQueryStore([row(60, e2e_ms=900, status_code=500)])
    found = ask(store, measure="e2e_p99_ms", filter="status_class=5xx")
    assert found.total["e2e_p99_ms"] is None
    assert any("statuses=all" in note for note in found.notes)
    assert not any(
        "statuses=all" in note
        for note in ask(store, measure="e2e_p99_ms", filter="status_class!=5xx").notes
    )


def test_a_quantile_is_right_to_half_a_percent() -> None:
    store = MemoryQueryStore([row(n, e2e_ms=n) for n in range(1, 1001)])
    found = ask(store, measure="e2e_p50_ms,e2e_p99.9_ms,e2e_share_below_500ms").total
    assert found["e2e_p50_ms"] == pytest.approx(501, rel=0.005)
    assert found["e2e_p99.9_ms"] == pytest.approx(1000, rel=0.005)
    assert found["e2e_share_below_500ms"] == pytest.approx(0.5, abs=0.006)


def against_before(
    now: dict[str, int], before: dict[str, int], top: int
) -> tuple[MetricsAnswer, list[tuple[str, int]]]:
    """Return an answer about requests of models, and those of the span before, in their order."""
    rows = [row(60, model=name) for name, count in now.items() for _ in range(count)]
    rows += [row(90_000, model=name) for name, count in before.items() for _ in range(count)]
    found = ask(
        MemoryQueryStore(rows), group_by="model", top=str(top), compare="previous", granularity="1h"
    )
    assert found.compared is not None
    assert found.compared.end == found.plan.time_range.start
    assert found.compared.total["requests"] == sum(before.values())
    return found, [(s.group["model"], int(s.total["requests"] or 0)) for s in found.compared.series]


def test_the_span_before_has_the_same_groups_and_ends_where_this_begins() -> None:
    _, compared = against_before({"a": 3, "b": 2}, {"a": 1, "b": 5, "rare": 1}, top=2)
    assert compared == [("a", 1), ("b", 5), ("__other__", 1)]


def test_groups_that_vanished_are_in_the_span_before_highest_first() -> None:
    found, compared = against_before({"a": 2}, {"a": 1, "gone": 2, "lost": 5}, top=3)
    assert [series.group["model"] for series in found.series] == ["a"]
    assert compared == [("a", 1), ("lost", 5), ("gone", 2)]


def test_a_group_that_only_fell_behind_stays_in_the_rest_of_both_spans() -> None:
    found, compared = against_before(
        {"a": 3, "b": 2, "behind": 1}, {"behind": 9, "gone": 8, "a": 1}, top=2
    )
    assert [series.group["model"] for series in found.series] == ["a", "b", "__other__"]
    assert compared == [("a", 1), ("b", 0), ("gone", 8), ("__other__", 9)]


def test_as_many_groups_may_vanish_as_have_a_series_of_their_own() -> None:
    _, compared = against_before({"a": 1}, {"x": 3, "y": 2, "z": 1}, top=2)
    assert compared == [("a", 0), ("x", 3), ("y", 2), ("__other__", 1)]


def test_a_baseline_is_everybody_in_the_same_span() -> None:
    rows = [row(60, user_id="u", e2e_ms=900), row(61, user_id="v", e2e_ms=100)]
    found = ask(
        MemoryQueryStore(rows),
        measure="requests,e2e_mean_ms",
        group_by="user_id",
        filter="user_id=u",
        compare="baseline",
        from_="now-7d",
    )
    assert found.compared is not None
    assert found.compared.windows == found.windows
    assert found.compared.total == {"requests": 2, "e2e_mean_ms": 500}
    assert found.compared.series == []


def test_a_span_before_that_is_gone_is_said_to_be() -> None:
    found = ask(
        MemoryQueryStore([row(60)]), group_by="feature", from_="now-13d", compare="previous"
    )
    assert found.compared is not None
    assert any("not kept in full" in note for note in found.notes)
    gone = ask(
        MemoryQueryStore([row(60)]),
        from_="2026-11-07T17:07Z",
        group_by="feature",
        compare="previous",
    )
    assert gone.compared is None
    assert any("Nothing to compare with" in note for note in gone.notes)


def test_folded_values_are_counted_with_the_rest_and_noted() -> None:
    rows = [row(60, user_id=f"u{n}") for n in range(4)]
    store = MemoryQueryStore(rows, folded_values={"user_id": frozenset({"u3"})})
    found = ask(store, group_by="user_id", top="2", from_="now-7d")
    assert [(s.group["user_id"], s.total["requests"]) for s in found.series] == [
        ("u0", 1),
        ("u1", 1),
        ("__other__", 2),
    ]
    assert any("user_id are counted as __other__" in note for note in found.notes)
    assert not any("__other__" in note for note in ask(store, group_by="model").notes)
    from_log = ask(store, group_by="user_id,feature", from_="now-7d")
    assert from_log.groups_total == 4
    assert not any("__other__" in note for note in from_log.notes)


def test_finality_is_that_of_the_watermark_before_the_rows() -> None:
    store = MemoryQueryStore([row(60)], watermark=NOW - timedelta(hours=1))
    found = ask(store, granularity="1h", from_="now-3h")
    ends = zip(found.window_ends, found.is_final, strict=True)
    assert [final for _, final in ends] == [True, True, False, False]
    assert found.freshness.watermark == NOW - timedelta(hours=1)


def test_an_export_has_every_group_and_the_numbers_of_the_answer() -> None:
    rows = [row(60 + n, model=f"m{n}") for n in range(20)]
    query = read_metrics(
        {"group_by": ["model"], "measure": ["requests,cost_usd"], "granularity": ["total"]},
        workspace_id="w",
        now=NOW,
    )
    export = AnswerMetrics(MemoryQueryStore(rows), clock).export(query, "csv")
    found = list(csv.DictReader(io.StringIO(b"".join(export.chunks).decode())))
    assert len(found) == 20
    assert list(found[0]) == ["window_start", "window_end", "model", "requests", "cost_usd"]
    assert {each["cost_usd"] for each in found} == {"0.01"}
    assert export.coverage.is_whole


@pytest.mark.parametrize(
    "error",
    [QueryTooCostlyError("20 s", "ask for less"), StoreError("away", retryable=True)],
    ids=["too costly", "away"],
)
def test_what_the_store_raises_is_raised(error: Exception) -> None:
    store = MemoryQueryStore()
    store.fail_next(error)
    with pytest.raises(type(error)):
        ask(store)


def test_days_of_a_zone_hold_what_happened_on_them() -> None:
    kolkata = datetime(2026, 11, 19, 18, 30, tzinfo=UTC)  # midnight there
    rows = [
        row(0, ts_end=kolkata - timedelta(seconds=1)),
        *[row(0, ts_end=kolkata + timedelta(hours=n)) for n in (0, 5, 23)],
        row(0, ts_end=kolkata + timedelta(hours=24)),
    ]
    found = ask(
        MemoryQueryStore(rows),
        from_="2026-11-19",
        to="2026-11-22",
        time_zone="Asia/Kolkata",
        granularity="1d",
    )
    assert found.values["requests"] == [1, 3, 1]
