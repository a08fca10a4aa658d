"""Prometheus itself judges the rules that `inferometer slo rules --prometheus` writes."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from inferometer.core.slo.closed_forms import (
    first_tick_after,
    first_tick_from,
    pair_clearing_s,
    pair_detection_s,
)
from inferometer.names import BAD_REQUESTS_METRIC, VALID_REQUESTS_METRIC
from inferometer.slo_files import load_slo_files, load_slo_texts
from inferometer.slo_files.prometheus_rules import prometheus_rules

if TYPE_CHECKING:
    from inferometer.core.slo.definitions import Slo

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
SCRAPE_S = 15
TICK_S = 10
START_S = 6 * 3600
"""The incident begins once the longest window that pages is full."""
END_S = START_S + 160 * 60
REQUESTS = 150
"""In each scrape interval: ten a second."""

SLOS = """\
format: inferometer.slos.v1
slos:
  - name: chat
    workspace: acme
    indicator: availability
    objective: 0.999
    group_by: model
    burn_windows: [page-fast, page-slow]
    outage: false
    keep_firing_for: 0s
"""


@dataclass(frozen=True)
class Case:
    """One row of the table: a step to an error ratio, for some minutes."""

    percent: int
    minutes: int
    silent: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        return f"e{self.percent}-{self.minutes}"

    @property
    def bad(self) -> str:
        """Return the counter of failures, in the notation of promtool."""
        each = REQUESTS * self.percent / 100
        steps = self.minutes * 60 // SCRAPE_S
        rest = (END_S - START_S) // SCRAPE_S - steps
        return f"0x{START_S // SCRAPE_S} {each:g}+{each:g}x{steps - 1} {each * steps:g}x{rest}"


CASES = (
    Case(100, 10),
    Case(50, 10),
    Case(15, 10, silent=("page-slow",)),
    Case(15, 30),
    Case(5, 60),
    Case(2, 120),
)


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not here; install Debian's package prometheus")
    return found


def test_the_rules_of_the_published_examples_are_sound(promtool: str, tmp_path: Path) -> None:
    found = load_slo_files([EXAMPLES / "slos.yaml", EXAMPLES / "openslo.yaml"])
    path = tmp_path / "rules.yaml"
    path.write_text(prometheus_rules(found.slos), encoding="utf-8")
    checked = subprocess.run(
        [promtool, "check", "rules", "--lint-fatal", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_fires_and_clears_as_the_closed_forms_say_within_a_tick_of_ours(
    promtool: str, tmp_path: Path
) -> None:
    (slo,) = load_slo_texts({"slos.yaml": SLOS}).slos
    (tmp_path / "rules.yaml").write_text(prometheus_rules([slo]), encoding="utf-8")
    run_tests(promtool, tmp_path, rule_tests(slo))


def test_no_failures_are_a_ratio_of_nothing_and_no_requests_are_no_ratio(
    promtool: str, tmp_path: Path
) -> None:
    (slo,) = load_slo_texts({"slos.yaml": SLOS}).slos
    (tmp_path / "rules.yaml").write_text(prometheus_rules([slo]), encoding="utf-8")
    labels = '{{slo="chat", workspace="acme", model="{}"}}'
    series = [
        {"series": VALID_REQUESTS_METRIC + labels.format("fine"), "values": "0+10x40"},
        {"series": VALID_REQUESTS_METRIC + labels.format("quiet"), "values": "5x40"},
        {"series": BAD_REQUESTS_METRIC + labels.format("quiet"), "values": "5x40"},
    ]
    ratio = 'slo:sli_error:ratio_rate5m{model="MODEL"}'
    fine = f"sum({ratio.replace('MODEL', 'fine')})"
    tests: list[dict[str, Any]] = [
        {"expr": fine, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": 0}]},
        {"expr": ratio.replace("MODEL", "quiet"), "eval_time": "10m", "exp_samples": []},
    ]
    run_tests(promtool, tmp_path, document(series, tests))


def run_tests(promtool: str, folder: Path, content: dict[str, Any]) -> None:
    path = folder / "tests.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    tested = subprocess.run(
        [promtool, "test", "rules", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr


def document(series: list[dict[str, Any]], tests: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what `promtool test rules` reads."""
    test = {
        "interval": f"{SCRAPE_S}s",
        "input_series": series,
        "promql_expr_test": tests,
    }
    return {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{SCRAPE_S}s",
        "tests": [test],
    }


def rule_tests(slo: Slo) -> dict[str, Any]:
    """Return every case of the table as series, and what must hold of each."""
    length = (END_S // SCRAPE_S) - 1
    series = [
        {"series": f'{metric}{{slo="chat", workspace="acme", model="{case.model}"}}', "values": values}
        for case in CASES
        for metric, values in (
            (VALID_REQUESTS_METRIC, f"0+{REQUESTS}x{length}"),
            (BAD_REQUESTS_METRIC, case.bad),
        )
    ]  # fmt: skip
    return document(series, [test for case in CASES for test in case_tests(case, slo)])


def case_tests(case: Case, slo: Slo) -> list[dict[str, Any]]:
    """Return what must hold at the end of all: when the alerts began and ended."""
    tests = []
    for window in slo.burn_windows:
        fired = (
            f'ALERTS{{alertname="InferometerSloBurn", alertstate="firing", '
            f'rule="{window.name}", model="{case.model}"}}'
        )
        if window.name in case.silent:
            tests.append(expected(f"count_over_time({fired}[10h])", None))
            continue
        ratio, end_s = Fraction(case.percent, 100), START_S + case.minutes * 60
        detection_s = pair_detection_s(window, slo, ratio)
        clearing_s = pair_clearing_s(window, slo, ratio)
        assert detection_s is not None
        assert clearing_s is not None
        first = f"min_over_time(timestamp({fired})[10h:{SCRAPE_S}s])"
        last = f"max_over_time(timestamp({fired})[10h:{SCRAPE_S}s])"
        # Counters are seen up to one scrape late, and a rate reaches over the edge of its window.
        latest_s = float(START_S + detection_s) + 2 * SCRAPE_S
        tests += [
            expected(f"{first} > bool {float(START_S + detection_s)}", 1),
            # Their grid of 15 s may hit an instant that lies between two of our ticks.
            expected(f"{first} + {TICK_S} > bool {START_S + first_tick_after(detection_s)}", 1),
            expected(f"{first} <= bool {latest_s}", 1),
            expected(
                f"{last} + {SCRAPE_S} >= bool {end_s + first_tick_from(clearing_s) - TICK_S}", 1
            ),
            expected(f"{last} + {SCRAPE_S} <= bool {float(end_s + clearing_s) + 2 * SCRAPE_S}", 1),
        ]
    return tests


def expected(expression: str, value: int | None) -> dict[str, Any]:
    samples = [] if value is None else [{"labels": "{}", "value": value}]
    bare = expression if value is None else f"sum({expression})"
    return {"expr": bare, "eval_time": f"{END_S}s", "exp_samples": samples}
