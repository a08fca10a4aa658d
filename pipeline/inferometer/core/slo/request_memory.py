"""What an evaluator remembers of drawn requests: lately bad ones, and some of all, by group.

Bad requests are kept of the last 5 to 10 minutes and of the last 30 to 60, of all requests those of
the latter; of each group the ones with the lowest hashes, at most `MOST_DRAWN` in each part of such a
span: two parts, and a third until it is let go. So a group that fails all the time takes at most 288
rows of some 50 bytes, and the texts in them.

Invariant: what is remembered depends on the requests that were drawn alone, not on when and in
which tables they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from inferometer.core.slo.definitions import MINUTE_S
from inferometer.core.slo.drawn_requests import BAD, MOST_DRAWN, TRAFFIC, ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from inferometer.core.slo.drawn_requests import DrawnRequests

    Codes = NDArray[np.int32]
    Groups = NDArray[np.int64]
    Hashes = NDArray[np.uint64]
    Seconds = NDArray[np.int64]

LATELY_S = 5 * MINUTE_S
LONGER_S = 30 * MINUTE_S
FEW_LATELY = 20
"""With fewer bad requests lately, those of the longer span are asked."""
_PARTS = 2
_FRESH = 1024
"""Rows that wait to be sorted in, beside as many as are sorted."""
_SPARE_TEXTS = 4096
_ANY = np.uint64(2**64 - 1)


class _WrittenPart(msgspec.Struct, array_like=True):
    span: int
    starts_s: int
    groups: bytes
    hashes: bytes
    codes: bytes


class WrittenMemory(msgspec.Struct, array_like=True):
    """A `RequestMemory` as it is written."""

    dimensions: list[str]
    texts: list[str]
    parts: list[_WrittenPart]


@dataclass(slots=True)
class _Part:
    """Requests of one stretch of time, by group and hash."""

    groups: Groups
    hashes: Hashes
    codes: Codes
    limits: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64))
    """By group: of one that is full the highest hash, beyond which nothing is kept."""
    fresh: list[tuple[Groups, Hashes, Codes]] = field(default_factory=list)
    fresh_rows: int = 0

    def add(self, groups: Groups, hashes: Hashes, codes: Codes) -> None:
        limited = np.flatnonzero(groups < len(self.limits))
        is_kept = np.ones(len(groups), dtype=np.bool_)
        is_kept[limited] = hashes[limited] < self.limits[groups[limited]]
        if not is_kept.any():
            return
        self.fresh.append((groups[is_kept], hashes[is_kept], codes[:, is_kept]))
        self.fresh_rows += int(is_kept.sum())
        if self.fresh_rows > len(self.groups) + _FRESH:
            self.sort()

    def sort(self) -> None:
        """Sort in what is fresh, and let go of what is too much."""
        if not self.fresh:
            return
        rows = [(self.groups, self.hashes, self.codes), *self.fresh]
        self.fresh, self.fresh_rows = [], 0
        groups, hashes = (np.concatenate([row[number] for row in rows]) for number in (0, 1))
        codes = np.concatenate([row[2] for row in rows], axis=1)
        order = np.lexsort((hashes, groups))
        # One that came twice, further apart than duplicates are looked for, is one.
        is_new = np.ones(len(order), dtype=np.bool_)
        is_new[1:] = np.diff(groups[order]).astype(np.bool_)
        is_new[1:] |= hashes[order][1:] != hashes[order][:-1]
        kept = order[is_new]
        places = ranks(groups[kept])
        last = kept[places == MOST_DRAWN - 1]
        kept = kept[places < MOST_DRAWN]
        self.groups, self.hashes, self.codes = groups[kept], hashes[kept], codes[:, kept]
        self.limits = np.full(int(self.groups[-1]) + 1, _ANY)
        self.limits[groups[last]] = hashes[last]

    def of_group(self, group: int) -> tuple[Hashes, Codes]:
        self.sort()
        mine = slice(*np.searchsorted(self.groups, (group, group + 1)).tolist())
        return self.hashes[mine], self.codes[:, mine]

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Let go of the rows that are not chosen; nothing may be fresh."""
        self.groups, self.hashes = self.groups[chosen], self.hashes[chosen]
        self.codes = self.codes[:, chosen]
        self.limits = np.zeros(0, np.uint64)


@dataclass(slots=True)
class _Span:
    """The last two parts of one length."""

    purpose: int
    length_s: int
    parts: dict[int, _Part] = field(default_factory=dict)
    """By start."""

    def first_s(self, tick_s: int) -> int:
        """Return the start of the earlier part at a tick, which ends what came before it."""
        return (tick_s - 1) // self.length_s * self.length_s - (_PARTS - 1) * self.length_s

    def add(self, drawn: DrawnRequests, groups: Groups, cells_s: Seconds, codes: Codes) -> None:
        mine = np.flatnonzero(drawn.purposes & self.purpose)
        starts = cells_s[mine] // self.length_s * self.length_s
        for start_s in np.unique(starts).tolist():
            rows = mine[starts == start_s]
            part = self.parts.setdefault(start_s, _empty(len(codes)))
            part.add(groups[rows], drawn.hashes[rows], codes[:, rows])

    def of_group(self, group: int, tick_s: int) -> Codes | None:
        """Return [dimension, request] of a group, each request as likely as another."""
        first_s = self.first_s(tick_s)
        found = [
            part.of_group(group)
            for start_s, part in sorted(self.parts.items())
            if first_s <= start_s < tick_s
        ]
        if not found:
            return None
        # Where a part is full, requests above its highest hash were let go.
        limit = min((hashes[-1] for hashes, _ in found if len(hashes) == MOST_DRAWN), default=_ANY)
        return np.concatenate([codes[:, hashes <= limit] for hashes, codes in found], axis=1)


