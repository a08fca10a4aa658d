"""What the query API needs to hand out sessions and tokens; implemented beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from inferometer.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from starlette.requests import Request

    from inferometer.web.identity.roles import Caller, Role


class TokenUnknownError(PipelineError):
    """No token has this id."""


class TokenRefusedError(PipelineError):
    """A token that cannot be as asked; `parameter` says which field of the request is wrong."""

    def __init__(self, parameter: str, reason: str, remedy: str) -> None:
        super().__init__(f"{parameter}: {reason} ({remedy})")
        self.parameter = parameter
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenFacts:
    """What is known of a token; never its secret."""

    id: str
    name: str
    role: Role
    workspace: str | None
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and its text, which is shown once."""

    facts: TokenFacts
    text: str


class TokenDesk(Protocol):
    """Tokens of the query API. Calls block; they may come from several threads."""

    def tokens(self) -> Sequence[TokenFacts]:
        """Return every token that is not revoked, by name."""

    def create(
        self, *, name: str, role: Role, workspace: str | None, expires_at: datetime | None
    ) -> IssuedToken:
        """Make a token. Raises TokenRefusedError."""

    def rotate(self, token_id: str) -> IssuedToken:
        """Give a token a new secret; the old one ends. Raises TokenUnknownError."""

    def revoke(self, token_id: str) -> None:
        """End a token. Raises TokenUnknownError."""


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session of the console: whose, and the header that makes the browser keep it."""

    caller: Caller
    set_cookie: str


class SessionDesk(Protocol):
    """Sessions of browsers. Calls do not block."""

    async def open(self, request: Request, token: str) -> OpenedSession:
        """Take a token for a session. Raises NotIdentifiedError, TooManyRequestsError, ForbiddenError."""

    async def close(self, request: Request) -> str:
        """End the request's session, if there is one, and return the header that clears the cookie.

        Raises ForbiddenError.
        """
