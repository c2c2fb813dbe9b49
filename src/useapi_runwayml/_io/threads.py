"""What may block, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, leave: bool = False) -> T:
    """A function that may block, off the event loop; one that may be left alone there does not hold a cancellation up."""
    from anyio import to_thread

    return await to_thread.run_sync(function, abandon_on_cancel=leave)
