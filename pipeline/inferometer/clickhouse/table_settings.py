"""Gives the tables of chunks the settings that spare CPU, as far as the engine knows them.

They came to ClickHouse one after another and change no answer, so they are not in the numbered
files: an engine that lacks one keeps its default, and has it after an upgrade and the next
`inferometer migrate`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from inferometer.clickhouse.token_windows import CHUNK_TABLES
from inferometer.names import REQUESTS_TABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from clickhouse_connect.driver.client import Client

_EVERY_TABLE = (
    # Statistics of every column at every merge, a tenth of its CPU, for plans that the key and the
    # indexes make as well.
    {"auto_statistics_types": "''"},
)
# Not `skip_empty_columns_on_insert`, which would save a fifth of the log's insert: a key column that
# no row uses is left out as well, and deletions then fail on such parts (code 10, ClickHouse 26.9).
_LOG = (
    # Wide parts merge column by column (3.0 us of CPU a row), others row by row (6.9 us); the parts
    # of inserts stay in one file, because a file for each column costs as much as the insert.
    {"min_level_for_wide_part": "1", "min_bytes_for_wide_part": "10485760"},
)
"""Settings that belong together: all of a group, or none where the engine lacks its first one."""

_STATED = re.compile(r"\b(\w+) = ('[^']*'|\d+)")


def spare_cpu(client: Client) -> None:
    """Change what differs of these settings, table by table; safe to run again."""
    known = {
        str(name)
        for (name,) in client.query("SELECT name FROM system.merge_tree_settings").result_rows
    }
    rows = client.query(
        "SELECT name, engine_full FROM system.tables "
        "WHERE database = currentDatabase() AND name IN {tables:Array(String)}",
        {"tables": list(CHUNK_TABLES)},
    ).result_rows
    for table, engine in rows:
        stated = dict(_STATED.findall(str(engine)))
        changes = {
            name: value
            for name, value in _wanted(str(table), known).items()
            if stated.get(name) != value
        }
        if changes:
            settings = ", ".join(f"{name} = {value}" for name, value in changes.items())
            client.command(f"ALTER TABLE {table} MODIFY SETTING {settings}")


def _wanted(table: str, known: Collection[str]) -> Mapping[str, str]:
    groups = [*_EVERY_TABLE, *(_LOG if table == REQUESTS_TABLE else ())]
    return {
        name: value
        for group in groups
        if next(iter(group)) in known
        for name, value in group.items()
    }
