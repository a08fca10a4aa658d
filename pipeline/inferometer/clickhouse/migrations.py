"""Brings a store's schema up to date: numbered files of idempotent statements, settings, retention.

The runner may die at any place and run again: every statement is idempotent, and a file is noted as
applied only after its last one.
Two processes may run it at once for the same reason; both notes say the same.
What an applied file made and the store has no more is made again, without the rows that were in it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inferometer.clickhouse.databases import require_fitting_engine, require_room
from inferometer.clickhouse.definitions import absent, by_name
from inferometer.clickhouse.refusals import store_errors
from inferometer.clickhouse.retention import retention_of_tables, set_retention
from inferometer.clickhouse.table_settings import spare_cpu
from inferometer.errors import StateError
from inferometer.schemas import schema_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from clickhouse_connect.driver.client import Client

    from inferometer.clickhouse.connect import StoreConnection
    from inferometer.clickhouse.retention import TableRetention

BOOKKEEPING_TABLE = "schema_migrations"

_BOOKKEEPING = f"""
CREATE TABLE IF NOT EXISTS {BOOKKEEPING_TABLE}
(
    version UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY version
"""

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LEXEMES = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.|'')*'|`[^`]*`|;", re.DOTALL)
_ENGINE = re.compile(r"\bENGINE = (\w*MergeTree)\b")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `schemas/clickhouse`."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """Return the digest that tells whether an applied file was changed."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.version:04d}_{self.name}"

    def statements(self, *, replicated: bool = False) -> list[str]:
        """Return the statements, with Replicated engines where the store is a cluster."""
        text = _ENGINE.sub(r"ENGINE = Replicated\1", self.text) if replicated else self.text
        return split_statements(text)


def split_statements(text: str) -> list[str]:
    """Split SQL at semicolons that stand outside comments and quotes."""
    ends = [found.start() for found in _LEXEMES.finditer(text) if found.group() == ";"]
    starts = [0, *(end + 1 for end in ends)]
    parts = [text[start:end].strip() for start, end in zip(starts, [*ends, len(text)], strict=True)]
    return [part for part in parts if _LEXEMES.sub("", part).strip()]


def load_migrations() -> tuple[Migration, ...]:
    """Read the shipped migrations in order. Raises StateError for a gap or a number used twice."""
    found = []
    for file in schema_path("clickhouse").iterdir():
        matched = _FILE_NAME.fullmatch(file.name)
        if matched:
            text = file.read_text(encoding="utf-8")
            found.append(Migration(int(matched[1]), matched[2], text))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise StateError(
            "the migrations of this installation are incomplete; reinstall inferometer"
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Lacks:
    """What `migrate` with the same settings would change."""

    migrations: Sequence[Migration]
    definitions: Sequence[str] = ()
    """Tables, views and functions that are gone."""
    retention: Sequence[TableRetention] = ()
    shortened: Sequence[str] = ()
    """Tables whose rows would be removed earlier: only a migration that may shorten does so."""


def migrate(
    connection: StoreConnection,
    *,
    report: Callable[[str], None],
    migrations: Sequence[Migration] | None = None,
    shortens_retention: bool = False,
) -> list[Migration]:
    """Apply what is missing, set settings and retention; returns what was applied.

    A table with rows gets a shorter retention only where `shortens_retention`.
    Raises StateError where an applied file has changed, the store is newer than this version or its
    database is of another kind than the settings say; StoreError when the store refuses or its disk
    is full.
    """
    settings = connection.settings
    known = load_migrations() if migrations is None else tuple(migrations)
    client = connection.client()
    with store_errors(settings.place):
        require_fitting_engine(client, settings)
        require_room(client, settings.place)
        for statement in Migration(0, BOOKKEEPING_TABLE, _BOOKKEEPING).statements(
            replicated=settings.replicated
        ):
            client.command(statement)
        applied = _applied(client)
        _check(applied, known)
        missing = [migration for migration in known if migration.version not in applied]
        done = [migration for migration in known if migration.version in applied]
        # First, since a missing migration may build on what is gone.
        _make_again(client, _definitions(done, replicated=settings.replicated), report)
        for migration in missing:
            _apply(client, migration, replicated=settings.replicated)
            report(f"applied {migration}")
        spare_cpu(client)
        set_retention(client, settings.retention, report, shortens=shortens_retention)
    return missing


def pending(connection: StoreConnection) -> list[Migration]:
    """Return the migrations that the store lacks, without changing anything. Raises StoreError."""
    known = load_migrations()
    with store_errors(connection.settings.place):
        applied = _applied_so_far(connection.reader())
    _check(applied, known)
    return [migration for migration in known if migration.version not in applied]


def lacks(connection: StoreConnection) -> Lacks:
    """Return all that `migrate` would change, without changing anything. Raises StoreError."""
    missing = pending(connection)
    applied = [migration for migration in load_migrations() if migration not in missing]
    client = connection.reader()
    with store_errors(connection.settings.place):
        gone = absent(client, _definitions(applied, replicated=False))
        retention = [
            kept
            for kept in retention_of_tables(client, connection.settings.retention)
            if kept.differs
        ]
        shortened = [kept.table for kept in retention if kept.takes_from_rows(client)]
    return Lacks(missing, gone, retention, shortened)


def _applied(client: Client) -> dict[int, tuple[str, str]]:
    text = f"SELECT version, name, checksum FROM {BOOKKEEPING_TABLE}"  # noqa: S608 - a constant
    rows = client.query(text).result_rows
    return {int(version): (str(name), str(checksum)) for version, name, checksum in rows}


def _applied_so_far(client: Client) -> dict[int, tuple[str, str]]:
    """Return what was applied; nothing where no migration ever ran."""
    is_there = int(str(client.command(f"EXISTS TABLE {BOOKKEEPING_TABLE}")))
    return _applied(client) if is_there else {}


def _check(applied: dict[int, tuple[str, str]], known: Sequence[Migration]) -> None:
    by_version = {migration.version: migration for migration in known}
    for version, (name, checksum) in sorted(applied.items()):
        migration = by_version.get(version)
        if migration is None:
            raise StateError(
                f"the store has migration {version:04d}_{name}, which this version does not know; "
                "upgrade inferometer"
            )
        if migration.checksum != checksum:
            raise StateError(
                f"migration {migration} was applied and has changed since; restore the "
                "file, and put the change into a new migration"
            )


def _definitions(applied: Iterable[Migration], *, replicated: bool) -> dict[str, list[str]]:
    """Return the statements of what was applied, by the name that they define."""
    return by_name(
        statement
        for migration in applied
        for statement in migration.statements(replicated=replicated)
    )


def _make_again(
    client: Client, definitions: dict[str, list[str]], report: Callable[[str], None]
) -> None:
    for name in absent(client, definitions):
        for statement in definitions[name]:
            client.command(statement)
        report(f"{name} was gone and is made again")


def _apply(client: Client, migration: Migration, *, replicated: bool) -> None:
    for statement in migration.statements(replicated=replicated):
        client.command(statement)
    client.command(
        f"INSERT INTO {BOOKKEEPING_TABLE} (version, name, checksum) "
        "SELECT {version:UInt32}, {name:String}, {checksum:String}",
        {"version": migration.version, "name": migration.name, "checksum": migration.checksum},
    )
