from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from inferometer.core.alerts.inhibition import SHIPPED_INHIBITIONS
from inferometer.core.alerts.policy import AlertPolicy, FlappingPolicy
from inferometer.core.alerts.receivers import Format, Permissions
from inferometer.webhooks.receivers_file import (
    ReceiversFile,
    load_receivers_file,
    receivers_schema,
)

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRON = {"HOOK_KEY": KEY, "OLD_KEY": KEY, "PD_KEY": "0" * 32, "TOKEN": "Bearer t"}
WHOLE = """\
format: inferometer.receivers.v1
receivers:
  - name: oncall
    format: pagerduty_v2
    routing_key: {env: PD_KEY}
    fallback: chat
    resolve_delay: 30m
    max_per_minute: 120
  - name: chat
    format: slack
    url: {file: SLACK_FILE}
    title: "{{ labels.slo }} is {{ status }}"
    send_resolved: false
  - name: hook
    url: https://hooks.example/alerts
    secrets: [{env: HOOK_KEY}, {env: OLD_KEY}]
    headers: {Authorization: {env: TOKEN}, X-Team: inference}
    allow: {ports: [8443], networks: [10.0.0.0/8]}
    heartbeat: 1m
  - name: alertmanager
    format: alertmanager_api
    url: http://10.0.0.7:9093/api/v2/alerts
    allow: {http: true, ports: [9093], networks: [10.0.0.0/8]}
route:
  receiver: chat
  group_by: [workspace, service, slo]
  repeat_interval: 4h
  routes:
    - matchers: ['severity="page"', 'model=~"gpt.*"']
      receiver: oncall
      group_wait: 0s
      continue: true
    - matchers: [severity=ticket]
      receiver: hook
      mute_time_intervals: [nights]
time_intervals:
  - name: nights
    time_intervals:
      - times: [{start_time: "22:00", end_time: "24:00"}]
        location: Europe/Berlin
"""


def load(tmp_path: Path, text: str) -> ReceiversFile:
    (tmp_path / "slack").write_text("https://hooks.slack.com/services/T/B/x\n", encoding="utf-8")
    path = tmp_path / "receivers.yaml"
    path.write_text(text.replace("SLACK_FILE", str(tmp_path / "slack")), encoding="utf-8")
    return load_receivers_file(path, environ=ENVIRON)


def problems(tmp_path: Path, text: str) -> list[str]:
    found = load(tmp_path, text).problems
    return [problem.removeprefix(f"{tmp_path}/") for problem in found]


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert found.problems == ()
    oncall, chat, hook, alertmanager = found.receivers.values()
    assert (oncall.format, oncall.routing_key.reveal()) == (Format.PAGERDUTY_V2, "0" * 32)
    assert oncall.url.reveal() == "https://events.pagerduty.com/v2/enqueue"
    assert (oncall.fallback, oncall.resolve_delay_s, oncall.max_per_minute) == ("chat", 1800, 120)
    assert chat.url.reveal() == "https://hooks.slack.com/services/T/B/x"
    assert not chat.sends_resolved
    assert [secret.reveal() for secret in hook.signing_secrets] == [KEY, KEY]
    assert hook.headers["Authorization"].reveal() == "Bearer t"
    assert hook.heartbeat_s == 60
    assert alertmanager.permissions == Permissions(
        http=True, ports=frozenset({9093}), networks=("10.0.0.0/8",)
    )
    assert found.traits()["oncall"].resolve_delay_s == 1800


def test_the_published_example_is_sound() -> None:
    path = Path(__file__).parents[3] / "schemas" / "examples" / "receivers.yaml"
    environ = {
        "PAGERDUTY_KEY": "0" * 32,
        "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/x",
        "HOOK_SECRET": KEY,
    }
    found = load_receivers_file(path, environ=environ)
    assert found.problems == ()
    assert set(found.receivers) == {"oncall", "chat", "hook", "alertmanager"}
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), receivers_schema())


