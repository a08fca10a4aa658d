from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inferometer.core.alerts.matchers import Matcher
from inferometer.core.slo.definitions import (
    AbsenceRule,
    Availability,
    BatchIsolation,
    Cost,
    CostPer,
    Duration,
    Indicator,
    Latency,
    OutageRule,
    Severity,
    Tier,
    Weighting,
)
from inferometer.slo_files import load_slo_texts, shipped_burn_windows

if TYPE_CHECKING:
    from inferometer.slo_files import SloFiles

SHORTEST = """\
format: inferometer.slos.v1
slos:
  - name: chat-success
    indicator: availability
    objective: 0.999
"""


def load(text: str) -> SloFiles:
    return load_slo_texts({"f.yaml": text})


def one(*lines: str) -> SloFiles:
    return load(SHORTEST + "".join(f"    {line}\n" for line in lines))


def problems(found: SloFiles) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_the_shortest_objective_has_the_shipped_rules() -> None:
    found = load(SHORTEST)
    assert problems(found) == []
    (slo,) = found.slos
    assert slo.objective == Decimal("0.999")
    assert slo.indicator == Availability()
    assert slo.burn_windows == shipped_burn_windows()
    assert (slo.outage, slo.absence) == (OutageRule(), AbsenceRule())
    assert (slo.service, slo.workspace) == ("chat-success", "")
    assert slo.source == "f.yaml:3"


def test_the_shipped_windows_are_those_of_the_workbook() -> None:
    found = [
        (window.name, window.severity, window.long_s, window.short_s, window.burn(30 * 86_400))
        for window in shipped_burn_windows()
    ]
    assert found == [
        ("page-fast", Severity.PAGE, 3_600, 300, Decimal("14.4")),
        ("page-slow", Severity.PAGE, 21_600, 1_800, Decimal(6)),
        ("ticket-fast", Severity.TICKET, 86_400, 7_200, Decimal(3)),
        ("ticket-slow", Severity.TICKET, 259_200, 21_600, Decimal(1)),
    ]
    assert {window.significance for window in shipped_burn_windows()[:2]} == {1e-3}
    assert {window.significance for window in shipped_burn_windows()[2:]} == {1e-2}


@pytest.mark.parametrize(
    ("indicator", "expected", "outage", "absence"),
    [
        ("{availability: {bad: [5xx], excluded: 4xx}}",
         Availability(bad=frozenset({"5xx"}), excluded=frozenset({"4xx"})), True, True),
        ("{availability: {bad: [5xx, 4xx]}}",
         Availability(bad=frozenset({"5xx", "4xx"}), excluded=frozenset({"499"})), True, True),
        ("{availability: {excluded: [4xx, 499, 429]}}",
         Availability(bad=frozenset({"5xx", "other"}),
                      excluded=frozenset({"4xx", "499", "429"})), True, True),
        ("{latency: {of: ttft, under: 2s}}",
         Latency(duration=Duration.TTFT, threshold_us=2_000_000), True, False),
        ("{latency: {of: tpot, under: 12.5ms, counts_failed: true}}",
         Latency(duration=Duration.TPOT, threshold_us=12_500, counts_failed=True), True, False),
        ("{cost: {per: minute, under_usd: 0.05}}",
         Cost(per=CostPer.MINUTE, threshold_usd=Decimal("0.05")), False, False),
        ("batch_isolation", BatchIsolation(), False, False),
        ("{batch_isolation: {of: ttft, allowed: 0.1}}",
         BatchIsolation(duration=Duration.TTFT, allowed=Decimal("0.1")), False, False),
    ],
)  # fmt: skip
def test_an_indicator_reads(
    indicator: str, expected: Indicator, *, outage: bool, absence: bool
) -> None:
    found = load(SHORTEST.replace("indicator: availability", f"indicator: {indicator}"))
    assert problems(found) == []
    (slo,) = found.slos
    assert slo.indicator == expected
    assert (slo.outage is not None, slo.absence is not None) == (outage, absence)


def test_an_objective_carries_all_that_its_author_says() -> None:
    found = one(
        "service: chat-api",
        "workspace: acme",
        "description: Success",
        "period: 28d",
        "where: {model: [a.b, c], environment: prod}",
        "group_by: [model, region]",
        "outage: {bad_ratio: 0.8, long: 10m, short: 2m}",
        "absence: false",
        "low_traffic_guard: false",
        "principal: api_key_hash",
        "min_distinct_principals: 1",
        "weighting: budget",
        "keep_firing_for: 20m",
        "owner: team",
        "cost_responder: finops",
        "tier: critical",
        "runbook: https://r",
        "dashboard: https://d",
        "receivers: oncall",
        "labels: {a: 1}",
        "annotations: {b: c}",
    )
    assert problems(found) == []
    (slo,) = found.slos
    assert slo.selector == (
        Matcher("model", r"a\.b|c", is_regex=True),
        Matcher("environment", "prod"),
    )
    assert slo.group_by == ("model", "region")
    assert slo.outage == OutageRule(bad_ratio=Decimal("0.8"), long_s=600, short_s=120)
    assert slo.absence is None
    assert (slo.period_s, slo.keep_firing_s) == (28 * 86_400, 1_200)
    assert (slo.low_traffic_guard, slo.principal) == (False, "api_key_hash")
    assert (slo.min_distinct_principals, slo.weighting) == (1, Weighting.BUDGET)
    assert (slo.owner, slo.cost_responder, slo.tier) == ("team", "finops", Tier.CRITICAL)
    assert (slo.runbook_url, slo.dashboard_url) == ("https://r", "https://d")
    assert slo.receivers == ("oncall",)
    assert (slo.labels, slo.annotations) == ({"a": "1"}, {"b": "c"})


