"""Where tests take their services from."""

from __future__ import annotations

import functools
import importlib
import os
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from inferometer.errors import ConfigError

VARIABLE = "INFEROMETER_TEST_SERVICES"
CONTAINERS, PACKAGES = "containers", "packages"

ROOT = Path(__file__).parents[2]

Choice = Literal["containers", "packages"]


@functools.cache
def chosen() -> Choice:
    """Return what `INFEROMETER_TEST_SERVICES` says; unset, containers where Docker answers."""
    said = os.environ.get(VARIABLE, "")
    if said == CONTAINERS:
        return "containers"
    if said == PACKAGES:
        return "packages"
    if said:
        raise ConfigError([f"{VARIABLE} is {said!r}, must be {CONTAINERS} or {PACKAGES}"])
    return "containers" if _has_docker() else "packages"


def image(service: str) -> str:
    """Return the pinned image of a service of the compose file."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return str(document["services"][service]["image"])


def skip(error: Exception) -> None:
    """Skip for want of a service; where services are required, that is a failure."""
    pytest.skip(str(error))


def _has_docker() -> bool:
    # It ships neither annotations nor stubs.
    docker = importlib.import_module("docker")
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").is_socket():
        return False
    # With a version it asks nothing before it can be closed.
    client = docker.from_env(version="1.41", timeout=5)
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()
