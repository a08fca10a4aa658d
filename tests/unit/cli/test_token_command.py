"""`inferometer token`: the text is shown once, the file holds none, and a mistake says what next."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from inferometer.cli.main import main
from inferometer.web.identity.roles import NotIdentifiedError, Role
from inferometer.web.identity.token_book import TokenBook
from inferometer.web.identity.tokens_file import TokensFile

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


def run(path: Path | None, *argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    file = [] if path is None else ["--tokens", str(path)]
    code = main(["token", *argv, *file], io.StringIO(), out, err, {})
    return code, out.getvalue(), err.getvalue()


def book(path: Path) -> TokenBook:
    return TokenBook(TokensFile(path), lambda: datetime.now(UTC))


def test_a_token_is_printed_alone_so_that_a_script_can_take_it(path: Path) -> None:
    code, out, err = run(path, "create", "grafana", "--workspace", "acme", "--role", "operator")
    assert code == 0
    record = book(path).find(out.strip()).record
    assert (record.name, record.role, record.workspace) == ("grafana", Role.OPERATOR, "acme")
    assert "shown this once" in err
    assert out.strip() not in err


def test_without_a_role_a_token_only_looks(path: Path) -> None:
    _, out, _ = run(path, "create", "ann")
    assert book(path).find(out.strip()).record.role is Role.VIEWER


def test_a_token_may_be_good_for_a_while(path: Path) -> None:
    _, out, _ = run(path, "create", "ann", "--for", "90d", "--json")
    issued = json.loads(out)
    left = datetime.fromisoformat(issued["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)


def test_the_list_shows_who_and_no_secret(path: Path) -> None:
    _, text, _ = run(path, "create", "ann", "--workspace", "acme")
    _, out, _ = run(path, "list")
    assert "ann" in out
    assert "acme" in out
    assert text.strip().rpartition("_")[2] not in out
    (listed,) = json.loads(run(path, "list", "--json")[1])["tokens"]
    assert set(listed) == {"id", "name", "role", "workspace", "created_at", "expires_at"}


def test_a_rotation_prints_the_new_text_and_ends_the_old(path: Path) -> None:
    before = json.loads(run(path, "create", "ann", "--json")[1])
    _, after, _ = run(path, "rotate", before["id"])
    assert book(path).find(after.strip()).record.id == before["id"]
    with pytest.raises(NotIdentifiedError):
        book(path).find(before["text"])


def test_a_rotation_can_keep_the_old_one_for_a_while(path: Path) -> None:
    before = json.loads(run(path, "create", "ann", "--json")[1])
    assert run(path, "rotate", before["id"], "--keep-old", "1h")[0] == 0
    assert book(path).find(before["text"]).record.id == before["id"]


def test_a_revoked_token_is_gone(path: Path) -> None:
    before = json.loads(run(path, "create", "ann", "--json")[1])
    assert run(path, "revoke", before["id"])[0] == 0
    assert json.loads(run(path, "list", "--json")[1])["tokens"] == []


@pytest.mark.parametrize("action", ["rotate", "revoke"])
def test_an_unknown_id_says_where_the_ids_are(path: Path, action: str) -> None:
    code, _, err = run(path, action, "000000000000")
    assert code == 1
    assert "inferometer token list" in err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("create", ""), "printable"),
        (("create", "ann", "--workspace", ""), "workspace"),
        (("create", "ann", "--for", "soon"), "30m, 12h or 90d"),
        (("create", "ann", "--role", "root"), "viewer"),
        (("rotate", "0" * 12, "--keep-old", "90d"), "7 days"),
    ],
)
def test_wrong_use_says_what_is_right(path: Path, argv: tuple[str, ...], said: str) -> None:
    code, _, err = run(path, *argv)
    assert code == 2
    assert said in err


def test_without_a_file_it_asks_for_one() -> None:
    code, _, err = run(None, "list")
    assert code == 2
    assert "--tokens tokens.json" in err


def test_a_damaged_file_is_told(path: Path) -> None:
    path.write_text("{", encoding="utf-8")
    path.chmod(0o600)
    code, _, err = run(path, "list")
    assert code == 1
    assert "damaged" in err
