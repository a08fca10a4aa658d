from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.core.bins import ALPHA, bin_of_us, quantile_ms
from inferometer.core.cubes import CLASS_MEASURES, CUBES, SERVICE, SKETCHES, Cube, Resolution
from inferometer.core.events import status_class
from tests.integration.clickhouse_seed import Event, Seed, seeded_store, window_of

if TYPE_CHECKING:
    from collections.abc import Iterator

VIEWS = [(cube, resolution) for cube in CUBES for resolution in cube.resolutions]


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    with seeded_store(tmp_path_factory.mktemp("views")) as seeded:
        yield seeded


def grouped(seed: Seed, cube: Cube, seconds: int) -> dict[tuple[Any, ...], list[Event]]:
    groups: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for event in seed.events:
        values = {**event, "status_class": status_class(event["status_code"])}
        key = [values.get(dimension.name, "") for dimension in cube.dimensions]
        groups[(window_of(event, seconds), *key)].append(event)
    return groups


def exact_ms(events: list[Event], name: str) -> list[float]:
    return sorted(
        e["durations"][name] / 1e3 for e in events if e["is_final"] and name in e["durations"]
    )


@pytest.mark.parametrize(("cube", "resolution"), VIEWS)
def test_a_view_has_one_row_a_window_and_group_while_nothing_is_merged(
    seed: Seed, cube: Cube, resolution: Resolution
) -> None:
    groups = grouped(seed, cube, resolution.seconds)
    rows = seed.rows(f"SELECT * FROM {cube.name}_{resolution.name}")
    assert len(rows) == len(groups)
    for row in rows:
        key = (row["window_start"], *(row[dimension.name] for dimension in cube.dimensions))
        events = groups[key]
        final = [event for event in events if event["is_final"]]
        assert row["attempts"] == len(events)
        assert row["requests"] == len(final)
        assert sum(row[measure] for measure in CLASS_MEASURES.values()) == len(final)
        assert row["input_tokens"] == sum(event["tokens"][0] for event in events)
        assert row["images"] == sum(event["images"] for event in events)
        assert row["audio_s"] == sum(event["audio_out_us"] for event in events) / 1e6
        assert row["cost_usd"] == sum(Decimal(event["pico"]).scaleb(-12) for event in events)
        assert row["unpriced_requests"] == sum(event["is_unpriced"] for event in events)
        assert row["rps"] == len(final) / resolution.seconds
        for name in ("ttft", "e2e"):
            exact = exact_ms(events, name)
            assert row[f"{name}_ms_count"] == len(exact)
            assert row[f"{name}_ms_sum"] == pytest.approx(sum(exact), rel=1e-12)
            if not exact:
                assert row[f"{name}_p99_ms"] is None
            else:
                wanted = exact[min(len(exact) - 1, int(0.99 * len(exact)))]
                assert row[f"{name}_p99_ms"] == pytest.approx(wanted, rel=ALPHA + 1e-9, abs=1e-12)


