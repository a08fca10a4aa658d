from __future__ import annotations

from typing import Any

import pytest
import yaml

from inferometer.slo_files import load_slo_texts
from inferometer.slo_files.prometheus_rules import is_metric_name, prometheus_rules

START = "format: inferometer.slos.v1\nslos:\n"
ONE = (
    "  - name: chat\n    indicator: availability\n    objective: 0.999\n    service: api\n"
    "    workspace: acme\n"
)


def groups(*lines: str, **metrics: str) -> list[dict[str, Any]]:
    found = load_slo_texts({"f": START + ONE + "".join(f"    {line}\n" for line in lines)})
    assert found.problems == ()
    document: dict[str, Any] = yaml.safe_load(prometheus_rules(found.slos, **metrics))
    listed: list[dict[str, Any]] = document["groups"]
    return listed


def test_an_objective_has_ratios_a_budget_and_alerts_in_this_order() -> None:
    assert [group["name"] for group in groups()] == [
        "slo-sli-recordings-acme-chat",
        "slo-meta-recordings-acme-chat",
        "slo-alerts-acme-chat",
    ]


def test_a_ratio_is_sums_over_sums_and_none_without_requests() -> None:
    ratios = groups("group_by: [model, region]")[0]["rules"]
    assert [rule["labels"]["window"] for rule in ratios] == [
        "1m", "5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d",
    ]  # fmt: skip
    rule = ratios[1]
    assert rule["record"] == "slo:sli_error:ratio_rate5m"
    selector = '{slo="chat", workspace="acme"}[5m]'
    bad = f"sum by (model, region) (rate(inferometer_slo_bad_requests_total{selector}))"
    valid = f"sum by (model, region) (rate(inferometer_slo_valid_requests_total{selector}))"
    assert rule["expr"] == f"(\n  {bad}\n  or {valid} * 0\n)\n/\n({valid} > 0)"


def test_thresholds_and_budgets_are_written_exactly() -> None:
    _, meta, alerts = groups()
    expressions = [rule["expr"] for rule in alerts["rules"]]
    limits = ("> 0.0144", "> 0.006", "> 0.003", "> 0.001", ">= 0.5")
    for expression, limit in zip(expressions, limits, strict=True):
        assert expression.count(limit) == 2
        assert "\nand ignoring (window)\n" in expression
    recorded = {rule["record"]: rule["expr"] for rule in meta["rules"]}
    assert recorded["slo:objective:ratio"] == "vector(0.999)"
    assert recorded["slo:error_budget:ratio"] == "vector(0.001)"
    assert recorded["slo:time_period:days"] == "vector(30)"


def test_an_alert_tells_which_rule_how_urgent_and_who_answers() -> None:
    alerts = groups(
        "owner: team",
        "runbook: https://r",
        "labels: {a.b: x, severity: none}",
        "annotations: {note: '{{ x }}'}",
    )[2]["rules"]
    fast, outage = alerts[0], alerts[-1]
    assert fast["alert"] == "InferometerSloBurn"
    assert fast["labels"] == {
        "a_b": "x",
        "severity": "page",
        "slo": "chat",
        "workspace": "acme",
        "service": "api",
        "rule": "page-fast",
        "tier": "standard",
        "owner": "team",
    }
    assert fast["annotations"]["runbook_url"] == "https://r"
    assert fast["annotations"]["note"] == '{{ "{{" }} x }}'
    assert "14.4 times too fast, over 1h and over 5m" in fast["annotations"]["description"]
    assert outage["alert"] == "InferometerSloOutage"
    assert "50% or more" in outage["annotations"]["description"]


@pytest.mark.parametrize(
    ("lines", "holds"),
    [
        ((), ["5m", "30m", "30m", "30m", "5m"]),
        (("keep_firing_for: 10m",), ["10m", "10m", "10m", "10m", "10m"]),
    ],
)
def test_an_alert_is_held_as_ours_are(lines: tuple[str, ...], holds: list[str]) -> None:
    assert [rule["keep_firing_for"] for rule in groups(*lines)[2]["rules"]] == holds


def test_metrics_may_have_other_names() -> None:
    expression = groups(valid_metric="all_total", bad_metric="bad_total")[0]["rules"][0]["expr"]
    assert "rate(all_total{" in expression
    assert "rate(bad_total{" in expression


def test_a_metric_has_a_name_that_prometheus_takes() -> None:
    assert is_metric_name("a:b_total")
    assert not is_metric_name('x{a="b"}')
