"""What the answers of the service say of the service: that it asks to wait, that it is down, or that there are none."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from .._seam import retry_after
from .clock import BatchClock

LONG = 30.0  # seconds of a pause from which on it is worth words


class Pulse:
    """Hooks of the client; `tell` gets what it is about, and words, or none when that is over."""

    def __init__(self, clock: BatchClock, tell: Callable[[str, str], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._since: float | None = None
        self._status = 0

    async def asked(self, request: httpx.Request) -> None:
        if self._since is None and request.method == "GET":  # an upload may take its time
            self._since = self._clock.monotonic()

    async def answered(self, response: httpx.Response) -> None:
        wish = retry_after(response.headers, None) if response.status_code >= 400 else None
        told = "" if wish is None or wish < LONG else f"{response.status_code}, and it asks to wait {lasting(wish)}"
        is_ours = "authorization" in response.request.headers
        if response.status_code < 500 or told or not is_ours:
            self._since, self._status = None, 0
            self._tell(SILENT, "")
        elif response.request.method == "GET":
            self._status = response.status_code
        self._tell(place_of(response.request), told)

    def check(self) -> None:
        """To be called now and then."""
        if self._since is not None and self._clock.monotonic() - self._since >= LONG:
            why = f"it answers {self._status}" if self._status else "no answer, or no connection"
            self._tell(SILENT, f"{why}; it is asked again and again")


SILENT = "the service"


def place_of(request: httpx.Request) -> str:
    """What was asked, without ids: a part of the service, or another host."""
    if "authorization" not in request.headers:
        return f"{request.method} {request.url.host}"
    return f"{request.method} {'/'.join(request.url.path.split('/')[:4])}"


def lasting(seconds: float) -> str:
    """A pause in words."""
    hours, minutes = divmod(round(seconds / 60), 60)
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
