"""The pages: what happens, at /, and the API to read and to try, at /docs. Their files are package data; all that they show comes as data."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from .wire import Answer

PREFIX = "/_simulator/web/"
PAGES = {"/": "page.html", "/docs": "docs.html"}
KINDS = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def serve(path: str) -> Answer | None:
    """A page or one of its files; None for any other path."""
    content = _file(PAGES.get(path) or path.removeprefix(PREFIX)) if path in PAGES or path.startswith(PREFIX) else None
    if content is None:
        return None
    name = PAGES.get(path, path)
    headers = {
        "content-type": KINDS[name.rpartition(".")[2]],
        "content-security-policy": POLICY,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    return Answer(200, headers, content)


@cache
def _file(name: str) -> bytes | None:
    folder = files("useapi_runwayml.simulator") / "web"
    known = {each.name: each for each in folder.iterdir() if each.name.rpartition(".")[2] in KINDS}
    return known[name].read_bytes() if name in known else None
