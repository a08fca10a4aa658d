"""The bills of a QueryStore in memory: plain Python over rows of the log and amounts."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.testing.query_sums import GroupSums

if TYPE_CHECKING:
    from datetime import date

    from inferometer.core.bills import Bill

Row = dict[str, Any]


class MemoryBills:
    """That part of a store in memory."""

    rows: list[Row]
    bills: list[Bill]

    def reconciliation(self, first_day: date, last_day: date) -> list[Row]:
        """Return what was priced and billed; see `QueryStore.reconciliation`."""
        self._ask()
        used: dict[tuple[date, str], GroupSums] = defaultdict(GroupSums)
        for row in self.rows:
            key = (row["ts_end"].astimezone(UTC).date(), row.get("provider", ""))
            used[key].add(row, counts_latency=False)
        billed: dict[tuple[date, str], Any] = defaultdict(int)
        for bill in self.bills:
            for line, amount in bill.amounts_usd.items():
                billed[line.day, line.provider] += amount
        measured = {day for day, _ in used}
        return [
            _row(day, provider, used[day, provider], billed.get((day, provider)), day in measured)
            for day, provider in sorted({*used, *billed})
            if first_day <= day <= last_day
        ]

    def _ask(self) -> None:
        raise NotImplementedError


def _row(day: date, provider: str, sums: GroupSums, billed: Any, is_measured: bool) -> Row:
    priced = sums.sums.get("cost_usd", Decimal(0)) if is_measured else None
    difference = None if priced is None or billed is None else billed - priced
    ratio = float(difference) / float(billed) if difference is not None and billed else None
    return {
        "day": day,
        "provider": provider,
        "priced_usd": priced,
        "billed_usd": billed,
        "difference_usd": difference,
        "difference_ratio": ratio,
        **{
            name: sums.sums.get(name, 0)
            for name in ("attempts", "unpriced_requests", "partially_priced_requests")
        },
    }
