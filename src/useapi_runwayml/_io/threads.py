"""What may block, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[[], T]) -> T:
    """A function that may block, off the event loop."""
    from anyio import to_thread

    return await to_thread.run_sync(function)
