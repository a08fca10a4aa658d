"""Finds or makes the database of a store, and refuses one that tables must not be made in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from inferometer.clickhouse.refusals import ACCESS_DENIED_CODE, error_code
from inferometer.errors import StateError, StoreError

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from inferometer.clickhouse.settings import StoreSettings

REPLICATED = "Replicated"
SINGLE = frozenset({"Atomic", "Ordinary"})
"""Engines whose definitions stay on the server that they were made on."""

MIN_ROOM_BYTES = 64 << 20
_MIB = 1 << 20

_ENGINE = "SELECT engine FROM system.databases WHERE name = {database:String}"
_ROOM = "SELECT free_space FROM system.disks WHERE name = 'default'"


def make_database(client: Client, settings: StoreSettings) -> None:
    """Make the database where it is missing. Raises StoreError.

    One that is there is left alone, so that whoever may not make databases can use it.
    """
    if client.query(_ENGINE, {"database": settings.database}).result_rows:
        return
    if settings.replicated:
        # Made here it would be of this server alone, and its tables with it.
        raise StoreError(
            f"no database {settings.database} at {settings.place}; store.replicated wants one with "
            "the engine Replicated on every node, which has to be made first",
            retryable=False,
        )
    require_room(client, settings.place)
    client.command(f"CREATE DATABASE IF NOT EXISTS `{settings.database}`")


def require_fitting_engine(client: Client, settings: StoreSettings) -> None:
    """Raise StateError where each node of a cluster would get rows of its own."""
    rows = client.query(_ENGINE, {"database": settings.database}).result_rows
    problem = engine_problem(str(rows[0][0]), replicated=settings.replicated) if rows else ""
    if problem:
        raise StateError(f"database {settings.database} at {settings.place} {problem}")


def engine_problem(engine: str, *, replicated: bool) -> str:
    """Return why tables must not be made in a database of this engine; empty: they may."""
    if replicated and engine in SINGLE:
        return (
            f"has the engine {engine}, so replicated tables would be made on this node alone; make "
            "one with the engine Replicated on every node, or set store.replicated to false"
        )
    if not replicated and engine == REPLICATED:
        return (
            "has the engine Replicated, so every node would have the tables and rows of its own in "
            "them; set store.replicated to true"
        )
    return ""


def require_room(client: Client, place: str, *, min_bytes: int = MIN_ROOM_BYTES) -> None:
    """Raise StoreError where the disk is about to be full.

    On a full disk ClickHouse 26 answers that a definition was changed and leaves an empty file of
    it: the store can then never be opened again, whatever is in it.
    """
    try:
        rows = client.query(_ROOM).result_rows
    except ClickHouseError as error:
        # Who may not look at the disks of a server is not held up.
        if error_code(error) != ACCESS_DENIED_CODE:
            raise
        return
    free = int(rows[0][0]) if rows else min_bytes
    if free < min_bytes:
        raise StoreError(
            f"the disk of the store at {place} has {free // _MIB} MiB left, and a change of "
            f"definitions on a full one would destroy it; make room for {min_bytes // _MIB} MiB",
            retryable=True,
        )
