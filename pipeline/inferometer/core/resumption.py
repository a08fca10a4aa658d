"""Where a partition goes on after it was assigned: what the group says against what the store says.

Invariants: a chunk that the ledger closes is never begun again; a chunk that may be half written is
finished with the boundaries that it was begun with; records that are gone are said to be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.errors import StateError

if TYPE_CHECKING:
    from inferometer.core.chunks import Intent


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """A partition as the broker has it."""

    offset: int | None
    """Committed by the group for this incarnation of the topic; None where it is unknown."""
    intent: Intent | None
    """The open chunk, which begins at the offset."""
    earliest: int
    """The first offset that the broker still holds."""


@dataclass(frozen=True, slots=True)
class StoredProgress:
    """A partition as the store has it."""

    next_offset: int | None
    """The offset after the last chunk of the ledger; None where there is none."""
    open_intent: Intent | None
    """The first intent at or after it that no ledger row closes."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """What to do next with a partition."""

    offset: int
    intent: Intent | None = None
    """The chunk to finish first; it begins at the offset."""
    lost_records: int = 0
    """Offsets that the broker dropped before they were read."""


def resume(group: GroupPosition, stored: StoredProgress) -> Resumption:
    """Return where to go on.

    1. The group's offset counts, unless the ledger is ahead of it: offsets that went back, or
       expired. An offset beyond the ledger counts as well: holes of the log are in no chunk.
    2. An open chunk of the group is finished, unless the ledger goes past its beginning.
    3. Without one, an open chunk that the store knows from here on is finished: the group lost it.

    Raises StateError where an open chunk cannot be finished, since its records are gone.
    """
    offset = _further(group.offset, stored.next_offset)
    intent = _open_intent(group, stored, offset)
    if intent is not None:
        _require_records(intent, group)
        return Resumption(intent.first_offset, intent)
    if offset is None:
        return Resumption(group.earliest)
    lost = max(0, group.earliest - offset)
    return Resumption(offset + lost, lost_records=lost)


def _further(committed: int | None, in_ledger: int | None) -> int | None:
    known = [offset for offset in (committed, in_ledger) if offset is not None]
    return max(known, default=None)


def _open_intent(group: GroupPosition, stored: StoredProgress, offset: int | None) -> Intent | None:
    ours, theirs = group.intent, stored.open_intent
    # The ledger went past its beginning, so it was not the chunk that was begun there.
    if ours is not None and ours.first_offset < (stored.next_offset or 0):
        ours = None
    # An offset beyond it was set by someone who decided to go on without that chunk.
    if theirs is not None and offset is not None and theirs.first_offset < offset:
        theirs = None
    if ours is None or theirs is None or ours.first_offset != theirs.first_offset:
        return ours or theirs
    # Two for one place: offsets were lost and came back. What was begun last was begun in earnest.
    return max(ours, theirs, key=lambda intent: intent.decided_at_us)


def _require_records(intent: Intent, group: GroupPosition) -> None:
    # Its end is not checked: after an election a broker may show less than it will.
    if group.earliest > intent.first_offset:
        raise StateError(
            f"the chunk of offsets {intent.first_offset} to {intent.last_offset} is half written "
            f"and cannot be finished: the broker holds nothing before {group.earliest}; run "
            "`inferometer audit` to see what of it is stored, then set the group's offset to "
            "where it is to go on"
        )
