from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from inferometer.core.events import InferenceRequest
from inferometer.core.price_import import ImportedPrices, exact_amount
from inferometer.core.price_import_genai import import_genai_prices
from inferometer.core.price_import_litellm import import_litellm
from inferometer.core.pricing import price_request

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def cost(found: ImportedPrices, at: str = "2026-01-01T12:00:00Z", **fields: Any) -> Decimal:
    ended = (datetime.fromisoformat(at) - EPOCH) // timedelta(microseconds=1)
    base = {"event_id": "e", "request_id": "r", "ts_end": ended, "status_code": 200}
    event = InferenceRequest.model_validate(base | {"provider": "acme", "model": "m"} | fields)
    breakdown = price_request(found.book(), event)
    assert breakdown.cost_status in {"priced", "zero_rated"}, breakdown
    return breakdown.price_cost_usd


def litellm(**entry: object) -> ImportedPrices:
    amounts = {
        key: Decimal(value) if isinstance(value, str) and "cost" in key else value
        for key, value in entry.items()
    }
    return import_litellm({"sample_spec": {}, "m": {"litellm_provider": "acme"} | amounts})


CHAT: dict[str, Any] = {
    "mode": "chat",
    "input_cost_per_token": "1.9e-08",
    "output_cost_per_token": "4e-06",
    "cache_read_input_token_cost": "1e-09",
    "cache_creation_input_token_cost": "3e-08",
    "cache_creation_input_token_cost_above_1hr": "5e-08",
    "output_cost_per_reasoning_token": "9e-06",
    "input_cost_per_token_above_200k_tokens": "2e-06",
    "input_cost_per_token_batches": "1e-08",
    "input_cost_per_token_above_200k_tokens_batches": "1e-06",
    "input_cost_per_token_flex": "7e-09",
    "input_cost_per_audio_token": "6e-06",
    "max_input_tokens": 1000,
}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 1}, "0.000000019"),
        ({"output_tokens": 3}, "0.000012"),
        ({"cache_read_tokens": 1}, "0.000000001"),
        ({"cache_write_5m_tokens": 1}, "0.00000003"),
        ({"cache_write_1h_tokens": 1}, "0.00000005"),
        ({"reasoning_tokens": 1}, "0.000009"),
        ({"audio_input_tokens": 1}, "0.000006"),
        ({"input_tokens": 200_001}, "0.400002"),
        ({"input_tokens": 1, "traffic_class": "batch"}, "0.00000001"),
        ({"input_tokens": 200_001, "traffic_class": "batch"}, "0.200001"),
    ],
    ids=str,
)
def test_litellm_keys_become_units_tiers_and_batch_prices(
    usage: dict[str, Any], expected: str
) -> None:
    assert cost(litellm(**CHAT), **usage) == Decimal(expected)


MODES = [
    ("whisper by the second", {"mode": "audio_transcription", "input_cost_per_second": "0.0001",
     "output_cost_per_second": "0"}, {"audio_in_seconds": 10.0}, "0.001"),
    ("whisper said twice", {"mode": "audio_transcription", "input_cost_per_second": "0.0001",
     "output_cost_per_second": "0.0001"}, {"audio_in_seconds": 10.0}, "0.001"),
    ("whisper by its other key", {"mode": "audio_transcription", "input_cost_per_second": "0",
     "output_cost_per_second": "0.0001"}, {"audio_in_seconds": 10.0}, "0.001"),
    ("speech by the character", {"mode": "audio_speech", "input_cost_per_character": "0.000015"},
     {"characters": 100}, "0.0015"),
    ("an image", {"mode": "image_generation", "output_cost_per_image": "0.06"},
     {"images": 2}, "0.12"),
    ("an image by its old key", {"mode": "image_generation", "input_cost_per_image": "0.06"},
     {"images": 2}, "0.12"),
    ("a video", {"mode": "video_generation", "output_cost_per_second": "0.1"},
     {"video_seconds": 4.0}, "0.4"),
    ("a rerank query", {"mode": "rerank", "input_cost_per_query": "0.001"},
     {"input_tokens": 9}, "0.001"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "usage", "expected"), [row[1:] for row in MODES], ids=[row[0] for row in MODES]
)
def test_litellm_modes_decide_what_a_key_bills(
    entry: dict[str, object], usage: dict[str, Any], expected: str
) -> None:
    assert cost(litellm(**entry), **usage) == Decimal(expected)


