"""The one seam through which time comes: tests put a clock of their own here."""

from __future__ import annotations

import time


class Clock:
    """The machine's clock; only differences of `monotonic` have a meaning."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
