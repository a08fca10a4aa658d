from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from inferometer.core.alerts.ledger import (
    attempt_record,
    decode_attempt,
    dropped,
    encode_attempt,
    planned,
)
from inferometer.errors import StateError
from inferometer.testing.notices import example_notice

ENTRY = dropped(planned(example_notice(), now_us=1), reason="muted", now_us=2)
RECORD = attempt_record(ENTRY, format_name="standard")


def test_an_attempt_comes_back_as_it_was_with_what_the_notice_named() -> None:
    assert RECORD.drivers == ENTRY.notice.drivers != ()
    assert decode_attempt(encode_attempt(RECORD)) == RECORD


def test_attempts_of_older_and_newer_releases_are_read() -> None:
    found = orjson.loads(encode_attempt(RECORD))
    newer = found | {"mood": "calm", "drivers": [each | {"of": 9} for each in found["drivers"]]}
    assert decode_attempt(orjson.dumps(newer)) == RECORD
    del found["drivers"]
    assert decode_attempt(orjson.dumps(found)) == replace(RECORD, drivers=())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"drivers": 1}', b'{"drivers": [1]}'])
def test_what_is_no_attempt_is_refused(raw: bytes) -> None:
    with pytest.raises(StateError, match="a stored attempt is malformed"):
        decode_attempt(raw)
