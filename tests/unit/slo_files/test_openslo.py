from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inferometer.core.alerts.matchers import Matcher
from inferometer.core.slo.definitions import (
    AbsenceRule,
    Availability,
    Cost,
    CostPer,
    Duration,
    Indicator,
    Latency,
    Severity,
    Tier,
    Weighting,
)
from inferometer.slo_files import load_slo_files, load_slo_texts, shipped_burn_windows

if TYPE_CHECKING:
    from inferometer.slo_files import SloFiles

EXAMPLE = Path(__file__).parents[3] / "schemas" / "examples" / "openslo.yaml"

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: chat
  annotations: {}
spec:
  service: api
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  indicator:
    metadata: {name: i}
    spec:
      ratioMetric:
        bad: {metricSource: {type: inferometer, spec: {where: "outcome == 'bad'"}}}
        total: {metricSource: {type: inferometer, spec: {where: valid}}}
  objectives: [{target: 0.999}]
"""
THRESHOLD = """\
      thresholdMetric:
        metricSource: {type: inferometer, spec: {field: ttft_ms}}
  objectives: [{op: lte, value: 2, target: 0.99}]
"""
POLICIES = """\
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: p}
      spec:
        alertWhenBreaching: true
        conditions:
          - kind: AlertCondition
            metadata: {name: fast}
            spec:
              severity: page
              condition: {kind: burnrate, op: gt, threshold: 14.4, lookbackWindow: 1h}
