"""Counts what the faults did: not what was injected, but what the protocol had to make good."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tests.faults import trace
from tests.faults.trace import Line, read_trace

if TYPE_CHECKING:
    from tests.faults.fleet import Life
    from tests.faults.store_proxy import Spoil

CALM_BEFORE_S, CALM_AFTER_S = 12.0, 30.0
"""A kill stands alone where no other fault is this near."""
RANDOM = "at random"
_SAME_S = 0.5
_BIN_S, _MEAN_BINS, _FULL = 0.5, 6, 0.8

Token = tuple[int, int, int, str]
Span = tuple[int, int, int]


@dataclass(slots=True)
class Effects:
    """Faults that mattered."""

    kills: int = 0
    kills_with_open_chunk: int = 0
    kills_by_step: dict[str, int] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    """How the processes of workers ended."""
    generations: int = 0
    """Generations of the group under which a chunk was begun: rebalances that were seen."""
    open_at_take_over: int = 0
    commits_fenced: int = 0
    chunks: int = 0
    inserts: int = 0
    inserts_failed: int = 0
    inserts_repeated: int = 0
    """Inserts whose token another attempt had used before."""
    tokens_met: int = 0
    """Of these, inserts after one that had returned: the rows were there already."""
    blocks_deduplicated: int = 0
    """Tokens that met themselves as the store counts them: a kill may cost it the last second."""
    late_inserts: int = 0
    """Inserts of a chunk that another worker had begun again meanwhile."""
    spoiled: dict[str, int] = field(default_factory=dict)
    take_over_s: dict[str, float] = field(default_factory=dict)
    """From a kill until every partition of the killed worker had stored a chunk again."""
    recovery_s: list[float] = field(default_factory=list)
    """From a kill with nothing else around it until the group stored at its full rate again."""
    longest_gap_s: float = 0.0
    """Between two stored chunks of one partition, all faults together."""


def observe(lives: list[Life], spoiled: Mapping[Spoil, int], disturbed_s: list[float]) -> Effects:
    """Return the effects that the traces of all workers show; `disturbed_s` are instants of faults."""
    effects = Effects(spoiled={spoil.value: count for spoil, count in spoiled.items()})
    lines: list[tuple[Line, int]] = []
    for life in lives:
        own = list(read_trace(life.trace)) if life.trace.exists() else []
        _note_end(effects, life, own)
        lines += [(line, life.number) for line in own]
    lines.sort(key=lambda item: item[0].at_s)
    _note_inserts(effects, lines)
    _note_chunks(effects, lines)
    _note_take_over(effects, lives, lines)
    effects.recovery_s = recoveries(disturbed_s, lives, lines)
    return effects


def _note_end(effects: Effects, life: Life, own: list[Line]) -> None:
    _count(effects.ends, life.cause or "running")
    if life.cause not in {"kill", "step"}:
        return
    effects.kills += 1
    effects.kills_with_open_chunk += bool(open_chunks(own))
    dying = [line.detail for line in own if line.kind == trace.DYING]
    _count(effects.kills_by_step, dying[-1] if dying else RANDOM)


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1


def open_chunks(own: list[Line]) -> set[Span]:
    """Return the chunks that a worker had begun and not acknowledged when its trace ended."""
    begun: dict[int, Span] = {}
    for line in own:
        if line.kind == trace.INTENT:
            begun[line.partition] = (line.partition, line.first, line.last)
        elif line.kind == trace.FENCED:
            begun.pop(line.partition, None)
        elif line.kind == trace.DONE:
            span = begun.get(line.partition)
            if span is not None and line.first > span[1]:
                begun.pop(line.partition)
    return set(begun.values())


def _note_inserts(effects: Effects, lines: list[tuple[Line, int]]) -> None:
    tried: set[Token] = set()
    stored: set[Token] = set()
    for line, _ in lines:
        token = (line.partition, line.first, line.last, line.detail)
        if line.kind == trace.INSERT:
            effects.inserts += 1
            effects.inserts_repeated += token in tried
            tried.add(token)
        elif line.kind == trace.FAILED:
            effects.inserts_failed += 1
        elif line.kind == trace.STORED:
            effects.tokens_met += token in stored
            stored.add(token)


def _note_chunks(effects: Effects, lines: list[tuple[Line, int]]) -> None:
    owner: dict[Span, int] = {}
    generations: set[str] = set()
    for line, worker in lines:
        span = (line.partition, line.first, line.last)
        if line.kind == trace.INTENT:
            generations.add(line.detail)
            before = owner.get(span)
            effects.chunks += before is None
            effects.open_at_take_over += before is not None and before != worker
            owner[span] = worker
        elif line.kind == trace.FENCED:
            effects.commits_fenced += 1
        elif line.kind == trace.INSERT and owner.get(span, worker) != worker:
            effects.late_inserts += 1
    effects.generations = len(generations)


def _note_take_over(effects: Effects, lives: list[Life], lines: list[tuple[Line, int]]) -> None:
    """How long after a kill every partition of the killed worker was at work again."""
    stored: dict[int, list[float]] = {}
    for line, _ in lines:
        if line.kind == trace.STORED and line.detail == "chunk_ledger":
            stored.setdefault(line.partition, []).append(line.at_s)
    for times in stored.values():
        gaps = [after - before for before, after in itertools.pairwise(times)]
        effects.longest_gap_s = round(max(effects.longest_gap_s, *gaps, 0.0), 1)
    found = []
    for life in lives:
        if life.cause not in {"kill", "step"} or not life.trace.exists():
            continue
        held = {line.partition for line in read_trace(life.trace) if line.kind == trace.INTENT}
        after = [
            next((at_s for at_s in stored.get(each, ()) if at_s > life.ended_s), None)
            for each in held
        ]
        known = [at_s - life.ended_s for at_s in after if at_s is not None]
        if known:
            found.append(max(known))
    if found:
        found.sort()
        effects.take_over_s = {
            "median": round(found[len(found) // 2], 1),
            "p90": round(found[int(len(found) * 0.9)], 1),
            "max": round(found[-1], 1),
        }


def recoveries(
    disturbed_s: list[float], lives: list[Life], lines: list[tuple[Line, int]]
) -> list[float]:
    """Return how long the rate was below 80 % after each kill that stood alone."""
    stored = [
        (line.at_s, line.last - line.first + 1)
        for line, _ in lines
        if line.kind == trace.STORED and line.detail == "chunk_ledger"
    ]
    if not stored:
        return []
    kills = [life.ended_s for life in lives if life.cause in {"kill", "step"}]
    others = sorted([*kills, *disturbed_s])
    times = np.array([at_s for at_s, _ in stored])
    counts = np.array([count for _, count in stored], np.float64)
    found = []
    for at_s in kills:
        around = [o for o in others if -CALM_BEFORE_S < o - at_s < CALM_AFTER_S and o != at_s]
        is_whole = times[0] < at_s - CALM_BEFORE_S and times[-1] > at_s + CALM_AFTER_S
        if is_whole and not [o for o in around if abs(o - at_s) > _SAME_S]:
            found.append(_recovery_s(at_s, times, counts))
    return found


def _recovery_s(at_s: float, times: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Return when the mean of three seconds was below 80 % of before for the last time."""
    edges = np.arange(at_s - CALM_BEFORE_S, at_s + CALM_AFTER_S + _BIN_S, _BIN_S)
    rates, _ = np.histogram(times, edges, weights=counts)
    smooth = np.convolve(rates, np.ones(_MEAN_BINS) / _MEAN_BINS, mode="same")
    before = edges[:-1] < at_s - _BIN_S * _MEAN_BINS / 2
    low = np.flatnonzero(~before & (smooth < _FULL * smooth[before].mean()))
    low = low[low < len(smooth) - _MEAN_BINS]
    return round(float(edges[low[-1] + 1] - at_s), 1) if len(low) else 0.0
