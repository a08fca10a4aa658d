"""The published form of the configuration file: JSON Schema, generated from the areas."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from inferometer.config.area import Area
from inferometer.config.areas import AREAS
from inferometer.config.loading import BY_FILE_SUFFIX, variable_name
from inferometer.config.values import setting_types
from inferometer.core.secret import Secret

JSON_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}
TEXT_TYPES = (Path, Secret)


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file, read as TOML."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:inferometer:schema:config",
        "title": "config",
        "description": "The configuration file, TOML, given by --config or INFEROMETER_CONFIG.",
        "type": "object",
        "additionalProperties": False,
        "properties": {area.SECTION: _area_schema(area) for area in AREAS},
    }


def _area_schema(area: type[Area]) -> dict[str, Any]:
    types = setting_types(area)
    return {
        "description": (area.__doc__ or "").strip(),
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: schema
            for setting in fields(cast("Any", area))
            for name, schema in _settings(area, setting, types).items()
        },
    }


def _settings(area: type[Area], setting: Any, types: dict[str, type]) -> dict[str, dict[str, Any]]:
    """Return a setting, and for a secret the file that may hold it."""
    name = f"{area.SECTION}.{setting.name}"
    found = {setting.name: _setting_schema(name, setting, types)}
    if types[setting.name] is Secret:
        variable = variable_name(f"{name}{BY_FILE_SUFFIX}")
        found[f"{setting.name}{BY_FILE_SUFFIX}"] = {
            "description": f"file that holds {setting.name}, instead of it ({variable})",
            "type": "string",
        }
    return found


def _setting_schema(name: str, setting: Any, types: dict[str, type]) -> dict[str, Any]:
    kind = types[setting.name]
    bounds = setting.metadata
    schema: dict[str, Any] = {
        "description": f"{bounds['doc']} ({variable_name(name)})",
        "type": "string" if kind in TEXT_TYPES else JSON_TYPES[kind],
    }
    if kind not in TEXT_TYPES:
        schema["default"] = setting.default
    if bounds["choices"]:
        schema["enum"] = list(bounds["choices"])
    schema |= {key: bounds[key] for key in ("minimum", "maximum") if bounds[key] is not None}
    return schema
