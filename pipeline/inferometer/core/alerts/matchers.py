"""Matchers on labels, as Alertmanager writes them: `name="value"`, `!=`, `=~`, `!~`.

Invariants: a label that is missing is the empty text; a regular expression must match the whole
value (Alertmanager anchors them too).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(f"(?:{pattern})")


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether labels meet it."""
        found = labels.get(self.name, "")
        if self.is_regex:
            is_met = _compiled(self.value).fullmatch(found) is not None
        else:
            is_met = found == self.value
        return is_met is self.is_equal

    def __str__(self) -> str:
        """Return it as Alertmanager writes it."""
        sign = {
            (False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~",
        }[self.is_regex, self.is_equal]  # fmt: skip
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{sign}"{escaped}"'


def all_match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Return whether labels meet every matcher."""
    return all(matcher.matches(labels) for matcher in matchers)
