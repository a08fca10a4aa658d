"""What was sent, made again from how far each producer came."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.producer_main import Progress
from tests.faults.traffic import BLOCK_EVENTS, Columns, disturb, make_block
from tests.faults.wire import poison


@dataclass(frozen=True, slots=True)
class Sent:
    """Everything that the producers' clients have vouched for."""

    columns: Columns
    """Ordered by producer and running number."""
    late: int
    poison: dict[bytes, bytes]
    """The value of each poisonous record by its key."""


def sent_by(producers: Iterable[tuple[int, Path]], seed: int) -> Sent:
    """Return what producers sent, given their numbers and folders."""
    parts: list[Columns] = []
    late, bad = 0, {}
    for number, folder in producers:
        progress = Progress(folder)
        for block, base_us in enumerate(progress.bases_us):
            left = progress.events - block * BLOCK_EVENTS
            if left <= 0:
                break
            columns = make_block(seed, number, block, base_us)
            parts.append(
                columns
                if left >= BLOCK_EVENTS
                else columns.take(columns.number % BLOCK_EVENTS < left)
            )
            late += int((parts[-1].ts_end < base_us).sum())
            for place, draw in disturb(seed, number, block).poison.items():
                if place < left:
                    made = poison(number, block * BLOCK_EVENTS + place, draw, base_us)
                    bad[made.key] = made.value
    return Sent(Columns.concatenate(parts), late, bad)


def is_same_poison(sent: bytes, found: bytes) -> bool:
    """Return whether an event is the one that was sent, but for the mark of a spool that sent it again.

    Columns have no order of fields, and say null for what is absent.
    """
    if sent == found:
        return True
    try:
        wanted, again = (_plain(json.loads(value)) for value in (sent, found))
    except ValueError:
        return False
    return isinstance(again, dict) and bool(again == wanted)


def _plain(document: object) -> object:
    """Return an object without what is null and without the mark of a spool."""
    if not isinstance(document, dict):
        return document
    return {
        name: value for name, value in document.items() if value is not None and name != "resent"
    }
