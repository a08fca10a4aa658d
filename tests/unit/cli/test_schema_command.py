"""`inferometer schema` lists, prints, writes and compares the published contracts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Run

NAME = "inference.request.v1"


def test_the_list_names_events_configuration_and_asyncapi(run: Run) -> None:
    listed = run("schema").out.splitlines()
    assert {"asyncapi", "config", NAME, "inference.signal.v1"} <= set(listed)
    assert set(json.loads(run("schema", "--json").out)) == set(listed)


def test_a_contract_is_printed_as_published(run: Run) -> None:
    assert json.loads(run("schema", NAME).out)["$id"] == f"urn:inferometer:schema:{NAME}"
    assert run("schema", "asyncapi").out.startswith("#")


def test_the_document_of_the_query_api_is_printed(run: Run) -> None:
    assert "openapi" in run("schema").out.splitlines()
    document = json.loads(run("schema", "openapi").out)
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/metrics" in document["paths"]


def test_an_unknown_contract_gets_a_suggestion(run: Run) -> None:
    outcome = run("schema", "inference.request.v2")
    assert outcome.code == 2
    assert f"did you mean {NAME}?" in outcome.err


def test_write_makes_the_generated_schemas(run: Run, tmp_path: Path) -> None:
    outcome = run("schema", "--write", str(tmp_path))
    assert outcome.code == 0
    assert (tmp_path / "events" / f"{NAME}.schema.json").is_file()
    assert (tmp_path / "config.schema.json").is_file()


def test_write_into_a_file_says_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    outcome = run("schema", "--write", str(tmp_path / "taken"))
    assert outcome.code == 1
    assert "name another folder" in outcome.err


def test_against_itself_nothing_breaks(run: Run, tmp_path: Path) -> None:
    older = tmp_path / "older.json"
    older.write_text(run("schema", NAME).out)
    outcome = run("schema", NAME, "--against", str(older))
    assert outcome.code == 0
    assert "nothing that was valid" in outcome.out


def test_against_a_schema_with_more_fields_each_lost_field_is_named(
    run: Run, tmp_path: Path
) -> None:
    schema = json.loads(run("schema", NAME).out)
    schema["properties"]["mood"] = {"type": "string"}
    older = tmp_path / "older.json"
    older.write_text(json.dumps(schema))
    outcome = run("schema", NAME, "--against", str(older))
    assert outcome.code == 1
    assert outcome.out == "$.mood: field removed\n"


def test_against_without_a_name_is_wrong_use(run: Run, tmp_path: Path) -> None:
    assert run("schema", "--against", str(tmp_path)).code == 2


def test_against_a_missing_file_says_so(run: Run, tmp_path: Path) -> None:
    outcome = run("schema", NAME, "--against", str(tmp_path / "none"))
    assert outcome.code == 1
    assert "cannot be read" in outcome.err


def test_against_compares_json_schemas_only(run: Run, tmp_path: Path) -> None:
    older = tmp_path / "older.yaml"
    older.write_text("a: b")
    assert run("schema", NAME, "--against", str(older)).code == 2
