"""Functions of the caller's: plain ones, or, for a client that awaits, async ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import UseapiError


def tell(function: Callable[[], Any]) -> Any:
    """Calls it. What would have to be awaited was refused before, unless it looks like a plain function."""
    found = function()
    if inspect.isawaitable(found):
        if inspect.iscoroutine(found):
            found.close()
        raise UseapiError("A function that was given must be awaited: use AsyncRunwayClient, which does")
    return found


async def atell(function: Callable[[], Any]) -> Any:
    """Calls it, and awaits what it gives if that can be awaited."""
    found = function()
    return await found if inspect.isawaitable(found) else found
