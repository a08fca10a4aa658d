"""Every route, attacked: without a token, with an ended one, from another workspace, from below.

The routes are those of the published document, so that none is forgotten.
"""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import pyarrow.parquet as pq
import pytest

from inferometer.config import WebConfig
from inferometer.web.identity.roles import Role
from tests.integration.web_world import MARK, OURS, THEIRS, World, served_world, silence, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

OPEN = {("POST", "/api/v1/session"), ("DELETE", "/api/v1/session")}
ABOUT_ALL = {"/api/v1/pipeline", "/api/v1/dead-letters", "/api/v1/reconciliation"}
EVERY_GRANULARITY = {"measure": "requests", "group_by": "model,user_id,workspace_id"}
RANGE = {"from": "now-1h", "to": "now"}


@pytest.fixture(scope="module", params=["memory", "ClickHouse"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    if request.param == "memory":
        with served_world() as made:
            yield made
        return
    with stored(tmp_path_factory.mktemp("world") / "data") as store, served_world(store) as made:
        yield made


@pytest.fixture(scope="module")
def routes(world: World) -> list[tuple[str, str]]:
    paths = world.ask("GET", "/api/v1/openapi.json").json()["paths"]
    return [(method.upper(), path) for path, known in paths.items() for method in known]


def closed(routes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    found = [route for route in routes if route not in OPEN]
    assert len(found) >= 25
    return found


def target(world: World, path: str, workspace: str = THEIRS, token_id: str = "0" * 12) -> str:
    """Return a path whose parameters name things of a workspace."""
    mark = MARK if workspace == THEIRS else "own"
    values = {
        "{name}": "model",
        "{request_id}": f"{mark}-request-1",
        "{incident_id}": world.incidents[workspace],
        "{silence_id}": world.silences[workspace],
        "{token_id}": token_id,
    }
    for name, value in values.items():
        path = path.replace(name, quote(value))
    assert "{" not in path
    return path


def body_of(method: str, path: str) -> Any:
    if method != "POST":
        return None
    return silence(THEIRS, MARK) if path.endswith("silences") else {"name": "x", "role": "viewer"}


def ended_tokens(world: World) -> dict[str, str]:
    expired = world.book.create(
        name="expired", role=Role.ADMIN, workspace=None, expires_at=world.now() + timedelta(hours=1)
    )
    rotated, revoked = (
        world.book.create(name=name, role=Role.ADMIN, workspace=None, expires_at=None)
        for name in ("rotated", "revoked")
    )
    world.book.rotate(rotated.facts.id)
    world.book.revoke(revoked.facts.id)
    good = world.token(Role.ADMIN, None)
    return {
        "none": "",
        "made up": "imt_" + "0" * 12 + "_" + "a" * 43,
        "expired": expired.text,
        "rotated": rotated.text,
        "revoked": revoked.text,
        "nearly right": good[:-1] + ("a" if good[-1] != "a" else "b"),
        "another's id": f"imt_{revoked.facts.id}_{good.rpartition('_')[2]}",
    }


def test_no_route_lets_anybody_in_without_a_token_in_force(
    world: World, routes: list[tuple[str, str]]
) -> None:
    tokens = ended_tokens(world)
    world.offset = timedelta(hours=2)
    try:
        for method, path in [*closed(routes), ("GET", "/metrics")]:
            for kind, token in tokens.items():
                answer = world.ask(method, target(world, path), token, body=body_of(method, path))
                # Who guesses so often is slowed down, which lets nobody in either.
                assert answer.status in {401, 429}, (method, path, kind)
                assert answer.headers["content-type"] == "application/problem+json"
                assert MARK.encode() not in answer.body
    finally:
        world.offset = timedelta(0)


def test_no_route_shows_another_workspace(world: World, routes: list[tuple[str, str]]) -> None:
    token = world.token(Role.ADMIN, OURS)
    queries = [
        RANGE,
        {**RANGE, **EVERY_GRANULARITY},
        {**RANGE, "filter": f"workspace_id={THEIRS}"},
        {**RANGE, "filter": f"workspace_id!={OURS}"},
        {},
        {**RANGE, "granularity": "total"},
        {**RANGE, "measure": "requests", "compare": "baseline", "baseline_filter": "model^="},
        {**RANGE, "limit": "1000"},
        {"state": "all", **RANGE},
        {"prefix": "z", **RANGE},
    ]
    # How texts of questions are read is the same for both; what is asked of a store is not.
    tried = queries[:4] if world.is_stored else queries
    for method, path in closed(routes):
        for query in tried if method == "GET" else [{}]:
            asked = f"{target(world, path)}?{urlencode(query)}"
            answer = world.ask(method, asked, token, body=body_of(method, path))
            # What was asked for is repeated in a problem, the silence that was made is our own.
            told = answer.body.replace(f"{MARK}-request-1".encode(), b"")
            if answer.status < 300:
                assert MARK.encode() not in told, (method, asked, answer.body)
            else:
                assert answer.status in {400, 403, 404, 409}, (method, asked, answer.status)


def test_naming_another_workspace_is_forbidden(world: World, routes: list[tuple[str, str]]) -> None:
    token = world.token(Role.ADMIN, OURS)
    for method, path in closed(routes):
        asked = f"{target(world, path, OURS)}?workspace={THEIRS}"
        answer = world.ask(method, asked, token, body=body_of(method, path))
        assert answer.status in {400, 403}, (method, path, answer.status, answer.body)
        assert MARK.encode() not in answer.body


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("path", ["/api/v1/requests", "/api/v1/metrics"])
def test_no_file_holds_another_workspace(world: World, path: str, form: str) -> None:
    query = {"format": form, **RANGE}
    if path.endswith("metrics"):
        query |= EVERY_GRANULARITY
    own, everything = (
        world.ask("GET", f"{path}?{urlencode(query)}", world.token(Role.VIEWER, workspace))
        for workspace in (OURS, None)
    )
    assert own.status == everything.status == 200, own.body
    texts = [
        str(pq.read_table(io.BytesIO(answer.body)).to_pylist()).encode()
        if form == "parquet"
        else answer.body
        for answer in (own, everything)
    ]
    assert MARK.encode() not in texts[0]
    assert b"own-" in texts[0]
    assert MARK.encode() in texts[1]


def test_the_live_view_shows_ones_own_only(world: World) -> None:
    # It shows five minutes, and the tests before this one may have taken longer.
    world.offset = world.made_at + timedelta(minutes=1) - datetime.now(UTC)
    try:
        own = world.ask("GET", "/api/v1/live", world.token())
        everything = world.ask("GET", "/api/v1/live", world.token(workspace=None))
    finally:
        world.offset = timedelta(0)
    assert b"event: snapshot" in own.body
    assert b"own-model" in own.body
    assert MARK.encode() not in own.body
    assert MARK.encode() in everything.body


def test_a_token_of_all_workspaces_may_name_one(world: World) -> None:
    token = world.token(workspace=None)
    for workspace, mark, other in (
        (OURS, b"own-", MARK.encode()),
        (THEIRS, MARK.encode(), b"own-"),
    ):
        query = urlencode({"workspace": workspace, **RANGE})
        answer = world.ask("GET", f"/api/v1/requests?{query}", token)
        assert mark in answer.body
        assert other not in answer.body


def test_pages_about_everything_need_a_token_of_everything(world: World) -> None:
    for path in (*ABOUT_ALL, "/metrics"):
        assert world.ask("GET", path, world.token(Role.ADMIN, OURS)).status == 403
        assert world.ask("GET", path, world.token(Role.ADMIN, None)).status == 200


@pytest.mark.parametrize(
    ("method", "path", "least"),
    [
        ("POST", "/api/v1/silences", Role.OPERATOR),
        ("DELETE", "/api/v1/silences/{silence_id}", Role.OPERATOR),
        ("GET", "/api/v1/dead-letters", Role.OPERATOR),
        ("GET", "/api/v1/reconciliation", Role.ADMIN),
        ("GET", "/api/v1/tokens", Role.ADMIN),
        ("POST", "/api/v1/tokens", Role.ADMIN),
        ("POST", "/api/v1/tokens/{token_id}/rotate", Role.ADMIN),
        ("DELETE", "/api/v1/tokens/{token_id}", Role.ADMIN),
    ],
)
def test_a_role_may_what_it_may_and_no_more(
    world: World, method: str, path: str, least: Role
) -> None:
    for role in Role:
        answer = world.ask(
            method, target(world, path), world.token(role, None), body=body_of(method, path)
        )
        assert (answer.status == 403) == (not role.allows(least)), (role, answer.body)


def test_every_route_that_changes_something_is_in_the_table_above(
    routes: list[tuple[str, str]],
) -> None:
    changing = {route for route in routes if route[0] != "GET"} - OPEN
    assert len(changing) == 5


def test_an_admin_of_a_workspace_makes_no_token_beyond_it(world: World) -> None:
    admin = world.token(Role.ADMIN, OURS)
    for workspace in (None, THEIRS):
        body = {"name": "x", "role": "viewer", "workspace": workspace}
        assert world.ask("POST", "/api/v1/tokens", admin, body=body).status == 403
    made = world.ask(
        "POST", "/api/v1/tokens", admin, body={"name": "x", "role": "viewer", "workspace": OURS}
    )
    assert made.status == 201
    assert world.ask("GET", "/api/v1/me", made.json()["text"]).json()["workspace"] == OURS


def test_an_admin_of_a_workspace_sees_and_ends_only_its_tokens(world: World) -> None:
    theirs = world.book.create(name=MARK, role=Role.VIEWER, workspace=THEIRS, expires_at=None)
    every = world.book.create(name=MARK, role=Role.VIEWER, workspace=None, expires_at=None)
    admin = world.token(Role.ADMIN, OURS)
    listed = world.ask("GET", "/api/v1/tokens", admin).json()["tokens"]
    assert listed
    assert {each["workspace"] for each in listed} == {OURS}
    for issued in (theirs, every):
        path = f"/api/v1/tokens/{issued.facts.id}"
        assert world.ask("DELETE", path, admin).status == 404
        assert world.ask("POST", f"{path}/rotate", admin).status == 404
        assert world.ask("GET", "/api/v1/me", issued.text).status == 200


def test_a_silence_of_a_workspace_reaches_no_other(world: World) -> None:
    operator = world.token(Role.OPERATOR, OURS)
    made = world.ask("POST", "/api/v1/silences", operator, body=silence(THEIRS, MARK))
    if made.status == 201:
        shown = world.ask("GET", "/api/v1/silences", world.token(workspace=THEIRS)).body.decode()
        assert made.json()["silenceID"] not in shown
    else:
        assert made.status in {400, 403}
    body = silence(OURS, "own")
    body["matchers"] = [{"name": "slo", "value": ".*", "isRegex": True, "isEqual": True}]
    made = world.ask("POST", "/api/v1/silences", operator, body=body)
    assert made.status == 201, made.body
    rows = world.ask("GET", "/api/v1/silences", world.token(workspace=OURS)).json()["rows"]
    (row,) = [each for each in rows if each["id"] == made.json()["silenceID"]]
    assert {"name": "workspace", "value": OURS, "isRegex": False, "isEqual": True} in row[
        "matchers"
    ]
    ended = world.ask("DELETE", f"/api/v1/silences/{world.silences[THEIRS]}", operator)
    assert ended.status == 404


def test_the_console_and_probes_are_open_and_tell_nothing(world: World) -> None:
    for path in ("/healthz", "/readyz", "/api/v1/openapi.json"):
        answer = world.ask("GET", path)
        assert answer.status == 200
        assert MARK.encode() not in answer.body
        assert b"own-" not in answer.body


def test_every_answer_of_every_route_has_the_headers(
    world: World, routes: list[tuple[str, str]]
) -> None:
    token = world.token(Role.VIEWER, OURS)
    for method, path in [*routes, ("GET", "/"), ("GET", "/nowhere"), ("GET", "/metrics")]:
        answer = world.ask(method, target(world, path), token, body=body_of(method, path))
        assert answer.headers["content-security-policy"].startswith("default-src 'none'"), path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers.get("access-control-allow-origin") is None
        assert answer.headers.get("server") is None
        if path.startswith("/api/v1") and path != "/api/v1/openapi.json":
            assert "no-store" in answer.headers["cache-control"], path


def test_other_origins_learn_nothing_by_asking_before(world: World) -> None:
    headers = {
        "Origin": "https://evil.example", "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }  # fmt: skip
    answer = world.ask("OPTIONS", "/api/v1/metrics", headers=headers)
    assert answer.status >= 400
    assert answer.headers.get("access-control-allow-origin") is None


def test_a_page_that_took_a_name_for_this_machine_is_refused(world: World) -> None:
    headers = {"Host": f"evil.example:{world.port}"}
    for path in ("/", "/api/v1/me", "/api/v1/session"):
        answer = world.ask("GET", path, world.token(Role.ADMIN, None), headers=headers)
        assert answer.status == 403
        assert "public_url" in answer.body.decode()


def test_a_browser_signs_in_reads_changes_and_signs_out(world: World) -> None:
    own = {"Origin": f"http://127.0.0.1:{world.port}", "X-Inferometer": "console"}
    token = world.token(Role.OPERATOR, OURS)
    opened = world.ask("POST", "/api/v1/session", body={"token": token}, headers=own)
    assert opened.status == 200
    cookie = opened.headers["set-cookie"].partition(";")[0]
    browser = {"Cookie": cookie}
    assert world.ask("GET", "/api/v1/me", headers=browser).json()["workspace"] == OURS
    body = silence(OURS, "own")
    assert world.ask("POST", "/api/v1/silences", body=body, headers=browser).status == 403
    made = world.ask("POST", "/api/v1/silences", body=body, headers={**browser, **own})
    assert made.status == 201
    assert world.ask("DELETE", "/api/v1/session", headers={**browser, **own}).status == 204
    assert world.ask("GET", "/api/v1/me", headers=browser).status == 401


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"token": 1}', b'{"token": "x", "role": "admin"}', b"\xff"]
)
def test_signing_in_with_nonsense_is_refused_in_order(world: World, body: bytes) -> None:
    connection_body = body.decode("latin-1")
    answer = world.ask(
        "POST", "/api/v1/session", headers={"Content-Type": "application/json"},
        body=json.loads(connection_body) if _is_json(body) else connection_body,
    )  # fmt: skip
    assert answer.status in {400, 401, 429}
    assert answer.headers.get("set-cookie") is None


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def test_a_token_that_asks_too_often_is_told_when_to_come_again() -> None:
    # So slow that no room comes back meanwhile, even where the machine stands still.
    area = WebConfig(requests_per_s=0.001, requests_burst=3)
    with served_world(area=area) as small:
        token, other = small.token(), small.token()
        answers = [small.ask("GET", "/api/v1/me", token) for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 1000
        assert answers[-1].json()["type"] == "/problems/too-many-requests"
        assert small.ask("GET", "/api/v1/me", other).status == 200
