"""YAML texts as plain values whose every part knows its line; one broken document costs no other.

Numbers with a point become `Decimal` as written; keys that stand twice are problems.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import yaml

from inferometer.slo_files.findings import Findings, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SEPARATOR = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%.*$", re.MULTILINE)
_SCALARS = yaml.constructor.SafeConstructor()
_FLOAT = "tag:yaml.org,2002:float"
MAX_DEPTH = 40
MAX_VALUES = 50_000
"""Of one document, aliases written out: a few lines of them can stand for billions."""
MAX_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its value, and where each part of it stands."""

    file: str
    value: Any
    first_line: int
    lines: dict[tuple[str | int, ...], int]
    """The line of each part, by its path."""

    def place(self, path: Sequence[str | int] = ()) -> Place:
        """Return where a part stands; of a part that is not there, where its nearest parent is."""
        found = tuple(path)
        while found and found not in self.lines:
            found = found[:-1]
        return Place(self.file, self.lines.get(found, self.first_line))


def read_documents(text: str, file: str, findings: Findings) -> list[Document]:
    """Read every document of a text; what is no YAML is noted, and left out."""
    documents = []
    for first_line, part in _parts(text):
        document = _read(part, file, first_line, findings)
        if document is not None:
            documents.append(document)
    return documents


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Yield each document with the line that it begins on.

    A line that begins with `---` always ends a document, even inside a block of text.
    """
    text = _DIRECTIVE.sub("", text)
    starts = [0, *(found.end() for found in _SEPARATOR.finditer(text))]
    ends = [*(found.start() for found in _SEPARATOR.finditer(text)), len(text)]
    for start, end in zip(starts, ends, strict=True):
        yield text.count("\n", 0, start) + 1, text[start:end]


def _read(part: str, file: str, first_line: int, findings: Findings) -> Document | None:
    try:
        # libyaml's composer reports the same marks, and is ten times as fast.
        root = yaml.compose(part, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        if root is None:
            return None
        reader = _Reader(file, first_line, findings)
        value = reader.value(root, ())
    except yaml.YAMLError as error:
        findings.problem(*_yaml_problem(error, file, first_line, part))
        return None
    except RecursionError:
        findings.problem(
            Place(file, first_line), "it is nested too deeply, or too large; split or flatten it"
        )
        return None
    return Document(file, value, reader.lines[()], reader.lines)


def _yaml_problem(
    error: yaml.YAMLError, file: str, first_line: int, part: str
) -> tuple[Place, str]:
    mark = getattr(error, "problem_mark", None)
    # What is missing at the end is missed after it, where the next document may begin.
    line = first_line + min(mark.line if mark is not None else 0, part.rstrip().count("\n"))
    problem = getattr(error, "problem", None) or "it cannot be read"
    context = getattr(error, "context", None)
    about = f"{problem} {context}" if context else str(problem)
    return Place(file, line), (
        f"is not YAML: {about}; check indentation, quotes and brackets here and on the line above"
    )


class _Reader:
    """Turns nodes into values, and remembers lines."""

    def __init__(self, file: str, first_line: int, findings: Findings) -> None:
        self.file = file
        self.first_line = first_line
        self.findings = findings
        self.lines: dict[tuple[str | int, ...], int] = {}
        self._values = 0

    def value(self, node: yaml.Node, path: tuple[str | int, ...]) -> Any:
        """Return the plain value of a node."""
        self.lines.setdefault(path, self._line(node))
        self._values += 1
        if len(path) > MAX_DEPTH or self._values > MAX_VALUES:
            raise RecursionError
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else ""
            place = Place(self.file, self._line(key_node))
            if not key:
                self.findings.problem(place, "a key is a word; put one before the colon")
            elif key_node.tag.endswith(":merge"):
                self.findings.problem(place, "merge keys (<<) are not read; use `defaults:`")
            elif key in found:
                self.findings.problem(place, f"{key} stands twice; remove one of them")
            else:
                self.lines[*path, key] = self._line(key_node)
                found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, node: yaml.Node, path: tuple[str | int, ...]) -> Any:
        if node.tag == _FLOAT:
            try:
                return Decimal(node.value.replace("_", ""))
            except InvalidOperation:
                return str(node.value)
        if node.tag.rpartition(":")[2] in {"bool", "int", "null"}:
            try:
                return _SCALARS.construct_object(node, deep=True)
            except (ValueError, yaml.YAMLError):
                self.findings.problem(
                    Place(self.file, self._line(node)), f"{node.value!r} is no value; quote it"
                )
        return str(node.value)

    def _line(self, node: yaml.Node) -> int:
        return self.first_line + int(node.start_mark.line)
