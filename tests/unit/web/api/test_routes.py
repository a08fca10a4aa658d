"""Every route answers as its document says, refuses who may not ask, and says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inferometer.web.api.alert_documents import (
    IncidentDocument,
    IncidentsDocument,
    NotificationsDocument,
    OncallDocument,
    SilencesDocument,
    StatusDocument,
)
from inferometer.web.api.app import openapi_schema
from inferometer.web.api.callers import CallerDocument, TokensDocument
from inferometer.web.api.log_documents import (
    AttemptsDocument,
    DimensionsDocument,
    MeasuresDocument,
    RequestsDocument,
    ValuesDocument,
)
from inferometer.web.api.metric_documents import ChangesDocument, MetricsDocument, ModelsDocument
from inferometer.web.api.pipeline_documents import (
    DeadLettersDocument,
    ForecastDocument,
    PipelineDocument,
    PricesDocument,
    ReconciliationDocument,
    UnpricedDocument,
)
from inferometer.web.api.problems import KINDS
from tests.unit.web.api.asking import OTHER_WORKSPACE

if TYPE_CHECKING:
    from pydantic import BaseModel

    from tests.unit.web.api.asking import Bench

READS: list[tuple[str, type[BaseModel]]] = [
    ("/metrics?measure=requests,cost_usd,ttft_p99_ms&group_by=model&top=2", MetricsDocument),
    ("/metrics?compare=previous&group_by=user_id&granularity=1h", MetricsDocument),
    (
        "/metrics?compare=baseline&baseline_filter=model%3Dmodel-1&filter=user_id%3Du1",
        MetricsDocument,
    ),
    ("/metrics?group_by=metadata.tenant&granularity=total", MetricsDocument),
    ("/changes?measure=requests", ChangesDocument),
    ("/models?percentile=0.99", ModelsDocument),
    ("/measures", MeasuresDocument),
    ("/dimensions", DimensionsDocument),
    ("/dimensions/model/values?prefix=model", ValuesDocument),
    ("/dimensions/metadata.tenant/values", ValuesDocument),
    ("/metadata-keys", ValuesDocument),
    ("/requests?limit=5", RequestsDocument),
    ("/requests/r7", AttemptsDocument),
    ("/forecast", ForecastDocument),
    ("/prices", PricesDocument),
    ("/unpriced", UnpricedDocument),
    ("/reconciliation?from=now-2d", ReconciliationDocument),
    ("/alerts/status", StatusDocument),
    ("/incidents", IncidentsDocument),
    ("/incidents/inc-1", IncidentDocument),
    ("/notifications", NotificationsDocument),
    ("/silences", SilencesDocument),
    ("/oncall", OncallDocument),
    ("/pipeline", PipelineDocument),
    ("/dead-letters", DeadLettersDocument),
    ("/me", CallerDocument),
    ("/tokens", TokensDocument),
]
WRITES = [
    ("POST", "/silences"),
    ("DELETE", "/silences/x"),
    ("POST", "/tokens"),
    ("POST", "/tokens/x/rotate"),
    ("DELETE", "/tokens/x"),
]
PATHS = [path for path, _ in READS]
DESCRIBED = openapi_schema()["paths"]


@pytest.mark.parametrize(("path", "model"), READS, ids=PATHS)
def test_a_route_answers_as_its_document_says(
    filled: Bench, path: str, model: type[BaseModel]
) -> None:
    response = filled.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    model.model_validate_json(response.content)


def test_the_table_above_has_every_route() -> None:
    described = {
        (method.upper(), path) for path, methods in DESCRIBED.items() for method in methods
    }
    known = {("GET", _template(path)) for path in PATHS} | {
        (method, _template(path)) for method, path in WRITES
    }
    elsewhere = {
        ("GET", "/api/v1/live"),
        ("POST", "/api/v1/session"),
        ("DELETE", "/api/v1/session"),
    }
    assert described == known | elsewhere


def _template(path: str) -> str:
    parts = path.partition("?")[0].split("/")[1:]
    names = {
        "requests": "request_id", "incidents": "incident_id", "silences": "silence_id",
        "tokens": "token_id", "dimensions": "name",
    }  # fmt: skip
    if len(parts) > 1 and parts[0] in names:
        parts[1] = f"{{{names[parts[0]]}}}"
    return "/api/v1/" + "/".join(parts)


@pytest.mark.parametrize(
    ("method", "path"), [*(("GET", path) for path in PATHS), *WRITES, ("GET", "/live")]
)
def test_who_has_no_token_is_told_how_to_get_in(filled: Bench, method: str, path: str) -> None:
    response = filled.ask(method, path, token="nobody")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    said = response.json()
    assert said["type"] == "/problems/not-identified"
    assert said["problems"][0]["parameter"] == "Authorization"


@pytest.mark.parametrize("path", [*PATHS, "/live"])
def test_who_asks_too_often_is_told_when_to_ask_again(filled: Bench, path: str) -> None:
    response = filled.get(path, token="limited")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize(
    ("method", "path", "tokens"),
    [
        ("POST", "/silences", ["viewer", "all-viewer"]),
        ("DELETE", "/silences/x", ["viewer", "all-viewer"]),
        ("GET", "/dead-letters", ["viewer", "all-viewer", "operator", "admin"]),
        ("GET", "/pipeline", ["viewer", "operator", "admin"]),
        ("GET", "/reconciliation", ["viewer", "all-viewer", "operator", "all-operator", "admin"]),
        ("GET", "/tokens", ["viewer", "operator", "all-operator"]),
        ("POST", "/tokens", ["viewer", "operator", "all-operator"]),
        ("POST", "/tokens/x/rotate", ["viewer", "operator", "all-operator"]),
        ("DELETE", "/tokens/x", ["viewer", "operator", "all-operator"]),
    ],
)
def test_a_role_or_workspace_that_does_not_allow_it_is_refused(
    filled: Bench, method: str, path: str, tokens: list[str]
) -> None:
    for token in tokens:
        response = filled.ask(method, path, token=token, json={})
        assert (token, response.status_code) == (token, 403)
        assert "use" in response.json()["detail"]


def takes_workspace(path: str) -> bool:
    template = _template(path)
    described = DESCRIBED[template]["get"]
    return "workspace" in {each["name"] for each in described["parameters"]}


@pytest.mark.parametrize("path", [path for path in PATHS if takes_workspace(path)])
def test_a_token_of_a_workspace_cannot_ask_for_another(filled: Bench, path: str) -> None:
    glue = "&" if "?" in path else "?"
    response = filled.get(f"{path}{glue}workspace={OTHER_WORKSPACE}", token="admin")
    assert response.status_code == 403
    own = filled.get(f"{path}{glue}workspace=acme", token="admin")
    assert own.status_code in {200, 404}
    assert OTHER_WORKSPACE not in own.text


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_parameter_is_refused_on_every_page(filled: Bench, path: str) -> None:
    glue = "&" if "?" in path else "?"
    assert "tmie_zone" in filled.refused(f"{path}{glue}tmie_zone=UTC")


@pytest.mark.parametrize("path", PATHS)
def test_a_control_character_is_refused_in_every_parameter(filled: Bench, path: str) -> None:
    template = _template(path)
    for each in DESCRIBED[template]["get"]["parameters"]:
        if each["in"] == "query":
            response = filled.get(path.partition("?")[0], params={each["name"]: "a\x00b"})
            assert response.status_code == 400, each["name"]


@pytest.mark.parametrize("path", PATHS)
def test_every_described_parameter_is_known_to_its_page(filled: Bench, path: str) -> None:
    template = _template(path)
    for each in DESCRIBED[template]["get"]["parameters"]:
        if each["in"] == "query":
            name = each["name"]
            value = _example(each["schema"])
            response = filled.get(path.partition("?")[0], params={name: value})
            if response.status_code == 400:
                reasons = [one["reason"] for one in response.json()["problems"]]
                assert not [one for one in reasons if "no such parameter" in one], name


def _example(schema: dict[str, Any]) -> Any:
    inner = schema.get("items", schema)
    if "examples" in inner:
        return inner["examples"][0]
    return schema.get("default", "x")


def test_a_client_that_takes_no_json_is_told_so(filled: Bench) -> None:
    response = filled.get("/measures", headers={"Accept": "text/csv"})
    assert response.status_code == 406
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/metrics/", 404),
        ("POST", "/metrics", 405),
        ("GET", "/requests/none-such", 404),
        ("GET", "/incidents/none-such", 404),
        ("DELETE", "/silences/none-such", 404),
        ("DELETE", "/tokens/none-such", 404),
        ("POST", "/tokens/none-such/rotate", 404),
    ],
)
def test_what_is_not_there_is_a_problem_document(
    filled: Bench, method: str, path: str, status: int
) -> None:
    response = filled.ask(method, path)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status


def test_a_long_answer_is_compressed_for_who_takes_it(filled: Bench) -> None:
    plain = filled.get("/measures", headers={"Accept-Encoding": "identity"})
    packed = filled.get("/measures", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.json() == plain.json()


def test_what_describes_the_interface_needs_no_token(filled: Bench) -> None:
    assert filled.client.get("/api/v1/openapi.json").json()["openapi"].startswith("3.1")
    for kind in KINDS:
        assert filled.client.get(f"/problems/{kind}").text.endswith(".\n")
    assert filled.client.get("/problems/other").status_code == 404


def test_reconciliation_compares_what_is_measured_and_billed(filled: Bench) -> None:
    body = filled.body("/reconciliation?from=2026-01-04&to=2026-01-06")
    days = {(row["day"], row["provider"]): row for row in body["days"]}
    assert list(days) == sorted(days)
    assert (body["first_day"], body["last_day"]) == ("2026-01-04", "2026-01-05")
    both = days["2026-01-05", "openai"]
    assert both["priced_usd"] > 0
    assert both["difference_usd"] == pytest.approx(4 - both["priced_usd"])
    assert both["difference_ratio"] == pytest.approx(both["difference_usd"] / 4)
    unused, not_kept = days["2026-01-05", "other"], days["2026-01-04", "openai"]
    assert (unused["priced_usd"], unused["difference_usd"]) == (0, 2)
    assert (not_kept["priced_usd"], not_kept["difference_usd"]) == (None, None)
    accounts = {each["provider"]: each for each in body["providers"]}
    assert accounts["openai"]["compared_days"] == 1
    assert accounts["openai"]["difference_usd"] == both["difference_usd"]
    assert accounts["openai"]["only_billed_usd"] == 0.5
