"""A backtest of SLO files against a store by address."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.clickhouse.slo_history import ClickHouseSloHistory
from inferometer.core.alerts.mute_json import maintenance_from
from inferometer.core.alerts.silences import MuteRefusedError
from inferometer.errors import ConfigError
from inferometer.jobs.backtest import Backtest
from inferometer.runtime.opened_store import opened_store
from inferometer.slo_files import load_slo_files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from inferometer.clickhouse.settings import StoreSettings
    from inferometer.core.alerts.maintenance import Maintenance
    from inferometer.jobs.backtest import BacktestOfSlo


def run_backtest(
    store: StoreSettings,
    files: Sequence[Path],
    *,
    since: datetime | None,
    until: datetime,
    progress: Callable[[str], None],
    maintenance: Path | None = None,
) -> dict[str, Any]:
    """Return `from`, `to`, `problems` of the files and, of each sound objective in `slos`, what it
    would have done.

    What maintenance windows of a file excluded does not count. `since` None, or an instant before the log begins, means where it begins.
    Raises ConfigError for the file of windows, StoreError, and StateError where the schema is not up to date, or an objective counts
    what the log cannot tell.
    """
    windows = () if maintenance is None else maintenance_of(maintenance)
    declared = load_slo_files(files)
    with opened_store(store) as connection:
        history = ClickHouseSloHistory(connection)
        oldest = history.oldest() or until
        begins = oldest if since is None else max(since, oldest)
        found = Backtest(history, progress, windows).run(declared.slos, since=begins, until=until)
    return {
        "from": begins,
        "to": until,
        "problems": [str(problem) for problem in declared.problems],
        "slos": [_as_dict(one) for one in found],
    }


def maintenance_of(path: Path) -> tuple[Maintenance, ...]:
    """Return the windows that `inferometer silence list --json` wrote. Raises ConfigError."""
    try:
        raw = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError([f"{path} cannot be read: {error}"]) from error
    found = raw.get("silences") if isinstance(raw, dict) else raw
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ConfigError(
            [f"{path} must hold what `inferometer silence list --expired --json` prints"]
        )
    windows = [each for each in found if each.get("kind", "maintenance") == "maintenance"]
    try:
        return tuple(maintenance_from(each, now_us=0, new_id="") for each in windows)
    except MuteRefusedError as error:
        raise ConfigError([f"{path}: {problem}" for problem in error.problems]) from error


def _as_dict(one: BacktestOfSlo) -> dict[str, Any]:
    found = asdict(one)
    for incident in found["incidents"]:
        incident["rules"] = sorted(incident["rules"])
        incident["severity"] = str(incident["severity"])
    return found
