"""Our own transactions: in a thread, again where two machines met, and through an outage of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, IntegrityError, InterfaceError, OperationalError, TimeoutError

T = TypeVar("T")
MEETINGS = 5
"""How often two machines may come upon the same new thing, one after the other."""
PAUSE = 0.5
THREADS = {"sqlite": 1, "postgresql": 8}
"""Ours, since DBOS sleeps in its own through an outage, for up to a minute and a half at a time. One where a file takes one writer at a
time: more would only wait for each other at its lock, and read it anew after each other."""
LOOK_SECONDS = 1.0
"""How often to look for what another machine does: of that comes no word."""
MET = ("40001", "40P01")
LOST = ("08", "57P", "53", "25P03")


class Transactions:
    """What is done here may be done twice, when the word that it was done is lost: each work sees to that itself."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.on_outage: Callable[[str], None] = lambda told: None
        self._threads = ThreadPoolExecutor(THREADS[engine.dialect.name], "useapi-runwayml-journal")
        self._is_out = False

    def now(self, work: Callable[[Connection], T]) -> T:
        """One transaction, here and now."""
        for _ in range(MEETINGS):
            try:
                with self.engine.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                if not has_met(error):
                    raise
        with self.engine.begin() as connection:
            return work(connection)

    def soon(self, work: Callable[[Connection], object]) -> None:
        """One transaction, in a thread, for which nobody waits, and which may fail."""
        self._threads.submit(self.now, work)

    async def do(self, work: Callable[[Connection], T]) -> T:
        """One transaction, as `through` does it."""
        return await self.through(lambda: self.now(work))

    async def through(self, call: Callable[[], T]) -> T:
        """What is done with the database, in a thread. While it cannot be reached it is tried again; once interrupted it is still seen to its end."""
        while True:
            doing = asyncio.get_running_loop().run_in_executor(self._threads, call)
            try:
                found = await asyncio.shield(doing)
            except asyncio.CancelledError:
                await asyncio.wait([doing])
                doing.exception()  # it is nobody's any more
                raise
            except (DBAPIError, TimeoutError) as error:
                if not is_outage(error):
                    raise
                self._tell(is_out=True)
            else:
                self._tell(is_out=False)
                return found
            await asyncio.sleep(PAUSE)

    def _tell(self, *, is_out: bool) -> None:
        if is_out != self._is_out:
            self._is_out = is_out
            self.on_outage("it cannot be reached: nothing new is begun until it is" if is_out else "it is there again")


def has_met(error: DBAPIError) -> bool:
    """Whether another machine did the same at the same time."""
    return isinstance(error, IntegrityError) or _state(error).startswith(MET)


def is_outage(error: DBAPIError | TimeoutError) -> bool:
    """Whether the database was not there, went away, also in the midst of an answer, or gave no connection. A file always is there."""
    if isinstance(error, TimeoutError):
        return True
    state = _state(error)
    is_unreached = state == "none" and type(error) in (OperationalError, InterfaceError, DatabaseError)
    return error.connection_invalidated or is_unreached or state.startswith(LOST)


def _state(error: DBAPIError) -> str:
    """PostgreSQL's code; `none` where it gave none, since it was not reached; nothing of another database."""
    found = getattr(error.orig, "sqlstate", "")
    return "none" if found is None else str(found)
