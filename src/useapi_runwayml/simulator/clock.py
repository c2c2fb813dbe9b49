"""Clocks of the simulator: one that follows the machine's, faster if wished, and one that only tests move."""

from __future__ import annotations

import heapq
import itertools
import math
import threading
import time
from typing import Protocol

FASTEST = 10_000
START = 1_767_322_800.0  # 2026-01-02 03:00 UTC, so that a seed gives the same answers on every day


class Clock(Protocol):
    """Seconds since 1970, as the simulated service sees them."""

    def now(self) -> float: ...

    def advance(self, seconds: float) -> None: ...


class RunningClock:
    """The machine's time, `speed` times as fast, from `start` on. ValueError for a speed that no clock can have."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        self.speed: float = _checked(speed)
        self.paused: bool = False
        self._begun = time.monotonic()
        self._start = time.time() if start is None else start

    def now(self) -> float:
        return self._start + (0.0 if self.paused else (time.monotonic() - self._begun) * self.speed)

    def go(self, *, speed: float | None = None, paused: bool | None = None) -> None:
        """From now on as fast as this, or not at all."""
        speed = self.speed if speed is None else _checked(speed)
        self._start, self._begun = self.now(), time.monotonic()
        self.speed = speed
        self.paused = self.paused if paused is None else paused

    def advance(self, seconds: float) -> None:
        """Jumps ahead; ValueError for what would break it."""
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError(f"a clock advances by seconds, 0 or more, not by {seconds}")
        self._start += seconds


def _checked(speed: float) -> float:
    if not 0 < speed <= FASTEST:
        raise ValueError(f"speed must be more than 0, and {FASTEST} at the most")
    return speed


class ManualClock:
    """Stands still until somebody sleeps on it or moves it. Clients under test sleep on it, so that no test ever waits."""

    def __init__(self, start: float = START) -> None:
        self._now = start
        self._lock = threading.Lock()
        self._sleepers: list[tuple[float, int]] = []
        self._number = itertools.count()

    def now(self) -> float:
        return self._now

    monotonic = now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += max(0.0, seconds)

    sleep = advance

    async def asleep(self, seconds: float) -> None:
        """Of all who sleep, the one who is to wake first moves the time, once everyone else has come to rest."""
        from anyio.lowlevel import checkpoint

        await checkpoint()
        wake = (self._now + seconds, next(self._number))
        heapq.heappush(self._sleepers, wake)
        try:
            while self._now < wake[0]:
                for _ in range(4):
                    await checkpoint()
                if self._sleepers[0] == wake:
                    self._now = max(self._now, wake[0])
        finally:
            self._sleepers.remove(wake)
            heapq.heapify(self._sleepers)
