"""Writes a suite to files: labels, counts per 10 seconds, and the events that add up to them.

The events are those of the published contract, so that the same traces can go through a broker.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from tests.incidents.generator import sample
from tests.incidents.labels import budget_label, ratio_label
from tests.incidents.scenario import CELL_S, ORIGIN_S, suite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.incidents.generator import Trace
    from tests.incidents.labels import Label
    from tests.incidents.scenario import Case

MICROSECONDS = 1_000_000
WORKSPACE, SERVICE, SLO_NAME = "acme", "chat-api", "chat-success"
USD_A_REQUEST = 0.002


def label_row(case: Case, label: Label) -> dict[str, Any]:
    """Return a label as `labels.json` has it."""
    return {
        "id": label.id,
        "slo": SLO_NAME,
        "group": {"model": model_of(case)},
        "start": label.starts_s,
        "end": label.ends_s,
        "family": label.family,
        "class": label.verdict,
        "true_share_1h": label.share_1h,
        "true_share_6h": label.share_6h,
        "true_share_3d": label.share_3d,
        "expected_bad_events": label.expected_bad,
        "expect": {"detect_min": case.detect_min, "rule": case.rule},
    }


def model_of(case: Case) -> str:
    """Return the model that stands for a case."""
    return case.key.lower().replace(" ", "-")


def count_rows(case: Case, trace: Trace) -> Iterator[dict[str, Any]]:
    """Yield counts per 10 seconds, those without a request left out."""
    for index in np.flatnonzero(trace.total).tolist():
        total = int(trace.total[index])
        yield {
            "t": ORIGIN_S + index * CELL_S,
            "slo": SLO_NAME,
            "group": {"model": model_of(case)},
            "total": total,
            "bad": int(trace.bad[index]),
            "cost_usd": round(total * USD_A_REQUEST, 6),
            "unique": total,
        }


def events(
    case: Case, trace: Trace, run: int, *, from_s: int = ORIGIN_S, until_s: int | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one event for each request of the cells that begin in [from_s, until_s), by end."""
    dice = np.random.default_rng([suite().seed, run, case.cells])
    first, last = ((s - ORIGIN_S) // CELL_S for s in (from_s, until_s or case.ends_s))
    for index in range(first, min(last, case.cells)):
        total, bad = int(trace.total[index]), int(trace.bad[index])
        ends = np.sort(dice.integers(0, CELL_S * MICROSECONDS, total))
        failing = set(dice.permutation(total)[:bad].tolist())
        callers = dice.integers(0, case.callers, total)
        begins_us = (ORIGIN_S + index * CELL_S) * MICROSECONDS
        for number, end in enumerate(ends.tolist()):
            name = f"{model_of(case)}-{run}-{index}-{number}"
            status = 500 if number in failing else 200
            yield _event(case, name, begins_us + end, status, f"user-{callers[number]}")


def _event(case: Case, name: str, ends_us: int, status: int, user: str) -> dict[str, Any]:
    return {
        "event_id": name,
        "request_id": name,
        "workspace_id": WORKSPACE,
        "ts": ends_us - 500_000,
        "ts_end": ends_us,
        "model": model_of(case),
        "provider": "example",
        "user_id": user,
        "status_code": status,
        "error_type": "server_error" if status >= 500 else "",
        "input_tokens": 200,
        "output_tokens": 100,
        "e2e_ms": 500.0,
    }


def write(folder: Path, cases: Iterable[Case], *, run: int, with_events: bool) -> list[Path]:
    """Write labels of both kinds and one run of each case; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = tuple(cases)
    written = []
    for name, judge in (("labels.json", ratio_label), ("labels_budget.json", budget_label)):
        rows = [label_row(case, judge(case)) for case in chosen]
        written.append(folder / name)
        written[-1].write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for case in chosen:
        trace = sample(case, run)
        written.append(_lines(folder / f"{model_of(case)}.counts.jsonl", count_rows(case, trace)))
        if with_events:
            rows_of = events(case, trace, run, from_s=case.evaluated_from_s)
            written.append(_lines(folder / f"{model_of(case)}.events.jsonl", rows_of))
    (folder / "suite.json").write_text(
        json.dumps({"run": run, "cases": [asdict(case) for case in chosen]}, default=str, indent=1),
        encoding="utf-8",
    )
    return written


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    with path.open("wb") as file:
        file.writelines(orjson.dumps(row) + b"\n" for row in rows)
    return path
