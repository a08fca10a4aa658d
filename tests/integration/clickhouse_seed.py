"""A small fleet in a fresh embedded store: its events one by one, and their scattered delta rows."""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from inferometer.clickhouse.alert_history import ClickHouseAlertHistory
from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.core.bins import bin_of_us
from inferometer.core.cubes import CLASS_MEASURES, CUBES, SKETCHES, Cube, Resolution, rows_table
from inferometer.core.events import status_class
from tests.integration.alert_seed import ATTEMPTS, HISTORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Event = dict[str, Any]

MODELS = {"llama-70b": "vllm", "gpt-x": "openai", "sdxl": "", "whale-tts": "acme"}
EVENTS = 300
CHUNKS = 7
SPAN_S = 7200


@dataclass(frozen=True)
class Seed:
    """An open store and the events behind it."""

    connection: StoreConnection
    events: list[Event]

    def rows(self, text: str) -> list[dict[str, Any]]:
        """Return the answer to a query as dictionaries."""
        return list(self.connection.reader().query(text, tz_mode="aware").named_results())


@contextmanager
def seeded_store(folder: Path) -> Iterator[Seed]:
    """Open a fresh store in a folder, fill it, and leave its rows unmerged."""
    # Whole hours of the recent past: rows beyond the retention of a table are dropped at once.
    now = datetime.now(tz=UTC).replace(minute=0, second=0, microsecond=0)
    events = make_events(now - timedelta(hours=3))
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        for table in ("service_10s_rows", "service_1m_rows", "usage_1m_rows"):
            connection.client().command(f"SYSTEM STOP MERGES {table}")
        _fill(ClickHouseChunkStore(connection), events, now)
        history = ClickHouseAlertHistory(connection)
        history.keep_transitions(HISTORY, token="transitions")
        history.keep_attempts(ATTEMPTS, token="attempts")
        yield Seed(connection, events)


def make_events(start: datetime) -> list[Event]:
    """Return the fleet's attempts, with exact integer microseconds and pico-dollars."""
    chance = random.Random(7)
    return [_event(number, start, chance) for number in range(EVENTS)]


def _event(number: int, start: datetime, chance: random.Random) -> Event:
    model = chance.choice(list(MODELS))
    status = chance.choices([200, 400, 429, 499, 503, 302], [80, 4, 6, 3, 5, 2])[0]
    is_image = model == "sdxl"
    answered = status in {200, 499}
    us = {name: chance.randrange(1, 40_000_000) for name in ("ttft", "e2e", "queue", "tpot")}
    durations = {} if not answered else {**us, "ttft": min(us["ttft"], us["e2e"])}
    # Edges of the sketch: zero, one, and a value that a bin ends with.
    if number < 3 and answered:
        durations["ttft"] = (0, 1, 10_000)[number]
    return {
        "number": number,
        "ts_end": start + timedelta(microseconds=chance.randrange(SPAN_S * 1_000_000)),
        "model": model,
        "provider": MODELS[model],
        "model_type": "image" if is_image else "text",
        "workspace_id": chance.choice(["", "acme"]),
        "user_id": f"user-{chance.randrange(9)}",
        "team_id": chance.choice(["red", "blue"]),
        "status_code": status,
        "error_type": "" if status == 200 else f"e{status}",
        "is_final": chance.random() > 0.1,
        "tokens": (chance.randrange(5000), chance.randrange(900)) if answered else (0, 0),
        "cache_read": chance.randrange(100),
        "images": 2 if is_image and status == 200 else 0,
        "audio_out_us": 1_500_000 if model == "whale-tts" and status == 200 else 0,
        "pico": chance.randrange(10**10),
        "is_unpriced": model == "whale-tts",
        "durations": durations,
    }


def _fill(store: ClickHouseChunkStore, events: list[Event], now: datetime) -> None:
    for chunk in range(CHUNKS):
        part = events[chunk::CHUNKS]
        token = f"run/0/{chunk}-{chunk}"
        store.insert(table="requests", rows=_log(part), token=f"{token}/requests")
        for cube in CUBES:
            for resolution in cube.resolutions:
                table = rows_table(cube, resolution)
                store.insert(table=table, rows=_deltas(part, cube, resolution), token=token + table)
    _fill_state(store, now)


