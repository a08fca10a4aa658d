"""Folding: the values that a partition has admitted, and what a chunk's dimensions become by them.

Invariants: what a chunk folds and admits depends on the lists as of its first offset, its events and
its intent alone; lists only grow, and only by a chunk that is stored; the month of a list never goes
back; every event keeps one value a dimension, so no sum over a window changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from inferometer.core.columns import CodeColumn
from inferometer.core.dimension_caps import CAPPED_DIMENSIONS, OTHER, CapPolicy, month_of
from inferometer.core.dimension_texts import TextSet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from numpy.typing import NDArray

    from inferometer.core.chunks import Intent
    from inferometer.core.columns import EventColumns

ADMITTED_SCHEMA = pa.schema(
    [("month", pa.date32()), ("dimension", pa.string()), ("value", pa.string())]
)
"""What `DimensionLists.of_rows` reads."""


@dataclass(frozen=True, slots=True)
class NewValues:
    """Values that a chunk admits to one dimension, in order of appearance in the partition."""

    texts: pa.StringArray
    rows: NDArray[np.int64]
    """The row of the first event of each."""


@dataclass(frozen=True, slots=True)
class Folding:
    """What became of a chunk's dimensions."""

    month: date
    """First day of the month that the lists belong to."""
    columns: dict[str, CodeColumn]
    """All dimensions, those that fold nothing as they came."""
    admitted: dict[str, NewValues]
    folded: dict[str, int]
    """Events whose value became `OTHER`, of each dimension that has any."""

    def folded_events(self) -> tuple[tuple[str, int], ...]:
        """Return the events that became `OTHER`, by dimension, sorted by it."""
        return tuple(sorted(self.folded.items()))

    def new_values(self) -> tuple[tuple[str, int], ...]:
        """Return how many values are admitted, by dimension, sorted by it."""
        return tuple(sorted((name, len(new.texts)) for name, new in self.admitted.items()))


@njit(cache=True, nogil=True)
def _appearances(
    codes: NDArray[np.int32],
    offsets: NDArray[np.int64],
    indexes: NDArray[np.int64],
    is_wanted: NDArray[np.bool_],
    found: NDArray[np.int32],
    rows: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> int:
    """List the wanted codes, each with the row of its first event and its events; return how many.

    The first event is that of the smallest (offset, index): rows may stand in any order.
    """
    ranks = np.full(len(is_wanted), -1, dtype=np.int32)
    used = 0
    for row in range(len(codes)):
        code = codes[row]
        if is_wanted[code]:
            rank = ranks[code]
            if rank < 0:
                rank = used
                ranks[code] = rank
                found[rank] = code
                rows[rank] = row
                used += 1
            first = rows[rank]
            if offsets[row] < offsets[first] or (
                offsets[row] == offsets[first] and indexes[row] < indexes[first]
            ):
                rows[rank] = row
            counts[rank] += 1
    return used


@dataclass(slots=True)
class DimensionLists:
    """What one partition has admitted in its latest month."""

    month: date | None = None
    texts: dict[str, TextSet] = field(default_factory=dict)

    @classmethod
    def of_rows(cls, rows: pa.Table) -> DimensionLists:
        """Read stored rows of one month, in order of appearance."""
        lists = cls()
        if rows.num_rows:
            lists.month = rows.column("month")[0].as_py()
            for name in CAPPED_DIMENSIONS:
                values = rows.filter(pc.field("dimension") == name).column("value")
                lists._list(name).add(pa.array(values.combine_chunks(), pa.string()))
        return lists

    def fold(
        self, columns: Mapping[str, CodeColumn], events: EventColumns, intent: Intent
    ) -> Folding:
        """Return a chunk's dimensions, those of its events, under its caps; changes nothing here."""
        # A clock that went back, of another worker, must not split the list of a month.
        month = max(month_of(intent.decided_at_us), self.month or month_of(0))
        caps = CapPolicy.pinned(intent.caps)
        folding = Folding(month, dict(columns), {}, {})
        for name in CAPPED_DIMENSIONS:
            listed = self._list(name) if month == self.month else TextSet()
            _fold(folding, name, events, listed, caps.of(name))
        return folding

    def adopt(self, folding: Folding) -> None:
        """Remember what a stored chunk has admitted."""
        if not folding.admitted:
            return
        if folding.month != self.month:
            self.month, self.texts = folding.month, {}
        for name, new in folding.admitted.items():
            self._list(name).add(new.texts)

    def _list(self, name: str) -> TextSet:
        return self.texts.setdefault(name, TextSet())


def _fold(folding: Folding, name: str, events: EventColumns, listed: TextSet, cap: int) -> None:
    column = folding.columns[name]
    values = pa.array(column.values, pa.string())
    is_unknown = listed.places(values) < 0
    is_unknown &= ~pc.is_in(values, pa.array(["", OTHER])).to_numpy(zero_copy_only=False)
    unknown = int(is_unknown.sum())
    if unknown == 0:
        return
    found = np.empty(unknown, dtype=np.int32)
    rows = np.empty(unknown, dtype=np.int64)
    counts = np.zeros(unknown, dtype=np.int64)
    # Values that only refused events and duplicates had are not among them.
    seen = _appearances(
        column.codes, events.offsets, events.indexes, is_unknown, found, rows, counts
    )
    room = min(max(cap - len(listed), 0), seen)
    if room:
        order = np.lexsort((events.indexes[rows[:seen]], events.offsets[rows[:seen]]))
        found, rows, counts = found[order], rows[order], counts[order]
        folding.admitted[name] = NewValues(values.take(pa.array(found[:room])), rows[:room])
    if room < seen:
        folding.columns[name] = _folded(column, found[room:seen])
        folding.folded[name] = int(counts[room:seen].sum())


def _folded(column: CodeColumn, codes: NDArray[np.int32]) -> CodeColumn:
    """Return a column in which some codes are `OTHER`, without the values that these had."""
    is_kept = np.ones(len(column.values), dtype=np.bool_)
    is_kept[codes] = False
    kept = np.flatnonzero(is_kept)
    values = tuple([column.values[code] for code in kept.tolist()])
    if OTHER not in values:
        values = (*values, OTHER)
    new_codes = np.full(len(column.values), values.index(OTHER), dtype=np.int32)
    new_codes[kept] = np.arange(len(kept), dtype=np.int32)
    return CodeColumn(new_codes[column.codes], values)
