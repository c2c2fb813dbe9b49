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
    """Gives each entry once. A short page is not taken for the last one: only a page without news ends the list."""
    seen: set[str] = set()
    offset = 0
    while True:
        entries = yield from fetch(context, page(offset, largest if offset == LAST_OFFSET else size))
        news = [entry for entry in entries if not (known := key(entry)) or known not in seen]
        for entry in news:
            seen.add(key(entry) or "")
            yield Give(entry)
        if not any(key(entry) for entry in news) or offset == LAST_OFFSET:
            return
        offset = min(offset + len(entries), LAST_OFFSET)
