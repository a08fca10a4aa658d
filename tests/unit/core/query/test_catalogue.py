"""Names of measures: those that are fixed, and those that describe a duration."""

from __future__ import annotations

import pytest

from inferometer.core.cubes import DURATIONS, SKETCHES
from inferometer.core.cubes import MEASURES as CUBE_MEASURES
from inferometer.core.query.catalogue import (
    MEASURES,
    UnknownMeasureError,
    is_sum,
    measure,
    relations_of,
)
from inferometer.core.query.measures import (
    Mean,
    Measure,
    Quantile,
    Rate,
    Ratio,
    ShareBelow,
    Sum,
    Sums,
    Unit,
)

PROMISED = """
requests attempts successes failures errors_4xx rate_limited client_aborted errors_5xx errors_other
rps rpm tpm input_tpm output_tpm success_ratio failure_ratio error_4xx_ratio rate_limited_ratio
client_aborted_ratio error_5xx_ratio retry_inflation input_tokens output_tokens
uncached_input_tokens cache_read_tokens cache_write_5m_tokens cache_write_1h_tokens
audio_input_tokens image_input_tokens video_input_tokens text_output_tokens reasoning_tokens
audio_output_tokens image_output_tokens total_tokens images characters audio_s audio_in_s video_s
gpu_s egress_bytes cold_starts cache_hits deadlines_missed cold_start_ratio cache_hit_ratio cost_usd
cost_per_request_usd cost_per_1k_requests_usd cost_per_success_usd cost_per_million_tokens_usd
cost_per_minute_usd unpriced_requests partially_priced_requests cost_input_usd cost_output_usd
cost_cache_read_usd cost_cache_write_usd cost_reasoning_usd cost_other_usd
"""


def columns_of(asked: Measure) -> tuple[str, ...]:
    match asked.form:
        case Sum(column):
            return (column,)
        case Sums(columns) | Rate(columns):
            return columns
        case Ratio(over, under):
            return (*over, *under)
        case Mean(duration) | Quantile(duration) | ShareBelow(duration):
            return (f"{duration}_us_sum",)


@pytest.mark.parametrize("name", PROMISED.split())
def test_every_promised_measure_is_there(name: str) -> None:
    assert measure(name).name == name


@pytest.mark.parametrize("duration", DURATIONS)
def test_every_duration_has_a_mean(duration: str) -> None:
    assert measure(f"{duration}_mean_ms").form == Mean(duration)


def test_names_are_unique() -> None:
    names = [each.name for each in MEASURES]
    assert len(names) == len(set(names))


def test_a_measure_of_cubes_is_made_of_columns_of_cubes() -> None:
    for each in MEASURES:
        is_of_cubes = set(columns_of(each)) <= set(CUBE_MEASURES)
        assert is_of_cubes is not each.is_from_log_only, each.name


def test_a_measure_says_what_it_is() -> None:
    for each in MEASURES:
        assert each.definition.endswith("."), each.name
        assert each.label, each.name
        assert len(each.definition) > 20, each.name


def test_each_sketch_has_its_usual_quantiles_and_a_share() -> None:
    for sketch in SKETCHES:
        listed = [each.name for each in MEASURES if each.name.startswith(f"{sketch}_")]
        assert {f"{sketch}_p50_ms", f"{sketch}_p99_ms"} <= set(listed)
        assert any("_share_below_" in name for name in listed)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("ttft_p99_ms", Quantile("ttft", 0.99)),
        ("ttft_p99.9_ms", Quantile("ttft", 0.999)),
        ("itl_p7_ms", Quantile("itl", 0.07)),
        ("e2e_p0_ms", Quantile("e2e", 0.0)),
        ("queue_p100_ms", Quantile("queue", 1.0)),
        ("e2e_share_below_500ms", ShareBelow("e2e", 500.0)),
        ("tpot_share_below_0.5ms", ShareBelow("tpot", 0.5)),
    ],
)
def test_a_name_describes_a_quantile_or_a_share(name: str, form: Quantile | ShareBelow) -> None:
    assert measure(name).form == form


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("requets", "did you mean requests?"),
        ("e2e_p101_ms", "0 to 100"),
        ("tttft_p50_ms", "did you mean ttft?"),
        ("ttfa_p50_ms", "ttfa_mean_ms"),
        ("latency_mean_ms", "known: queue"),
        ("e2e_p99.1234_ms", "did you mean e2e_p99_ms?"),
        ("q" * 500, "/api/v1/measures"),
        ("", "/api/v1/measures"),
        ("'; DROP TABLE requests --", "no measure is called"),
    ],
)
def test_an_unknown_name_is_answered_with_what_to_write(name: str, says: str) -> None:
    with pytest.raises(UnknownMeasureError) as caught:
        measure(name)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 250


def test_what_only_the_log_has_says_so() -> None:
    assert relations_of(measure("cost_input_usd")) == ("requests",)
    assert relations_of(measure("cost_usd")) == ("service", "usage", "requests")


def test_sums_add_up_and_ratios_do_not() -> None:
    assert is_sum(measure("failures"))
    assert not is_sum(measure("rps"))
    assert not is_sum(measure("success_ratio"))


def test_a_share_of_failures_is_worse_when_higher_and_money_is_in_dollars() -> None:
    assert measure("failure_ratio").higher_is_worse is True
    assert measure("success_ratio").higher_is_worse is False
    assert measure("cost_usd").unit is Unit.USD
