"""The compose file, its image and its ClickHouse users: pinned, closed, and in step with the code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from inferometer import __version__, config
from inferometer.cli.main import COMMANDS, command_parser, load_command
from inferometer.kafka.broker_jars import kafka_version
from inferometer.kafka.settings import KafkaSettings, WorkerSettings

ROOT = Path(__file__).parents[2]
CLICKHOUSE = ROOT / "deploy" / "clickhouse"
PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*")
SECRET = re.compile(r"(PASSWORD|TOKEN|KEY)$")
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
PATIENT = frozenset({"worker", "alerts"})
"""Commands that let chunks under way end before they stop."""


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
            if SECRET.search(variable):
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


def stop_s() -> float:
    """How long a worker may take to stop: chunks under way, those of a rebalance before them."""
    settings = WorkerSettings(kafka=KafkaSettings(bootstrap_servers="kafka:9092"))
    return settings.stop_s + settings.drain_s


def test_a_worker_has_time_to_end_what_it_has_begun(services: dict[str, Any]) -> None:
    for service in ours(services).values():
        if service["command"][0] in PATIENT:
            assert float(service["stop_grace_period"].removesuffix("s")) > stop_s()


def test_the_console_of_the_compose_file_shows_its_alerts(services: dict[str, Any]) -> None:
    objectives = services["alerts"]["environment"]["INFEROMETER_ALERTS_SLO_PATH"]
    for name in ("alerts", "serve"):
        found = config.resolve(services[name]["environment"]).settings
        assert str(found.alerts.slo_path) == objectives
        assert found.web.alerts_url == "http://alerts:9093"
        assert any(f":{objectives}:" in mount for mount in services[name]["volumes"])
    assert "0.0.0.0:9093" in services["alerts"]["command"]


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the pod of each manifest, and where it stands."""
    for path in MANIFESTS:
        for document in documents(path):
            if "template" in document["spec"]:
                yield path.stem, document["spec"]["template"]["spec"]


def containers() -> Iterator[Any]:
    for name, pod in pods():
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            yield pytest.param(container, id=f"{name}: {container['name']}")


def test_there_is_a_manifest_of_everything_that_runs_on_and_on() -> None:
    commands = {param.values[0]["args"][0] for param in containers()}
    assert commands == {"topics", "migrate", "worker", "alerts", "serve"}


def test_the_console_is_open_to_others_only_with_tokens(services: dict[str, Any]) -> None:
    [serve] = [pod["containers"][0] for name, pod in pods() if name == "serve"]
    variables = {each["name"] for each in serve["env"]}
    assert "INFEROMETER_WEB_TOKENS_FILE" in variables & set(services["serve"]["environment"])


@pytest.mark.parametrize("container", [*containers()])
def test_a_manifest_runs_a_command_of_ours_with_settings_that_work(
    container: dict[str, Any],
) -> None:
    assert container["image"] == f"inferometer:{__version__}"
    name, *rest = container["args"]
    command_parser(name, load_command(name)).parse_args(rest)
    made_up = {each["name"]: each.get("value", "x" * 64) for each in container["env"]}
    assert config.resolve(made_up).problems == ()


@pytest.mark.parametrize("container", [*containers()])
def test_a_manifest_writes_no_secret_down_and_runs_as_nobody_special(
    container: dict[str, Any],
) -> None:
    assert all("value" not in each for each in container["env"] if SECRET.search(each["name"]))
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize(("name", "pod"), [*pods()])
def test_a_pod_runs_unprivileged_and_has_time_to_stop(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    volumes = {volume["name"] for volume in pod.get("volumes", ())}
    mounts = {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]}
    assert mounts <= volumes
    if name in PATIENT:
        assert pod["terminationGracePeriodSeconds"] > stop_s()


@pytest.mark.parametrize(("name", "pod"), [*pods()])
def test_services_of_the_namespace_are_no_settings(name: str, pod: dict[str, Any]) -> None:
    # Kubernetes tells every pod of each service by variables, and an unknown setting is an error.
    injected = {"INFEROMETER_SERVE_PORT": "tcp://10.0.0.1:80"}
    assert config.resolve(injected).problems != ()
    assert pod["enableServiceLinks"] is False, name


def test_workers_of_a_cluster_have_names_that_a_restart_keeps() -> None:
    [workers] = [each for path in MANIFESTS for each in documents(path) if each["metadata"]["name"]
                 == "inferometer-worker" and each["kind"] == "StatefulSet"]  # fmt: skip
    [container] = workers["spec"]["template"]["spec"]["containers"]
    [name] = [each for each in container["env"] if each["name"] == "INFEROMETER_KAFKA_INSTANCE_ID"]
    assert name["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_prometheus_finds_pods_by_a_label_that_they_have() -> None:
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    [component] = re.findall(r"regex: ([\w-]+)", text)
    label = "app.kubernetes.io/component"
    templates = [each["spec"]["template"] for path in MANIFESTS for each in documents(path)
                 if "template" in each["spec"]]  # fmt: skip
    assert component in {each["metadata"]["labels"][label] for each in templates}


def test_prometheus_asks_services_that_there_are(services: dict[str, Any]) -> None:
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["scrape_configs"]
    asked = {(sd["names"][0], sd["port"]) for job in jobs for sd in job["dns_sd_configs"]}
    for name, port in asked:
        assert any(str(part).endswith(f":{port}") for part in services[name]["command"])
