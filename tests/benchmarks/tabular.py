"""Tables of results for a terminal and for Markdown, and the files they are kept in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich import table as rich_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.benchmarks.parts import Table


def for_terminal(table: Table, columns: int | None = None) -> rich_table.Table:
    """Return a table for a terminal, the first columns of it if it is wide."""
    found = rich_table.Table(title=table.title, title_justify="left")
    for place, header in enumerate(table.headers[:columns]):
        found.add_column(header, justify="right" if place else "left")
    for row in table.rows:
        found.add_row(*row[:columns])
    return found


def markdown(title: str, tables: Sequence[Table], conditions: Mapping[str, str]) -> str:
    """Return a page of tables and what they rest on."""
    lines = [f"# {title}", ""]
    for table in tables:
        marks = ["---", *("---:" for _ in table.headers[1:])]
        lines += [f"## {table.title}", ""]
        lines += [_line(cells) for cells in (list(table.headers), marks, *table.rows)]
        lines += ["", *(f"{note}\n" for note in table.notes)]
    lines += ["## Conditions", ""]
    lines += [f"- {name}: {value}" for name, value in conditions.items()]
    return "\n".join(lines) + "\n"


def tables_json(tables: Sequence[Table], conditions: Mapping[str, str]) -> str:
    """Return the same for machines."""
    found = [
        {"title": t.title, "headers": t.headers, "rows": t.rows, "notes": t.notes, "facts": t.facts}
        for t in tables
    ]
    return json.dumps({"conditions": dict(conditions), "tables": found}, indent=1) + "\n"


def keep(folder: Path, name: str, page: str, document: str) -> None:
    """Write both files of a result."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    (folder / f"{name}.json").write_text(document, encoding="utf-8")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
