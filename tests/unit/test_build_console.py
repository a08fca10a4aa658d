"""The build hook: the charting library is fetched when it is missing, and only if it is ours."""

from __future__ import annotations

import importlib
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Beside the package, not in it: a build has nothing else installed.
build_console: Any = importlib.import_module("pipeline.build_console")


def hook(root: Path) -> Any:
    return build_console.ConsoleBuildHook(str(root), {}, None, None, "", "wheel")


def test_pip_is_needed_only_where_the_file_is_missing_or_another(tmp_path: Path) -> None:
    file = tmp_path / build_console.VENDOR / build_console.FILE_NAME
    assert hook(tmp_path).dependencies() == ["pip>=24"]
    file.parent.mkdir(parents=True)
    file.write_text("something else")
    assert hook(tmp_path).dependencies() == ["pip>=24"]


def test_a_file_that_is_there_is_packed_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_console, "SHA256", "9834876dcfb05cb167a5c24953eba58c"
                        "4ac89b1adf57f28f2f9d09af107ee8f0")  # fmt: skip
    file = tmp_path / build_console.VENDOR / build_console.FILE_NAME
    file.parent.mkdir(parents=True)
    file.write_text("aaa")
    build_data: dict[str, Any] = {"artifacts": []}
    hook(tmp_path).initialize("editable", build_data)
    assert build_data["artifacts"] == [f"/{build_console.VENDOR}/{build_console.FILE_NAME}"]


def test_another_file_than_the_pinned_one_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(folder: Path) -> Path:
        wheel = folder / "some.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(build_console.MEMBER, "export const evil = 1;")
        return wheel

    monkeypatch.setattr(build_console, "_download", download)
    file = tmp_path / "vendor" / build_console.FILE_NAME
    with pytest.raises(build_console.ChartsMissingError, match="sha256"):
        build_console.fetch(file)
    assert not file.exists()


def test_an_index_without_the_package_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(build_console.ChartsMissingError, match="put the file from npm"):
        build_console.fetch(tmp_path / build_console.FILE_NAME)
