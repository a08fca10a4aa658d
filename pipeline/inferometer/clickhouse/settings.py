"""Which store to open, and how long its tables keep their rows."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_DATABASE = "inferometer"
DEFAULT_USER = "default"
MAX_DAYS = 18_250
"""Fifty years. The end of a row's retention is a DateTime, which ends in 2106 and begins anew: at a
hundred years ClickHouse would take every row for expired in 1990 and remove it at once."""
_MONTH_DAYS = 31


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How many days each kind of row is kept, by its time column."""

    requests_days: int = 14
    rollup_10s_days: int = 7
    rollup_1m_days: int = 90
    rollup_1h_days: int = 1095
    dead_letters_days: int = 14
    ledger_days: int = 90
    watermarks_days: int = 90
    alerts_days: int = 1095

    def problems(self) -> list[str]:
        """Return every value out of bounds, one line each."""
        return [
            f"{item.name}: is {getattr(self, item.name)}, must be from 1 to {MAX_DAYS} days"
            for item in fields(self)
            if not 1 <= getattr(self, item.name) <= MAX_DAYS
        ]

    def by_table(self) -> dict[str, int]:
        """Return the days of every table that forgets; the price book does not."""
        return {
            "requests": self.requests_days,
            "service_10s_rows": self.rollup_10s_days,
            "service_1m_rows": self.rollup_1m_days,
            "service_1h_rows": self.rollup_1h_days,
            "usage_1m_rows": self.rollup_1m_days,
            "usage_1h_rows": self.rollup_1h_days,
            "dead_letters": self.dead_letters_days,
            "chunk_ledger": self.ledger_days,
            "chunk_intents": self.ledger_days,
            # An audit asks what a row of the log was folded by, up to a month before it.
            "dimension_values": max(self.ledger_days, self.requests_days + _MONTH_DAYS),
            "watermarks": self.watermarks_days,
            "alerts_rows": self.alerts_days,
            "notifications_rows": self.alerts_days,
        }


@dataclass(frozen=True, kw_only=True)
class StoreSettings:
    """A folder of the embedded ClickHouse, or a server: exactly one of `data_dir` and `url`."""

    data_dir: Path | None = None
    url: str = ""
    """http(s)://host:port, without user and password."""
    database: str = DEFAULT_DATABASE
    user: str = DEFAULT_USER
    password: str = field(default="", repr=False)
    replicated: bool = False
    """Make Replicated tables; the database itself must then have the engine Replicated."""
    retention: Retention = field(default_factory=Retention)

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Read `http(s)://[user[:password]@]host[:port][/database]`."""
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return cls(
            url=f"{parts.scheme}://{host}",
            database=unquote(parts.path.strip("/")) or DEFAULT_DATABASE,
            user=unquote(parts.username or DEFAULT_USER),
            password=unquote(parts.password or ""),
        )

    @property
    def is_embedded(self) -> bool:
        """Say whether the engine runs inside this process."""
        return self.data_dir is not None

    @property
    def place(self) -> str:
        """Return what messages call this store; never a secret."""
        return str(self.data_dir) if self.is_embedded else self.url

    def problems(self) -> list[str]:
        """Return what cannot work, one line each."""
        found = self.retention.problems()
        if (self.data_dir is None) == (not self.url):
            found.append("data_dir, url: give one of the two, a folder or a server")
        if self.url and not _is_server_url(self.url):
            found.append("url: must be http://host:port or https://host:port")
        if not self.database.isidentifier():
            found.append("database: must be a plain name of letters, digits and underscores")
        if self.replicated and self.is_embedded:
            found.append("replicated: needs a server; the embedded engine has no replicas")
        return found


def _is_server_url(url: str) -> bool:
    parts = urlsplit(url)
    try:
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
