"""What `/metrics` says of its own answer; files hold what the page shows; problems come all at once."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson
import pyarrow.parquet as pq
import pytest

from inferometer.core.query.ranges import MOST_WINDOWS

if TYPE_CHECKING:
    from tests.unit.web.api.asking import Bench

ASKED = "/metrics?measure=requests,cost_usd&group_by=model&granularity=1h&from=now-6h"


def test_an_answer_says_how_it_was_understood(filled: Bench) -> None:
    said = filled.body(f"{ASKED}&time_zone=Europe/Berlin&filter=user_id%5E%3Du&top=2")
    query = said["query"]
    assert query["filters"] == [{"dimension": "user_id", "match": "^=", "values": ["u"]}]
    assert (query["granularity"], query["granularity_s"]) == ("1h", 3600)
    assert query["time_zone"] == "Europe/Berlin"
    assert query["measures"] == ["requests", "cost_usd"]
    assert said["freshness"]["lag_s"] == 30
    assert said["coverage"]["is_whole"]
    assert "meets the filters" in said["cost_scope"]


def test_series_and_the_others_sum_to_the_total(filled: Bench) -> None:
    said = filled.body(f"{ASKED}&top=1")
    assert [each["is_other"] for each in said["series"]] == [False, True]
    assert said["groups_total"] == 3
    for place, total in enumerate(said["values"]["requests"]):
        assert sum(each["values"]["requests"][place] for each in said["series"]) == total
    assert sum(each["total"]["requests"] for each in said["series"]) == said["total"]["requests"]


def test_a_caller_of_one_workspace_sees_its_part_unasked(filled: Bench) -> None:
    whole = filled.body("/metrics")["total"]["requests"]
    asked = filled.body("/metrics?workspace=acme")
    own = filled.body("/metrics?workspace=", token="viewer")
    assert own["total"] == filled.body("/metrics", token="viewer")["total"]
    assert own["total"] == asked["total"]
    assert 0 < own["total"]["requests"] < whole
    assert "workspace acme" in own["cost_scope"]


@pytest.mark.parametrize("by", ["format", "Accept"])
def test_a_csv_file_holds_what_the_page_shows(filled: Bench, by: str) -> None:
    page = filled.body(ASKED)
    if by == "format":
        response = filled.get(f"{ASKED}&format=csv")
    else:
        response = filled.get(ASKED, headers={"Accept": "text/csv"})
    assert response.headers["Content-Type"].startswith("text/csv")
    assert response.headers["X-Row-Limit"] == "1000000"
    assert "metrics-20260105T120030Z.csv" in response.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert list(rows[0]) == ["window_start", "window_end", "model", "requests", "cost_usd"]
    for series in page["series"]:
        own = [row for row in rows if row["model"] == series["group"]["model"]]
        assert sum(int(row["requests"]) for row in own) == series["total"]["requests"]
        spent = sum(Decimal(row["cost_usd"]) for row in own)
        assert float(spent) == pytest.approx(series["total"]["cost_usd"], abs=1e-9)


def test_json_lines_and_parquet_hold_the_same_rows(filled: Bench) -> None:
    lines = filled.get(f"{ASKED}&format=jsonl")
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    file = filled.get(f"{ASKED}&format=parquet")
    assert file.headers["Content-Type"] == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(file.content)).to_pylist()
    assert [row["requests"] for row in table] == [
        orjson.loads(line)["requests"] for line in lines.content.splitlines()
    ]


def test_a_file_is_refused_that_would_leave_out_the_comparison(filled: Bench) -> None:
    problems = filled.refused(f"{ASKED}&compare=previous&format=csv")
    assert set(problems) == {"compare"}
    assert "nothing to compare it with" in problems["compare"]


def test_every_problem_comes_at_once(filled: Bench) -> None:
    problems = filled.refused(
        "/metrics?measure=nope&group_by=modle&granularity=7m&top=0&order_by=zzz&statuses=some"
        "&compare=yes&filter=model&from=soon&time_zone=Mars/Base&format=xml&workspace=a&workspace=b"
        "&filtre=model%3Da"
    )
    assert set(problems) == {
        "measure", "group_by", "granularity", "top", "order_by", "statuses", "compare", "filter",
        "from", "time_zone", "format", "workspace", "filtre",
    }  # fmt: skip


def test_too_many_windows_are_refused_with_the_granularity_that_fits(filled: Bench) -> None:
    response = filled.get("/metrics?granularity=10s&from=now-1d")
    (problem,) = response.json()["problems"]
    assert problem["parameter"] == "granularity"
    assert str(MOST_WINDOWS) in problem["reason"]
    assert "1m" in problem["remedy"]


def test_too_many_parameters_are_refused(filled: Bench) -> None:
    query = "&".join(["filter=model%3Da"] * 201)
    assert "query" in filled.refused(f"/metrics?{query}")


@pytest.mark.parametrize(
    "text",
    [
        "model='; DROP TABLE requests; --",
        "model=\\",
        "metadata.a`b\"c'd=x",
        "model=%",
        "user_id^=_",
        "model=\U0001f980{x:String}",
        "model={group:Identifier}",
    ],
)
def test_a_hostile_filter_is_a_value_like_any_other(filled: Bench, text: str) -> None:
    response = filled.get("/metrics", params={"filter": text})
    assert response.status_code in {200, 400}
    if response.status_code == 200:
        assert response.json()["total"]["requests"] == 0


@pytest.mark.parametrize(
    "name",
    ["measure", "group_by", "granularity", "order_by", "from", "to", "time_zone", "compare", "top"],
)
@pytest.mark.parametrize(
    "text",
    [
        "'",
        '"; SELECT 1',
        "${jndi:x}",
        "../../etc/passwd",
        "\u202e",
        "9" * 2000,
        "-1",
        "\ud7ff",
        "%00",
    ],
)
def test_a_hostile_text_is_refused_in_every_other_parameter(
    filled: Bench, name: str, text: str
) -> None:
    assert name in filled.refused("/metrics", params={name: text})
