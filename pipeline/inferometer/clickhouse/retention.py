"""Holds the days that tables keep their rows against the settings, and changes them.

Invariant: no row is removed earlier because somebody gave the address of a store and forgot its
settings, so that the shipped days took their place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client

    from inferometer.clickhouse.settings import Retention

_CLAUSE = re.compile(r"\bTTL (.+?)(?= SETTINGS |$)")
_DAYS = re.compile(r"(\w+(?:\(\w+\))?) \+ toIntervalDay\((\d+)\)")

_ENGINES = """SELECT name, engine_full
FROM system.tables
WHERE database = currentDatabase() AND name IN {tables:Array(String)}"""


@dataclass(frozen=True, slots=True)
class TableRetention:
    """How long a table keeps its rows, and how long the settings want it to."""

    table: str
    wanted_days: int
    clause: str
    """The TTL as the store has it; empty where rows are kept for ever."""

    @property
    def days(self) -> int | None:
        """The days of the clause; None where it is not of the form that migrations write.

        Whoever moved old rows to another disk, say, has a clause that no number of days replaces.
        """
        matched = _DAYS.fullmatch(self.clause)
        return int(matched[2]) if matched else None

    @property
    def differs(self) -> bool:
        """Whether the settings ask for another number of days."""
        return self.days not in {None, self.wanted_days}

    def change(self) -> str:
        """Return the statement that gives the table its days, where they differ."""
        time = self.clause.partition(" + ")[0]
        return f"ALTER TABLE {self.table} MODIFY TTL {time} + INTERVAL {self.wanted_days} DAY"

    def takes_from_rows(self, client: Client) -> bool:
        """Return whether the change has rows of now removed earlier."""
        if self.days is None or self.days <= self.wanted_days:
            return False
        any_row = f"SELECT 1 FROM {self.table} LIMIT 1"  # noqa: S608 - a name of our own
        return bool(client.query(any_row).result_rows)


def retention_of_tables(client: Client, retention: Retention) -> list[TableRetention]:
    """Return how the tables that are there stand, in the order of the settings."""
    days = retention.by_table()
    rows = client.query(_ENGINES, {"tables": list(days)}).result_rows
    engines = {str(name): str(engine) for name, engine in rows}
    return [
        TableRetention(table, wanted, _clause(engines[table]))
        for table, wanted in days.items()
        if table in engines
    ]


def set_retention(
    client: Client, retention: Retention, report: Callable[[str], None], *, shortens: bool
) -> None:
    """Give each table the days of the settings; a TTL that somebody else wrote stays.

    A table with rows gets fewer days only where `shortens`.
    """
    for kept in retention_of_tables(client, retention):
        if not shortens and kept.takes_from_rows(client):
            report(
                f"{kept.table} still keeps {kept.days} days; --shorten-retention sets the "
                f"{kept.wanted_days} of the settings, and older rows are removed"
            )
        elif kept.differs:
            client.command(kept.change())
            report(f"{kept.table} now keeps {kept.wanted_days} days, {kept.days} before")
        elif kept.days is None:
            stated = f"the TTL {kept.clause}" if kept.clause else "no TTL"
            report(
                f"{kept.table} has {stated}, which is left as it is; "
                f"the settings say {kept.wanted_days} days"
            )


def _clause(engine: str) -> str:
    matched = _CLAUSE.search(engine)
    return matched[1] if matched else ""
