"""What a token looks like, how it is made, and what is kept of it.

`imt_<id>_<secret>`: the prefix lets scanners of leaked secrets find it, the id finds its record. The
secret has 256 random bits, so a plain SHA-256 keeps it: nobody can try that many.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string

PREFIX = "imt"
_SECRET_CHARS = 43
"""62^43 is just over 2^256."""
_ALPHABET = string.ascii_letters + string.digits
_FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_[A-Za-z0-9]{{{_SECRET_CHARS}}}")
MAX_CHARS = 256
"""More than any token has; what is longer is not looked at."""


def new_id() -> str:
    """Return a fresh id of a token; no secret, it is shown in lists."""
    return secrets.token_hex(6)


def new_text(token_id: str) -> str:
    """Return the text of a token with a fresh secret."""
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))
    return f"{PREFIX}_{token_id}_{secret}"


def id_of(text: str) -> str | None:
    """Return the id that a text names; None where it is no token."""
    found = _FORM.fullmatch(text) if len(text) <= MAX_CHARS else None
    return found[1] if found else None


def digest_of(text: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
