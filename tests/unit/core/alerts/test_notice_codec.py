from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.ledger import decode_entry, encode_entry, planned, started
from inferometer.core.alerts.notice_codec import (
    VERSION,
    decode_notice,
    encode_notice,
)
from inferometer.core.alerts.notices import BudgetFacts, Notice
from inferometer.errors import StateError
from inferometer.testing.notices import example_notice, example_resolve

BAD = [b"", b"[]", b"null", b"1", b'{"v":1}', b'{"v":"x"}', b'{"v":1,"notice":{"budget":[]}}', b"{"]


@given(
    notice=st.builds(
        example_notice,
        receiver=st.text(max_size=5),
        budget=st.none()
        | st.builds(
            BudgetFacts,
            target=st.decimals(0, 1, places=6),
            period_s=st.integers(1, 10**8),
            remaining=st.floats(-10, 1),
            exhausts_in_s=st.none() | st.integers(0, 10**9),
        ),
        members=st.just(()) | st.just(({"model": "a"}, {"model": "b"})),
        suppressed=st.lists(st.text(max_size=5), max_size=3).map(tuple),
        details=st.dictionaries(st.text(max_size=5), st.integers(-5, 5), max_size=3),
        is_flapping=st.booleans(),
    )
)
def test_a_notice_comes_back_as_it_was(notice: Notice) -> None:
    assert decode_notice(encode_notice(notice)) == notice
    assert encode_notice(decode_notice(encode_notice(notice))) == encode_notice(notice)


def test_a_resolve_comes_back_as_it_was() -> None:
    assert decode_notice(encode_notice(example_resolve())) == example_resolve()


def test_fields_of_a_later_version_are_ignored() -> None:
    found = orjson.loads(encode_notice(example_notice()))
    found["notice"]["added_later"] = 1
    assert decode_notice(orjson.dumps(found)) == example_notice()


def test_a_later_version_is_refused_with_the_way_out() -> None:
    found = orjson.loads(encode_notice(example_notice())) | {"v": VERSION + 1}
    with pytest.raises(StateError, match="upgrade"):
        decode_notice(orjson.dumps(found))


@pytest.mark.parametrize("raw", BAD)
def test_what_is_no_notice_is_a_state_error(raw: bytes) -> None:
    with pytest.raises(StateError):
        decode_notice(raw)


def test_an_entry_comes_back_as_it_was() -> None:
    entry = started(planned(example_notice(), now_us=5), now_us=7)
    assert decode_entry(encode_entry(entry)) == entry


@pytest.mark.parametrize("raw", BAD)
def test_what_is_no_entry_is_a_state_error(raw: bytes) -> None:
    with pytest.raises(StateError):
        decode_entry(raw)
