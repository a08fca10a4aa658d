"""From files to what each partition evaluates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inferometer.config import AlertsConfig, Settings
from inferometer.core.alerts.conditions import Condition
from inferometer.core.alerts.engine import Alerts
from inferometer.core.alerts.routing import Route
from inferometer.core.alerts.subjects import Definition
from inferometer.core.slo.definitions import Severity
from inferometer.core.slo.measure_lanes import MetricLane
from inferometer.runtime.alert_setup import AlertSetup, load_setup
from inferometer.slo_files.loading import load_slo_texts
from inferometer.webhooks.receivers_file import load_receivers_file
from tests.unit.core.alerts.ticking import Run, reading

if TYPE_CHECKING:
    from pathlib import Path

SLOS = """
format: inferometer.slos.v1
defaults: {workspace: acme, service: chat}
slos:
  - {name: chat-success, indicator: availability, objective: 0.999}
  - {name: chat-ttft, indicator: {latency: {of: ttft, under: 2s}}, objective: 0.999}
"""
RECEIVERS = """
receivers: [{name: chat, format: slack, url: {env: SLACK}}]
route: {receiver: chat}
"""
PARTITIONS = 4


def setup_of(tmp_path: Path, text: str = RECEIVERS) -> AlertSetup:
    path = tmp_path / "receivers.yaml"
    path.write_text(text)
    environ = {"SLACK": "https://hooks.slack.com/services/T/B/x"}
    receivers = load_receivers_file(path, environ=environ)
    assert receivers.problems == ()
    return AlertSetup(load_slo_texts({"slos.yaml": SLOS}), receivers)


def test_each_rule_speaks_in_one_partition_and_heartbeats_are_known_in_all(tmp_path: Path) -> None:
    setup = setup_of(tmp_path)
    lanes = [setup.lanes(partition, PARTITIONS) for partition in range(PARTITIONS)]
    speaking = [
        name
        for found in lanes
        for name, lane in found.items()
        if not (isinstance(lane, MetricLane) and lane.is_echo)
    ]
    assert len(speaking) == len(set(speaking))
    assert {"acme/chat-success", "/heartbeat-missing", "/consumer-lag"} <= set(speaking)
    assert all("/heartbeat-missing" in found for found in lanes)
    assert [name for found in lanes for name in found].count("/consumer-lag") == 1


def test_ticks_that_wait_long_for_late_events_are_not_late_themselves(tmp_path: Path) -> None:
    (tmp_path / "slos.yaml").write_text(SLOS)
    settings = Settings(alerts=AlertsConfig(slo_path=tmp_path / "slos.yaml", lateness_s=1800.0))
    setup = load_setup(settings, {}, needs_receivers=False)
    policy = setup.receivers.policy
    alerts = Alerts(setup.definitions(), routes=Route(receiver="oncall"), policy=policy)
    run = Run(alerts, behind_s=1830)
    (slo, *_) = setup.declared.slos
    run.say(Definition.of_slo(slo).subject(()), [reading()], 60)
    assert [(notice.transition, notice.is_detected_late) for notice in run.notices] == [
        ("firing", False)
    ]


def told_with(tmp_path: Path, text: str) -> list[str]:
    """Return what is told of a page of one objective beside a ticket of another."""
    run = Run(setup_of(tmp_path, text).alerts(None))
    page, ticket = (
        Definition.of_slo(slo).subject(()) for slo in setup_of(tmp_path, text).declared.slos
    )
    for _ in range(10):
        run.tick(
            {page: [reading()], ticket: [reading(rule="ticket-slow", severity=Severity.TICKET)]}
        )
    return [notice.labels["slo"] for notice in run.notices]


def test_inhibition_of_the_receivers_file_is_in_force(tmp_path: Path) -> None:
    assert told_with(tmp_path, RECEIVERS) == ["chat-success"]
    without = RECEIVERS + "shipped_inhibit_rules: false\n"
    assert told_with(tmp_path, without) == ["chat-success", "chat-ttft"]


def test_intervals_of_the_receivers_file_are_in_force(tmp_path: Path) -> None:
    def incidents(text: str) -> int:
        run = Run(setup_of(tmp_path, text).alerts(None))
        subject = Definition.of_slo(setup_of(tmp_path, text).declared.slos[0]).subject(())
        run.say(subject, [reading(keep_firing_s=0)], 60)
        run.say(subject, [reading(Condition.FALSE, keep_firing_s=0)], 600)
        run.say(subject, [reading(keep_firing_s=0)], 60)
        return len({record.incident_id for record in run.records})

    assert incidents(RECEIVERS) == 1
    assert incidents(RECEIVERS + "policy: {reopen_window: 5m}\n") == 2
