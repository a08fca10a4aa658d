from __future__ import annotations

import asyncio
import gzip
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
import standardwebhooks
import trustme

from inferometer.core.alerts.receivers import Format, Permissions, Receiver
from inferometer.core.alerts.retries import Attempt, AttemptKind, Verdict, judge
from inferometer.core.alerts.trials import Heartbeat
from inferometer.core.secret import Secret
from inferometer.testing.notices import example_notice
from inferometer.webhooks.sender import GuardedSender, SenderLimits
from tests.unit.webhooks.hostile import (
    HostileServer,
    answering,
    endless_body,
    half_closing,
    hanging,
    hostile_server,
    resetting,
    slow_body,
    slow_loris,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.unit.webhooks.hostile import Behaviour

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
QUICK = SenderLimits(total_s=0.4, connect_s=0.3, drain_s=0.1)
"""For who never answers; who does may take long on a busy machine."""
PATIENT = SenderLimits(total_s=60.0, connect_s=60.0, drain_s=0.1)
LITTLE_S = 20.0
"""Well below what a patient one, or one without an end, would take."""


class Here:
    """Every name is this host."""

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        del host, port
        return ["127.0.0.1"]


def clock_us() -> int:
    return time.time_ns() // 1000


def receiver_at(server: HostileServer, *, scheme: str = "http", **more: Any) -> Receiver:
    permissions = Permissions(http=True, ports=frozenset({server.port}), networks=("127.0.0.0/8",))
    fixed: dict[str, Any] = {
        "name": "hook",
        "url": Secret(f"{scheme}://hooks.example:{server.port}/in?token=hidden"),
        "signing_secrets": (Secret(KEY),),
        "permissions": permissions,
    }
    return Receiver(**(fixed | more))


def deliver(
    behaviour: Behaviour,
    *,
    tls: ssl.SSLContext | None = None,
    limits: SenderLimits = PATIENT,
    **more: Any,
) -> tuple[Attempt, HostileServer, list[str]]:
    connected: list[str] = []

    async def run() -> tuple[Attempt, HostileServer]:
        sender = GuardedSender(
            clock_us=clock_us, resolver=Here(), limits=limits, on_connect=connected.append
        )
        async with hostile_server(behaviour, tls=tls) as server:
            scheme = "https" if tls else "http"
            attempt = await sender.send(
                receiver_at(server, scheme=scheme, **more), example_notice()
            )
            return attempt, server

    attempt, server = asyncio.run(run())
    return attempt, server, connected


def test_a_message_arrives_signed_and_named() -> None:
    attempt, server, _ = deliver(status(202), headers={"Authorization": Secret("Bearer t")})
    assert judge(attempt) is Verdict.DELIVERED
    (request,) = server.requests
    assert request.line == "POST /in?token=hidden HTTP/1.1"
    assert request.headers["host"] == f"hooks.example:{server.port}"
    assert request.headers["authorization"] == "Bearer t"
    assert request.headers["webhook-id"] == example_notice().notification_id
    verified = standardwebhooks.Webhook(KEY).verify(request.body, request.headers)
    assert verified["type"] == "slo.alert.firing"


@pytest.mark.parametrize("format_", list(Format))
def test_every_format_goes_out(format_: Format) -> None:
    attempt, server, _ = deliver(status(200), format=format_)
    assert judge(attempt) is Verdict.DELIVERED
    assert server.requests[0].headers["content-type"].startswith("application/")


def test_a_heartbeat_goes_out() -> None:
    async def run() -> tuple[Attempt, HostileServer]:
        sender = GuardedSender(clock_us=clock_us, resolver=Here(), limits=PATIENT)
        beat = Heartbeat(receiver="hook", at_us=0, interval_s=60, last_tick_us=0)
        async with hostile_server(status(200)) as server:
            return await sender.send_heartbeat(receiver_at(server), beat), server

    attempt, server = asyncio.run(run())
    assert judge(attempt) is Verdict.DELIVERED
    assert b"system.heartbeat" in server.requests[0].body


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/latest/", "http://127.0.0.1:1/", "//other.example/"]
)
def test_a_redirect_is_not_followed(code: int, place: str) -> None:
    behaviour = status(code, f"Location: {place}")
    attempt, server, connected = deliver(behaviour)
    assert judge(attempt) is Verdict.REFUSED
    assert server.connections == 1
    assert connected == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("behaviour", "kind", "code"),
    [
        (status(500), AttemptKind.ANSWERED, 500),
        (status(404, body=b"secret of the inside"), AttemptKind.ANSWERED, 404),
        (hanging, AttemptKind.LOST, None),
        (slow_loris, AttemptKind.LOST, None),
        (resetting, AttemptKind.LOST, None),
        (half_closing, AttemptKind.LOST, None),
        (answering(b"no http at all\r\n\r\n"), AttemptKind.LOST, None),
        (answering(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000), AttemptKind.LOST, None),
        (answering(b"HTTP/1.1 100 Continue\r\n\r\n" * 50), AttemptKind.LOST, None),
        (slow_body, AttemptKind.ANSWERED, 200),
        (endless_body, AttemptKind.ANSWERED, 200),
        (
            status(200, "Content-Encoding: gzip", body=gzip.compress(bytes(50_000_000))),
            AttemptKind.ANSWERED,
            200,
        ),
    ],
    ids=[
        "500",
        "404",
        "hanging",
        "slow loris",
        "reset",
        "half closed",
        "no http",
        "huge header",
        "endless continue",
        "slow body",
        "huge body",
        "gzip bomb",
    ],
)
def test_a_bad_receiver_costs_little(
    behaviour: Behaviour, kind: AttemptKind, code: int | None
) -> None:
    begun = time.monotonic()
    is_silent = behaviour in {hanging, slow_loris}
    attempt, _, _ = deliver(behaviour, limits=QUICK if is_silent else PATIENT)
    assert (attempt.kind, attempt.status) == (kind, code)
    assert time.monotonic() - begun < LITTLE_S
    assert "secret" not in attempt.detail
    assert "hidden" not in attempt.detail


