"""Who may ask the HTTP interface: user and password, and no web page of another site."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from inferometer.clickhouse.http_server.refusals import AUTHENTICATION_FAILED, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

UNAUTHORIZED = 401


@dataclass(frozen=True, kw_only=True)
class AccessPolicy:
    """One user with one password; without a password everybody who can connect is let in."""

    user: str = "default"
    password: str = field(default="", repr=False)

    def check(self, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
        """Let a request pass. Raises Refusal."""
        _refuse_other_sites(headers)
        if not self.password:
            return
        user, password = _credentials(headers, query)
        # Both, so that the time taken does not tell which was wrong.
        is_user = hmac.compare_digest(user.encode(), self.user.encode())
        is_password = hmac.compare_digest(password.encode(), self.password.encode())
        if not (is_user and is_password):
            raise Refusal.of_interface(
                AUTHENTICATION_FAILED,
                f"{user}: Authentication failed: password is incorrect, or there is no user with "
                "such name. (AUTHENTICATION_FAILED)",
                status=UNAUTHORIZED,
            )


def _credentials(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, encoded = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password
    if "X-ClickHouse-User" in headers or "X-ClickHouse-Key" in headers:
        return headers.get("X-ClickHouse-User", "default"), headers.get("X-ClickHouse-Key", "")
    return query.get("user", "default"), query.get("password", "")


def _refuse_other_sites(headers: Mapping[str, str]) -> None:
    """Browsers let any page send requests to this machine, and say whose page it was."""
    origin = headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != headers.get("Host"):
        raise Refusal.of_interface(
            AUTHENTICATION_FAILED, f"pages of {origin} may not ask this store", status=403
        )
