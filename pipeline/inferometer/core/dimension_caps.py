"""Dimension caps: how many values of a dimension have roll-up rows of their own.

Each partition admits values in the order in which they appear, up to the cap, and begins anew each
month (UTC); what comes beyond is counted under `__other__` in roll-ups, and kept as it is in the log.

Invariants: a value once admitted stays so until the month ends, whatever becomes of the cap; no
value and `__other__` itself are neither admitted nor folded; a cap is at least 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Self

from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OTHER = "__other__"
"""What roll-ups have in place of a value that was not admitted."""

DEFAULT_CAPS = {
    "workspace_id": 10_000,
    "environment": 200,
    "provider": 500,
    "model": 2_000,
    "model_version": 5_000,
    "region": 500,
    "error_type": 1_000,
    "virtual_model": 2_000,
    "team_id": 10_000,
    "user_id": 100_000,
    "virtual_account_id": 10_000,
}
"""Every dimension of a cube whose values producers choose freely; the rest are closed lists."""

CAPPED_DIMENSIONS = tuple(DEFAULT_CAPS)
"""Their order is that of the caps in an intent; it changes with the version of the cubes only."""

_US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class CapPolicy:
    """The most values that one partition admits in a month, in the order of `CAPPED_DIMENSIONS`."""

    caps: tuple[int, ...] = tuple(DEFAULT_CAPS.values())

    def __post_init__(self) -> None:
        if len(self.caps) != len(CAPPED_DIMENSIONS) or min(self.caps) < 1:
            raise StateError(
                f"caps {list(self.caps)} are not one number of at least 1 for each of "
                f"{', '.join(CAPPED_DIMENSIONS)}; drain with the version that wrote them"
            )

    @classmethod
    def by_name(cls, caps: Mapping[str, int]) -> Self:
        """Return the policy with some caps given, by dimension."""
        return cls(tuple(caps.get(name, DEFAULT_CAPS[name]) for name in CAPPED_DIMENSIONS))

    @classmethod
    def pinned(cls, caps: Sequence[int]) -> Self:
        """Return what an intent pins; the defaults where it pins none. Raises StateError."""
        return cls(tuple(caps)) if caps else cls()

    def of(self, dimension: str) -> int:
        """Return the cap of a dimension."""
        return self.caps[CAPPED_DIMENSIONS.index(dimension)]


def month_of(instant_us: int) -> date:
    """Return the first day of the month (UTC) of an instant in microseconds since 1970."""
    return datetime.fromtimestamp(instant_us // _US_PER_S, UTC).date().replace(day=1)
