"""The `where` of an OpenSLO metric source: terms over request events, joined by `and`.

    valid and streaming and model in ('m-large', 'm-small') and ttft_ms <= 2000

The words are those of the event contract; `or` is not among them, since an objective counts one
selection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

from inferometer.core.alerts.matchers import Matcher
from inferometer.core.slo.dimensions import STREAM

_QUOTED = r"'[^']*'|\"[^\"]*\""
_AND = re.compile(rf"\s+and\s+(?=(?:[^'\"]|{_QUOTED})*$)", re.IGNORECASE)
_WORD = re.compile(r"valid|streaming")
_EQUALS = re.compile(rf"(?P<name>[a-z]\w*)\s*(?P<sign>==|=~|!=|!~|=)\s*(?P<value>{_QUOTED})")
_IN = re.compile(
    rf"(?P<name>[a-z]\w*)\s+(?P<not>not\s+)?in\s*\(\s*(?P<values>(?:{_QUOTED})(?:\s*,\s*(?:{_QUOTED}))*)\s*\)"
)
_ORDER = re.compile(r"(?P<name>[a-z]\w*)\s*(?P<sign><=|>=|<|>)\s*(?P<number>\d+(?:\.\d+)?)")
OUTCOMES = ("good", "bad")
STATUS_CLASS = "status_class"
EXAMPLE = "valid and streaming and model == 'm-large'"


@dataclass(frozen=True, slots=True)
class Limit:
    """An order of a number of the event: `ttft_ms <= 2000`."""

    name: str
    sign: str
    number: Decimal


@dataclass(slots=True)
class Where:
    """What a text selects."""

    is_valid_only: bool = False
    outcome: str = ""
    """`good`, `bad`, or "" where it is not asked."""
    status_classes: tuple[str, ...] = ()
    limit: Limit | None = None
    selector: list[Matcher] = field(default_factory=list)


def parse_where(text: str) -> Where:
    """Read a selection; "" selects everything. Raises ValueError that says what to write."""
    where = Where()
    for term in _AND.split(text.strip()) if text.strip() else ():
        _take(term.strip(), where)
    return where


def _take(term: str, where: Where) -> None:
    if _WORD.fullmatch(term):
        if term == "valid":
            where.is_valid_only = True
        else:
            where.selector.append(Matcher(STREAM, "true"))
    elif found := _EQUALS.fullmatch(term):
        _equals(found["name"], found["sign"], found["value"][1:-1], where)
    elif found := _IN.fullmatch(term):
        values = tuple(value[1:-1] for value in re.findall(_QUOTED, found["values"]))
        _among(found["name"], values, where, is_equal=found["not"] is None)
    elif found := _ORDER.fullmatch(term):
        if where.limit is not None:
            raise ValueError(f"{term!r} is a second limit; an objective has one")
        where.limit = Limit(found["name"], found["sign"], Decimal(found["number"]))
    else:
        hint = "; split it into two objectives" if re.search(r"\bor\b", term) else ""
        raise ValueError(f"{term!r} is not understood; write terms as in {EXAMPLE!r}{hint}")


def _equals(name: str, sign: str, value: str, where: Where) -> None:
    is_equal = not sign.startswith("!")
    if name == "outcome":
        if value not in OUTCOMES or sign not in {"=", "=="}:
            raise ValueError("outcome is == 'good' or == 'bad'")
        where.outcome = value
    elif name == STATUS_CLASS:
        _among(name, (value,), where, is_equal=is_equal and not sign.endswith("~"))
    else:
        matcher = Matcher(name, value, is_regex=sign.endswith("~"), is_equal=is_equal)
        where.selector.append(matcher)


def _among(name: str, values: tuple[str, ...], where: Where, *, is_equal: bool) -> None:
    if name != STATUS_CLASS:
        pattern = "|".join(map(re.escape, values))
        where.selector.append(Matcher(name, pattern, is_regex=True, is_equal=is_equal))
    elif is_equal:
        where.status_classes = values
    else:
        raise ValueError("status_class is == one class, or in ('5xx', '429'); it cannot be negated")
