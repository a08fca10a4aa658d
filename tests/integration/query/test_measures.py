"""Every measure, relation and grouping against plain Python over the rows of the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inferometer.clickhouse import query_measured
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.core.query.catalogue import MEASURES, measure
from inferometer.core.query.dimensions import DIMENSIONS
from inferometer.core.query.plans import MetricsPlan, Relation
from inferometer.core.query.questions import Filter, Granularity, Match, Statuses, TimeRange
from inferometer.core.query.ranges import window_bounds
from inferometer.errors import StoreError
from inferometer.testing.query_store import MemoryQueryStore
from tests.integration.query_seed import HOSTILE, SPAN, QuerySeed

if TYPE_CHECKING:
    from inferometer.core.query.answers import MeasuredRow

RELATIONS = (
    Relation("service_10s_rows", 10),
    Relation("service_1m_rows", 60),
    Relation("service_1h_rows", 3600),
    Relation("usage_1m_rows", 60),
    Relation("usage_1h_rows", 3600),
    Relation("requests", 0),
)
LOG = RELATIONS[-1]
OF_CUBES = tuple(measure for measure in MEASURES if not measure.is_from_log_only)
OTHERS = tuple(
    map(
        measure,
        (
            "ttft_p0.1_ms", "e2e_p99.9_ms", "itl_p50_ms", "ttft_share_below_250ms",
            "e2e_share_below_1000ms", "itl_share_below_3ms", "queue_share_below_1ms",
        ),
    )
)  # fmt: skip
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata")


def plan_of(
    seed: QuerySeed,
    relation: Relation = RELATIONS[2],
    *,
    granularity: Granularity = Granularity.H6,
    zone: str = "UTC",
    span: TimeRange | None = None,
    **changes: Any,
) -> MetricsPlan:
    time_range = span or TimeRange(seed.start, seed.start + SPAN, zone)
    bounds = tuple(window_bounds(time_range, granularity))
    wanted = MetricsPlan(
        relation=relation,
        workspace_id=None,
        measures=(measure("requests"),),
        time_range=time_range,
        granularity=granularity,
        windows=bounds[:-1],
        window_ends=bounds[1:],
        group_by=(),
        filters=(),
        statuses=Statuses.SUCCESSES,
        top=10,
        order_by=measure("requests"),
    )
    return replace(wanted, **changes)


def compare(seed: QuerySeed, store: ClickHouseQueryStore, plan: MetricsPlan) -> list[MeasuredRow]:
    """Hold the store's answer against plain Python; return it."""
    found, groups = store.measured(plan)
    expected, expected_groups = MemoryQueryStore(seed.rows).measured(plan)
    assert groups == (expected_groups if plan.groups is None else len(plan.groups))
    by_place = {(row.window_start, row.group): row.values for row in found}
    assert len(by_place) == len(found)
    wanted = {(row.window_start, row.group): row.values for row in expected}
    # A row of everything is there even where there is nothing.
    assert {key for key in by_place if key != (None, None)} >= set(wanted) - {(None, None)}
    for key, values in by_place.items():
        if key not in wanted:
            assert all(not value for value in values), key
            continue
        for asked, value, right in zip(plan.measures, values, wanted[key], strict=True):
            assert_same(value, right, f"{asked.name} of {key}")
    return found


def assert_same(value: Any, right: Any, what: str) -> None:
    if right is None or value is None:
        assert value is right, what
    elif isinstance(right, Decimal | int):
        assert value == right, what
    else:
        assert float(value) == pytest.approx(float(right), rel=1e-9, abs=1e-12), what


@pytest.mark.parametrize("statuses", list(Statuses))
@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_every_measure_is_that_of_the_log_by_window_and_group(
    seed: QuerySeed, store: ClickHouseQueryStore, relation: Relation, statuses: Statuses
) -> None:
    measures = (*(MEASURES if relation.is_log else OF_CUBES), *OTHERS)
    compare(
        seed,
        store,
        plan_of(seed, relation, measures=measures, group_by=("model",), statuses=statuses),
    )


