"""How aiokafka's clients connect and prove who they are, and whether the brokers let them in."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from typing import TYPE_CHECKING, Any

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context

from inferometer.errors import BrokerError, ConfigError
from inferometer.kafka.tokens import TokenRefusedError, TokenSource

if TYPE_CHECKING:
    from inferometer.kafka.settings import KafkaSettings
    from inferometer.kafka_security import KafkaSecurity

CONNECT_TIMEOUT_S = 10.0
RETRY_S = 0.5
_ANYBODY_THERE = struct.pack(">ihhih", 10, 18, 0, 0, -1)
"""A request ApiVersions, version 0, without a client id: every Kafka answers it to everybody."""
REFUSALS = (
    AuthenticationFailedError,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    TokenRefusedError,
    UnsupportedSaslMechanismError,
)
"""Answers that another try with the same settings does not change."""


def security_options(kafka: KafkaSettings) -> dict[str, Any]:
    """Return the arguments of aiokafka's clients. Raises ConfigError for files that do not read."""
    security = kafka.security
    options: dict[str, Any] = {"security_protocol": security.security_protocol}
    if security.uses_tls:
        options["ssl_context"] = tls_context(security)
    if security.uses_sasl:
        options["sasl_mechanism"] = security.sasl_mechanism
    if security.uses_tokens:
        options["sasl_oauth_token_provider"] = TokenSource(security)
    elif security.uses_sasl:
        options["sasl_plain_username"] = security.sasl_username
        options["sasl_plain_password"] = security.sasl_password
    return options


async def check_access(kafka: KafkaSettings) -> None:
    """Return once a broker has let us in.

    Raises BrokerError; one that is not retryable where a broker answered and refused.
    """
    security, options = kafka.security, security_options(kafka)
    problems = []
    for address in kafka.addresses:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        try:
            if security.uses_tls:
                await _probe_tls(host, int(port), options["ssl_context"])
            connection = await create_conn(
                host, int(port), request_timeout_ms=int(CONNECT_TIMEOUT_S * 1000), **options
            )
        except (KafkaError, OSError, TimeoutError) as error:
            if _is_refusal(error):
                raise BrokerError(_refusal(security, address, error), retryable=False) from error
            problems.append(f"{address}: {_problem(security, error)}")
        else:
            await connection.close()
            return
    raise BrokerError(f"no broker lets us in yet ({'; '.join(problems)})", retryable=True)


async def wait_for_access(kafka: KafkaSettings, *, timeout_s: float) -> None:
    """Return once a broker has let us in: one that is away may come. Raises BrokerError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    while True:
        try:
            return await check_access(kafka)
        except BrokerError as error:
            if not error.retryable or loop.time() > deadline:
                raise
        await asyncio.sleep(RETRY_S)


def tls_context(security: KafkaSecurity) -> ssl.SSLContext:
    """Return what TLS trusts and shows. Raises ConfigError for files that do not read."""
    try:
        context: ssl.SSLContext = create_ssl_context(
            cafile=security.ssl_ca_file or None,
            certfile=security.ssl_certificate_file or None,
            keyfile=security.ssl_key_file or None,
            # Never None: OpenSSL would ask at the terminal.
            password=security.ssl_key_password,
        )
    except OSError as error:  # ssl.SSLError is one
        files = [security.ssl_ca_file, security.ssl_certificate_file, security.ssl_key_file]
        raise ConfigError(
            [
                f"[kafka] TLS: {error.strerror or error} (of {', '.join(filter(None, files))}); "
                "check ssl_ca_file, ssl_certificate_file, ssl_key_file and ssl_key_password"
            ]
        ) from error
    return context


async def _probe_tls(host: str, port: int, context: ssl.SSLContext) -> None:
    """Return once a broker has answered over TLS; raises ssl.SSLError where it wants no such client.

    That refusal comes with the first answer, and aiokafka would tell it as a connection that closed.
    """
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        try:
            writer.write(_ANYBODY_THERE)
            await reader.readexactly(4)
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("closed without an answer") from error
        finally:
            # At once: a closing handshake is not worth waiting for.
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def _is_refusal(error: Exception) -> bool:
    if isinstance(error, ssl.SSLError):
        # An end in the middle of the handshake is a broker that goes down.
        return isinstance(error, ssl.SSLCertVerificationError) or "ALERT" in (error.reason or "")
    return isinstance(error, REFUSALS)


def _refusal(security: KafkaSecurity, address: str, error: Exception) -> str:
    mechanism = security.sasl_mechanism
    if isinstance(error, ssl.SSLError):
        reason = getattr(error, "verify_message", "") or error.reason
        return (
            f"TLS with {address} fails: {reason}; check kafka.ssl_ca_file, "
            "kafka.ssl_certificate_file, and that the broker's certificate is for this host"
        )
    if isinstance(error, TokenRefusedError):
        return str(error.args[0])
    if isinstance(error, UnsupportedSaslMechanismError):
        return f"{address} does not take {mechanism}; check kafka.sasl_mechanism and the port"
    reason = error.args[0] if error.args else type(error).__name__
    if security.uses_tokens:
        return (
            f"{address} refuses the token of client {security.oauth_client_id}: {reason}; check "
            "kafka.oauth_scope, and audience and issuer that the broker expects"
        )
    return (
        f"{address} refuses user {security.sasl_username} ({mechanism}): {reason}; check "
        "kafka.sasl_username and kafka.sasl_password"
    )


def _problem(security: KafkaSecurity, error: Exception) -> str:
    if isinstance(error, KafkaConnectionError | ConnectionResetError | ssl.SSLError):
        return (
            "the connection was closed while it began; does the port speak "
            f"{security.security_protocol} (kafka.security_protocol), and want a certificate?"
        )
    return str(error) or type(error).__name__
