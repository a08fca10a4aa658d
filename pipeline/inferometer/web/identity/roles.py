"""Who asks, and what they may: the contract between the query API and what identifies its callers."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request

from inferometer.errors import PipelineError

if TYPE_CHECKING:
    from datetime import datetime


class Role(enum.StrEnum):
    """What a token may do; each role may what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    """Also silences, and the bytes of dead letters."""
    ADMIN = "admin"
    """Also tokens, and bills."""

    def allows(self, needed: Role) -> bool:
        """Return whether who has this role may do what needs another."""
        return _ORDER[self] >= _ORDER[needed]


_ORDER = {role: place for place, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what is known of the token that a request carries."""

    name: str
    role: Role
    workspace: str | None = None
    """The only workspace that is seen; None for all."""
    expires_at: datetime | None = None


class NotIdentifiedError(PipelineError):
    """A request without a token that is known and in force; answered by 401."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


class ForbiddenError(PipelineError):
    """A request that its caller may not make; answered by 403."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


class TooManyRequestsError(PipelineError):
    """A caller that met its limit; answered by 429."""

    def __init__(self, reason: str, retry_after_s: int) -> None:
        super().__init__(f"{reason}; try again in {retry_after_s} s")
        self.reason = reason
        self.retry_after_s = retry_after_s


Identify = Callable[[Request], Awaitable[Caller]]
"""Returns who asks. Raises NotIdentifiedError, ForbiddenError and TooManyRequestsError.

Called once a request, on the event loop: it must not block. ForbiddenError is for a request that a
browser was made to send: a session's write without its header, or from another origin.
"""
