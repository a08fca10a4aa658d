"""Texts of CSV files, so that no spreadsheet runs one as a formula.

What a caller chooses, such as a user's name or a value of metadata, ends in files that other people
open; `=HYPERLINK(...)` there reads other cells and sends them away (OWASP: CSV injection). An
apostrophe in front makes it a text in every spreadsheet. JSON lines and Parquet stay as they are.
"""

from __future__ import annotations

import re

FORMULA = r"^[-=+@\t\r]"
"""How a text begins that a spreadsheet takes for a formula; the same in Python and in RE2."""
GUARD = "'"
_FORMULA = re.compile(FORMULA)


def guarded(text: str) -> str:
    """Return a text as CSV has it."""
    return f"{GUARD}{text}" if _FORMULA.match(text) else text
