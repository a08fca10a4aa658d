"""Serves the console: its pages under their own paths, its files under addresses that never change.

An address holds the digest of all files, so browsers keep them for ever and a new version is
fetched whole. Files are kept in memory, joined and compressed once. Whether they have changed is
looked up behind an answer, not before it: that is a hundred calls of the system, each of which
lets go of the interpreter, and beside a busy worker they took up to half a second.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from inferometer.web.console_bundle import joined_script, joined_sheet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.applications import Starlette
    from starlette.requests import Request

Stamp = tuple[tuple[str, int, int], ...]
"""Every file with when it was written and how long it is."""
FOLDER = Path(__file__).with_name("console")
PAGES = (
    "/", "/overview", "/analytics", "/models", "/logs", "/alerts", "/cost", "/pipeline", "/oncall",
)  # fmt: skip
STATIC = "/static/"
IN_INDEX = b'"/static/'
"""How the index names its files; the digest is put behind it."""
SCRIPT, SHEET = "app.js", "console.css"
"""What the index loads; all that they import is put into them."""
VENDOR = "vendor/"
PRELOAD = re.compile(rb' *<link rel="modulepreload"[^>]*>\n')
"""In the index: what draws charts, the largest file by far, is fetched beside the script."""
HAS_CHARTS = b"hasCharts: true"
"""In the module of a page that draws some."""
FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
LEAST_COMPRESSED_BYTES = 512
COMPRESSED = frozenset(
    {".css", ".html", ".js", ".json", ".map", ".md", ".mjs", ".svg", ".txt", ".webmanifest"}
)
SERVED = COMPRESSED | {".ico", ".png", ".webp", ".woff2"}
"""Nothing else leaves the folder, whatever lies in it."""
NOT_SERVED = frozenset({"deno.json", "deno.lock"})
"""For who works on the console."""
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".webmanifest": "application/manifest+json",
}


def add_console(app: Starlette, folder: Path = FOLDER) -> None:
    """Add the routes of the console behind those that an application has."""
    files = ConsoleFiles(folder)
    app.router.routes.extend(files.routes())
    # Reading and compressing takes as long as a first view; nobody has asked for one yet.
    threading.Thread(target=files.edition, name="console-files", daemon=True).start()


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    media_type: str
    body: bytes
    compressed: bytes | None
    """With gzip, where that is shorter."""


@dataclass(frozen=True, slots=True)
class Edition:
    """All files at one moment."""

    digest: str
    indexes: dict[str, StaticFile]
    """By path of the page; none without a console."""
    files: dict[str, StaticFile]
    """By path inside the folder."""


class ConsoleFiles:
    """The files of a folder; safe for threads."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp: Stamp | None = None
        self._edition = self._before = Edition("", {}, {})

    def edition(self) -> Edition:
        """Return the files as they were when last looked at, or else look."""
        if self._stamp is None:
            self.look()
        return self._edition

    def look(self) -> None:
        """Read the files again if they have changed."""
        with self._lock:
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._before, self._edition = self._edition, _edition(self._folder, stamp)
                self._stamp = stamp

    def _with(self, digest: str) -> Edition | None:
        # A page that was sent just before a change was seen still gets what it names.
        known = (self.edition(), self._before)
        return next((one for one in known if one.digest == digest), None)

    def routes(self) -> list[Route]:
        """Return the routes of pages and files."""
        pages = [Route(path, self._page, include_in_schema=False) for path in PAGES]
        return [
            *pages,
            Route(f"{STATIC}{{digest}}/{{path:path}}", self._file, include_in_schema=False),
            Route("/favicon.ico", self._icon, include_in_schema=False),
        ]

    # Coroutines, as nothing here waits: a thread would have to get the interpreter twice more.
    async def _page(self, request: Request) -> Response:
        index = self.edition().indexes.get(request.url.path)
        if index is None:
            self.look()
            return PlainTextResponse(
                "This installation has no console; the query API is at /api/v1/openapi.json.\n", 404
            )
        # Not a coroutine: it runs in a thread, after the answer.
        answer = _answer(index, request, cache=REVALIDATE)
        answer.background = BackgroundTask(self.look)
        return answer

    async def _file(self, request: Request) -> Response:
        edition = self._with(request.path_params["digest"])
        found = None if edition is None else edition.files.get(request.path_params["path"])
        # Of another edition nothing is known: a page that mixes two would be neither.
        if found is None:
            return PlainTextResponse("No such file; load the page again.\n", 404)
        return _answer(found, request, cache=FOR_EVER)

    async def _icon(self, request: Request) -> Response:
        for name in ("favicon.ico", "favicon.svg", "icon.svg"):
            found = self.edition().files.get(name)
            if found is not None:
                return _answer(found, request, cache=REVALIDATE)
        return Response(status_code=204)

    def _stamp_now(self) -> Stamp:
        found = []
        for path in sorted(self._folder.rglob("*")):
            if path.suffix in SERVED and path.name not in NOT_SERVED and path.is_file():
                state = path.stat()
                found.append(
                    (path.relative_to(self._folder).as_posix(), state.st_mtime_ns, state.st_size)
                )
        return tuple(found)


