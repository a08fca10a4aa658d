"""Checks a part of a document against its model, and says each problem in words, with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from inferometer.core.slo.dimensions import close_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pydantic_core import ErrorDetails

    from inferometer.slo_files.documents import Document
    from inferometer.slo_files.findings import Findings

Model = TypeVar("Model", bound=BaseModel)
Path = tuple[str | int, ...]

_WORDS = {
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "decimal_parsing": "write a number, such as 0.999",
    "decimal_type": "write a number, such as 0.999",
    "dict_type": "write a mapping here: keys with values, indented",
    "finite_number": "write a finite number",
    "int_type": "write a whole number",
    "list_type": "write a list here: lines that begin with a dash",
    "mapping_type": "write a mapping here: keys with values, indented",
    "model_type": "write a mapping here: keys with values, indented",
    "string_type": "write a text; quote it if it looks like something else",
}


def checked(
    model: type[Model],
    value: object,
    *,
    document: Document,
    path: Path,
    findings: Findings,
    subject: str = "",
    origins: Mapping[str, Path] | None = None,
    broken: set[str] | None = None,
) -> Model | None:
    """Return a value as its model, or None once every problem is noted.

    Args:
        path: of the value in the document.
        origins: paths of keys that stand elsewhere.
        broken: takes the keys that problems are about.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            found = detail["loc"]
            key = str(found[0]) if found else ""
            if broken is not None:
                broken.add(key)
            is_elsewhere = origins is not None and key in origins
            at = (*origins[key], *found[1:]) if origins and is_elsewhere else (*path, *found)
            text = problem_text(detail, model, path)
            findings.problem(document.place(at), text, subject=subject)
        return None


def without(model: type[Model], value: Mapping[str, Any], keys: Collection[str]) -> Model | None:
    """Return a value as its model without some keys, None where it is none without them."""
    try:
        return model.model_validate({key: one for key, one in value.items() if key not in keys})
    except ValidationError:
        return None


def problem_text(detail: ErrorDetails, model: type[BaseModel], path: Path) -> str:
    """Say one problem: which key, what is wrong, and what to write."""
    key = _dotted(detail["loc"]) or _dotted(path[-1:]) or "the document"
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = sorted(known_keys(model))
        meant = close_name(str(detail["loc"][-1]), known)
        hint = (
            f"did you mean {meant}?"
            if meant
            else "remove it; inferometer schema slos lists the keys"
        )
        return f"unknown key {key}; {hint}"
    if kind == "missing":
        return f"{key} is missing; add it"
    if kind == "value_error":
        return f"{key}: {detail['msg'].removeprefix('Value error, ')}"
    words = _WORDS.get(kind)
    if words is None:
        words = f"{detail['msg'][:1].lower()}{detail['msg'][1:]}"
    return f"{key}: {_shown(detail['input'])} does not fit; {words}"


def known_keys(model: type[BaseModel]) -> set[str]:
    """Return the keys of a model and of every model inside it, as files spell them."""
    found: set[str] = set()
    for name, info in model.model_fields.items():
        found.add(info.alias or name)
        for inner in _models_in(info.annotation):
            found |= known_keys(inner)
    return found


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)


def _dotted(path: Iterable[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".")


def _shown(value: object) -> str:
    text = "a mapping" if isinstance(value, dict) else repr(value)
    text = "a list" if isinstance(value, list) else text
    return text if len(text) <= 60 else f"{text[:57]}..."
