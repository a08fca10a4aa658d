"""Notices to JSON and back, as they travel between evaluator, notifier and ledger.

Invariants: decoding what was encoded gives an equal notice; equal notices give equal bytes;
fields that a later version added are ignored, so that versions can be mixed during an upgrade.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

import orjson

from inferometer.core.alerts.history import drivers_from_json
from inferometer.core.alerts.notices import (
    BudgetFacts,
    ConditionFacts,
    Family,
    Notice,
    Status,
    Transition,
    WindowFacts,
)
from inferometer.core.slo.definitions import Severity
from inferometer.errors import StateError

VERSION = 1


def encode_notice(notice: Notice) -> bytes:
    """Return a notice as canonical JSON."""
    return encode_versioned({"v": VERSION, "notice": notice})


def encode_versioned(value: Mapping[str, Any]) -> bytes:
    """Return canonical JSON of what may hold notices: decimals become text."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)


def decode_notice(raw: bytes | str) -> Notice:
    """Return the notice of `encode_notice`; raises StateError if it is none."""
    try:
        found = orjson.loads(raw)
        if found["v"] > VERSION:
            raise StateError(
                f"a notice of version {found['v']} was stored by a newer release, this one reads "
                f"up to {VERSION}; upgrade this process"
            )
        return notice_from_json(found["notice"])
    except (KeyError, TypeError, ValueError) as error:
        raise StateError(f"a stored notice is malformed ({error!r}); skip this record") from error


def notice_from_json(found: Mapping[str, Any]) -> Notice:
    """Return the notice inside a decoded record; raises StateError if it is none."""
    try:
        return _notice(found)
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise StateError(f"a stored notice is malformed ({error!r}); skip this record") from error


def _notice(found: Mapping[str, Any]) -> Notice:
    values: dict[str, Any] = _known(Notice, found)
    budget = found["budget"]
    values |= {
        "family": Family(found["family"]),
        "transition": Transition(found["transition"]),
        "severity": Severity(found["severity"]),
        "status": Status(found["status"]),
        "budget": budget and _budget(budget),
        "conditions": tuple(_condition(one) for one in found["conditions"]),
        "drivers": drivers_from_json(found["drivers"]),
        "members": tuple(dict(one) for one in found["members"]),
        "suppressed": tuple(found["suppressed"]),
    }
    return Notice(**values)


def _budget(found: Mapping[str, Any]) -> BudgetFacts:
    return BudgetFacts(**(_known(BudgetFacts, found) | {"target": Decimal(found["target"])}))


def _condition(found: Mapping[str, Any]) -> ConditionFacts:
    values: dict[str, Any] = _known(ConditionFacts, found)
    for side in ("long", "short"):
        window = found[side]
        values[side] = window and WindowFacts(**_known(WindowFacts, window))
    return ConditionFacts(**(values | {"severity": Severity(found["severity"])}))


def _known(kind: type, found: Mapping[str, Any]) -> dict[str, Any]:
    names = _names(kind)
    return {name: value for name, value in found.items() if name in names}


@lru_cache(maxsize=16)
def _names(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in fields(cast("Any", kind)))


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)
