"""Nothing is sent where it must not go: literals, names, rebinding, at registration and delivery."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.receivers import Permissions, Receiver
from inferometer.core.alerts.retries import AttemptKind
from inferometer.core.secret import Secret
from inferometer.testing.notices import example_notice
from inferometer.webhooks.addresses import address_problem, networks_of
from inferometer.webhooks.resolver import SystemResolver
from inferometer.webhooks.sender import GuardedSender
from inferometer.webhooks.targets import ForbiddenTargetError, target_of

if TYPE_CHECKING:
    from collections.abc import Sequence

PUBLIC = "93.184.216.34"
PUBLIC_6 = "2606:2800:220:1::1"
EVERYTHING = Permissions(http=True, ports=frozenset({80, 8080}), networks=("0.0.0.0/0", "::/0"))

LITERALS = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166/",
    "https://0xA9FEA9FE/",
    "https://192.0.0.8/",
    "https://192.88.99.1/",
    "https://198.18.0.1/",
    "https://203.0.113.5/",
    "https://224.0.0.1/",
    "https://240.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::7f00:1]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fc00::1]/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b:1::1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[ff02::1]/",
    "https://[2001:db8::1]/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://127\u30020\u30020\u30021/",
]
MALFORMED = [
    "http://hooks.example/",
    "file:///etc/passwd",
    "gopher://hooks.example/",
    "//hooks.example/",
    "hooks.example",
    "https:///path",
    "https://",
    "",
    "https://user@hooks.example/",
    "https://user:pass@hooks.example/",
    "https://hooks.example@127.0.0.1/",
    "https://hooks.example:22/",
    "https://hooks.example:99999/",
    "https://hooks.example\\@127.0.0.1/",
    "https://hooks.example/ x",
    "https://hooks.example/\r\nHost: other",
    "https://metadata.google.internal/",
    "https://METADATA.google.internal./",
    "https://[::1",
    "https://hooks.example/" + "a" * 5000,
]
NAMES = {
    "loopback": ["127.0.0.1"],
    "alias of a private host": ["10.1.2.3"],
    "alias of the metadata service": ["169.254.169.254"],
    "good and bad together": [PUBLIC, "127.0.0.1"],
    "good, and bad of the other family": [PUBLIC, "::1"],
    "bad, then good": ["fd00::1", PUBLIC_6],
    "mapped": ["::ffff:10.0.0.1"],
    "with a zone": ["fe80::1%eth0"],
    "no address": ["localhost"],
    "nothing": [],
}
METADATA = [
    "http://169.254.169.254/",
    "http://2852039166/",
    "http://169.254.170.2/v2/credentials",
    "http://100.100.100.200/",
    "http://192.0.0.192/",
    "http://168.63.129.16/",
    "http://[fd00:ec2::254]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[::a9fe:a9fe]/",
    "http://metadata.google.internal:8080/",
    "http://metadata.goog./",
]


class FixedResolver:
    """Answers each question with the next list of addresses, the last for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.questions: list[str] = []

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        del port
        self.questions.append(host)
        return self.answers[min(len(self.questions), len(self.answers)) - 1]


class Connections:
    """Notes every connection that is tried, and lets none happen."""

    def __init__(self) -> None:
        self.tried: list[str] = []

    def __call__(self, address: str) -> None:
        self.tried.append(address)
        raise ConnectionRefusedError


def receiver_at(url: str, permissions: Permissions | None = None) -> Receiver:
    return Receiver(name="r", url=Secret(url), permissions=permissions or Permissions())


def attempt_at(
    url: str, resolver: FixedResolver, permissions: Permissions | None = None
) -> tuple[AttemptKind, str, list[str]]:
    connections = Connections()
    sender = GuardedSender(clock_us=lambda: 0, resolver=resolver, on_connect=connections)
    attempt = asyncio.run(sender.send(receiver_at(url, permissions), example_notice()))
    return attempt.kind, attempt.detail, connections.tried


def test_the_corpus_is_large_enough() -> None:
    assert len(LITERALS) + len(MALFORMED) + len(NAMES) + len(METADATA) >= 80


@pytest.mark.parametrize("url", LITERALS + MALFORMED)
def test_a_forbidden_address_is_refused_at_registration(url: str) -> None:
    with pytest.raises(ForbiddenTargetError):
        target_of(url, Permissions())


@pytest.mark.parametrize("url", LITERALS + MALFORMED)
def test_a_forbidden_address_is_never_connected_to(url: str) -> None:
    kind, detail, tried = attempt_at(url, FixedResolver([PUBLIC]))
    assert (kind, tried) == (AttemptKind.FORBIDDEN, [])
    assert "hooks.example" not in detail


@pytest.mark.parametrize("addresses", NAMES.values(), ids=NAMES)
def test_a_name_that_leads_to_a_forbidden_address_is_never_connected_to(
    addresses: list[str],
) -> None:
    kind, _, tried = attempt_at("https://hooks.example/", FixedResolver(addresses))
    assert tried == []
    assert kind in {AttemptKind.FORBIDDEN, AttemptKind.UNREACHED}


