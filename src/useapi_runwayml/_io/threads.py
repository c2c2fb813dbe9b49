"""What may block, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, leave: bool = False) -> T:
    """A function that may block, off the event loop; one that may be left alone there does not hold a cancellation up.

    What it gives when nobody waits any more, such as an open file, is closed.
    """
    from anyio import to_thread

    given: list[Any] = []
    is_left = False

    def kept() -> T:
        found = function()
        given.append(found)
        if is_left:
            _close(found)
        return found

    try:
        return await to_thread.run_sync(kept, abandon_on_cancel=leave)
    except BaseException:
        is_left = True
        for found in given:
            _close(found)
        raise


def _close(found: Any) -> None:
    if callable(close := getattr(found, "close", None)):
        close()
