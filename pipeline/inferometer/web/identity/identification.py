"""Finds out who asks: by a bearer token, or by the session of a browser; implements Identify."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from inferometer.web.identity.desks import OpenedSession
from inferometer.web.identity.roles import NotIdentifiedError, TooManyRequestsError
from inferometer.web.identity.token_book import NEW_TOKEN

if TYPE_CHECKING:
    from starlette.requests import Request

    from inferometer.web.identity.origins import Origins
    from inferometer.web.identity.rate_limits import RateLimits
    from inferometer.web.identity.roles import Caller
    from inferometer.web.identity.sessions import Sessions
    from inferometer.web.identity.token_book import FoundToken, TokenBook

COOKIE = "inferometer_session"

logger = logging.getLogger(__name__)


class Identification:
    """Who asks, and the sessions of browsers; also a SessionDesk. For one event loop."""

    def __init__(
        self,
        *,
        book: TokenBook,
        sessions: Sessions,
        origins: Origins,
        limits: RateLimits,
        failures: RateLimits,
        cookie: str = COOKIE,
    ) -> None:
        """Count requests of each token by `limits`, and of each address that is not let in."""
        self._book = book
        self._sessions = sessions
        self._origins = origins
        self._limits = limits
        self._failures = failures
        # A name that browsers accept only with Secure, for the whole site and from no other host.
        self._cookie = f"__Host-{cookie}" if origins.is_secure else cookie

    async def __call__(self, request: Request) -> Caller:
        """Return who asks; see Identify."""
        self._origins.refuse_other_pages(request.headers)
        try:
            found = self._found(request)
        except NotIdentifiedError:
            self._count_failure(request)
            raise
        wait_s = self._limits.take(found.record.id)
        if wait_s:
            raise TooManyRequestsError(
                f"the token {found.record.name} has met its limit of requests", math.ceil(wait_s)
            )
        return found.record.caller()

    async def open(self, request: Request, token: str) -> OpenedSession:
        """Take a token for a session; see SessionDesk."""
        self._origins.refuse_other_pages(request.headers)
        try:
            found = self._book.find(token.strip())
        except NotIdentifiedError:
            self._count_failure(request)
            raise
        value, lifetime = self._sessions.open(found)
        logger.info(
            "%s signed in",
            found.record.name,
            extra={"reason": "signed_in", "token_id": found.record.id},
        )
        return OpenedSession(
            found.record.caller(), self._set_cookie(value, int(lifetime.total_seconds()))
        )

    async def close(self, request: Request) -> str:
        """End the session of a request; see SessionDesk."""
        self._origins.refuse_other_pages(request.headers)
        value = request.cookies.get(self._cookie)
        if value is not None:
            self._origins.refuse_forged(request.method, request.headers)
            self._sessions.close(value)
        return self._set_cookie("", 0)

    def _found(self, request: Request) -> FoundToken:
        authorization = request.headers.get("authorization")
        if authorization is not None:
            scheme, _, text = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise NotIdentifiedError(
                    "the header Authorization is no bearer token",
                    "send Authorization: Bearer TOKEN",
                )
            return self._book.find(text.strip())
        value = request.cookies.get(self._cookie)
        if value is None:
            raise NotIdentifiedError(
                "no token was sent", f"send Authorization: Bearer TOKEN; {NEW_TOKEN}"
            )
        found = self._sessions.find(value)
        self._origins.refuse_forged(request.method, request.headers)
        return found

    def _count_failure(self, request: Request) -> None:
        wait_s = self._failures.take(request.client.host if request.client else "")
        if wait_s:
            raise TooManyRequestsError(
                "too many requests without a good token came from this address", math.ceil(wait_s)
            )

    def _set_cookie(self, value: str, max_age_s: int) -> str:
        secure = "; Secure" if self._origins.is_secure else ""
        return f"{self._cookie}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"