def _empty(dimensions: int) -> _Part:
    return _Part(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros((dimensions, 0), np.int32))


class RequestMemory:
    """Drawn requests of the groups of one objective."""

    def __init__(self, dimensions: tuple[str, ...]) -> None:
        self.dimensions = dimensions
        self._spans = (
            _Span(BAD, LATELY_S),
            _Span(BAD, LONGER_S),
            _Span(TRAFFIC, LONGER_S),
        )
        self._texts: list[str] = [""]
        self._places: dict[str, int] = {"": 0}
        self._most_texts = _SPARE_TEXTS

    def __len__(self) -> int:
        return sum(len(part.groups) + part.fresh_rows for part in self._parts())

    def _parts(self) -> Iterator[_Part]:
        return (part for span in self._spans for part in span.parts.values())

    def add(self, drawn: DrawnRequests, groups: Groups, cells_s: Seconds) -> None:
        """Take drawn requests in, each with its group and the cell that it ended in."""
        codes = self._own_codes(drawn.dimensions, drawn.codes, drawn.texts)
        for span in self._spans:
            span.add(drawn, groups, cells_s, codes)

    def _own_codes(self, dimensions: Sequence[str], codes: Codes, texts: Sequence[str]) -> Codes:
        """Return codes as they are numbered here; another version may know other dimensions."""
        numbers = np.array([self._place(text) for text in texts], dtype=np.int32)
        own = np.zeros((len(self.dimensions), codes.shape[1]), dtype=np.int32)
        for number, name in enumerate(self.dimensions):
            if name in dimensions:
                own[number] = numbers[codes[dimensions.index(name)]]
        return own

    def _place(self, text: str) -> int:
        place = self._places.setdefault(text, len(self._texts))
        if place == len(self._texts):
            self._texts.append(text)
        return place

    def advance(self, tick_s: int) -> None:
        """Let go of what no question at a tick, or later, is about."""
        for span in self._spans:
            first_s = span.first_s(tick_s)
            for start_s in [start_s for start_s in span.parts if start_s < first_s]:
                del span.parts[start_s]
        if len(self._texts) > self._most_texts:
            self._forget_texts()

    def _forget_texts(self) -> None:
        is_used = np.zeros(len(self._texts), dtype=np.bool_)
        is_used[0] = True
        for part in self._parts():
            part.sort()
            is_used[part.codes] = True
        moved = (np.cumsum(is_used) - 1).astype(np.int32)
        for part in self._parts():
            part.codes = moved[part.codes]
        self._texts = [self._texts[place] for place in np.flatnonzero(is_used).tolist()]
        self._places = {text: place for place, text in enumerate(self._texts)}
        self._most_texts = 2 * len(self._texts) + _SPARE_TEXTS

    def forget(self, groups: Iterable[int]) -> None:
        """Let go of groups, whose numbers may come to mean others."""
        gone = np.array(sorted(groups), dtype=np.int64)
        if not len(gone):
            return
        for part in self._parts():
            part.sort()
            part.keep(~np.isin(part.groups, gone))

    def bad(self, group: int, tick_s: int) -> list[list[str]]:
        """Return the texts of bad requests by dimension: of lately, or longer if these are few."""
        lately, longer, _ = self._spans
        found = lately.of_group(group, tick_s)
        if found is None or found.shape[1] < FEW_LATELY:
            found = longer.of_group(group, tick_s)
        return self._said(found)

    def traffic(self, group: int, tick_s: int) -> list[list[str]]:
        """Return the texts of requests, good or bad, by dimension."""
        return self._said(self._spans[-1].of_group(group, tick_s))

    def _said(self, codes: Codes | None) -> list[list[str]]:
        if codes is None:
            return [[] for _ in self.dimensions]
        return [[self._texts[code] for code in row] for row in codes.tolist()]

    def to_state(self, groups: Sequence[int]) -> WrittenMemory:
        """Return everything for `restore`, where groups go by their places among `groups`."""
        numbers = np.zeros(max(groups, default=-1) + 1, dtype=np.int64)
        numbers[list(groups)] = np.arange(len(groups))
        parts = []
        for number, span in enumerate(self._spans):
            for start_s, part in sorted(span.parts.items()):
                part.sort()
                places, codes = numbers[part.groups].astype("<i8"), part.codes.astype("<i4")
                data = (places.tobytes(), part.hashes.astype("<u8").tobytes(), codes.tobytes())
                parts.append(_WrittenPart(number, start_s, *data))
        return WrittenMemory(list(self.dimensions), self._texts, parts)

    def restore(self, state: WrittenMemory, groups: Sequence[int]) -> None:
        """Go on from `to_state`; `groups` are the numbers here of the places there."""
        numbers = np.array(groups, dtype=np.int64)
        for written in state.parts:
            codes = np.frombuffer(written.codes, "<i4").reshape(len(state.dimensions), -1)
            part = _empty(len(self.dimensions))
            part.add(
                numbers[np.frombuffer(written.groups, "<i8")],
                np.frombuffer(written.hashes, "<u8"),
                self._own_codes(state.dimensions, codes, state.texts),
            )
            self._spans[written.span].parts[written.starts_s] = part
