"""`inferometer schema`: lists and prints the published contracts, and compares their versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.cli.command import OK, PROBLEMS, Context, UsageError
from inferometer.errors import PipelineError

if TYPE_CHECKING:
    import argparse
    from importlib.resources.abc import Traversable

SUMMARY = "list or print the published contracts: events, configuration, AsyncAPI, OpenAPI"
EXAMPLE = """
inferometer schema
inferometer schema inference.request.v1 > inference.request.v1.schema.json
inferometer schema openapi > openapi.json
inferometer schema inference.request.v1 --against inference.request.v1.schema.json
"""

SUFFIXES = (".schema.json", ".yaml")
OPENAPI_FILE = "openapi.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare flags and arguments."""
    parser.add_argument("name", nargs="?", help="contract to print; without it, list them all")
    parser.add_argument(
        "--against",
        metavar="FILE",
        type=Path,
        help="instead of printing, say what would break those who rely on this older schema",
    )
    parser.add_argument(
        "--write",
        metavar="DIR",
        type=Path,
        help="generate the schemas of events and configuration from the code into DIR",
    )
    parser.add_argument("--json", action="store_true", help="the list as JSON")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Do the work and return the exit code."""
    if arguments.write is not None:
        return _write(arguments.write, context)
    if arguments.name is None:
        if arguments.against is not None:
            raise UsageError(
                "--against needs the name of a contract; inferometer schema lists them"
            )
        return _list(context, as_json=arguments.json)
    text = _published_text(arguments.name)
    if arguments.against is None:
        context.stdout.write(text)
        return OK
    return _compare(arguments.name, text, arguments.against, context)


def generated() -> dict[str, dict[str, Any]]:
    """Return the schemas that the code is the authority of, by their path under `schemas/`."""
    from inferometer.config import config_schema
    from inferometer.core.arrow_contract import ARROW_CONTRACT, arrow_contract
    from inferometer.core.contracts import EVENT_SCHEMAS
    from inferometer.slo_files.schema import SCHEMA_FILE, slo_file_schema
    from inferometer.web.api.app import openapi_schema
    from inferometer.webhooks import body_schema, receivers_file

    events = {f"events/{name}.schema.json": make() for name, make in EVENT_SCHEMAS.items()}
    return events | {
        f"events/{ARROW_CONTRACT}.schema.json": arrow_contract(),
        "config.schema.json": config_schema(),
        SCHEMA_FILE: slo_file_schema(),
        receivers_file.SCHEMA_FILE: receivers_file.receivers_schema(),
        body_schema.SCHEMA_FILE: body_schema.standard_schema(),
        OPENAPI_FILE: openapi_schema(),
    }


def rendered(schema: dict[str, Any]) -> str:
    """Return a schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _write(folder: Path, context: Context) -> int:
    for name, schema in generated().items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(rendered(schema), encoding="utf-8")
        except OSError as error:
            raise PipelineError(
                f"{path}: cannot be written ({error.strerror}); name another folder"
            ) from error
        print(path, file=context.stdout)
    return OK


def _list(context: Context, *, as_json: bool) -> int:
    contracts = _published()
    if as_json:
        listed = {name: str(path) for name, path in contracts.items()}
        print(json.dumps(listed, indent=2), file=context.stdout)
        return OK
    for name in contracts:
        print(name, file=context.stdout)
    return OK


def _published() -> dict[str, Traversable]:
    """Return the file of each published contract by its name."""
    from inferometer.schemas import schema_path

    folders = [schema_path(""), schema_path("config"), schema_path("events")]
    files = [file for folder in folders for file in folder.iterdir()]
    found = {
        file.name.removesuffix(suffix): file
        for file in files
        for suffix in SUFFIXES
        if file.name.endswith(suffix)
    }
    found |= {file.name.removesuffix(".json"): file for file in files if file.name == OPENAPI_FILE}
    return dict(sorted(found.items()))


def _published_text(name: str) -> str:
    from inferometer.config import unknown

    contracts = _published()
    if name not in contracts:
        raise UsageError(f"{unknown('contract', name, contracts)}; inferometer schema lists them")
    return contracts[name].read_text(encoding="utf-8")


def _compare(name: str, text: str, older: Path, context: Context) -> int:
    from inferometer.core.compatibility import incompatibilities

    try:
        old, new = json.loads(older.read_text(encoding="utf-8")), json.loads(text)
    except OSError as error:
        raise PipelineError(f"{older}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UsageError(f"--against compares JSON Schemas: {error}") from error
    broken = incompatibilities(old, new)
    for problem in broken:
        print(problem, file=context.stdout)
    if not broken:
        print(f"{name}: nothing that was valid under {older} breaks", file=context.stdout)
    return PROBLEMS if broken else OK
