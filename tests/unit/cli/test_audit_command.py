"""`inferometer audit` as people see it: wrong use, and why a fix did nothing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from inferometer.cli.audit import print_report
from inferometer.core.audit_report import AuditReport
from inferometer.core.audit_spans import Slice
from inferometer.core.conservation import Difference, Kind, Skipped, SkipReason

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Run


def test_a_span_that_ends_before_it_begins_proves_nothing(run: Run, tmp_path: Path) -> None:
    outcome = run("audit", "--data", str(tmp_path), "--from", "1h", "--to", "2h")
    assert (outcome.code, outcome.out) == (2, "")
    assert "--to lies before --from" in outcome.err


def test_a_fix_that_mended_nothing_says_why_and_what_next() -> None:
    report = AuditReport(Slice(0, 3600))
    report.add(Difference(kind=Kind.LOG_ROWS, expected="5 rows", found="4 rows"))
    report.skipped.append(Skipped(reason=SkipReason.LOG_IN_DOUBT, table="requests"))
    out = io.StringIO()
    print_report(report, out)
    lines = out.getvalue().splitlines()
    [said] = [line for line in lines if line.startswith("nothing mended: the log lacks rows")]
    assert "--from and --to" in said
    assert lines[-1] == "NOT conserved"
