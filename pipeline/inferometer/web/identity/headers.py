"""The headers that tell browsers what pages of this server may do: only what its own files say."""

from __future__ import annotations

POLICY = {
    # Nothing but what follows: no frames, objects, workers, forms or fonts of others.
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
CONTENT_SECURITY_POLICY = "; ".join(f"{name} {sources}" for name, sources in POLICY.items())

ALWAYS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
UNLESS_SET = {
    # Answers depend on who asks; what may be kept says so itself.
    "cache-control": "no-store",
}
HTTPS_ONLY = {"strict-transport-security": "max-age=31536000"}
CORS_PREFIX = b"access-control-"


def secured(headers: list[tuple[bytes, bytes]], *, is_https: bool) -> list[tuple[bytes, bytes]]:
    """Return the headers of an answer with those that every answer has."""
    always = {**ALWAYS, **HTTPS_ONLY} if is_https else ALWAYS
    forced = {name.encode() for name in always}
    # Whatever an answer says of other origins: they are let in nowhere.
    kept = [
        (name, value)
        for name, value in headers
        if name.lower() not in forced and not name.lower().startswith(CORS_PREFIX)
    ]
    known = {name.lower() for name, _ in kept}
    added = {name: text for name, text in UNLESS_SET.items() if name.encode() not in known}
    return [*kept, *((name.encode(), text.encode()) for name, text in {**always, **added}.items())]
