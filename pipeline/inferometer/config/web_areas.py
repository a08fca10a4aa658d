"""The area of the configuration for `inferometer serve`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from inferometer.config.area import MAX_PORT, Area, setting
from inferometer.core.secret import Secret

LEAST_KEY_CHARS = 32
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class WebConfig(Area):
    """What `inferometer serve` offers: the query API and the console, to whom, and how much of it."""

    SECTION: ClassVar[str] = "web"

    host: str = setting("127.0.0.1", "address of query API and console; others need tokens_file")
    port: int = setting(
        8700, "port of query API and console; 0: any free one", minimum=0, maximum=MAX_PORT - 1
    )
    tokens_file: Path | None = setting(
        None,
        "file of hashed tokens, made by `inferometer token create`; absent: one token for this run, "
        "in the link that is printed",
    )
    public_url: str = setting(
        "", "where people reach it behind a proxy, such as https://inferometer.example.com"
    )
    session_key: Secret = setting(
        Secret(""), "what signs sessions; the same for every process behind one address"
    )
    session_hours: float = setting(
        12.0, "how long a browser stays signed in", minimum=0.01, maximum=720
    )
    requests_per_s: float = setting(
        100.0, "requests a token may make in the long run", minimum=0.1, maximum=100_000
    )
    requests_burst: int = setting(
        400, "requests a token may make at once", minimum=1, maximum=1_000_000
    )
    query_threads: int = setting(
        4, "questions to the store at a time; more wait", minimum=1, maximum=64
    )
    waiting_queries: int = setting(
        64, "questions that may wait; more are told to come again", minimum=0, maximum=100_000
    )
    query_max_s: float = setting(
        20.0, "how long a question may take at the store", minimum=0.1, maximum=3600
    )
    query_max_rows: int = setting(2_000_000_000, "rows that a question may read", minimum=1)
    query_max_bytes: int = setting(
        2 * 1024 * MIB, "memory that a question may take at the store", minimum=16 * MIB
    )
    live_streams: int = setting(200, "live views open at a time", minimum=1, maximum=10_000)
    alerts_url: str = setting(
        "", "HTTP interface of `inferometer alerts`, which keeps silences, http(s)://host:port"
    )

    def problems(self) -> list[str]:
        """Return what cannot work, each as `key: what, and what to do`."""
        found = super().problems()
        if not self.host:
            found.append("host: must not be empty; 0.0.0.0 is every address")
        if self.public_url and not _is_origin(self.public_url):
            found.append("public_url: must be http(s)://host[:port] and nothing behind it")
        if self.alerts_url and not self.alerts_url.startswith(("http://", "https://")):
            found.append("alerts_url: must begin with http:// or https://")
        if self.session_key and len(self.session_key.reveal()) < LEAST_KEY_CHARS:
            found.append(
                f"session_key: has fewer than {LEAST_KEY_CHARS} characters; make one with: "
                "openssl rand -hex 32"
            )
        return found


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_bare = parts.path in {"", "/"} and not (parts.query or parts.fragment or parts.username)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_bare
    except ValueError:
        return False
