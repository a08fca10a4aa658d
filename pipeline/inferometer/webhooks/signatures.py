"""Signatures of Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inferometer.core.secret import Secret

PREFIX = "whsec_"
MIN_BYTES = 24
MAX_BYTES = 64


def signing_headers(
    secrets: Iterable[Secret], *, message_id: str, sent_at_s: int, body: bytes
) -> dict[str, str]:
    """Return the three headers; several secrets give several signatures of the same message.

    The instant is that of the attempt, so that receivers can refuse old ones.
    """
    signed = b".".join([message_id.encode(), str(sent_at_s).encode(), body])
    signatures = [_signature(key_of(secret), signed) for secret in secrets]
    headers = {"webhook-id": message_id, "webhook-timestamp": str(sent_at_s)}
    if signatures:
        headers["webhook-signature"] = " ".join(signatures)
    return headers


def key_of(secret: Secret) -> bytes:
    """Return the bytes of a `whsec_` secret; raises ValueError that does not repeat it."""
    encoded = secret.reveal().removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(f"is no base64 behind {PREFIX}; make one: {_RECIPE}") from error
    if not MIN_BYTES <= len(key) <= MAX_BYTES:
        raise ValueError(
            f"has {len(key)} bytes, must have {MIN_BYTES} to {MAX_BYTES}; make one: {_RECIPE}"
        )
    return key


_RECIPE = 'echo "whsec_$(head -c 32 /dev/urandom | base64)"'


def _signature(key: bytes, signed: bytes) -> str:
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
