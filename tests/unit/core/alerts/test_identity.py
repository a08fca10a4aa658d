"""Names that do not depend on who computes them, or how often."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from inferometer.core.alerts.identity import (
    canonical_labels,
    fingerprint_of,
    incident_id_of,
    notification_id_of,
)

LABELS = st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=5)


@given(LABELS)
def test_the_order_of_labels_does_not_change_a_name(labels: dict[str, str]) -> None:
    turned = dict(reversed(labels.items()))
    assert fingerprint_of(labels, "slo") == fingerprint_of(turned, "slo")
    assert incident_id_of("w", "s", labels, 10) == incident_id_of("w", "s", turned, 10)


def test_composed_and_decomposed_letters_are_the_same_label() -> None:
    assert canonical_labels({"team": "Caf\u00e9"}) == canonical_labels({"team": "Cafe\u0301"})


def test_a_fingerprint_is_sixteen_hex_digits() -> None:
    assert re.fullmatch("[0-9a-f]{16}", fingerprint_of({"slo": "a"}, "slo"))


def test_an_incident_id_is_twenty_six_base_32_digits() -> None:
    assert re.fullmatch("[a-z2-7]{26}", incident_id_of("w", "s", {}, 10))


def test_a_separator_inside_a_name_does_not_make_two_incidents_one() -> None:
    assert incident_id_of("a|b", "c", {}, 10) != incident_id_of("a", "b|c", {}, 10)


def test_names_that_a_receiver_compares_have_no_full_stop() -> None:
    # Standard Webhooks signs "id.timestamp.body".
    found = notification_id_of("incident", "repeat#1", 2, "on.call")
    assert found.startswith("msg_")
    assert "." not in found


def test_another_tick_transition_number_or_receiver_is_another_name() -> None:
    names = {
        incident_id_of("w", "s", {}, 10),
        incident_id_of("w", "s", {}, 20),
        incident_id_of("w", "s", {}, 10, "exhausted"),
        notification_id_of("i", "firing", 1, "a"),
        notification_id_of("i", "firing", 2, "a"),
        notification_id_of("i", "resolved", 1, "a"),
        notification_id_of("i", "firing", 1, "b"),
    }
    assert len(names) == 7
