"""Whether a changed JSON Schema still accepts everything that the schema before it accepted.

Producers are upgraded after the pipeline, or never, so each event that was once valid stays valid
and keeps its meaning. Covers the keywords that the published contracts use.

Invariant: a schema is compatible with itself; fields may be added, bounds widened, choices added.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Schema = dict[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_FIXED = ("pattern", "format", "multipleOf", "uniqueItems")
_NESTED = ("items", "additionalProperties", "propertyNames")


def incompatibilities(old: Schema, new: Schema) -> list[str]:
    """Return every way in which `new` breaks what was valid under `old`, each with its path."""
    return list(_Comparison(old, new).compare(old, new, "$"))


@dataclass(frozen=True, slots=True)
class _Comparison:
    old_root: Schema
    new_root: Schema

    def compare(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        old, new = _resolved(old, self.old_root), _resolved(new, self.new_root)
        if old == new and self.old_root.get("$defs") == self.new_root.get("$defs"):
            return
        if "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(old, new, path)
        else:
            yield from _types(old, new, path)
            yield from _choices(old, new, path)
            yield from _bounds(old, new, path, _LOWER_BOUNDS, operator.gt)
            yield from _bounds(old, new, path, _UPPER_BOUNDS, operator.lt)
            yield from _fixed(old, new, path)
            yield from self._properties(old, new, path)
            yield from self._nested(old, new, path)
        if old.get("default") != new.get("default"):
            yield (
                f"{path}: default changed from {old.get('default')!r} to {new.get('default')!r}, "
                "so an event without the field means something else"
            )

    def _alternatives(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        offered = new.get("anyOf", [new])
        for number, alternative in enumerate(old.get("anyOf", [old])):
            bare = {key: value for key, value in alternative.items() if key != "default"}
            if not any(
                not list(self.compare(bare, _without_default(offer), path)) for offer in offered
            ):
                yield f"{path}: alternative {number} ({_short(alternative)}) is no longer accepted"

    def _properties(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name not in after:
                yield f"{path}.{name}: field removed"
            else:
                yield from self.compare(schema, after[name], f"{path}.{name}")
        for name in new.get("required", []):
            if name not in old.get("required", []):
                yield f"{path}.{name}: field is now required"

    def _nested(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        for keyword in _NESTED:
            before, after = old.get(keyword, True), new.get(keyword, True)
            if after is True or before is False:
                continue
            if after is False or before is True:
                yield f"{path}: {keyword} narrowed"
            else:
                yield from self.compare(before, after, f"{path}.{keyword}")


def _resolved(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target = root
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return target | {key: value for key, value in schema.items() if key != "$ref"}


def _without_default(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "default"}


def _types(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if "type" not in new:
        return
    before, after = _type_set(old), _type_set(new)
    if "number" in after:
        after.add("integer")
    if not before or not before <= after:
        yield f"{path}: type narrowed from {_listed(before)} to {_listed(after)}"


def _type_set(schema: Schema) -> set[str]:
    declared = schema.get("type", [])
    return {declared} if isinstance(declared, str) else set(declared)


def _choices(old: Schema, new: Schema, path: str) -> Iterator[str]:
    after = _choice_list(new)
    if after is None:
        return
    before = _choice_list(old)
    if before is None:
        yield f"{path}: any value was accepted, now only {_listed(map(repr, after))}"
        return
    gone = [choice for choice in before if choice not in after]
    if gone:
        yield f"{path}: no longer accepts {_listed(map(repr, gone))}"


def _choice_list(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found: list[Any] | None = schema.get("enum")
    return found


def _bounds(
    old: Schema,
    new: Schema,
    path: str,
    keywords: tuple[str, ...],
    is_narrower: Callable[[Any, Any], bool],
) -> Iterator[str]:
    for keyword in keywords:
        if keyword not in new:
            continue
        if keyword not in old or is_narrower(new[keyword], old[keyword]):
            before = old.get(keyword, "no bound")
            yield f"{path}: {keyword} narrowed from {before} to {new[keyword]}"


def _fixed(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for keyword in _FIXED:
        if keyword in new and new[keyword] != old.get(keyword):
            yield f"{path}: {keyword} changed to {new[keyword]!r}"


def _listed(items: Any) -> str:
    return ", ".join(sorted(items)) or "anything"


def _short(schema: Schema) -> str:
    return str(schema.get("$ref") or schema.get("type") or schema)
