"""Requests drawn from those that an objective counts: what tells which of them fail together.

Drawn are, of each row of a table, the bad requests with the lowest hashes of their ids, and, to
compare with, those of a sixteenth of all. This is a bottom-k sample (Cohen and Kaplan, "Summarizing
Data using Bottom-k Sketches", 2007): the lowest of a union are among the lowest of its parts.

Invariants: what is drawn of some requests depends on them alone, not on how they were cut into
chunks and partitions, nor on their order or repetition; an id says nothing of how a request went,
so that each bad request is as likely to be drawn as another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from inferometer.core.slo.dimensions import STATUS, TEAM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from inferometer.core.slo.definitions import Slo
    from inferometer.core.slo.event_view import RequestView

    Codes = NDArray[np.int32]
    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]

KINDS = ("error_type", STATUS)
"""How a request failed; what is well has none."""
WHERE = (
    "workspace_id",
    "provider",
    "model",
    "model_version",
    "region",
    "node_id",
    TEAM,
)
"""Where it was, and for whom; no user, since notices leave the house and ids may be addresses."""
MOST_DRAWN = 32
"""Of a group and a row; up to so many they are all."""
TRAFFIC_BELOW = np.uint64(2**60)
"""A sixteenth of the hashes: usual traffic is known from some 200 requests on, with little to carry."""
BAD, TRAFFIC = 1, 2
"""For what a request was drawn; it may be both."""
_FEW = 4096
_MARGIN = 4
_HASHES = 2.0**64


@dataclass(frozen=True, slots=True)
class DrawnRequests:
    """One request a column."""

    row: Codes
    """Of the table that they were drawn from."""
    hashes: Hashes
    """Of the ids."""
    purposes: NDArray[np.uint8]
    dimensions: tuple[str, ...]
    codes: Codes
    """[dimension, request]: an index into texts."""
    texts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.row)

    def of_rows(self, chosen: NDArray[np.bool_]) -> DrawnRequests | None:
        """Return those of some rows, which are numbered anew; None if there are none."""
        mine = chosen[self.row]
        if not mine.any():
            return None
        places = (np.cumsum(chosen) - 1).astype(np.int32)
        return replace(
            self,
            row=places[self.row[mine]],
            hashes=self.hashes[mine],
            purposes=self.purposes[mine],
            codes=self.codes[:, mine],
        )


def dimensions_of(slo: Slo) -> tuple[str, ...]:
    """Return what may tell the requests of a group of an objective apart."""
    same = {*slo.group_by, "workspace_id"} if slo.workspace else set(slo.group_by)
    return tuple(name for name in (*KINDS, *WHERE) if name not in same)


def draw(
    view: RequestView,
    rows: Places,
    row_of: Codes,
    bad: NDArray[np.bool_],
    dimensions: Sequence[str],
) -> DrawnRequests | None:
    """Draw from requests that count: `rows` of the view, of which each has a row of the table.

    None where none is drawn, or where the view does not know their ids.
    """
    if view.hashes is None:
        return None
    hashes = view.hashes[rows]
    purposes = np.zeros(len(rows), dtype=np.uint8)
    for purpose, eligible in ((BAD, bad), (TRAFFIC, hashes < TRAFFIC_BELOW)):
        found = np.flatnonzero(eligible)
        purposes[found[lowest(row_of[found], hashes[found], MOST_DRAWN)]] |= purpose
    drawn = np.flatnonzero(purposes)
    if not len(drawn):
        return None
    codes, texts = _coded(view, rows[drawn], dimensions)
    return DrawnRequests(
        row_of[drawn], hashes[drawn], purposes[drawn], tuple(dimensions), codes, texts
    )


def lowest(places: NDArray[np.integer], hashes: Hashes, most: int) -> Places:
    """Return which requests have the lowest hashes of their place, by place and hash."""
    candidates = np.arange(len(hashes))
    if len(hashes) > _FEW:
        candidates = _probable(places, hashes, most)
    order = candidates[np.lexsort((hashes[candidates], places[candidates]))]
    return order[ranks(places[order]) < most]


def ranks(places: NDArray[np.integer]) -> Places:
    """Return how many stand before each in its place; equal places stand together."""
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    found: Places = np.arange(len(places)) - np.repeat(starts, np.diff(starts, append=len(places)))
    return found


def _probable(places: NDArray[np.integer], hashes: Hashes, most: int) -> Places:
    """Return requests among which the lowest are, of many: sorting all would cost too much."""
    counts = np.bincount(places)
    below = np.minimum(_HASHES * _MARGIN * most / np.maximum(counts, 1), _HASHES)
    is_low = hashes.astype(np.float64) <= below[places]
    is_whole = np.bincount(places[is_low], minlength=len(counts)) >= np.minimum(counts, most)
    # All of a place that would have too few: hashes may fall badly.
    return np.flatnonzero(is_low | ~is_whole[places])


def _coded(
    view: RequestView, rows: Places, dimensions: Sequence[str]
) -> tuple[Codes, tuple[str, ...]]:
    places: dict[str, int] = {}
    codes = np.empty((len(dimensions), len(rows)), dtype=np.int32)
    for number, name in enumerate(dimensions):
        column = view.dimension_of(name, rows)
        used, inverse = np.unique(column.codes, return_inverse=True)
        own = [places.setdefault(column.values[code], len(places)) for code in used.tolist()]
        codes[number] = np.array(own, dtype=np.int32)[inverse]
    return codes, tuple(places)
