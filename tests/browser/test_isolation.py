"""A token sees its workspace and no other, by whatever way it asks; operators' pages need operators."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.data_set import DAY_US, HOUR_US
from tests.browser.filling import CHUNK_RECORDS
from tests.browser.oracle import workspace

if TYPE_CHECKING:
    from tests.browser.serving import World

pytestmark = pytest.mark.integration

SCOPED = (
    "/metrics?measure=requests", "/models", "/requests", "/dimensions/user_id/values",
    "/metadata-keys", "/changes?measure=requests", "/forecast", "/unpriced", "/alerts/status",
    "/incidents", "/notifications", "/silences", "/oncall",
)  # fmt: skip
EVERYBODYS = ("/pipeline", "/dead-letters", "/reconciliation")


def split(path: str) -> tuple[str, dict[str, Any]]:
    """Return a path and its parameters."""
    place, _, query = path.partition("?")
    return place, dict(item.split("=") for item in query.split("&") if item)


@pytest.mark.parametrize("path", SCOPED)
def test_another_workspace_is_refused(world: World, path: str) -> None:
    place, parameters = split(path)
    answer = world.viewer.ask(place, workspace="globex", **parameters)
    assert answer.status == 403
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("path", SCOPED)
def test_no_name_of_another_workspace_is_in_an_answer(world: World, path: str) -> None:
    place, parameters = split(path)
    end = world.data_set.end_us
    answer = world.viewer.ask(place, from_=end - 4 * DAY_US, to=end, **parameters)
    if answer.status == 400:  # a page without a range
        answer = world.viewer.ask(place, **parameters)
    assert answer.status == 200, answer.body[:500]
    assert b"globex" not in answer.body
    assert b"caller-" not in answer.body


@pytest.mark.parametrize("dimension", ["workspace_id", "workspace"])
@pytest.mark.parametrize("sign", ["=", "!=", "^="])
def test_a_filter_does_not_open_another_workspace(world: World, dimension: str, sign: str) -> None:
    end = world.data_set.end_us
    span: dict[str, Any] = {"from_": end - DAY_US, "to": end}
    value = {"=": "globex", "!=": "acme", "^=": "glo"}[sign]
    answer = world.viewer.ask(
        "/metrics", measure="requests", filter=f"{dimension}{sign}{value}", **span
    )
    assert answer.status in {400, 403} or answer.json["total"]["requests"] == 0


def test_workspaces_are_disjoint_and_sum_to_all(world: World) -> None:
    end = world.data_set.end_us
    span: dict[str, Any] = {"measure": "requests", "from_": world.data_set.start_us, "to": end}
    parts = {
        name: world.as_(token).get("/metrics", **span)["total"]["requests"]
        for name, token in (
            ("acme", world.tokens.viewer),
            ("globex", world.tokens.other),
            ("crowd", world.tokens.crowd),
        )
    }
    for name, count in parts.items():
        totals = world.oracle.total(world.data_set.start_us, end, workspace(name))
        assert count == totals.measure("requests")
    assert sum(parts.values()) == world.admin.get("/metrics", **span)["total"]["requests"]


def test_an_admin_of_all_looks_into_one(world: World) -> None:
    end = world.data_set.end_us
    span: dict[str, Any] = {"measure": "cost_usd", "from_": end - DAY_US, "to": end}
    assert (
        world.admin.get("/metrics", workspace="globex", **span)["total"]
        == world.as_(world.tokens.other).get("/metrics", **span)["total"]
    )


def test_a_request_of_another_workspace_is_not_there(world: World) -> None:
    foreign = next(world.oracle.sent(0, 2**60, workspace("globex"))).event or {}
    assert world.viewer.ask(f"/requests/{foreign['request_id']}").status == 404
    page = world.viewer.get(
        "/requests", event_id=foreign["event_id"], from_=world.data_set.start_us,
        to=world.data_set.end_us,
    )  # fmt: skip
    assert page["rows"] == []


def test_a_cursor_of_another_workspace_shows_nothing_of_it(world: World) -> None:
    span: dict[str, Any] = {"from_": world.data_set.start_us, "to": world.data_set.end_us}
    cursor = world.as_(world.tokens.other).get("/requests", limit=5, **span)["next_cursor"]
    answer = world.viewer.ask("/requests", cursor=cursor, **span)
    assert answer.status == 400 or b"globex" not in answer.body


@pytest.mark.parametrize("path", EVERYBODYS)
def test_what_is_of_the_platform_is_for_tokens_of_all_workspaces(world: World, path: str) -> None:
    assert world.viewer.ask(path).status == 403
    assert world.as_(world.tokens.operator).ask(path).status == 403
    assert world.admin.ask(path).status == 200


@pytest.mark.parametrize("path", [*SCOPED, *EVERYBODYS, "/me", "/tokens", "/live"])
def test_nobody_gets_nothing(world: World, path: str) -> None:
    place, parameters = split(path)
    for token in ("", "imt_000000000000_" + "0" * 43, "nonsense"):
        # Who guesses too often is no longer even looked up.
        assert world.as_(token).ask(place, **parameters).status in {401, 429}


def test_a_viewer_silences_nothing_and_makes_no_tokens(world: World) -> None:
    silence = {"matchers": [{"name": "slo", "value": "x", "isRegex": False, "isEqual": True}]}
    assert world.viewer.ask("/silences", method="POST", json_body=silence).status == 403
    for asker in (world.viewer, world.as_(world.tokens.operator)):
        assert asker.ask("/tokens").status == 403
        made = asker.ask("/tokens", method="POST", json_body={"name": "x", "role": "admin"})
        assert made.status == 403


def test_dead_letters_are_those_that_were_damaged(world: World) -> None:
    counts = {row["reason"]: row["count"] for row in world.admin.get("/pipeline")["dead_letters"]}
    assert counts == world.data_set.damaged
    for reason, count in counts.items():
        letters = world.admin.get("/dead-letters", reason=reason, from_="now-7d", to="now")["rows"]
        assert len(letters) == count
        assert all(letter["base64"] for letter in letters)


def test_the_account_of_the_pipeline_is_that_of_the_last_hours_chunks(world: World) -> None:
    asked_us = time.time() * 1e6
    answer = world.admin.get("/pipeline", from_=world.data_set.start_us, to="now")
    answered_us = time.time() * 1e6
    ledger, sent = answer["ledger"], world.data_set.sent
    assert ledger["events"] == ledger["stored"] + ledger["dead"] + ledger["duplicates"]
    chunks = [sent[at : at + CHUNK_RECORDS] for at in range(0, len(sent), CHUNK_RECORDS)]

    def recent(now_us: float) -> int:
        """Return how many records the chunks of the last hour hold."""
        last_us = now_us - HOUR_US
        return sum(len(chunk) for chunk in chunks if chunk[-1].arrival_us >= last_us)

    # The hour goes on while it is asked for.
    assert recent(answered_us) <= ledger["records"] <= recent(asked_us)
    checks = {check["name"]: check["is_ok"] for check in answer["checks"]}
    assert checks["accounted"]
    assert checks["in_step"]
    assert not checks["accepted"], "there are dead letters"
