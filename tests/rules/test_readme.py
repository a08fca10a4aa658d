"""The README names what a user meets: commands, targets, settings by section, relations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inferometer.cli.main import COMMANDS
from inferometer.config import AREAS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGETS = re.findall(
    r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
)
RELATIONS = ("requests", "service_10s", "service_1m", "service_1h", "usage_1m", "usage_1h")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_the_command(name: str) -> None:
    assert f"inferometer {name}" in README


@pytest.mark.parametrize("target", TARGETS)
def test_the_readme_names_the_target(target: str) -> None:
    assert f"make {target}" in README


@pytest.mark.parametrize("section", [area.SECTION for area in AREAS])
def test_the_readme_names_the_section_of_settings(section: str) -> None:
    assert f"`{section}`" in README or f"[{section}]" in README


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_readme_names_the_relation(relation: str) -> None:
    assert re.search(rf"\b{relation}\b", README)


def test_links_inside_the_repository_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
