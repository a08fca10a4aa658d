"""Loads the configuration: layers the sources, and finds every problem with where it came from."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.config.area import Area
from inferometer.config.areas import AREAS, Settings
from inferometer.config.values import parse, secret_of_file, setting_types
from inferometer.core.secret import Secret
from inferometer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PREFIX = "INFEROMETER_"
CONFIG_VARIABLE = "INFEROMETER_CONFIG"
DEBUG_VARIABLE = "INFEROMETER_DEBUG"
REQUIRE_SERVICES_VARIABLE = "INFEROMETER_REQUIRE_SERVICES"
TEST_DATA_VARIABLE = "INFEROMETER_TEST_DATA"
TEST_SERVICES_VARIABLE = "INFEROMETER_TEST_SERVICES"
OTHER_VARIABLES = (
    CONFIG_VARIABLE,
    DEBUG_VARIABLE,
    REQUIRE_SERVICES_VARIABLE,
    TEST_DATA_VARIABLE,
    TEST_SERVICES_VARIABLE,
    # What the SDK reads; a worker may run in the environment of a model server.
    "INFEROMETER_SOURCE",
    "INFEROMETER_WORKSPACE_ID",
    "INFEROMETER_ENVIRONMENT",
    "INFEROMETER_REGION",
    "INFEROMETER_NODE_ID",
    "INFEROMETER_ENVELOPE",
    "INFEROMETER_SPOOL",
    "INFEROMETER_SPOOL_DIR",
    "INFEROMETER_POD_ID",
    "INFEROMETER_GPU_TYPE",
)
"""Variables of this project that are not settings."""

BY_FILE_SUFFIX = "_file"
DEFAULT = "default"
FLAG = "flag"

EXCLUSIVE = (("store.url", "store.data_dir"),)
"""Settings that exclude each other: given in a higher layer, one takes the place of the other."""

TYPES = {
    f"{area.SECTION}.{key}": kind for area in AREAS for key, kind in setting_types(area).items()
}
"""Type of every setting by its dotted name."""

SECRET_FILES = {f"{name}{BY_FILE_SUFFIX}": name for name in TYPES if TYPES[name] is Secret}
"""A secret may stand in a file: by the name of the setting that names the file, the secret's own."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the sources came to; a value that has a problem kept the one beneath it."""

    settings: Settings
    origins: Mapping[str, str]
    """Where each setting came from, by dotted name: default, a file, a variable, or flag."""
    problems: tuple[str, ...]


def load(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """Return the settings of all layers; raises ConfigError with every problem found.

    `file` goes before the variable `INFEROMETER_CONFIG`; `flags` holds values by dotted name
    (`store.data_dir`), None for a flag that was not given.
    """
    found = resolve(environ, file=file, flags=flags)
    if found.problems:
        raise ConfigError(list(found.problems))
    return found.settings


def resolve(
    environ: Mapping[str, str],
    *,
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> Resolution:
    """Return the settings of all layers with their origins and problems, without raising."""
    layers = _Layers()
    path = file or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    if path is not None:
        layers.add(_from_file(path, layers.problems))
    layers.add(_from_environment(environ, layers.problems))
    layers.add((name, value, FLAG) for name, value in (flags or {}).items() if value is not None)
    return layers.resolution()


def variable_name(name: str) -> str:
    """Return the environment variable of a setting's dotted name."""
    return PREFIX + name.replace(".", "_").upper()


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, and which known one was probably meant."""
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown {what} {name}{hint}"


class _Layers:
    """Values of the layers so far, lowest first."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.origins: dict[str, str] = {}
        self.problems: list[str] = []

    def add(self, layer: Iterable[tuple[str, object, str]]) -> None:
        """Put a layer of (dotted name, raw value, origin) on top."""
        given: dict[str, tuple[object, str]] = {}
        for asked, raw, origin in layer:
            name = SECRET_FILES.get(asked, asked)
            if name not in TYPES:
                self.problems.append(f"{unknown('setting', name, TYPES)} (from {origin})")
                continue
            if name in given:
                problem = f"and {given[name][1]} both give it; keep one of the two"
                self.problems.append(_problem(name, problem, origin))
                continue
            try:
                value = parse(raw, TYPES[name]) if name == asked else secret_of_file(raw)
            except ValueError as error:
                self.problems.append(_problem(asked, str(error), origin))
            else:
                given[name] = value, origin
        for group in EXCLUSIVE:
            if any(name in given for name in group):
                for name in group:
                    self._drop(name)
        for name, (value, origin) in given.items():
            self.values[name], self.origins[name] = value, origin

    def resolution(self) -> Resolution:
        """Build the areas; a value that cannot work gives way to its default."""
        areas = {area.SECTION: self._area(area) for area in AREAS}
        origins = {name: self.origins.get(name, DEFAULT) for name in TYPES}
        return Resolution(Settings(**areas), origins, tuple(self.problems))

    def _area(self, area: type[Area]) -> Any:
        names = {name: name.partition(".")[2] for name in TYPES if _section(name) == area.SECTION}
        given = {key: self.values[name] for name, key in names.items() if name in self.values}
        built = area(**given)
        for problem in built.problems():
            key, _, message = problem.partition(": ")
            name = f"{area.SECTION}.{key}"
            self.problems.append(_problem(name, message, self.origins.get(name, DEFAULT)))
            given.pop(key, None)
        return area(**given)

    def _drop(self, name: str) -> None:
        self.values.pop(name, None)
        self.origins.pop(name, None)


def _section(name: str) -> str:
    return name.partition(".")[0]


def _problem(name: str, message: str, origin: str) -> str:
    section, _, key = name.partition(".")
    return f"[{section}] {key} (from {origin}): {message}"


def _from_file(path: Path, problems: list[str]) -> Iterator[tuple[str, object, str]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); check --config")
        return
    except ValueError as error:  # TOMLDecodeError, text that is not UTF-8, a number too long
        problems.append(f"{path}: is not TOML: {error}")
        return
    sections = [area.SECTION for area in AREAS]
    for section, content in document.items():
        if section not in sections:
            problems.append(f"{unknown('section', section, sections)} (from {path})")
        elif not isinstance(content, dict):
            problems.append(f"{section}: must be a section, [{section}] (from {path})")
        else:
            yield from ((f"{section}.{key}", raw, str(path)) for key, raw in content.items())


def _from_environment(
    environ: Mapping[str, str], problems: list[str]
) -> Iterator[tuple[str, object, str]]:
    settings = {variable_name(name): name for name in (*TYPES, *SECRET_FILES)}
    for variable in sorted(environ):
        if variable in settings:
            yield settings[variable], environ[variable], variable
        elif variable.startswith(PREFIX) and variable not in OTHER_VARIABLES:
            problems.append(_unknown_variable(variable, settings))


def _unknown_variable(variable: str, settings: Iterable[str]) -> str:
    # Compared without the prefix that all share, or every name would look alike.
    known = {name.removeprefix(PREFIX): name for name in (*settings, *OTHER_VARIABLES)}
    close = difflib.get_close_matches(variable.removeprefix(PREFIX), known, n=1)
    hint = f"did you mean {known[close[0]]}?" if close else "inferometer config show lists settings"
    return f"unknown variable {variable}; {hint}"
