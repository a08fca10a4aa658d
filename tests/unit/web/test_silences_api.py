"""Silences and maintenance windows over HTTP."""

from __future__ import annotations

from typing import Any

from inferometer.core.alerts.silences import SilenceState
from inferometer.testing.silences import MemorySilenceStore
from tests.unit.web.serving import AUTHORIZED, NOW_S, Bench, S, serving

LABELS = {"slo": "chat-success", "service": "chat"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def silence(**fields: object) -> dict[str, Any]:
    return {
        "matchers": [{"name": "slo", "value": "chat-success", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-01-05T08:00:00.000Z",
        "endsAt": "2026-01-05T10:00:00.000Z",
        "createdBy": "me",
        "comment": "known",
        **fields,
    }


async def post(bench: Bench, body: object, path: str = "/api/v2/silences") -> tuple[int, Any]:
    return await bench.ask("POST", path, json=body, headers=AUTHORIZED)


def test_a_silence_is_made_shown_listed_and_ended() -> None:
    async def use(bench: Bench) -> None:
        status, made = await post(bench, silence())
        assert status == 200
        path = f"/api/v2/silence/{made['silenceID']}"
        assert bench.store.book().muted_by(LABELS, NOW_S) == (f"silence:{made['silenceID']}",)
        status, shown = await bench.ask("GET", path)
        assert shown == {
            **silence(),
            "id": made["silenceID"],
            "startsAt": "2026-01-05T08:00:00.000000Z",
            "endsAt": "2026-01-05T10:00:00.000000Z",
            "updatedAt": "2026-01-05T08:00:00.000000Z",
            "status": {"state": "active"},
        }
        assert await bench.ask("GET", "/api/v2/silences") == (200, [shown])
        assert (await bench.ask("DELETE", path, headers=AUTHORIZED))[0] == 200
        assert bench.store.book().muted_by(LABELS, NOW_S) == ()
        _, shown = await bench.ask("GET", path)
        assert shown["status"] == {"state": SilenceState.EXPIRED}
        stored = len(bench.store.stored)
        assert (await bench.ask("DELETE", path, headers=AUTHORIZED))[0] == 200
        assert len(bench.store.stored) == stored

    serving(use)


def test_a_silence_is_changed_by_its_id() -> None:
    async def use(bench: Bench) -> None:
        _, made = await post(bench, silence())
        wanted = silence(id=made["silenceID"], endsAt="2026-01-05T12:00:00Z")
        assert await post(bench, wanted) == (200, made)
        other = silence(id=made["silenceID"], matchers=[{"name": "slo", "value": "other"}])
        _, replaced = await post(bench, other)
        assert replaced != made
        assert len(bench.store.book().silences()) == 2
        assert (await post(bench, silence(id=UNKNOWN)))[0] == 404

    serving(use)


def test_a_filter_selects_silences_that_have_its_matchers() -> None:
    async def use(bench: Bench) -> None:
        await post(bench, silence())
        for text, count in (('slo="chat-success"', 1), ("slo=~chat.*", 0), ("slo!=x", 0)):
            _, found = await bench.ask("GET", "/api/v2/silences", params={"filter": text})
            assert len(found) == count, text
        for wrong in ("slo", "slo=~(", "slo=~(a+)+"):
            status, said = await bench.ask("GET", "/api/v2/silences", params={"filter": wrong})
            assert status == 400
            assert isinstance(said, str)

    serving(use)


def test_the_list_shows_first_what_ends_first() -> None:
    async def use(bench: Bench) -> None:
        ids = {}
        for name, start, end in (
            ("long", "08:00", "12:00"),
            ("pending", "11:00", "12:00"),
            ("short", "08:00", "09:00"),
            ("soon", "10:00", "12:00"),
        ):
            times = {"startsAt": f"2026-01-05T{start}:00Z", "endsAt": f"2026-01-05T{end}:00Z"}
            _, made = await post(bench, silence(**times))
            ids[made["silenceID"]] = name
        _, found = await bench.ask("GET", "/api/v2/silences")
        assert [ids[each["id"]] for each in found] == ["short", "long", "soon", "pending"]

    serving(use)


def test_what_cannot_be_is_told_as_a_json_text() -> None:
    async def use(bench: Bench) -> None:
        for body, said in (
            (silence(matchers=[]), "no matcher"),
            (silence(endsAt="2026-01-05T07:00:00Z"), "start time must be before end time"),
            (silence(createdBy=""), "createdBy"),
            ([], "JSON object"),
        ):
            status, problem = await post(bench, body)
            assert status == 400
            assert said in problem
        status, _ = await bench.ask("POST", "/api/v2/silences", data="{", headers=AUTHORIZED)
        assert status == 415
        headers = {**AUTHORIZED, "Content-Type": "application/json"}
        status, problem = await bench.ask("POST", "/api/v2/silences", data="{", headers=headers)
        assert status == 400
        assert "no JSON" in problem
        status, _ = await post(bench, silence(comment="x" * 300_000))
        assert status == 413
        assert bench.store.stored == []

    serving(use)


def test_nothing_is_confirmed_that_is_not_stored() -> None:
    async def use(bench: Bench) -> None:
        bench.store.is_away = True
        status, said = await post(bench, silence())
        assert status == 503
        assert "try again" in said
        bench.store.is_away = False
        assert bench.store.book().silences() == ()

    serving(use)


def test_until_the_silences_are_read_nothing_is_answered() -> None:
    async def use(bench: Bench) -> None:
        for method, path in (
            ("GET", "/api/v2/silences"),
            ("GET", "/-/ready"),
            ("GET", "/api/v2/alerts"),
        ):
            assert (await bench.ask(method, path))[0] == 503
        assert (await post(bench, silence()))[0] == 503
        assert (await bench.ask("GET", "/-/healthy"))[0] == 200
        bench.store.is_read = True
        assert (await bench.ask("GET", "/-/ready"))[0] == 200

    serving(use, store=MemorySilenceStore(is_read=False))


def hook(**fields: object) -> dict[str, Any]:
    matchers = [{"name": "service", "value": "chat"}]
    return {"matchers": matchers, "reason": "deploy 7", "createdBy": "ci", **fields}


def test_a_deploy_hook_mutes_for_its_time() -> None:
    async def use(bench: Bench) -> None:
        status, made = await post(bench, hook(ttl="30m"), "/maintenance")
        assert (status, made["status"]) == (200, {"state": "active"})
        book = bench.store.book()
        assert book.muted_by(LABELS, NOW_S + 1799) == (f"maintenance:{made['id']}",)
        assert book.muted_by(LABELS, NOW_S + 1800) == ()
        assert (await post(bench, hook(ttl="3h"), "/maintenance"))[0] == 400

    serving(use)


def test_a_hook_that_is_sent_again_makes_one_window() -> None:
    async def use(bench: Bench) -> None:
        for _ in range(2):
            assert (await post(bench, hook(ttl="30m", id="deploy-7"), "/maintenance"))[0] == 200
        assert len(bench.store.book().windows()) == 1

    serving(use)


def test_a_window_is_shown_listed_and_ended() -> None:
    async def use(bench: Bench) -> None:
        weekly = [{"weekdays": ["sunday"], "location": "Europe/Berlin"}]
        _, made = await post(bench, hook(effect="both", time_intervals=weekly), "/maintenance")
        assert made["time_intervals"] == weekly
        path = f"/maintenance/{made['id']}"
        assert await bench.ask("GET", path) == (200, made)
        assert await bench.ask("GET", "/maintenance") == (200, [made])
        assert (await bench.ask("DELETE", path, headers=AUTHORIZED))[0] == 200
        assert (await bench.ask("DELETE", path, headers=AUTHORIZED))[0] == 200
        window = bench.store.book().window(made["id"])
        assert window is not None
        assert window.ends_at_us == NOW_S * S
        assert (await bench.ask("GET", f"/maintenance/{UNKNOWN}"))[0] == 404

    serving(use)
