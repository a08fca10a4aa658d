"""A backtest of SLO files against a store by address."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.slo_history import ClickHouseSloHistory
from inferometer.jobs.backtest import Backtest
from inferometer.runtime.opened_store import opened_store
from inferometer.slo_files import load_slo_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from inferometer.clickhouse.settings import StoreSettings
    from inferometer.jobs.backtest import BacktestOfSlo


def run_backtest(
    store: StoreSettings,
    files: Sequence[Path],
    *,
    since: datetime | None,
    until: datetime,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """Return `from`, `to`, `problems` of the files and, of each sound objective in `slos`, what it
    would have done.

    `since` None, or an instant before the log begins, means where it begins.
    Raises StoreError, and StateError where the schema is not up to date, or an objective counts
    what the log cannot tell.
    """
    declared = load_slo_files(files)
    with opened_store(store) as connection:
        history = ClickHouseSloHistory(connection)
        oldest = history.oldest() or until
        begins = oldest if since is None else max(since, oldest)
        found = Backtest(history, progress).run(declared.slos, since=begins, until=until)
    return {
        "from": begins,
        "to": until,
        "problems": [str(problem) for problem in declared.problems],
        "slos": [_as_dict(one) for one in found],
    }


def _as_dict(one: BacktestOfSlo) -> dict[str, Any]:
    found = asdict(one)
    for incident in found["incidents"]:
        incident["rules"] = sorted(incident["rules"])
        incident["severity"] = str(incident["severity"])
    return found
