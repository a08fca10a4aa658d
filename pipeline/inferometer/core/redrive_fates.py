"""What may become of a dead letter that is to be sent again, and how that is asked for.

Invariant: every letter that a redrive looks at has exactly one fate.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from inferometer.core.redrive import NO_CHANGES, Changes

if TYPE_CHECKING:
    from inferometer.core.redrive import DeadLetterRow


class Fate(enum.StrEnum):
    """What became of a letter."""

    SENT = "sent"
    WOULD_SEND = "would_send"
    """A dry run."""
    ALREADY_SENT = "already_sent"
    REFUSED_AGAIN = "refused_again"
    """The door of this version refuses the event, mended or not."""
    UNMENDABLE = "unmendable"
    """Its bytes are no JSON object."""
    NO_PARTITION = "no_partition"
    """The topic no longer has the partition."""


@dataclass(frozen=True, slots=True)
class Redriven:
    """One letter and what became of it."""

    letter: DeadLetterRow
    fate: Fate
    event_id: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RedriveOptions:
    """How letters are sent again."""

    changes: Changes = NO_CHANGES
    again: bool = False
    """Also letters that were sent already."""
    force: bool = False
    """Also events that the door of this version would refuse again."""
    dry_run: bool = False


@dataclass(slots=True)
class RedriveTotals:
    """How many letters had which fate."""

    counts: Counter[Fate] = field(default_factory=Counter)

    @property
    def is_ok(self) -> bool:
        """Say whether no letter was left behind."""
        left = (Fate.REFUSED_AGAIN, Fate.UNMENDABLE, Fate.NO_PARTITION)
        return not any(self.counts[fate] for fate in left)
