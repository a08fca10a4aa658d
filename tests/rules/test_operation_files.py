"""Alert rules and dashboards speak of metrics that exist, and every alert has its tests."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from inferometer.prometheus.readings import Readings
from inferometer.prometheus.web_metrics import WebMetrics
from inferometer.prometheus.worker_metrics import WorkerMetrics
from inferometer.sdk.prometheus import ClientCollector
from inferometer.sdk.stats import ClientStats

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))

METRIC = re.compile(r"\b(?:inferometer_\w+|process_\w+|python_\w+)")
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "info": ("_info",),
}
# Grafana puts these in before Prometheus sees the expression.
VARIABLES = {"$__rate_interval": "1m", "$job": "inferometer-worker"}


def promtool(*arguments: str | Path) -> str:
    """Run promtool and return what it says; it must say that all is well."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian, Ubuntu: apt-get install prometheus)")
    done = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        cwd=PROMETHEUS,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((PROMETHEUS / "rules.yml").read_text(encoding="utf-8"))
    return [rule for group in document["groups"] for rule in group["rules"]]


def worker_registry() -> CollectorRegistry:
    return WorkerMetrics(
        version="1", readings=Readings, clock=lambda: datetime.now(UTC), monotonic=lambda: 0.0
    ).registry


def producer_registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(ClientCollector(lambda: ClientStats(*[0] * 8)))
    return registry


def web_registry() -> CollectorRegistry:
    return WebMetrics(version="1", is_store_up=lambda: True).registry


REGISTRIES = {"worker": worker_registry, "producer": producer_registry, "web": web_registry}


def known_metrics() -> set[str]:
    """Return every name under which a worker, a producer or a server exposes samples."""
    return {
        f"{family.name}{suffix}"
        for registry in REGISTRIES.values()
        for family in registry().collect()
        for suffix in SUFFIXES[family.type]
    }


def metrics_table(registry: CollectorRegistry) -> str:
    """Return the metrics of ours as a table of Markdown."""
    lines = ["| metric | type | help |", "|---|---|---|"]
    for family in sorted(registry.collect(), key=lambda family: str(family.name)):
        if family.name.startswith("inferometer_"):
            name = family.name + ("_total" if family.type == "counter" else "")
            lines.append(f"| `{name}` | {family.type} | {family.documentation} |")
    return "\n".join(lines)


def expressions(dashboard: Path) -> Iterator[tuple[str, str]]:
    """Yield where an expression stands, and the expression as Prometheus gets it."""
    document = json.loads(dashboard.read_text(encoding="utf-8"))
    for panel in document["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], _filled(target["expr"])
    for annotation in document["annotations"]["list"]:
        yield annotation["name"], _filled(annotation["expr"])


def _filled(expression: str) -> str:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


def unknown_metrics(expression: str) -> set[str]:
    return set(METRIC.findall(expression)) - known_metrics()


@pytest.mark.parametrize("of", REGISTRIES)
def test_the_documentation_names_every_metric(of: str, *, update_golden: bool) -> None:
    file = PROMETHEUS / "README.md"
    text = file.read_text(encoding="utf-8")
    head, mark, rest = text.partition(f"<!-- {of}: ")
    comment, newline, rest = rest.partition("\n")
    _old, end, tail = rest.partition("<!-- end -->")
    table = metrics_table(REGISTRIES[of]())
    wanted = f"{head}{mark}{comment}{newline}{table}\n{end}{tail}"
    if update_golden:
        file.write_text(wanted, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == wanted


def test_the_rules_are_valid() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", "rules.yml")


def test_the_rules_fire_when_they_should_and_not_otherwise() -> None:
    promtool("test", "rules", "rules_test.yml")


def test_the_example_of_a_configuration_is_valid() -> None:
    promtool("check", "config", "prometheus.yml")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_tried_firing_and_not_firing(rule: dict[str, Any]) -> None:
    document = yaml.safe_load((PROMETHEUS / "rules_test.yml").read_text(encoding="utf-8"))
    expected = [
        case.get("exp_alerts", [])
        for test in document["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == rule["alert"]
    ]
    series = [
        one["series"]
        for test in document["tests"]
        for one in test["input_series"]
        if any(case["alertname"] == rule["alert"] for case in test["alert_rule_test"])
    ]
    assert any(expected), "never shown firing"
    # Either at another time, or for another of the series at the same time.
    assert not all(expected) or len(series) > max(map(len, expected)), "never shown silent"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_and_what_next(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Inferometer")
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"]["summary"].strip().endswith(".")
    assert rule["annotations"]["description"].strip().endswith(".")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_looks_at_metrics_that_exist(rule: dict[str, Any]) -> None:
    assert unknown_metrics(rule["expr"]) == set()


def test_there_is_a_dashboard() -> None:
    assert DASHBOARDS


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: str(path.stem))
def test_every_expression_of_a_dashboard_is_promql(dashboard: Path, tmp_path: Path) -> None:
    recorded = [
        {"record": f"checked:{number}", "expr": expression}
        for number, (_place, expression) in enumerate(expressions(dashboard))
    ]
    file = tmp_path / "expressions.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "checked", "rules": recorded}]}))
    assert f"{len(recorded)} rules found" in promtool("check", "rules", file)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: str(path.stem))
def test_every_metric_of_a_dashboard_exists(dashboard: Path) -> None:
    unknown = {
        (place, name)
        for place, expression in expressions(dashboard)
        for name in unknown_metrics(expression)
    }
    assert unknown == set()


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: str(path.stem))
def test_panels_lie_beside_each_other_and_take_the_chosen_source(dashboard: Path) -> None:
    document = json.loads(dashboard.read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + across, place["y"] + down)
            for across in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(across for across, _down in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
    ids = [panel["id"] for panel in document["panels"]]
    assert len(ids) == len(set(ids))


def test_every_metric_of_ours_is_on_a_dashboard_or_in_a_rule() -> None:
    used = {
        name
        for dashboard in DASHBOARDS
        for _place, expression in expressions(dashboard)
        for name in METRIC.findall(expression)
    } | {name for rule in rules() for name in METRIC.findall(rule["expr"])}
    ours = {name for name in known_metrics() if name.startswith("inferometer_")}
    histogram_parts = {name for name in ours if name.endswith(("_sum", "_count", "_bucket"))}
    assert ours - histogram_parts - used == set()


def test_grafana_finds_the_dashboards_and_prometheus() -> None:
    provisioning = GRAFANA / "provisioning"
    (provider,) = yaml.safe_load(
        (provisioning / "dashboards" / "inferometer.yml").read_text(encoding="utf-8")
    )["providers"]
    (source,) = yaml.safe_load(
        (provisioning / "datasources" / "prometheus.yml").read_text(encoding="utf-8")
    )["datasources"]
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    mounts = dict(
        mount.split(":")[:2] for mount in compose["services"]["grafana"]["volumes"] if ":" in mount
    )
    assert mounts["./deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose["services"]