def test_a_notice_that_no_format_can_hold_is_refused_alone() -> None:
    async def run() -> Attempt:
        sender = GuardedSender(clock_us=clock_us, resolver=Here(), limits=PATIENT)
        async with hostile_server(status(200)) as server:
            notice = example_notice(details={"count": 2**70})
            return await sender.send(receiver_at(server), notice)

    attempt = asyncio.run(run())
    assert judge(attempt) is Verdict.REFUSED
    assert "cannot be made" in attempt.detail


def test_a_status_counts_although_the_time_is_up_before_the_body() -> None:
    async def run() -> Attempt:
        limits = SenderLimits(total_s=1.5, connect_s=1, drain_s=60)
        sender = GuardedSender(clock_us=clock_us, resolver=Here(), limits=limits)
        async with hostile_server(slow_body) as server:
            return await sender.send(receiver_at(server), example_notice())

    assert judge(asyncio.run(run())) is Verdict.DELIVERED


def asked(first: Behaviour) -> tuple[list[Attempt], HostileServer]:
    """Send two notices to a receiver that wants to be asked before."""

    async def run() -> tuple[list[Attempt], HostileServer]:
        sender = GuardedSender(clock_us=clock_us, resolver=Here(), limits=PATIENT)
        async with hostile_server([first, status(200)]) as server:
            receiver = receiver_at(
                server,
                format=Format.CLOUDEVENTS,
                handshake=True,
                external_url="https://alerts.example/ui",
            )
            return [await sender.send(receiver, example_notice()) for _ in range(2)], server

    return asyncio.run(run())


@pytest.mark.parametrize("allowed", ["*", "alerts.example"])
def test_who_wants_to_be_asked_is_asked_once(allowed: str) -> None:
    attempts, server = asked(status(200, f"WebHook-Allowed-Origin: {allowed}"))
    assert [judge(attempt) for attempt in attempts] == [Verdict.DELIVERED] * 2
    methods = [request.line.partition(" ")[0] for request in server.requests]
    assert methods == ["OPTIONS", "POST", "POST"]
    assert server.requests[0].headers["webhook-request-origin"] == "alerts.example"


@pytest.mark.parametrize(
    "behaviour",
    [status(405), status(200), status(200, "WebHook-Allowed-Origin: other.example")],
    ids=["405", "silent", "another"],
)
def test_who_does_not_allow_events_gets_none(behaviour: Behaviour) -> None:
    attempts, server = asked(behaviour)
    assert judge(attempts[0]) is Verdict.REFUSED
    assert all(request.line.startswith("OPTIONS") for request in server.requests)


def test_what_a_receiver_asks_for_is_read() -> None:
    attempt, _, _ = deliver(status(429, "Retry-After: 17"))
    assert (attempt.status, attempt.retry_after_s) == (429, 17)


def test_nobody_there_is_certainly_not_delivered() -> None:
    async def run() -> Attempt:
        sender = GuardedSender(clock_us=clock_us, resolver=Here(), limits=PATIENT)
        async with hostile_server(hanging) as server:
            receiver = receiver_at(server)
        return await sender.send(receiver, example_notice())

    attempt = asyncio.run(run())
    assert (attempt.kind, attempt.detail) == (AttemptKind.UNREACHED, "no connection")


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://169.254.169.254:3128")
    monkeypatch.setenv("no_proxy", "")
    attempt, _, connected = deliver(status(200))
    assert judge(attempt) is Verdict.DELIVERED
    assert connected == ["127.0.0.1"]


def tls_of(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_the_name_in_the_address_is_what_tls_asks_for(authority: trustme.CA, ca_file: str) -> None:
    tls = tls_of(authority, "hooks.example")
    attempt, server, _ = deliver(status(200), tls=tls, ca_file=ca_file)
    assert judge(attempt) is Verdict.DELIVERED
    assert server.requests[0].headers["host"].startswith("hooks.example")


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
def test_a_certificate_for_another_host_gets_nothing(
    authority: trustme.CA, ca_file: str, name: str
) -> None:
    attempt, server, _ = deliver(status(200), tls=tls_of(authority, name), ca_file=ca_file)
    assert attempt.kind is AttemptKind.UNREACHED
    assert "certificate" in attempt.detail
    assert server.requests == []


def test_a_certificate_that_nobody_trusts_gets_nothing(authority: trustme.CA) -> None:
    attempt, server, _ = deliver(status(200), tls=tls_of(authority, "hooks.example"))
    assert attempt.kind is AttemptKind.UNREACHED
    assert server.requests == []


def test_certificates_that_are_missing_are_told(tmp_path: Path) -> None:
    attempt, _, _ = deliver(status(200), ca_file=str(tmp_path / "none.pem"))
    assert attempt.kind is AttemptKind.UNREACHED
