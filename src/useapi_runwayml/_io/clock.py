"""The one seam through which time comes: tests put a clock of their own here."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the drivers and the core ask of a clock; only differences of `monotonic` have a meaning."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    async def asleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
