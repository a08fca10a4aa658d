from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.matcher_texts import parse_matcher, parse_matchers, problem_of
from inferometer.core.alerts.matchers import Matcher

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
PLAIN = st.builds(Matcher, NAMES, st.text(max_size=20), st.just(False), st.booleans())
REGEX = st.builds(Matcher, NAMES, st.text(max_size=20).map(re.escape), st.just(True), st.booleans())
MATCHERS = st.one_of(PLAIN, REGEX)


@given(MATCHERS)
def test_a_written_matcher_reads_back(matcher: Matcher) -> None:
    assert parse_matcher(str(matcher)) == matcher


@given(st.lists(MATCHERS, min_size=1, max_size=4))
def test_written_matchers_read_back(matchers: list[Matcher]) -> None:
    text = ", ".join(map(str, matchers))
    assert parse_matchers(f"{{{text}}}") == tuple(matchers)
    assert parse_matchers(text) == tuple(matchers)


@given(st.text(max_size=30))
def test_any_text_is_a_matcher_or_refused(text: str) -> None:
    for parse in (parse_matcher, parse_matchers):
        with contextlib.suppress(ValueError):
            parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model=m-large", Matcher("model", "m-large")),
        (' model !~ "a|b" ', Matcher("model", "a|b", is_regex=True, is_equal=False)),
        ('a="x\\"y\\nz"', Matcher("a", 'x"y\nz')),
        ("a=", Matcher("a", "")),
    ],
)
def test_quotes_are_optional(text: str, expected: Matcher) -> None:
    assert parse_matcher(text) == expected


@pytest.mark.parametrize("text", ["", "model", "model==m", 'model="m', "{}", "a=b c=d", '="x"'])
def test_what_is_no_matcher_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_matchers(text)


def test_a_regular_expression_that_does_not_compile_is_refused() -> None:
    with pytest.raises(ValueError, match="no regular expression"):
        parse_matcher('model=~"("')
    assert problem_of(Matcher("a", "(?i)x", is_regex=True))
    assert problem_of(Matcher("a", "(", is_regex=False)) == ""
