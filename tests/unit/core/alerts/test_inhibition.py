"""What keeps what quiet."""

from __future__ import annotations

from inferometer.core.alerts.inhibition import SHIPPED_INHIBITIONS, InhibitRule, inhibited
from inferometer.core.alerts.matchers import Matcher

AT = {"workspace": "acme", "service": "api"}


def test_a_page_keeps_tickets_of_its_service_quiet_and_no_others() -> None:
    found = inhibited(
        {
            "page": {**AT, "severity": "page"},
            "ticket": {**AT, "severity": "ticket"},
            "elsewhere": {"workspace": "acme", "service": "other", "severity": "ticket"},
        },
        SHIPPED_INHIBITIONS,
    )
    assert found == {"ticket": ("page",)}


def test_a_provider_that_is_out_keeps_its_models_quiet() -> None:
    found = inhibited(
        {
            "provider": {**AT, "severity": "page", "provider": "p"},
            "model": {**AT, "severity": "page", "provider": "p", "model": "m"},
            "other": {**AT, "severity": "page", "provider": "q", "model": "m"},
        },
        SHIPPED_INHIBITIONS,
    )
    assert found == {"model": ("provider",)}


def test_a_missing_label_equals_an_empty_one() -> None:
    rule = InhibitRule(
        source=(Matcher("kind", "a"),), target=(Matcher("kind", "b"),), equal=("zone",)
    )
    found = inhibited({"a": {"kind": "a"}, "b": {"kind": "b", "zone": ""}}, (rule,))
    assert found == {"b": ("a",)}


def test_what_meets_both_sides_does_not_inhibit_itself_or_its_like() -> None:
    rule = InhibitRule(source=(Matcher("x", "1"),), target=(Matcher("x", "1"),))
    assert inhibited({"a": {"x": "1"}, "b": {"x": "1"}}, (rule,)) == {}
