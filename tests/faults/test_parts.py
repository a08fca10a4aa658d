"""The harness itself: its oracle, its timetable, its proxy and its way to die."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from http.client import HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inferometer.core import bins, codec
from inferometer.core.door import DoorPolicy, check_event
from inferometer.errors import DecodeError
from tests.faults import oracle, trace
from tests.faults.oracle import RELATIONS, Relation
from tests.faults.schedule import LONG, SHORT, Kind, timetable
from tests.faults.steps import RARE_STEPS, STEPS, Fate
from tests.faults.store_proxy import AFTER_COMMIT, Spoil, StoreProxy
from tests.faults.topic import parse_ids
from tests.faults.trace import Trace, is_at_work, read_trace
from tests.faults.traffic import MODELS, PROVIDERS, RATES, Columns, disturb, make_block
from tests.faults.wire import POISON_KINDS, Writer, poison
from tests.oracle.account import Group, account

BASE_US = 1_790_000_000_000_000


@pytest.fixture(scope="module")
def columns() -> Columns:
    return Columns.concatenate([make_block(3, 1, block, BASE_US) for block in range(4)])


@pytest.fixture(scope="module")
def events(columns: Columns) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in Writer().records(columns)]


def rates() -> dict[tuple[str, str], dict[str, Decimal]]:
    return {
        (PROVIDERS[MODELS.index(model)], model): {
            unit: Decimal(usd) for unit, usd in prices.items()
        }
        for model, prices in RATES.items()
    }


@pytest.mark.parametrize("relation", RELATIONS, ids=lambda relation: relation.table)
def test_both_oracles_agree_on_every_group(
    columns: Columns, events: list[dict[str, Any]], relation: Relation
) -> None:
    found = oracle.expected(columns, relation)
    wanted = account(events, window_s=relation.window_s, names=relation.dimensions, prices=rates())
    assert len(found.keys) == len(wanted)
    for (window, *values), group in wanted.items():
        places = [
            np.array([oracle.VALUES[name].index(str(value))])
            for name, value in zip(relation.dimensions, values, strict=True)
        ]
        windows = np.array([window // relation.window_s])
        [key] = oracle.pack(windows, places, relation.dimensions)
        [row] = np.flatnonzero(found.keys == key)
        assert_equal({name: int(v[row]) for name, v in found.measures.items()}, group)


def assert_equal(found: dict[str, int], group: Group) -> None:
    for name in set(found) & set(group.counts):
        assert found[name] == group.counts[name], name
    assert found["cost_usd"] == group.cost_usd * 10**12
    for name in ("queue", "ttft", "e2e", "tpot"):
        values = group.durations_us.get(name, [])
        assert found[f"{name}_count"] == found[f"{name}_bins"] == len(values)
        assert found[f"{name}_us_sum"] == sum(values)
        prints = oracle.fingerprints(np.array([bins.bin_of_us(v) for v in values], np.int64))
        assert np.int64(found[f"{name}_print"]) == prints.sum(dtype=np.uint64).view(np.int64)


def test_every_event_is_one_that_the_contract_accepts(columns: Columns) -> None:
    policy = DoorPolicy(BASE_US, 14 * 86_400 * 10**6, 1_000_000)
    for record in Writer().records(columns):
        assert check_event(codec.decode(record.value), policy) is None


@pytest.mark.parametrize("draw", range(len(POISON_KINDS)), ids=POISON_KINDS)
def test_every_poison_is_one_that_the_door_refuses(draw: int) -> None:
    bad = poison(1, 7, draw, BASE_US)
    if bad.content_type != "application/json":
        return
    policy = DoorPolicy(BASE_US, 14 * 86_400 * 10**6, 300 * 10**6)
    try:
        event = codec.decode(bad.value)
    except DecodeError:
        return
    assert check_event(event, policy) is not None


def test_a_block_is_the_same_however_often_it_is_made() -> None:
    first, second = (make_block(5, 0, 9, BASE_US) for _ in range(2))
    assert list(Writer().records(first)) == list(Writer().records(second))
    assert disturb(5, 0, 9) == disturb(5, 0, 9)
    assert disturb(5, 0, 9) != disturb(5, 1, 9)


def test_an_id_tells_its_producer_and_number(
    columns: Columns, events: list[dict[str, Any]]
) -> None:
    producers, numbers = parse_ids(np.array([e["event_id"] for e in events], "S20"))
    assert (producers == columns.producer).all()
    assert (numbers == columns.number).all()


def test_one_value_in_another_bin_changes_the_fingerprint() -> None:
    values = np.array([1000, 2000, 3000])
    moved = np.array([1000, 2000, 3100])
    assert oracle.bins_of(values).tolist() != oracle.bins_of(moved).tolist()
    prints = [oracle.fingerprints(oracle.bins_of(v)).sum() for v in (values, moved)]
    assert prints[0] != prints[1]


def test_the_timetable_follows_from_the_seed() -> None:
    tables = [timetable(seed, minutes=3.0, mix=SHORT, session_timeout_s=6.0) for seed in (1, 1, 2)]
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]


def test_the_long_run_reaches_every_number_that_is_asked_for() -> None:
    table = timetable(1, minutes=40.0, mix=LONG, session_timeout_s=6.0)
    counts = {kind: sum(fault.kind is kind for fault in table) for kind in Kind}
    assert counts[Kind.KILL] + counts[Kind.STEP] >= 200
    assert min(counts[kind] for kind in (Kind.BROKER, Kind.STORE, Kind.FREEZE)) >= 20


@pytest.mark.parametrize("seed", range(5))
def test_the_short_run_has_every_kind_every_step_and_every_spoiled_insert(seed: int) -> None:
    table = timetable(seed, minutes=3.0, mix=SHORT, session_timeout_s=6.0)
    assert {fault.kind for fault in table} == set(Kind)
    assert {fault.detail for fault in table if fault.kind is Kind.SPOIL} == set(Spoil)
    steps = [fault.detail for fault in table if fault.kind is Kind.STEP]
    assert len(set(steps)) == min(len(steps), len(STEPS) + len(RARE_STEPS))
    assert [fault.wave for fault in table] == sorted(fault.wave for fault in table)
    assert all(fault.lasts_s > 6.0 for fault in table if fault.kind is Kind.FREEZE)


def test_a_fate_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "worker.fate"
    assert Fate.read(path) is None
    fate = Fate("during:insert:requests", 2, 0.015)
    fate.write(path)
    assert Fate.read(path) == fate


def test_a_trace_that_was_cut_off_loses_its_last_line_only(tmp_path: Path) -> None:
    path = tmp_path / "worker.trace"
    lines = Trace(path)
    lines.write(trace.INTENT, 3, 10, 19)
    lines.write(trace.INSERT, 3, 10, 19, "requests")
    assert is_at_work(path)
    with path.open("ab") as file:
        file.write(b"12.5 stored 3")
    assert [line.kind for line in read_trace(path)] == [trace.INTENT, trace.INSERT]


class _Store(http.server.BaseHTTPRequestHandler):
    """Remembers what was inserted."""

    protocol_version = "HTTP/1.1"
    inserted: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) == int(self.headers["Content-Length"]):
            self.inserted.append(body)
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"Ok.")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    """Says nothing of answers that nobody waits for any more."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Go on."""


