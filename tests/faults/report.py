"""What a run came to: one table for people, one JSON line for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from tests.faults.effects import RANDOM

if TYPE_CHECKING:
    from rich.console import Console

    from tests.faults.run import Outcome


def show(outcome: Outcome, console: Console) -> None:
    """Print the table, and what is off."""
    table = Table(title="lost and doubled, by table")
    for name in ("table", "expected", "found", "groups", "lost", "doubled", "wrong"):
        table.add_column(name, justify="left" if name == "table" else "right", no_wrap=True)
    for each in outcome.verdicts:
        numbers = (
            each.expected, each.found, each.groups or "", each.lost, each.doubled, each.wrong
        )  # fmt: skip
        style = "" if each.is_exact else "red"
        table.add_row(
            each.name, *(f"{n:,}" if isinstance(n, int) else n for n in numbers), style=style
        )
    table.add_section()
    for name, value in rows_of_faults(outcome):
        table.add_row(name, value)
    console.print(table)
    for each in outcome.verdicts:
        for example in each.examples:
            console.print(f"{each.name}: {example}", soft_wrap=True)
    for problem in outcome.problems:
        console.print(f"problem: {problem}", soft_wrap=True)


def rows_of_faults(outcome: Outcome) -> list[tuple[str, str]]:
    """Return injected and effective faults, a row each."""
    effects = outcome.effects
    share = effects.kills_with_open_chunk / max(1, effects.kills)
    counts = {
        **{f"injected: {name}": count for name, count in sorted(outcome.injected.items())},
        "worker kills": effects.kills,
        "  that left an open chunk": effects.kills_with_open_chunk,
        "  at so many named steps": len(effects.kills_by_step.keys() - {RANDOM}),
        "generations of the group": effects.generations,
        "chunks open at take-over": effects.open_at_take_over,
        "commits fenced": effects.commits_fenced,
        "inserts": effects.inserts,
        "inserts that failed": effects.inserts_failed,
        "inserts repeated": effects.inserts_repeated,
        "tokens that met themselves": effects.tokens_met,
        "blocks the store deduplicated": effects.blocks_deduplicated,
        "inserts after a take-over": effects.late_inserts,
    }
    seconds = {
        **{f"take-over, {name}": value for name, value in effects.take_over_s.items()},
        "longest gap of a partition": effects.longest_gap_s,
    }
    if effects.recovery_s:
        seconds["at full rate after a lone kill"] = max(effects.recovery_s)
    return [
        *((name, f"{count:,}") for name, count in counts.items()),
        ("kills with an open chunk", f"{share:.0%}"),
        *((name, f"{value:.1f} s") for name, value in seconds.items()),
    ]


def json_line(outcome: Outcome) -> str:
    """Return everything on one line."""
    return json.dumps(
        {
            "exact": outcome.is_exact,
            "lost": outcome.lost,
            "doubled": outcome.doubled,
            "wrong": sum(each.wrong for each in outcome.verdicts),
            "seed": outcome.plan.seed,
            "without": outcome.plan.without,
            "sent": outcome.sent,
            "injected": dict(sorted(outcome.injected.items())),
            "effects": asdict(outcome.effects),
            "tables": {
                each.name: {
                    "expected": each.expected, "found": each.found, "lost": each.lost,
                    "doubled": each.doubled, "wrong": each.wrong, "groups": each.groups,
                }
                for each in outcome.verdicts
            },
            "seconds": outcome.seconds,
            "problems": outcome.problems,
            "audit": _audit(outcome),
        }
    )  # fmt: skip


def _audit(outcome: Outcome) -> dict[str, object]:
    """Return what the product's audit found, without the account of each partition."""
    kept = ("ok", "totals", "differences_total", "differences", "error")
    return {name: outcome.audit[name] for name in kept if name in outcome.audit}
