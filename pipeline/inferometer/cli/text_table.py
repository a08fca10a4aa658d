"""Lines of cells as columns, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def text_table(lines: Sequence[Sequence[str]], *, left_columns: int | None = None) -> str:
    """Return lines of equally many cells, at least one line, each column as wide as its widest.

    Columns after the first `left_columns` end at one place, as numbers should; None for no such.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = len(widths) if left_columns is None else left_columns

    def cells(line: Sequence[str]) -> list[str]:
        return [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]

    return "\n".join("  ".join(cells(line)).rstrip() for line in lines)