def test_there_is_something_of_everything(seed: QuerySeed) -> None:
    plan = plan_of(seed, LOG, measures=(*OF_CUBES, *OTHERS), granularity=Granularity.TOTAL)
    [row] = [
        row
        for row in MemoryQueryStore(seed.rows).measured(plan)[0]
        if row.window_start is None and row.group is None
    ]
    empty = [
        asked.name
        for asked, value in zip(plan.measures, row.values, strict=True)
        if not value and asked.name.startswith(("ttft", "e2e", "itl", "tpot", "queue", "cost_u"))
    ]
    assert not empty


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.name)
def test_every_dimension_of_a_relation_groups_and_filters(
    seed: QuerySeed, relation: Relation
) -> None:
    store = ClickHouseQueryStore(seed.connection)
    cube = relation.name.partition("_")[0]
    names = [d.name for d in DIMENSIONS if cube in d.relations]
    assert names
    if relation.is_log:
        names += ["metadata.tenant", "metadata.it's`a\\key", "metadata.missing"]
    for place, name in enumerate(names):
        plan = plan_of(
            seed,
            relation,
            granularity=Granularity.TOTAL,
            group_by=(name,),
            measures=(measure("requests"), measure("cost_usd")),
        )
        rows = compare(seed, store, plan)
        value = next(row.group[0] for row in rows if row.group is not None)
        condition = Filter(name, list(Match)[place % len(Match)], (value, "no such value"))
        compare(seed, store, replace(plan, filters=(condition,)))


@pytest.mark.parametrize("match", list(Match))
@pytest.mark.parametrize("relation", [RELATIONS[3], LOG], ids=lambda relation: relation.name)
def test_hostile_values_are_only_values(
    seed: QuerySeed, store: ClickHouseQueryStore, relation: Relation, match: Match
) -> None:
    total = Granularity.TOTAL
    for value in (*HOSTILE, "\ud800", "\x00", "a" * 5000):
        filters = (Filter("user_id", match, (value,)), Filter("model", Match.IS_NOT, (value,)))
        compare(seed, store, plan_of(seed, relation, granularity=total, filters=filters))
    compare(seed, store, plan_of(seed, relation, filters=(Filter("user_id", match, HOSTILE),)))


def test_hostile_values_are_groups_of_their_own(
    seed: QuerySeed, store: ClickHouseQueryStore
) -> None:
    for top in (3, 100):
        plan = plan_of(seed, LOG, group_by=("user_id", "metadata.tenant", "team_id"), top=top)
        compare(seed, store, plan)
    wanted = tuple((value,) for value in HOSTILE[:5])
    compare(seed, store, plan_of(seed, group_by=("user_id",), relation=LOG, groups=wanted))
    compare(
        seed,
        store,
        plan_of(
            seed, LOG, group_by=("user_id", "metadata.tenant"), groups=((HOSTILE[0], HOSTILE[1]),)
        ),
    )


@pytest.mark.parametrize("name", ["nonsense", "model`", "1) OR (1", "requests", "window_start", ""])
def test_a_name_that_is_no_dimension_is_no_text(
    seed: QuerySeed, store: ClickHouseQueryStore, name: str
) -> None:
    for changes in ({"group_by": (name,)}, {"filters": (Filter(name, Match.IS, ("x",)),)}):
        with pytest.raises(StoreError, match="no such dimension"):
            store.measured(plan_of(seed, **changes))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("granularity", [g for g in Granularity if g is not Granularity.S10])
def test_windows_are_those_of_the_zone(
    seed: QuerySeed, store: ClickHouseQueryStore, granularity: Granularity, zone: str
) -> None:
    is_fine = granularity in {Granularity.S30, Granularity.M1}
    hours = 5 if is_fine else 28
    span = TimeRange(seed.start + timedelta(hours=3), seed.start + timedelta(hours=3 + hours), zone)
    plan = plan_of(
        seed,
        LOG,
        granularity=granularity,
        span=span,
        measures=(measure("requests"), measure("rpm"), measure("ttft_p50_ms")),
    )
    compare(seed, store, plan)


def test_days_of_a_change_of_clocks_are_23_and_25_hours(
    seed: QuerySeed, store: ClickHouseQueryStore
) -> None:
    # The last events are of now; from one spring's change to the next are up to 53 weeks.
    end = seed.start + SPAN
    span = TimeRange(end - timedelta(days=373), end, "Europe/Berlin")
    plan = plan_of(seed, granularity=Granularity.DAY, span=span, group_by=("model",))
    plan = replace(plan, measures=(measure("requests"), measure("rpm")))
    assert len({b - a for a, b in zip(plan.windows, plan.window_ends, strict=True)}) == 3
    compare(seed, store, plan)


def test_a_range_may_begin_and_end_anywhere_in_the_log(
    seed: QuerySeed, store: ClickHouseQueryStore
) -> None:
    first, last = (sorted(row["ts_end"] for row in seed.rows)[place] for place in (100, 400))
    span = TimeRange(first, last)
    compare(seed, store, plan_of(seed, LOG, span=span, measures=(measure("rps"),)))


