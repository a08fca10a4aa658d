"""Two workspaces behind one served API, each with marks of its own, asked over real HTTP."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from inferometer.clickhouse.connect import StoreConnection
from inferometer.clickhouse.migrations import migrate
from inferometer.clickhouse.query_store import ClickHouseQueryStore
from inferometer.clickhouse.settings import StoreSettings
from inferometer.clickhouse.store import ClickHouseChunkStore
from inferometer.config import WebConfig
from inferometer.core.chunks import Chunk, StreamPartition
from inferometer.core.price_book import PriceBook
from inferometer.core.records import RecordColumns
from inferometer.core.resumption import GroupPosition
from inferometer.jobs.answer_alerts import AnswerAlerts
from inferometer.jobs.process_chunk import ProcessChunk
from inferometer.jobs.sink_policy import SinkPolicy
from inferometer.prometheus.web_metrics import WebMetrics
from inferometer.runtime.web_app import web_app
from inferometer.testing.incidents import MemoryIncidentRecords, MemorySilenceDesk
from inferometer.testing.leases import CertainLease
from inferometer.testing.query_store import MemoryQueryStore
from inferometer.web.identity.roles import Role
from inferometer.web.identity.token_book import TokenBook
from inferometer.web.identity.tokens_file import MemoryTokens
from inferometer.web.listener import HttpListener

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from inferometer.query_ports import QueryStore

OURS, THEIRS = "acme", "globex"
MARK = "zzmark"
"""In every text of the other workspace's data, and nowhere else."""
TIMEOUT_S = 120.0