@pytest.mark.parametrize("q", [0.0, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize(("cube", "resolution"), VIEWS)
def test_percentiles_of_the_whole_span_are_equal_at_any_roll_up(
    seed: Seed, cube: Cube, resolution: Resolution, q: float
) -> None:
    view = f"{cube.name}_{resolution.name}"
    for name in ("ttft", "e2e"):
        bins: dict[int, int] = defaultdict(int)
        for value in exact_ms(seed.events, name):
            bins[bin_of_us(round(value * 1000))] += 1
        (row,) = seed.rows(f"SELECT quantile_ms(sumMap({name}_bins), {q!r}) AS v FROM {view}")
        assert row["v"] == pytest.approx(quantile_ms(bins, q), rel=1e-12)


def test_the_rows_table_answers_sums_as_its_view_does(seed: Seed) -> None:
    text = "SELECT model, sum(requests), sum(cost_usd), quantile_ms(sumMap(e2e_bins), 0.9) FROM {} "
    ask = seed.connection.reader().query
    by_view = ask(text.format("service_10s") + "GROUP BY model ORDER BY model").result_rows
    by_rows = ask(text.format("service_10s_rows") + "GROUP BY model ORDER BY model").result_rows
    assert by_view == by_rows


def test_log_and_every_roll_up_have_the_same_totals(seed: Seed) -> None:
    text = "SELECT {} AS attempts, sum(input_tokens) AS tokens, sum(cost_usd) AS usd FROM {}"
    (log,) = seed.rows(text.format("count()", "requests"))
    for cube, resolution in VIEWS:
        view = f"{cube.name}_{resolution.name}"
        (total,) = seed.rows(text.format("sum(attempts)", view))
        assert total == log


@pytest.mark.parametrize("resolution", SERVICE.resolutions)
def test_model_views_count_every_status_and_time_successes_only(
    seed: Seed, resolution: Resolution
) -> None:
    groups: dict[tuple[Any, ...], list[Event]] = defaultdict(list)
    for event in seed.events:
        groups[(window_of(event, resolution.seconds), event["model"])].append(event)
    rows = seed.rows(f"SELECT * FROM model_{resolution.name}")
    assert len(rows) == len(groups)
    for row in rows:
        final = [e for e in groups[row["window_start"], row["model"]] if e["is_final"]]
        good = [event for event in final if event["status_code"] == 200]
        assert row["rps"] == len(final) / resolution.seconds
        if final:
            assert row["success_ratio"] == len(good) / len(final)
            assert row["error_ratio"] == pytest.approx(1 - len(good) / len(final))
        assert row["ttft_ms_count"] == len(exact_ms(good, "ttft"))


@pytest.mark.parametrize("view", ["service_10s", "service_1m", "service_1h"])
def test_conditions_reach_the_table_below_the_sums(seed: Seed, view: str) -> None:
    text = (
        f"EXPLAIN indexes = 1 SELECT max(ttft_p99_ms) FROM {view} "
        "WHERE window_start >= now() - 600 AND model = 'm' AND workspace_id = 'w'"
    )
    plan = "\n".join(str(row[0]) for row in seed.connection.reader().query(text).result_rows)
    key = plan[plan.index("PrimaryKey") :]
    for column in ("window_start", "model", "workspace_id"):
        assert column in key


def test_columns_that_nobody_asked_for_are_not_read(seed: Seed) -> None:
    text = "EXPLAIN header = 1 SELECT max(ttft_p99_ms) FROM service_1m"
    plan = "\n".join(str(row[0]) for row in seed.connection.reader().query(text).result_rows)
    read = plan[plan.index("ReadFromMergeTree") :]
    assert "ttft_bins" in read
    for sketch in set(SKETCHES) - {"ttft"}:
        assert f"{sketch}_bins" not in read
    assert "cost_usd" not in read


def test_a_watermark_never_falls_and_an_old_run_does_not_hold_it_back(seed: Seed) -> None:
    rows = seed.rows("SELECT * FROM freshness ORDER BY kafka_partition")
    assert [row["stream_id"] for row in rows] == ["run", "run"]
    first, second = rows
    assert first["watermark"] > second["watermark"]
    assert first["overall_watermark"] == second["overall_watermark"] == second["watermark"]
    assert first["final_before_1m"] == second["watermark"].replace(second=0)
    assert first["final_before_10s"] == second["watermark"].replace(second=50)
    assert first["final_before_1h"] == second["watermark"].replace(minute=0, second=0)


def test_a_ledger_row_brings_its_watermark(seed: Seed) -> None:
    # The seeded ledger row is older in event time than what idle partitions said: it takes nothing
    # back, and it tells when the partition was last heard of.
    (ledger,) = seed.rows("SELECT decided_at FROM chunk_ledger")
    (row,) = seed.rows("SELECT updated_at FROM freshness WHERE kafka_partition = 0")
    assert row["updated_at"] == ledger["decided_at"]


def test_unpriced_models_are_counted_with_all_their_usage(seed: Seed) -> None:
    events = [event for event in seed.events if event["is_unpriced"]]
    (row,) = seed.rows("SELECT * FROM unpriced_models")
    assert (row["provider"], row["model"]) == ("acme", "whale-tts")
    assert row["attempts"] == row["unpriced_requests"] == len(events)
    assert row["output_tokens"] == sum(event["tokens"][1] for event in events)
