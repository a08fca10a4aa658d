"""The dashboard on ClickHouse: every query of it answers on a seeded store, macros filled in."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration.clickhouse_seed import Seed, seeded_store

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD = json.loads(
    (GRAFANA / "dashboards" / "clickhouse" / "inference.json").read_text(encoding="utf-8")
)
SOURCE_TYPE = "grafana-clickhouse-datasource"
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TIMESERIES, TABLE = 0, 1
INTERVAL_S = 60
EMPTY = {"Freshness", "Gap between chunks by model, p99"}
"""What the seeded hours, which lie a little in the past and have no streams, may leave empty."""


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seed]:
    with seeded_store(tmp_path_factory.mktemp("grafana")) as seeded:
        yield seeded


def query_of(panel: dict[str, Any]) -> str:
    """Return what the one target of a panel asks."""
    (target,) = panel["targets"]
    return str(target["rawSql"])


def filled(query: str) -> str:
    """Return a query as the plug-in sends it: a day up to now, all workspaces and models."""
    now = datetime.now(UTC)
    begin, end = (int(at.timestamp()) for at in (now - timedelta(days=1), now))
    query = re.sub(
        r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({begin}) AND \1 <= toDateTime({end})", query
    )
    query = re.sub(
        r"\$__timeInterval\((\w+)\)",
        rf"toStartOfInterval(toDateTime(\1), INTERVAL {INTERVAL_S} second)",
        query,
    )
    for name, value in {
        "$__interval_s": str(INTERVAL_S),
        "$__fromTime": f"toDateTime({begin})",
        "$__toTime": f"toDateTime({end})",
        "${workspace:singlequote}": "'','acme'",
        "${model:singlequote}": "'llama-70b','gpt-x','sdxl','whale-tts'",
    }.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_a_panel_answers(seed: Seed, panel: dict[str, Any]) -> None:
    rows = seed.rows(filled(query_of(panel)))
    if not rows:
        assert panel["title"] in EMPTY
        return
    if panel["targets"][0]["format"] == TIMESERIES:
        assert "time" in rows[0]
        assert any(isinstance(value, int | float) for value in rows[0].values())
    if panel["type"] == "stat":
        assert [list(row) for row in rows] == [["value"]]
        assert rows[0]["value"] is not None


def test_the_totals_are_those_of_the_events(seed: Seed) -> None:
    found = {
        panel["title"]: seed.rows(filled(query_of(panel)))[0]["value"]
        for panel in PANELS
        if panel["type"] == "stat"
    }
    final = [event for event in seed.events if event["is_final"]]
    good = sum(event["status_code"] == 200 for event in final)
    assert found["Requests"] == len(final)
    assert found["Tokens"] == sum(sum(event["tokens"]) for event in seed.events)
    assert found["Success ratio"] == pytest.approx(good / len(final))
    assert found["Cost"] == pytest.approx(sum(event["pico"] for event in seed.events) / 1e12)
    assert found["Attempts a request"] == pytest.approx(len(seed.events) / len(final))


@pytest.mark.parametrize("variable", DASHBOARD["templating"]["list"][1:], ids=lambda v: v["name"])
def test_a_variable_offers_values(seed: Seed, variable: dict[str, Any]) -> None:
    assert variable["definition"] == variable["query"]["rawSql"]
    assert len(seed.rows(filled(variable["definition"]))) >= 2


def test_incidents_are_marked_on_every_panel(seed: Seed) -> None:
    (annotation,) = DASHBOARD["annotations"]["list"]
    rows = seed.rows(filled(annotation["target"]["rawSql"]))
    assert rows
    assert set(rows[0]) == {"time", "timeEnd", "title", "text"}


def test_panels_lie_beside_each_other_and_take_the_chosen_source() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + across, place["y"] + down)
            for across in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(across for across, _down in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["description"].endswith(".")
            source = {"type": SOURCE_TYPE, "uid": "${datasource}"}
            assert panel["datasource"] == panel["targets"][0]["datasource"] == source
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_grafana_finds_clickhouse_as_its_reader() -> None:
    (source,) = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "clickhouse.yml").read_text(encoding="utf-8")
    )["datasources"]
    users = (GRAFANA.parent / "clickhouse" / "users.xml").read_text(encoding="utf-8")
    compose = yaml.safe_load(
        (GRAFANA.parents[1] / "docker-compose.yml").read_text(encoding="utf-8")
    )
    environment = compose["services"]["grafana"]["environment"]
    assert source["type"] == SOURCE_TYPE
    assert source["jsonData"]["host"] in compose["services"]
    assert f"<{source['jsonData']['username']}>" in users
    password = source["secureJsonData"]["password"].removeprefix("$")
    assert f'from_env="{password}"' in users
    assert password in environment
    assert SOURCE_TYPE in environment["GF_PLUGINS_PREINSTALL"]
