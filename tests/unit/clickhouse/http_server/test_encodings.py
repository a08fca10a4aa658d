from __future__ import annotations

import gzip
import zlib

import lz4.frame  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.clickhouse.http_server.encodings import chosen, compressor, decompress
from inferometer.clickhouse.http_server.refusals import Refusal

ENCODINGS = ("lz4", "zstd", "gzip", "br", "deflate")


@given(st.lists(st.binary(max_size=100), max_size=5), st.sampled_from(ENCODINGS))
def test_what_is_sent_in_pieces_is_read_as_a_whole(pieces: list[bytes], encoding: str) -> None:
    stream = compressor(encoding)
    sent = b""
    for piece in pieces:
        stream.compress(piece)
        sent += bytes(stream.flush())
    sent += bytes(stream.finish())
    assert decompress(sent, encoding) == b"".join(pieces)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"rows", mtime=0)),
        ("GZIP", gzip.compress(b"rows", mtime=0)),
        ("deflate", zlib.compress(b"rows")),
        ("lz4", lz4.frame.compress(b"rows")),
        ("", b"rows"),
        ("identity", b"rows"),
    ],
)
def test_the_encodings_are_those_of_other_libraries(encoding: str, body: bytes) -> None:
    assert decompress(body, encoding) == b"rows"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_of_another_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(Refusal) as refused:
        decompress(b"no such thing", encoding)
    assert refused.value.status == 400


def test_an_encoding_that_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match="snappy"):
        decompress(b"", "snappy")


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, lz4;q=0", "gzip"),
        ("identity", None),
        ("*", None),
        ("", None),
    ],
)
def test_the_best_that_a_client_reads_is_chosen(accepted: str, expected: str | None) -> None:
    assert chosen(accepted) == expected
