"""Places in a list as texts that a caller hands back unread: which row was the last, of what.

Invariants: a cursor fits the question that it came from and no other; one that was changed or cut
is refused. It is no secret, and gives no right: what a caller may see is asked anew each time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import TYPE_CHECKING, Any

from inferometer.core.query.filters import written
from inferometer.core.query.questions import LogPlace, Problem, QueryRefusedError

if TYPE_CHECKING:
    from inferometer.core.query.questions import LogQuery

_VERSION = 1
_DIGEST_BYTES = 9
MOST_CHARACTERS = 4096
"""More than the longest id takes, whatever its characters."""
_REMEDY = "begin again without cursor"


def encode_place(question: LogQuery, place: tuple[int, str]) -> str:
    """Return the cursor of a question that goes on after a row."""
    return encode_mark(_scope(question), place)


def decode_place(question: LogQuery, text: str) -> LogPlace:
    """Return the row that a question goes on after. Raises QueryRefusedError."""
    return LogPlace(*decode_mark(_scope(question), text))


def encode_mark(scope: str, place: tuple[int, str]) -> str:
    """Return the cursor of a place in a list; `scope` says which list."""
    # As UTF-8: escaped, a character of an id may take twelve.
    body = json.dumps([_VERSION, *place], separators=(",", ":"), ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(_digest(scope, body) + body).rstrip(b"=").decode()


def decode_mark(scope: str, text: str) -> tuple[int, str]:
    """Return the place that a cursor of a list names. Raises QueryRefusedError."""
    if len(text) > MOST_CHARACTERS:
        raise _refused("it is too long")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        found = json.loads(raw[_DIGEST_BYTES:])
    except (binascii.Error, ValueError) as error:
        raise _refused("it is damaged") from error
    if raw[:_DIGEST_BYTES] != _digest(scope, raw[_DIGEST_BYTES:]):
        raise _refused("it is damaged, or belongs to another question")
    return _place(found)


def _place(found: Any) -> tuple[int, str]:
    match found:
        case [int(version), int(instant), str(name)] if version == _VERSION:
            return instant, name
    raise _refused("it is of another version")


def _scope(question: LogQuery) -> str:
    # Not the range: one that is relative to now moves between two pages.
    parts = [
        "log",
        question.workspace_id,
        question.request_id,
        question.event_id,
        question.is_final_only,
        sorted(written(each) for each in question.filters),
    ]
    return json.dumps(parts)


def _digest(scope: str, body: bytes) -> bytes:
    return hashlib.blake2b(scope.encode() + b"\0" + body, digest_size=_DIGEST_BYTES).digest()


def _refused(reason: str) -> QueryRefusedError:
    return QueryRefusedError(Problem("cursor", f"this cursor cannot be used: {reason}", _REMEDY))
