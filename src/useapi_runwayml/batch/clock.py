"""Time for a batch: what the client's clock tells, and what the service's answers tell, which outlives a process."""

from __future__ import annotations

import time

import httpx

from .._seam import SystemClock, http_date


def awake() -> float:
    """Seconds that go on while the machine sleeps, where the system tells them."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class BatchClock(SystemClock):
    """The machine's time since it started; `speed` times as fast beside a simulator that runs so. Its date is asked for nowhere."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def monotonic(self) -> float:
        return time.monotonic() * self._speed

    def sleep(self, seconds: float) -> None:
        super().sleep(self.real(seconds))

    async def asleep(self, seconds: float) -> None:
        await super().asleep(self.real(seconds))

    def real(self, seconds: float) -> float:
        """The same on a clock that runs as fast as the machine's."""
        return seconds / self._speed

    def of_the_machine(self, seconds: float) -> float:
        """So many seconds of the machine's, on this clock."""
        return seconds * self._speed


class ServiceClock:
    """The service's own time, by the Date of its answers: the same for every process and every machine, whatever their dates."""

    def __init__(self, clock: BatchClock) -> None:
        self._clock = clock
        self._offset: float | None = None

    async def __call__(self, response: httpx.Response) -> None:
        told = http_date(response.headers.get("date", ""))
        if told is None or "authorization" not in response.request.headers:  # another host's, which files lie on
            return
        found = told.timestamp() - self._clock.monotonic()
        self._offset = (
            found if self._offset is None else max(self._offset, found)
        )  # that of the answer least on its way

    def now(self) -> float | None:
        """Seconds since 1970; None before the first answer with a date."""
        return None if self._offset is None else self._clock.monotonic() + self._offset
