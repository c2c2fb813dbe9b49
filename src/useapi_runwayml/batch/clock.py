"""Time for a batch: what the client's clock tells, and the date, which outlives a process."""

from __future__ import annotations

import time

from .._seam import SystemClock


class BatchClock(SystemClock):
    """The machine's time; `speed` times as fast beside a simulator that runs so."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    def time(self) -> float:
        """Seconds since 1970, by the machine's own clock; only differences are used."""
        return time.time() * self._speed

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / self._speed)

    async def asleep(self, seconds: float) -> None:
        await super().asleep(seconds / self._speed)