def test_burn_windows_come_by_name_by_set_or_in_full() -> None:
    found = load(
        SHORTEST.replace(
            "slos:",
            "burn_windows:\n  quick:\n"
            "    - {name: now, severity: page, long: 2h, budget_share: 0.04}\nslos:",
        )
        + "    burn_windows:\n"
        "      - quick\n"
        "      - page-slow\n"
        "      - {name: burn, severity: ticket, long: 1d, short: 2h, burn: 3, significance: 0.05}\n"
    )
    assert problems(found) == []
    now, slow, burn = found.slos[0].burn_windows
    assert (now.short_s, now.burn(30 * 86_400), now.significance) == (600, Decimal("14.4"), 1e-3)
    assert slow == shipped_burn_windows()[1]
    assert (burn.budget_share, burn.significance) == (Decimal("0.1"), 0.05)


def test_a_burn_rate_and_a_share_may_both_stand_when_they_agree() -> None:
    line = "burn_windows: [{{name: w, severity: page, long: 1h, budget_share: 0.02, burn: {}}}]"
    assert problems(one(line.format("14.4"))) == []
    (problem,) = problems(one(line.format("14")))
    assert problem.startswith("f.yaml:6: slo chat-success: w: burn 14 and budget_share 0.02")
    assert "is a burn rate of 14.4" in problem


def test_defaults_are_shared_and_an_objective_s_own_keys_win() -> None:
    found = load(
        "format: inferometer.slos.v1\n"
        "defaults: {owner: a, service: s, labels: {x: 1, y: 2}, outage: false}\n"
        "slos:\n"
        "  - {name: one, indicator: availability, objective: 0.99, owner: b, labels: {x: 3}}\n"
        "  - {name: two, indicator: availability, objective: 0.99}\n"
        "budgets: [{name: money, amount_usd: 10}]\n"
    )
    assert problems(found) == []
    one_, two = found.slos
    assert (one_.owner, two.owner, found.budgets[0].owner) == ("b", "a", "a")
    assert one_.labels == {"x": "3", "y": "2"}
    assert one_.outage is two.outage is None


def test_every_problem_is_found_at_once_each_with_its_line() -> None:
    found = load(
        "format: inferometer.slos.v1\n"
        "slos:\n"
        "  - name: sound\n"
        "    indicator: availability\n"
        "    objective: 0.99\n"
        "  - name: broken\n"
        "    indicatr: availability\n"
        "    objective: 99.9%\n"
        "    period: 30\n"
        "    where:\n"
        "      - model\n"
        "  - name: unsound\n"
        "    indicator: {latency: {of: ttft, under: 2s}}\n"
        "    objective: 99.5\n"
        "    group_by: [model, colour]\n"
        "    where:\n"
        "      modle: x\n"
        "    burn_windows:\n"
        "      - page-fast\n"
        "      - {name: w, severity: page, long: 1h, short: 2h, budget_share: 0.02}\n"
        "  - oops\n"
    )
    assert [slo.name for slo in found.slos] == ["sound"]
    assert problems(found) == [
        "f.yaml:6: slo broken: indicator is missing; add it",
        "f.yaml:7: slo broken: unknown key indicatr; did you mean indicator?",
        "f.yaml:8: slo broken: objective: '99.9%' is no number here; "
        "write a ratio such as 0.999, not a percent",
        "f.yaml:9: slo broken: period: 30 is no span of time; "
        "write it with its unit, such as 5m or 30d",
        "f.yaml:10: slo broken: where: 'model' is no matcher; "
        'write it like model="value" (also != =~ !~)',
        "f.yaml:14: slo unsound: 99.5 looks like a percent; write the ratio, 0.995",
        *[text for text in problems(found) if text.startswith("f.yaml:15:")],
        "f.yaml:17: slo unsound: unknown dimension modle; did you mean model?",
        "f.yaml:20: slo unsound: w: its short window 2h is not under its long one 1h; "
        "write long / 12",
        "f.yaml:21: slo: [3]: 'oops' does not fit; "
        "write a mapping here: keys with values, indented",
    ]
    assert "unknown dimension colour" in problems(found)[6]


