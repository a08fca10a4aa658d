"""A board's state as bytes: snapshots of all of it, and, far smaller, of what is about to be told.

Invariants: what was restored says the same as what was kept; who restores what was kept before a
notice knows of that notice, whatever is declared by then and however late it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from inferometer.core.alerts.alert_state import AlertState
from inferometer.core.alerts.engine import Outcome
from inferometer.core.alerts.history import decode_transition, encode_transition
from inferometer.core.alerts.notice_codec import decode_notice, encode_notice
from inferometer.core.slo.board import Board
from inferometer.core.slo.reducer import CountReducer
from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from inferometer.core.alerts.engine import Alerts
    from inferometer.core.slo.board import Lane

SNAPSHOT_FORMAT = 1


class _Snapshot(msgspec.Struct, array_like=True):
    format: int
    stream_id: str
    next_offset: int
    reducer: bytes
    lanes: dict[str, bytes]
    alerts: bytes
    clock_alerts: bytes


class _Told(msgspec.Struct, array_like=True):
    format: int
    alerts: bytes
    clock_alerts: bytes
    outcomes: list[tuple[list[bytes], list[bytes]]]
    """Notices and transitions."""


_Kind = TypeVar("_Kind", _Snapshot, _Told)


@dataclass(frozen=True, slots=True)
class Position:
    """Where in the counts topic a snapshot was taken."""

    stream_id: str
    next_offset: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store has of one board."""

    snapshot: bytes | None = None
    told: bytes | None = None
    """What was about to be told last, if that was after the snapshot."""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing was kept yet."""
        return self.snapshot is None and self.told is None


@dataclass(frozen=True, slots=True)
class Restored:
    """A board, and what whoever goes on with it has to do."""

    board: Board
    position: Position | None
    """Where to read on; None without a snapshot."""
    untold: tuple[Outcome, ...]
    """What was about to be told, and may have been: it is told again, under its ids."""


def to_snapshot(board: Board, position: Position) -> bytes:
    """Return everything of a board, as of a place in the counts topic."""
    return msgspec.msgpack.encode(
        _Snapshot(
            SNAPSHOT_FORMAT,
            position.stream_id,
            position.next_offset,
            board.reducer.to_snapshot(),
            {name: lane.to_snapshot() for name, lane in board.lanes.items()},
            board.alerts.state.to_snapshot(),
            board.clock_alerts.state.to_snapshot(),
        )
    )


def to_told(board: Board, outcomes: Sequence[Outcome]) -> bytes:
    """Return the incidents of a board and what is about to be told of them.

    It is as large as what fires, not as what is counted, so it can be kept before each notice.
    """
    return msgspec.msgpack.encode(
        _Told(
            SNAPSHOT_FORMAT,
            board.alerts.state.to_snapshot(),
            board.clock_alerts.state.to_snapshot(),
            [
                (
                    [encode_notice(notice) for notice in outcome.notices],
                    [encode_transition(record) for record in outcome.transitions],
                )
                for outcome in outcomes
            ],
        )
    )


def restored(
    kept: Kept,
    *,
    topics: tuple[str, ...],
    lanes: Mapping[str, Lane],
    new_alerts: Callable[[AlertState | None], Alerts],
) -> Restored:
    """Return the board that was kept, or a new one. Raises StateError.

    Incidents are those of the later of the two: the ticks up to them are counted again from the
    snapshot on, and bring nothing.
    """
    found = None if kept.snapshot is None else _decoded(kept.snapshot, _Snapshot)
    told = None if kept.told is None else _decoded(kept.told, _Told)
    reducer, position = CountReducer(topics=topics), None
    if found is not None:
        reducer = CountReducer.from_snapshot(found.reducer, topics=topics)
        position = Position(found.stream_id, found.next_offset)
    latest = found if told is None else told
    board = Board(
        reducer=reducer,
        lanes=lanes,
        alerts=new_alerts(None if latest is None else AlertState.from_snapshot(latest.alerts)),
        clock_alerts=new_alerts(
            None if latest is None else AlertState.from_snapshot(latest.clock_alerts)
        ),
    )
    for name, lane in lanes.items():
        if found is not None and name in found.lanes and not lane.restore(found.lanes[name]):
            board.left_aside.append(name)
    return Restored(board, position, () if told is None else _outcomes(told))


def _outcomes(told: _Told) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(
            notices=tuple(map(decode_notice, notices)),
            transitions=tuple(map(decode_transition, transitions)),
        )
        for notices, transitions in told.outcomes
    )


def _decoded(data: bytes, kind: type[_Kind]) -> _Kind:
    try:
        found = msgspec.msgpack.decode(data, type=kind)
    except msgspec.DecodeError as error:
        raise StateError(f"the state of the alerts cannot be read: {error}") from error
    if found.format != SNAPSHOT_FORMAT:
        raise StateError(
            f"the state of the alerts has format {found.format}, this version reads "
            f"{SNAPSHOT_FORMAT}; start the version that wrote it, or delete the state topic"
        )
    return found
