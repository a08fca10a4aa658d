"""A price book as rows of the table `price_book`, which explains money years later.

Invariants: the rows of one version are always the same; an open end is written as a year that the
table's instants can hold.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context
from typing import TYPE_CHECKING

import orjson
import pyarrow as pa

from inferometer.core.price_match import MatchKind

if TYPE_CHECKING:
    from inferometer.core.price_book import PriceBook
    from inferometer.core.price_match import Match

OPEN_END_US = 7_258_118_400_000_000
"""2200-01-01, the table's word for no end."""
USD_PER_UNIT = pa.decimal128(38, 18)
_ROUNDED = Context(prec=38, rounding=ROUND_HALF_EVEN)

_INSTANT = pa.timestamp("us", tz="UTC")
SCHEMA = pa.schema(
    [
        ("version", pa.string()),
        ("source", pa.string()),
        ("provider", pa.string()),
        ("model", pa.string()),
        ("model_match", pa.string()),
        ("unit", pa.string()),
        ("usd_per_unit", USD_PER_UNIT),
        ("effective_from", _INSTANT),
        ("effective_to", _INSTANT),
        ("min_input_tokens", pa.uint32()),
        ("traffic_class", pa.string()),
        ("daily_from_us", pa.uint64()),
        ("daily_to_us", pa.uint64()),
    ]
)


def price_table(book: PriceBook) -> pa.Table:
    """Return one row a price, for people: amounts by the hour or million are rounded here."""
    smallest = _ROUNDED.create_decimal("1e-18")
    rows = [
        {
            "version": book.version,
            "source": price.source,
            "provider": price.provider,
            "model": price.name or price.match.text,
            "model_match": _rule(price.match),
            "unit": price.unit.value,
            "usd_per_unit": _ROUNDED.quantize(_ROUNDED.divide(price.usd, price.per), smallest),
            "effective_from": price.effective_from_us,
            "effective_to": min(price.effective_to_us, OPEN_END_US),
            "min_input_tokens": price.condition.min_input_tokens,
            "traffic_class": price.condition.traffic_class,
            "daily_from_us": price.condition.daily_from_us,
            "daily_to_us": price.condition.daily_to_us,
        }
        for price in book.entries
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _rule(match: Match) -> str:
    return "" if match.kind is MatchKind.EQUALS else orjson.dumps(match.to_rule()).decode()