def _log(events: list[Event]) -> pa.Table:
    def column(name: str) -> pa.Array:
        return pa.array([event[name] for event in events])

    def ms(name: str) -> pa.Array:
        values = [event["durations"].get(name) for event in events]
        return pa.array(
            [None if v is None else Decimal(v).scaleb(-3) for v in values], pa.decimal64(18, 3)
        )

    return pa.table(
        {
            "event_id": [f"event-{event['number']}" for event in events],
            "request_id": [f"request-{event['number'] // 2}" for event in events],
            "ts_end": pa.array([e["ts_end"] for e in events], pa.timestamp("us", tz="UTC")),
            **{
                name: column(name).dictionary_encode()
                for name in ("model", "provider", "model_type", "workspace_id", "user_id")
            },
            "team_ids": [[event["team_id"]] for event in events],
            "metadata": pa.array(
                [[("plan", "pro")]] * len(events), pa.map_(pa.string(), pa.string())
            ),
            "status_code": column("status_code"),
            "status_class": [status_class(event["status_code"]) for event in events],
            "error_type": column("error_type"),
            "is_final": column("is_final"),
            "input_tokens": [event["tokens"][0] for event in events],
            "output_tokens": [event["tokens"][1] for event in events],
            "ttft_ms": ms("ttft"),
            "e2e_ms": ms("e2e"),
            "price_cost": pa.array(
                [Decimal(e["pico"]).scaleb(-12) for e in events], pa.decimal64(18, 12)
            ),
            "cost_status": ["unpriced" if e["is_unpriced"] else "priced" for e in events],
            "kafka_topic": ["inference.requests"] * len(events),
            "stream_id": ["run"] * len(events),
            "kafka_offset": column("number"),
        }
    )


def _deltas(events: list[Event], cube: Cube, resolution: Resolution) -> pa.Table:
    """Return one delta row an event: what a merge or a view has to sum up."""
    rows = [_delta(event, cube, resolution) for event in events]
    bins = pa.map_(pa.int16(), pa.uint64())
    columns = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        kind = bins if name.endswith("_bins") else None
        columns[name] = pa.array(values, pa.decimal128(38, 12) if name == "cost_usd" else kind)
    return pa.table(columns)


def _delta(event: Event, cube: Cube, resolution: Resolution) -> dict[str, Any]:
    final = int(event["is_final"])
    durations = event["durations"] if final else {}
    group = {**event, "status_class": status_class(event["status_code"])}
    counted = CLASS_MEASURES[group["status_class"]]
    return {
        "window_start": window_of(event, resolution.seconds),
        **{d.name: group[d.name] for d in cube.dimensions if d.name in group},
        "attempts": 1,
        "requests": final,
        **{name: final if name == counted else 0 for name in CLASS_MEASURES.values()},
        "input_tokens": event["tokens"][0],
        "output_tokens": event["tokens"][1],
        "cache_read_tokens": event["cache_read"],
        "images": event["images"],
        "audio_out_us": event["audio_out_us"],
        "cost_usd": Decimal(event["pico"]).scaleb(-12),
        "unpriced_requests": int(event["is_unpriced"]),
        **{f"{name}_us_sum": durations.get(name, 0) for name in SKETCHES},
        **{f"{name}_count": int(name in durations) for name in SKETCHES},
        **{
            f"{name}_bins": [(bin_of_us(durations[name]), 1)] if name in durations else []
            for name in SKETCHES
        },
    }


def window_of(event: Event, seconds: int) -> datetime:
    """Return the start of the window that an event ends in."""
    instant: datetime = event["ts_end"]
    return datetime.fromtimestamp(int(instant.timestamp()) // seconds * seconds, tz=UTC)


def _fill_state(store: ClickHouseChunkStore, now: datetime) -> None:
    instant = pa.timestamp("us", tz="UTC")

    def watermarks(stream: str, minutes: list[int], updated: datetime) -> pa.Table:
        count = len(minutes)
        return pa.table(
            {
                "stream_id": [stream] * count,
                "kafka_topic": ["inference.requests"] * count,
                "kafka_partition": pa.array(range(count), pa.uint32()),
                "watermark": pa.array(
                    [now - timedelta(minutes=m, seconds=5) for m in minutes], instant
                ),
                "updated_at": pa.array([updated] * count, instant),
            }
        )

    # An earlier run of the embedded broker, then this one; its first rows come last.
    store.insert(
        table="watermarks", rows=watermarks("old", [600, 600], now - timedelta(hours=9)), token="w0"
    )
    store.insert(table="watermarks", rows=watermarks("run", [10, 20], now), token="w1")
    store.insert(
        table="watermarks",
        rows=watermarks("run", [30, 40], now - timedelta(minutes=1)),
        token="w2",
    )
    letters = pa.table(
        {
            "reason": ["invalid_json", "invalid_json", "wrong_type"],
            "kafka_topic": ["inference.requests"] * 3,
            "kafka_offset": [7, 8, 9],
            "decided_at": pa.array([now] * 3, instant),
            "value": [b"{", b"\xff", b'{"model":1}'],
        }
    )
    store.insert(table="dead_letters", rows=letters, token="letters")
    ledger = pa.table(
        {
            "stream_id": ["run"],
            "kafka_topic": ["inference.requests"],
            "first_offset": [0],
            "last_offset": [EVENTS - 1],
            "records": [EVENTS + 3],
            "events": [EVENTS + 3],
            "stored": [EVENTS],
            "dead": [3],
            "decided_at": pa.array([now + timedelta(seconds=1)], instant),
        }
    )
    store.insert(table="chunk_ledger", rows=ledger, token="ledger")
