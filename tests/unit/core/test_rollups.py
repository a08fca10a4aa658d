"""Roll-ups against the oracle: counts, tokens and money exact, percentiles within the bound."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core import bins
from inferometer.core.admission import admit
from inferometer.core.columns import CodeColumn
from inferometer.core.cubes import (
    RESOLUTION_1H,
    RESOLUTION_1M,
    RESOLUTION_10S,
    SERVICE,
    USAGE,
    Cube,
    Resolution,
)
from inferometer.core.door import DoorPolicy, complete
from inferometer.core.price_columns import CostColumns
from inferometer.core.records import RecordColumns
from inferometer.core.rollups import Delta, Measured, aggregate, coarsen, measure, to_arrow
from inferometer.core.sketches import SketchColumns, bins_of_us
from tests.oracle.account import SERVICE as SERVICE_NAMES
from tests.oracle.account import USAGE as USAGE_NAMES
from tests.oracle.account import account, quantile_us

NOW_US = 1_763_690_000_000_000
POLICY = DoorPolicy(now_us=NOW_US, retention_us=10**13, future_tolerance_us=300_000_000)
QUANTILES = (0.0, 0.5, 0.75, 0.9, 0.99, 0.999, 1.0)


def random_event(rnd: random.Random, number: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        "event_id": f"e-{number}",
        "request_id": f"r-{number // 2}",
        "ts_end": NOW_US - rnd.randrange(3 * 3600 * 10**6),
        "model": rnd.choice(["a", "b", "c"]),
        "provider": rnd.choice(["p", ""]),
        "region": rnd.choice(["eu", "us"]),
        "user_id": f"u{rnd.randrange(6)}",
        "status_code": rnd.choice([200, 200, 200, 429, 499, 404, 500, 302]),
        "is_final": rnd.random() < 0.8,
        "input_tokens": rnd.randrange(5000),
        "output_tokens": rnd.randrange(4),
        "images": rnd.randrange(3),
    }
    event["cache_read_tokens"] = rnd.randrange(event["input_tokens"] + 1)
    if rnd.random() < 0.7:
        event["team_ids"] = [f"t{rnd.randrange(3)}", "t9"]
    if rnd.random() < 0.9:
        e2e = rnd.choice([0.0, 0.001, 0.25, 1.0, rnd.lognormvariate(6, 3)])
        event["e2e_ms"] = round(e2e, 4)
        event["ttft_ms"] = round(rnd.random() * event["e2e_ms"], 4)
        event["queue_ms"] = round(rnd.expovariate(1.0), 3)
    return event


def measured(events: list[dict[str, Any]]) -> Measured:
    records = RecordColumns.from_values([json.dumps(event).encode() for event in events])
    admission = admit(records, POLICY)
    assert not admission.dead_letters
    columns = admission.select(np.arange(len(events)))
    complete(columns.numbers)
    count = len(events)
    costs = CostColumns(
        {"price_cost": np.full(count, 10**17, dtype=np.int64)},
        {"cost_status": CodeColumn(np.zeros(count, dtype=np.int32), ("unpriced",))},
    )
    return measure(columns, costs)


def deltas(item: Measured, cube: Cube) -> list[tuple[Resolution, Delta]]:
    finest, *coarser = cube.resolutions
    found = [(finest, aggregate(item, cube, finest))]
    for resolution in coarser:
        found.append((resolution, coarsen(found[-1][1], resolution)))
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("cube", "names"), [(SERVICE, SERVICE_NAMES), (USAGE, USAGE_NAMES)])
def test_every_row_of_every_resolution_equals_the_oracle(
    cube: Cube, names: tuple[str, ...], seed: int
) -> None:
    rnd = random.Random(seed)
    events = [random_event(rnd, number) for number in range(rnd.choice([1, 7, 400]))]
    for resolution, delta in deltas(measured(events), cube):
        expected = account(events, window_s=resolution.seconds, names=names, prices={})
        rows = to_arrow(delta).to_pylist()
        assert len(rows) == len(expected)
        for row in rows:
            group = expected[(int(row["window_start"].timestamp()), *(row[name] for name in names))]
            for name, value in group.counts.items():
                assert row.get(name, 0) == value, name
            assert row["cost_usd"] == Decimal(100_000) * group.counts["attempts"]
            for name, exact in group.durations_us.items():
                assert row.get(f"{name}_us_sum", 0) == sum(exact)
                assert row[f"{name}_count"] == len(exact)
                sketch = dict(row[f"{name}_bins"])
                for q in QUANTILES:
                    wanted = quantile_us(exact, q) / 1000
                    found = bins.quantile_ms(sketch, q)
                    assert found is not None
                    assert abs(found - wanted) <= bins.ALPHA * wanted + 1e-9


@settings(max_examples=200)
@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=50))
def test_a_quantile_is_within_alpha_of_the_exact_one(values: list[int]) -> None:
    sketch = bins.merge({bins.bin_of_us(value): 1} for value in values)
    for q in QUANTILES:
        found = bins.quantile_ms(sketch, q)
        wanted = quantile_us(values, q) / 1000
        assert found is not None
        assert abs(found - wanted) <= (bins.ALPHA + 1e-9) * wanted + 1e-9


@given(st.lists(st.integers(0, 2**53), min_size=1, max_size=200))
def test_the_vectorised_bins_equal_the_scalar_ones(values: list[int]) -> None:
    assert bins_of_us(np.array(values)).tolist() == [bins.bin_of_us(value) for value in values]


def test_bins_at_powers_of_gamma_hold_their_bound() -> None:
    for power in range(1, 4000, 7):
        edge = round(bins.GAMMA**power)
        for value in (edge - 1, edge, edge + 1):
            middle = bins.bin_middle_us(bins.bin_of_us(value))
            assert abs(middle - value) <= bins.ALPHA * value * (1 + 1e-9)


items = st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 60), st.integers(1, 5)), max_size=120)


@given(items)
def test_grouped_sketches_equal_counting_one_by_one(entries: list[tuple[int, int, int]]) -> None:
    expected: dict[int, dict[int, int]] = {group: {} for group in range(5)}
    for group, index, weight in entries:
        expected[group][index] = expected[group].get(index, 0) + weight
    found = SketchColumns.build(
        ids=np.array([entry[0] for entry in entries], dtype=np.int32),
        bins=np.array([entry[1] for entry in entries], dtype=np.int16),
        weights=np.array([entry[2] for entry in entries], dtype=np.int64),
        groups=5,
    ).to_arrow()
    assert [found[group].as_py() for group in range(5)] == [
        sorted(expected[group].items()) for group in range(5)
    ]


@given(items, items)
def test_merging_is_free_of_order(
    left: list[tuple[int, int, int]], right: list[tuple[int, int, int]]
) -> None:
    def sketch(entries: list[tuple[int, int, int]]) -> dict[int, int]:
        return bins.merge({index: weight} for _, index, weight in entries)

    merged = bins.merge([sketch(left), sketch(right)])
    assert merged == bins.merge([sketch(right), sketch(left)]) == sketch(left + right)


def test_sums_of_money_beyond_64_bits_stay_exact() -> None:
    events = [
        {"event_id": f"{n}", "request_id": "r", "ts_end": NOW_US, "model": "m", "status_code": 200}
        for n in range(1000)
    ]
    table = to_arrow(aggregate(measured(events), SERVICE, RESOLUTION_10S))
    assert table["cost_usd"].to_pylist() == [Decimal(100_000_000)]
    assert table.schema.field("cost_usd").type == pa.decimal128(38, 12)


def test_windows_that_do_not_merge_keep_their_rows() -> None:
    rnd = random.Random(1)
    delta = aggregate(measured([random_event(rnd, 1)]), SERVICE, RESOLUTION_10S)
    minute = coarsen(delta, RESOLUTION_1M)
    hour = coarsen(minute, RESOLUTION_1H)
    assert len(delta) == len(minute) == len(hour) == 1
    assert hour.windows_s[0] % 3600 == 0
    assert hour.sums == delta.sums
