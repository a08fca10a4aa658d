"""Content encodings that clients of ClickHouse use, both ways."""

from __future__ import annotations

from typing import Protocol, cast

import cramjam

from inferometer.clickhouse.http_server.refusals import INCORRECT_DATA, NOT_IMPLEMENTED, Refusal

_CODECS = {
    "lz4": cramjam.lz4,
    "zstd": cramjam.zstd,
    "gzip": cramjam.gzip,
    "br": cramjam.brotli,
    "deflate": cramjam.zlib,
}
"""In the order of preference; `deflate` is what HTTP means by it: with the header of zlib."""


class Compressor(Protocol):
    """Compresses an answer piece by piece."""

    def compress(self, piece: bytes, /) -> object:
        """Take a piece in."""

    def flush(self) -> bytes:
        """Return what is ready."""

    def finish(self) -> bytes:
        """Return the rest."""


def decompress(body: bytes, encoding: str) -> bytes:
    """Undo the content encoding of a request. Raises Refusal."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return body
    codec = _CODECS.get(name)
    if codec is None:
        raise Refusal.of_interface(
            NOT_IMPLEMENTED, f"Unknown content encoding {name}; known are {', '.join(_CODECS)}"
        )
    try:
        return bytes(codec.decompress(body))
    except cramjam.DecompressionError as error:
        raise Refusal.of_interface(INCORRECT_DATA, f"The body is not {name}: {error}") from error


def chosen(accepted: str) -> str | None:
    """Return the encoding for an answer, from the header Accept-Encoding."""
    offers = {}
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        offers[name.strip()] = weight.replace(" ", "") not in {"q=0", "q=0.0"}
    return next((name for name in _CODECS if offers.get(name)), None)


def compressor(encoding: str) -> Compressor:
    """Return a new compressor of a known encoding."""
    return cast("Compressor", _CODECS[encoding].Compressor())
