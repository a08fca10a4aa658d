"""The guarded sender: one POST to a vetted address, without redirects, proxies or patience."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from yarl import URL

from inferometer.core.alerts.retries import (
    SECOND_US,
    Attempt,
    AttemptKind,
    Verdict,
    judge,
    retry_after_seconds,
)
from inferometer.webhooks.messages import compose, compose_heartbeat
from inferometer.webhooks.resolver import PinnedAddresses, Resolver, SystemResolver
from inferometer.webhooks.signatures import signing_headers
from inferometer.webhooks.targets import ForbiddenTargetError, Target, check_addresses, target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.core.alerts.notices import Notice
    from inferometer.core.alerts.receivers import Permissions, Receiver
    from inferometer.core.alerts.trials import Heartbeat
    from inferometer.webhooks.bodies import Message

    AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]


DEFAULT_ORIGIN = "inferometer"


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderLimits:
    """How long an attempt may take and how much of an answer is read."""

    total_s: float = 15.0
    connect_s: float = 5.0
    drain_s: float = 1.0
    drain_bytes: int = 64 * 1024
    header_bytes: int = 8190


class GuardedSender:
    """A NoticeSender over HTTP that reaches nothing but what its receivers' permissions name.

    Each attempt resolves the name once, vets every address, and connects to those very addresses;
    each socket is vetted once more before it connects. So neither a name that changes its address,
    nor a redirect, nor a proxy of the environment leads elsewhere.
    """

    def __init__(
        self,
        *,
        clock_us: Callable[[], int],
        resolver: Resolver | None = None,
        limits: SenderLimits | None = None,
        user_agent: str = "inferometer",
        on_connect: Callable[[str], None] | None = None,
    ) -> None:
        """`on_connect` is told every address before a connection to it is tried."""
        self._clock_us = clock_us
        self._resolver = resolver or SystemResolver()
        self._limits = limits or SenderLimits()
        self._user_agent = user_agent
        self._on_connect = on_connect or (lambda _address: None)
        self._allowed_by: set[str] = set()
        """Receivers that wanted to be asked, and said yes."""

    async def send(self, receiver: Receiver, notice: Notice) -> Attempt:
        """See `NoticeSender.send`."""
        try:
            message = compose(receiver, notice, now_us=self._clock_us())
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # One notice that no format can hold must not end the delivery of all others.
            detail = f"not sent: its message cannot be made ({error!r})"
            return Attempt(kind=AttemptKind.FORBIDDEN, detail=detail)
        return await self._post(receiver, message)

    async def send_heartbeat(self, receiver: Receiver, beat: Heartbeat) -> Attempt:
        """See `NoticeSender.send_heartbeat`."""
        return await self._post(receiver, compose_heartbeat(receiver, beat))

    async def vet(self, receiver: Receiver) -> str | None:
        """Return why a receiver could not be sent to now, in words; None if it could."""
        try:
            async with asyncio.timeout(self._limits.connect_s):
                await self._resolved(receiver)
        except ForbiddenTargetError as error:
            return str(error)
        except (OSError, TimeoutError):
            return "its host has no address now; check the name, or the resolver"
        return None

    async def _post(self, receiver: Receiver, message: Message) -> Attempt:
        if receiver.handshake and receiver.name not in self._allowed_by:
            refusal = await self._asked(receiver)
            if refusal is not None:
                return refusal
        headers = self._headers(receiver, message)
        return await self._call(receiver, _Request("POST", headers, message.body), _Sent())

    async def _asked(self, receiver: Receiver) -> Attempt | None:
        """Ask whether events are welcome, as CloudEvents' webhooks may want; None if they are."""
        origin = _origin(receiver)
        own = {name: secret.reveal() for name, secret in receiver.headers.items()}
        sent = _Sent()
        asking = _Request("OPTIONS", {**own, "WebHook-Request-Origin": origin}, None)
        attempt = await self._call(receiver, asking, sent)
        if judge(attempt) is not Verdict.DELIVERED:
            return attempt
        if sent.allowed_origin not in {origin, "*"}:
            detail = f"not sent: it does not allow events from {origin} (WebHook-Allowed-Origin)"
            return Attempt(kind=AttemptKind.FORBIDDEN, detail=detail, took_us=attempt.took_us)
        self._allowed_by.add(receiver.name)
        return None

    async def _call(self, receiver: Receiver, request: _Request, sent: _Sent) -> Attempt:
        begun_us = self._clock_us()
        try:
            async with asyncio.timeout(self._limits.total_s):
                await self._exchange(receiver, request, sent)
        except ForbiddenTargetError as error:
            return self._failed(AttemptKind.FORBIDDEN, f"not sent: {error}", begun_us)
        except (OSError, TimeoutError, aiohttp.ClientError, ValueError) as error:
            # What happens after the status was seen changes nothing.
            if sent.status is None:
                kind = AttemptKind.LOST if sent.is_out else AttemptKind.UNREACHED
                return self._failed(kind, _detail(error, sent), begun_us)
        return self._answered(sent, begun_us)

    def _answered(self, sent: _Sent, begun_us: int) -> Attempt:
        now_us = self._clock_us()
        status = sent.status or 0
        return Attempt(
            kind=AttemptKind.ANSWERED,
            status=status,
            retry_after_s=retry_after_seconds(sent.retry_after, now_us=now_us),
            detail="" if 200 <= status < 300 else f"answered {status}",
            took_us=now_us - begun_us,
        )

    def _failed(self, kind: AttemptKind, detail: str, begun_us: int) -> Attempt:
        return Attempt(kind=kind, detail=detail, took_us=self._clock_us() - begun_us)

    async def _exchange(self, receiver: Receiver, request: _Request, sent: _Sent) -> None:
        async with asyncio.timeout(self._limits.connect_s):
            target, addresses = await self._resolved(receiver)
        connector = aiohttp.TCPConnector(
            resolver=PinnedAddresses(addresses),
            use_dns_cache=False,
            force_close=True,
            limit=1,
            ssl=_tls(receiver),
            socket_factory=self._vetted_socket(receiver.permissions),
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=self._limits.total_s, sock_connect=self._limits.connect_s
                ),
                trace_configs=[sent.trace()],
                max_line_size=self._limits.header_bytes,
                max_field_size=self._limits.header_bytes,
            ) as session,
            session.request(
                request.method,
                target.url,
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
            ) as response,
        ):
            sent.status = response.status
            sent.retry_after = response.headers.get("Retry-After")
            sent.allowed_origin = response.headers.get("WebHook-Allowed-Origin")
            await self._drain(response)

    async def _resolved(self, receiver: Receiver) -> tuple[Target, list[str]]:
        target = target_of(receiver.url.reveal(), receiver.permissions)
        addresses = list(await self._resolver.addresses(target.host, target.port))
        if not addresses:
            raise OSError("the name has no address")
        # One bad address condemns the name: which of them is used is not ours to choose.
        check_addresses(addresses, receiver.permissions)
        return target, addresses

    def _vetted_socket(self, permissions: Permissions) -> Callable[[AddressInfo], socket.socket]:
        def make(info: AddressInfo) -> socket.socket:
            family, kind, protocol, _, where = info
            check_addresses([str(where[0])], permissions)
            self._on_connect(str(where[0]))
            made = socket.socket(family, kind, protocol)
            made.setblocking(False)
            return made

        return make

    def _headers(self, receiver: Receiver, message: Message) -> dict[str, str]:
        own = {name: secret.reveal() for name, secret in receiver.headers.items()}
        return {
            "User-Agent": self._user_agent,
            "Accept-Encoding": "identity",
            **own,
            **message.headers,
            **signing_headers(
                receiver.signing_secrets,
                message_id=message.id,
                sent_at_s=self._clock_us() // SECOND_US,
                body=message.body,
            ),
        }

    async def _drain(self, response: aiohttp.ClientResponse) -> None:
        """Read a little of the answer, for servers that dislike to be cut off; it says nothing."""
        left = self._limits.drain_bytes
        try:
            async with asyncio.timeout(self._limits.drain_s):
                while left > 0 and (part := await response.content.read(min(left, 8192))):
                    left -= len(part)
        except (TimeoutError, aiohttp.ClientError, OSError):
            # The status has been seen, and that decides.
            return


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked of a receiver."""

    method: str
    headers: dict[str, str]
    body: bytes | None


class _Sent:
    """How far an exchange came."""

    def __init__(self) -> None:
        self.is_out = False
        """Whether the request has begun to go out: nobody knows then whether it arrived."""
        self.status: int | None = None
        self.retry_after: str | None = None
        self.allowed_origin: str | None = None

    def trace(self) -> aiohttp.TraceConfig:
        async def note(*_: object) -> None:
            self.is_out = True

        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(note)
        trace.on_request_chunk_sent.append(note)
        return trace


def _origin(receiver: Receiver) -> str:
    try:
        return URL(receiver.external_url).host or DEFAULT_ORIGIN
    except ValueError:
        return DEFAULT_ORIGIN


def _tls(receiver: Receiver) -> ssl.SSLContext | bool:
    if not receiver.ca_file:
        return True
    return ssl.create_default_context(cafile=receiver.ca_file)


def _detail(error: BaseException, sent: _Sent) -> str:
    """Return what went wrong, in words that hold nothing of the address."""
    match error:
        case TimeoutError() if sent.is_out:
            return "no answer in time"
        case TimeoutError():
            return "no connection in time"
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            return "its certificate is not for this host, or not trusted"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "its host has no address"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "TLS failed"
        case aiohttp.ServerDisconnectedError() | ConnectionResetError():
            return "the connection broke"
        case aiohttp.ClientConnectorError() | ConnectionRefusedError():
            return "no connection"
        case _:
            return f"failed ({type(error).__name__})"
