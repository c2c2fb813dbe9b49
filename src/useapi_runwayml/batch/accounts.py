"""The slots of accounts as one worker waits for them: in the order of its rows, woken by its own, and else by looking."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from . import limits
from .ledger import Row
from .limits import Gate
from .limits import Held as Held
from .transactions import LOOK_SECONDS, Transactions

CALM = 60.0  # seconds without a 429 after which an account gets a slot back
Order = tuple[int, str]
T = TypeVar("T")


class Account:
    """One account: who waits here for one of its slots, in which order. Who has one is in the store."""

    def __init__(
        self,
        name: str,
        transactions: Transactions,
        real: Callable[[float], float] = lambda seconds: seconds,
        on_close: Callable[[str, str], None] = lambda account, why: None,
        on_wait: Callable[[str, float], None] = lambda account, seconds: None,
        hold: Callable[[Connection, str], None] = lambda connection, row: None,
    ) -> None:
        self.name = name
        self._do = transactions.do
        self._real = real
        self._on_close = on_close
        self._on_wait = on_wait
        self._hold = hold
        self._known = 0
        self._changed = asyncio.Condition()
        self._news = 0
        self._full: tuple[int, int] | None = None
        self._full_until = 0.0
        self._waiting: list[Order] = []
        self._expected: set[Order] = set()

    async def take(self, row: Row, *, force: bool = False) -> None:
        """Waits for a slot, the first in order before the others; a task that exists already has one in any case. Held when the gate is closed,
        Lost when the row is another's by now.

        A row that somebody had a slot for waits for nobody: those before it may wait for that very slot.
        """
        most = row.settings.max_jobs
        self._waiting.append(row.order)
        try:
            await self.expect_no_more(row.order)
            await self._know(most)
            while not force:
                async with self._changed:
                    await self._changed.wait_for(
                        lambda: row.has_slot or row.order == min({*self._waiting, *self._expected})
                    )
                    seen = self._news
                left = 0.0 if row.has_slot else self._until((seen, most))
                if left <= 0:
                    gate = await self._with(row, lambda connection: limits.take(connection, self.name, row.id, most))
                    self._on_wait(self.name, gate.seconds)
                    _check(gate)
                    left = min(LOOK_SECONDS, gate.seconds or LOOK_SECONDS)
                    if gate.why or gate.is_full:
                        self._full, self._full_until = (seen, most), _now() + left
                    if not gate.why:
                        return
                await self._wait(left, seen)
            await self._with(row, lambda connection: limits.force(connection, self.name, row.id))
        finally:
            self._waiting.remove(row.order)
            await self._tell()

    def rename(self, name: str) -> None:
        """Who it is was not known until now."""
        self.name, self._known, self._full = name, 0, None

    def _until(self, asked: tuple[int, int]) -> float:
        """Seconds until it is worth asking: whoever comes to be the first need not hear again what the one before was told a moment ago."""
        return self._full_until - _now() if asked == self._full else 0.0

    def expect(self, order: Order) -> None:
        """Whoever comes later in order waits for this one, until it takes a slot or is expected no more."""
        self._expected.add(order)

    async def expect_no_more(self, order: Order) -> None:
        if order in self._expected:
            self._expected.discard(order)
            await self._tell()

    async def give(self, row: Row) -> None:
        """Gives its slot back; after a while without a 429 the account is tried with one more. Lost when the row is another's by now."""
        await self._with(row, lambda connection: limits.give(connection, row.id, self._real(CALM)))
        row.has_slot = False
        await self.wake()

    async def _with(self, row: Row, work: Callable[[Connection], T]) -> T:
        """What becomes of the slot of a row. Whoever lost the row would take a slot that nobody gives back, or give away the one that its owner has."""

        def both(connection: Connection) -> T:
            self._hold(connection, row.id)
            return work(connection)

        return await self._do(both)

    async def lower(self, pause: float) -> None:
        """After a 429, for all machines."""
        await self._do(lambda connection: limits.lower(connection, self.name, self._real(pause)))

    async def check_open(self) -> None:
        """Held when the gate is closed."""
        _check(await self._do(lambda connection: limits.look(connection, self.name)))

    async def close(self, error: Exception) -> None:
        """Shuts the gate: whoever waits for a slot, on whichever machine, is told why."""
        why, kind = str(error).replace("\0", ""), type(error).__name__
        await self._know(1)
        if await self._do(lambda connection: limits.close(connection, self.name, why, kind)):
            self._on_close(self.name, why)
        await self.wake()

    async def _know(self, most: int) -> None:
        if self._known < most:
            await self._do(lambda connection: limits.know(connection, self.name, most))
            self._known = most

    async def _wait(self, seconds: float, seen: int) -> None:
        """Until there is news: a slot may have been given back, or the gate shut."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self._news != seen)

    async def wake(self) -> None:
        """A slot may be free."""
        self._news += 1
        await self._tell()

    async def _tell(self) -> None:
        """Another one may be the first in order now."""
        async with self._changed:
            self._changed.notify_all()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _check(gate: Gate) -> None:
    if gate.is_closed:
        raise Held(gate.why, gate.error)
