"""Rules of how a rise in spending is explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.slo.drivers import (
    FACTOR,
    LENGTH,
    MIX,
    PRICE,
    RETRIES,
    VOLUME,
    Explanation,
    Spending,
    explain,
)

BEFORE = Spending(
    requests=100,
    attempts=100,
    tokens={"small": 50_000, "large": 50_000},
    costs={"small": 5.0, "large": 50.0},
)


def _now(
    *, requests: float = 1, attempts: float = 1, tokens: float = 1, price: float = 1
) -> Spending:
    """Return the same spending with factors applied."""
    quantity = requests * attempts * tokens
    return Spending(
        requests=100 * requests,
        attempts=100 * requests * attempts,
        tokens={model: count * quantity for model, count in BEFORE.tokens.items()},
        costs={model: cost * quantity * price for model, cost in BEFORE.costs.items()},
    )


def _shares(explanation: Explanation) -> dict[str, float]:
    return {one.value: one.share for one in explanation.drivers if one.dimension == FACTOR}


@pytest.mark.parametrize(
    ("now", "driver"),
    [
        (_now(requests=5), VOLUME),
        (_now(attempts=3), RETRIES),
        (_now(tokens=4), LENGTH),
        (_now(price=2), PRICE),
    ],
    ids=["more requests", "a retry loop", "longer requests", "a price change"],
)
def test_a_single_cause_is_the_whole_of_a_rise(now: Spending, driver: str) -> None:
    explanation = explain(BEFORE, now)
    assert explanation.drivers[0].value == driver
    assert _shares(explanation)[driver] == pytest.approx(1.0)


def test_a_move_to_a_dear_model_is_mix_and_no_price() -> None:
    now = Spending(requests=100, attempts=100, tokens={"large": 100_000}, costs={"large": 100.0})
    shares = _shares(explain(BEFORE, now))
    assert shares[MIX] == pytest.approx(1.0)
    assert shares[PRICE] == pytest.approx(0.0)


def test_two_causes_share_by_their_logarithms() -> None:
    shares = _shares(explain(BEFORE, _now(requests=2, attempts=4)))
    assert shares[VOLUME] == pytest.approx(1 / 3, abs=1e-3)
    assert shares[RETRIES] == pytest.approx(2 / 3, abs=1e-3)


_POSITIVE = st.floats(0.2, 50)


@given(_POSITIVE, _POSITIVE, _POSITIVE, _POSITIVE, st.floats(0.01, 0.99))
def test_the_factors_sum_to_the_whole(
    requests: float, attempts: float, tokens: float, price: float, small: float
) -> None:
    now = _now(requests=requests, attempts=attempts, tokens=tokens, price=price)
    mixed = Spending(
        requests=now.requests,
        attempts=now.attempts,
        tokens={"small": now.tokens["small"] * small, "large": now.tokens["large"]},
        costs={"small": now.costs["small"] * small, "large": now.costs["large"]},
    )
    shares = _shares(explain(BEFORE, mixed))
    if shares:
        assert sum(shares.values()) == pytest.approx(1.0, abs=1e-3)


def test_a_rise_in_volume_at_the_usual_cost_is_explained() -> None:
    assert explain(BEFORE, _now(requests=5)).is_volume(least_share=0.9, unit_cost_band=1.1)


def test_a_rise_that_is_mostly_volume_at_a_higher_cost_is_not() -> None:
    explanation = explain(BEFORE, _now(requests=9, tokens=1.2))
    assert explanation.volume_share > 0.9
    assert not explanation.is_volume(least_share=0.9, unit_cost_band=1.1)


def test_models_are_named_by_what_they_added() -> None:
    models = [one for one in explain(BEFORE, _now(requests=2)).drivers if one.dimension == "model"]
    assert [one.value for one in models] == ["large", "small"]
    assert models[0].share == pytest.approx(50 / 55, abs=1e-3)


def test_without_a_past_the_models_of_the_present_are_told() -> None:
    explanation = explain(Spending(requests=0, attempts=0), BEFORE)
    assert [one.value for one in explanation.drivers] == ["large", "small"]
    assert explanation.volume_share == 0.0


def test_without_tokens_the_price_is_that_of_an_attempt() -> None:
    before = Spending(requests=10, attempts=10, costs={"image": 1.0})
    now = Spending(requests=10, attempts=10, costs={"image": 3.0})
    assert _shares(explain(before, now))[PRICE] == pytest.approx(1.0)


def test_what_did_not_change_has_no_drivers() -> None:
    assert explain(BEFORE, BEFORE).drivers == ()
