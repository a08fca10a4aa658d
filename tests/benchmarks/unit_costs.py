"""Brings measured figures into the package: `python -m tests.benchmarks.unit_costs [--write]`.

Reads what the parts have kept in results/ (run them with `--store` first, or `make bench`), shows
each figure beside the one that `inferometer size` uses, and with `--write` puts it there, with the
day of the measurement. Then: `inferometer size --markdown > deploy/sizing.md`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DATA = Path(__file__).parents[2] / "pipeline" / "inferometer" / "unit_costs.toml"
MIB = 1 << 20
_DISK = (
    ("requests", "log_row_bytes", "full"),
    ("service_10s_rows", "service_row_bytes", "value"),
    ("usage_1m_rows", "usage_row_bytes", "value"),
)


def main(argv: list[str]) -> int:
    """Show, and write if asked to."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.unit_costs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--write", action="store_true", help="change the package's figures")
    arguments = parser.parse_args(argv)
    text = DATA.read_text(encoding="utf-8")
    for (name, key), found in measured(RESULTS).items():
        print(
            f"{name:<22} {key:<6} {current(text, name, key):>10} -> {found.value:g} ({found.date})"
        )
        text = changed(text, name, key, found)
    if arguments.write:
        DATA.write_text(text, encoding="utf-8")
    return 0


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure as a part has found it."""

    value: float
    date: str
    source: str


def measured(results: Path) -> dict[tuple[str, str], Measured]:
    """Return each (figure, key) that the parts in a folder have measured."""
    found: dict[tuple[str, str], Measured] = {}
    facts, date = _facts(results / "scaling.json")
    if facts:
        source = "python -m tests.benchmarks.scaling"
        for name in ("worker_event_us", "wire_bytes", "broker_event_us"):
            found[name, "full"] = Measured(_rounded(facts[name]), date, source)
        for name in ("worker_chunk_ms", "store_chunk_ms", "worker_efficiency"):
            found[name, "value"] = Measured(_rounded(facts[name]), date, source)
        # A short run: what a day of merges adds is for part "store" to say.
        half = Measured(_rounded(facts["store_us"] / 2), date, f"{source}, half of the store's CPU")
        found["store_event_us", "full"] = found["store_merge_event_us", "full"] = half
    facts, date = _facts(results / "disk.json")
    for table, figure, key in _DISK:
        if table in facts:
            source = "python -m tests.benchmarks.disk"
            found[figure, key] = Measured(_rounded(facts[table]), date, source)
    facts, date = _facts(results / "memory.json")
    if facts:
        fullest = facts["fullest"]
        plain = _rounded((fullest["resident"] - fullest["hashes"]) / MIB)
        found["worker_memory_mib", "value"] = Measured(
            plain, date, "python -m tests.benchmarks.memory"
        )
    return found


def current(text: str, name: str, key: str) -> str:
    """Return a figure of the data file as it is written; empty where it has none."""
    matched = _place(name, key).search(text)
    return matched["value"] if matched else ""


def changed(text: str, name: str, key: str, found: Measured) -> str:
    """Return the data file with another value, date and source of a figure."""
    written = {key: f"{found.value:g}", "date": f'"{found.date}"', "source": f'"{found.source}"'}
    for place, value in written.items():
        text, count = _place(name, place).subn(lambda at, v=value: at["before"] + v, text)  # type: ignore[misc]
        if not count:
            raise LookupError(f"{DATA.name} has no {place} of {name}")
    return text


def _place(name: str, key: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<before>^\[{name}\]\n(?:[^\[\n].*\n)*?{key} = )(?P<value>.+)$", re.MULTILINE
    )


def _facts(path: Path) -> tuple[dict[str, Any], str]:
    """Return the figures of all tables of a result, and its day; nothing where there is none."""
    if not path.is_file():
        return {}, ""
    document = json.loads(path.read_text(encoding="utf-8"))
    facts: dict[str, Any] = {}
    for table in document["tables"]:
        facts |= table["facts"]
    return facts, document["conditions"]["date"]


def _rounded(value: float) -> float:
    """Return three digits; more would promise what no run repeats."""
    return float(f"{value:.3g}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
