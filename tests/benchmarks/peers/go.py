"""Contestant: a hand-written Go consumer that aggregates in memory, the honest ceiling."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contestants import Contestant
from tests.benchmarks.environments import run_install
from tests.benchmarks.peers.building import BUILD, build_once, missing

if TYPE_CHECKING:
    from tests.benchmarks.contestants import Place

_FOLDER = Path(__file__).with_name("go_program")
_SOURCES = tuple(_FOLDER / name for name in ("go.mod", "go.sum", "main.go"))
_PROGRAM = "peer"
_REQUIRED = re.compile(r"^\t(\S+) (v\S+)$", re.MULTILINE)
_GO_VERSION = re.compile(r"^go (\S+)$", re.MULTILINE)


def _unavailable() -> str | None:
    version = _GO_VERSION.search(_SOURCES[0].read_text(encoding="utf-8"))
    return missing({"go": f"Go {version.group(1) if version else ''} or newer, from go.dev"})


def _build(folder: Path) -> None:
    run_install(["go", "build", "-trimpath", "-o", _PROGRAM, "."], cwd=folder)


def _command(place: Place) -> list[str]:
    return [
        str(place.installed / BUILD / _PROGRAM), "-servers", place.bootstrap_servers,
        "-topic", place.topic, "-events", str(place.events),
    ]  # fmt: skip


def _versions(installed: Path) -> dict[str, str]:
    # `//` after a version marks what is needed indirectly; those lines do not match.
    found = _REQUIRED.findall((installed / BUILD / "go.mod").read_text(encoding="utf-8"))
    return {path.rpartition("/")[2]: version for path, version in found}


CONTESTANTS = (
    Contestant(
        name="go_franz",
        title="Go, franz-go + go-json, hand-written",
        work="decodes the 7 fields it sums, skips the others; window sums and two sketches (DDSketch, "
        "0.5 %) in memory; no check, no deduplication, no price, no store",
        guarantee="none: maps in memory, commits nothing",
        late_data="kept: windows never close",
        settings="fetches of 8 MB a partition and 64 MB in all, 50 ms; CRC checked, as by default; "
        "goccy/go-json (faster here than sonic and encoding/json), cubic mapping and dense stores",
        unavailable=_unavailable,
        prepare=lambda installed: build_once(installed, _SOURCES, _build),
        command=_command,
        versions=_versions,
        shapes=("lean", "full"),
    ),
)
