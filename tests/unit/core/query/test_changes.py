"""What made a sum differ."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.query.changes import (
    ChangesPlan,
    Pair,
    changes_of,
    plan_changes,
    ranked,
    with_rest,
)
from inferometer.core.query.margins import MOST_VALUES, Margin, Margins
from inferometer.core.query.plans import OTHER
from inferometer.core.query.reading import read_changes
from inferometer.testing.query_store import KEPT_DAYS

NOW = datetime(2026, 11, 21, 17, 6, 23, tzinfo=UTC)
pairs = st.dictionaries(
    st.sampled_from("abcdef"), st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=6
)


@given(values=pairs)
def test_the_changes_of_a_dimension_add_up_to_the_difference(
    values: dict[str, tuple[float, float]],
) -> None:
    total = (sum(now for now, _ in values.values()), sum(last for _, last in values.values()))
    found = changes_of(margins(total, "model", values))
    if len(values) <= 1:
        assert found == []
        return
    whole = total[0] - total[1]
    assert sum(change.difference for change in found) == whole
    if whole:
        assert sum(change.share_of_difference or 0 for change in found) == pytest.approx(1)
    else:
        assert {change.share_of_difference for change in found} == {None}


def test_what_came_and_what_went_are_changes_and_what_stayed_is_none() -> None:
    values = {"new": (5.0, 0.0), "same": (2.0, 2.0), "gone": (0.0, 3.0)}
    found = ranked(changes_of(margins((7.0, 5.0), "model", values)), (7.0, 5.0), limit=10)
    assert [(change.value, change.now, change.before) for change in found] == [
        ("new", 5, 0),
        ("gone", 0, 3),
    ]


def test_a_dimension_with_one_value_explains_nothing() -> None:
    assert changes_of(margins((9.0, 1.0), "environment", {"production": (9.0, 1.0)})) == []


def test_the_heaviest_changes_come_first_and_no_more_than_asked_for() -> None:
    values = {"a": (1.0, 0.0), "b": (50.0, 0.0), "c": (0.0, 99.0)}
    found = changes_of(margins((51.0, 99.0), "model", values))
    assert [change.value for change in ranked(found, (51.0, 99.0), limit=2)] == ["c", "b"]


def test_what_has_nearly_all_of_both_spans_explains_nothing() -> None:
    values = {"production": (180.0, 90.0), "staging": (10.0, 5.0), "test": (10.0, 5.0)}
    found = changes_of(margins((200.0, 100.0), "environment", values))
    assert [change.value for change in ranked(found, (200.0, 100.0), limit=9)] == [
        "staging",
        "test",
    ]
    from_nothing = changes_of(margins((2.0, 0.0), "model", {"a": (2.0, 0.0), "b": (0.0, 0.0)}))
    assert [change.value for change in ranked(from_nothing, (2.0, 0.0), limit=9)] == ["a"]


def test_values_that_are_not_listed_are_the_rest() -> None:
    values = {f"v{n}": (1.0, 0.0) for n in range(MOST_VALUES - 1)} | {OTHER: (4.0, 4.0)}
    found = with_rest(values, (50.0, 7.0))
    assert found[OTHER] == (50.0 - (MOST_VALUES - 1), 7.0)
    assert with_rest({"a": (1.0, 2.0)}, (1.0, 2.0)) == {"a": (1.0, 2.0)}
    whole = {f"v{n}": (1.0, 0.0) for n in range(MOST_VALUES)}
    assert with_rest(whole, (float(MOST_VALUES), 0.0)) == whole


def margins(total: Pair, dimension: str, values: dict[str, Pair]) -> Margins:
    found = {value: Margin((pair[0],), (pair[1],)) for value, pair in values.items()}
    return Margins(Margin((total[0],), (total[1],)), {dimension: found})


def planned(**texts: str) -> ChangesPlan:
    asked = {"measure": ["requests"], **{name.rstrip("_"): [text] for name, text in texts.items()}}
    query = read_changes(asked, workspace_id="w", now=NOW)
    return plan_changes(query, kept_days=KEPT_DAYS, now=NOW)


def test_all_dimensions_of_a_relation_are_asked_for_at_once() -> None:
    service, usage = planned(from_="now-7d").parts
    assert (service.relation.name, usage.relation.name) == ("service_1h_rows", "usage_1h_rows")
    assert {"model", "region", "error_type"} <= set(service.dimensions)
    assert usage.dimensions == ("virtual_model", "team_id", "user_id", "virtual_account_id")
    assert service.before.end == service.during.start


def test_both_spans_are_made_of_whole_windows_of_one_relation() -> None:
    part = planned(from_="2026-11-20T10:30Z", to="2026-11-20T12:00Z").parts[0]
    assert part.relation.name == "service_1m_rows"
    assert part.before.start == datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def test_a_range_that_is_widened_for_a_relation_is_held_against_as_long_a_one() -> None:
    service, usage = planned(from_="2026-11-21T16:00:30Z", to="2026-11-21T16:05:30Z").parts
    assert service.during.start.second == 30
    assert (usage.during.start.minute, usage.during.end.minute) == (0, 6)
    for part in (service, usage):
        assert part.before.end == part.during.start
        assert part.before.end - part.before.start == part.during.end - part.during.start


def test_filters_choose_the_relation_and_take_their_own_dimension_out() -> None:
    [usage] = planned(filter="user_id=u").parts
    assert usage.relation.name == "usage_1m_rows"
    assert "user_id" not in usage.dimensions
    [log] = planned(filter="metadata.tenant=acme").parts
    assert log.relation.is_log
    assert {"region", "user_id"} <= set(log.dimensions)


def test_a_span_before_that_is_not_kept_is_said_to_be() -> None:
    assert any(
        "not kept in full" in note for note in planned(from_="now-13d", filter="feature=x").notes
    )
    gone = planned(from_="2026-11-07T17:07Z", filter="feature=x")
    assert any("The span before is not kept:" in note for note in gone.notes)
