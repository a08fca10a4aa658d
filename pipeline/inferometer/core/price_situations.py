"""The few situations that a chunk's events are in, as far as their price can tell them apart.

Invariants: events of one situation have the same tariff and the same rates; an event's situation
depends on that event and the book alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.price_rates import NO_RATES, RateRow
from inferometer.core.prices import DAY_US

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from inferometer.core.columns import EventColumns
    from inferometer.core.price_book import PriceBook, Tariff

    Integers = NDArray[np.int64]

NAMES = ("provider", "model", "response_model", "traffic_class")
MAX_DENSE_KEYS = 1 << 18
"""Up to this many possible keys a lookup table is quicker than sorting."""


@dataclass(frozen=True, slots=True)
class Situations:
    """`of_event[i]` is the place in `rows` of the rates that event i is charged."""

    of_event: Integers
    rows: tuple[RateRow, ...]
    known: NDArray[np.bool_]
    """False where no tariff prices the model."""
    numerators: Integers
    """By unit and situation; so are the next two."""
    denominators: Integers
    priced: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Axis:
    """What cuts one dimension into the parts in which prices do not change."""

    starts: tuple[int, ...]
    """First value of every part but the first."""
    lowest: int
    """A value in the first part."""

    def parts_of(self, values: Integers) -> Integers:
        return np.searchsorted(np.array(self.starts, np.int64), values, side="right")

    def value_in(self, part: int) -> int:
        return self.starts[part - 1] if part else self.lowest

    def __len__(self) -> int:
        return len(self.starts) + 1


def find_situations(book: PriceBook, columns: EventColumns) -> Situations:
    """Return the situations of a chunk's events, in a stable order."""
    names = [columns.codes[name] for name in NAMES]
    combos, of_event = _distinct(
        [name.codes for name in names], [len(name.values) for name in names]
    )
    texts = [tuple(n.values[c] for n, c in zip(names, combo, strict=True)) for combo in combos]
    candidates = [book.candidates(*combo[:3]) for combo in texts]
    axes, values = _axes(columns, {tariff for found in candidates for tariff in found})
    cut = [(axis, axis.parts_of(part)) for axis, part in zip(axes, values, strict=True)]
    keys, of_event = _distinct(
        [of_event, *(parts for _, parts in cut)], [len(combos), *(len(axis) for axis in axes)]
    )
    rows = []
    known = []
    for combo, *parts in keys:
        at_us, time_of_day_us, input_tokens = (
            axis.value_in(part) for axis, part in zip(axes, parts, strict=True)
        )
        tariff = next((t for t in candidates[combo] if t.is_in_force(at_us)), None)
        known.append(tariff is not None)
        rows.append(
            NO_RATES
            if tariff is None
            else tariff.rates(
                at_us=at_us,
                traffic_class=texts[combo][3],
                time_of_day_us=time_of_day_us,
                input_tokens=input_tokens,
            )
        )
    return _stack(of_event, rows, known)


def _axes(columns: EventColumns, tariffs: Iterable[Tariff]) -> tuple[list[_Axis], list[Integers]]:
    """Return time, time of day and input total, cut where a price of these tariffs changes."""
    ends_us = columns.numbers["ts_end"]
    inputs = columns.numbers["input_tokens"]
    first, last = (int(ends_us.min()), int(ends_us.max())) if len(ends_us) else (0, 0)
    instants: set[int] = set()
    times_of_day: set[int] = set()
    tiers: set[int] = set()
    for tariff in tariffs:
        instants.update(instant for instant in tariff.instants_us if first < instant <= last)
        times_of_day.update(tariff.times_of_day_us)
        # A tier holds above its threshold, from the next token on.
        tiers.update(threshold + 1 for threshold in tariff.thresholds)
    axes = [
        _Axis(tuple(sorted(instants)), first),
        _Axis(tuple(sorted(times_of_day - {0})), 0),
        _Axis(tuple(sorted(tiers)), 0),
    ]
    return axes, [ends_us, ends_us % DAY_US if times_of_day else np.zeros_like(ends_us), inputs]


def _distinct(
    parts: list[NDArray[np.int32] | Integers], sizes: list[int]
) -> tuple[list[tuple[int, ...]], Integers]:
    """Return the distinct rows of several code columns, and each event's place among them."""
    keys = np.zeros(len(parts[0]), np.int64)
    for part, size in zip(parts, sizes, strict=True):
        if size > 1:
            keys = keys * size + part
    size = 1
    for part_size in sizes:
        size *= max(1, part_size)
    if size <= MAX_DENSE_KEYS:
        is_present = np.zeros(size, np.bool_)
        is_present[keys] = True
        present = np.flatnonzero(is_present)
        places = np.zeros(size, np.int64)
        places[present] = np.arange(len(present))
        of_event = places[keys]
    else:
        present, of_event = np.unique(keys, return_inverse=True)
    shape = tuple(max(1, part_size) for part_size in sizes)
    return [tuple(map(int, row)) for row in zip(*np.unravel_index(present, shape), strict=True)], (
        of_event
    )


def _stack(of_event: Integers, rows: list[RateRow], known: list[bool]) -> Situations:
    table = rows or [NO_RATES]
    return Situations(
        of_event=of_event,
        rows=tuple(rows),
        known=np.array(known, np.bool_),
        numerators=np.stack([row.numerators for row in table], axis=1),
        denominators=np.stack([row.denominators for row in table], axis=1),
        priced=np.stack([row.priced for row in table], axis=1),
    )