def test_what_has_one_problem_is_judged_for_the_others_at_once() -> None:
    found = load("""\
format: inferometer.slos.v1
slos:
  - name: chat
    indicator: availability
    objective: 0.9
    period: 3
    tier: urgent
    group_by: modle
budgets:
  - {name: month, amount_usd: -2, period: month, zone: Europe/Berln}
rules:
  - {name: cold, metric: cold_starts / attempts, above: {ticket: x}, group_by: [modle]}
""")
    assert (found.slos, found.budgets, found.rules) == ((), (), ())
    said = [problem.split(": ", 2)[1:] for problem in problems(found)]
    assert [(subject, text.split(";")[0]) for subject, text in said] == [
        ("slo chat", "period: 3 is no span of time"),
        ("slo chat", "tier: 'urgent' does not fit"),
        ("slo chat", "unknown dimension modle"),
        ("budget month", "an amount is over 0"),
        ("budget month", "zone: 'Europe/Berln' is no IANA zone"),
        # That a threshold is missing is not said: the one that does not fit is left out here.
        ("rule cold", "above.ticket: 'x' does not fit"),
        ("rule cold", "unknown dimension modle"),
    ]


def test_an_objective_that_relies_on_a_broken_default_is_not_loaded() -> None:
    found = load(
        "format: inferometer.slos.v1\n"
        "defaults: {where: [oops]}\n"
        "slos:\n"
        "  - {name: one, indicator: availability, objective: 0.99}\n"
        "  - {name: two, indicator: availability, objective: 0.99, where: {model: m}}\n"
    )
    assert [slo.name for slo in found.slos] == ["two"]
    texts = problems(found)
    assert len(texts) == 2
    assert texts[0].startswith("f.yaml:2: defaults: where: 'oops' is no matcher")
    assert texts[1] == (
        "f.yaml:4: slo one: it is not loaded, because defaults.where has a problem; mend that"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("slos: {}", "f.yaml:1: slos: write a list here"),
        ("slos: []", "format is missing"),
        ("format: inferometer.slos.v1\ndefaults: 3", "defaults: 3 does not fit; write a mapping"),
        ("format: inferometer.slos.v2", "is no SLO file"),
        ("format: inferometer.slos.v1\nslo: []", "unknown key slo; did you mean slos?"),
        ("version: prometheus/v1\nservice: s", "a file of Sloth"),
        ("a: 1", "begin it with format"),
        ("[]", "holds no keys"),
        ("format: inferometer.slos.v1\nburn_windows: {x: [{name: w}]}", "severity is missing"),
    ],
)
def test_a_file_that_cannot_stand_is_named(text: str, words: str) -> None:
    assert any(words in problem for problem in problems(load(text)))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("burn_windows: [page-fats]", "f.yaml:6: slo chat-success: unknown burn window page-fats; "
                                      "did you mean page-fast?"),
        ("burn_windows: [{name: w, severity: page, long: 1h}]", "add budget_share: 0.02"),
        ("burn_windows: [{name: w, severity: loud, long: 1h}]", "'ticket' or 'page'"),
        ("outage: yes please", "outage"),
        ("labels: {a: [1]}", "write a text"),
        ("low_traffic_guard: 1", "write true or false"),
        ("min_distinct_principals: two", "write a whole number"),
        ("where: 3", "is no matcher"),
        ("where: {model: {}}", "is no matcher"),
    ],
)  # fmt: skip
def test_a_key_that_does_not_fit_says_what_to_write(line: str, words: str) -> None:
    found = one(line)
    assert found.slos == ()
    assert any(words in problem for problem in problems(found))


@pytest.mark.parametrize(
    "indicator",
    [
        "fast",
        "{}",
        "{latency: {of: ttft, under: 2s}, availability: {}}",
        "{latency: {of: ttft}}",
        "3",
    ],
)
def test_an_indicator_that_is_none_or_several_is_refused(indicator: str) -> None:
    found = load(SHORTEST.replace("indicator: availability", f"indicator: {indicator}"))
    assert found.slos == ()
    assert problems(found)[0].startswith("f.yaml:4: slo chat-success: indicator")


@pytest.mark.parametrize("number", ["1e-999999999", "1e9999", f"0.{'9' * 40}"])
def test_numbers_that_arithmetic_cannot_end_with_are_refused(number: str) -> None:
    found = load(SHORTEST.replace("0.999", number))
    assert found.slos == ()
    assert problems(found)[0].startswith("f.yaml:5: slo chat-success: objective: ")


def test_traffic_that_a_file_tells_is_judged() -> None:
    assert "cannot be measured" in problems(one("requests_per_hour: 1"))[0]
    found = one("requests_per_hour: 60")
    assert problems(found) == []
    assert any("one failure alone" in str(caution) for caution in found.cautions)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["name", "indicator", "objective", "where", "group_by", "burn_windows", "outage", "labels",
     "absence", "period", "principal", "receivers", "tier"]
)  # fmt: skip


@settings(max_examples=40)
@given(st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_values_give_objectives_or_problems(keys: dict[str, object]) -> None:
    document = {"format": "inferometer.slos.v1", "slos": [keys]}
    found = load(json.dumps(document))
    assert found.slos or found.problems
