"""Sessions of browsers: a signed value in a cookie that stands for a token, without its secret.

The signature covers what is kept of the secret, so a session ends with it: when the token expires,
is revoked or rotated. Nothing is stored but the sessions that were closed before their time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from inferometer.web.identity.roles import NotIdentifiedError
from inferometer.web.identity.token_book import FoundToken, check_in_force

if TYPE_CHECKING:
    from collections.abc import Callable

    from inferometer.web.identity.token_book import TokenBook

LIFETIME = timedelta(hours=12)
KEY_BYTES = 32
MAX_CLOSED = 100_000
_FORM = re.compile(r"1\.([0-9a-f]{12})\.([0-9]{1,12})\.([0-9a-f]{32})\.([0-9a-f]{64})")
SIGN_IN = "sign in again with a token"


class Sessions:
    """Makes and reads the values of cookies. For one thread."""

    def __init__(
        self,
        book: TokenBook,
        clock: Callable[[], datetime],
        *,
        key: bytes = b"",
        lifetime: timedelta = LIFETIME,
    ) -> None:
        """Sign with `key`; without one sessions end with the process, and are no other's."""
        self._book = book
        self._clock = clock
        self._key = key or secrets.token_bytes(KEY_BYTES)
        self._lifetime = lifetime
        self._closed: dict[str, int] = {}

    def open(self, found: FoundToken) -> tuple[str, timedelta]:
        """Return the value of a new session of a token, and how long it lasts."""
        now = self._clock()
        end = now + self._lifetime
        if found.record.expires_at is not None:
            end = min(end, found.record.expires_at)
        head = f"1.{found.record.id}.{int(end.timestamp())}.{secrets.token_hex(16)}"
        return f"{head}.{self._signature(head, found.digest)}", end - now

    def find(self, value: str) -> FoundToken:
        """Return the token of a session. Raises NotIdentifiedError, and StateError."""
        parts = _FORM.fullmatch(value)
        now = self._clock()
        if parts is None or datetime.fromtimestamp(int(parts[2]), UTC) <= now:
            raise NotIdentifiedError("the session is over", SIGN_IN)
        record = self._book.record(parts[1])
        head = value.rpartition(".")[0]
        digests = () if record is None else record.digests(now)
        signed = [
            digest
            for digest in digests
            if hmac.compare_digest(self._signature(head, digest), parts[4])
        ]
        if record is None or not signed or parts[3] in self._closed:
            raise NotIdentifiedError("the session is over", SIGN_IN)
        check_in_force(record, now)
        return FoundToken(record, signed[0])

    def close(self, value: str) -> None:
        """End a session before its time; one that is unknown is none."""
        parts = _FORM.fullmatch(value)
        if parts is None:
            return
        try:
            self.find(value)
        except NotIdentifiedError:
            return
        now_s = int(self._clock().timestamp())
        self._closed = {nonce: end_s for nonce, end_s in self._closed.items() if end_s > now_s}
        if len(self._closed) >= MAX_CLOSED:
            # All sessions of this key end, rather than one that was closed opening again.
            self._key, self._closed = secrets.token_bytes(KEY_BYTES), {}
        self._closed[parts[3]] = int(parts[2])

    def _signature(self, head: str, digest: str) -> str:
        return hmac.new(self._key, f"{head}.{digest}".encode(), hashlib.sha256).hexdigest()
