"""An outage of the demo, in real time: one page within the promised time, signed, and one end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.alert_processes import KEY, Receiver

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.e2e

OUTAGE_S = (20, 80)
LIMIT = "6m"
"""Nobody waits longer for the end of the incident, on a slow machine either."""
AFTER_S = 10
"""For what nobody should be told."""
T2_S = 120
"""A total outage at 60,000 requests an hour or more, 99.9 %."""
SLOS = """
format: inferometer.slos.v1
shipped_rules: false
defaults: {service: demo-fleet, owner: us}
slos:
  # As shipped: what a user gets who says nothing but the objective.
  - {name: as-shipped, indicator: availability, objective: 0.999}
  # The same with windows so short that its end comes within a test.
  - name: short
    indicator: availability
    objective: 0.95
    keep_firing_for: 10s
    outage: false
    burn_windows:
      - {name: page-fast, severity: page, long: 1m, short: 10s, burn: 10}
"""


def test_an_outage_pages_once_within_the_promised_time_and_ends_once(
    inferometer: Callable[..., Any], tmp_path: Path
) -> None:
    with Receiver() as receiver:
        port = receiver.server.server_address[1]
        (tmp_path / "slos.yaml").write_text(SLOS)
        (tmp_path / "receivers.yaml").write_text(
            "format: inferometer.receivers.v1\n"
            "receivers:\n"
            "  - name: hook\n"
            f"    url: http://127.0.0.1:{port}/alerts\n"
            "    secrets: [{env: HOOK_KEY}]\n"
            f"    allow: {{http: true, ports: [{port}], networks: [127.0.0.0/8]}}\n"
            "route: {receiver: hook}\n"
        )
        begin, end = OUTAGE_S
        command = [
            "demo", "--for", LIMIT, "--rate", "100", "--outage", f"{begin}s..{end}s",
            "--slo", str(tmp_path / "slos.yaml"), "--receivers", str(tmp_path / "receivers.yaml"),
            "--data", str(tmp_path / "demo"),
        ]  # fmt: skip
        demo = subprocess.Popen(
            [sys.executable, "-m", "inferometer", *command],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "HOOK_KEY": KEY},
        )  # fmt: skip

        def wait_for(count: int, slo: str) -> None:
            while demo.poll() is None and len(events_of(receiver, slo)) < count:
                time.sleep(0.1)

        try:
            wait_for(1, "as-shipped")
            heard_at_s = time.time()
            wait_for(2, "short")
            time.sleep(AFTER_S)
            demo.send_signal(signal.SIGINT)
            out, err = demo.communicate(timeout=120)
        finally:
            demo.kill()
        assert demo.returncode == 0, err
        assert receiver.refused == []
        told = {name: events_of(receiver, name) for name in ("as-shipped", "short")}
        assert [event["type"] for event in told["as-shipped"]] == ["slo.alert.firing"]
        assert [event["type"] for event in told["short"]] == [
            "slo.alert.firing", "slo.alert.resolved",
        ]  # fmt: skip
        page = told["as-shipped"][0]["data"]
        assert page["severity"] == "page"
        # The fleet's clock starts with the demo; the first failure is where the incident began.
        answer = inferometer(
            "sql", "SELECT min(ts_end) AS began FROM requests WHERE status_code = 503 AND "
            f"ts_end >= (SELECT min(ts_end) FROM requests) + INTERVAL {begin} SECOND",
            "--data", tmp_path / "demo", "--csv",
        )  # fmt: skip
        began = datetime.fromisoformat(answer.stdout.splitlines()[1].strip('"') + "+00:00")
        assert heard_at_s - began.timestamp() < T2_S
        assert "firing page" in out
        explained = inferometer("explain", page["incident_id"], "--data", tmp_path / "demo")
        assert "delivered 204" in explained.stdout, explained.stdout


def events_of(receiver: Receiver, slo: str) -> list[dict[str, Any]]:
    events = dict(list(receiver.got)).values()
    return [event for event in events if event["data"]["labels"]["slo"] == slo]
