"""Prints what a run of the suite found: tables of text, and the same as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.incidents.scoring import quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.incidents.scoring import Score, Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case, with what both systems did."""

    name: str
    truth: str
    expected_min: float | None
    clears_min: float | None
    """When the closed form has the last page pair clear after the end."""
    ours: Score
    reference: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something a scenario asserts apart from precision and recall."""

    scenario: str
    says: str
    is_reached: bool
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One row of the goals."""

    id: str
    says: str
    found: str
    is_reached: bool | None
    """None: not measured by this run."""

    @property
    def state(self) -> str:
        """Return it in words."""
        return {True: "reached", False: "NOT REACHED", None: "not measured"}[self.is_reached]


def minutes(value_s: float) -> str:
    """Return seconds as minutes with two digits, a dash for none."""
    return "-" if math.isnan(value_s) else f"{value_s / 60:.2f}"


def share(value: Share) -> str:
    """Return a share with its interval."""
    if not value.of:
        return "-"
    low, high = value.interval
    return f"{value.value:.3f} [{low:.3f}, {high:.3f}]"


def number(value: float) -> str:
    """Return a number with two digits, a dash for none."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return aligned columns."""
    lines = [tuple(header), *(tuple(row) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
             for line in lines]  # fmt: skip
    return "\n".join([texts[0], "-" * max(map(len, texts)), *texts[1:]])


SCORES = "precision", "recall", "any severity", "p50", "p95", "notices", "false/30d", "clear err"


def score_cells(score: Score, clears_min: float | None) -> list[str]:
    """Return the columns of one system."""
    wrong_by_s = [] if clears_min is None else [each - clears_min * 60 for each in score.clears_s]
    return [
        number(score.precision.value),
        number(score.recall.value),
        number(score.any_recall.value),
        minutes(quantile(score.detections_s, 0.5)),
        minutes(quantile(score.detections_s, 0.95)),
        number(score.notices_an_incident),
        number(score.false_pages_a_month),
        minutes(quantile(wrong_by_s, 0.5)),
    ]


def rows_table(rows: Sequence[Row]) -> str:
    """Return the table of all cases: ours in the first line of each, the reference below."""
    header = ("case", "truth", "closed form", "who", *SCORES)
    lines = []
    for row in rows:
        expected = "-" if row.expected_min is None else f"{row.expected_min:.2f}"
        lines.append((row.name, row.truth, expected, "ours",
                      *score_cells(row.ours, row.clears_min)))  # fmt: skip
        lines.append(("", "", "", "reference", *score_cells(row.reference, row.clears_min)))
    return table(header, lines)


def total_table(rows: Sequence[Row]) -> str:
    """Return what all cases add up to."""
    lines = []
    for who in ("ours", "reference"):
        scores = [getattr(row, who) for row in rows]
        total = sum(scores[1:], start=scores[0])
        lines.append((
            who, str(total.runs), share(total.precision), share(total.recall),
            share(total.any_recall), number(total.f1), number(total.notices_an_incident),
            number(total.false_pages_a_month),
        ))  # fmt: skip
    header = ("all cases", "runs", "precision", "recall", "any severity", "F1", "notices",
              "false pages/30d")  # fmt: skip
    return table(header, lines)


def checks_table(checks: Sequence[Check]) -> str:
    """Return what the scenarios assert."""
    header = ("scenario", "", "asserts", "found")
    return table(
        header,
        [(c.scenario, "ok" if c.is_reached else "FAILED", c.says, c.found) for c in checks],
    )


def targets_table(targets: Sequence[Target]) -> str:
    """Return every goal with its state."""
    rows = [(each.id, each.state, each.says, each.found) for each in targets]
    return table(("goal", "state", "says", "found"), rows)


def as_json(
    rows: Sequence[Row], checks: Sequence[Check], targets: Sequence[Target]
) -> dict[str, Any]:
    """Return the run as values of JSON."""
    return {
        "cases": [
            {"case": row.name, "truth": row.truth, "closed_form_min": row.expected_min,
             **{who: _score_json(getattr(row, who)) for who in ("ours", "reference")}}
            for row in rows
        ],
        "checks": [{"scenario": c.scenario, "says": c.says, "ok": c.is_reached, "found": c.found}
                   for c in checks],
        "targets": [{"id": t.id, "state": t.state, "says": t.says, "found": t.found}
                    for t in targets],
    }  # fmt: skip


def _score_json(score: Score) -> dict[str, Any]:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    return {
        "runs": score.runs,
        "precision": known(score.precision.value),
        "recall": known(score.recall.value),
        "recall_any_severity": known(score.any_recall.value),
        "detection_p50_s": known(quantile(score.detections_s, 0.5)),
        "detection_p95_s": known(quantile(score.detections_s, 0.95)),
        "detection_max_s": max(score.detections_s, default=None),
        "notices_an_incident": known(score.notices_an_incident),
        "false_pages_30d": known(score.false_pages_a_month),
    }


def recall_table(cells: Sequence[tuple[str, Score, Score]]) -> str:
    """Return recall and detection of both systems, by traffic and error ratio."""
    lines = [
        (name, share(ours.recall), share(theirs.recall), share(ours.any_recall),
         minutes(quantile(ours.detections_s, 0.5)), minutes(quantile(theirs.detections_s, 0.5)))
        for name, ours, theirs in cells
    ]  # fmt: skip
    header = ("cell", "pages, ours", "pages, reference", "any severity, ours", "p50, ours",
              "p50, reference")  # fmt: skip
    return table(header, lines)
