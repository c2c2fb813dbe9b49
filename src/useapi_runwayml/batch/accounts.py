"""Slots, gates and the budget: what keeps a batch from asking too much of an account."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

CALM = 60.0  # seconds without a 429 after which an account gets a slot back


class Held(Exception):
    """The account takes no more until `resume`; says why, and by which error."""

    def __init__(self, why: str, error: str = "") -> None:
        super().__init__(why)
        self.error = error


class Account:
    """One account: how many of its slots are taken, how many it may have now, and whether its gate is closed."""

    def __init__(self, most: int, now: Callable[[], float], on_close: Callable[[str], None] = lambda why: None) -> None:
        self.most = self.limit = most
        self.taken = 0
        self.closed = ""
        self.error = ""
        self._now = now
        self._on_close = on_close
        self._busy_at = -CALM
        self._changed = asyncio.Condition()
        self._waiting: list[int] = []
        self._expected: set[int] = set()

    async def take(self, order: int = 0, *, force: bool = False) -> None:
        """Waits for a slot, the first in order before the others; a task that exists already has one in any case. Held when the gate is closed."""
        await self.expect_no_more(order)
        async with self._changed:
            if not force:
                self._waiting.append(order)
                try:
                    await self._changed.wait_for(
                        lambda: (
                            self.closed or (self.taken < self.limit and order == min({*self._waiting, *self._expected}))
                        )
                    )
                finally:
                    self._waiting.remove(order)
                    self._changed.notify_all()
                self.check_open()
            self.taken += 1

    def expect(self, order: int) -> None:
        """Whoever comes later in order waits for this one, until it takes a slot or is expected no more."""
        self._expected.add(order)

    async def expect_no_more(self, order: int) -> None:
        if order in self._expected:
            async with self._changed:
                self._expected.discard(order)
                self._changed.notify_all()

    async def give(self) -> None:
        """Gives a slot back; after a while without a 429 the account is tried with one more."""
        async with self._changed:
            self.taken -= 1
            if self.limit < self.most and self._now() - self._busy_at >= CALM:
                self.limit += 1
                self._busy_at = self._now()
            self._changed.notify_all()

    def lower(self) -> None:
        """After a 429: no more than what runs besides the refused one, but one."""
        self._busy_at = self._now()
        self.limit = max(1, min(self.limit, self.taken - 1))

    def check_open(self) -> None:
        """Held when the gate is closed."""
        if self.closed:
            raise Held(self.closed, self.error)

    async def close(self, error: Exception) -> None:
        """Shuts the gate: whoever waits for a slot is told why."""
        async with self._changed:
            if not self.closed:
                self.closed, self.error = str(error), type(error).__name__
                self._on_close(self.closed)
            self._changed.notify_all()


class Slot:
    """A slot of an account that one row has, or has given back."""

    def __init__(self, account: Account, order: int = 0) -> None:
        self._account = account
        self._order = order
        self._held = False

    async def take(self, *, force: bool = False) -> None:
        await self._account.take(self._order, force=force)
        self._held = True

    async def give(self) -> None:
        if self._held:
            self._held = False
            await self._account.give()


class Budget:
    """The credits that this batch may spend, those spent before among them."""

    def __init__(self, most: float | None, spent: float) -> None:
        self.most = most
        self.spent = spent

    def check(self, credits: float | None) -> None:
        """Held when it would be too much, or when nobody knows whether it would."""
        if self.most is None:
            return
        if credits is None:
            raise Held(f"--max-credits {self.most}: what this would cost is not known", "Budget")
        if self.spent + credits > self.most:
            raise Held(f"--max-credits {self.most}: {self.spent} are spent, and this would cost {credits}", "Budget")

    def reserve(self, credits: float | None) -> None:
        """Takes the credits; Held when it would be too much."""
        self.check(credits)
        self.spent += credits or 0

    def release(self, credits: float | None) -> None:
        """Nothing was started."""
        self.spent -= credits or 0
