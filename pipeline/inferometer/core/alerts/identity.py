"""Names of incidents, notices and transitions, derived from what they are about and event time.

Invariants: the same facts give the same name, in any process and on any replay; neither severity,
nor values, nor annotations, nor a rule's version enter a name, so a changed threshold continues an
incident instead of opening another.
"""

from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INCIDENT_ID_LENGTH = 26
"""Base-32 digits: 130 bits."""
FINGERPRINT_LENGTH = 16
NOTIFICATION_PREFIX = "msg_"


def canonical_labels(labels: Mapping[str, str]) -> str:
    """Return labels as JSON that is equal for equal labels: sorted, NFC, no spaces."""
    normal = {_normal(name): _normal(value) for name, value in labels.items()}
    return json.dumps(normal, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def fingerprint_of(labels: Mapping[str, str], kind: str) -> str:
    """Return the name of a series of incidents: 16 hex digits of its identity labels and kind."""
    text = canonical_labels({**labels, "rule_kind": kind})
    return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_LENGTH]


def incident_id_of(
    workspace: str, name: str, group: Mapping[str, str], opened_at_s: int, kind: str = ""
) -> str:
    """Return the name of the incident that opened at this tick.

    The tick is that of firing, not that of a pending start: a subject has one open incident at a
    time, so no two of its incidents share it, whereas two rules may have been pending since the
    same tick and fire in different incidents.
    """
    parts = [workspace, name, canonical_labels(group), str(opened_at_s)]
    return _digest([*parts, kind] if kind else parts)[:INCIDENT_ID_LENGTH]


def notification_id_of(incident_id: str, transition: str, seq: int, receiver: str) -> str:
    """Return the name of one message to one receiver; it is the same on every attempt."""
    return NOTIFICATION_PREFIX + _digest([incident_id, transition, str(seq), receiver])


def transition_id_of(fingerprint: str, at_s: int, kind: str, rule: str) -> str:
    """Return the name of a row of history, so that a replayed row replaces itself."""
    return _digest([fingerprint, str(at_s), kind, rule])[:INCIDENT_ID_LENGTH]


def _digest(parts: Sequence[str]) -> str:
    # JSON keeps the parts apart whatever characters are in them, a bare "|" would not.
    text = json.dumps([_normal(part) for part in parts], ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)
