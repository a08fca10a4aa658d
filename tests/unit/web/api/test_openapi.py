"""The OpenAPI document is one, is what is published, and holds against generated requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, settings
from openapi_spec_validator import OpenAPIV31SpecValidator

from inferometer.schemas import schema_path
from inferometer.web.api.app import openapi_schema
from tests.unit.web.api.asking import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case

    from tests.unit.web.api.asking import Bench

EXAMPLES = 5
"""Of each operation: enough to try each parameter, few enough for every run."""
LONGEST_QUERY = 20_000
"""Of the text that a client here can send; servers take less than is allowed by the document."""
SCHEMA = schemathesis.openapi.from_dict(openapi_schema())
NOT_CHECKED = [
    # A filter fits its schema and may name a dimension that is none.
    schemathesis.checks.positive_data_acceptance,
    # It asks again without the token through a client of its own, which is not in process.
    schemathesis.checks.ignored_auth,
]


@pytest.fixture(scope="module")
def served() -> Iterator[Bench]:
    with asking() as made:
        yield made


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(openapi_schema()).validate()


def test_the_document_is_what_is_published_and_what_the_app_serves(served: Bench) -> None:
    published = json.loads(schema_path("openapi.json").read_text(encoding="utf-8"))
    assert published == openapi_schema(), "run: inferometer schema --write schemas"
    assert served.client.get("/api/v1/openapi.json").json() == published


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, said)
        for path, methods in openapi_schema()["paths"].items()
        for method, said in methods.items()
    ]


def test_every_operation_and_parameter_is_described_and_422_is_never_an_answer() -> None:
    for method, path, said in operations():
        place = f"{method} {path}"
        assert said["description"], place
        assert "422" not in said["responses"], place
        assert all(each["description"] for each in said["parameters"]), place
        assert "400" in said["responses"], place
    names = [said["operationId"] for _, _, said in operations()]
    assert len(set(names)) == len(names)


def test_every_schema_that_is_referred_to_is_there() -> None:
    text = json.dumps(openapi_schema())
    there = openapi_schema()["components"]["schemas"]
    referred = {part.split('"', 1)[0] for part in text.split("#/components/schemas/")[1:]}
    assert referred - set(there) == set()


@SCHEMA.exclude(path="/api/v1/live").parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_generated_requests_are_answered_as_described(case: Case[Any], served: Bench) -> None:
    asked = case.as_transport_kwargs(
        base_url="http://testserver", headers={"Authorization": "Bearer chief"}
    )
    asked.pop("cookies", None)
    if isinstance(asked.get("data"), bytes):
        asked["content"] = asked.pop("data")
    assume(len(str(asked.get("params"))) < LONGEST_QUERY)
    case.validate_response(served.client.request(**asked), excluded_checks=NOT_CHECKED)