def _edition(folder: Path, stamp: Stamp) -> Edition:
    modules = {name: (folder / name).read_bytes() for name, _, _ in stamp}
    bodies = _joined(modules)
    digest = hashlib.sha256()
    for name, body in bodies.items():
        digest.update(f"{name}\0{len(body)}\0".encode())
        digest.update(body)
    text = digest.hexdigest()[:16]
    index = bodies.pop("index.html", None)
    return Edition(
        text,
        {} if index is None else _indexes(index, text, modules),
        {name: _static_file(name, body) for name, body in bodies.items()},
    )


def _indexes(index: bytes, digest: str, modules: Mapping[str, bytes]) -> dict[str, StaticFile]:
    """Return the index as each page needs it: those that draw nothing fetch no charting library."""
    named = index.replace(IN_INDEX, IN_INDEX + f"{digest}/".encode())
    drawing = _static_file("index.html", named)
    plain = _static_file("index.html", PRELOAD.sub(b"", named))
    return {
        path: drawing if HAS_CHARTS in modules.get(f"pages{path}.js", b"") else plain
        for path in PAGES
    }


def _joined(bodies: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files, what the index loads with all of its parts inside, and those left out."""
    found = dict(bodies)
    for entry, join in ((SCRIPT, joined_script), (SHEET, joined_sheet)):
        if entry in bodies:
            kind = Path(entry).suffix
            text, parts = join(entry, _texts(bodies, kind))
            found = {name: body for name, body in found.items() if name not in parts}
            found[entry] = text.encode()
    return found


def _texts(bodies: Mapping[str, bytes], kind: str) -> dict[str, str]:
    return {
        name: body.decode()
        for name, body in bodies.items()
        if name.endswith(kind) and not name.startswith(VENDOR)
    }


def _static_file(name: str, body: bytes) -> StaticFile:
    suffix = Path(name).suffix
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/") or suffix in {".json", ".map", ".svg", ".webmanifest"}:
        kind = f"{kind}; charset=utf-8"
    compressed = None
    if suffix in COMPRESSED and len(body) >= LEAST_COMPRESSED_BYTES:
        compressed = gzip.compress(body, compresslevel=9, mtime=0)
    if compressed is not None and len(compressed) >= len(body):
        compressed = None
    return StaticFile(kind, body, compressed)


def _answer(file: StaticFile, request: Request, *, cache: str) -> Response:
    headers = {"Cache-Control": cache, "Content-Type": file.media_type}
    body = file.body
    if file.compressed is not None:
        headers["Vary"] = "Accept-Encoding"
        if _takes_gzip(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            body = file.compressed
    return Response(body, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() in {"gzip", "*"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
