"""`inferometer silence` against a running interface."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.unit.web.serving import NOW_S, TOKEN, Bench, serving

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Outcome, Run

LABELS = {"workspace": "acme", "service": "chat", "slo": "chat-success", "severity": "page"}
WHO = ("--author", "me", "--comment", "known")
# The interface's clock stands still; the command's does not.
TIMES = ("--start", "2026-01-05T08:00", "--end", "2040-01-01")


def asked(run: Run, *lines: tuple[str, ...], token: str = TOKEN) -> tuple[list[Outcome], Bench]:
    """Run command lines against one interface; `ID` stands for what the line before printed."""
    outcomes: list[Outcome] = []
    benches: list[Bench] = []

    async def use(bench: Bench) -> None:
        benches.append(bench)
        for line in lines:
            last = outcomes[-1].out.strip() if outcomes else ""
            words = [last if word == "ID" else word for word in line]
            environ = {"INFEROMETER_ALERTS_HTTP_TOKEN": token}
            outcomes.append(
                await asyncio.to_thread(run, "silence", *words, "--url", bench.url, environ=environ)
            )

    serving(use)
    return outcomes, benches[0]


def test_a_silence_is_added_listed_and_expired(run: Run) -> None:
    add = ("add", "chat-success", "severity=~page|ticket", *WHO, *TIMES)
    (added, expired), bench = asked(run, add, ("expire", "ID"))
    assert (added.code, expired.code) == (0, 0)
    (silence,) = bench.store.book().silences()
    assert added.out.strip() == silence.id
    assert silence.ends_at_us == NOW_S * 1_000_000
    (first, _) = bench.store.stored
    assert [str(matcher) for matcher in first.matchers] == [
        'alertname="chat-success"',
        'severity=~"page|ticket"',
    ]


def test_the_list_shows_silences_and_windows(run: Run) -> None:
    (_, _, listed, filtered, as_json), _ = asked(
        run,
        ("add", "slo=a", *WHO, *TIMES),
        ("add", "service=chat", "--effect", "both", *WHO, *TIMES),
        ("list",),
        ("list", "service=chat"),
        ("list", "--json"),
    )
    assert len(listed.out.splitlines()) == 2
    assert 'both  {service="chat"}  2040-01-01T00:00:00  me: known' in filtered.out
    assert len(filtered.out.splitlines()) == 1
    kinds = [each["kind"] for each in json.loads(as_json.out)["silences"]]
    assert kinds == ["silence", "maintenance"]


def test_what_has_expired_is_listed_when_asked_for(run: Run) -> None:
    (_, _, listed), bench = asked(run, ("add", "slo=a", *WHO, *TIMES), ("expire", "ID"), ("list",))
    assert listed.out == ""
    assert "nothing is silenced" in listed.err
    assert len(bench.store.book().silences()) == 1


def test_a_window_may_come_again_by_a_schedule(run: Run, tmp_path: Path) -> None:
    schedule = tmp_path / "weekly.yaml"
    schedule.write_text(
        "time_intervals:\n"
        "- {weekdays: [monday], times: [{start_time: '08:00', end_time: '10:00'}],"
        " location: Europe/Berlin}\n",
        encoding="utf-8",
    )
    line = ("add", "service=chat", "--effect", "mute", "--schedule", str(schedule), *WHO)
    (added,), bench = asked(run, (*line, "--start", "2026-01-01"))
    assert added.code == 0
    monday_9_s = NOW_S
    assert bench.store.book().muted_by(LABELS, monday_9_s) == (f"maintenance:{added.out.strip()}",)
    assert bench.store.book().muted_by(LABELS, monday_9_s + 2 * 3600) == ()


def test_a_silence_lasts_an_hour_unless_told(run: Run) -> None:
    before_s = time.time()
    (_, _, as_json), bench = asked(
        run,
        ("add", "slo=a", *WHO),
        ("add", "slo=b", *WHO, "--duration", "1d12h"),
        ("add", "slo=c", *WHO, "--start", "2050-01-01", "--duration", "90m", "--json"),
    )
    lengths = [each.ends_at_us / 1e6 - before_s for each in bench.store.book().silences()]
    assert lengths[0] == pytest.approx(3600, abs=60)
    assert lengths[1] == pytest.approx(36 * 3600, abs=60)
    made = json.loads(as_json.out)
    assert made["kind"] == "silence"
    later = bench.store.book().silence(made["id"])
    assert later is not None
    assert later.ends_at_us - later.starts_at_us == 5400 * 1_000_000


def test_a_window_is_expired_by_its_id_too(run: Run) -> None:
    (_, _, listed), bench = asked(
        run,
        ("add", "service=chat", "--effect", "both", *WHO, *TIMES),
        ("expire", "ID"),
        ("list", "--expired"),
    )
    (window,) = bench.store.book().windows()
    assert window.ends_at_us == NOW_S * 1_000_000
    assert "expired" in listed.out


@pytest.mark.parametrize("text", ["[", "- 7", "{times: [x]}", "time_intervals: {weekdays: x}"])
def test_a_schedule_that_cannot_be_is_told(run: Run, tmp_path: Path, text: str) -> None:
    schedule = tmp_path / "weekly.yaml"
    schedule.write_text(text, encoding="utf-8")
    line = ("add", "a=b", *WHO, "--effect", "both", "--schedule", str(schedule))
    (outcome,), bench = asked(run, line)
    assert outcome.code == 1
    assert "weekly.yaml" in outcome.err
    assert bench.store.stored == []


def test_the_interface_is_that_of_the_settings(run: Run) -> None:
    outcomes: list[Outcome] = []

    async def use(bench: Bench) -> None:
        port = bench.url.rpartition(":")[2]
        for host in ("127.0.0.1", "0.0.0.0", "localhost"):
            environ = {"INFEROMETER_ALERTS_HTTP_PORT": port, "INFEROMETER_ALERTS_HTTP_HOST": host}
            outcomes.append(await asyncio.to_thread(run, "silence", "list", environ=environ))

    serving(use)
    assert [outcome.code for outcome in outcomes] == [0, 0, 0]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        (("add", "slo=~(a+)+", *WHO, *TIMES), 1, "for ever"),
        (("add", "slo=~(", *WHO, *TIMES), 2, "regular expression"),
        (("add", "slo=a", "--comment", "c", *TIMES), 2, "--author"),
        (("add", "slo=a", *WHO, "--end", "2040-01-01", "--duration", "1h"), 2, "exclude"),
        (("add", "slo=a", *WHO, "--duration", "soon"), 2, "duration"),
        (("add", "slo=a", *WHO, "--duration", "99999999999w"), 2, "too long"),
        (("list", "slo=~("), 2, "regular expression"),
        (("add", "slo=a", *WHO, "--duration", "999999w"), 2, "9999"),
        (("add", "slo=a", *WHO, "--schedule", "x.yaml"), 2, "--effect"),
        (("add", "a=b", *WHO, "--effect", "both", "--schedule", "missing.yaml"), 1, "missing.yaml"),
        (("expire", "unknown"), 1, "silence list"),
    ],
)
def test_a_wrong_line_is_told(run: Run, line: tuple[str, ...], code: int, said: str) -> None:
    (outcome,), bench = asked(run, line)
    assert outcome.code == code
    assert said in outcome.err
    assert bench.store.stored == []


def test_a_wrong_token_is_told_and_not_shown(run: Run) -> None:
    (outcome,), _ = asked(run, ("add", "slo=a", *WHO, *TIMES), token="x" * 30)
    assert outcome.code == 1
    assert "alerts.http_token" in outcome.err
    assert "x" * 30 not in outcome.err


def test_an_interface_that_is_away_is_told(run: Run) -> None:
    outcome = run("silence", "list", "--url", "http://127.0.0.1:1")
    assert outcome.code == 1
    assert "inferometer alerts" in outcome.err
    assert run("silence", "list", "--url", "ftp://x").code == 1


def test_ids_that_are_known_expire_beside_one_that_is_not(run: Run) -> None:
    (_, outcome), bench = asked(
        run, ("add", "slo=a", *WHO, *TIMES), ("expire", "unknown", "ID", "--json")
    )
    assert outcome.code == 1
    (silence,) = bench.store.book().silences()
    assert json.loads(outcome.out) == {"expired": {silence.id: "silence"}}