def _now() -> datetime:
    """Return the instant, asked when a world is made: the live view shows five minutes."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Said:
    """An answer, its body as it is after decompression."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class World:
    """A served API; `move` sets its clock forward."""

    port: int
    book: TokenBook
    incidents: dict[str, str]
    """The id of an incident by workspace."""
    silences: dict[str, str] = field(default_factory=dict)
    offset: timedelta = timedelta(0)
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The newest event is of half a minute before."""
    is_stored: bool = False
    """Whether a store of ours answers, not the fake."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def token(self, role: Role = Role.VIEWER, workspace: str | None = OURS) -> str:
        issued = self.book.create(
            name=f"{role} of {workspace}", role=role, workspace=workspace, expires_at=None
        )
        return issued.text

    def ask(
        self,
        method: str,
        target: str,
        token: str = "",
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Said:
        """Send one request over a connection of its own; of a stream return the first event."""
        sent = {"Accept-Encoding": "gzip", **(headers or {})}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request(method, target, body=data, headers=sent)
            answer = connection.getresponse()
            is_stream = (answer.headers["content-type"] or "").startswith("text/event-stream")
            read = _first_event(answer) if is_stream else answer.read()
            if answer.headers["content-encoding"] == "gzip":
                read = gzip.decompress(read)
            received = {name.lower(): text for name, text in answer.getheaders()}
            return Said(answer.status, received, read)


def _first_event(answer: http.client.HTTPResponse) -> bytes:
    read = b""
    while b"data:" not in read or not read.endswith(b"\n\n"):
        piece = answer.read1(65_536)
        if not piece:
            break
        read += piece
    return read


def log_rows(workspace: str, mark: str) -> list[dict[str, Any]]:
    """Return rows of the log whose every text carries a mark."""
    return [
        {
            "request_id": f"{mark}-request-{number}",
            "event_id": f"{mark}-event-{number}",
            "ts_end": _now() - timedelta(seconds=30 + number),
            "workspace_id": workspace,
            "model": f"{mark}-model",
            "provider": f"{mark}-provider",
            "user_id": f"{mark}-user",
            "team_id": f"{mark}-team",
            "region": f"{mark}-region",
            "error_type": f"{mark}-error" if number % 3 == 0 else "",
            "status_code": 500 if number % 3 == 0 else 200,
            "input_tokens": 10,
            "output_tokens": 5,
            "e2e_ms": 120.0,
            "ttft_ms": 40.0,
            "cost_usd": Decimal("0.001"),
            "metadata": {f"{mark}-key": f"{mark}-value"},
        }
        for number in range(30)
    ]


def incident(workspace: str, mark: str) -> dict[str, Any]:
    """Return a row of the view `incidents`."""
    return {
        "incident_id": f"{mark}-incident",
        "workspace_id": workspace,
        "service": f"{mark}-service",
        "slo": f"{mark}-slo",
        "family": "slo",
        "labels": {"workspace": workspace, "slo": f"{mark}-slo", "service": f"{mark}-service"},
        "severity": "page",
        "starts_at": _now() - timedelta(minutes=5),
        "detected_at": _now() - timedelta(minutes=4),
        "resolved_at": None,
        "resolve_reason": "",
        "episodes": 1,
        "rules": ["page-fast"],
        "peak_burn": 20.0,
        "was_suppressed": False,
        "notices_delivered": 1,
        "pages_delivered": 1,
        "first_delivered_at": _now() - timedelta(minutes=4),
        "notices_dead": 0,
    }


def silence(workspace: str, mark: str) -> dict[str, Any]:
    """Return the body of a silence of a workspace."""
    return {
        "matchers": [
            {"name": "workspace", "value": workspace, "isRegex": False, "isEqual": True},
            {"name": "slo", "value": f"{mark}-slo", "isRegex": False, "isEqual": True},
        ],
        "startsAt": _now().isoformat(),
        "endsAt": (_now() + timedelta(hours=1)).isoformat(),
        "comment": f"{mark} is known",
    }


class States:
    """An AlertStatus of both workspaces."""

    def rows(self) -> list[dict[str, Any]]:
        """Return a row of each."""
        return [
            {
                "workspace": workspace, "service": f"{mark}-service", "slo": f"{mark}-slo",
                "group": {}, "state": "firing", "severity": "page",
                "incident_id": f"{mark}-incident", "burn": 20.0, "budget_left": 0.5,
                "exhausts_in_s": 3600, "true_rules": ["page-fast"], "suppressed_by": [],
                "at": _now().isoformat(),
            }
            for workspace, mark in ((OURS, "own"), (THEIRS, MARK))
        ]  # fmt: skip


def memory_store() -> MemoryQueryStore:
    """Return both workspaces in memory."""
    store = MemoryQueryStore(
        [*log_rows(OURS, "own"), *log_rows(THEIRS, MARK)], watermark=_now() - timedelta(seconds=20)
    )
    store.dead_letter_rows = [
        {
            "reason": "not_json", "decided_at": _now() - timedelta(minutes=1), "value": MARK.encode(),
            "place": "1", "kafka_topic": "t", "kafka_partition": 0, "kafka_offset": 1,
        }
    ]  # fmt: skip
    return store


@contextlib.contextmanager
def stored(folder: Path) -> Iterator[ClickHouseQueryStore]:
    """Put both workspaces through the pipeline's own job into an embedded store."""
    with StoreConnection(StoreSettings(data_dir=folder)) as connection:
        migrate(connection, report=lambda _: None)
        source = StreamPartition("requests", 0, "world")
        job = ProcessChunk(
            store=ClickHouseChunkStore(connection),
            book=PriceBook("none", ()),
            policy=SinkPolicy(),
            clock=lambda: datetime.now(UTC),
        )
        job.assigned(source, GroupPosition(0, None, earliest=0), partition_count=1)
        rows = [*log_rows(OURS, "own"), *log_rows(THEIRS, MARK)]
        records = RecordColumns.from_values([event_text(row) for row in rows])
        job.run(Chunk(source, job.plan(source, records), records), CertainLease())
        yield ClickHouseQueryStore(connection)


def event_text(row: Mapping[str, Any]) -> bytes:
    """Return the event that a row of the log comes from."""
    event = {**row, "ts_end": int(row["ts_end"].timestamp() * 1e6), "team_ids": [row["team_id"]]}
    return json.dumps(
        {key: event[key] for key in event if key not in {"team_id", "cost_usd"}}
    ).encode()


@contextlib.contextmanager
def served_world(store: QueryStore | None = None, area: WebConfig | None = None) -> Iterator[World]:
    """Serve both workspaces, from memory unless a store is given, on a free port of the loopback."""
    world = World(
        0, TokenBook(MemoryTokens(), lambda: world.now()), {}, is_stored=store is not None
    )
    desk = MemorySilenceDesk(lambda: int(world.now().timestamp() * 1e6))
    alerts = AnswerAlerts(
        records=MemoryIncidentRecords(
            [incident(OURS, "own"), incident(THEIRS, MARK)],
            transitions={
                f"{mark}-incident": [
                    {"at": _now() - timedelta(minutes=4), "kind": "firing", "rule": f"{mark}-rule",
                     "reason": mark, "severity": "page", "episode": 1, "conditions": [],
                     "suppressed_by": [], "is_flapping": False}
                ]
                for mark in ("own", MARK)
            },
        ),
        clock=world.now,
        status=States(),
        desk=desk,
    )  # fmt: skip
    app = web_app(
        area or WebConfig(),
        port=0,
        tokens=world.book,
        store=store or memory_store(),
        alerts=alerts,
        obstacles=list,
        metrics=WebMetrics(version="1", is_store_up=lambda: True),
        clock=world.now,
    )
    for workspace, mark in ((OURS, "own"), (THEIRS, MARK)):
        world.silences[workspace] = desk.add_silence(
            {**silence(workspace, mark), "createdBy": mark}
        )
        world.incidents[workspace] = f"{mark}-incident"
    with HttpListener(app, host="127.0.0.1", stop_timeout_s=1) as listener:
        world.port = listener.port
        yield world