def test_routes_are_alertmanagers(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert found.route.repeat_interval_s == 4 * 3600
    page, ticket = found.route.routes
    assert (page.receiver, page.keep_going, page.group_wait_s) == ("oncall", True, 0)
    assert [str(matcher) for matcher in page.matchers] == ['severity="page"', 'model=~"gpt.*"']
    assert ticket.mute_times == ("nights",)
    evening_s = 1_767_650_400
    assert found.intervals.is_active("nights", evening_s)


def test_an_alertmanager_hears_of_each_incident_apart(tmp_path: Path) -> None:
    found = load(tmp_path, changed("receiver: hook", "receiver: alertmanager"))
    assert found.route.routes[1].group_by == ("...",)
    assert found.route.routes[0].group_by is None


def test_the_whole_file_fits_the_schema() -> None:
    jsonschema.validate(yaml.safe_load(WHOLE), receivers_schema())


RULES = """\
inhibit_rules:
  - source_matchers: [slo=gateway-up]
    target_matchers: ['slo!="gateway-up"', severity=page]
    equal: [workspace]
shipped_inhibit_rules: false
policy:
  reopen_window: 1h
  stale_resolve_after: 2d
  max_notify_age: {page: 5m}
  flapping: {changes: 6, within: 30m, longest_hold: 2h}
  storm: {label: region, incidents: 20, within: 2m}
"""


def test_inhibition_and_intervals_are_the_users(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE + RULES)
    assert found.problems == ()
    (rule,) = found.inhibitions
    assert [str(each) for each in rule.source] == ['slo="gateway-up"']
    assert [str(each) for each in rule.target] == ['slo!="gateway-up"', 'severity="page"']
    assert rule.equal == ("workspace",)
    policy = found.policy
    assert (policy.reopen_s, policy.stale_resolve_after_s) == (3600, 2 * 86_400)
    assert (policy.page_notify_age_s, policy.ticket_notify_age_s) == (300, 86_400)
    assert policy.flapping == FlappingPolicy(
        changes=6, within_s=1800, shortest_hold_s=300, longest_hold_s=7200
    )
    assert (policy.storm_label, policy.storm_incidents, policy.storm_within_s) == (
        "region", 20, 120,
    )  # fmt: skip
    jsonschema.validate(yaml.safe_load(WHOLE + RULES), receivers_schema())


def test_what_a_file_leaves_out_is_as_shipped(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert found.inhibitions == SHIPPED_INHIBITIONS
    assert found.policy == AlertPolicy()
    own = load(tmp_path, WHOLE + RULES.replace("shipped_inhibit_rules: false\n", ""))
    assert own.inhibitions[:-1] == SHIPPED_INHIBITIONS


CASES = {
    "a pattern that does not compile": (
        WHOLE + RULES.replace("slo=gateway-up", "'slo=~\"(\"'"),
        "inhibit_rules.0.source_matchers.0: '(' is no regular expression",
    ),
    "inhibition without a source": (
        WHOLE + RULES.replace("[slo=gateway-up]", "[]"),
        "42: inhibit_rules.0.source_matchers",
    ),
    "inhibition with old words": (
        WHOLE + RULES.replace("source_matchers", "source_match"),
        "42: unknown key inhibit_rules.0.source_match; did you mean source_matchers?",
    ),
    "unknown key of a route": (
        changed("      receiver: oncall", "      recever: oncall"),
        "unknown key route.routes.0.recever; did you mean receiver?",
    ),
    "unknown key of an interval": (
        WHOLE + RULES.replace("incidents: 20", "incident: 20"),
        "51: unknown key policy.storm.incident; did you mean incidents?",
    ),
    "a flapping of one": (WHOLE + RULES.replace("changes: 6", "changes: 1"), "50: policy.flapping"),
    "no yaml": ("a: [", "1: is not YAML"),
    "nothing": ("", "1: the file: "),
    "a list": ("[]", "1: the file: "),
    "unknown key": (changed("fallback:", "fallbak:"), "6: unknown key fallbak; did you mean fall"),
    "unknown format": (changed("format: slack", "format: teams"), "10: format: "),
    "variable not set": (changed("env: TOKEN", "env: NOBODY"), "17: the variable NOBODY is not"),
    "file not there": (changed("SLACK_FILE", "/nowhere"), "11: /nowhere cannot be read"),
    "short secret": (changed("env: OLD_KEY", "env: TOKEN"), "16: receiver hook: secret "),
    "secret in the file": (changed("{env: HOOK_KEY}", KEY), "16: secrets.0: "),
    "no secret": (changed("    secrets: [{env: HOOK_KEY}, {env: OLD_KEY}]\n", ""), "14: receiver "),
    "plain http": (changed("{http: true, ", "{"), "22: receiver alertmanager: url is not allowed"),
    "private": (changed("hooks.example/", "192.168.0.1/"), "15: receiver hook: url is not allow"),
    "no network": (changed("10.0.0.0/8]}\n    heartbeat", "10.0.0/8]}\n    heartbeat"), "18: "),
    "circle": (changed("    url: {file", "    fallback: oncall\n    url: {file"), "circle"),
    "unknown fallback": (changed("fallback: chat", "fallback: char"), "'char' is no receiver"),
    "unknown receiver": (changed("receiver: hook", "receiver: hok"), "34: hok is no receiver; did"),
    "no first receiver": (changed("  receiver: chat\n", ""), "the first route needs a receiver"),
    "no matcher": (changed("severity=ticket", "severity"), "33: "),
    "unknown interval": (changed("[nights]", "[night]"), "night is no time interval; did you mea"),
    "bad interval": (changed("Europe/Berlin", "Europe/Berln"), "nights: location"),
    "bad span": (
        changed("group_wait: 0s", "group_wait: 5"),
        "31: route.routes.0.group_wait: 5 is no ",
    ),
    "bad template": (changed("{{ status }}", "{{ status }"), "12: title: is no Jinja template"),
    "heartbeat of slack": (changed("send_resolved: false", "heartbeat: 1m"), "has no heartbeat"),
    "routing key of slack": (
        changed("send_resolved: false", "routing_key: {env: PD_KEY}"),
        "routing_key is for pagerduty_v2",
    ),
    "short routing key": (changed("env: PD_KEY", "env: TOKEN"), "must have 32 characters"),
    "handshake": (changed("heartbeat: 1m", "handshake: true"), "handshake is for cloudevents"),
    "no api": (changed("9093/api/v2/alerts", "9093/"), "ends in /api/v2/alerts"),
    "no certificates": (
        changed("    heartbeat: 1m", "    ca_file: /nowhere"),
        "19: receiver hook: /nowhere is no file",
    ),
    "name twice": (changed("name: hook", "name: chat"), "receiver chat stands twice"),
    "two places of a secret": (
        changed("{env: PD_KEY}", "{env: PD_KEY, file: x}"),
        "5: routing_key: names env or file",
    ),
}


@pytest.mark.parametrize(("text", "wanted"), CASES.values(), ids=CASES)
def test_a_problem_names_its_line_and_a_remedy(tmp_path: Path, text: str, wanted: str) -> None:
    found = problems(tmp_path, text)
    assert not wanted or any(wanted in problem for problem in found), found
    assert KEY not in str(found)
    assert all(problem.startswith("receivers.yaml:") for problem in found)


def test_a_receiver_with_a_problem_costs_no_other(tmp_path: Path) -> None:
    found = load(tmp_path, changed("format: slack", "format: teams"))
    assert set(found.receivers) == {"oncall", "hook", "alertmanager"}


def test_several_problems_are_told_at_once(tmp_path: Path) -> None:
    text = WHOLE.replace("format: slack", "format: teams").replace("PD_KEY", "NOBODY")
    assert len(problems(tmp_path, text)) >= 2


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    found = load_receivers_file(tmp_path / "none.yaml", environ={})
    assert "cannot be read" in found.problems[0]
