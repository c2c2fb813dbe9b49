"""Callbacks of tasks whose rows another worker has: left in the store, where that worker looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Connection, delete, exists, insert, literal, select

from .tables import CALLS, now
from .transactions import Transactions

A_DAY = 24 * 3600.0


class Receiver(Protocol):
    """What receives callbacks, as `useapi_runwayml.callbacks.CallbackApp` does."""

    def url_for(self, reply_ref: str) -> str: ...

    def listen(self, wake: Callable[[str], object]) -> None: ...

    def wake(self, task_id: str) -> None: ...


class Calls:
    """What this worker's receiver is told, and what others' were told of its tasks."""

    def __init__(self, transactions: Transactions, receiver: Receiver, waited_for: set[str]) -> None:
        self._transactions = transactions
        self._receiver = receiver
        self._waited_for = waited_for
        receiver.listen(self.came)

    def came(self, task_id: str) -> None:
        """A task is said to have ended. If it is another's, or nobody's yet, its owner finds it here."""
        if task_id not in self._waited_for:
            missing = ~exists(select(CALLS.c.task).where(CALLS.c.task == task_id))
            leave = insert(CALLS).from_select(["task", "at"], select(literal(task_id), now()).where(missing))
            old = delete(CALLS).where(CALLS.c.at < now() - A_DAY)  # nobody has waited for those

            def work(connection: Connection) -> None:
                connection.execute(old)
                connection.execute(leave)

            self._transactions.soon(
                work
            )  # whoever sent the callback does not wait; one that is lost costs time, and nothing else

    def look(self) -> None:
        """Wakes the waits for what others were told of."""
        for task_id in self._transactions.now(self._take):
            self._receiver.wake(task_id)

    def _take(self, connection: Connection) -> list[str]:
        mine = self._waited_for.copy()
        wanted = select(CALLS.c.task).where(CALLS.c.task.in_(mine))
        found = [*connection.execute(wanted).scalars()] if mine else []
        if found:
            connection.execute(delete(CALLS).where(CALLS.c.task.in_(found)))
        return found
