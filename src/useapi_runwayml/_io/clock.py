"""The machine's clock; tests put one of their own in its place."""

from __future__ import annotations

import time


class SystemClock:
    """Time as it passes here."""

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        import anyio

        await anyio.sleep(seconds)
