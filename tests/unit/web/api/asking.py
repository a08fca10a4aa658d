"""The query API over fakes, asked in process."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient

from inferometer.core.bills import read_bill
from inferometer.jobs.answer_alerts import AnswerAlerts
from inferometer.testing.incidents import MemoryIncidentRecords, MemorySilenceDesk
from inferometer.testing.query_store import MemoryQueryStore
from inferometer.web.api.app import create_app
from inferometer.web.api.services import ApiLimits
from inferometer.web.identity.desks import (
    IssuedToken,
    OpenedSession,
    TokenFacts,
    TokenRefusedError,
    TokenUnknownError,
)
from inferometer.web.identity.roles import Caller, NotIdentifiedError, Role, TooManyRequestsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request

NOW = datetime(2026, 1, 5, 12, 0, 30, tzinfo=UTC)
WATERMARK = NOW - timedelta(seconds=30)
CALLERS = {
    "viewer": Caller("view", Role.VIEWER, "acme"),
    "operator": Caller("op", Role.OPERATOR, "acme"),
    "admin": Caller("adm", Role.ADMIN, "acme"),
    "all-viewer": Caller("all-view", Role.VIEWER),
    "all-operator": Caller("all-op", Role.OPERATOR),
    "chief": Caller("chief", Role.ADMIN),
    "limited": Caller("limited", Role.VIEWER),
}
OTHER_WORKSPACE = "umbrella"
BILL = """day,provider,amount_usd
2026-01-04,openai,0.5
2026-01-05,openai,4
2026-01-05,other,2"""


def rows() -> list[dict[str, Any]]:
    """Return two hundred attempts of the last hours, in two workspaces and three models."""
    return [
        {
            "request_id": f"r{place // 2 if place % 10 == 1 else place}",
            "event_id": f"e{place:03}",
            "ts_end": NOW - timedelta(minutes=3 * place, seconds=40),
            "workspace_id": "acme" if place % 4 else OTHER_WORKSPACE,
            "model": f"model-{place % 3}",
            "provider": "openai",
            "user_id": f"u{place % 7}",
            "team_id": f"t{place % 2}",
            "region": "eu" if place % 5 else "us",
            "metadata": {"tenant": f"c{place % 4}"},
            "status_code": 200 if place % 9 else 503,
            "error_type": "" if place % 9 else "overloaded",
            "attempt_no": 1,
            "is_final": place % 10 != 1,
            "input_tokens": 100 + place,
            "output_tokens": 20 + place % 30,
            "ttft_ms": Decimal(100 + place),
            "e2e_ms": Decimal(1000 + place),
            "price_cost": Decimal("0.000123456789") * (place + 1),
            "cost_status": "priced" if place % 11 else "unpriced",
        }
        for place in range(200)
    ]


def incident() -> dict[str, Any]:
    """Return a row of the view `incidents`."""
    return {
        "incident_id": "inc-1",
        "workspace_id": "acme",
        "service": "chat",
        "slo": "chat-success",
        "family": "slo",
        "labels": {"workspace": "acme", "service": "chat", "slo": "chat-success"},
        "severity": "page",
        "starts_at": NOW - timedelta(minutes=20),
        "detected_at": NOW - timedelta(minutes=18),
        "resolved_at": None,
        "resolve_reason": "",
        "episodes": 1,
        "rules": ["fast"],
        "peak_burn": 14.4,
        "was_suppressed": False,
        "notices_delivered": 1,
        "pages_delivered": 1,
        "first_delivered_at": NOW - timedelta(minutes=17),
        "notices_dead": 0,
    }


class MemoryTokenDesk:
    """A `TokenDesk` of what a test puts in."""

    def __init__(self) -> None:
        self.facts = {
            name: TokenFacts(
                id=name,
                name=caller.name,
                role=caller.role,
                workspace=caller.workspace,
                created_at=NOW,
                expires_at=None,
            )
            for name, caller in CALLERS.items()
        }

    def tokens(self) -> Sequence[TokenFacts]:
        return list(self.facts.values())

    def create(
        self, *, name: str, role: Role, workspace: str | None, expires_at: datetime | None
    ) -> IssuedToken:
        if expires_at is not None and expires_at <= NOW:
            raise TokenRefusedError("expires_at", "it is in the past", "give a later instant")
        made = TokenFacts(
            id=f"t{len(self.facts)}",
            name=name,
            role=role,
            workspace=workspace,
            created_at=NOW,
            expires_at=expires_at,
        )
        self.facts[made.id] = made
        return IssuedToken(made, f"imt_{made.id}_secret")

    def rotate(self, token_id: str) -> IssuedToken:
        if token_id not in self.facts:
            raise TokenUnknownError(f"no token {token_id}")
        return IssuedToken(self.facts[token_id], f"imt_{token_id}_rotated")

    def revoke(self, token_id: str) -> None:
        del self.facts[token_id]


class Door:
    """Identifies callers by the bare names of `CALLERS`, and opens sessions for them."""

    async def __call__(self, request: Request) -> Caller:
        name = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if name == "limited":
            raise TooManyRequestsError("the token limited asks too often", 7)
        if name not in CALLERS:
            raise NotIdentifiedError("no token", "send Authorization: Bearer TOKEN")
        return CALLERS[name]

    async def open(self, request: Request, token: str) -> OpenedSession:
        if token not in CALLERS:
            raise NotIdentifiedError("no such token", "make one with: inferometer token create")
        caller = replace(CALLERS[token], expires_at=NOW + timedelta(hours=12))
        return OpenedSession(caller, f"inferometer_session={token}; HttpOnly; SameSite=Strict")

    async def close(self, request: Request) -> str:
        return "inferometer_session=; Max-Age=0"


@dataclass
class Bench:
    """What a test asks, and what it looks at."""

    store: MemoryQueryStore
    records: MemoryIncidentRecords
    desk: MemorySilenceDesk
    tokens: MemoryTokenDesk
    app: FastAPI
    client: TestClient = field(init=False)

    def get(self, path: str, *, token: str = "chief", **options: Any) -> Any:
        """Return the response to a GET below the base."""
        return self.ask("GET", path, token=token, **options)

    def ask(self, method: str, path: str, *, token: str = "chief", **options: Any) -> Any:
        """Return the response to a request below the base."""
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    def body(self, path: str, *, token: str = "chief", **options: Any) -> Any:
        """Return the JSON of a GET that succeeds."""
        response = self.get(path, token=token, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, path: str, *, token: str = "chief", **options: Any) -> dict[str, Any]:
        """Return the reasons by parameter of a GET that is refused."""
        response = self.get(path, token=token, **options)
        assert response.status_code == 400, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
        said = response.json()
        assert all(each["remedy"] for each in said["problems"])
        return {each["parameter"]: each["reason"] for each in said["problems"]}


def make_bench(limits: ApiLimits | None = None) -> Bench:
    """Return an app over a filled store."""
    store = MemoryQueryStore(rows(), watermark=WATERMARK)
    store.bills.append(read_bill(BILL, today=NOW.date()))
    records = MemoryIncidentRecords([incident()])
    desk = MemorySilenceDesk(lambda: int(NOW.timestamp()) * 1_000_000)
    tokens, door = MemoryTokenDesk(), Door()

    def clock() -> datetime:
        return NOW

    app = create_app(
        store=store,
        alerts=AnswerAlerts(records=records, clock=clock, desk=desk),
        identify=door,
        sessions=door,
        tokens=tokens,
        clock=clock,
        limits=limits,
        # A clock that jumps, so that every question of a test is asked anew.
        seconds=iter(range(0, 10**9, 100)).__next__,
    )
    return Bench(store, records, desk, tokens, app)


@contextmanager
def asking(limits: ApiLimits | None = None) -> Iterator[Bench]:
    """Yield a bench whose app runs."""
    bench = make_bench(limits)
    with TestClient(bench.app, raise_server_exceptions=False) as client:
        bench.client = client
        yield bench
