"""Parameters of the query API, each declared once: for reading requests and for the OpenAPI document.

Every problem of a request is found before it is refused, names that nobody knows included: a
misspelt filter that was passed over would answer another question than the one that was asked.
"""

from __future__ import annotations

import difflib
import enum
import re
from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from inferometer.core.query.questions import Problem, QueryRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Value = TypeVar("Value")
Word = TypeVar("Word", bound=enum.StrEnum)
Schema = dict[str, Any]

MAX_TEXT_CHARS = 1024
MAX_VALUES = 100
"""Of one parameter."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class RefusedTextError(ValueError):
    """A text that a parameter does not take."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}; {remedy}")
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True)
class Parameter(ABC, Generic[Value]):
    """One query parameter."""

    name: str
    text: str
    """What it means, for the OpenAPI document."""
    default: Value

    @abstractmethod
    def read(self, text: str) -> Value:
        """Return the value of a text. Raises RefusedTextError."""

    @abstractmethod
    def schema(self) -> Schema:
        """Return the JSON schema of a value."""

    def value(self, texts: Sequence[str]) -> Value:
        """Return the value of what a request gives. Raises RefusedTextError."""
        if not texts:
            return self.default
        if len(texts) > 1:
            raise RefusedTextError("it is given more than once", "give it once")
        return self.read(plain(texts[0]))

    def described(self) -> Schema:
        """Return the parameter object of the OpenAPI document."""
        return {
            "name": self.name,
            "in": "query",
            "required": False,
            "description": self.text,
            "schema": self.schema(),
        }


@dataclass(frozen=True)
class Text(Parameter[str]):
    """A text of any kind."""

    default: str = ""
    _: KW_ONLY
    example: str = ""
    max_chars: int = MAX_TEXT_CHARS

    def read(self, text: str) -> str:
        """Return the text."""
        if len(text) > self.max_chars:
            raise RefusedTextError(
                f"it has {len(text)} characters", f"give {self.max_chars} at most"
            )
        return text

    def schema(self) -> Schema:
        """Return the JSON schema of a value."""
        said: Schema = {"type": "string", "maxLength": self.max_chars}
        if self.default:
            said["default"] = self.default
        if self.example:
            said["examples"] = [self.example]
        return said


@dataclass(frozen=True)
class Choice(Parameter[Word]):
    """One word of a list."""

    def read(self, text: str) -> Word:
        """Return the word."""
        words = type(self.default)
        if text in set(words):
            return words(text)
        raise RefusedTextError(f"{_shown(text)} is none of its words", f"use {_one_of(words)}")

    def schema(self) -> Schema:
        """Return the JSON schema of a value."""
        words = [str(word) for word in type(self.default)]
        return {"type": "string", "enum": words, "default": str(self.default)}


@dataclass(frozen=True)
class Whole(Parameter[int]):
    """A whole number."""

    _: KW_ONLY
    least: int = 0
    most: int

    def read(self, text: str) -> int:
        """Return the number."""
        remedy = f"give a whole number from {self.least} to {self.most}"
        if not _WHOLE.fullmatch(text):
            raise RefusedTextError(f"{_shown(text)} is no whole number", remedy)
        if not self.least <= int(text) <= self.most:
            raise RefusedTextError(f"{_shown(text)} is out of its limits", remedy)
        return int(text)

    def schema(self) -> Schema:
        """Return the JSON schema of a value."""
        return {
            "type": "integer",
            "minimum": self.least,
            "maximum": self.most,
            "default": self.default,
        }


@dataclass(frozen=True)
class Share(Parameter[float]):
    """A number between two others, such as a percentile as 0.95."""

    _: KW_ONLY
    least: float
    most: float

    def read(self, text: str) -> float:
        """Return the number."""
        remedy = f"give a number from {self.least:g} to {self.most:g}"
        if not re.fullmatch(r"[0-9]{0,3}(\.[0-9]{1,9})?", text) or not text:
            raise RefusedTextError(f"{_shown(text)} is no such number", remedy)
        if not self.least <= float(text) <= self.most:
            raise RefusedTextError(f"{_shown(text)} is out of its limits", remedy)
        return float(text)

    def schema(self) -> Schema:
        """Return the JSON schema of a value."""
        return {
            "type": "number",
            "minimum": self.least,
            "maximum": self.most,
            "default": self.default,
        }