@pytest.mark.parametrize("addresses", NAMES.values(), ids=NAMES)
def test_vetting_a_receiver_says_why_not(addresses: list[str]) -> None:
    sender = GuardedSender(clock_us=lambda: 0, resolver=FixedResolver(addresses))
    assert asyncio.run(sender.vet(receiver_at("https://hooks.example/")))


def test_vetting_a_good_receiver_finds_nothing() -> None:
    sender = GuardedSender(clock_us=lambda: 0, resolver=FixedResolver([PUBLIC, PUBLIC_6]))
    assert asyncio.run(sender.vet(receiver_at("https://hooks.example/"))) is None


@pytest.mark.parametrize("url", METADATA)
def test_metadata_services_stay_forbidden_where_all_networks_are_allowed(url: str) -> None:
    with pytest.raises(ForbiddenTargetError, match="metadata"):
        target_of(url, EVERYTHING)
    kind, _, tried = attempt_at(url, FixedResolver([PUBLIC]), EVERYTHING)
    assert (kind, tried) == (AttemptKind.FORBIDDEN, [])


def test_a_name_of_a_metadata_service_stays_forbidden_too() -> None:
    resolver = FixedResolver(["169.254.169.254"])
    kind, _, tried = attempt_at("http://hooks.example/", resolver, EVERYTHING)
    assert (kind, tried) == (AttemptKind.FORBIDDEN, [])


def test_a_name_that_changes_its_address_leads_nowhere_else() -> None:
    resolver = FixedResolver([PUBLIC], ["127.0.0.1"])
    kind, _, tried = attempt_at("https://rebinding.example/", resolver)
    assert tried == [PUBLIC]
    assert resolver.questions == ["rebinding.example"]
    assert kind is AttemptKind.UNREACHED
    connections = Connections()
    sender = GuardedSender(clock_us=lambda: 0, resolver=resolver, on_connect=connections)
    receiver = receiver_at("https://rebinding.example/")
    attempt = asyncio.run(sender.send(receiver, example_notice()))
    assert (attempt.kind, connections.tried) == (AttemptKind.FORBIDDEN, [])


def test_all_addresses_of_a_good_name_are_tried() -> None:
    _, _, tried = attempt_at("https://hooks.example./x", FixedResolver([PUBLIC, PUBLIC_6]))
    assert set(tried) == {PUBLIC, PUBLIC_6}


@pytest.mark.parametrize(
    ("url", "permissions"),
    [
        ("https://hooks.example/a?b=c", Permissions()),
        ("https://hooks.example:443/", Permissions()),
        ("http://hooks.example/", Permissions(http=True)),
        ("https://hooks.example:8443/", Permissions(ports=frozenset({8443}))),
        ("https://10.1.2.3/", Permissions(networks=("10.0.0.0/8",))),
        ("https://[fd12::3]/", Permissions(networks=("fd12::/16",))),
        ("https://[::ffff:10.1.2.3]/", Permissions(networks=("10.0.0.0/8",))),
        (f"https://{PUBLIC}/", Permissions()),
        ("https://b\u00fccher.example/", Permissions()),
    ],
)
def test_what_is_allowed_is_allowed(url: str, permissions: Permissions) -> None:
    assert target_of(url, permissions).host


def test_opening_one_network_opens_no_other() -> None:
    opened = networks_of(["10.0.0.0/8"])
    assert address_problem("10.1.2.3", opened) is None
    assert address_problem("192.168.0.1", opened)
    assert address_problem("127.0.0.1", opened)


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: object) -> None:
    text = str(address)
    if address_problem(text) is None:
        assert getattr(address, "is_global")  # noqa: B009 - of either family
        assert not getattr(address, "is_private")  # noqa: B009


@given(st.text(max_size=60))
def test_no_text_is_sent_to_by_accident(text: str) -> None:
    try:
        target = target_of(f"https://{text}", Permissions())
    except ForbiddenTargetError:
        return
    assert target.port == 443
    assert target.url.scheme == "https"
    assert target.url.raw_user is None


def test_the_address_of_a_receiver_does_not_show() -> None:
    receiver = receiver_at("https://hooks.example/T00/hidden")
    assert "hidden" not in repr(receiver)
    assert "hidden" not in repr(target_of(receiver.url.reveal(), Permissions()))


def test_the_resolver_of_the_system_finds_this_host() -> None:
    async def run() -> list[Sequence[str]]:
        resolver = SystemResolver()
        return await asyncio.gather(*(resolver.addresses("localhost", 443) for _ in range(3)))

    first, *others = asyncio.run(run())
    assert "127.0.0.1" in first
    assert others == [first, first]


def test_a_name_that_nobody_has_is_an_error_of_the_system() -> None:
    with pytest.raises((OSError, ValueError)):
        asyncio.run(SystemResolver().addresses("\0", 443))
