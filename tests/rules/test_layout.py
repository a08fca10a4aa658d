"""Where things stand, and how large they may grow."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON_FILES = sorted([*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("tests/**/*.py")])
MAX_LINES = 400
BANNED_STEMS = frozenset({"utils", "helpers", "common", "base", "manager", "misc"})

TOP_LEVEL = frozenset(
    {
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "deploy",
        "docker-compose.yml",
        "pipeline",
        "pyproject.toml",
        "requirements.lock",
        "schemas",
        "tests",
    }
)
MADE_BY_TARGETS = frozenset({"data", "dist"})
"""What a run leaves behind, none of it committed."""

TEXT_SUFFIXES = frozenset(
    {"", ".cfg", ".json", ".jsonl", ".lock", ".md", ".py", ".sql", ".toml", ".xml", ".yaml", ".yml"}
)
MACHINE_PATH = re.compile(r"(?<![\w.$}/-])/(?:home|root|work|Users|tmp)/[\w.-]+")
REGISTRY_HOST = re.compile(r"https?://[\w.-]+(?::\d+)?/(?:simple|artifactory|nexus|pypi)\b")


def test_the_top_level_holds_what_it_may() -> None:
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - MADE_BY_TARGETS <= TOP_LEVEL
    assert found >= TOP_LEVEL


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_stays_small(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES, "split it by reason to change"


def test_no_module_is_a_drawer_for_everything() -> None:
    assert [path for path in PYTHON_FILES if path.stem in BANNED_STEMS] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path
        for path in ROOT.glob("pipeline/**/*.py")
        if (text := path.read_text(encoding="utf-8")) and not text.startswith(('"""', 'r"""', "#!"))
    ]
    assert silent == []


def committed_texts() -> list[Path]:
    rooms = [path for name in TOP_LEVEL for path in (ROOT / name, *(ROOT / name).rglob("*"))]
    dotted = [ROOT / ".gitignore", ROOT / ".dockerignore", *(ROOT / ".ci").rglob("*")]
    return sorted(
        path
        for path in {*rooms, *dotted}
        if path.is_file() and path.suffix in TEXT_SUFFIXES and "__pycache__" not in path.parts
    )


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = []
    for path in committed_texts():
        text = path.read_text(encoding="utf-8", errors="replace")
        hits = [*MACHINE_PATH.findall(text), *REGISTRY_HOST.findall(text)]
        found += [f"{path.relative_to(ROOT)}: {hit}" for hit in hits]
    assert found == []


def test_the_sdk_extra_is_light() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    light = " ".join([*project["dependencies"], *project["optional-dependencies"]["sdk"]])
    assert not re.search("faust|chdb|clickhouse|numpy|pyarrow|numba", light)
