"""The console's modules as one script: run in their order, and nothing guessed."""

from __future__ import annotations

import re

import pytest

from inferometer.web.console_bundle import UnjoinableError, joined_script, joined_sheet
from inferometer.web.console_files import FOLDER, VENDOR

DOM = "export function h(tag) {\n  return tag;\n}\nexport const NOTHING = 1;\n"
PAGE = 'import { h } from "../dom.js";\nexport const page = h("main");\n'


def order(script: str) -> list[str]:
    return re.findall(r"^// (\S+\.js)$", script, re.MULTILINE)


def test_a_module_stands_behind_what_it_imports() -> None:
    texts = {
        "app.js": 'import {\n  page,\n} from "./pages/logs.js";\nuse(page);\n',
        "pages/logs.js": PAGE,
        "dom.js": DOM,
        "never.js": "",
    }
    script, parts = joined_script("app.js", texts)
    assert order(script) == ["dom.js", "pages/logs.js", "app.js"]
    assert parts == {"dom.js", "pages/logs.js", "app.js"}
    assert "const { h } = $m0;\nconst page = h" in script
    assert "return { h, NOTHING };" in script
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_what_is_loaded_later_is_inside_and_may_import_who_loads_it() -> None:
    texts = {
        "app.js": 'import { load } from "./router.js";\nload();\n',
        "router.js": 'export const load = () => import("./page.js");\n',
        "page.js": 'import { load } from "./router.js";\nexport const page = load;\n',
    }
    script, parts = joined_script("app.js", texts)
    assert order(script) == ["router.js", "app.js", "page.js"]
    assert "() => Promise.resolve().then(() => $m2)" in script
    assert parts == set(texts)


def test_an_address_is_still_that_of_its_module() -> None:
    texts = {
        "app.js": 'import { at } from "./charts/library.js";\nat();\n',
        "charts/library.js": 'export const at = () => new URL("../vendor/x.js", import.meta.url);\n',
    }
    script, _ = joined_script("app.js", texts)
    assert (
        'new URL("../vendor/x.js", new URL("./charts/library.js", import.meta.url).href)' in script
    )


def test_types_in_comments_load_nothing() -> None:
    texts = {
        "app.js": 'import { a } from "./a.js";\n/** @type {() => import("./gone.js").Gone} */\na();\n',
        "a.js": '/** @param {import("./gone.js").Gone} gone */\nexport function a(gone) {}\n',
    }
    assert joined_script("app.js", texts)[1] == {"app.js", "a.js"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('import { b } from "./gone.js";\n', "which is not there"),
        ('import { h as x } from "./dom.js";\n', "use the name that it has"),
        (
            'import { h } from "./dom.js";\nimport * as all from "./dom.js";\n',
            "cannot|can be joined",
        ),
        ('import { h } from "./dom.js";\nexport default h;\n', "no import or export"),
        ('import { h } from "./dom.js";\nexport { h };\n', "no import or export"),
        ('import { h } from "./dom.js";\nexport let count = 0;\n', "no import or export"),
        ('import { x } from "./circle.js";\n', "imports itself"),
    ],
)
def test_what_cannot_be_joined_is_refused(text: str, why: str) -> None:
    circle = 'import { y } from "./app.js";\nexport const x = 1;\n'
    texts = {"app.js": text, "dom.js": DOM, "circle.js": circle}
    with pytest.raises(UnjoinableError, match=why):
        joined_script("app.js", texts)


def test_a_sheet_has_others_in_their_places() -> None:
    texts = {"all.css": '@import "./b/x.css";\n@import "./a.css";\ni {}\n', "a.css": "a {}\n"}
    texts["b/x.css"] = "b {}\n"
    assert joined_sheet("all.css", texts) == ("b {}\na {}\ni {}\n", frozenset(texts))


@pytest.mark.parametrize("text", ['@import "./a.css";\n', "a { background: url(x.png) }\n"])
def test_a_sheet_inside_another_names_no_file(text: str) -> None:
    texts = {"all.css": '@import "./b.css";\n', "b.css": text, "a.css": ""}
    with pytest.raises(UnjoinableError, match="name no other file"):
        joined_sheet("all.css", texts)


def test_the_console_can_be_joined_and_nothing_is_left_over() -> None:
    for kind, entry, join in (
        (".js", "app.js", joined_script),
        (".css", "console.css", joined_sheet),
    ):
        texts = {
            path.relative_to(FOLDER).as_posix(): path.read_text(encoding="utf-8")
            for path in FOLDER.rglob(f"*{kind}")
            if not path.relative_to(FOLDER).as_posix().startswith(VENDOR)
        }
        _, parts = join(entry, texts)
        # Types are for the checker alone.
        assert set(texts) - parts <= {"types.js"}
