from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from inferometer.core.price_book import PriceBook
from inferometer.core.price_file import FORMAT, PER_OF_KEY, json_schema, read_document, to_document
from inferometer.core.price_match import Match
from inferometer.core.prices import (
    DAY_US,
    SECONDS_UNITS,
    TOKEN_UNITS,
    UNITS,
    Condition,
    Price,
    ProviderRule,
)
from inferometer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def document(*prices: dict[str, Any], **top: Any) -> dict[str, Any]:
    return {"format": FORMAT, "label": "own", "prices": list(prices)} | top


def line(**fields: Any) -> dict[str, Any]:
    return {"provider": "a", "model": "m", "unit": "images", "usd_per_unit": "0.1"} | fields


def problems_of(given: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_document(given, file="p.yaml")
    return caught.value.problems


def test_every_problem_is_told_with_file_index_and_remedy() -> None:
    problems = problems_of(
        document(
            line(unit="moons"),
            line(usd_per_hour="1"),
            line(model=None),
            line(colour="red"),
            line(usd_per_unit=0.1),
            line(effective_from="2026-01-01T00:00:00"),
            line(usd_per_unit="-1"),
            line(match={"like": "x"}, model=None),
            line(condition={"daily_from": 5}),
        )
    )
    assert {problem.split(":")[0] for problem in problems} == {"p.yaml"}
    assert [f"prices[{n}]" in problem for n, problem in zip(range(9), problems, strict=False)] == [
        True
    ] * 9


REMEDIES = [
    ("a token price for images", line(usd_per_unit=None, usd_per_mtok="1"), "usd_per_million"),
    ("hours for images", line(usd_per_unit=None, usd_per_hour="1"), "for seconds"),
    ("a float", line(usd_per_unit=0.1), "as text"),
    ("a model twice", line(match={"equals": "m"}), "either model or match"),
    ("an empty model", line(model=""), "'*'"),
    ("no amount", line(usd_per_unit=None), "exactly one of"),
    ("an unknown key", line(usd="1"), "spelling"),
    ("an end before the start", line(effective_from="2026-01-02", effective_to="2026-01-01"), "after"),
    ("a number for a date", line(effective_from=20260102), "write a date"),
    ("no offset", line(effective_from="2026-01-02T10:00:00"), "offset"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("price", "remedy"), [row[1:] for row in REMEDIES], ids=[row[0] for row in REMEDIES]
)
def test_a_problem_says_what_to_do(price: dict[str, Any], remedy: str) -> None:
    (problem,) = problems_of(document(price))
    assert remedy in problem
    assert problem.startswith("p.yaml: prices[0]")


def test_overlapping_lines_are_refused() -> None:
    (problem,) = problems_of(document(line(), line(usd_per_unit="2")))
    assert "prices[1]" in problem
    assert "effective_to" in problem


@pytest.mark.parametrize("given", [None, [], "x", {}, {"format": "other"}], ids=str)
def test_something_else_is_refused(given: object) -> None:
    assert problems_of(given)


matches = st.sampled_from(
    [
        Match.model("gpt-*"),
        Match.equals("gpt-4"),
        Match.any_of((Match.equals("a"), Match.from_rule({"regex": "^b"}))),
    ]
)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    unit = draw(st.sampled_from(UNITS))
    keys = [
        key
        for key in PER_OF_KEY
        if (key != "usd_per_mtok" or unit in TOKEN_UNITS)
        and (key not in {"usd_per_minute", "usd_per_hour"} or unit in SECONDS_UNITS)
    ]
    start = draw(st.sampled_from([0, 1_767_268_800_000_000, 1_767_268_800_000_001]))
    return Price(
        provider=draw(st.sampled_from(["", "acme"])),
        match=draw(matches),
        unit=unit,
        usd=draw(st.decimals(min_value=0, max_value=1_000_000, places=25)),
        per=PER_OF_KEY[draw(st.sampled_from(keys))],
        effective_from_us=start,
        effective_to_us=draw(st.sampled_from([2**62, start + DAY_US])),
        condition=Condition(
            draw(st.sampled_from([0, 128_000])),
            draw(st.sampled_from(["", "batch"])),
            draw(st.integers(0, DAY_US - 1)),
            draw(st.integers(0, DAY_US - 1)),
        ),
        name=draw(st.sampled_from(["", "A model"])),
        source=draw(st.sampled_from(["own", "shipped"])),
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(prices(), min_size=1, max_size=5))
def test_a_book_written_and_read_is_the_same_book(entries: list[Price]) -> None:
    rules = [ProviderRule("acme", ("x",), Match.equals("y"), Match.model("m*"), ("z",))]
    book = PriceBook("own", entries, rules)
    written = json.loads(json.dumps(to_document(book)))
    assert not list(Draft202012Validator(json_schema()).iter_errors(written))
    if book.problems():
        assert problems_of(written)
    else:
        again = read_document(written, file="f")
        assert again.version == book.version
        assert again.entries == book.entries


def test_a_number_that_was_parsed_exactly_is_an_amount() -> None:
    book = read_document(document(line(usd_per_unit=Decimal("0.10"))), file="f")
    assert book.entries[0].usd == Decimal("0.1")


def test_the_published_schema_is_the_models(repository: Path, update_golden: bool) -> None:
    path = repository / "schemas" / "prices.schema.json"
    text = json.dumps(json_schema(), indent=2) + "\n"
    if update_golden:
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