"""
LATENCY = SLO[: SLO.index("      ratioMetric")] + THRESHOLD


def load(*texts: str) -> SloFiles:
    return load_slo_texts({"f.yaml": "---\n".join(texts)})


def problems(found: SloFiles) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_the_example_means_what_its_native_form_would() -> None:
    found = load_slo_files([EXAMPLE])
    assert problems(found) == []
    success, ttft = found.slos
    assert success.indicator == Availability()
    assert (success.objective, success.service) == (Decimal("0.999"), "chat-api")
    assert (success.group_by, success.tier, success.owner) == (
        ("model",),
        Tier.CRITICAL,
        "inference",
    )
    assert success.runbook_url == "https://runbooks.example.com/chat-api"
    assert success.receivers == ("pagerduty-inference",)
    shipped = shipped_burn_windows()
    assert success.burn_windows == (shipped[0], shipped[1], shipped[3])
    assert success.absence is None
    assert ttft.indicator == Latency(duration=Duration.TTFT, threshold_us=2_000_000)
    assert ttft.selector == (Matcher("stream", "true"),)
    assert ttft.burn_windows == shipped


def test_objects_may_stand_in_any_order_and_in_other_files() -> None:
    documents = EXAMPLE.read_text(encoding="utf-8").split("---\n")
    texts = {f"{at}.yaml": text for at, text in enumerate(reversed(documents))}
    found = load_slo_texts(texts)
    assert problems(found) == []
    assert {slo.name for slo in found.slos} == {"chat-success", "chat-ttft"}


@pytest.mark.parametrize(
    ("bad", "total", "expected"),
    [
        ("outcome == 'bad'", "", Availability(excluded=frozenset())),
        ("status_class in ('5xx', '4xx')", "valid",
         Availability(bad=frozenset({"5xx", "4xx"}), excluded=frozenset({"499"}))),
        ("ttft_ms > 1500", "valid", Latency(duration=Duration.TTFT, threshold_us=1_500_000)),
        ("e2e_ms >= 1500", "valid", Latency(duration=Duration.E2E, threshold_us=1_499_999)),
        ("cost_usd > 0.05", "valid", Cost(per=CostPer.REQUEST, threshold_usd=Decimal("0.05"))),
    ],
)  # fmt: skip
def test_a_ratio_says_what_is_bad(bad: str, total: str, expected: Indicator) -> None:
    text = SLO.replace("outcome == 'bad'", bad).replace("where: valid", f"where: '{total}'")
    found = load(text)
    assert problems(found) == []
    assert found.slos[0].indicator == expected


def test_a_ratio_may_say_what_is_good() -> None:
    text = SLO.replace("bad: {", "good: {").replace("outcome == 'bad'", "status_class == '2xx'")
    found = load(text)
    assert problems(found) == []
    assert found.slos[0].indicator == Availability(bad=frozenset({"5xx", "429", "other"}))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lte", "lt", Latency(duration=Duration.TTFT, threshold_us=1_999_999)),
        ("{field: ttft_ms}", "{field: itl_ms, unit: ms}",
         Latency(duration=Duration.ITL, threshold_us=2_000)),
        ("ttft_ms", "cost_usd_per_minute", Cost(per=CostPer.MINUTE, threshold_usd=Decimal(2))),
    ],
)  # fmt: skip
def test_a_threshold_is_in_seconds_unless_its_source_says_otherwise(
    old: str, new: str, expected: Indicator
) -> None:
    found = load(LATENCY.replace(old, new))
    assert problems(found) == []
    assert found.slos[0].indicator == expected


def test_parts_may_stand_inside_the_slo() -> None:
    found = load(
        SLO
        + POLICIES.replace(
            "alertWhenBreaching", "alertWhenNoData: true\n        alertWhenBreaching"
        )
    )
    assert problems(found) == []
    (slo,) = found.slos
    (window,) = slo.burn_windows
    assert (window.name, window.short_s, window.budget_share) == ("fast", 300, Decimal("0.02"))
    assert window.severity is Severity.PAGE
    assert slo.absence == AbsenceRule()


def test_annotations_carry_what_openslo_has_no_key_for() -> None:
    text = SLO.replace(
        "annotations: {}",
        "annotations:\n"
        "    slo.inferometer.io/workspace: acme\n"
        "    slo.inferometer.io/group-by: model, region\n"
        "    slo.inferometer.io/min-distinct-principals: '1'\n"
        "    slo.inferometer.io/keep-firing-for: 10m\n"
        "    slo.inferometer.io/outage: 'off'\n"
        "    slo.inferometer.io/low-traffic-guard: 'false'\n"
        "    slo.inferometer.io/requests-per-hour: '6000'\n"
        "    slo.inferometer.io/weighting: budget\n"
        "    slo.inferometer.io/class: HIGH_FAST\n"
        "    example.com/other: kept\n",
    )
    found = load(text)
    assert problems(found) == []
    (slo,) = found.slos
    assert (slo.workspace, slo.group_by) == ("acme", ("model", "region"))
    assert (slo.min_distinct_principals, slo.keep_firing_s) == (1, 600)
    assert (slo.outage, slo.low_traffic_guard) == (None, False)
    assert slo.weighting is Weighting.BUDGET
    assert slo.labels == {"class": "HIGH_FAST"}
    assert slo.annotations == {"example.com/other": "kept"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("openslo/v1", "openslo/v1alpha", "f.yaml:1: apiVersion openslo/v1alpha is not read"),
        ("kind: SLO", "kind: Slo", "f.yaml:2: unknown kind Slo; did you mean SLO?"),
        ("service: api", "servce: api", "did you mean service?"),
        ("Occurrences", "Timeslices", "f.yaml:8: slo chat: budgetingMethod Timeslices"),
        ("isRolling: true", "isRolling: false", "f.yaml:9: slo chat: a calendar window"),
        ("30d", "1M", "no fixed length"),
        ("30d", "soon", "no span of time"),
        ("  timeWindow: [{duration: 30d, isRolling: true}]\n", "", "timeWindow is missing"),
        ("[{target: 0.999}]", "[{target: 0.9}, {target: 0.8}]", "write an SLO for each"),
        ("{target: 0.999}", "{target: 0.9, targetPercent: 90}", "give either target"),
        ("{target: 0.999}", "{target: 0.999, timeSliceTarget: 0.9}", "timeSliceTarget is not read"),
        ("{target: 0.999}", "{target: 0.999, op: lte}", "belong to a thresholdMetric"),
        ("{target: 0.999}", "{target: 1.0}", "f.yaml:16: slo chat: an objective of 1"),
        ("type: inferometer, spec: {where: valid}", "type: Prometheus, spec: {query: up}",
         "metricSource of type Prometheus is not read here"),
        ("where: valid", "stream: other", "stream other is not counted"),
        ("where: valid", "wher: valid", "metricSource.spec: unknown key wher; did you mean where?"),
        ("where: valid", "where: \"ttft_ms < 3\"", "outcomes stand in good or bad"),
        ("outcome == 'bad'", "outcome == 'good'", "the opposite metric"),
        ("outcome == 'bad'", "outcome == 'bad' and model == 'm'", "repeat it in total"),
        ("outcome == 'bad'", "ttft_ms < 3", "the wrong way round"),
        ("outcome == 'bad'", "tfft_ms > 3", "unknown field tfft_ms; did you mean ttft_ms?"),
        ("outcome == 'bad'", "status_class == '6xx'", "unknown status class 6xx"),
        ("outcome == 'bad'", "valid", "needs exactly one of"),
        ("        bad:", "        rawType: failure\n        bad:", "raw ratios are not counted"),
        ("annotations: {}", "annotations: {slo.inferometer.io/grup-by: model}",
         "unknown annotation slo.inferometer.io/grup-by; did you mean slo.inferometer.io/group-by?"),
        ("annotations: {}", "annotations: {slo.inferometer.io/group-by: colour}",
         "f.yaml:5: slo chat: unknown dimension colour"),
        ("annotations: {}", "annotations: {slo.inferometer.io/tier: huge}", "f.yaml:5: slo chat: tier"),
        ("  indicator:\n    metadata: {name: i}\n", "  indicatorRef: j\n  x:\n", "unknown key x"),
    ],
)  # fmt: skip
def test_what_cannot_stand_is_named_with_its_line(old: str, new: str, words: str) -> None:
    assert old in SLO
    found = load(SLO.replace(old, new))
    assert found.slos == ()
    assert any(words in problem for problem in problems(found)), problems(found)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("op: lte", "op: gte", "good when they are low"),
        ("value: 2, ", "", "value is missing"),
        ("value: 2,", "value: 2000,", "write unit: ms"),
        ("value: 2,", "value: 0.00000001,", "finer than a microsecond"),
        ("{field: ttft_ms}", "{field: ttft_ms, unit: h}", "write s or ms"),
        ("{field: ttft_ms}", "{field: ttft_ms, where: \"outcome == 'bad'\"}", "by dimensions only"),
    ],
)
def test_a_threshold_that_cannot_stand_is_named(old: str, new: str, words: str) -> None:
    found = load(LATENCY.replace(old, new))
    assert found.slos == ()
    assert any(words in problem for problem in problems(found)), problems(found)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("threshold: 14.4", "threshold: 1001", "can never fire"),
        ("kind: burnrate", "kind: breaches", "write burnrate"),
        ("op: gt", "op: eq", "op eq is not known"),
        ("severity: page", "severity: loud", "write page or ticket"),
        ("lookbackWindow: 1h", "lookbackWindow: 1M", "no span of time"),
        ("{name: fast}", "{name: fast, annotations: {slo.inferometer.io/budget-percent: '5'}}",
         "contradict each other; the share is a burn rate of 36"),
        ("{name: fast}", "{name: fast, annotations: {slo.inferometer.io/significance: high}}",
         "is no number"),
        ("{name: fast}", "{name: fast, annotations: {slo.inferometer.io/short: 5m}}",
         "unknown annotation slo.inferometer.io/short; known are"),
        ("{name: fast}", "{name: fast, annotations: {slo.inferometer.io/short-window: 2h}}",
         "is not under its long one"),
        ("conditions:\n", "conditions:\n          - conditionRef: other\n", "write a policy for each"),
        ("alertWhenBreaching: true", "alertWhenBreaching: 3", "write true or false"),
        ("alertWhenBreaching: true",
         "alertWhenBreaching: true\n        notificationTargets: [{targetRef: nobody}]",
         "no AlertNotificationTarget is called nobody"),
    ],
)  # fmt: skip
def test_a_policy_that_cannot_stand_is_named(old: str, new: str, words: str) -> None:
    assert old in POLICIES
    found = load(SLO + POLICIES.replace(old, new))
    assert found.slos == ()
    assert any(words in problem for problem in problems(found)), problems(found)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("op: gt", "op: lt", "op lt would fire while all is well"),
        ("lookbackWindow: 1h", "lookbackWindow: 1h, alertAfter: 5m", "is not waited for"),
    ],
)
def test_what_is_allowed_and_surprising_deserves_a_word(old: str, new: str, words: str) -> None:
    found = load(SLO + POLICIES.replace(old, new))
    assert len(found.slos) == 1
    assert any(words in str(caution) for caution in found.cautions)


def test_an_alert_after_of_nothing_needs_no_word() -> None:
    found = load(SLO + POLICIES.replace("1h}", "1h, alertAfter: 0m}"))
    assert (problems(found), found.cautions) == ([], ())


def test_a_reference_to_nothing_names_what_was_probably_meant() -> None:
    example = EXAMPLE.read_text(encoding="utf-8").replace(
        "alertPolicyRef: chat-ticket", "alertPolicyRef: chat-tickets"
    )
    found = load(example)
    assert [slo.name for slo in found.slos] == ["chat-ttft"]
    assert "no AlertPolicy is called chat-tickets; did you mean chat-ticket?" in problems(found)[0]


def test_a_label_called_tier_with_another_value_is_only_a_label() -> None:
    found = load(SLO.replace("annotations: {}", "labels: {tier: gold}"))
    assert problems(found) == []
    assert (found.slos[0].tier, found.slos[0].labels) == (Tier.STANDARD, {"tier": "gold"})


def test_an_annotation_cannot_say_what_openslo_has_a_place_for() -> None:
    found = load(SLO.replace("annotations: {}", "annotations: {slo.inferometer.io/period: 7d}"))
    assert "unknown annotation slo.inferometer.io/period" in problems(found)[0]


def test_a_source_may_be_named_by_a_data_source() -> None:
    source = (
        "apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: events}\n"
        "spec: {type: inferometer}\n"
    )
    text = SLO.replace("type: inferometer", "metricSourceRef: events")
    found = load(text, source)
    assert (problems(found), len(found.slos)) == ([], 1)
    assert "metricSource of type (none) is not read here" in problems(load(text))[0]


def test_two_objects_of_one_kind_and_name_are_refused() -> None:
    found = load(SLO, SLO)
    assert len(found.slos) == 1
    assert "a SLO of this name is at f.yaml:1" in problems(found)[0]


def test_an_indicator_may_be_an_object_of_its_own() -> None:
    indicator = SLO[SLO.index("    spec:\n      ratio") : SLO.index("  objectives")]
    reference = SLO.replace(
        "  indicator:\n    metadata: {name: i}\n" + indicator, "  indicatorRef: i\n"
    )
    sli = "apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: i}\n" + "\n".join(
        line[4:] for line in indicator.splitlines()
    )
    found = load(reference, sli + "\n")
    assert problems(found) == []
    assert found.slos[0].indicator == Availability()
    (problem,) = problems(load(reference))
    assert problem == "f.yaml:10: slo chat: no SLI is called i; add the SLI, or load its file too"
