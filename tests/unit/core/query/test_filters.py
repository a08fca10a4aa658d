"""Filters as texts, and back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.query.escapes import escaped_name, plain_name, split_names, split_values
from inferometer.core.query.filters import (
    MOST_VALUE_CHARACTERS,
    MOST_VALUES,
    read_filter,
    read_filters,
    written,
)
from inferometer.core.query.questions import Filter, Match, QueryRefusedError
from inferometer.core.query.statuses import read_statuses


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("model=a,b", Filter("model", Match.IS, ("a", "b"))),
        ("model!=a", Filter("model", Match.IS_NOT, ("a",))),
        ("user_id^=team-", Filter("user_id", Match.STARTS_WITH, ("team-",))),
        ("metadata.tenant=acme", Filter("metadata.tenant", Match.IS, ("acme",))),
        ("metadata.a.b!=x=y", Filter("metadata.a.b", Match.IS_NOT, ("x=y",))),
        ("model=", Filter("model", Match.IS, ("",))),
        (r"model=a\,b,c", Filter("model", Match.IS, ("a,b", "c"))),
        (r"model=a\\,b", Filter("model", Match.IS, ("a\\", "b"))),
        (r"model=a\b", Filter("model", Match.IS, (r"a\b",))),
        ("model=a,a", Filter("model", Match.IS, ("a",))),
        ("model=a b\n", Filter("model", Match.IS, ("a b\n",))),
        ("status_code=429,500", Filter("status_code", Match.IS, ("429", "500"))),
        ("status_code^=5", Filter("status_code", Match.STARTS_WITH, ("5",))),
        ("stream=true", Filter("stream", Match.IS, ("true",))),
        (r"metadata.a\=b=c", Filter("metadata.a=b", Match.IS, ("c",))),
        (r"metadata.a\!!=c", Filter("metadata.a!", Match.IS_NOT, ("c",))),
        (r"metadata.a\^=c", Filter("metadata.a^", Match.IS, ("c",))),
        (r"metadata.a\,b^=c", Filter("metadata.a,b", Match.STARTS_WITH, ("c",))),
        ("metadata.a,b=c", Filter("metadata.a,b", Match.IS, ("c",))),
        (r"metadata.a\\=c", Filter("metadata.a\\", Match.IS, ("c",))),
        (r"metadata.a\b=c", Filter(r"metadata.a\b", Match.IS, ("c",))),
        ("model='; DROP TABLE x", Filter("model", Match.IS, ("'; DROP TABLE x",))),
    ],
)
def test_a_filter_is_read(text: str, condition: Filter) -> None:
    assert read_filter(text) == condition


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no filter"),
        ("model", "is no filter"),
        (r"metadata.a\=b", "is no filter"),
        ("=a", "no dimension is called"),
        ("modle=a", "did you mean model?"),
        ("user=a", "did you mean user_id?"),
        ("metadata.=a", "1 to 128 characters"),
        ("status_code=5xx", "status_class=5xx"),
        ("status_code=-1", "no HTTP status"),
        ("stream=yes", "true or false"),
        ("status_class=5XX", "write one of 2xx, 4xx, 429, 499, 5xx, other"),
        ("status_class!=500", "no class of statuses"),
        ("status_code=\u0664\u0662\u0669", "no HTTP status"),
        ("model^=", "everything begins with nothing"),
        ("model=" + "x" * (MOST_VALUE_CHARACTERS + 1), "characters"),
        ("model=" + ",".join(map(str, range(MOST_VALUES + 1))), "filter by a prefix"),
    ],
)
def test_what_is_no_filter_is_refused_with_what_to_write(text: str, says: str) -> None:
    with pytest.raises(QueryRefusedError) as caught:
        read_filter(text, parameter="baseline_filter")
    assert says in str(caught.value)
    assert {problem.parameter for problem in caught.value.problems} == {"baseline_filter"}
    assert len(str(caught.value)) < 400


def test_every_filter_that_is_none_is_told_at_once() -> None:
    with pytest.raises(QueryRefusedError) as caught:
        read_filters(("modle=a", "model=a", "x"))
    assert len(caught.value.problems) == 2


def test_too_many_filters_are_refused() -> None:
    with pytest.raises(QueryRefusedError, match="one filter"):
        read_filters(("model=a",) * 51)


keys = st.text(min_size=1, max_size=20) | st.text(r"ab,=!^\ ", min_size=1, max_size=20)
values = st.lists(st.text(max_size=20), min_size=1, max_size=5, unique=True)


@given(key=keys, match=st.sampled_from([Match.IS, Match.IS_NOT]), found=values)
def test_a_filter_is_read_back_as_it_was_written(key: str, match: Match, found: list[str]) -> None:
    condition = Filter(f"metadata.{key}", match, tuple(found))
    assert read_filter(written(condition)) == condition


@given(st.lists(keys, min_size=1, max_size=5))
def test_names_are_read_back_from_a_list(found: list[str]) -> None:
    text = ",".join(map(escaped_name, found))
    assert split_names(text) == tuple(dict.fromkeys(name.strip() for name in found if name.strip()))
    assert [plain_name(escaped_name(name)) for name in found] == found


@given(st.text(max_size=200))
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    with contextlib.suppress(QueryRefusedError):
        assert read_filter(text).values


@given(st.text(max_size=100))
def test_splitting_loses_nothing_but_escapes_and_repetitions(text: str) -> None:
    plain = text.replace("\\", "").replace(",", "")
    assert split_values(plain) == (plain,)


@pytest.mark.parametrize(
    ("texts", "filters"),
    [
        ((), ()),
        (("5xx", "429"), (Filter("status_class", Match.IS, ("5xx", "429")),)),
        (("200", "404"), (Filter("status_code", Match.IS, ("200", "404")),)),
    ],
    ids=["none", "classes", "codes"],
)
def test_statuses_are_one_filter(texts: tuple[str, ...], filters: tuple[Filter, ...]) -> None:
    assert read_statuses(texts) == filters


def test_codes_beside_classes_are_alternatives_to_them() -> None:
    [condition] = read_statuses(("404", "5xx"))
    assert condition.dimension == "status_code"
    assert condition.values == ("404", *(str(code) for code in range(500, 600)))


def test_what_is_neither_status_nor_class_is_refused() -> None:
    with pytest.raises(QueryRefusedError, match="neither status nor class"):
        read_statuses(("200", "ok"))
