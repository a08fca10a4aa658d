"""Which web pages may make a browser ask: this server's own, and no other."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inferometer.web.identity.roles import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Mapping

READS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_HEADER = "x-inferometer"
OWN_VALUE = "console"
OTHER_SITES = frozenset({"cross-site", "same-site"})
"""What a browser says of a request that a page of another origin made."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Where people reach this server: by its own address, or by a public one before a proxy."""

    public_url: str = ""
    is_local: bool = True
    """Whether only this machine can reach it; then it answers to no name but this machine's."""

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by https only."""
        return self.public_url.startswith("https://")

    def is_own_host(self, host: str) -> bool:
        """Return whether a `Host` names this server.

        A page may have its own name resolve to this machine, and would then pass as this server's.
        """
        if self.public_url and host.lower() == urlsplit(self.public_url).netloc.lower():
            return True
        if self.is_local or self.public_url:
            return is_loopback_name(_hostname(host))
        return bool(_hostname(host))

    def refuse_other_pages(self, headers: Mapping[str, str]) -> None:
        """Raise ForbiddenError for what a page of another origin sends; there is no CORS."""
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin, headers):
            raise ForbiddenError(
                f"pages of {origin[:100]} may not ask this server",
                "open its own console, or ask from a program",
            )

    def refuse_forged(self, method: str, headers: Mapping[str, str]) -> None:
        """Raise ForbiddenError for a request with a cookie that the console did not send."""
        if headers.get("sec-fetch-site", "") in OTHER_SITES:
            raise ForbiddenError(
                "another site made this browser send the request", "open the console itself"
            )
        if method in READS:
            return
        if headers.get(OWN_HEADER) != OWN_VALUE or headers.get("origin") is None:
            raise ForbiddenError(
                f"a change by a session needs the headers X-Inferometer: {OWN_VALUE} and Origin",
                "change it in the console, or by a program with Authorization: Bearer",
            )

    def _is_own(self, origin: str, headers: Mapping[str, str]) -> bool:
        if self.public_url and origin.lower() == self.public_url.rstrip("/").lower():
            return True
        parts = urlsplit(origin)
        return (
            parts.scheme in {"http", "https"}
            and parts.netloc.lower() == headers.get("host", "").lower()
        )


def is_loopback_name(name: str) -> bool:
    """Return whether a host without its port is this machine, by a name that cannot be moved."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
