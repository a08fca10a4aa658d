"""What keeps notices back at the moment of sending: a contract, and the one that keeps back none.

Invariants: an answer depends on labels and the instant only; a resolve is never kept back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Mutes(Protocol):
    """Silences and maintenance windows; asked for every firing incident at every tick."""

    def muted_by(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        """Return ids of what keeps a notice with these labels back now."""
        ...

    def pages_held_by(self, labels: Mapping[str, str], now_s: int, short_s: int) -> tuple[str, ...]:
        """Return ids of maintenance windows that ended less than `short_s` ago."""
        ...

    def notes(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        """Return what a notice should say of deploys that are near."""
        ...


class NoMutes:
    """Nothing is kept back."""

    def muted_by(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def pages_held_by(self, labels: Mapping[str, str], now_s: int, short_s: int) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def notes(self, labels: Mapping[str, str], now_s: int) -> tuple[str, ...]:
        """Return nothing."""
        return ()


NO_MUTES = NoMutes()
