"""What prices said beside what providers billed: which days a span touches, and sums by provider.

Invariant: only days that are both measured and billed are compared, so a bill that has not arrived
yet is no difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.core.query.questions import TimeRange

    Row = dict[str, Any]

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)
"""The days that a store can name."""


@dataclass(slots=True)
class ProviderAccount:
    """Sums of one provider; money in USD."""

    provider: str
    compared_days: int = 0
    """Those that are both measured and billed; the next two are sums of them alone."""
    priced_usd: Decimal = Decimal(0)
    billed_usd: Decimal = Decimal(0)
    only_priced_usd: Decimal = Decimal(0)
    """Of days without a bill."""
    only_billed_usd: Decimal = Decimal(0)
    """Of days that the store holds no measurement of."""
    unpriced_requests: int = 0
    partially_priced_requests: int = 0

    @property
    def difference_usd(self) -> Decimal | None:
        """Return what is billed beyond what was priced; None without a day to compare."""
        return self.billed_usd - self.priced_usd if self.compared_days else None

    @property
    def difference_ratio(self) -> float | None:
        """Return the difference as a share of the bill; None where nothing was billed."""
        if self.difference_usd is None or not self.billed_usd:
            return None
        return float(self.difference_usd / self.billed_usd)

    def add(self, row: Row) -> None:
        """Add a day."""
        priced, billed = row["priced_usd"], row["billed_usd"]
        if priced is not None and billed is not None:
            self.compared_days += 1
            self.priced_usd += priced
            self.billed_usd += billed
        else:
            self.only_priced_usd += priced or Decimal(0)
            self.only_billed_usd += billed or Decimal(0)
        self.unpriced_requests += row["unpriced_requests"]
        self.partially_priced_requests += row["partially_priced_requests"]


def days_of(time_range: TimeRange) -> tuple[date, date]:
    """Return the first and the last UTC day that a range touches: bills know whole days only."""
    last = max(time_range.start, time_range.end - timedelta(microseconds=1))
    first_day, last_day = (
        min(max(at.astimezone(UTC).date(), FIRST_DAY), LAST_DAY) for at in (time_range.start, last)
    )
    return first_day, last_day


def by_provider(rows: Iterable[Row]) -> list[ProviderAccount]:
    """Return the sums of each provider, by name; rows are (day, provider)s of a store."""
    accounts: dict[str, ProviderAccount] = {}
    for row in rows:
        account = accounts.setdefault(row["provider"], ProviderAccount(row["provider"]))
        account.add(row)
    return [accounts[name] for name in sorted(accounts)]
