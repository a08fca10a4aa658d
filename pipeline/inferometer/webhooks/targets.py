"""Targets: where an address of a receiver points to, judged before any name is resolved."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yarl import URL

from inferometer.webhooks.addresses import METADATA_HOSTS, address_problem, networks_of

if TYPE_CHECKING:
    from inferometer.core.alerts.receivers import Permissions

HTTPS_PORT = 443
HTTP_PORT = 80
MAX_URL = 4096


class ForbiddenTargetError(Exception):
    """Nothing may be sent there; the message says why, without the address of the receiver."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a message is sent to; `url` is a secret."""

    url: URL
    host: str
    """Lower case, in ASCII, without the dot of the root."""
    port: int

    def __repr__(self) -> str:
        return f"Target({self.host}:{self.port})"


def target_of(address: str, permissions: Permissions) -> Target:
    """Return where an address points to; raises ForbiddenTargetError.

    It is read by the same parser that the client uses, so that both see the same host.
    """
    url = _parsed(address)
    _check_scheme(url, permissions)
    if url.raw_user is not None or url.raw_password is not None or "@" in (url.raw_authority or ""):
        raise ForbiddenTargetError("a user or password in the address; use `headers` instead")
    host = (url.raw_host or "").lower().removesuffix(".")
    if not host:
        raise ForbiddenTargetError("no host in the address")
    if "%" in host:
        raise ForbiddenTargetError("a zone id in the host; name a host without one")
    port = url.port or 0
    allowed = {HTTPS_PORT, *permissions.ports} | ({HTTP_PORT} if permissions.http else set())
    if port not in allowed:
        raise ForbiddenTargetError(
            f"port {port}; only {', '.join(map(str, sorted(allowed)))} may be used, "
            f"allow.ports opens others"
        )
    if host in METADATA_HOSTS:
        raise ForbiddenTargetError(f"{host} is a metadata service, which hands out credentials")
    check_addresses(_numeric(host), permissions)
    try:
        # Only here does the parser judge the characters of a host.
        return Target(url=url.with_host(host), host=host, port=port)
    except ValueError as error:
        raise ForbiddenTargetError("the host has characters that no host has") from error


def check_addresses(addresses: list[str], permissions: Permissions) -> None:
    """Raise ForbiddenTargetError unless every address may be sent to."""
    networks = networks_of(permissions.networks)
    for address in addresses:
        if problem := address_problem(address, networks):
            raise ForbiddenTargetError(f"{problem}; allow.networks opens private networks")


def _parsed(address: str) -> URL:
    if len(address) > MAX_URL or any(ord(char) <= 0x20 or char == "\\" for char in address):
        raise ForbiddenTargetError("white space, a backslash, or more than 4096 characters in it")
    try:
        url = URL(address)
        # Only asked for, since a port or a name that makes no sense shows late.
        _ = url.port, url.raw_host
    except (ValueError, TypeError, UnicodeError) as error:
        raise ForbiddenTargetError("it is no URL; write https://host/path") from error
    return url


def _check_scheme(url: URL, permissions: Permissions) -> None:
    if url.scheme == "https" or (url.scheme == "http" and permissions.http):
        return
    what = url.scheme or "none"
    raise ForbiddenTargetError(
        f"scheme {what}; only https may be used, and http where allow.http is true"
    )


def _numeric(host: str) -> list[str]:
    """Return the address of a host that is one, however it is written: `0x7f.1` is 127.0.0.1."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        return [socket.inet_ntoa(socket.inet_aton(host))]
    except (OSError, UnicodeError, ValueError):
        return []
