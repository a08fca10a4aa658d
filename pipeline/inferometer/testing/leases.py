"""A Lease for those who own everything: tests, and work without a group."""

from __future__ import annotations


class CertainLease:
    """Never in doubt."""

    def check(self) -> None:
        """Return."""
