"""What maintenance windows excluded counts neither live nor in a backtest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inferometer.core.alerts.maintenance import Effect, Maintenance
from inferometer.core.alerts.matchers import Matcher
from inferometer.core.slo.stored_counts import StoredCounts
from inferometer.jobs.backtest import Backtest
from tests.unit.jobs.alert_pipeline import START_S, chat_slo

if TYPE_CHECKING:
    from inferometer.core.slo.definitions import Slo

CELLS = 180
OUTAGE_S = START_S + 600
SINCE = datetime.fromtimestamp(START_S, UTC)


class Stored:
    """Half an hour of ten requests each ten seconds; all fail from the tenth minute on."""

    def counts(self, slo: Slo, *, since: datetime, until: datetime) -> StoredCounts:
        cells = START_S + 10 * np.arange(CELLS, dtype=np.int64)
        return StoredCounts(
            groups=(("m",),),
            group=np.zeros(CELLS, np.int32),
            cells_s=cells,
            totals=np.full(CELLS, 10, np.int64),
            bads=np.where(cells >= OUTAGE_S, 10, 0).astype(np.int64),
            lows=np.zeros(CELLS, np.int64),
            highs=np.ones(CELLS, np.int64),
        )

    def oldest(self) -> datetime | None:
        return SINCE


def maintenance(effect: Effect, model: str = "m") -> Maintenance:
    return Maintenance(
        id="w", matchers=(Matcher("model", model),), effect=effect, reason="upgrade",
        created_by="ci", updated_at_us=0, starts_at_us=OUTAGE_S * 1_000_000,
        ends_at_us=(OUTAGE_S + 7200) * 1_000_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("window", "failures", "pages"),
    [
        (None, 1200, 1),
        (maintenance(Effect.BOTH), 0, 0),
        (maintenance(Effect.EXCLUDE_FROM_BUDGET), 0, 0),
        (maintenance(Effect.MUTE), 1200, 1),
        (maintenance(Effect.BOTH, "other"), 1200, 1),
    ],
    ids=["no window", "both", "excludes", "mutes only", "of another model"],
)
def test_only_what_is_excluded_is_left_out_of_a_backtest(
    window: Maintenance | None, failures: int, pages: int
) -> None:
    job = Backtest(Stored(), lambda _: None, [] if window is None else [window])
    [found] = job.run([chat_slo()], since=SINCE, until=SINCE + timedelta(minutes=30))
    assert found.failures == failures
    assert sum(incident.severity == "page" for incident in found.incidents) == pages
