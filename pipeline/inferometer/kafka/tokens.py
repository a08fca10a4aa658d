"""Tokens of OAUTHBEARER by client credentials (RFC 6749, 4.4), fetched anew before they expire."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.kafka_security import KafkaSecurity

FETCH_TIMEOUT_S = 10.0
USED_SHARE = 0.8
"""Of its life a token is used so much; the rest is for clocks that differ and slow endpoints."""
UNTOLD_LIFE_S = 60.0
"""The life of a token whose endpoint does not say `expires_in`."""
_MAX_ANSWER_BYTES = 1 << 20
_SHOWN_CHARACTERS = 200


class TokenRefusedError(KafkaError):  # type: ignore[misc]
    """The token endpoint answered, and another try with the same settings does not mend it."""


class TokenUnavailableError(KafkaError):  # type: ignore[misc]
    """The token endpoint could not be reached, or failed."""

    retriable = True


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the endpoint gave it."""

    text: str
    life_s: float


class TokenSource(AbstractTokenProvider):  # type: ignore[misc]
    """Gives aiokafka's connections one token until most of its life is over."""

    def __init__(
        self,
        security: KafkaSecurity,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        fetch: Callable[[KafkaSecurity], Token] | None = None,
    ) -> None:
        self._security = security
        self._monotonic = monotonic
        self._fetch = fetch or fetch_token
        self._token: Token | None = None
        self._until = 0.0

    async def token(self) -> str:
        """Return a token that is good for a while. Raises KafkaError."""
        if self._token is None or self._monotonic() >= self._until:
            asked_at = self._monotonic()
            self._token = token = await asyncio.to_thread(self._fetch, self._security)
            self._until = asked_at + token.life_s * USED_SHARE
        return self._token.text


def fetch_token(security: KafkaSecurity) -> Token:
    """Change client id and secret into a token; blocks.

    Raises TokenRefusedError and TokenUnavailableError.
    """
    url = security.oauth_token_url
    form = {"grant_type": "client_credentials"}
    if security.oauth_scope:
        form["scope"] = security.oauth_scope
    request = urllib.request.Request(  # noqa: S310 - the setting is checked to be http or https
        url,
        data=urlencode(form).encode(),
        headers={
            "Authorization": _basic(security.oauth_client_id, security.oauth_client_secret),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(  # noqa: S310
            request, timeout=FETCH_TIMEOUT_S, context=_context(security)
        ) as answer:
            return _read(url, answer.read(_MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        raise _http_problem(security, error) from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise TokenRefusedError(
                f"TLS with the token endpoint {url} fails: {reason.verify_message}; "
                "check kafka.oauth_ca_file"
            ) from error
        raise TokenUnavailableError(f"the token endpoint {url} is away: {reason}") from error


def _http_problem(security: KafkaSecurity, error: urllib.error.HTTPError) -> KafkaError:
    url = security.oauth_token_url
    text = error.read(_SHOWN_CHARACTERS).decode(errors="replace").strip()
    answer = f"{error.code} {error.reason}{f': {text}' if text else ''}"
    is_temporary = error.code >= HTTPStatus.INTERNAL_SERVER_ERROR or error.code in {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
    if is_temporary:
        return TokenUnavailableError(f"the token endpoint {url} fails: {answer}")
    return TokenRefusedError(
        f"the token endpoint {url} refuses client {security.oauth_client_id}: {answer}; check "
        "kafka.oauth_client_id, oauth_client_secret, oauth_scope and oauth_token_url"
    )


def _read(url: str, answer: bytes) -> Token:
    try:
        fields: Any = json.loads(answer)
        text = fields["access_token"]
        life_s = float(fields.get("expires_in", UNTOLD_LIFE_S))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise TokenRefusedError(
            f"the token endpoint {url} answers without an access_token; check kafka.oauth_token_url"
        ) from error
    if not isinstance(text, str) or not text:
        raise TokenRefusedError(f"the token endpoint {url} answers with an empty access_token")
    return Token(text, life_s)


def _basic(client_id: str, secret: str) -> str:
    # Both are form-encoded first, says RFC 6749, 2.3.1.
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _context(security: KafkaSecurity) -> ssl.SSLContext | None:
    if not security.oauth_token_url.startswith("https://"):
        return None
    return ssl.create_default_context(cafile=security.oauth_ca_file or None)
