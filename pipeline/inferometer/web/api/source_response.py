"""A response that is sent piece by piece, and lets go of its source whatever becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Send


class Source(Protocol):
    """Pieces that come one after the other."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return the pieces."""

    async def aclose(self) -> None:
        """Let go of what the pieces come from; safe to call twice."""


class SourceResponse(StreamingResponse):
    """Closes its source at the end, and at once when the client goes away."""

    def __init__(self, source: Source, **options: Any) -> None:
        super().__init__(source, **options)
        self._source = source

    async def stream_response(self, send: Send) -> None:
        """Send every piece."""
        try:
            await super().stream_response(send)
        finally:
            await self._source.aclose()
