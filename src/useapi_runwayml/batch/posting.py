"""Which creates have begun to leave: what an orderly end may take back, and what it may not. None leaves while this worker may be taken for gone."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import Awaitable, Callable, Iterator

import httpx

from .clock import awake
from .transactions import LOOK_SECONDS

FRESH = 1.0
"""Seconds after which an answer is old: fewer than those after which a worker may be taken for gone."""


class Posting:
    """A hook of the client that sends creates, and the creates whose request came to it."""

    def __init__(self) -> None:
        self.is_sure: Callable[[], Awaitable[bool]] = _always
        self._sent: set[str] = set()
        self._refused: set[str] = set()
        self._now: contextvars.ContextVar[str] = contextvars.ContextVar("useapi_runwayml_posting", default="")

    @contextlib.contextmanager
    def of(self, reference: str) -> Iterator[None]:
        """Requests of this task are those of a create, as long as the block lasts."""
        mark = self._now.set(reference)
        try:
            yield
        finally:
            self._now.reset(mark)

    async def __call__(self, request: httpx.Request) -> None:
        if request.method != "POST" or not self._now.get():
            return
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError  # it was interrupted, and something on the way here has lost the word of it
        if not await self._is_sure_now():
            self._refused.add(self._now.get())
            raise httpx.ConnectError("this worker's lock cannot be made sure of", request=request)
        self._refused.discard(self._now.get())
        self._sent.add(self._now.get())

    async def _is_sure_now(self) -> bool:
        """An answer that took long, as over a sleep of the machine, tells of then, and not of now: it is asked again."""
        while True:
            asked = awake()
            if not await self.is_sure():
                return False
            if awake() - asked < FRESH:
                return True

    async def until_sure(self) -> None:
        """An outage of the database lasts as long as it lasts."""
        while True:
            if await self.is_sure():
                return
            await asyncio.sleep(LOOK_SECONDS)

    def take_refused(self, reference: str) -> bool:
        """Whether the last request was refused here; told once."""
        is_refused = reference in self._refused
        self._refused.discard(reference)
        return is_refused

    def forget(self, reference: str) -> None:
        self._sent.discard(reference)

    def was_sent(self, reference: str) -> bool:
        return reference in self._sent


async def _always() -> bool:
    return True
