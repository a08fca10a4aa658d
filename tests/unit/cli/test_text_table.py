"""Columns for people."""

from __future__ import annotations

from inferometer.cli.text_table import text_table

LINES = [("name", "n"), ("a", "10"), ("longer", "5")]


def test_a_column_is_as_wide_as_its_widest_cell_and_no_line_ends_with_spaces() -> None:
    assert text_table(LINES) == "name    n\na       10\nlonger  5"


def test_numbers_end_at_one_place() -> None:
    assert text_table(LINES, left_columns=1) == "name     n\na       10\nlonger   5"
