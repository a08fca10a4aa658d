from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from inferometer.core.events import InferenceRequest
from inferometer.core.price_book import PriceBook, merge_books
from inferometer.core.price_match import Match
from inferometer.core.prices import (
    DAY_US,
    FALLBACKS,
    INPUT_UNITS,
    OUTPUT_UNITS,
    UNITS,
    Condition,
    Price,
    ProviderRule,
    Unit,
)
from inferometer.core.pricing import COMPONENT_OF, price_request

NOON_US = 1_767_268_800_000_000
INPUT, OUTPUT = Unit.UNCACHED_INPUT, Unit.TEXT_OUTPUT


def price(usd: str = "1", unit: Unit = INPUT, model: str = "m", **fields: object) -> Price:
    given = {"provider": "acme", "match": Match.model(model), "per": 1_000_000, "source": "list"}
    return Price(unit=unit, usd=Decimal(usd), **(given | fields))  # type: ignore[arg-type]  # a test's shorthand


def cost(book: PriceBook, **fields: object) -> tuple[Decimal, str]:
    base = {"event_id": "e", "request_id": "r", "ts_end": NOON_US, "status_code": 200}
    event = InferenceRequest.model_validate(base | {"provider": "acme", "model": "m"} | fields)
    breakdown = price_request(book, event)
    return breakdown.price_cost_usd, breakdown.cost_status


TEXT_MODEL = PriceBook("t", [price("1"), price("2", OUTPUT)])


def test_input_and_output_prices_price_every_token() -> None:
    for unit in (*INPUT_UNITS, *OUTPUT_UNITS):
        expected = Decimal(1) if unit in INPUT_UNITS else Decimal(2)
        assert cost(TEXT_MODEL, **{unit.value: 1_000_000}) == (expected, "priced"), unit


def test_a_fallback_never_leads_to_another_fallback_than_the_one_that_is_listed() -> None:
    for unit, stand_ins in FALLBACKS.items():
        assert unit not in stand_ins
        assert {INPUT, OUTPUT}.intersection(stand_ins)


def test_the_own_price_of_a_unit_beats_its_fallback() -> None:
    book = PriceBook(
        "t", [price("1"), price("0.1", Unit.CACHE_READ), price("3", Unit.CACHE_WRITE_5M)]
    )
    assert cost(book, cache_read_tokens=1_000_000)[0] == Decimal("0.1")
    assert cost(book, cache_write_1h_tokens=1_000_000)[0] == Decimal(3)


def test_every_unit_has_a_component() -> None:
    assert set(COMPONENT_OF) == set(UNITS)


def test_the_long_context_price_holds_for_the_whole_request_and_only_above_its_threshold() -> None:
    long_context = Condition(min_input_tokens=200_000)
    book = PriceBook("t", [price("1"), price("2", condition=long_context)])
    assert cost(book, input_tokens=200_000)[0] == Decimal("0.2")
    assert cost(book, input_tokens=200_001)[0] == Decimal("0.400002")


def test_cached_tokens_count_towards_the_long_context_threshold() -> None:
    long_context = Condition(min_input_tokens=200_000)
    book = PriceBook("t", [price("1"), price("2", condition=long_context)])
    assert cost(book, input_tokens=200_001, cache_read_tokens=200_000)[0] == Decimal("0.400002")


def test_batch_traffic_pays_the_batch_price_and_the_general_one_where_there_is_none() -> None:
    batch = Condition(traffic_class="batch")
    book = PriceBook("t", [price("1"), price("2", OUTPUT), price("0.5", condition=batch)])
    usage = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}
    assert cost(book, **usage)[0] == Decimal(3)
    assert cost(book, **usage, traffic_class="batch")[0] == Decimal("2.5")