def test_litellm_ranges_hold_for_the_whole_request() -> None:
    ranges = [
        {"input_cost_per_token": Decimal("1e-6"), "range": [0, Decimal("256e3")]},
        {"input_cost_per_token": Decimal("3e-6"), "range": [Decimal("256e3"), Decimal("1e6")]},
    ]
    found = litellm(mode="chat", tiered_pricing=ranges)
    assert cost(found, input_tokens=256_000) == Decimal("0.256")
    assert cost(found, input_tokens=256_001) == Decimal("0.768003")


def test_litellm_leaves_nothing_out_in_silence() -> None:
    found = litellm(
        mode="chat", input_cost_per_token="1e-6", input_cost_per_token_priority="2e-6",
        ocr_cost_per_page="1", output_cost_per_token=[], input_cost_per_second="1",
        tiered_pricing=[{}], input_cost_per_token_cache_hit="1e-7",
        cache_read_input_token_cost="2e-7", output_cost_per_image="-1",
    )  # fmt: skip
    assert len(found.skipped) == 7
    assert set(found.examples) == set(found.skipped)
    assert found.models == 1
    assert len(found.entries) == 2


def test_litellm_second_price_of_a_unit_is_told() -> None:
    found = litellm(
        mode="audio_transcription", input_cost_per_second="1", output_cost_per_second="2"
    )
    assert list(found.skipped) == ["output_cost_per_second: a second price for audio_in_seconds"]
    both = litellm(mode="image_generation", input_cost_per_image="1", output_cost_per_image="2")
    assert cost(both, images=1) == 2


def test_litellm_entries_without_a_provider_are_counted() -> None:
    found = import_litellm({"m": {"litellm_provider": "acme"}, "odd": 3})
    assert (found.models, dict(found.skipped)) == (0, {"an entry without litellm_provider": 1})


@pytest.mark.parametrize("document", [{}, {"m": {}}, []], ids=str)
def test_another_file_is_not_taken_for_litellms(document: Any) -> None:
    with pytest.raises(ValueError, match="LiteLLM"):
        import_litellm(document)


def test_litellm_names_are_found_with_and_without_their_provider() -> None:
    amount = {"input_cost_per_token": Decimal(1)}
    found = import_litellm(
        {
            "gpt-4o": {"litellm_provider": "openai"} | amount,
            "azure/gpt-4o": {"litellm_provider": "azure"} | amount,
            "vertex_ai/gemini": {"litellm_provider": "vertex_ai-language-models"} | amount,
        }
    ).book()
    wanted = [
        ("azure.ai.openai", "gpt-4o", "azure"),
        ("azure", "azure/gpt-4o", "azure"),
        ("", "gpt-4o", "openai"),
        ("gcp.vertex_ai", "gemini", "vertex_ai-language-models"),
    ]
    for provider, model, expected in wanted:
        tariff = found.resolve(provider, model, 1)
        assert tariff is not None, (provider, model)
        assert tariff.provider == expected


def genai(prices: Any, **model: object) -> ImportedPrices:
    entry = {"id": "m", "match": {"equals": "m"}, "prices": prices} | model
    provider = {"id": "acme", "model_match": {"starts_with": "m"}, "models": [entry]}
    return import_genai_prices([provider])


FLAT = {"input_mtok": Decimal(3), "output_mtok": Decimal(15)}


def test_genai_tiers_hold_for_the_whole_request_above_their_start() -> None:
    tiered = {"base": Decimal(1), "tiers": [{"start": 200_000, "price": Decimal(2)}]}
    found = genai({"input_mtok": tiered})
    assert cost(found, input_tokens=200_000) == Decimal("0.2")
    assert cost(found, input_tokens=200_001) == Decimal("0.400002")


def test_genai_lists_hold_from_their_dates_and_the_first_before_any() -> None:
    found = genai(
        [
            {"prices": {"input_mtok": Decimal(9)}},
            {"constraint": {"start_date": "2026-03-01"}, "prices": {"input_mtok": Decimal(7)}},
            {"constraint": {"start_date": "2026-02-01"}, "prices": {"input_mtok": Decimal(8)}},
        ]
    )
    used = {"input_tokens": 1_000_000}
    days = ("2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")
    # As in the data's own rule, the last list in force wins, not the latest to start.
    assert [cost(found, day, **used) for day in days] == [9, 8, 8]


def test_genai_daily_windows_are_in_utc() -> None:
    found = genai(
        [
            {"prices": {"input_mtok": Decimal(1)}},
            {
                "constraint": {"start_time": "02:30:00+02:00", "end_time": "16:30:00Z"},
                "prices": {"input_mtok": Decimal(2)},
            },
        ]
    )
    used = {"input_tokens": 1_000_000}
    times = ("00:29:59", "00:30:00", "16:29:59", "16:30:00")
    assert [cost(found, f"2026-01-05T{t}Z", **used) for t in times] == [1, 2, 2, 1]


