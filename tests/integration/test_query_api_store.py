"""Every route over a real store: documents hold, files are what pages show, hostile texts are values."""

from __future__ import annotations

import csv
import io
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from inferometer.clickhouse.incident_records import ClickHouseIncidentRecords
from inferometer.clickhouse.query_limits import QueryLimits
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.jobs.answer_alerts import AnswerAlerts
from inferometer.web.api.app import create_app
from tests.integration.query_seed import HOSTILE, query_seed
from tests.unit.web.api.asking import Door, MemoryTokenDesk
from tests.unit.web.api.test_routes import READS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from tests.integration.query_seed import QuerySeed

pytestmark = pytest.mark.integration
SPAN = "from=now-3d"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuerySeed]:
    with query_seed(tmp_path_factory.mktemp("query_api")) as made:
        yield made


@pytest.fixture(scope="module")
def client(seed: QuerySeed) -> Iterator[TestClient]:
    with serving(seed, QueryLimits()) as made:
        yield made


@contextmanager
def serving(seed: QuerySeed, limits: QueryLimits) -> Iterator[TestClient]:
    door = Door()
    app = create_app(
        store=ClickHouseQueryStore(seed.connection, limits),
        alerts=AnswerAlerts(records=ClickHouseIncidentRecords(seed.connection), clock=now),
        identify=door,
        sessions=door,
        tokens=MemoryTokenDesk(),
        clock=now,
    )
    with TestClient(app, headers={"Authorization": "Bearer chief"}) as made:
        yield made


def body(client: TestClient, path: str, **options: Any) -> Any:
    response = client.get(f"/api/v1{path}", **options)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize(("path", "model"), READS, ids=[path for path, _ in READS])
def test_a_route_answers_as_its_document_says(
    client: TestClient, seed: QuerySeed, path: str, model: type[BaseModel]
) -> None:
    path = path.replace("/requests/r7", f"/requests/{seed.rows[0]['request_id']}")
    response = client.get(f"/api/v1{path}")
    if path.startswith("/incidents/"):
        assert response.status_code == 404
        return
    assert response.status_code == 200, response.text
    model.model_validate_json(response.content)


def test_series_of_a_page_are_the_rows_of_its_file(client: TestClient) -> None:
    asked = f"/metrics?{SPAN}&measure=requests,cost_usd&group_by=model&granularity=6h&top=200"
    page = body(client, asked)
    shown = {
        (window, series["group"]["model"]): count
        for series in page["series"]
        for window, count in zip(page["windows"], series["values"]["requests"], strict=True)
        if count
    }
    text = client.get(f"/api/v1{asked}&format=csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    filed = {
        (_instant(row["window_start"]), row["model"]): int(row["requests"])
        for row in rows
        if int(row["requests"])
    }
    assert filed == {(_instant(window), model): count for (window, model), count in shown.items()}
    spent = sum(Decimal(row["cost_usd"]) for row in rows)
    assert float(spent) == pytest.approx(page["total"]["cost_usd"])


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_of_the_log_has_every_row_and_column(
    client: TestClient, seed: QuerySeed, form: str
) -> None:
    response = client.get(f"/api/v1/requests?{SPAN}&format={form}")
    assert response.headers["X-Row-Count"] == str(len(seed.rows))
    assert response.headers["X-Is-Truncated"] == "false"
    if form == "parquet":
        table = pq.read_table(io.BytesIO(response.content))
        assert table.num_rows == len(seed.rows)
        assert {"cost_usd", "metadata", "ttft_ms", "workspace_id"} <= set(table.column_names)
    elif form == "csv":
        ids = {row["event_id"] for row in csv.DictReader(io.StringIO(response.text))}
        assert ids == {row["event_id"] for row in seed.rows}
    else:
        assert len(response.content.splitlines()) == len(seed.rows)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_file_that_would_be_too_long_is_refused_and_never_cut(seed: QuerySeed, form: str) -> None:
    with serving(seed, QueryLimits(export_rows=10)) as client:
        response = client.get(f"/api/v1/metrics?{SPAN}&group_by=user_id,model&format={form}")
        assert response.status_code == 400, response.text
        assert response.json()["type"] == "/problems/query-too-costly"
        assert "more than 10 rows" in response.json()["detail"]
        assert client.get(f"/api/v1/requests?{SPAN}&limit=10&format={form}").status_code == 200


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_a_value_in_every_place_that_takes_one(
    client: TestClient, seed: QuerySeed, text: str
) -> None:
    before = body(client, f"/metrics?{SPAN}")["total"]["requests"]
    escaped = text.replace("\\", "\\\\").replace(",", "\\,")
    for name, value in (
        ("filter", f"user_id={escaped}"),
        ("filter", f"metadata.tenant^={escaped}"),
        ("user_id", escaped),
        ("request_id", text),
        ("event_id", text),
    ):
        path = "/api/v1/metrics" if name == "filter" else "/api/v1/requests"
        response = client.get(path, params={"from": "now-3d", name: value})
        assert response.status_code in {200, 400}, (name, response.text)
    response = client.get(
        "/api/v1/dimensions/user_id/values", params={"from": "now-3d", "prefix": text}
    )
    assert response.status_code in {200, 400}
    if response.status_code == 200:
        assert all(each["value"].startswith(text) for each in response.json()["values"])
    assert body(client, f"/metrics?{SPAN}")["total"]["requests"] == before
