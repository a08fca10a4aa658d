"""What events add to objectives: compared exactly, each request once, whatever the chunks."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inferometer.core.admission import admit
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.door import DoorPolicy, complete
from inferometer.core.price_book import PriceBook
from inferometer.core.price_columns import price_columns
from inferometer.core.records import RecordColumns
from inferometer.core.rollups import measure
from inferometer.core.signals import InferenceSignal
from inferometer.core.slo.counting import (
    BATCH_REQUESTS,
    DURATION_BINS,
    NO_PRINCIPAL_HIGH,
    NO_PRINCIPAL_LOW,
    CountTable,
    MeasureCount,
    count_measures,
    count_slo,
    count_slo_signals,
    slo_digest,
)
from inferometer.core.slo.definitions import (
    Availability,
    BatchIsolation,
    Cost,
    CostPer,
    Duration,
    Latency,
    Slo,
)
from inferometer.core.slo.event_view import EventView, SignalView

if TYPE_CHECKING:
    from inferometer.core.columns import EventColumns

NOW_US = 1_763_690_000_000_000
CELL_S = NOW_US // 1_000_000
DOOR = DoorPolicy(now_us=NOW_US, retention_us=10**12, future_tolerance_us=10**9)


def events(*changes: dict[str, Any]) -> EventColumns:
    values = [
        json.dumps(
            {"event_id": str(n), "request_id": str(n), "model": "m", "status_code": 200,
             "ts_end": NOW_US, **change}
        ).encode()
        for n, change in enumerate(changes)
    ]  # fmt: skip
    admission = admit(RecordColumns.from_values(values), DOOR)
    assert not admission.dead_letters
    columns = admission.select(np.flatnonzero(admission.accepted))
    complete(columns.numbers)
    return columns


def slo(**changes: Any) -> Slo:
    given = {"name": "s", "workspace": "", "service": "chat", "indicator": Availability(),
             "objective": Decimal("0.999"), **changes}  # fmt: skip
    return Slo(**given)


def counted(definition: Slo, *changes: dict[str, Any]) -> CountTable:
    columns = events(*changes)
    costs = price_columns(PriceBook("test", ()), columns)
    return count_slo(definition, EventView(columns), costs)


def total_and_bad(table: CountTable) -> tuple[int, int]:
    return int(table.columns["total"].sum()), int(table.columns["bad"].sum())


AVAILABILITY = [
    pytest.param([{}], (1, 0), id="a success is good"),
    pytest.param([{"status_code": 503}], (1, 1), id="a server error is bad"),
    pytest.param([{"status_code": 429}], (1, 1), id="our rate limit is bad"),
    pytest.param([{"status_code": 400}], (0, 0), id="a client error is no valid request"),
    pytest.param([{"status_code": 499}], (0, 0), id="a client that left is no valid request"),
    pytest.param(
        [{"status_code": 500, "is_final": False}, {"is_retry": True}],
        (1, 0),
        id="an attempt that was retried is left out",
    ),
    pytest.param(
        [{"status_code": 504, "deadline_missed": True}],
        (0, 0),
        id="a missed deadline was counted by its signal",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), AVAILABILITY)
def test_availability_counts_final_valid_requests(
    changes: list[dict[str, Any]], expected: tuple[int, int]
) -> None:
    assert total_and_bad(counted(slo(), *changes)) == expected


LATENCY = [
    pytest.param({"ttft_ms": 2000.0}, (1, 0), id="at the threshold is good"),
    pytest.param({"ttft_ms": 2000.001}, (1, 1), id="a microsecond over it is bad"),
    pytest.param({}, (0, 0), id="without the duration it is not counted"),
    pytest.param({"ttft_ms": 9.0, "status_code": 500}, (0, 0), id="failures are availability's"),
    pytest.param(
        {"ttft_ms": 2500.0, "deadline_missed": True}, (0, 0), id="slow and signalled counts once"
    ),
    pytest.param(
        {"ttft_ms": 10.0, "deadline_missed": True}, (1, 0), id="another deadline was missed"
    ),
]


@pytest.mark.parametrize(("change", "expected"), LATENCY)
def test_latency_is_compared_exactly(change: dict[str, Any], expected: tuple[int, int]) -> None:
    indicator = Latency(duration=Duration.TTFT, threshold_us=2_000_000)
    assert total_and_bad(counted(slo(indicator=indicator), change)) == expected


def test_failed_requests_count_as_slow_where_asked() -> None:
    indicator = Latency(duration=Duration.E2E, threshold_us=1000, counts_failed=True)
    table = counted(slo(indicator=indicator), {"status_code": 500}, {"e2e_ms": 1.0}, {})
    assert total_and_bad(table) == (2, 1)


def test_gaps_between_tokens_are_judged_by_their_mean() -> None:
    indicator = Latency(duration=Duration.ITL, threshold_us=10_000)
    even = {"itl": {"count": 4, "sum_ms": 40.0}}
    over = {"itl": {"count": 4, "sum_ms": 40.001}}
    assert total_and_bad(counted(slo(indicator=indicator), even, over)) == (2, 1)


def test_a_request_is_dear_by_its_own_cost() -> None:
    indicator = Cost(per=CostPer.REQUEST, threshold_usd=Decimal("0.01"))
    table = counted(
        slo(indicator=indicator), {"price_cost": 0.01}, {"price_cost": 0.010001}, {"price_cost": 1}
    )
    assert total_and_bad(table) == (3, 2)
    assert table.columns["cost_usd"].tolist() == [1_020_001_000_000]


def test_groups_and_selection_divide_what_is_counted() -> None:
    definition = slo(
        workspace="acme",
        selector=(Matcher("model", "m-.*", is_regex=True),),
        group_by=("model", "team_id", "stream"),
    )
    acme = {"workspace_id": "acme"}
    table = counted(
        definition,
        {**acme, "model": "m-1", "team_ids": ["red", "blue"], "stream": True},
        {**acme, "model": "m-1", "team_ids": ["red"], "stream": True, "status_code": 500},
        {**acme, "model": "m-2"},
        {**acme, "model": "other"},
        {"workspace_id": "umbrella", "model": "m-1"},
    )
    assert table.name == "acme/s"
    assert dict(zip(table.groups, table.columns["total"].tolist(), strict=True)) == {
        ("m-1", "red", "true"): 2,
        ("m-2", "", "false"): 1,
    }


def test_cells_are_ten_seconds_of_the_end_of_a_request() -> None:
    table = counted(slo(), {"ts_end": NOW_US + 9_999_999}, {"ts_end": NOW_US - 1})
    assert sorted(table.cells_s.tolist()) == [CELL_S - 10, CELL_S]


def test_callers_that_fail_are_told_apart_and_unknown_ones_say_nothing() -> None:
    one = counted(slo(), *({"status_code": 500, "user_id": "u1"} for _ in range(3)))
    two = counted(slo(), *({"status_code": 500, "user_id": u} for u in ("u1", "u2")))
    none = counted(slo(), {"status_code": 500}, {"user_id": "u9"})
    assert one.columns["principal_low"].tolist() == one.columns["principal_high"].tolist()
    assert two.columns["principal_low"].tolist() < two.columns["principal_high"].tolist()
    assert none.columns["principal_low"].tolist() == [NO_PRINCIPAL_LOW]
    assert none.columns["principal_high"].tolist() == [NO_PRINCIPAL_HIGH]


def signal(request_id: str = "r", deadline: str = "e2e", deadline_ms: float = 5000.0) -> Any:
    return InferenceSignal.model_validate(
        {"event_id": f"{request_id}-{deadline}", "request_id": request_id, "ts": NOW_US,
         "deadline": deadline, "deadline_ms": deadline_ms, "model": "m", "stream": True}
    )  # fmt: skip


def signalled(definition: Slo, *signals: InferenceSignal, first: list[bool]) -> CountTable | None:
    return count_slo_signals(definition, SignalView(list(signals), np.array(first)))


def test_a_request_that_missed_two_deadlines_is_bad_once() -> None:
    table = signalled(
        slo(group_by=("model",)), signal(), signal(deadline="ttft"), first=[True, False]
    )
    assert table is not None
    assert (table.groups, total_and_bad(table)) == ((("m",),), (1, 1))


@pytest.mark.parametrize(
    ("deadline", "deadline_ms", "bad"),
    [("ttft", 2000.0, 1), ("ttft", 1999.0, 0), ("e2e", 9000.0, 0)],
    ids=["its own deadline", "a stricter deadline proves nothing", "another duration"],
)
def test_a_signal_is_bad_for_latency_only_where_it_proves_it(
    deadline: str, deadline_ms: float, bad: int
) -> None:
    indicator = Latency(duration=Duration.TTFT, threshold_us=2_000_000)
    missed = signal(deadline=deadline, deadline_ms=deadline_ms)
    table = signalled(slo(indicator=indicator), missed, first=[True])
    assert table is not None
    assert total_and_bad(table) == (bad, bad)


def test_signals_say_nothing_of_cost() -> None:
    indicator = Cost(per=CostPer.REQUEST, threshold_usd=Decimal(1))
    assert signalled(slo(indicator=indicator), signal(), first=[True]) is None


def test_isolation_counts_realtime_by_duration_and_batch_beside() -> None:
    table = counted(
        slo(indicator=BatchIsolation()),
        {"e2e_ms": 10.0}, {"e2e_ms": 10.0}, {"e2e_ms": 99.0},
        {"e2e_ms": 5.0, "traffic_class": "batch"}, {"e2e_ms": 5.0, "traffic_class": "background"},
    )  # fmt: skip
    assert table.columns["total"].tolist() == [3]
    assert table.columns[BATCH_REQUESTS].tolist() == [1]
    assert sorted(table.bins[DURATION_BINS].counts.tolist()) == [1, 2]


def test_measures_are_those_of_the_views() -> None:
    columns = events(
        {"input_tokens": 5, "price_cost": 0.5, "e2e_ms": 3.0, "cold_start": True},
        {"input_tokens": 7, "price_cost": 0.25, "is_final": False},
        {"model": "other"},
    )
    wanted = MeasureCount(
        workspace="", service="s", name="b", group_by=("model",), selector=(Matcher("model", "m"),),
        needs=("input_tokens", "cost_usd", "attempts", "requests", "cold_starts", "e2e_bins", "images"),
    )  # fmt: skip
    costs = price_columns(PriceBook("test", ()), columns)
    table = count_measures(wanted, EventView(columns), measure(columns, costs))
    assert table.groups == (("m",),)
    found = {name: column.tolist() for name, column in table.columns.items()}
    assert found == {
        "input_tokens": [12], "cost_usd": [750_000_000_000], "attempts": [2], "requests": [1],
        "cold_starts": [1], "images": [0],
    }  # fmt: skip
    assert table.bins["e2e_bins"].counts.tolist() == [1]


def test_the_digest_tells_what_is_counted_not_how_it_alarms() -> None:
    same = slo(objective=Decimal("0.9"), keep_firing_s=5)
    assert slo_digest(slo()) == slo_digest(same)
    others = [slo(group_by=("model",)), slo(workspace="w"), slo(selector=(Matcher("model", "m"),)),
              slo(indicator=Availability(bad=frozenset({"5xx"})))]  # fmt: skip
    assert len({slo_digest(one) for one in [slo(), *others]}) == 5
