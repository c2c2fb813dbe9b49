"""All pages that the service can give of a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .calls import fetch
from .effects import Call, Core, Give
from .surroundings import Context

LAST_OFFSET = 1000


def pages(
    context: Context, page: Callable[[int, int], Call], key: Callable[[Any], str | None], size: int, largest: int
) -> Core[None]:
    """Gives each entry once, also when entries are deleted or added meanwhile. Only a page without news ends the list.

    Each page begins with the last entry of the page before. One that shows nothing known begins too far behind: entries before it are
    gone, so it goes back to where it finds what it knows, further each time.
    """
    seen: set[str] = set()
    offset, back, behind = 0, size, 0
    while True:
        entries = yield from fetch(context, page(offset, largest if offset == LAST_OFFSET else size))
        if offset and not any(key(entry) in seen for entry in entries):
            offset, back, behind = max(0, offset - back), 2 * back, offset
            continue
        news = [entry for entry in entries if not (known := key(entry)) or known not in seen]
        for entry in news:
            seen.add(key(entry) or "")
            yield Give(entry)
        has_news = any(key(entry) for entry in news)
        if not has_news and (len(entries) < 2 or offset + len(entries) > behind):
            return
        offset, back = min(offset + len(entries) - 1, LAST_OFFSET), size