def test_genai_batch_variants_replace_single_prices_from_their_dates() -> None:
    found = genai(
        FLAT,
        price_variants=[
            {"when": {"processing": "batch"}, "prices": {"input_mtok": Decimal(2)},
             "constraint": {"start_date": "2026-02-01"}},
            {"when": {"processing": "batch"}, "prices": {"input_mtok": Decimal(1)},
             "constraint": {"start_date": "2026-01-01"}},
            {"when": {"service_tier": "flex"}, "prices": {"input_mtok": Decimal(1)}},
            {"when": {"service_tier": "default"}, "prices": {}},
        ],
    )  # fmt: skip
    used = {"input_tokens": 1_000_000, "output_tokens": 1_000_000, "traffic_class": "batch"}
    days = ("2025-12-31T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z")
    assert [cost(found, day, **used) for day in days] == [18, 16, 17]
    assert list(found.skipped) == ["variant service_tier=flex: events carry no such choice"]


def test_genai_hours_are_exact_and_the_specific_key_wins() -> None:
    found = genai({"audio_hours": Decimal("0.111"), "output_audio_hours": Decimal("0.222")})
    assert cost(found, audio_in_seconds=1.0) == Decimal("0.000030833333")
    assert cost(found, audio_out_seconds=1.0) == Decimal("0.000061666667")


def test_genai_leaves_nothing_out_in_silence() -> None:
    found = import_genai_prices(
        [
            {
                "id": "acme",
                "models": [
                    {"id": "a", "match": {"equals": "a"}, "prices": {"web_searches_kcount": 1}},
                    {"id": "b", "match": {"like": "b"}, "prices": FLAT},
                    {"id": "c", "match": {"equals": "c"}, "prices": {"input_mtok": None}},
                    {"id": "d", "match": {"equals": "d"},
                     "prices": [{"constraint": {"moon": "full"}, "prices": FLAT}]},
                    {"id": "e", "match": {"equals": "e"}},
                ],
            }
        ]
    )  # fmt: skip
    assert sum(found.skipped.values()) == 5
    assert found.entries == []


@pytest.mark.parametrize("document", [{}, [1], [{"id": "x"}]], ids=str)
def test_another_file_is_not_taken_for_genai_prices(document: Any) -> None:
    with pytest.raises(ValueError, match="genai-prices"):
        import_genai_prices(document)


@pytest.mark.parametrize("value", [True, None, [], "x", 0.5], ids=str)
def test_only_exact_numbers_are_amounts(value: object) -> None:
    assert exact_amount(value) is None


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param({"mode": ["chat"], "input_cost_per_query": 1}, id="mode"),
        pytest.param({"output_cost_per_token": "sNaN"}, id="signalling NaN"),
        pytest.param({"input_cost_per_token_above_" + 5_000 * "9" + "k_tokens": 1}, id="tier"),
        *(
            pytest.param(
                {"tiered_pricing": [{"range": [start], "input_cost_per_token": 1}]}, id=str(start)
            )
            for start in ("many", None, "Infinity", -1, 10**40)
        ),
    ],
)
def test_litellm_oddities_are_told_and_cost_no_other_price(odd: dict[str, Any]) -> None:
    entry = {"litellm_provider": "acme", "output_cost_per_token": Decimal("0.5")}
    found = import_litellm({"odd": entry | odd, "m": entry})
    assert found.skipped.total() >= 1
    assert next(iter(found.examples.values())) == ["odd"]
    assert cost(found, output_tokens=1) == Decimal("0.5")


SOUND: dict[str, Any] = {"id": "m", "match": {"equals": "m"}, "prices": {"output_mtok": 1}}


@pytest.mark.parametrize(
    "odd",
    [
        "no model",
        {"match": {"equals": "odd"}, "prices": {}},
        SOUND | {"id": 5},
        SOUND | {"prices": None},
        SOUND | {"prices": []},
        SOUND | {"prices": "free"},
        SOUND | {"prices": ["free"]},
        SOUND | {"prices": [{"prices": {}, "constraint": "always"}]},
        SOUND | {"prices": {"input_mtok": {"base": 1, "tiers": ["dear"]}}, "id": "odd"},
        SOUND | {"prices": {"input_mtok": {"base": 1, "tiers": None}}, "id": "odd"},
        SOUND | {"price_variants": ["batch"]},
    ],
    ids=str,
)
def test_genai_oddities_are_told_and_cost_no_other_price(odd: object) -> None:
    found = import_genai_prices([{"id": "acme", "models": [odd, SOUND]}])
    assert found.skipped.total() == 1
    assert cost(found, output_tokens=1_000_000) == 1
