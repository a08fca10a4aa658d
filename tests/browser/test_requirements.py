"""Every row of S0, S1 and S3 is proven by tests that exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.browser.requirements import PROVEN_BY

TESTS = Path(__file__).parents[1]
ROWS = [f"S0-{n}" for n in range(1, 18)] + [f"S1-{n}" for n in range(1, 29)] + [
    f"S3-{n}" for n in range(1, 36)
]  # fmt: skip


def names_in(file: Path) -> set[str]:
    """Return the names of a file's tests."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_every_row_is_in_the_table_and_none_besides() -> None:
    assert list(PROVEN_BY) == ROWS


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_proven_by_tests_that_exist(row: str) -> None:
    assert PROVEN_BY[row]
    for place in PROVEN_BY[row]:
        file, _, name = place.partition("::")
        known = names_in(TESTS / file)
        assert name in known if name else known, place
