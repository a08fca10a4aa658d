"""Files of the console: addresses that never change, compressed once, and nothing else served."""

from __future__ import annotations

import gzip
import os
import re
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette

from inferometer.web.console_files import FOLDER, PAGES, add_console
from tests.unit.web.identity.asking import Answer, ask

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = "export const text = 'console';\n" * 100


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "console"
    (made / "pages").mkdir(parents=True)
    (made / "index.html").write_text('<script type="module" src="/static/app.js"></script>')
    (made / "app.js").write_text(SCRIPT)
    (made / "pages" / "logs.css").write_text("p { margin: 0 }")
    (made / "icon.svg").write_text("<svg/>")
    (made / "secret.py").write_text("key = 1")
    (made / ".env").write_text("KEY=1")
    (tmp_path / "outside.js").write_text("outside")
    return made


@pytest.fixture
def app(folder: Path) -> Starlette:
    made = Starlette()
    add_console(made, folder)
    return made


def address(app: Starlette) -> str:
    found = re.search(rb'src="(/static/[0-9a-f]{16}/)app.js"', ask(app, "GET", "/").body)
    assert found is not None
    return found[1].decode()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_the_index_and_is_asked_for_again(app: Starlette, path: str) -> None:
    answer = ask(app, "GET", path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.js", "text/javascript; charset=utf-8"),
        ("pages/logs.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml; charset=utf-8"),
    ],
)
def test_a_file_is_kept_for_ever(app: Starlette, name: str, kind: str) -> None:
    answer = ask(app, "GET", address(app) + name)
    assert answer.status == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_what_shrinks_is_sent_compressed_to_whom_takes_it(app: Starlette) -> None:
    def file(**headers: str) -> Answer:
        return ask(app, "GET", address(app) + "app.js", headers)

    plain, small = file(), file(**{"accept-encoding": "br, gzip;q=0.8"})
    refused = file(**{"accept-encoding": "gzip;q=0, *;q=0"})
    assert plain.body.decode() == refused.body.decode() == SCRIPT
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body).decode() == SCRIPT
    assert len(small.body) < len(plain.body) / 5
    assert plain.headers["vary"] == small.headers["vary"] == "Accept-Encoding"
    assert int(small.headers["content-length"]) == len(small.body)


@pytest.mark.parametrize(
    "name",
    [
        "secret.py", ".env", "index.html", "nothing.js", "../outside.js", "pages/../app.js", "",
        "%2e%2e/outside.js", "//app.js",
    ],
)  # fmt: skip
def test_nothing_else_is_served(app: Starlette, name: str) -> None:
    assert ask(app, "GET", address(app) + name).status == 404


def test_another_edition_is_not_mixed_in(app: Starlette) -> None:
    assert ask(app, "GET", "/static/0123456789abcdef/app.js").status == 404


def change(folder: Path, text: str, at_s: int) -> None:
    (folder / "pages" / "logs.css").write_text(text)
    os.utime(folder / "pages" / "logs.css", (at_s, at_s))


def test_a_change_makes_a_new_address(app: Starlette, folder: Path) -> None:
    before = address(app)
    change(folder, "p { margin: 1px }", 1)
    # Looked at behind an answer: this page may still be the old one, and gets what it names.
    assert address(app) == before
    after = address(app)
    assert after != before
    assert ask(app, "GET", after + "pages/logs.css").body == b"p { margin: 1px }"
    assert ask(app, "GET", before + "pages/logs.css").body == b"p { margin: 0 }"


def test_only_the_edition_before_is_kept(app: Starlette, folder: Path) -> None:
    first = address(app)
    for number in (1, 2):
        change(folder, f"p {{ margin: {number}px }}", number)
        address(app)
    assert ask(app, "GET", first + "pages/logs.css").status == 404


def test_what_the_index_loads_has_its_parts_inside(app: Starlette, folder: Path) -> None:
    (folder / "console.css").write_text('@import "./pages/logs.css";\nb { margin: 0 }\n')
    (folder / "pages" / "logs.js").write_text("export const page = 1;\n")
    (folder / "app.js").write_text('import { page } from "./pages/logs.js";\nuse(page);\n')
    address(app)
    place = address(app)
    assert b"export" not in ask(app, "GET", place + "app.js").body
    assert ask(app, "GET", place + "console.css").body == b"p { margin: 0 }b { margin: 0 }\n"
    # They would be second copies, with a state of their own.
    assert ask(app, "GET", place + "pages/logs.js").status == 404
    assert ask(app, "GET", place + "pages/logs.css").status == 404


def test_files_change_nothing_and_are_not_posted_to(app: Starlette) -> None:
    assert ask(app, "POST", "/").status == 405
    assert ask(app, "GET", "/favicon.ico").body == b"<svg/>"


def test_without_a_console_the_page_says_where_the_api_is(tmp_path: Path) -> None:
    made = Starlette()
    add_console(made, tmp_path / "nowhere")
    answer = ask(made, "GET", "/overview")
    assert answer.status == 404
    assert b"/api/v1" in answer.body


@pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="no console in this tree")
def test_every_file_that_the_index_names_is_there() -> None:
    made = Starlette()
    add_console(made)
    named = re.findall(r'"(/static/[^"]+)"', ask(made, "GET", "/").body.decode())
    assert named
    missing = [name for name in named if ask(made, "GET", name).status != 200]
    assert missing == []
    # A first view is a page, a script and a sheet; each more is a turn of a busy interpreter.
    assert len(named) <= 3


def test_a_page_with_charts_fetches_what_draws_them_beside_the_script(
    app: Starlette, folder: Path
) -> None:
    preload = '<link rel="modulepreload" href="/static/vendor/charts.js">\n'
    (folder / "index.html").write_text(f'  {preload}<script src="/static/app.js"></script>')
    (folder / "pages" / "overview.js").write_text("export const page = {\n  hasCharts: true,\n};")
    (folder / "pages" / "alerts.js").write_text("export const page = {\n};")
    address(app)
    place = address(app).encode()
    drawing, plain = (ask(app, "GET", path).body for path in ("/overview", "/alerts"))
    assert b'modulepreload" href="' + place + b'vendor/charts.js"' in drawing
    # Over a third of a megabyte, for nothing.
    assert plain == b'<script src="' + place + b'app.js"></script>'


@pytest.mark.skipif(not (FOLDER / "index.html").is_file(), reason="no console in this tree")
def test_half_of_the_pages_draw_charts() -> None:
    made = Starlette()
    add_console(made)
    drawing = {path for path in PAGES if b"modulepreload" in ask(made, "GET", path).body}
    assert drawing == {"/overview", "/analytics", "/models", "/logs", "/cost"}
