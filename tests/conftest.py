"""What all tests share: golden files, and services that CI may not do without."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    Command = Callable[..., subprocess.CompletedProcess[str]]


REPOSITORY = Path(__file__).parent.parent
CORE = REPOSITORY / "pipeline" / "inferometer" / "core"
IMPORTED = re.compile(r"^ *(?:from|import) inferometer\.core\.(\w+)", re.MULTILINE)


def _kernel_sources() -> list[Path]:
    """Return the modules with compiled functions, and all of core that those import."""
    found: set[Path] = set()
    waiting = [path for path in CORE.glob("*.py") if "numba" in path.read_text(encoding="utf-8")]
    while waiting:
        path = waiting.pop()
        if path not in found and path.exists():
            found.add(path)
            names = IMPORTED.findall(path.read_text(encoding="utf-8"))
            waiting += [CORE / f"{name}.py" for name in names]
    return sorted(found)


def _kernel_cache() -> Path:
    """Return a cache of compiled kernels for exactly these sources.

    numba looks at the file of a function only, not at those that it calls into.
    """
    digest = hashlib.sha256()
    for source in _kernel_sources():
        digest.update(source.read_bytes())
    return REPOSITORY / ".cache" / "numba" / digest.hexdigest()[:16]


# Before any test imports a kernel; processes that tests start inherit it.
os.environ.setdefault("NUMBA_CACHE_DIR", str(_kernel_cache()))

REQUIRE_SERVICES = "INFEROMETER_REQUIRE_SERVICES"


def _is_required() -> bool:
    return os.environ.get(REQUIRE_SERVICES, "") not in {"", "0"}


# Compiled kernels take seconds at their first call, so a deadline an example would measure that.
# In CI the same examples each time: a rare one is found by whoever runs the tests by hand.
settings.register_profile("inferometer", deadline=None, derandomize=_is_required())
settings.load_profile("inferometer")

AGAIN_MAX = 3
ENDED = "inferometer/ended"
"""Where the cache keeps how the last run of tests ended."""

pytest_plugins = [
    "tests.services.clickhouse",
    "tests.services.kafka",
    "tests.tracing",
]


def pytest_sessionstart(session: pytest.Session) -> None:
    """Forget how the last run ended; compile the kernels before coverage's tracer slows that."""
    if not session.config.getoption("--again"):
        _keep_ending(session.config, None)
    cache = Path(os.environ["NUMBA_CACHE_DIR"])
    if cache.is_dir() or session.config.option.collectonly:
        return
    # Without the variables by which coverage follows processes.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-m", "tests.warm_kernels"]
    subprocess.run(command, cwd=REPOSITORY, env=environ, check=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite golden files and published schemas instead of comparing with them",
    )
    parser.addoption(
        "--again",
        action="store_true",
        help=f"with --last-failed: only if all tests ran, and at most {AGAIN_MAX} of them failed; "
        "more is no hiccup of the machine",
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to try again what a machine that stood still does not explain."""
    config = session.config
    if not config.getoption("--again"):
        return
    cache = getattr(config, "cache", None)
    if cache is None or cache.get(ENDED, None) != pytest.ExitCode.TESTS_FAILED:
        raise pytest.UsageError("the last run of the tests did not come to its end")
    if len(session.items) > AGAIN_MAX:
        names = "\n".join(item.nodeid for item in session.items)
        raise pytest.UsageError(f"no second try for so many failures:\n{names}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep how the run ended."""
    _keep_ending(session.config, int(exitstatus))


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture
def inferometer() -> Command:
    """Run the command line as a process of its own, as a user does."""

    def run(
        *arguments: str | Path, environ: Mapping[str, str] | None = None, timeout_s: float = 300.0
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inferometer", *map(str, arguments)],
            env={**os.environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def traces(repository: Path) -> Path:
    """The folder of recorded traces; they are not part of the repository."""
    folder = Path(os.environ.get("INFEROMETER_TEST_DATA", repository.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no recorded traces in {folder}; INFEROMETER_TEST_DATA names their folder")
    return folder


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skip for want of a service a failure where the services are required."""
    report = yield
    is_skipped = report.skipped and not hasattr(report, "wasxfail")
    if is_skipped and _wants_a_service(item) and _is_required():
        report.outcome = "failed"
        report.longrepr = f"skipped although {REQUIRE_SERVICES} is set: {report.longreprtext}"
    return report


def _keep_ending(config: pytest.Config, exitstatus: int | None) -> None:
    # Workers of xdist have a part of the run only.
    if (cache := getattr(config, "cache", None)) and not hasattr(config, "workerinput"):
        cache.set(ENDED, exitstatus)


def _wants_a_service(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("integration", "e2e"))
