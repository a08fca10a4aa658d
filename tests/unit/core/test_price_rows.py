from __future__ import annotations

from decimal import Decimal

from inferometer.core.price_book import PriceBook
from inferometer.core.price_match import Match
from inferometer.core.price_rows import OPEN_END_US, SCHEMA, price_table
from inferometer.core.prices import Price, Unit


def test_a_book_is_one_row_a_price_by_the_unit() -> None:
    book = PriceBook(
        "t",
        [
            Price("a", Match.equals("whisper"), Unit.AUDIO_IN_SECONDS, Decimal("0.111"), per=3600),
            Price("", Match.model("gpt-*"), Unit.IMAGES, Decimal(1_000_000), effective_to_us=7),
        ],
    )
    rows = price_table(book).to_pylist()
    assert [row["usd_per_unit"] for row in rows] == [
        Decimal("0.000030833333333333"),
        Decimal(1_000_000),
    ]
    assert [row["model"] for row in rows] == ["whisper", "gpt-*"]
    assert [row["model_match"] for row in rows] == ["", '{"model":"gpt-*"}']
    assert {row["version"] for row in rows} == {book.version}
    ends = price_table(book).column("effective_to").cast("int64").to_pylist()
    assert ends == [OPEN_END_US, 7]


def test_an_empty_book_has_no_rows() -> None:
    assert price_table(PriceBook("t", [])).schema == SCHEMA
