"""Who may use the alerts' HTTP interface: everybody may read, who has a token may write.

Without a token only this machine may connect, and no web page that one of its browsers shows.
"""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from inferometer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

READS = frozenset({"GET", "HEAD", "OPTIONS"})
LEAST_TOKEN_CHARS = 16
LOCAL_NAMES = frozenset({"localhost"})


@dataclass(frozen=True, kw_only=True)
class AccessPolicy:
    """Bearer tokens that may write; several while one takes the place of another."""

    tokens: tuple[str, ...] = field(default=(), repr=False)
    reads_need_token: bool = False

    def check_host(self, host: str) -> None:
        """Raise ConfigError for an address that would let anybody write."""
        problems = [
            f"a token of the alerts' HTTP interface has fewer than {LEAST_TOKEN_CHARS} characters; "
            "make one with: openssl rand -hex 32"
            for token in self.tokens
            if len(token) < LEAST_TOKEN_CHARS
        ]
        if not self.tokens and not is_local(host):
            problems.append(
                f"the alerts' HTTP interface at {host} would let everybody silence alerts; give it "
                "a token, or keep it at 127.0.0.1"
            )
        if problems:
            raise ConfigError(problems)

    def check(self, method: str, headers: Mapping[str, str]) -> None:
        """Let a request pass, or raise the HTTP error that answers it."""
        _refuse_other_sites(headers)
        if not self.tokens:
            _refuse_other_names(headers)
            return
        if method in READS and not self.reads_need_token:
            return
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        # All of them, so that the time taken does not tell which was nearly right.
        is_known = [
            hmac.compare_digest(given.strip().encode(), token.encode()) for token in self.tokens
        ]
        if scheme.lower() != "bearer" or not any(is_known):
            raise web.HTTPUnauthorized(
                headers={"WWW-Authenticate": 'Bearer realm="inferometer"'},
                reason="Unauthorized",
                text="needs the header Authorization: Bearer TOKEN with the token of the alerts",
            )


def is_local(host: str) -> bool:
    """Return whether a host, without its port, is this machine by a name that cannot be moved."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() in LOCAL_NAMES


def _refuse_other_sites(headers: Mapping[str, str]) -> None:
    """Browsers let any page send requests to this machine, and say whose page it was."""
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("Host"):
        raise web.HTTPForbidden(text=f"pages of {origin} may not ask this interface")


def _refuse_other_names(headers: Mapping[str, str]) -> None:
    """A page may have its own name resolve to this machine, and then passes as the same site."""
    host = urlsplit(f"//{headers.get('Host', '')}").hostname or ""
    if not is_local(host):
        raise web.HTTPForbidden(
            text="without a token this interface answers to localhost only; configure a token"
        )
