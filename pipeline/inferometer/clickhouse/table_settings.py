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
_LOG = (
    # Wide parts merge column by column (3.0 us of CPU a row), others row by row (6.9 us); the parts
    # of inserts stay in one file, because a file for each column costs as much as the insert.
    {"min_level_for_wide_part": "1", "min_bytes_for_wide_part": "10485760"},
)
_ONE_SERVER = (
    # Columns that no row of an insert uses are not written, and not merged either: of 113 columns
    # of the log 56; inserts took 2.7 instead of 3.2 us a row, merges 3.0 instead of 4.5. Not where
    # parts travel between servers: one of an older version could not read them.
    {
        "skip_empty_columns_on_insert": "1",
        "serialization_info_version": "'with_missing_columns'",
    },
)
"""Settings that belong together: all of a group, or none where the engine lacks its first one."""

_STATED = re.compile(r"\b(\w+) = ('[^']*'|\d+)")


def spare_cpu(client: Client, *, replicated: bool) -> None:
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
            for name, value in _wanted(str(table), known, replicated=replicated).items()
            if stated.get(name) != value
        }
        if changes:
            settings = ", ".join(f"{name} = {value}" for name, value in changes.items())
            client.command(f"ALTER TABLE {table} MODIFY SETTING {settings}")


def _wanted(table: str, known: Collection[str], *, replicated: bool) -> Mapping[str, str]:
    groups = [
        *_EVERY_TABLE,
        *(_LOG if table == REQUESTS_TABLE else ()),
        *(() if replicated else _ONE_SERVER),
    ]
    return {
        name: value
        for group in groups
        if next(iter(group)) in known
        for name, value in group.items()
    }
