"""The compose file, its image and its ClickHouse users: pinned, closed, and in step with the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from inferometer import __version__, config
from inferometer.cli.main import COMMANDS, command_parser, load_command
from inferometer.kafka.broker_jars import kafka_version

ROOT = Path(__file__).parents[2]
CLICKHOUSE = ROOT / "deploy" / "clickhouse"
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*")


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = document["services"]
    return found


def ours(services: dict[str, Any]) -> dict[str, Any]:
    return {name: service for name, service in services.items() if "build" in service}


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    loose = [name for name, service in services.items() if not PINNED.fullmatch(service["image"])]
    assert loose == []


def test_our_image_has_the_version_of_the_package(services: dict[str, Any]) -> None:
    assert {service["image"] for service in ours(services).values()} == {
        f"inferometer:{__version__}"
    }


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_no_password_is_written_down(services: dict[str, Any]) -> None:
    for service in services.values():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable:
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), variable


def test_every_variable_is_a_setting_that_works(services: dict[str, Any]) -> None:
    for service in ours(services).values():
        assert config.resolve(service["environment"]).problems == ()


def test_every_command_is_one_of_ours(services: dict[str, Any]) -> None:
    for service in ours(services).values():
        name, *rest = service["command"]
        assert name in COMMANDS
        command_parser(name, load_command(name)).parse_args(rest)


def test_what_a_service_waits_for_tells_when_it_is_ready(services: dict[str, Any]) -> None:
    for service in services.values():
        for name, dependency in service.get("depends_on", {}).items():
            if dependency["condition"] == "service_healthy":
                assert "healthcheck" in services[name]


def test_mounted_files_exist(services: dict[str, Any]) -> None:
    mounts = [mount for service in services.values() for mount in service.get("volumes", ())]
    files = [mount.partition(":")[0] for mount in mounts if mount.startswith("./")]
    assert files
    assert all((ROOT / file).exists() for file in files)


def test_passwords_of_clickhouse_come_from_the_environment(services: dict[str, Any]) -> None:
    users = ElementTree.parse(CLICKHOUSE / "users.xml").getroot().find("users")
    assert users is not None
    for user in users:
        password = user.find("password")
        assert password is not None
        assert not password.text
        assert password.attrib["from_env"] in services["clickhouse"]["environment"]


def test_an_analyst_can_only_read() -> None:
    root = ElementTree.parse(CLICKHOUSE / "users.xml").getroot()
    assert root.findtext("profiles/analyst/readonly") == "2"
    grants = [query.text for query in root.findall("users/analyst/grants/query")]
    assert grants == ["GRANT SELECT ON inferometer.*"]


def test_the_server_makes_inserts_durable() -> None:
    root = ElementTree.parse(CLICKHOUSE / "server.xml").getroot()
    assert root.findtext("merge_tree/fsync_after_insert") == "1"
    assert root.findtext("merge_tree/fsync_part_directory") == "1"


def test_the_image_is_pinned_and_does_not_run_as_root() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert all(PINNED.fullmatch(base) for base in bases)
    assert len(set(bases)) == 1
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["inferometer"]


def test_the_image_and_the_makefile_use_one_version_of_uv() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.findall(r"uv==([\d.]+)", dockerfile) == re.findall(
        r"UV_VERSION := ([\d.]+)", makefile
    )


def test_the_local_broker_is_the_kafka_of_the_compose_file(services: dict[str, Any]) -> None:
    assert services["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


@pytest.fixture(scope="module")
def container() -> dict[str, Any]:
    text = (ROOT / "deploy" / "kubernetes" / "serve.yaml").read_text(encoding="utf-8")
    deployment = next(each for each in yaml.safe_load_all(text) if each["kind"] == "Deployment")
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def test_the_console_is_open_to_others_only_with_tokens(
    services: dict[str, Any], container: dict[str, Any]
) -> None:
    variables = {each["name"] for each in container["env"]}
    assert "INFEROMETER_WEB_TOKENS_FILE" in variables & set(services["serve"]["environment"])


def test_the_manifest_runs_a_command_of_ours_with_settings_that_work(
    container: dict[str, Any],
) -> None:
    assert container["image"] == f"inferometer:{__version__}"
    name, *rest = container["args"]
    command_parser(name, load_command(name)).parse_args(rest)
    made_up = {each["name"]: each.get("value", "x" * 64) for each in container["env"]}
    assert config.resolve(made_up).problems == ()


def test_the_manifest_writes_no_secret_down_and_runs_as_nobody_special(
    container: dict[str, Any],
) -> None:
    secret = re.compile("PASSWORD|KEY")
    assert all("value" not in each for each in container["env"] if secret.search(each["name"]))
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
