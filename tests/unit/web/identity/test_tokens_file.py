"""The file of tokens: who may change it, what a damaged one opens, and when it is read again."""

from __future__ import annotations

import json
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inferometer.errors import StateError
from inferometer.web.identity.roles import NotIdentifiedError, Role
from inferometer.web.identity.token_book import TokenBook
from inferometer.web.identity.tokens_file import TokensFile
from tests.unit.web.identity.clocks import Clock

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "tokens.json"


@pytest.fixture
def book(path: Path) -> TokenBook:
    return TokenBook(TokensFile(path), Clock())


def made(book: TokenBook, name: str = "ann") -> str:
    return book.create(name=name, role=Role.ADMIN, workspace=None, expires_at=None).text


def test_the_file_is_its_owners_alone_and_holds_no_secret(book: TokenBook, path: Path) -> None:
    text = made(book)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert text.rpartition("_")[2] not in path.read_text(encoding="utf-8")
    assert [each.name for each in path.parent.iterdir() if each.suffix != ".lock"] == [path.name]


def test_without_a_file_nobody_is_let_in(book: TokenBook) -> None:
    assert not book.has_any()
    with pytest.raises(NotIdentifiedError):
        book.find("imt_000000000000_" + "a" * 43)


def test_what_another_process_changed_counts_at_the_next_request(
    book: TokenBook, path: Path
) -> None:
    text = made(book)
    other = TokenBook(TokensFile(path), Clock())
    record = book.find(text).record
    other.revoke(record.id)
    with pytest.raises(NotIdentifiedError):
        book.find(text)
    assert book.find(made(other)).record.name == "ann"


def test_a_file_that_is_gone_opens_nothing(book: TokenBook, path: Path) -> None:
    text = made(book)
    path.unlink()
    with pytest.raises(NotIdentifiedError):
        book.find(text)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_change_is_not_believed(
    book: TokenBook, path: Path, mode: int
) -> None:
    text = made(book)
    assert book.find(text)
    path.chmod(mode)
    with pytest.raises(StateError, match="chmod 600"):
        book.find(text)


def test_a_mounted_secret_that_others_may_only_read_is_fine(book: TokenBook, path: Path) -> None:
    text = made(book)
    path.chmod(0o444)
    assert book.find(text)


def damaged(change: dict[str, Any]) -> str:
    token = {
        "id": "0" * 12, "name": "ann", "role": "viewer", "workspace": "acme", "sha256": "a" * 64,
        "created_at": "2026-01-05T08:00:00+00:00",
    }  # fmt: skip
    return json.dumps({"format": "inferometer.tokens.v1", "tokens": [{**token, **change}]})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"format": "inferometer.tokens.v2", "tokens": []}',
        damaged({"role": "root"}),
        damaged({"workspace": ""}),
        damaged({"workspace": ["acme"]}),
        damaged({"sha256": "short"}),
        damaged({"created_at": "2026-01-05T08:00:00"}),
        damaged({"expires": "2026-01-05T08:00:00+00:00"}),
        damaged({"old_sha256": "b" * 64}),
    ],
)
def test_a_damaged_file_opens_nothing_and_says_why(book: TokenBook, path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(StateError, match="damaged"):
        book.find("imt_000000000000_" + "a" * 43)


def test_a_workspace_that_was_left_out_is_not_all_of_them(book: TokenBook, path: Path) -> None:
    path.parent.mkdir()
    raw = json.loads(damaged({}))
    del raw["tokens"][0]["workspace"]
    path.write_text(json.dumps(raw), encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(StateError, match="workspace"):
        book.tokens()


def test_a_damaged_file_is_not_overwritten(book: TokenBook, path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{", encoding="utf-8")
    with pytest.raises(StateError):
        made(book)
    assert path.read_text(encoding="utf-8") == "{"


def test_several_who_make_tokens_at_once_lose_none(path: Path) -> None:
    def make(name: str) -> None:
        made(TokenBook(TokensFile(path), Clock()), name)

    names = [f"n{number}" for number in range(8)]
    threads = [threading.Thread(target=make, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    book = TokenBook(TokensFile(path), Clock())
    assert [facts.name for facts in book.tokens()] == names


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    book = TokenBook(TokensFile(tmp_path / "file" / "tokens.json"), Clock())
    with pytest.raises(StateError, match=r"cannot be (written|read)"):
        made(book)