@dataclass(frozen=True)
class Flag(Parameter[bool]):
    """True or false."""

    default: bool = False

    def read(self, text: str) -> bool:
        """Return the value."""
        if text not in {"true", "false"}:
            raise RefusedTextError(f"{_shown(text)} is neither true nor false", "use true or false")
        return text == "true"

    def schema(self) -> Schema:
        """Return the JSON schema of a value."""
        return {"type": "boolean", "default": self.default}


@dataclass(frozen=True)
class Texts(Parameter[tuple[str, ...]]):
    """A list: the parameter repeated, or, where `is_split`, with commas in between."""

    default: tuple[str, ...] = ()
    _: KW_ONLY
    is_split: bool = True
    example: str = ""
    most: int = MAX_VALUES

    def read(self, text: str) -> tuple[str, ...]:
        """Return the items of one text."""
        items = text.split(",") if self.is_split else [text]
        if any(len(item) > MAX_TEXT_CHARS * 4 for item in items):
            raise RefusedTextError(
                f"an item has more than {MAX_TEXT_CHARS * 4} characters", "give shorter ones"
            )
        # What is empty counts as not given: forms send it.
        return tuple(item.strip() if self.is_split else item for item in items if item.strip())

    def value(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Return every item, each once, in the order given."""
        if not texts:
            return self.default
        items = dict.fromkeys(item for text in texts for item in self.read(plain(text)))
        if len(items) > self.most:
            raise RefusedTextError(f"it has {len(items)} items", f"give {self.most} at most")
        return tuple(items)

    def schema(self) -> Schema:
        """Return the JSON schema of the list."""
        item: Schema = {"type": "string", "maxLength": MAX_TEXT_CHARS * 4}
        if self.example:
            item["examples"] = [self.example]
        said: Schema = {"type": "array", "items": item, "maxItems": self.most}
        return {**said, "default": list(self.default)} if self.default else said


class Asked:
    """The texts of a request, read parameter by parameter; problems add up until `check`."""

    def __init__(self, texts: Mapping[str, Sequence[str]]) -> None:
        self.texts = texts
        self.problems: list[Problem] = []

    def __getitem__(self, parameter: Parameter[Value]) -> Value:
        """Return the value of a parameter; its default where there is none, or a wrong one."""
        try:
            return parameter.value(self.texts.get(parameter.name, ()))
        except RefusedTextError as error:
            self.refuse(parameter.name, error.reason, error.remedy)
            return parameter.default

    def is_given(self, parameter: Parameter[Any]) -> bool:
        """Return whether the request has the parameter."""
        return parameter.name in self.texts

    def refuse_unknown(self, known: Iterable[Parameter[Any]]) -> None:
        """Note a problem for every name that is none of these."""
        names = sorted(parameter.name for parameter in known)
        takes = f"this page takes {', '.join(names)}" if names else "this page takes none"
        for name in self.texts:
            if name not in names:
                near = difflib.get_close_matches(name, names, 1)
                hint = f"did you mean {near[0]}? " if near else ""
                self.refuse(name[:64], "no such parameter", f"{hint}{takes}")

    def refuse(self, parameter: str, reason: str, remedy: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(parameter, reason, remedy))

    def check(self) -> None:
        """Raise QueryRefusedError with every problem that was found."""
        if self.problems:
            # Each once: a text with a control character is met by whoever reads it too.
            raise QueryRefusedError(*dict.fromkeys(self.problems))


def plain(text: str) -> str:
    """Return a text without control characters. Raises RefusedTextError."""
    if _CONTROL.search(text):
        raise RefusedTextError("it holds a control character", "leave that out")
    return text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 64 else f"{text[:64]}...")


def _one_of(words: type[enum.StrEnum]) -> str:
    return ", ".join(words)