def test_a_daily_window_may_pass_midnight() -> None:
    night = Condition(daily_from_us=DAY_US * 22 // 24, daily_to_us=DAY_US * 6 // 24)
    book = PriceBook("t", [price("1"), price("0.5", condition=night)])
    midnight = NOON_US + DAY_US // 2
    assert cost(book, input_tokens=1_000_000, ts_end=midnight)[0] == Decimal("0.5")
    assert cost(book, input_tokens=1_000_000)[0] == Decimal(1)


def test_the_end_of_the_request_decides_the_period_whose_end_is_not_included() -> None:
    book = PriceBook(
        "t", [price("1", effective_to_us=NOON_US), price("2", effective_from_us=NOON_US)]
    )
    assert cost(book, input_tokens=1_000_000, ts=NOON_US - 9, ts_end=NOON_US - 1)[0] == Decimal(1)
    assert cost(book, input_tokens=1_000_000, ts=NOON_US - 9, ts_end=NOON_US)[0] == Decimal(2)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"images": 3}, "0.12"),
        ({"images": 3, "status_code": 500}, "0"),
        ({"images": 3, "status_code": 500, "billed_success": True}, "0.12"),
        ({"images": 3, "billed_success": False}, "0"),
        ({"audio_in_seconds": 1800.0, "status_code": 499}, "0.5"),
        ({"characters": 5, "status_code": 500}, "0.05"),
        ({"input_tokens": 1_000_000, "status_code": 499}, "1"),
    ],
    ids=str,
)
def test_images_bill_on_success_and_other_units_always(
    fields: dict[str, object], expected: str
) -> None:
    book = PriceBook(
        "t",
        [
            price("1"),
            price("0.04", Unit.IMAGES, per=1),
            price("1", Unit.AUDIO_IN_SECONDS, per=3600),
            price("0.01", Unit.CHARACTERS, per=1),
        ],
    )
    assert cost(book, **fields) == (Decimal(expected), "priced")


def test_a_fee_per_request_is_paid_once_and_not_for_a_refused_request() -> None:
    book = PriceBook("t", [price("0.01", Unit.REQUESTS, per=1), price("1")])
    assert cost(book, input_tokens=1_000_000) == (Decimal("1.01"), "priced")
    assert cost(book, status_code=429) == (Decimal(0), "priced")


STATUSES = [
    ("a known model without usage is priced", {}, "priced"),
    ("an unknown model is unpriced, usage or not", {"model": "x"}, "unpriced"),
    ("a used unit without any price is unpriced", {"images": 1}, "unpriced"),
    ("some priced and some not is partial", {"images": 1, "input_tokens": 1}, "partial"),
    ("a refused image needs no price", {"images": 1, "status_code": 500}, "priced"),
    ("a producer's zero rating stands", {"input_tokens": 1, "cost_status": "zero_rated"}, "zero_rated"),
    ("another status of a producer is computed anew", {"cost_status": "unpriced"}, "priced"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "expected"), [row[1:] for row in STATUSES], ids=[row[0] for row in STATUSES]
)
def test_the_status_says_what_the_price_covers(fields: dict[str, object], expected: str) -> None:
    assert cost(TEXT_MODEL, **fields)[1] == expected


def test_a_price_of_zero_is_a_zero_rating_and_not_a_missing_price() -> None:
    book = PriceBook("t", [price("0"), price("2", OUTPUT)])
    assert cost(book, input_tokens=5) == (Decimal(0), "zero_rated")
    assert cost(book, input_tokens=5, output_tokens=1_000_000) == (Decimal(2), "priced")


@pytest.mark.parametrize(
    ("unit", "usage"),
    [
        (Unit.CHARACTERS, {"characters": 9, "audio_out_seconds": 2.5, "input_tokens": 4}),
        (Unit.IMAGES, {"images": 1, "input_tokens": 77}),
        (Unit.AUDIO_IN_SECONDS, {"audio_in_seconds": 3.0, "output_tokens": 8}),
        (Unit.AUDIO_OUTPUT, {"output_tokens": 9, "audio_output_tokens": 9, "audio_out_seconds": 1.0}),
        (Unit.IMAGE_OUTPUT, {"output_tokens": 9, "image_output_tokens": 9, "images": 1}),
    ],
)  # fmt: skip
def test_work_measured_twice_needs_one_price(unit: Unit, usage: dict[str, object]) -> None:
    assert cost(PriceBook("t", [price("1", unit, per=1)]), **usage)[1] == "priced"


def test_a_stated_cost_wins_and_what_its_breakdown_leaves_is_other() -> None:
    base = {"event_id": "e", "request_id": "r", "ts_end": NOON_US, "status_code": 200, "model": "m"}
    stated = {"price_cost": "0.5", "cost_input": "0.2", "price_version": "v7", "input_tokens": 9}
    result = price_request(TEXT_MODEL, InferenceRequest.model_validate(base | stated))
    assert (result.cost_input, result.cost_other) == (200_000_000_000, 300_000_000_000)
    assert (result.cost_source, result.cost_status, result.price_version) == (
        "provider", "priced", "v7",
    )  # fmt: skip


def test_a_breakdown_above_its_total_is_not_believed() -> None:
    base = {"event_id": "e", "request_id": "r", "ts_end": NOON_US, "status_code": 200, "model": "m"}
    stated = {"price_cost": "0.5", "cost_input": "0.6"}
    result = price_request(TEXT_MODEL, InferenceRequest.model_validate(base | stated))
    assert (result.cost_input, result.cost_other) == (0, 500_000_000_000)


