"""Query strings to questions, every problem at once."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.query.cursors import encode_place
from inferometer.core.query.questions import (
    Comparison,
    Filter,
    Granularity,
    Match,
    QueryRefusedError,
    Statuses,
    TimeRange,
)
from inferometer.core.query.reading import (
    OF_LOG,
    OF_METRICS,
    read_changes,
    read_forecast,
    read_log,
    read_metrics,
    read_models,
    read_range,
    read_values,
)

NOW = datetime(2026, 11, 21, 17, 6, 23, tzinfo=UTC)


def refused(**texts: list[str]) -> dict[str, str]:
    """Return what is said of each parameter of a question for measures."""
    with pytest.raises(QueryRefusedError) as caught:
        read_metrics(_named(texts), workspace_id="w", now=NOW)
    return {
        problem.parameter: f"{problem.reason}; {problem.remedy}"
        for problem in caught.value.problems
    }


def _named(texts: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name.rstrip("_"): values for name, values in texts.items()}


def test_a_question_without_parameters_has_defaults() -> None:
    found = read_metrics({}, workspace_id="w", now=NOW)
    assert [each.name for each in found.measures] == ["requests"]
    assert found.time_range == TimeRange(datetime(2026, 11, 20, 17, 6, tzinfo=UTC), NOW)
    assert (found.granularity, found.may_coarsen) == (Granularity.M5, True)
    assert (found.top, found.order_by, found.statuses) == (10, "requests", Statuses.SUCCESSES)
    assert found.comparison is Comparison.NONE


def test_every_parameter_is_read() -> None:
    found = read_metrics(
        {
            "measure": ["requests,e2e_p99_ms", "cost_usd"],
            "group_by": ["model", "metadata.tenant"],
            "filter": ["model=a", "user_id^=x"],
            "granularity": ["1d"],
            "time_zone": ["Europe/Berlin"],
            "from": ["now-1mo/mo"],
            "to": ["now/mo"],
            "top": ["200"],
            "order_by": ["cost_usd"],
            "statuses": ["all"],
            "compare": ["baseline"],
            "baseline_filter": ["model=b"],
            "format": ["csv"],
            "workspace": ["w"],
        },
        workspace_id="w",
        now=NOW,
    )
    assert [each.name for each in found.measures] == ["requests", "e2e_p99_ms", "cost_usd"]
    assert found.group_by == ("model", "metadata.tenant")
    assert (found.granularity, found.may_coarsen) == (Granularity.DAY, False)
    assert found.time_range.start == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert found.time_range.end == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert (found.top, found.order_by, found.statuses) == (200, "cost_usd", Statuses.ALL)
    assert found.baseline_filters == (Filter("model", Match.IS, ("b",)),)


def test_a_metadata_key_may_hold_what_parts_names_and_filters() -> None:
    found = read_metrics(
        {
            "group_by": [r"model, metadata.a\,b", r"metadata.c\=d,metadata.it's`a\key"],
            "filter": [r"metadata.a\,b\=c!=x\,y"],
        },
        workspace_id="w",
        now=NOW,
    )
    assert found.group_by == ("model", "metadata.a,b", "metadata.c=d", r"metadata.it's`a\key")
    assert found.filters == (Filter("metadata.a,b=c", Match.IS_NOT, ("x,y",)),)


def test_every_problem_is_told_at_once_by_its_parameter() -> None:
    found = refused(
        frm=["now-1h"],
        from_=["tomorrow"],
        measure=["requets"],
        group_by=["modle"],
        filter_=["status_code=x"],
        granularity=["7m"],
        top=["0"],
        order_by=["cost"],
        statuses=["some"],
        compare=["last"],
        time_zone=["Mars/Olympus"],
    )
    assert set(found) == {
        "frm", "from", "measure", "group_by", "filter", "granularity", "top", "order_by",
        "statuses", "compare", "time_zone",
    }  # fmt: skip
    assert "did you mean from?" in found["frm"]
    assert "known: total, 10s" in found["granularity"]


@pytest.mark.parametrize(
    ("texts", "parameter", "says"),
    [
        ({"top": ["10", "20"]}, "top", "give it once"),
        ({"top": ["1e3"]}, "top", "1 to 200"),
        ({"top": ["٣"]}, "top", "1 to 200"),
        ({"top": ["9" * 5000]}, "top", "1 to 200"),
        ({"order_by": ["requests,cost_usd"]}, "order_by", "one measure"),
        ({"baseline_filter": ["model=a"]}, "baseline_filter", "add compare=baseline"),
        ({"measure": [f"ttft_p{n}_ms" for n in range(1, 60)]}, "measure", "ask twice"),
        ({"group_by": ["model,provider,region,user_id,team_id,environment,feature"]}, "group_by",
         "fewer"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(texts: dict[str, list[str]], parameter: str, says: str) -> None:
    assert says in refused(**texts)[parameter]


@given(
    texts=st.dictionaries(
        st.sampled_from([*OF_METRICS, *OF_LOG, "x"]),
        st.lists(st.text(max_size=30), max_size=3),
        max_size=6,
    )
)
def test_any_texts_are_a_question_or_are_refused(texts: dict[str, list[str]]) -> None:
    for read in (read_metrics, read_log, read_models, read_changes, read_forecast):
        with contextlib.suppress(QueryRefusedError):
            assert read(texts, workspace_id="w", now=NOW).workspace_id == "w"


def test_a_question_for_rows_is_read() -> None:
    found = read_log(
        {
            "model": ["a,b", "c"],
            "status": ["5xx"],
            "user_id": [r"x\,y"],
            "request_id": ["r"],
            "event_id": ["e"],
            "final_only": ["true"],
            "limit": ["1000"],
            "filter": ["metadata.tenant=acme"],
        },
        workspace_id="w",
        now=NOW,
    )
    assert found.filters == (
        Filter("metadata.tenant", Match.IS, ("acme",)),
        Filter("model", Match.IS, ("a", "b", "c")),
        Filter("user_id", Match.IS, ("x,y",)),
        Filter("status_class", Match.IS, ("5xx",)),
    )
    assert (found.request_id, found.event_id, found.is_final_only, found.limit) == (
        "r", "e", True, 1000,
    )  # fmt: skip


def test_a_cursor_is_read_with_its_question() -> None:
    first = read_log({"model": ["a"]}, workspace_id="w", now=NOW)
    cursor = encode_place(first, (5, "e"))
    later = NOW + timedelta(minutes=1)
    second = read_log({"model": ["a"], "cursor": [cursor]}, workspace_id="w", now=later)
    assert second.after is not None
    assert (second.after.ts_end_us, second.after.event_id) == (5, "e")
    with pytest.raises(QueryRefusedError, match="another question"):
        read_log({"cursor": [cursor]}, workspace_id="w", now=later)


def test_an_export_may_be_longer_than_a_page() -> None:
    texts = {"limit": ["500000"]}
    assert read_log(texts, workspace_id="w", now=NOW, most=1_000_000).limit == 500_000
    with pytest.raises(QueryRefusedError, match="1 to 1000"):
        read_log(texts, workspace_id="w", now=NOW)


def test_a_flag_is_true_or_false() -> None:
    with pytest.raises(QueryRefusedError, match="neither true nor false"):
        read_log({"final_only": ["maybe"]}, workspace_id="w", now=NOW)


def test_values_of_a_dimension_are_asked_for_by_name() -> None:
    found = read_values("model", {"prefix": ["gpt"]}, workspace_id=None, now=NOW)
    assert (found.dimension, found.prefix, found.limit) == ("model", "gpt", 100)
    with pytest.raises(QueryRefusedError, match="did you mean model"):
        read_values("modle", {}, workspace_id=None, now=NOW)
    with pytest.raises(QueryRefusedError, match="256 characters"):
        read_values("model", {"prefix": ["x" * 257]}, workspace_id=None, now=NOW)


@pytest.mark.parametrize(
    ("text", "percentile"),
    [("0.95", "95"), ("0.999", "99.9"), ("0.5", "50"), ("1", "100"), ("0", "0"), ("0.07", "7")],
)
def test_a_percentile_is_a_ratio(text: str, percentile: str) -> None:
    found = read_models({"percentile": [text]}, workspace_id="w", now=NOW)
    assert found.percentile == percentile


@pytest.mark.parametrize("text", ["95", "-0.5", "p95", "1.5", "0.", "nan"])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(QueryRefusedError, match=r"write percentile=0\.95"):
        read_models({"percentile": [text]}, workspace_id="w", now=NOW)


def test_only_a_sum_is_explained_by_its_parts() -> None:
    assert read_changes({}, workspace_id="w", now=NOW).measure.name == "cost_usd"
    for name in ("success_ratio", "rps", "ttft_p99_ms", "requests,cost_usd"):
        with pytest.raises(QueryRefusedError, match="ask for cost_usd"):
            read_changes({"measure": [name]}, workspace_id="w", now=NOW)


def test_a_range_is_read_from_among_other_parameters() -> None:
    found = read_range({"reason": ["x"], "from": ["now-1h"]}, now=NOW)
    assert found.start == datetime(2026, 11, 21, 16, 6, tzinfo=UTC)
