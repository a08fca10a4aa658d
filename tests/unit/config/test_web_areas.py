"""The settings of `inferometer serve` that cannot work, each told by its key."""

from __future__ import annotations

from typing import Any

import pytest

from inferometer.config import Secret, WebConfig


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"host": ""}, "host"),
        ({"port": 65_536}, "port"),
        ({"public_url": "inferometer.example.com"}, "public_url"),
        ({"public_url": "https://inferometer.example.com/console"}, "public_url"),
        ({"public_url": "https://ann:secret@inferometer.example.com"}, "public_url"),
        ({"public_url": "ftp://inferometer.example.com"}, "public_url"),
        ({"public_url": "https://["}, "public_url"),
        ({"alerts_url": "localhost:9093"}, "alerts_url"),
        ({"session_key": Secret("short")}, "session_key"),
        ({"requests_per_s": 0.0}, "requests_per_s"),
        ({"query_threads": 0}, "query_threads"),
    ],
)
def test_what_cannot_work_is_told_by_its_key(settings: dict[str, Any], key: str) -> None:
    (problem,) = WebConfig(**settings).problems()
    assert problem.startswith(f"{key}: ")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"public_url": "https://inferometer.example.com"},
        {"public_url": "https://inferometer.example.com:8443/"},
        {"alerts_url": "http://alerts:9093"},
        {"session_key": Secret("k" * 32)},
        {"port": 0},
    ],
)
def test_what_works_has_no_problems(settings: dict[str, Any]) -> None:
    assert WebConfig(**settings).problems() == []
