"""Time that only pauses take, and calls that give what they were told to, for tests of what a batch does with one row."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from useapi_runwayml.batch.clock import BatchClock

MANY = 2_000
"""What has not ended after so many pauses or answers never does."""


class Clock(BatchClock):
    """Time goes on only while somebody pauses."""

    def __init__(self, speed: float) -> None:
        super().__init__(speed)
        self.time = 5_000.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.time

    async def asleep(self, seconds: float) -> None:
        assert len(self.pauses) < MANY, "it never ends"
        self.pauses.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


def answers(*given: Any) -> Callable[..., Awaitable[Any]]:
    """What a call gives, or raises, one after the other; the last one ever after."""
    left, asked = [*given], itertools.count()

    async def answer(*_: Any, **__: Any) -> Any:
        assert next(asked) < MANY, "it never ends"
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, Exception):
            raise found
        return found() if callable(found) else found

    return answer
