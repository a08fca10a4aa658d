"""The configuration in force, as `/api/v2/status` shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from inferometer.webhooks.config_text import config_text
from inferometer.webhooks.receivers_file import ReceiversFile
from tests.unit.webhooks.test_receivers_file import WHOLE, load

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
inhibit_rules:
  - source_matchers: [slo=gateway-up]
    target_matchers: ['slo!="gateway-up"', severity=page]
    equal: [workspace]
policy: {reopen_window: 1h, flapping: false, max_notify_age: {page: 5m}}
"""


def test_it_is_alertmanagers_with_routes_rules_and_times(tmp_path: Path) -> None:
    said = yaml.safe_load(config_text(load(tmp_path, WHOLE + RULES)))
    page, ticket = said["route"]["routes"]
    assert said["route"]["receiver"] == "chat"
    assert said["route"]["repeat_interval"] == "4h"
    assert page == {
        "receiver": "oncall",
        "matchers": ['severity="page"', 'model=~"gpt.*"'],
        "group_wait": "0s",
        "continue": True,
    }
    assert ticket["mute_time_intervals"] == ["nights"]
    assert said["inhibit_rules"][-1] == {
        "source_matchers": ['slo="gateway-up"'],
        "target_matchers": ['slo!="gateway-up"', 'severity="page"'],
        "equal": ["workspace"],
    }
    assert len(said["inhibit_rules"]) == 4
    assert {each["name"] for each in said["receivers"]} == {
        "oncall", "chat", "hook", "alertmanager",
    }  # fmt: skip
    assert said["time_intervals"][0]["time_intervals"][0]["location"] == "Europe/Berlin"


def test_it_says_what_alertmanager_has_no_words_for(tmp_path: Path) -> None:
    text = config_text(load(tmp_path, WHOLE + RULES))
    assert "# receiver oncall: pagerduty_v2, fallback chat, resolve_delay 30m" in text
    assert "# receiver chat: slack, not told of ends" in text
    assert "# receiver hook: standard, heartbeat 1m" in text
    assert "# reopen_window: 1h" in text
    assert "# flapping: off" in text
    assert "# max_notify_age: 5m for pages, 1d for tickets" in text


def test_no_secret_and_no_address_is_in_it(tmp_path: Path) -> None:
    text = config_text(load(tmp_path, WHOLE))
    for secret in ("whsec", "hooks.", "http", "00000000", "Bearer", "10.0.0.7"):
        assert secret not in text


def test_without_receivers_it_says_that_nobody_is_told() -> None:
    text = config_text(ReceiversFile())
    assert "nobody is told" in text
    assert "flapping: 4 changes within 20m, held up to 1h" in text
    assert yaml.safe_load(text)["route"]["receiver"] == "nobody"
