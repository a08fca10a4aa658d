from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from inferometer.core.query.questions import TimeRange
from inferometer.core.query.reconciliation import by_provider, days_of

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)


def row(provider: str, priced: str | None, billed: str | None) -> dict[str, Any]:
    return {
        "provider": provider,
        "priced_usd": None if priced is None else Decimal(priced),
        "billed_usd": None if billed is None else Decimal(billed),
        "unpriced_requests": 2,
        "partially_priced_requests": 1,
    }


def test_only_days_that_are_measured_and_billed_are_compared() -> None:
    [account] = by_provider(
        [row("a", "3", "4"), row("a", "10", None), row("a", None, "7"), row("a", "1", "1")]
    )
    assert account.compared_days == 2
    assert (account.priced_usd, account.billed_usd) == (Decimal(4), Decimal(5))
    assert (account.difference_usd, account.difference_ratio) == (Decimal(1), 0.2)
    assert (account.only_priced_usd, account.only_billed_usd) == (Decimal(10), Decimal(7))
    assert (account.unpriced_requests, account.partially_priced_requests) == (8, 4)


@pytest.mark.parametrize(
    ("priced", "billed", "difference"), [("3", None, None), (None, "3", None), ("3", "0", -3)]
)
def test_what_cannot_be_divided_has_no_ratio(
    priced: str | None, billed: str | None, difference: int | None
) -> None:
    [account] = by_provider([row("a", priced, billed)])
    assert account.difference_usd == difference
    assert account.difference_ratio is None


def test_providers_are_told_apart_and_in_order() -> None:
    assert [each.provider for each in by_provider([row("b", "1", "1"), row("a", "1", "1")])] == [
        "a", "b",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        (NOON, NOON + timedelta(days=1), date(2026, 5, 31), date(2026, 6, 1)),
        (NOON - timedelta(hours=12), NOON + timedelta(hours=12), NOON.date(), NOON.date()),
        (NOON, NOON, NOON.date(), NOON.date()),
        (datetime(1960, 1, 1, tzinfo=UTC), NOON, date(1970, 1, 1), NOON.date()),
        (NOON, datetime(2200, 1, 1, tzinfo=UTC), NOON.date(), date(2149, 6, 6)),
    ],
)
def test_a_span_has_the_whole_days_that_it_touches(
    start: datetime, end: datetime, first: date, last: date
) -> None:
    assert days_of(TimeRange(start, end)) == (first, last)