RULES = [
    ProviderRule("acme", ("acme.cloud",), Match.from_rule({"contains": "acme"}), Match.model("m")),
    ProviderRule("beta", fallbacks=("acme",)),
]
HOSTS = PriceBook(
    "t",
    [
        price(provider="acme"),
        price(provider="beta", model="only-beta"),
        price(provider="gamma", model="shared"),
        price(provider="acme", model="shared"),
    ],
    RULES,
)


@pytest.mark.parametrize(
    ("provider", "model", "found"),
    [
        ("acme", "M", "acme"),
        ("ACME.Cloud", "m", "acme"),
        ("my-acme-proxy", "m", "acme"),
        ("beta", "m", "acme"),
        ("gamma", "m", None),
        ("", "m", "acme"),
        ("nobody", "only-beta", "beta"),
        ("nobody", "shared", None),
        ("", "nothing", None),
    ],
    ids=[
        "by id",
        "by alias",
        "by the provider's rule",
        "a reseller falls back",
        "a known provider never borrows another's price",
        "without a provider the model's own",
        "an unknown provider the only host",
        "several hosts differ in price",
        "nothing known",
    ],
)
def test_a_provider_is_found(provider: str, model: str, found: str | None) -> None:
    tariff = HOSTS.resolve(provider, model, NOON_US)
    assert (tariff and tariff.provider) == found


def test_the_response_model_prices_a_name_that_the_book_does_not_know() -> None:
    assert cost(HOSTS, model="alias", response_model="m", input_tokens=1_000_000)[0] == 1
    assert cost(HOSTS, model="alias", input_tokens=1_000_000)[1] == "unpriced"


def test_the_exact_name_beats_the_longest_pattern_beats_the_shortest() -> None:
    book = PriceBook(
        "t", [price("3", model="*"), price("2", model="gpt-*"), price("1", model="gpt-4")]
    )
    used = {"input_tokens": 1_000_000}
    assert [cost(book, model=m, **used)[0] for m in ("gpt-4", "gpt-5", "o3")] == [1, 2, 3]


def test_an_own_list_alone_prices_a_model_while_it_is_in_force() -> None:
    own = PriceBook("own", [price("9", source="own", effective_from_us=NOON_US)])
    book = merge_books([own, TEXT_MODEL])
    tokens = {"input_tokens": 1_000_000}
    assert cost(book, **tokens) == (Decimal(9), "priced")
    assert cost(book, **tokens, output_tokens=1)[1] == "partial"
    assert cost(book, **tokens, ts_end=NOON_US - 1) == (Decimal(1), "priced")


def test_a_price_for_any_provider_holds_for_each() -> None:
    book = PriceBook("t", [price("4", provider="")])
    assert cost(book, provider="whoever", input_tokens=1_000_000)[0] == 4


def test_the_version_follows_what_changes_a_price_and_nothing_else() -> None:
    book = PriceBook("t", [price("1.0")])
    assert PriceBook("t", [price("1.00")]).version == book.version
    assert PriceBook("t", [price("1.01")]).version != book.version
    assert PriceBook("t", [price("1.0")], RULES).version != book.version
    assert book.version.startswith("t+")
    assert len(PriceBook("x" * 500, []).version) <= 128


def test_one_book_merged_is_itself_and_none_is_empty() -> None:
    assert merge_books([HOSTS]) is HOSTS
    assert merge_books([]).resolve("acme", "m", NOON_US) is None


def test_problems_tell_overlaps_and_unsound_prices_all_at_once() -> None:
    sound = price("1", effective_to_us=NOON_US)
    book = PriceBook(
        "t",
        [
            sound,
            replace(sound, usd=Decimal(2), effective_from_us=NOON_US - 1, effective_to_us=2**62),
            replace(sound, effective_from_us=NOON_US, effective_to_us=2**62),
            price("-1", OUTPUT),
            price("1e-40", Unit.CACHE_READ),
            price("1", Unit.IMAGES, per=0, effective_from_us=5, effective_to_us=5),
        ],
    )
    problems = book.problems()
    assert len(problems) == 6
    assert "overlaps prices[0]" in problems[-2]


def test_only_the_latest_of_the_names_asked_for_are_remembered() -> None:
    book = PriceBook("t", [price()])
    for number in range(20_001):
        book.candidates("acme", f"x{number}")
    assert book.resolve("acme", "m", NOON_US) is not None
