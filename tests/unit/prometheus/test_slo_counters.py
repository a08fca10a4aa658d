from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from inferometer.core.chunks import StreamPartition
from inferometer.core.slo.count_records import CountsRecord, encode_counts
from inferometer.core.slo.counting import CountTable, slo_digest
from inferometer.core.slo.definitions import Availability, Slo
from inferometer.errors import StoreError
from inferometer.prometheus import slo_counters
from inferometer.prometheus.slo_counters import SloCounters
from inferometer.testing.alerts import MemoryCounts

SLO = Slo(
    name="chat-ok", workspace="acme", service="chat", indicator=Availability(),
    objective=Decimal("0.999"), group_by=("model",),
)  # fmt: skip


def record(*counts: tuple[str, int, int], slo: Slo = SLO) -> tuple[int, bytes]:
    """Counts of (group, total, bad), each in a cell of its own."""
    table = CountTable(
        name=f"{slo.workspace}/{slo.name}",
        digest=slo_digest(slo),
        groups=tuple((group,) for group, _, _ in counts),
        group=np.arange(len(counts), dtype=np.int32),
        cells_s=np.arange(len(counts), dtype=np.int64) * 10,
        columns={
            "total": np.array([total for _, total, _ in counts], np.int64),
            "bad": np.array([bad for _, _, bad in counts], np.int64),
        },
    )
    value = CountsRecord(
        source=StreamPartition("inference.requests", 0, "stream"), first_offset=0, last_offset=9,
        watermark_us=1, partition_count=1, target=0, tables=(table,),
    )  # fmt: skip
    return 0, encode_counts(value)


def series(counters: SloCounters) -> set[str]:
    lines = counters.text().decode().splitlines()
    return {line for line in lines if not line.startswith("#")}


def test_what_is_published_is_added_up_by_objective_and_group() -> None:
    counters, inner = SloCounters([SLO]), MemoryCounts()
    output = counters.around(inner)
    output.publish([record(("m-a", 100, 3), ("m-b", 50, 0))])
    output.publish([record(("m-a", 1, 1))])
    assert series(counters) == {
        'inferometer_slo_valid_requests_total{model="m-a",slo="chat-ok",workspace="acme"} 101.0',
        'inferometer_slo_bad_requests_total{model="m-a",slo="chat-ok",workspace="acme"} 4.0',
        'inferometer_slo_valid_requests_total{model="m-b",slo="chat-ok",workspace="acme"} 50.0',
        'inferometer_slo_bad_requests_total{model="m-b",slo="chat-ok",workspace="acme"} 0.0',
    }
    assert len(inner.partitions[0]) == 2


def test_what_was_not_published_is_not_counted() -> None:
    counters, inner = SloCounters([SLO]), MemoryCounts()
    inner.fail_next(StoreError("away", retryable=True))
    with pytest.raises(StoreError):
        counters.around(inner).publish([record(("m-a", 1, 1))])
    assert series(counters) == set()


def test_counts_of_a_budget_or_of_a_former_definition_are_left_out() -> None:
    counters = SloCounters([SLO])
    former = replace(SLO, indicator=Availability(bad=frozenset({"5xx"})))
    counters.add(
        [record(("m-a", 1, 1), slo=former), record(("m", 1, 1), slo=replace(SLO, name="x"))]
    )
    assert series(counters) == set()


def test_groups_beyond_the_limit_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slo_counters, "MAX_GROUPS", 2)
    counters = SloCounters([SLO])
    counters.add([record(*((f"m-{i}", 1, 0) for i in range(5)))])
    assert 'inferometer_slo_valid_requests_total{model="__other__",slo="chat-ok",workspace="acme"} 3.0' in series(counters)  # fmt: skip
    assert len(series(counters)) == 6
