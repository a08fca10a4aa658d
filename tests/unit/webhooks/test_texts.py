"""What people read: numbers in their units, and templates of receivers."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from inferometer.core.alerts.notices import ConditionFacts, WindowFacts
from inferometer.core.alerts.receivers import Format
from inferometer.core.slo.definitions import Severity
from inferometer.testing.notices import example_notice
from inferometer.webhooks.body_schema import standard_schema
from inferometer.webhooks.texts import template_problem
from tests.unit.webhooks.rendering import body_of


def told(unit: str, *, value: float | None = None, is_windowed: bool = True) -> Any:
    long, short = (
        WindowFacts(window_s=window_s, burn=2.5, bad=2_500_000, total=1_000_000)
        for window_s in (1800, 300)
    )
    facts = ConditionFacts(
        rule="r",
        severity=Severity.PAGE,
        is_true=True,
        threshold=2.0,
        long=long if is_windowed else None,
        short=short if is_windowed else None,
        value=value,
        unit=unit,
    )
    data = body_of(Format.STANDARD, example_notice(conditions=(facts,)))
    jsonschema.validate(data, standard_schema())
    return data["data"]["conditions"][0], data["data"]["text"].splitlines()[0]


def test_money_is_not_shown_as_failures() -> None:
    data, text = told("micro-usd")
    assert data["long"] == {
        "w": "30m",
        "ratio": 2.5,
        "spent_usd": "2.500000",
        "expected_usd": "1.000000",
    }
    assert text == (
        "r spent $2.50 over 30m, expected $1.00: 2.5 times as much, 2.5 over 5m (limit 2)"
    )


def test_retries_are_shown_as_attempts() -> None:
    data, text = told("attempts")
    assert data["short"]["attempts"] == 2_500_000
    assert text.startswith("r 2500000 attempts for 1000000 requests over 30m: 2.5 each")


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("share of requests that fail", 0.84, "r: 84.0% of requests that fail"),
        ("usd", 812.5, "r: $812.50 (limit $2.00)"),
        ("s without a request", 620.0, "r: 10m 20s without a request (limit 2s)"),
        ("records", 12.0, "r 12 records (limit 2)"),
        ("", 12.0, "r 12 (limit 2)"),
        ("s", None, "r (limit 2 s)"),
    ],
)
def test_values_are_shown_in_their_unit(unit: str, value: float | None, text: str) -> None:
    data, shown = told(unit, value=value, is_windowed=False)
    assert (data["value"], data["unit"]) == (value, unit)
    assert shown == text


def test_an_outage_tells_its_share_and_its_counts() -> None:
    _, text = told("share of requests that fail", value=0.84)
    assert text == "r: 84.0% of requests that fail, 2500000 of 1000000 bad over 30m"


def test_the_rule_is_named_once() -> None:
    notice = example_notice(
        annotations={"summary": "chat-api chat-success: page-fast"},
        details={"rules": ["page-fast"]},
    )
    summary = body_of(Format.STANDARD, notice)["data"]["summary"]
    assert summary.startswith("[PAGE] chat-api chat-success: page-fast burns 15.1 times")


def test_templates_make_the_texts() -> None:
    more = {
        "title": "{{ labels.slo }} {{ severity }}",
        "text": "{% for c in conditions %}{{ c.rule }}{% endfor %}",
    }
    data = body_of(Format.STANDARD, example_notice(), **more)["data"]
    assert (data["summary"], data["text"]) == ("chat-success page", "page-fast")


@pytest.mark.parametrize(
    "source",
    [
        "{{ nobody.knows }}",
        "{{ 1 / 0 }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ labels.clear() }}",
        "   ",
        "{% for i in range(999999999) %}x{% endfor %}",
    ],
)
def test_a_template_that_fails_gives_way_to_the_usual_text(source: str) -> None:
    usual = body_of(Format.STANDARD, example_notice())["data"]["text"]
    assert body_of(Format.STANDARD, example_notice(), text=source)["data"]["text"] == usual


def test_what_is_no_template_is_told() -> None:
    assert template_problem("{{ a }") is not None
    assert template_problem("{{ a }}") is None
