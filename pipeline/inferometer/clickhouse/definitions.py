"""Says which tables, views and functions an applied migration made and the store has no more.

A backup of a database brings no functions, since they belong to the server; a cluster may have them
on one node alone; and people drop things. All of it can be made again: every statement of a
migration may run twice, and those of one name in their order give its definition of now.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inferometer.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from clickhouse_connect.driver.client import Client

_DEFINES = re.compile(
    r"(?:ALTER TABLE |CREATE (?:OR REPLACE )?(?:TABLE|VIEW|MATERIALIZED VIEW|FUNCTION) "
    r"(?:IF NOT EXISTS )?)(\w+)"
)

_PRESENT = """SELECT name FROM system.tables WHERE database = currentDatabase()
UNION ALL
SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'"""


def by_name(statements: Iterable[str]) -> dict[str, list[str]]:
    """Return statements by what they define, names in the order in which they are made.

    Raises StateError for a statement that defines nothing.
    """
    found: dict[str, list[str]] = {}
    for statement in statements:
        found.setdefault(_defined(statement), []).append(statement)
    return found


def absent(client: Client, names: Collection[str]) -> list[str]:
    """Return those names that the store does not have, in their order."""
    if not names:
        return []
    present = {str(name) for (name,) in client.query(_PRESENT).result_rows}
    return [name for name in names if name not in present]


def _defined(statement: str) -> str:
    lines = (line for line in statement.splitlines() if line and not line.startswith("--"))
    matched = _DEFINES.match(next(lines, ""))
    if matched is None:
        raise StateError(f"a migration has a statement that defines nothing: {statement[:80]}")
    return matched[1]
