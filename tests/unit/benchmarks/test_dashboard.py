"""The pure half of the load benchmark: who asks what, and what counts as late."""

from __future__ import annotations

from tests.benchmarks import dashboard
from tests.benchmarks.dashboard import EVERY_S, PEOPLE, make_people, quantile, refreshed, seen_from

PAGES = [("/api/v1/metrics?measure=requests&from=now-24h&to=now",), ("/api/v1/models?to=now",)]
URL = "http://127.0.0.1:1"


def test_a_question_is_narrowed_to_a_model_and_moved_to_other_days() -> None:
    path = "/api/v1/metrics?measure=a&measure=b&from=now-24h&filter=region%3Deu"
    assert seen_from(path, model="m-1", days=7) == (
        "/api/v1/metrics?measure=a&measure=b&from=now-7d&filter=region%3Deu&filter=model%3Dm-1"
    )
    assert seen_from(path) == path
    assert seen_from("/api/v1/incidents?state=open", model="m-1") == "/api/v1/incidents?state=open"


def test_what_a_page_asks_once_is_no_part_of_a_refresh() -> None:
    asked = [f"{URL}/api/v1/me", f"{URL}/static/app.js", f"{URL}{PAGES[0][0]}", f"{URL}/overview"]
    assert refreshed(asked, URL) == PAGES[0]


def test_people_differ_in_what_they_look_at_and_when() -> None:
    tokens = [f"t{number}" for number in range(PEOPLE)]
    people = make_people(PAGES, tokens, ["m-1", "m-2", "m-3"])
    assert len(people) == PEOPLE
    assert {person.token for person in people} == set(tokens)
    assert len({person.paths for person in people}) >= 5
    assert all(0 <= person.starts_s < EVERY_S for person in people)
    assert people == make_people(PAGES, tokens, ["m-1", "m-2", "m-3"])


def test_an_answer_that_fails_is_endless() -> None:
    answers = [0.1] * 98 + [dashboard.FAILED] * 2
    assert quantile(answers, 0.5) == 0.1
    assert quantile(answers, 0.99) == dashboard.FAILED