@pytest.mark.parametrize("order", ["requests", "cost_usd", "ttft_p99_ms", "failure_ratio", "rpm"])
@pytest.mark.parametrize("top", [0, 1, 2, 4, 5, 200])
def test_the_top_groups_stand_alone_and_the_rest_is_one(
    seed: QuerySeed, store: ClickHouseQueryStore, top: int, order: str
) -> None:
    for group_by in (("model",), ("model", "status_code"), ("status_class",)):
        plan = plan_of(seed, group_by=group_by, top=top, order_by=measure(order))
        compare(seed, store, replace(plan, measures=(measure("requests"), measure("e2e_p90_ms"))))


def test_many_cells_are_answered_as_few_are(
    seed: QuerySeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ClickHouseQueryStore(seed.connection)
    monkeypatch.setattr(query_measured, "MOST_MERGED_CELLS", 0)
    measures = (measure("ttft_p99_ms"), measure("itl_p50_ms"), measure("rps"), measure("cost_usd"))
    for statuses in Statuses:
        plan = plan_of(
            seed, measures=measures, group_by=("model", "provider"), statuses=statuses, top=4,
            granularity=Granularity.H1,
        )  # fmt: skip
        assert len(query_measured.cells_and_margins(plan, None)) == 2
        compare(seed, store, plan)


def test_a_span_without_data_is_empty_and_no_error(
    seed: QuerySeed, store: ClickHouseQueryStore
) -> None:
    past = TimeRange(seed.start - timedelta(days=40), seed.start - timedelta(days=39))
    for relation in RELATIONS:
        for group_by in ((), ("model",)):
            plan = plan_of(seed, relation, span=past, group_by=group_by, measures=OF_CUBES)
            compare(seed, store, plan)
            compare(seed, store, replace(plan, workspace_id="nobody"))


def test_a_workspace_sees_its_own_rows_alone(seed: QuerySeed, store: ClickHouseQueryStore) -> None:
    for relation in RELATIONS:
        plan = plan_of(seed, relation, workspace_id="acme", group_by=("workspace_id", "model"))
        rows = compare(seed, store, plan)
        assert {row.group[0] for row in rows if row.group} == {"acme"}
        other = replace(plan, filters=(Filter("workspace_id", Match.IS, ("globex",)),))
        assert all(not any(row.values) for row in store.measured(other)[0])


dimension_names = st.sampled_from(
    ["model", "provider", "region", "status_code", "status_class", "error_type", "workspace_id"]
)
filters_of = st.builds(
    Filter,
    dimension_names,
    st.sampled_from(list(Match)),
    st.lists(
        st.sampled_from(["tiny", "whale", "openai", "eu", "200", "429", "2xx", "other", "", "e5"]),
        min_size=1,
        max_size=3,
    ).map(tuple),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    relation=st.sampled_from([RELATIONS[1], RELATIONS[2], LOG]),
    group_by=st.lists(dimension_names, max_size=3, unique=True).map(tuple),
    filters=st.lists(filters_of, max_size=2).map(tuple),
    measures=st.lists(st.sampled_from((*OF_CUBES, *OTHERS)), min_size=1, max_size=4, unique=True),
    order_by=st.sampled_from((*OF_CUBES, *OTHERS)),
    top=st.integers(0, 6),
    granularity=st.sampled_from([Granularity.TOTAL, Granularity.H3, Granularity.DAY]),
    zone=st.sampled_from(ZONES[:2]),
    statuses=st.sampled_from(list(Statuses)),
)
def test_any_question_has_the_answer_of_plain_python(
    seed: QuerySeed, granularity: Granularity, zone: str, relation: Relation, **changes: Any
) -> None:
    changes["measures"] = tuple(changes["measures"])
    plan = plan_of(seed, relation, granularity=granularity, zone=zone, **changes)
    compare(seed, ClickHouseQueryStore(seed.connection), plan)


def test_windows_start_where_the_plan_says(seed: QuerySeed) -> None:
    plan = plan_of(seed, granularity=Granularity.H1)
    rows, _ = ClickHouseQueryStore(seed.connection).measured(plan)
    starts = {row.window_start for row in rows if row.window_start is not None}
    assert starts <= set(plan.windows)
    assert all(isinstance(start, datetime) and start.tzinfo is not None for start in starts)
