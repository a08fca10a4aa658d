"""On call and alerts over fakes: broken, silenced, all clear, and where nothing is configured."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.config.web_areas import WebConfig
from inferometer.core.query.objective_facts import ObjectiveFacts
from inferometer.jobs.answer_alerts import AnswerAlerts
from inferometer.prometheus.web_metrics import WebMetrics
from inferometer.runtime.web_app import token_book, web_app
from inferometer.testing.incidents import MemoryIncidentRecords, MemorySilenceDesk
from inferometer.testing.query_store import MemoryQueryStore
from inferometer.web.listener import HttpListener, open_socket
from tests.browser.screen import PHONE, TIMEOUT_MS, Screen, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from playwright.sync_api import Browser

pytestmark = pytest.mark.integration

NODES = 10
FAILING = "gpu-7"
LABELS = {"workspace": "acme", "service": "chat", "slo": "chat-ok", "model": "m-large"}
FIRED = {
    "rule": "page-fast", "severity": "page", "is_true": True, "threshold": 14.4, "long_s": 3600,
    "long_burn": 90.0, "long_bad": 180, "long_total": 2000, "short_s": 300, "short_burn": 500.0,
    "short_bad": 50, "short_total": 100, "p_value": 1e-12, "value": None, "unit": "",
}  # fmt: skip


@dataclass
class Night:
    """What a test shows: whether it is broken, and whether alerts are configured at all."""

    begun: datetime
    is_broken: bool = True
    is_configured: bool = True
    maintenance: list[dict[str, Any]] = field(default_factory=list)

    def rows(self) -> Iterable[dict[str, Any]]:
        """Ten requests a minute over ten nodes, one of which fails all of its own."""
        for minute in range(-150, 20):
            for node in range(NODES):
                at = self.begun + timedelta(minutes=minute, seconds=3 * node)
                fails = self.is_broken and minute >= 0 and f"gpu-{node}" == FAILING
                yield {
                    "event_id": f"e{minute}-{node}", "request_id": f"r{minute}-{node}",
                    "ts_end": at, "workspace_id": "acme", "model": "m-large",
                    "node_id": f"gpu-{node}", "user_id": f"u-{(minute + node) % 4}",
                    "status_code": 503 if fails else 200,
                    "error_type": "overloaded" if fails else "", "ttft_ms": 300.0,
                    "e2e_ms": 900.0, "cost_usd": Decimal("0.01"),
                }  # fmt: skip

    def incident(self) -> dict[str, Any]:
        return {
            "incident_id": "i1", "workspace_id": "acme", "service": "chat", "slo": "chat-ok",
            "family": "slo", "labels": LABELS, "severity": "page", "starts_at": self.begun,
            "detected_at": self.begun + timedelta(seconds=30),
            "resolved_at": None if self.is_broken else self.begun + timedelta(minutes=5),
            "resolve_reason": "" if self.is_broken else "cleared", "episodes": 1,
            "rules": ["page-fast"], "peak_burn": 90.0, "pages_delivered": 1,
        }  # fmt: skip

    def alerts(self, clock: Callable[[], datetime]) -> AnswerAlerts:
        if not self.is_configured:
            return AnswerAlerts(records=MemoryIncidentRecords(), clock=clock)
        story = [{"at": self.begun, "kind": "firing", "rule": "", "reason": "", "severity": "page",
                  "episode": 1, "conditions": [FIRED], "suppressed_by": [], "is_flapping": False}]  # fmt: skip
        return AnswerAlerts(
            records=MemoryIncidentRecords([self.incident()], transitions={"i1": story}),
            clock=clock,
            status=_Status(self),
            desk=self.desk(clock),
            objectives=self,
        )

    def desk(self, clock: Callable[[], datetime]) -> MemorySilenceDesk:
        desk = MemorySilenceDesk(lambda: int(clock().timestamp() * 1e6))
        desk.maintenance = self.maintenance
        return desk

    def find(self, family: str, workspace: str, name: str) -> ObjectiveFacts | None:
        links = {"runbook": "https://runbooks.test/chat"}
        return ObjectiveFacts(
            name=name, workspace=workspace, service="chat", links=links, objective=Decimal("0.999")
        )

    def rows_of_status(self) -> list[dict[str, Any]]:
        def row(model: str, left: float | None, state: str) -> dict[str, Any]:
            is_firing = state == "firing"
            return {
                "workspace": "acme", "service": "chat", "slo": "chat-ok", "group": {"model": model},
                "state": state, "severity": "page" if is_firing else "",
                "incident_id": "i1" if is_firing else "", "burn": None if left is None else 2.0,
                "budget_left": left, "exhausts_in_s": 7200 if is_firing else None,
                "true_rules": ["page-fast"] if is_firing else [], "suppressed_by": [],
                "at": self.begun.isoformat(),
            }  # fmt: skip

        broken = "firing" if self.is_broken else "ok"
        return [
            row("idle", None, "no data"),
            row("m-small", 0.9, "ok"),
            row("m-large", 0.3, broken),
        ]


class _Status:
    def __init__(self, night: Night) -> None:
        self._night = night

    def rows(self) -> list[dict[str, Any]]:
        return self._night.rows_of_status()


@contextmanager
def shown(night: Night, chromium: Browser) -> Iterator[Screen]:
    """Serve a night on a port of its own and open a screen before it."""

    def clock() -> datetime:
        return datetime.now(UTC)

    area = WebConfig()
    book, token = token_book(area)
    store = MemoryQueryStore(night.rows(), watermark=clock() - timedelta(seconds=5))
    bound = open_socket("127.0.0.1", 0)
    alerts = night.alerts(clock)
    app = web_app(
        area, port=bound.getsockname()[1], tokens=book, store=store, alerts=alerts,
        obstacles=list, metrics=WebMetrics(version="1", is_store_up=lambda: True),
    )  # fmt: skip
    with HttpListener(app, host="127.0.0.1", bound=bound) as served:
        context = chromium.new_context(base_url=served.url, locale="en-GB", reduced_motion="reduce")
        context.set_default_timeout(TIMEOUT_MS)
        answer = context.request.post(
            "/api/v1/session",
            data={"token": token},
            headers={"X-Inferometer": "console", "Origin": served.url},
        )
        assert answer.ok, answer.text()
        screen = Screen(context.new_page(), served.url)
        yield screen
        context.close()
        assert screen.complaints == []


@pytest.fixture
def begun() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=20)


def test_the_night_screen_names_the_node_the_share_and_what_to_do(
    chromium: Browser, begun: datetime
) -> None:
    with shown(Night(begun), chromium) as screen:
        screen.open("oncall")
        text = screen.text()
        assert "1 thing is broken" in text
        # One of ten nodes for 20 minutes, of the 25 since what fired could have begun.
        assert "8 % of requests fail, was 0 %" in text
        assert f"Node {FAILING} has 100 % of it" in text
        assert "100 %\nof users\n4 of 4" in re.sub(r"\n+", "\n", text)
        assert "overloaded" in text
        assert "180 bad of 2,000 in 1 h" in text
        runbook = screen.page.get_by_role("link", name=re.compile("Runbook"))
        assert runbook.get_attribute("href") == "https://runbooks.test/chat"
        logs = screen.page.get_by_role("link", name="Failing requests").get_attribute("href") or ""
        assert "status=503" not in logs
        assert "status=5xx" in logs
        assert "model" in logs
        assert screen.violations() == []


def test_a_silence_from_the_night_screen_mutes_this_incident_until_it_is_ended(
    chromium: Browser, begun: datetime
) -> None:
    with shown(Night(begun), chromium) as screen:
        page = screen.page
        screen.open("oncall")
        page.get_by_role("button", name="Silence…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Comment").fill("known")
        assert screen.violations() == []
        dialog.get_by_role("button", name="Silence", exact=True).click()
        until(lambda: "and silenced" in page.locator(".night-banner").inner_text())
        screen.open("alerts")
        silence = page.locator(".silence")
        assert 'model="m-large"' in silence.inner_text()
        assert "known" in silence.inner_text()
        page.get_by_role("button", name=re.compile("End the silence")).click()
        page.get_by_role("button", name="End it now").click()
        until(lambda: page.locator(".silence").count() == 0)


def window(begun: datetime, state: str, **changed: Any) -> dict[str, Any]:
    model = {"name": "model", "value": state, "isRegex": False, "isEqual": True}
    return {
        "id": state, "matchers": [model], "effect": "both", "reason": f"{state} work",
        "createdBy": "ana", "updatedAt": begun.isoformat(), "startsAt": begun.isoformat(),
        "status": {"state": state}, **changed,
    }  # fmt: skip


def test_maintenance_windows_stand_beside_the_silences(chromium: Browser, begun: datetime) -> None:
    hours = [{"start_time": "22:00", "end_time": "04:00"}]
    nightly = [{"weekdays": ["monday:friday"], "times": hours}]
    ends = (begun + timedelta(days=1)).isoformat()
    night = Night(
        begun,
        maintenance=[
            window(begun, "active", effect="exclude_from_budget", endsAt=ends),
            window(begun, "pending", time_intervals=nightly),
            window(begun, "expired", endsAt=begun.isoformat()),
        ],
    )
    with shown(night, chromium) as screen:
        screen.open("alerts")
        active, pending = screen.page.locator(".silence").all_inner_texts()
        assert 'model="active"' in active
        assert "not counted in budgets" in active
        assert "active work" in active
        assert "until it is ended" not in active
        assert "notices are kept back, not counted in budgets" in pending
        assert "Monday to Friday, 22:00 to 04:00 UTC" in pending
        assert "until it is ended" in pending
        assert screen.violations() == []
        screen.open("alerts", silences="expired")
        (expired,) = screen.page.locator(".silence").all_inner_texts()
        assert "expired work" in expired


def test_a_silence_that_cannot_be_is_explained_in_the_form(
    chromium: Browser, begun: datetime
) -> None:
    with shown(Night(begun), chromium) as screen:
        screen.open("alerts")
        screen.page.get_by_role("button", name="New silence…").click()
        dialog = screen.page.get_by_role("dialog")
        with screen.expecting_complaints():
            dialog.get_by_role("button", name="Silence", exact=True).click()
            until(lambda: dialog.get_by_role("alert").inner_text() != "")
        assert dialog.is_visible()


def test_what_fires_comes_first_and_what_has_no_data_last(
    chromium: Browser, begun: datetime
) -> None:
    with shown(Night(begun), chromium) as screen:
        screen.open("alerts")
        groups = [row["group"]["model"] for row in screen.facts("Objectives")]
        assert groups == ["m-large", "m-small", "idle"]
        screen.page.get_by_role("button", name=re.compile("^Explain the incident")).first.click()
        panel = screen.page.locator(".incident-panel")
        until(lambda: "page-fast" in panel.inner_text())
        assert screen.violations() == []


def test_on_a_phone_the_state_of_an_objective_is_seen_without_scrolling(
    chromium: Browser, begun: datetime
) -> None:
    with shown(Night(begun), chromium) as screen:
        screen.page.set_viewport_size(PHONE)
        screen.open("alerts")
        first = screen.table("Objectives").locator("tbody tr").first
        # Groups of one objective are told apart by what is seen, too.
        assert "chat-ok · Model m-large" in first.locator("th").inner_text()
        box = screen.steady_box(first.locator(".badge").first)
        assert box["x"] + box["width"] <= PHONE["width"]


def test_all_clear_is_said_where_nothing_is_wrong(chromium: Browser, begun: datetime) -> None:
    with shown(Night(begun, is_broken=False), chromium) as screen:
        screen.open("oncall")
        text = screen.text()
        assert "All clear" in text
        assert "3 objectives are watched; the least budget left is 30 %." in text
        assert "chat-ok" in text, "what ended in the last day"


def test_without_alerts_both_pages_say_how_to_have_some(chromium: Browser, begun: datetime) -> None:
    with shown(Night(begun, is_configured=False), chromium) as screen:
        screen.open("oncall")
        assert "Nobody can say that all is well" in screen.text()
        assert "--slo" in screen.text()
        screen.open("alerts")
        assert "No objectives are evaluated here yet" in screen.text()
        assert "--alerts-url" in screen.text()
        assert screen.page.get_by_role("button", name="New silence…").count() == 0
