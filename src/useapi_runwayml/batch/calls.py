"""Callbacks of tasks whose rows another worker has: left in the store, where that worker looks."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection, delete, exists, insert, literal, select

from .._seam import Callbacks
from .tables import CALLS, now
from .transactions import Transactions

A_DAY = 24 * 3600.0


class Receiver(Callbacks, Protocol):
    """What receives callbacks, and can be told of one that came some other way."""

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

            # whoever sent the callback does not wait; one that is lost costs time, and nothing else
            self._transactions.soon(work)

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
