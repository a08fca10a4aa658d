"""The scenario: troubles take turns, and a day has its wave."""

from __future__ import annotations

import pytest

from inferometer.simulate.scenario import CALM, DAY_S, load, trouble


def test_troubles_repeat_every_minute() -> None:
    assert trouble(13, "openai", "gpt-4o") == trouble(73, "openai", "gpt-4o") != CALM


def test_a_trouble_hits_its_own_target_alone() -> None:
    assert trouble(13, "mistral", "mistral-small-latest") == CALM
    assert trouble(25, "anthropic", "claude-sonnet-4-5").slowness > 1
    assert trouble(25, "openai", "gpt-4o") == CALM


def test_the_load_has_its_peak_six_hours_in_and_a_mean_of_one() -> None:
    hours = [load(hour * 3600.0) for hour in range(24)]
    assert max(range(24), key=hours.__getitem__) == 6
    assert sum(hours) / 24 == pytest.approx(1)
    assert load(0) == pytest.approx(load(DAY_S))
