"""What an area of the configuration is made of: settings with a meaning and bounds."""

from __future__ import annotations

from dataclasses import field, fields
from typing import TYPE_CHECKING, Any, ClassVar, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_PORT = 65_536


def setting(
    default: Any,
    doc: str,
    *,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Return the field of a setting: its default, what it means, and its bounds."""
    bounds = {"choices": choices, "minimum": minimum, "maximum": maximum}
    return field(default=default, metadata={"doc": doc, **bounds})


class Area:
    """What the areas share: their bounds are checked alike."""

    SECTION: ClassVar[str]

    def problems(self) -> list[str]:
        """Return what cannot work, each as `key: what, and what to do`."""
        found = []
        for setting in fields(cast("Any", self)):
            problem = _out_of_bounds(getattr(self, setting.name), setting.metadata)
            if problem:
                found.append(f"{setting.name}: {problem}")
        return found


def _out_of_bounds(value: object, bounds: Mapping[str, Any]) -> str | None:
    if bounds["choices"] and value not in bounds["choices"]:
        return f"is {value!r}, must be one of {', '.join(bounds['choices'])}"
    if bounds["minimum"] is not None and cast("float", value) < bounds["minimum"]:
        return f"is {value}, must be at least {bounds['minimum']}"
    if bounds["maximum"] is not None and cast("float", value) > bounds["maximum"]:
        return f"is {value}, must be at most {bounds['maximum']}"
    return None
