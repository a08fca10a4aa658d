"""Who may import whom. This table is the only authority; it is read off the syntax tree."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PACKAGE = Path(__file__).parents[2] / "pipeline" / "inferometer"
EVERYBODY = frozenset({"errors", "names"})


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a room may import besides itself, `errors`, `names` and the standard library."""

    ours: frozenset[str] = frozenset()
    """Modules of this package, by prefix; `*` for all."""
    theirs: frozenset[str] = frozenset()
    """Top-level packages of third parties."""


def _room(ours: str = "", theirs: str = "") -> Room:
    return Room(ours=frozenset(ours.split()), theirs=frozenset(theirs.split()))


CONTRACT = "pydantic pydantic_core annotated_types orjson"
"""pydantic, with what its own interface is made of, and orjson: all that the SDK installs."""
COMPUTATION = f"{CONTRACT} numpy pyarrow duckdb numba llvmlite cramjam msgspec"

SHIPPED_BY_SDK = (
    "core.bins core.events core.codec core.signals core.gauges core.reasons core.fields "
    "core.quick_check core.arrow_schema"
)

ROOMS = {
    "errors": _room(),
    "names": _room(),
    "kafka_security": _room(),
    "core": _room("", COMPUTATION),
    "ports": _room("core", "pyarrow"),
    "alert_ports": _room("core"),
    "query_ports": _room("core"),
    "testing": _room("core ports alert_ports query_ports", "numpy pyarrow"),
    "jobs": _room("core ports alert_ports query_ports", "numpy pyarrow"),
    "kafka": _room(
        "core ports jobs kafka_security",
        "faust mode aiokafka numpy numba cramjam pyarrow yarl confluent_kafka",
    ),
    "clickhouse": _room(
        "core ports query_ports schemas",
        "clickhouse_connect urllib3 chdb numpy pyarrow orjson aiohttp cramjam",
    ),
    "webhooks": _room("core alert_ports", f"{CONTRACT} aiohttp yarl jinja2 yaml"),
    "web": _room(
        "core alert_ports query_ports jobs",
        f"{CONTRACT} aiohttp fastapi starlette uvicorn",
    ),
    "slo_files": _room("core", "pydantic pydantic_core yaml"),
    "prices": _room("core", "genai_prices orjson yaml"),
    "schemas": _room(),
    "prometheus": _room("core ports alert_ports", "prometheus_client pyarrow"),
    "sdk": _room(f"{SHIPPED_BY_SDK} kafka_security", "orjson"),
    "simulate": _room("core sdk kafka_security", "numpy orjson"),
    "config": _room("core kafka_security"),
    "runtime": _room("*", "*"),
    "cli": _room("runtime config schemas prices core", "rich orjson"),
    "__main__": _room("cli"),
    "__init__": _room(),
}

NARROWER: dict[str, Room] = {
    # What the SDK ships must not pull in more than the contract itself needs.
    module: _room(SHIPPED_BY_SDK, CONTRACT)
    for module in SHIPPED_BY_SDK.split()
}

WIDER: dict[str, Room] = {
    "sdk.transport": _room("", "confluent_kafka"),
    # Installed by the extras `sdk` and `sdk-arrow`, imported where they are needed.
    "core.quick_check": _room("", "msgspec"),
    "core.arrow_schema": _room("", "pyarrow"),
    "sdk.columns": _room("", "msgspec pyarrow"),
    "sdk.client": _room("", "pyarrow"),
    "sdk.tables": _room("", "pyarrow"),
    "sdk.prometheus": _room("", "prometheus_client"),
    # A command that fronts one room imports it; what joins rooms goes through runtime.
    "cli.slo": _room("slo_files webhooks"),
    "cli.schema": _room("slo_files webhooks web"),
    "cli.token": _room("web"),
    "cli.sql": _room("clickhouse"),
    "cli.migrate": _room("clickhouse"),
    "cli.store_flags": _room("clickhouse"),
    "cli.topics": _room("kafka"),
    "cli.dev_kafka": _room("kafka"),
    "cli.simulate": _room("simulate sdk"),
}

