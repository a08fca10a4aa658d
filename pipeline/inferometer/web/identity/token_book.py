"""Finds the token that a text is, and makes, rotates and revokes tokens; implements TokenDesk."""

from __future__ import annotations

import hmac
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from inferometer.web.identity.desks import (
    IssuedToken,
    TokenFacts,
    TokenRefusedError,
    TokenUnknownError,
)
from inferometer.web.identity.roles import NotIdentifiedError, Role
from inferometer.web.identity.token_records import TokenRecord, check_new
from inferometer.web.identity.token_texts import digest_of, id_of, new_id, new_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from inferometer.web.identity.tokens_file import Records, TokenStorage

LONGEST_OVERLAP = timedelta(days=7)
NEW_TOKEN = "ask who runs this for a token, or make one with `inferometer token create`"  # noqa: S105 - what to do
_NOBODY = "0" * 64
"""Compared with where there is no such token, so that the time taken does not tell."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundToken:
    """A token that is in force, and which of its secrets was shown."""

    record: TokenRecord
    digest: str


class TokenBook:
    """The tokens of a storage as they are at each call."""

    def __init__(
        self,
        storage: TokenStorage,
        clock: Callable[[], datetime],
        *,
        is_same: Callable[[str, str], bool] = hmac.compare_digest,
    ) -> None:
        """Compare secrets by `is_same`, which must take as long for any."""
        self._storage = storage
        self._clock = clock
        self._is_same = is_same

    def find(self, text: str) -> FoundToken:
        """Return the token that a text is. Raises NotIdentifiedError, and StateError."""
        token_id = id_of(text)
        record = self.record(token_id) if token_id is not None else None
        given, now = digest_of(text), self._clock()
        kept = (_NOBODY,) if record is None else record.digests(now)
        # All of them, so that the time taken does not tell which it was.
        same = [self._is_same(given, digest) for digest in kept]
        if record is None or not any(same):
            raise NotIdentifiedError("the token is not known", NEW_TOKEN)
        check_in_force(record, now)
        return FoundToken(record, given)

    def record(self, token_id: str) -> TokenRecord | None:
        """Return the record of an id, in force or not. Raises StateError."""
        return next((each for each in self._storage.load() if each.id == token_id), None)

    def tokens(self) -> Sequence[TokenFacts]:
        """Return every token that is not revoked, by name; see TokenDesk."""
        return sorted(
            (record.facts() for record in self._storage.load()),
            key=lambda facts: (facts.name, facts.id),
        )

    def has_any(self) -> bool:
        """Return whether anybody could be let in now. Raises StateError."""
        now = self._clock()
        return any(not record.is_over(now) for record in self._storage.load())

    def create(
        self, *, name: str, role: Role, workspace: str | None, expires_at: datetime | None
    ) -> IssuedToken:
        """Make a token; see TokenDesk."""
        now = self._clock()
        check_new(name=name, workspace=workspace, expires_at=expires_at, now=now)
        token_id = new_id()
        text = new_text(token_id)
        record = TokenRecord(
            id=token_id,
            name=name,
            role=role,
            workspace=workspace,
            sha256=digest_of(text),
            created_at=now,
            issued_at=now,
            expires_at=expires_at,
        )
        self._storage.change(lambda records: (*records, record))
        _note("made", record)
        return IssuedToken(record.facts(), text)

    def rotate(self, token_id: str, *, old_for: timedelta = timedelta(0)) -> IssuedToken:
        """Give a token a new secret; see TokenDesk. The old one stays good for `old_for`.

        Raises TokenRefusedError too, where that is too long.
        """
        if old_for > LONGEST_OVERLAP:
            raise TokenRefusedError(
                "keep_old", f"is over {LONGEST_OVERLAP.days} days", "have both for a shorter time"
            )
        text, now = new_text(token_id), self._clock()
        changed: list[TokenRecord] = []

        def edit(records: Records) -> Records:
            before = _known(records, token_id)
            # An old secret must not live longer than it was made for.
            left = old_for if before.expires_at is None else min(old_for, before.expires_at - now)
            changed[:] = [before.rotated(digest_of(text), now, old_for=left)]
            return tuple(changed[0] if each.id == token_id else each for each in records)

        self._storage.change(edit)
        _note("rotated", changed[0])
        return IssuedToken(changed[0].facts(), text)

    def revoke(self, token_id: str) -> None:
        """End a token; see TokenDesk."""
        ended: list[TokenRecord] = []

        def edit(records: Records) -> Records:
            ended[:] = [_known(records, token_id)]
            return tuple(each for each in records if each.id != token_id)

        self._storage.change(edit)
        _note("revoked", ended[0])


def check_in_force(record: TokenRecord, now: datetime) -> None:
    """Raise NotIdentifiedError where a token has expired."""
    if record.expires_at is not None and record.is_over(now):
        raise NotIdentifiedError(
            f"the token expired at {record.expires_at.isoformat(timespec='seconds')}",
            "have it rotated with `inferometer token rotate`, or ask for a new one",
        )


def _known(records: Records, token_id: str) -> TokenRecord:
    for record in records:
        if record.id == token_id:
            return record
    raise TokenUnknownError(
        f"no token has the id {token_id[:64]}; `inferometer token list` shows them"
    )


def _note(what: str, record: TokenRecord) -> None:
    """Leave a trace of who may come in; never of a secret."""
    logger.info(
        "token %s of %s %s: %s of %s",
        record.id, record.name, what, record.role, record.workspace or "all workspaces",
        extra={
            "reason": f"token_{what}", "token_id": record.id, "token_name": record.name,
            "role": str(record.role), "workspace": record.workspace,
        },
    )  # fmt: skip
