"""The values of one question on their way into a text: each bound under a name, none written out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_INT64 = 2**63 - 1
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_LONE_SURROGATES = dict.fromkeys(range(55296, 57344), _REPLACEMENT)


@dataclass(frozen=True, slots=True)
class _AsItIs:
    """A text that the driver leaves alone: ClickHouse takes an identifier without unescaping it."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Bound:
    """Collects values; each method returns what stands for the value in the text."""

    values: dict[str, Any] = field(default_factory=dict)

    def text(self, value: str) -> str:
        """Bind a text."""
        return self._bind("String", _encodable(value))

    def texts(self, values: Sequence[str]) -> str:
        """Bind texts as an array."""
        return self._bind("Array(String)", [_encodable(value) for value in values])

    def tuples(self, values: Sequence[tuple[str, ...]], width: int) -> str:
        """Bind tuples of texts as an array."""
        kind = f"Array(Tuple({', '.join(['String'] * width)}))"
        return self._bind(kind, [tuple(map(_encodable, value)) for value in values])

    def name(self, value: str) -> str:
        """Bind what a column of the answer is called."""
        return self._bind("Identifier", _AsItIs(_encodable(value)))

    def integer(self, value: int) -> str:
        """Bind an integer; one beyond 64 bits is beyond all that is stored, and so is its end."""
        return self._bind("Int64", min(max(value, -_MAX_INT64), _MAX_INT64))

    def integers(self, values: Sequence[int]) -> str:
        """Bind integers as an array."""
        return self._bind("Array(Int64)", list(values))

    def number(self, value: float) -> str:
        """Bind a number with all of its digits."""
        return self._bind("Float64", repr(float(value)))

    def numbers(self, values: Sequence[float]) -> str:
        """Bind numbers as an array."""
        return self._bind("Array(Float64)", [float(value) for value in values])

    def _bind(self, kind: str, value: Any) -> str:
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"


def _encodable(text: str) -> str:
    """Return a text that UTF-8 can carry: half of a character equals nothing that is stored."""
    return text.translate(_LONE_SURROGATES) if not text.isascii() else text
