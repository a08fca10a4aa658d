"""The column form of pricing equals the readable one, and that equals plain fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.columns import MISSING, CodeColumn, EventColumns, GapColumns
from inferometer.core.events import InferenceRequest
from inferometer.core.money import usd_to_pico
from inferometer.core.price_book import PriceBook
from inferometer.core.price_columns import price_columns
from inferometer.core.price_match import Match
from inferometer.core.prices import DAY_US, TOKEN_UNITS, UNITS, Condition, Price, ProviderRule, Unit
from inferometer.core.pricing import (
    COST_COMPONENTS,
    PARTIAL,
    UNPRICED,
    billable_usage,
    input_total,
    price_request,
)

NOON_US = 1_767_268_800_000_000
PROVIDERS = ("", "acme", "beta", "nobody")
MODELS = ("alpha-1", "alpha-2", "omega", "unknown")
CODES = (
    "provider",
    "model",
    "response_model",
    "traffic_class",
    "cost_status",
    "price_version",
)


def columns_of(events: list[InferenceRequest]) -> EventColumns:
    """Lay events out as the decoder does, for the fields that pricing reads."""
    numbers: dict[str, list[int]] = {unit.value: [] for unit in UNITS if unit is not Unit.REQUESTS}
    names = ("ts_end", "input_tokens", "billed_success", "status_code", "price_cost")
    numbers |= {name: [] for name in (*names, *COST_COMPONENTS)}
    for event in events:
        usage = billable_usage(event.model_copy(update={"billed_success": True}))
        for unit in usage:
            if unit is not Unit.REQUESTS:
                numbers[unit.value].append(usage[unit])
        numbers["ts_end"].append(event.ts_end)
        numbers["input_tokens"].append(input_total(event))
        numbers["status_code"].append(event.status_code)
        success = event.billed_success
        numbers["billed_success"].append(MISSING if success is None else int(success))
        for name in ("price_cost", *COST_COMPONENTS):
            money = getattr(event, name)
            numbers[name].append(MISSING if money is None else usd_to_pico(money))
    empty = np.zeros(0, np.int64)
    return EventColumns(
        offsets=np.arange(len(events)),
        indexes=np.zeros(len(events), np.int64),
        numbers={name: np.array(values, np.int64) for name, values in numbers.items()},
        codes={name: coded([getattr(event, name) for event in events]) for name in CODES},
        texts={},
        lists={},
        maps={},
        gaps=GapColumns(empty, empty, empty, empty, empty.astype(np.int16), empty),
    )


def coded(texts: list[str]) -> CodeColumn:
    values = tuple(dict.fromkeys(texts))
    return CodeColumn(np.array([values.index(text) for text in texts], np.int32), values)


def event(**fields: object) -> InferenceRequest:
    base = {"event_id": "e", "request_id": "r", "ts_end": NOON_US, "status_code": 200}
    return InferenceRequest.model_validate({"provider": "acme", "model": "alpha-1"} | base | fields)


amounts = st.one_of(
    st.decimals(min_value=0, max_value=50, places=9),
    st.decimals(min_value=0, max_value=1, places=25),
    st.sampled_from([Decimal("1.9e-08"), Decimal("0.071428571"), Decimal(0), Decimal(900_000)]),
)
conditions = st.builds(
    Condition,
    min_input_tokens=st.sampled_from([0, 0, 128_000, 200_000]),
    traffic_class=st.sampled_from(["", "", "batch"]),
    daily_from_us=st.sampled_from([0, 0, DAY_US // 2]),
    daily_to_us=st.sampled_from([0, DAY_US // 4]),
)
prices = st.builds(
    Price,
    provider=st.sampled_from(PROVIDERS[:3]),
    match=st.sampled_from(
        [Match.model("alpha-1"), Match.model("alpha-*"), Match.equals("omega"), Match.model("*")]
    ),
    unit=st.sampled_from(UNITS),
    usd=amounts,
    per=st.sampled_from([1, 60, 1_000, 3_600, 1_000_000]),
    effective_from_us=st.sampled_from([0, NOON_US, NOON_US + 1]),
    effective_to_us=st.sampled_from([2**62, NOON_US + DAY_US]),
    condition=conditions,
    source=st.sampled_from(["own", "shipped"]),
)
books = st.builds(
    PriceBook,
    st.just("test"),
    st.lists(prices, max_size=25),
    st.just(
        [
            ProviderRule(
                "acme", ("ACME Cloud",), model_match=Match.model("alpha-*"), fallbacks=("beta",)
            )
        ]
    ),
)
tokens = st.one_of(st.just(0), st.integers(0, 300_000), st.sampled_from([200_000, 2**32 - 1]))
seconds = st.one_of(st.just(0.0), st.floats(0, 5_000), st.sampled_from([0.1, 0.0000005]))


@st.composite
def events(draw: st.DrawFn) -> InferenceRequest:
    """Draw an event whose totals are what its buckets sum to, or that leaves remainders out."""
    fields: dict[str, object] = {unit.value: draw(tokens) for unit in TOKEN_UNITS}
    if draw(st.booleans()):
        del fields["uncached_input_tokens"], fields["text_output_tokens"]
        others = sum(int(str(fields[unit.value])) for unit in UNITS[1:7])
        fields["input_tokens"] = min(2**32 - 1, 10 + others)
    fields |= {
        "images": draw(st.integers(0, 9)),
        "characters": draw(tokens),
        "video_seconds": draw(seconds),
        "audio_in_seconds": draw(seconds),
        "audio_out_seconds": draw(seconds),
        "billed_success": draw(st.sampled_from([None, True, False])),
        "status_code": draw(st.sampled_from([200, 299, 429, 500])),
        "provider": draw(st.sampled_from((*PROVIDERS, "acme cloud"))),
        "model": draw(st.sampled_from(MODELS)),
        "response_model": draw(st.sampled_from(["", "omega"])),
        "traffic_class": draw(st.sampled_from(["realtime", "batch"])),
        "ts_end": draw(
            st.sampled_from([NOON_US - 1, NOON_US, NOON_US + 1, NOON_US + DAY_US // 3, 2 * NOON_US])
        ),
        "cost_status": draw(st.sampled_from(["", "", "", "priced", "zero_rated"])),
        "price_version": draw(st.sampled_from(["", "theirs"])),
    }
    if draw(st.integers(0, 5)) == 0:
        fields["price_cost"] = draw(amounts.filter(lambda usd: usd <= 100))
        for name in COST_COMPONENTS:
            fields[name] = draw(st.none() | st.decimals(min_value=0, max_value=20, places=6))
    return event(**fields)


@settings(max_examples=150, deadline=None)
@given(books, st.lists(events(), max_size=12))
def test_columns_equal_the_reference_to_the_last_pico_dollar(
    book: PriceBook, requests: list[InferenceRequest]
) -> None:
    costs = price_columns(book, columns_of(requests))
    for index, request in enumerate(requests):
        expected = price_request(book, request)
        for name in ("price_cost", *COST_COMPONENTS):
            assert costs.numbers[name][index] == getattr(expected, name), name
        for name in ("cost_status", "cost_source", "price_version"):
            column = costs.codes[name]
            assert column.values[column.codes[index]] == getattr(expected, name), name


@settings(max_examples=100, deadline=None)
@given(st.lists(amounts, min_size=17, max_size=17), events())
def test_the_reference_equals_plain_fractions(
    usds: list[Decimal], request: InferenceRequest
) -> None:
    request = request.model_copy(update={"price_cost": None, "cost_status": "", "provider": "p"})
    entries = [
        Price("p", Match.model("*"), unit, usd, per=1000)
        for unit, usd in zip(UNITS, usds, strict=True)
    ]
    expected = Fraction(0)
    for unit, usd in zip(UNITS, usds, strict=True):
        quantity = Fraction(billable_usage(request).get(unit, 0))
        if unit.value.endswith("_seconds"):
            quantity /= 1_000_000
        expected += round(quantity * Fraction(usd) / 1000 * 10**12)
    cost = price_request(PriceBook("t", entries), request)
    if expected > 100_000 * 10**12:
        assert (cost.price_cost, cost.cost_status) == (0, UNPRICED)
    else:
        assert cost.price_cost == expected


def test_a_chunk_without_events_costs_nothing() -> None:
    costs = price_columns(PriceBook("t", []), columns_of([]))
    assert len(costs.numbers["price_cost"]) == 0


def test_a_product_beyond_64_bits_is_still_exact() -> None:
    book = PriceBook(
        "t", [Price("acme", Match.model("*"), Unit.TEXT_OUTPUT, Decimal("1e-6") / 7, per=1)]
    )
    request = event(text_output_tokens=2**32 - 1)
    wide = price_columns(book, columns_of([request])).numbers["cost_output"][0]
    assert wide == price_request(book, request).cost_output > 0


def test_a_request_beyond_the_contracts_bound_is_unpriced_not_wrapped() -> None:
    price = Price("acme", Match.model("*"), Unit.TEXT_OUTPUT, Decimal(900_000))
    input_price = Price("acme", Match.model("*"), Unit.UNCACHED_INPUT, Decimal("0.000001"))
    book = PriceBook("t", [price, input_price])
    request = event(text_output_tokens=2**32 - 1, input_tokens=1)
    costs = price_columns(book, columns_of([request, event(input_tokens=7)]))
    assert price_request(book, request).cost_status == UNPRICED
    assert costs.numbers["price_cost"].tolist() == [0, 7_000_000]


def test_a_quantity_that_is_missing_bills_nothing() -> None:
    book = PriceBook("t", [Price("acme", Match.model("*"), Unit.CHARACTERS, Decimal(1))])
    columns = columns_of([event(characters=1), event(characters=2)])
    columns.numbers["characters"][0] = MISSING
    assert price_columns(book, columns).numbers["price_cost"].tolist() == [0, 2 * 10**12]


def test_a_breakdown_that_adds_up_is_taken_as_it_is() -> None:
    request = event(price_cost="0.5", cost_input="0.2", cost_other="0.3")
    numbers = price_columns(PriceBook("t", []), columns_of([request])).numbers
    reference = price_request(PriceBook("t", []), request)
    assert reference.cost_input == numbers["cost_input"][0] == 200_000_000_000
    assert reference.cost_other == numbers["cost_other"][0] == 300_000_000_000


def test_one_missing_price_marks_its_own_event_alone() -> None:
    book = PriceBook("t", [Price("acme", Match.model("*"), Unit.TEXT_OUTPUT, Decimal("0.000002"))])
    requests = [event(output_tokens=3), event(output_tokens=3, input_tokens=5)]
    status = price_columns(book, columns_of(requests)).codes["cost_status"]
    assert [status.values[code] for code in status.codes] == ["priced", PARTIAL]


@pytest.mark.parametrize("names", [3, 700], ids=["few names by table", "many names by sorting"])
def test_every_event_finds_its_own_model(names: int) -> None:
    entries = [
        Price("acme", Match.model(f"m{i}"), Unit.UNCACHED_INPUT, Decimal(i)) for i in range(names)
    ]
    requests = [
        event(model=f"m{i}", response_model=f"r{i % 700}", input_tokens=1) for i in range(names)
    ]
    costs = price_columns(PriceBook("t", entries), columns_of(requests)).numbers["price_cost"]
    assert costs.tolist() == [i * 10**12 for i in range(names)]
