"""Reads providers' bills: CSV by day, as exact amounts, or every problem of the file at once.

Invariants: what has a problem gives no bill at all; amounts are exact and keep their sign (a credit
is below zero); lines of one day, provider and model are one amount.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DAY, PROVIDER, MODEL, AMOUNT, CURRENCY = "day", "provider", "model", "amount_usd", "currency"
NEEDED = (DAY, PROVIDER, AMOUNT)
COLUMNS = (*NEEDED, MODEL, CURRENCY)
USD = "USD"
MAX_NAME_CHARS = 128
"""As of the names in events."""
FIRST_DAY = date(1970, 1, 1)
AMOUNT_DECIMALS = 12
AMOUNT_DIGITS = 20
"""Before the point: a sum of many of them still fits the store's 38 digits."""

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AMOUNT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_EXACT = Context(prec=200)


@dataclass(frozen=True, slots=True, order=True)
class BilledKey:
    """What one amount is for."""

    day: date
    """UTC."""
    provider: str
    """As events name it."""
    model: str
    """Empty where the bill does not name it."""


@dataclass(frozen=True, slots=True)
class StoredBill:
    """What the last import of a source says."""

    source: str
    amounts: int
    providers: tuple[str, ...]
    first_day: date
    last_day: date
    total_usd: Decimal
    imported_at: datetime


@dataclass(frozen=True, slots=True)
class Bill:
    """What a file says, or what is wrong with it; amounts are empty where there are problems."""

    amounts_usd: Mapping[BilledKey, Decimal]
    lines: int
    problems: Sequence[str]

    @property
    def total_usd(self) -> Decimal:
        """Return the sum of all amounts."""
        return sum(self.amounts_usd.values(), Decimal(0))


def read_bill(text: str, *, today: date, provider: str = "") -> Bill:
    """Read CSV with a line of names; `provider` is that of lines which name none.

    No day may be later than `today` (UTC): that is how a day and a month that changed places show.
    """
    # Not `splitlines`, which also ends a line at characters that may stand in a name.
    rows = csv.reader((f"{line}\n" for line in text.split("\n")), strict=True)
    reader = _Reader(today=today, provider=provider)
    try:
        reader.take_names(next(rows, []))
        for cells in rows:
            if cells:
                reader.take(rows.line_num, cells)
    except csv.Error as error:
        reader.problems.append(f"line {rows.line_num}: no CSV: {error}")
    if not reader.problems and not reader.lines:
        reader.problems.append("the file has no line below its names; nothing to import")
    return Bill({} if reader.problems else reader.amounts_usd, reader.lines, reader.problems)


class _Reader:
    """Takes a file line by line, and notes what is wrong with it."""

    def __init__(self, *, today: date, provider: str) -> None:
        self.names: list[str] = []
        self.amounts_usd: dict[BilledKey, Decimal] = {}
        self.problems: list[str] = []
        self.lines = 0
        self._today = today
        self._provider = provider

    def take_names(self, cells: Sequence[str]) -> None:
        """Take the first line; what it lacks is not missed again on every other."""
        self.names = names = [cell.strip() for cell in cells]
        self.problems += [
            f"line 1: unknown column {name!r}; those that are read are {', '.join(COLUMNS)}: "
            "rename it or leave it out"
            for name in names
            if name not in COLUMNS
        ]
        self.problems += [
            f"line 1: column {n} is there twice" for n in COLUMNS if names.count(n) > 1
        ]
        for name in NEEDED:
            if name not in names and not (name == PROVIDER and self._provider):
                hint = ", or give --provider NAME" if name == PROVIDER else ""
                self.problems.append(f"line 1: the column {name} is missing; add it{hint}")

    def take(self, line: int, cells: Sequence[str]) -> None:
        """Take a line."""
        self.lines += 1
        if len(cells) != len(self.names):
            self._refuse(line, f"{len(cells)} values for {len(self.names)} columns")
            return
        values = dict(zip(self.names, map(str.strip, cells), strict=True))
        day = self._day(line, values[DAY]) if DAY in values else None
        amount = self._amount(line, values[AMOUNT]) if AMOUNT in values else None
        provider = values.get(PROVIDER, "") or self._provider
        model = values.get(MODEL, "")
        if PROVIDER in values and not provider:
            self._refuse(line, f"no {PROVIDER}; name it, or give --provider NAME")
        for name, value in ((PROVIDER, provider), (MODEL, model)):
            if len(value) > MAX_NAME_CHARS:
                self._refuse(line, f"{name} has more than {MAX_NAME_CHARS} characters")
        currency = values.get(CURRENCY, USD)
        if currency != USD:
            self._refuse(line, f"currency {currency!r}; only {USD} is kept: convert the amount")
        if day is not None and amount is not None:
            key = BilledKey(day, provider, model)
            self.amounts_usd[key] = _EXACT.add(self.amounts_usd.get(key, Decimal(0)), amount)

    def _refuse(self, line: int, problem: str) -> None:
        self.problems.append(f"line {line}: {problem}")

    def _day(self, line: int, text: str) -> date | None:
        try:
            day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
        except ValueError:
            day = None
        if day is None or day < FIRST_DAY:
            self._refuse(line, f"{DAY} {text!r} is no day; write 2026-01-31 (UTC)")
            return None
        if day > self._today:
            self._refuse(line, f"{DAY} {text} has not come yet; a day is year-month-day, in UTC")
        return day

    def _amount(self, line: int, text: str) -> Decimal | None:
        if not _AMOUNT.fullmatch(text):
            problem = f"{AMOUNT} {text!r} is no amount; write 1234.56, without signs of currency"
            self._refuse(line, f"{problem} or thousands")
            return None
        amount = Decimal(text)
        if amount and amount.adjusted() >= AMOUNT_DIGITS:
            self._refuse(line, f"{AMOUNT} {text} is too large")
            return None
        exact = amount.quantize(Decimal(1).scaleb(-AMOUNT_DECIMALS), context=_EXACT)
        if exact != amount:
            self._refuse(
                line, f"{AMOUNT} {text} has more than {AMOUNT_DECIMALS} decimals; round it"
            )
            return None
        return exact
