"""Which network addresses a message may go to.

Sources: IANA's special-purpose registries, and the deny list of stripe/smokescreen. Python's
`is_global` alone lets NAT64, 6to4 and multicast through.
"""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Address = IPv4Address | IPv6Address
    Network = IPv4Network | IPv6Network

METADATA_ADDRESSES = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google, DigitalOcean, OpenStack
            "169.254.169.253",  # AWS: resolver
            "169.254.169.123",  # AWS: time
            "169.254.170.2",  # AWS ECS: credentials of tasks
            "169.254.170.23",  # AWS EKS: credentials of pods
            "169.254.0.23",  # Tencent
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle
            "168.63.129.16",  # Azure: wire server, a public address
            "fd00:ec2::254",  # AWS
            "fd00:ec2::23",
            "fd20:ce::254",  # Google
        ),
    )
)
METADATA_HOSTS = frozenset(
    {
        "metadata",
        "metadata.google.internal",
        "metadata.goog",
        "metadata.azure.internal",
        "instance-data",
        "instance-data.ec2.internal",
        "metadata.tencentyun.com",
        "metadata.packet.net",
    }
)

NAT64 = ip_network("64:ff9b::/96")
SIX_TO_FOUR = ip_network("2002::/16")
TEREDO = ip_network("2001::/32")
FORBIDDEN_NETWORKS: tuple[Network, ...] = (
    NAT64,
    ip_network("64:ff9b:1::/48"),
    SIX_TO_FOUR,
    TEREDO,
    ip_network("192.0.0.0/24"),
    ip_network("192.88.99.0/24"),
    ip_network("::/96"),
)


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks in CIDR notation; raises ValueError for what is none."""
    return tuple(ip_network(text) for text in texts)


def address_problem(text: str, allowed: Sequence[Network] = ()) -> str | None:
    """Return why nothing may be sent to an address, in words; None if it may.

    `allowed` opens private networks; metadata services stay closed, also behind the addresses that
    embed theirs.
    """
    if "%" in text:
        return f"{text} has a zone, which only means something on this host"
    try:
        address: Address = ip_address(text)
    except ValueError:
        return f"{text} is no address"
    meanings = list(_meanings(address))
    if any(one in METADATA_ADDRESSES for one in meanings):
        return f"{text} is a metadata service, which hands out credentials"
    plain = _unmapped(address)
    if any(plain in network for network in allowed):
        return None
    if not _is_public(plain):
        return f"{text} is not a public address"
    return None


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not any(address in network for network in FORBIDDEN_NETWORKS)
    )


def _unmapped(address: Address) -> Address:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _meanings(address: Address) -> Iterator[Address]:
    """Yield the address and every IPv4 address that a network may make of it."""
    yield address
    if not isinstance(address, IPv6Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    # NAT64 of any prefix of 96 bits, and the compatible addresses, end in the IPv4 address.
    yield IPv4Address(int(address) & 0xFFFF_FFFF)
