"""What one kind of envelope yields at the door: rows, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inferometer.core.admitted_rows import Part
    from inferometer.core.reasons import Refusal

WHOLE = -1
"""Stands for the index of an event where a whole record is meant."""


@dataclass(slots=True)
class Judged:
    """Parts of rows, refused events by (record, index) with their JSON, refused records."""

    parts: list[Part] = field(default_factory=list)
    events: dict[tuple[int, int], tuple[Refusal, bytes]] = field(default_factory=dict)
    records: dict[int, Refusal] = field(default_factory=dict)
    unknown_fields: int = 0
