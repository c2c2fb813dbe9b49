"""Serves the files behind signed links, whole or in part."""

from __future__ import annotations

import re
from email.utils import formatdate
from hashlib import sha256
from urllib.parse import quote, unquote

from .wire import Answer, Request
from .world import World

PREFIX = "/_simulator/files/"
VIEW = "/_simulator/view/"


def serve(sim: World, request: Request, now: float) -> Answer:
    """A file, as a content network gives it: 403 for a link that is wrong or has expired, 400 for a token where none belongs."""
    key, query = unquote(request.path.removeprefix(PREFIX)), dict(request.query)
    if "authorization" in request.headers:
        sim.token_leaks += 1
        return _plain(400, "Only one way to sign a request is allowed")
    if not sim.links.allows(key, query.get("expires", ""), query.get("signature", ""), now):
        return _plain(403, "This link has expired")
    return _file(sim, key, request)


def viewed(key: str) -> str:
    """Where the page finds a file: whoever looks on uses up no fault, and is no request of the one who is looked at."""
    return VIEW + quote(key, safe="")


def view(sim: World, request: Request) -> Answer:
    """A file for the page."""
    answer = _file(sim, unquote(request.path.removeprefix(VIEW)), request)
    answer.headers["cross-origin-resource-policy"] = "same-origin"
    return answer


def _file(sim: World, key: str, request: Request) -> Answer:
    if key not in sim.state.blobs:
        return _plain(404, "No such file")
    blob, media_type = sim.state.blobs[key]
    tag = f'"{sha256(f"{key} {blob.size}".encode()).hexdigest()[:16]}"'
    headers = {
        "content-type": media_type,
        "accept-ranges": "bytes",
        "etag": tag,
        "last-modified": formatdate(0, usegmt=True),
    }
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None or request.headers.get("if-range", tag) != tag:
        return Answer(200, headers, blob=blob, span=(0, blob.size))
    start, end = int(asked[1]), min(int(asked[2] or blob.size - 1), blob.size - 1)
    if start > end:
        return Answer(416, {**headers, "content-range": f"bytes */{blob.size}"})
    return Answer(
        206, {**headers, "content-range": f"bytes {start}-{end}/{blob.size}"}, blob=blob, span=(start, end + 1)
    )


def _plain(status: int, text: str) -> Answer:
    return Answer(status, {"content-type": "text/plain"}, text.encode())
