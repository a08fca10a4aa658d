"""The built wheel, installed elsewhere: light without extras, and it finds its schemas."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
POM = "deploy/kafka/pom.xml"


@dataclass(frozen=True)
class Installed:
    """A virtual environment that has the wheel."""

    folder: Path

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # From an empty folder, so that the checkout cannot be imported by chance.
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environ,
            timeout=120,
            check=False,
        )

    def packages(self) -> set[str]:
        script = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"
        return {name.lower() for name in self.run("python", "-c", script).stdout.split()}


def uv(*arguments: str | Path) -> None:
    beside = Path(sys.executable).with_name("uv")
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        pytest.skip("uv is not installed; make test installs it")
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    uv("build", "--wheel", "--out-dir", folder, ".")
    (found,) = folder.glob("*.whl")
    return found


def install(wheel: Path, folder: Path, extra: str = "") -> Installed:
    uv("venv", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    uv("pip", "install", "--python", python, "--constraint", "requirements.lock", f"{wheel}{extra}")
    return Installed(folder)


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(wheel, tmp_path_factory.mktemp("bare"))


@pytest.fixture(scope="session")
def with_sdk(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return install(wheel, tmp_path_factory.mktemp("sdk"), "[sdk]")


def test_the_wheel_has_the_console_and_its_charting_library(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if "/web/console/" in name}
    folder = "inferometer/web/console"
    assert names >= {
        f"{folder}/index.html", f"{folder}/THIRD_PARTY.md", f"{folder}/vendor/echarts.esm.min.js"
    }  # fmt: skip


def test_without_extras_the_schemas_are_found(bare: Installed) -> None:
    listed = bare.run("inferometer", "schema", "--json")
    assert listed.returncode == 0, listed.stderr
    assert all("_schemas" in path for path in json.loads(listed.stdout).values())
    printed = bare.run("inferometer", "schema", "inference.request.v1")
    assert json.loads(printed.stdout)["title"] == "inference.request.v1"


def test_without_extras_every_help_page_works(bare: Installed) -> None:
    overview = bare.run("inferometer", "--help")
    assert overview.returncode == 0, overview.stderr
    assert "demo" in overview.stdout


def test_without_extras_a_rate_can_be_sized(bare: Installed) -> None:
    sized = bare.run("inferometer", "size", "--rate", "1000", "--json")
    assert sized.returncode == 0, sized.stderr
    assert json.loads(sized.stdout)["workers"] == 1


def test_without_extras_a_server_command_says_what_to_install(bare: Installed) -> None:
    refused = bare.run("inferometer", "demo", "--for", "1s")
    assert refused.returncode == 1
    assert "pip install 'inferometer[server]'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_sdk_installs_nothing_heavy(with_sdk: Installed) -> None:
    heavy = {"faust-streaming", "chdb", "numpy", "pyarrow", "numba", "clickhouse-connect"}
    assert with_sdk.packages() & heavy == set()


def test_the_sdk_can_be_imported_alone(with_sdk: Installed) -> None:
    imported = with_sdk.run("python", "-c", "import inferometer.sdk")
    assert imported.returncode == 0, imported.stderr


def test_the_migrations_are_in_the_wheel(bare: Installed) -> None:
    script = (
        "from inferometer.schemas import schema_path; "
        "print(*sorted(file.name for file in schema_path('clickhouse').iterdir()))"
    )
    names = bare.run("python", "-c", script).stdout.split()
    committed = sorted(path.name for path in (ROOT / "schemas" / "clickhouse").iterdir())
    assert names == committed
    assert names


def test_the_pom_of_the_local_broker_is_in_the_wheel(bare: Installed) -> None:
    script = "from inferometer.kafka.broker_jars import kafka_version; print(kafka_version())"
    printed = bare.run("python", "-c", script)
    assert f"<kafka.version>{printed.stdout.strip()}<" in (ROOT / POM).read_text(encoding="utf-8")
