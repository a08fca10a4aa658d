"""Which model and provider names a price is for, as rules that are data.

Invariants: names are compared without case; a rule has no state, equal rules match equal names.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MAX_DEPTH = 8


class MatchKind(enum.StrEnum):
    """How a rule compares; all but MODEL are the rules of the genai-prices data."""

    MODEL = "model"
    """The own format's pattern: the whole name, where `*` stands for any run of characters."""
    EQUALS = "equals"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    CONTAINS = "contains"
    REGEX = "regex"
    """Searched anywhere in the lower-cased name."""
    OR = "or"
    AND = "and"


@dataclass(frozen=True, slots=True)
class Match:
    """One rule: a text to compare with, or parts joined by OR or AND."""

    kind: MatchKind
    text: str = ""
    parts: tuple[Match, ...] = ()

    @classmethod
    def model(cls, pattern: str) -> Self:
        """Return the rule of the own format's `model` pattern."""
        return cls(MatchKind.MODEL, pattern)

    @classmethod
    def equals(cls, text: str) -> Self:
        """Return the rule that one name alone satisfies."""
        return cls(MatchKind.EQUALS, text)

    @classmethod
    def any_of(cls, parts: tuple[Match, ...]) -> Self:
        """Return the rule that holds where one of the parts does."""
        return cls(MatchKind.OR, parts=parts)

    @classmethod
    def from_rule(cls, rule: object, *, depth: int = 0) -> Self:
        """Read `{"equals": "x"}`, `{"or": [...]}` and their like.

        Raises ValueError for anything else.
        """
        if not isinstance(rule, dict) or len(rule) != 1:
            raise ValueError(f"a match is an object with one key, not {rule!r}")
        if depth > MAX_DEPTH:
            raise ValueError(f"a match nests at most {MAX_DEPTH} deep")
        ((name, value),) = rule.items()
        if name not in set(MatchKind):
            raise ValueError(f"unknown match {name!r}; known: {', '.join(MatchKind)}")
        kind = MatchKind(name)
        if kind in {MatchKind.OR, MatchKind.AND}:
            if not isinstance(value, list) or not value:
                raise ValueError(f"{name!r} takes a list of matches")
            return cls(kind, parts=tuple(cls.from_rule(part, depth=depth + 1) for part in value))
        if not isinstance(value, str) or not value:
            raise ValueError(f"{name!r} takes a text")
        if kind is MatchKind.REGEX:
            _compiled(value)
        return cls(kind, value)

    def to_rule(self) -> Mapping[str, Any]:
        """Return the rule as `from_rule` reads it."""
        value: Any = [part.to_rule() for part in self.parts] if self.parts else self.text
        return {self.kind.value: value}

    def matches(self, name: str) -> bool:
        """Say whether a name, already lower-cased, satisfies the rule."""
        match self.kind:
            case MatchKind.OR:
                return any(part.matches(name) for part in self.parts)
            case MatchKind.AND:
                return all(part.matches(name) for part in self.parts)
            case MatchKind.REGEX:
                return _compiled(self.text).search(name) is not None
            case MatchKind.MODEL:
                return _glob(self.text).fullmatch(name) is not None
            case MatchKind.EQUALS:
                return name == self.text.lower()
            case MatchKind.STARTS_WITH:
                return name.startswith(self.text.lower())
            case MatchKind.ENDS_WITH:
                return name.endswith(self.text.lower())
            case _:
                return self.text.lower() in name

    def exact_names(self) -> Iterator[str]:
        """Yield the lower-cased names that satisfy the rule without comparing further."""
        if self.kind is MatchKind.OR:
            for part in self.parts:
                yield from part.exact_names()
        elif self._is_name():
            yield self.text.lower()

    def is_exact(self) -> bool:
        """Say whether `exact_names` are all the names that satisfy the rule."""
        if self.kind is MatchKind.OR:
            return all(part.is_exact() for part in self.parts)
        return self._is_name()

    def _is_name(self) -> bool:
        if self.kind is MatchKind.MODEL:
            return "*" not in self.text
        return self.kind is MatchKind.EQUALS

    def precedence(self) -> tuple[int, int]:
        """Return the place among rules of one file: exact names, rules, then long patterns first.

        Rules keep the order of the file: the genai-prices data relies on it.
        """
        if self.kind is not MatchKind.MODEL:
            return (1, 0)
        return (2, -len(self.text)) if "*" in self.text else (0, 0)


class MatchIndex:
    """Finds which of many rules a name satisfies; rules that are plain names cost nothing."""

    def __init__(self, matches: Sequence[Match]) -> None:
        """Take the rules in the order of their precedence."""
        self._count = len(matches)
        self._by_name: dict[str, list[int]] = {}
        for index, match in enumerate(matches):
            for name in match.exact_names():
                self._by_name.setdefault(name, []).append(index)
        self._patterns = [(i, match) for i, match in enumerate(matches) if not match.is_exact()]

    def first(self, name: str) -> int | None:
        """Return the place of the first rule that a lower-cased name satisfies."""
        known = self._by_name.get(name)
        best = known[0] if known else self._count
        for index, match in self._patterns:
            if index >= best:
                break
            if match.matches(name):
                return index
        return best if known else None

    def all(self, name: str) -> list[int]:
        """Return the places of all rules that a lower-cased name satisfies, ascending."""
        found = {index for index, match in self._patterns if match.matches(name)}
        return sorted(found.union(self._by_name.get(name, ())))


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"regex {pattern!r} does not compile: {error}") from error


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> re.Pattern[str]:
    literals = (re.escape(part) for part in pattern.lower().split("*"))
    return re.compile(".*".join(literals), re.DOTALL)
