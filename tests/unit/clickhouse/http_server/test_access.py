from __future__ import annotations

import base64

import pytest

from inferometer.clickhouse.http_server.access import AccessPolicy
from inferometer.clickhouse.http_server.refusals import Refusal

LOCKED = AccessPolicy(user="ann", password="sesame:1")


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (basic("ann:sesame:1"), {}),
        ({"X-ClickHouse-User": "ann", "X-ClickHouse-Key": "sesame:1"}, {}),
        ({}, {"user": "ann", "password": "sesame:1"}),
    ],
    ids=["basic", "headers", "address"],
)
def test_the_right_password_is_let_in(headers: dict[str, str], query: dict[str, str]) -> None:
    LOCKED.check(headers, query)


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, {}),
        (basic("ann:sesame"), {}),
        (basic("bob:sesame:1"), {}),
        ({"Authorization": "Basic !"}, {}),
        ({"Authorization": "Bearer x"}, {}),
        ({"X-ClickHouse-Key": "sesame:1"}, {}),
        ({"X-ClickHouse-User": "ann"}, {"password": "sesame:1"}),
        (basic("ann:no"), {"user": "ann", "password": "sesame:1"}),
    ],
    ids=[
        "nothing",
        "wrong password",
        "wrong user",
        "no base64",
        "token",
        "of the default user",
        "two ways mixed",
        "the header counts",
    ],
)
def test_anything_else_is_refused(headers: dict[str, str], query: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        LOCKED.check(headers, query)
    assert (refused.value.code, refused.value.status) == (516, 401)


def test_without_a_password_everybody_is_let_in() -> None:
    AccessPolicy().check({}, {})
    AccessPolicy().check(basic("who:ever"), {})


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:8124"])
def test_a_page_of_another_place_is_refused_even_with_the_password(origin: str) -> None:
    headers = {**basic("ann:sesame:1"), "Origin": origin, "Host": "localhost:8123"}
    with pytest.raises(Refusal, match="may not ask"):
        LOCKED.check(headers, {})


def test_a_page_of_its_own_may_ask() -> None:
    AccessPolicy().check({"Origin": "http://localhost:8123", "Host": "localhost:8123"}, {})


def test_the_password_hides_itself() -> None:
    assert "sesame" not in repr(LOCKED)
