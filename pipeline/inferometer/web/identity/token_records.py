"""What is kept of a token, as a value and as JSON; never its secret."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from inferometer.errors import StateError
from inferometer.web.identity.desks import TokenFacts, TokenRefusedError
from inferometer.web.identity.roles import Caller, Role

MAX_NAME_CHARS = 100
MAX_WORKSPACE_CHARS = 256
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[0-9a-f]{12}")
_KEYS = frozenset(
    {
        "id", "name", "role", "workspace", "sha256", "created_at", "issued_at", "expires_at",
        "old_sha256", "old_until",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """One token; instants are aware and UTC."""

    id: str
    name: str
    role: Role
    workspace: str | None
    """The only workspace that it sees; None for all."""
    sha256: str
    created_at: datetime
    issued_at: datetime
    """When its secret was made."""
    expires_at: datetime | None = None
    old_sha256: str = ""
    """The secret before the last rotation, while it is still good."""
    old_until: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        """Return whether it has expired."""
        return self.expires_at is not None and now >= self.expires_at

    def digests(self, now: datetime) -> tuple[str, ...]:
        """Return what is kept of the secrets that are good now, whether it has expired or not."""
        if self.old_until is not None and now < self.old_until:
            return self.sha256, self.old_sha256
        return (self.sha256,)

    def rotated(self, sha256: str, now: datetime, *, old_for: timedelta) -> TokenRecord:
        """Return it with another secret, good for as long as the one before was made for."""
        lifetime = None if self.expires_at is None else self.expires_at - self.issued_at
        keeps_old = old_for > timedelta(0)
        return replace(
            self,
            sha256=sha256,
            issued_at=now,
            expires_at=None if lifetime is None else now + lifetime,
            old_sha256=self.sha256 if keeps_old else "",
            old_until=now + old_for if keeps_old else None,
        )

    def caller(self) -> Caller:
        """Return who asks with it."""
        return Caller(self.name, self.role, self.workspace, self.expires_at)

    def facts(self) -> TokenFacts:
        """Return what may be shown of it."""
        return TokenFacts(
            id=self.id,
            name=self.name,
            role=self.role,
            workspace=self.workspace,
            created_at=self.created_at,
            expires_at=self.expires_at,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as the tokens file holds it."""
        return {
            "id": self.id,
            "name": self.name,
            "role": str(self.role),
            "workspace": self.workspace,
            "sha256": self.sha256,
            "created_at": self.created_at.isoformat(),
            "issued_at": self.issued_at.isoformat(),
            "expires_at": _text(self.expires_at),
            "old_sha256": self.old_sha256,
            "old_until": _text(self.old_until),
        }


def check_new(
    *, name: str, workspace: str | None, expires_at: datetime | None, now: datetime
) -> None:
    """Raise TokenRefusedError for a token that cannot be made so."""
    if not (0 < len(name) <= MAX_NAME_CHARS and name.isprintable() and name.strip() == name):
        raise TokenRefusedError(
            "name",
            f"must be 1 to {MAX_NAME_CHARS} printable characters without space around",
            "say who uses the token, such as grafana",
        )
    if workspace is not None and not (
        0 < len(workspace) <= MAX_WORKSPACE_CHARS and workspace.isprintable()
    ):
        raise TokenRefusedError(
            "workspace",
            f"must be 1 to {MAX_WORKSPACE_CHARS} printable characters",
            "name a workspace, or leave it out for all",
        )
    if expires_at is not None and expires_at <= now:
        raise TokenRefusedError("expires_at", "is not in the future", "name a later instant")


def record_of(raw: Any) -> TokenRecord:
    """Read a token of the tokens file. Raises StateError."""
    try:
        return _record(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(f"a token cannot be read ({type(error).__name__}: {error})") from error


def _record(raw: Any) -> TokenRecord:
    unknown = set(raw) - _KEYS
    if unknown:
        raise ValueError(f"unknown keys {', '.join(sorted(unknown))}")
    old_sha256 = raw.get("old_sha256") or ""
    record = TokenRecord(
        id=_matching(_ID, raw["id"]),
        name=str(raw["name"]),
        role=Role(raw["role"]),
        # Not `get`: a workspace that was left out by mistake would open all of them.
        workspace=_workspace(raw["workspace"]),
        sha256=_matching(_DIGEST, raw["sha256"]),
        created_at=_instant(raw["created_at"]),
        issued_at=_instant(raw.get("issued_at") or raw["created_at"]),
        expires_at=_optional_instant(raw.get("expires_at")),
        old_sha256=_matching(_DIGEST, old_sha256) if old_sha256 else "",
        old_until=_optional_instant(raw.get("old_until")),
    )
    if (record.old_until is None) != (not record.old_sha256):
        raise ValueError("old_sha256 and old_until belong together")
    return record


def _workspace(raw: object) -> str | None:
    if raw is None or (isinstance(raw, str) and raw):
        return raw
    raise ValueError(f"workspace is {raw!r}, must be a name, or null for all")


def _matching(form: re.Pattern[str], raw: object) -> str:
    if isinstance(raw, str) and form.fullmatch(raw):
        return raw
    raise ValueError(f"{raw!r} does not look like {form.pattern}")


def _optional_instant(raw: object) -> datetime | None:
    return None if raw is None else _instant(raw)


def _instant(raw: object) -> datetime:
    found = datetime.fromisoformat(str(raw))
    if found.tzinfo is None:
        raise ValueError(f"{raw!r} has no zone")
    return found.astimezone(UTC)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