@pytest.fixture
def inserted() -> list[bytes]:
    return []


@pytest.fixture
def proxy(inserted: list[bytes]) -> Iterator[StoreProxy]:
    handler = type("Handler", (_Store,), {"inserted": inserted})
    server = _Server(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    running = StoreProxy(server.server_address[1])
    running.start()
    yield running
    running.close()
    server.shutdown()
    server.server_close()


def insert(proxy: StoreProxy, body: bytes) -> int:
    """Return the status of an insert; 0 where no answer came."""
    url = f"http://127.0.0.1:{proxy.port}/?query=INSERT&insert_deduplication_token=t"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60.0) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except (OSError, HTTPException):
        return 0


def test_an_insert_passes_where_none_is_to_be_spoiled(
    proxy: StoreProxy, inserted: list[bytes]
) -> None:
    assert insert(proxy, b"rows") == 200
    assert inserted == [b"rows"]


@pytest.mark.parametrize("spoil", list(Spoil))
def test_a_spoiled_insert_fails_and_is_stored_only_after_the_commit(
    proxy: StoreProxy, inserted: list[bytes], spoil: Spoil
) -> None:
    proxy.order(spoil, hold_s=0.1)
    assert insert(proxy, b"rows" * 1000) in {0, 500}
    stored = [b"rows" * 1000] if spoil in AFTER_COMMIT else []
    deadline = time.monotonic() + 60.0
    while inserted != stored and time.monotonic() < deadline:
        time.sleep(0.01)
    assert inserted == stored
    assert insert(proxy, b"next") == 200
    assert proxy.done[spoil] == 1
