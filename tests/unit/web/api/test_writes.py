"""Silences, tokens and sessions: who may change what, and what is wrong with a body."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from inferometer.errors import BrokerError
from inferometer.web.api.call import MAX_BODY_BYTES
from tests.unit.web.api.asking import NOW

if TYPE_CHECKING:
    from tests.unit.web.api.asking import Bench


def silence(**changes: Any) -> dict[str, Any]:
    """Return the body of a silence."""
    return {
        "matchers": [{"name": "slo", "value": "chat-success"}],
        "endsAt": (NOW + timedelta(hours=1)).isoformat(),
        "comment": "known",
        **changes,
    }


def test_an_operator_silences_under_the_name_of_the_token(bench: Bench) -> None:
    made = bench.ask("POST", "/silences", token="operator", json=silence())
    assert made.status_code == 201, made.text
    (row,) = bench.body("/silences", token="operator")["rows"]
    assert row["id"] == made.json()["silenceID"]
    assert (row["createdBy"], row["status"]) == ("op", {"state": "active"})
    # Kept to the workspace of the token.
    assert {"workspace", "slo"} == {each["name"] for each in row["matchers"]}


def test_a_silence_ends_at_once(bench: Bench) -> None:
    made = bench.ask("POST", "/silences", token="operator", json=silence()).json()["silenceID"]
    assert bench.ask("DELETE", f"/silences/{made}", token="operator").status_code == 204
    (row,) = bench.body("/silences", token="operator")["rows"]
    assert row["status"] == {"state": "expired"}


def test_a_silence_of_others_is_not_there(bench: Bench) -> None:
    made = bench.ask("POST", "/silences", token="chief", json=silence()).json()["silenceID"]
    assert bench.body("/silences", token="operator")["rows"] == []
    assert bench.ask("DELETE", f"/silences/{made}", token="operator").status_code == 404


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"matchers": []}, "matchers"),
        ({"matchers": [{"name": "", "value": "x"}]}, "matchers.0.name"),
        ({"endsAt": "soon"}, "endsAt"),
        ({"endsAt": "2026-01-05T13:00:00"}, "endsAt"),
        ({"createdBy": "somebody else"}, "createdBy"),
        ({"matchers": [{"name": "a", "value": "(", "isRegex": True}]}, "body"),
        ({"matchers": [{"name": "a", "value": ".*", "isRegex": True}]}, "body"),
        ({"endsAt": (NOW - timedelta(hours=1)).isoformat()}, "body"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(
    bench: Bench, change: dict[str, Any], parameter: str
) -> None:
    response = bench.ask("POST", "/silences", json=silence(**change))
    assert response.status_code == 400, response.text
    assert parameter in {each["parameter"] for each in response.json()["problems"]}


def test_alerts_that_are_away_are_unavailable(bench: Bench) -> None:
    bench.desk.failure = BrokerError("the silences were not stored; try again", retryable=True)
    response = bench.ask("POST", "/silences", json=silence())
    assert response.status_code == 503
    assert response.headers["Retry-After"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"x" * (MAX_BODY_BYTES + 1), "application/json", 413),
    ],
)
@pytest.mark.parametrize("path", ["/silences", "/tokens", "/session"])
def test_a_body_that_is_none_is_a_problem(
    bench: Bench, path: str, content: bytes, kind: str, status: int
) -> None:
    response = bench.ask("POST", path, content=content, headers={"Content-Type": kind})
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_token_is_shown_once(bench: Bench) -> None:
    made = bench.ask("POST", "/tokens", json={"name": "ci", "role": "viewer", "workspace": "acme"})
    assert made.status_code == 201, made.text
    assert made.json()["text"] == f"imt_{made.json()['id']}_secret"
    listed = bench.body("/tokens")["tokens"]
    assert "ci" in {each["name"] for each in listed}
    assert all("text" not in each for each in listed)


def test_an_admin_of_one_workspace_sees_and_changes_its_tokens_only(bench: Bench) -> None:
    listed = bench.body("/tokens", token="admin")["tokens"]
    assert {each["workspace"] for each in listed} == {"acme"}
    for workspace in (None, "umbrella"):
        body = {"name": "x", "workspace": workspace}
        assert bench.ask("POST", "/tokens", token="admin", json=body).status_code == 403
    assert bench.ask("POST", "/tokens/chief/rotate", token="admin").status_code == 404
    assert bench.ask("DELETE", "/tokens/chief", token="admin").status_code == 404
    assert "chief" in bench.tokens.facts
    assert bench.ask("POST", "/tokens/viewer/rotate", token="admin").status_code == 200
    assert bench.ask("DELETE", "/tokens/viewer", token="admin").status_code == 204
    assert "viewer" not in bench.tokens.facts


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "name"),
        ({"name": "x", "role": "god"}, "role"),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "2030-01-01"}, "expires_at"),
        ({"name": "x", "secret": "y"}, "secret"),
    ],
)
def test_a_token_that_cannot_be_is_refused(
    bench: Bench, body: dict[str, Any], parameter: str
) -> None:
    response = bench.ask("POST", "/tokens", json=body)
    assert response.status_code == 400
    assert parameter in {each["parameter"] for each in response.json()["problems"]}


def test_a_session_begins_with_a_token_and_ends_when_told(bench: Bench) -> None:
    opened = bench.client.post("/api/v1/session", content=orjson.dumps({"token": "operator"}),
                               headers={"Content-Type": "application/json"})  # fmt: skip
    assert opened.status_code == 200
    assert opened.json()["workspace"] == "acme"
    assert "HttpOnly" in opened.headers["Set-Cookie"]
    closed = bench.client.delete("/api/v1/session")
    assert (closed.status_code, closed.headers["Set-Cookie"]) == (
        204,
        "inferometer_session=; Max-Age=0",
    )


def test_a_session_needs_a_token_that_is_known(bench: Bench) -> None:
    response = bench.client.post("/api/v1/session", json={"token": "guess"})
    assert response.status_code == 401
    assert "Set-Cookie" not in response.headers
