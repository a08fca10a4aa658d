"""The whole pipeline against the oracle: every window, group and resolution of every cube."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.settings import StoreSettings
from inferometer.core import bins
from tests.oracle.account import SERVICE, USAGE, Group, account, quantile_us

pytestmark = pytest.mark.integration

PRICES = {
    ("acme", "alpha"): {
        "uncached_input_tokens": Decimal("0.20"),
        "cache_read_tokens": Decimal("0.0212345678"),
        "text_output_tokens": Decimal("0.60"),
        "reasoning_tokens": Decimal("0.071428571"),
    },
    ("acme", "beta"): {
        "uncached_input_tokens": Decimal("5"),
        "cache_read_tokens": Decimal("1.25"),
        "text_output_tokens": Decimal("40"),
        "reasoning_tokens": Decimal("40"),
        "images": Decimal("0.04"),
    },
}
"""USD a million of each bucket, USD an image; the model gamma has no price."""

QUANTILES = (0.5, 0.75, 0.9, 0.99)
RELATIONS = [
    ("service_10s", 10, SERVICE),
    ("service_1m", 60, SERVICE),
    ("service_1h", 3600, SERVICE),
    ("usage_1m", 60, USAGE),
    ("usage_1h", 3600, USAGE),
]
COUNTED = (
    "attempts", "requests", "successes", "errors_4xx", "rate_limited", "client_aborted",
    "errors_5xx", "errors_other", "input_tokens", "output_tokens", "uncached_input_tokens",
    "cache_read_tokens", "text_output_tokens", "reasoning_tokens", "images", "characters",
    "unpriced_requests",
)  # fmt: skip


def price_file(folder: Path) -> Path:
    entries = [
        {
            "provider": provider,
            "model": model,
            "unit": unit,
            ("usd_per_unit" if unit == "images" else "usd_per_mtok"): str(rate),
        }
        for (provider, model), rates in PRICES.items()
        for unit, rate in rates.items()
    ]
    path = folder / "prices.json"
    path.write_text(
        json.dumps({"format": "inferometer.prices.v1", "label": "test", "prices": entries})
    )
    return path


def duration(rnd: random.Random) -> float:
    """Return milliseconds: zero, exact bin edges, below a microsecond, and the usual."""
    edge = bins.GAMMA ** rnd.randrange(2000) / 1000
    return rnd.choice([0.0, 0.001, 0.0004, 0.25, edge, rnd.lognormvariate(6, 2)])


def synthetic(seed: int, count: int) -> list[dict[str, Any]]:
    rnd = random.Random(seed)
    now_us = int(time.time() * 1_000_000)
    events = []
    for number in range(count):
        model = rnd.choice(["alpha", "alpha", "beta", "gamma"])
        event: dict[str, Any] = {
            "event_id": f"{seed}-{number}",
            "request_id": f"r-{seed}-{number // 3}",
            "ts_end": now_us - rnd.randrange(3 * 3600 * 10**6),
            "provider": "acme",
            "model": model,
            "region": rnd.choice(["eu", "us", ""]),
            "user_id": f"u{min(int(rnd.expovariate(0.3)), 40)}",
            "status_code": rnd.choice([200] * 9 + [429, 499, 404, 500, 302]),
            "is_final": rnd.random() < 0.85,
            "input_tokens": rnd.randrange(200_000),
            "output_tokens": rnd.randrange(3000) if rnd.random() < 0.8 else rnd.randrange(3),
        }
        event["cache_read_tokens"] = rnd.randrange(event["input_tokens"] + 1)
        event["reasoning_tokens"] = rnd.randrange(event["output_tokens"] + 1)
        if model == "beta":
            event["images"] = rnd.randrange(4)
        if rnd.random() < 0.7:
            event["team_ids"] = [f"t{rnd.randrange(4)}", "t9"]
        if rnd.random() < 0.9:
            event["e2e_ms"] = duration(rnd)
            event["ttft_ms"] = rnd.random() * event["e2e_ms"]
        if rnd.random() < 0.5:
            event["queue_ms"] = duration(rnd)
        events.append(event)
    return events


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exactness")


@pytest.fixture(scope="module")
def replayed(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Events as they stand in the store, and what the replay said of them."""
    import os
    import subprocess
    import sys

    events = synthetic(seed=5, count=4000)
    trace = folder / "events.jsonl"
    trace.write_text("\n".join(json.dumps(event) for event in events))
    done = subprocess.run(
        [sys.executable, "-m", "inferometer", "replay", str(trace), "--format", "events",
         "--data", str(folder / "data"), "--json"],
        env={**os.environ, "INFEROMETER_PRICES_SOURCE": "none",
             "INFEROMETER_PRICES_OVERLAY_FILE": str(price_file(folder))},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return events, json.loads(done.stdout, parse_float=Decimal)


@pytest.fixture(scope="module")
def store(folder: Path, replayed: object) -> Iterator[StoreConnection]:
    with StoreConnection(StoreSettings(data_dir=folder / "data"), create=False) as connection:
        yield connection


@pytest.fixture(scope="module")
def shifted(
    store: StoreConnection, replayed: tuple[list[dict[str, Any]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """The events with the times that the replay gave them: all moved by one distance."""
    events, _ = replayed
    latest = store.reader().query("SELECT toUnixTimestamp64Micro(max(ts_end)) FROM requests")
    by_us = latest.result_rows[0][0] - max(event["ts_end"] for event in events)
    return [{**event, "ts_end": event["ts_end"] + by_us} for event in events]


def rows(store: StoreConnection, relation: str) -> list[dict[str, Any]]:
    query = f"SELECT *, toUnixTimestamp(window_start) AS starts_s FROM {relation}"
    return list(store.reader().query(query).named_results())


@pytest.mark.parametrize(
    ("relation", "window_s", "names"), RELATIONS, ids=[item[0] for item in RELATIONS]
)
def test_every_row_of_the_relation_equals_the_oracle(
    store: StoreConnection,
    shifted: list[dict[str, Any]],
    relation: str,
    window_s: int,
    names: tuple[str, ...],
) -> None:
    expected = account(shifted, window_s=window_s, names=names, prices=PRICES)
    found = rows(store, relation)
    assert len(found) == len(expected)
    for row in found:
        group = expected[(row["starts_s"], *(row[name] for name in names))]
        assert {name: row[name] for name in COUNTED} == {
            name: group.counts.get(name, 0) for name in COUNTED
        }
        assert row["cost_usd"] == group.cost_usd
        assert_durations(row, group)


def assert_durations(row: dict[str, Any], group: Group) -> None:
    for name in ("ttft", "e2e", "tpot", "queue"):
        exact = group.durations_us.get(name, [])
        assert row[f"{name}_ms_count"] == len(exact)
        assert row[f"{name}_ms_sum"] == pytest.approx(sum(exact) / 1000, rel=1e-12)
        for q in QUANTILES if exact else ():
            wanted = quantile_us(exact, q) / 1000
            found = bins.quantile_ms(row[f"{name}_bins"], q)
            assert found is not None
            assert abs(found - wanted) <= 0.005 * wanted + 1e-9


def test_the_sql_function_is_within_the_bound_for_every_grouping(
    store: StoreConnection, shifted: list[dict[str, Any]]
) -> None:
    for names in (("model",), ("region", "status_code"), ("provider",)):
        grouping = ", ".join(names)
        quantiles = ", ".join(f"quantile_ms(sumMap(e2e_bins), {q})" for q in QUANTILES)
        for relation in ("service_10s", "service_1m", "service_1h"):
            query = f"SELECT {grouping}, {quantiles} FROM {relation} GROUP BY {grouping}"
            expected = account(shifted, window_s=10**9, names=names, prices=PRICES)
            for row in store.reader().query(query).result_rows:
                values = expected[(10**9, *row[: len(names)])].durations_us["e2e"]
                for q, found in zip(QUANTILES, row[len(names) :], strict=True):
                    wanted = quantile_us(values, q) / 1000
                    assert abs(found - wanted) <= 0.005 * wanted + 1e-9


def test_the_log_holds_each_event_once_with_its_cost(
    store: StoreConnection, shifted: list[dict[str, Any]]
) -> None:
    query = "SELECT event_id, toUnixTimestamp64Micro(ts_end), price_cost, cost_status FROM requests"
    found = {row[0]: row[1:] for row in store.reader().query(query).result_rows}
    assert len(found) == len(shifted)
    for event in shifted:
        [group] = account([event], window_s=10, names=("model",), prices=PRICES).values()
        ts_end, cost, status = found[event["event_id"]]
        assert (ts_end, cost) == (event["ts_end"], group.cost_usd)
        assert (status == "unpriced") == (event["model"] == "gamma")


def test_all_resolutions_and_the_log_have_the_same_totals(store: StoreConnection) -> None:
    totals = {
        relation: store.reader()
        .query(
            "SELECT sum(attempts), sum(requests), sum(input_tokens), sum(output_tokens), "
            f"sum(cost_usd), sum(e2e_ms_count) FROM {relation}"
        )
        .result_rows[0]
        for relation, _, _ in RELATIONS
    }
    log = (
        store.reader()
        .query(
            "SELECT count(), countIf(is_final), sum(input_tokens), sum(output_tokens), "
            "sum(price_cost), countIf(is_final AND e2e_ms IS NOT NULL) FROM requests"
        )
        .result_rows[0]
    )
    assert {tuple(total) for total in totals.values()} == {tuple(log)}


def test_the_replay_says_what_the_store_holds(
    replayed: tuple[list[dict[str, Any]], dict[str, Any]], shifted: list[dict[str, Any]]
) -> None:
    events, said = replayed
    [whole] = account(shifted, window_s=10**9, names=(), prices=PRICES).values()
    assert said["produced"] == said["stored"] == len(events)
    assert (said["dead_lettered"], said["duplicates"]) == (0, 0)
    assert said["input_tokens"] == whole.counts["input_tokens"]
    assert said["output_tokens"] == whole.counts["output_tokens"]
    assert said["cost_usd"] == whole.cost_usd
    assert said["unpriced"] == whole.counts["unpriced_requests"]
    assert said["windows"] == len({event["ts_end"] // 10_000_000 for event in shifted})
    assert set(said["percentiles"]) == {"ttft_ms", "e2e_ms", "tpot_ms", "queue_ms"}
    for name in ("ttft", "e2e", "tpot", "queue"):
        for q in QUANTILES:
            found = float(said["percentiles"][f"{name}_ms"][f"p{round(q * 100)}"])
            wanted = quantile_us(whole.durations_us[name], q) / 1000
            assert abs(found - wanted) <= 0.005 * wanted + 1e-9
