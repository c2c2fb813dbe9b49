"""How long one request may take, whatever the pace of its line: until its deadline, and with a file at a smallest pace."""

from __future__ import annotations

import contextvars
import math
from collections.abc import Callable
from types import TracebackType

SLOWEST = 1000
"""Bytes a second that a file has to move at the least, over a time as long as the timeout."""


class Limits:
    """The time that is left to one request: to all of it, and to the next bytes of a file. In its block, every read and write is held to it.

    `is_link` tells that it goes to a signed link.
    """

    def __init__(
        self, now: Callable[[], float], until: float, window: float = math.inf, *, is_link: bool = False
    ) -> None:
        self.now = now
        self.is_link = is_link
        self._until = until
        self._window = window
        self._spent = 0.0
        self._moved = 0
        self._writes = True

    def left(self, *, writes: bool | None = None) -> float:
        """Seconds until the request has taken too long; none, or fewer than none, when it has. An answer has a time of its own."""
        if writes is not None and writes != self._writes:
            self._spent, self._moved, self._writes = 0.0, 0, writes
        return min(self._until - self.now(), self._window - self._spent)

    def took(self, begun: float, size: int) -> None:
        """Counts what moved. The time between two pieces is the file's own, and not counted."""
        self._spent += self.now() - begun
        self._moved += size
        if self._moved >= SLOWEST * self._window:
            self._spent, self._moved = 0.0, 0

    def reason(self) -> str:
        """Why there is no time left."""
        if self._until - self.now() <= self._window - self._spent:
            return "the whole call takes longer than its timeout"
        return f"fewer than {SLOWEST} bytes a second come through"

    def __enter__(self) -> Limits:
        self._outer = _current.get()
        _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.set(self._outer)


_current: contextvars.ContextVar[Limits | None] = contextvars.ContextVar("useapi_runwayml_limits", default=None)

current = _current.get
"""What holds the request of this thread or task, if anything does."""