ONLY_HERE = {
    # Each client library in one place, however wide the room is.
    "confluent_kafka": (
        "kafka.alert_producer",
        "kafka.embedded",
        "kafka.librdkafka_clients",
        "kafka.log_state",
        "kafka.partition_reader",
        "kafka.readiness",
        "kafka.record_sender",
        "kafka.topic_view",
        "kafka.topics",
        "sdk.transport",
    ),
    "prometheus_client": ("prometheus", "sdk.prometheus"),
    "pyarrow": (
        "core",
        "ports",
        "testing",
        "jobs",
        "kafka",
        "clickhouse",
        "prometheus",
        "runtime",
        "sdk.columns",
        # For the annotation of a caller's table.
        "sdk.client",
        "sdk.tables",
    ),
    "clickhouse_connect": ("clickhouse",),
    "chdb": ("clickhouse",),
    "faust": ("kafka",),
    "aiokafka": ("kafka",),
}


def modules() -> list[str]:
    return sorted(
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if "_schemas" not in path.parts
    )


def test_every_room_is_in_the_table() -> None:
    assert {module.partition(".")[0] for module in modules()} <= set(ROOMS)


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    path = (PACKAGE / module.replace(".", "/")).with_suffix(".py")
    forbidden = violations(module, imports(ast.parse(path.read_text(encoding="utf-8"))))
    assert not forbidden


def violations(module: str, imported: Iterable[str]) -> list[str]:
    """Return the imports that the table does not allow."""
    room = module.partition(".")[0]
    base = _within(module, NARROWER) or ROOMS[room]
    extra = _within(module, WIDER) or Room()
    ours = base.ours | extra.ours | EVERYBODY
    theirs = base.theirs | extra.theirs
    itself = "" if _within(module, NARROWER) else room
    return [
        name
        for name in imported
        if not (
            _is_ours_allowed(name, ours, itself)
            if name.partition(".")[0] == "inferometer"
            else _is_theirs_allowed(name, theirs, module)
        )
    ]


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of everything that a module imports, type checking included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _within(module: str, table: dict[str, Room]) -> Room | None:
    for prefix, room in table.items():
        if _is_under(module, prefix):
            return room
    return None


def _is_under(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(f"{prefix}.")


def _is_ours_allowed(name: str, ours: frozenset[str], itself: str) -> bool:
    inner = name.removeprefix("inferometer").removeprefix(".")
    if "*" in ours or inner == "__version__":
        return True
    return any(_is_under(inner, prefix) for prefix in {*ours, itself} if prefix)


def _is_theirs_allowed(name: str, theirs: frozenset[str], module: str) -> bool:
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names:
        return True
    homes = ONLY_HERE.get(top)
    if homes and not any(_is_under(module, home) for home in homes):
        return False
    return "*" in theirs or top in theirs


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("core.windows", "inferometer.clickhouse.store"),
        ("core.windows", "faust"),
        ("core.bins", "numpy"),
        ("core.bins", "inferometer.core.columns"),
        ("clickhouse.store", "inferometer.kafka.app"),
        ("jobs.chunk", "inferometer.clickhouse"),
        ("sdk.client", "confluent_kafka"),
        ("sdk.client", "inferometer.core.columns.EventColumns"),
        ("runtime", "faust"),
        ("config.areas", "inferometer.kafka.topics"),
        ("cli.replay", "inferometer.clickhouse.connect"),
        ("cli.sql", "inferometer.kafka.topics"),
        ("jobs.chunk", "chdb"),
        ("clickhouse.connect", "confluent_kafka"),
    ],
)
def test_the_table_forbids(module: str, imported: str) -> None:
    assert violations(module, [imported]) == [imported]


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("core.windows", "numpy"),
        ("core.bins", "inferometer.errors.DecodeError"),
        ("sdk.client", "inferometer.sdk.transport"),
        ("sdk.transport", "confluent_kafka.Producer"),
        ("runtime", "inferometer.clickhouse.store"),
        ("cli.main", "inferometer.__version__"),
    ],
)
def test_the_table_allows(module: str, imported: str) -> None:
    assert violations(module, [imported]) == []
