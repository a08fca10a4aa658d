"""A YAML document as plain values, with the line on which each part of it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]
MAX_DEPTH = 40


@dataclass(slots=True)
class LinedDocument:
    """Values of a document; problems that reading it brought up are texts with their line."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Return the line of a part, or of the nearest part around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_lined(text: str) -> LinedDocument:
    """Read one YAML document; what is no YAML has no value and a problem."""
    found = LinedDocument()
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is not None:
            found.value = _value(root, (), found)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        problem = getattr(error, "problem", None) or "cannot be read"
        found.problems.append((line, f"is not YAML: {problem}; check indentation and quotes"))
        found.value = None
    return found


def _value(node: yaml.Node, path: Path, found: LinedDocument) -> Any:
    found.lines.setdefault(path, node.start_mark.line + 1)
    if len(path) > MAX_DEPTH:
        raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [_value(one, (*path, at), found) for at, one in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node, found)
    pairs: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        line = key_node.start_mark.line + 1
        if key in pairs:
            found.problems.append((line, f"{key} stands twice; remove one of them"))
        found.lines[*path, key] = line
        pairs[key] = _value(value_node, (*path, key), found)
    return pairs


_CONSTRUCTOR = yaml.constructor.SafeConstructor()


def _scalar(node: yaml.Node, found: LinedDocument) -> Any:
    """Return a word, number or truth value; all else is text, dates too."""
    if node.tag.rpartition(":")[2] in {"bool", "int", "float", "null"}:
        try:
            return _CONSTRUCTOR.construct_object(node, deep=True)
        except (ValueError, yaml.YAMLError):
            found.problems.append((node.start_mark.line + 1, f"{node.value} is no number"))
    return str(node.value)
