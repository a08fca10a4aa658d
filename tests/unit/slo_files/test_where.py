from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.matchers import Matcher
from inferometer.slo_files.where import Limit, parse_where


def test_terms_are_joined_by_and() -> None:
    where = parse_where(
        "valid and streaming and model in ('m.1', \"m and n\") and region != 'eu' "
        "AND environment =~ 'prod.*' and ttft_ms <= 2000"
    )
    assert where.is_valid_only
    assert where.selector == [
        Matcher("stream", "true"),
        Matcher("model", r"m\.1|m\ and\ n", is_regex=True),
        Matcher("region", "eu", is_equal=False),
        Matcher("environment", "prod.*", is_regex=True),
    ]
    assert where.limit == Limit("ttft_ms", "<=", Decimal(2000))


def test_nothing_said_selects_everything() -> None:
    where = parse_where("  ")
    assert (where.selector, where.is_valid_only, where.outcome) == ([], False, "")


@pytest.mark.parametrize(
    ("text", "classes"),
    [("status_class == '5xx'", ("5xx",)), ("status_class in ('5xx','429')", ("5xx", "429"))],
)
def test_status_classes_are_an_outcome_and_no_dimension(text: str, classes: tuple[str]) -> None:
    where = parse_where(text)
    assert (where.status_classes, where.selector) == (classes, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("valid or streaming", "split it into two objectives"),
        ("model", "is not understood"),
        ("model == m", "is not understood"),
        ("outcome == 'fine'", "outcome is == 'good' or == 'bad'"),
        ("outcome != 'bad'", "outcome is"),
        ("status_class != '5xx'", "cannot be negated"),
        ("ttft_ms < 3 and e2e_ms < 4", "a second limit"),
        ("valid and", "is not understood"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_where(text)


@given(st.text(alphabet="abm ='\"()<>and,5x~!", max_size=40))
def test_any_text_reads_or_is_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_where(text)
