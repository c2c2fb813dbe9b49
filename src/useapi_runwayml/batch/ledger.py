"""The rows of batches as workers have them: each has one owner, which is compared in every statement that writes, and what a create may cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, false, or_, select, update

from . import limits
from .checks import Job
from .facts import Facts
from .limits import Held
from .tables import BATCHES, DOUBTFUL, OVER, ROWS, WORKERS
from .transactions import Transactions


@dataclass(frozen=True)
class Settings:
    """How a batch runs; kept with it."""

    max_jobs: int = 5
    max_credits: int | None = None
    poll_interval: float | None = None
    settle: float = 60.0
    delete_assets: bool = False


class Lost(Exception):
    """The row is another worker's: nothing of it is done here any more."""


@dataclass
class Row:
    """A row that this worker has, and the settings of its batch."""

    id: str
    batch: str
    facts: Facts
    settings: Settings

    @property
    def job(self) -> Job:
        return self.facts.job

    @property
    def order(self) -> tuple[int, str]:
        """Which of two rows starts first."""
        return self.job.row, self.id


class Ledger:
    """Rows by the id of their workflow; `root` is where this worker has their files."""

    def __init__(self, transactions: Transactions, worker: str, root: Path) -> None:
        self.worker = worker
        self.root = root
        self._do = transactions.do

    async def take(self, workflow: str) -> Row | None:
        """The row for this worker alone; None while another one that may live has it. A row that is over is given as it is."""

        def work(connection: Connection) -> Row | None:
            gone = select(WORKERS.c.id).where(WORKERS.c.life >= OVER)
            doubtful = select(WORKERS.c.id).where(WORKERS.c.life == DOUBTFUL)
            free = or_(
                ROWS.c.owner.is_(None),
                ROWS.c.owner == self.worker,
                ROWS.c.owner.in_(gone),
                ROWS.c.owner.in_(doubtful) & ~ROWS.c.is_intended,
            )
            connection.execute(
                update(ROWS).where(ROWS.c.id == workflow, ~ROWS.c.is_over, free).values(owner=self.worker)
            )
            columns = ROWS, BATCHES.c.options
            found = connection.execute(
                select(*columns).where(ROWS.c.id == workflow, BATCHES.c.name == ROWS.c.batch)
            ).one()
            if not found.is_over and found.owner != self.worker:
                return None
            job = Job.read(found.job, self.root)
            settings = Settings(**json.loads(found.options))
            return Row(found.id, found.batch, Facts.read(job, found.state, found.facts), settings)

        return await self._do(work)

    async def check(self, row: Row, credits: float | None) -> None:
        """Held when what this row may cost would be too much; nothing is reserved yet."""

        def work(connection: Connection) -> None:
            found = connection.execute(select(BATCHES.c.max_credits, BATCHES.c.spent).where(_batch(row))).one()
            check(found.max_credits, found.spent, credits)

        await self._do(work)

    async def intend(self, row: Row, intent: Mapping[str, Any], credits: float | None) -> None:
        """A create that is about to be sent: recorded with what it may cost, all or nothing. Held when that would be too much."""
        row.facts.intent, row.facts.reply_ref = intent, intent["reply_ref"]
        row.facts.sends += 1
        row.facts.state = "submitting"
        kept, cost = row.facts.kept(), credits or 0.0

        def work(connection: Connection) -> None:
            if connection.scalar(select(ROWS.c.facts).where(_mine(row, self.worker))) == kept:
                return  # it was done, and the word of it lost
            fits = false() if credits is None else BATCHES.c.spent + cost <= BATCHES.c.max_credits
            room = or_(BATCHES.c.max_credits.is_(None), fits)
            paid = update(BATCHES).where(_batch(row), room).values(spent=BATCHES.c.spent + cost)
            if not connection.execute(paid).rowcount:
                found = connection.execute(select(BATCHES.c.max_credits, BATCHES.c.spent).where(_batch(row))).one()
                check(found.max_credits, found.spent, credits)
            values = {"facts": kept, "state": row.facts.state, "is_intended": True, "credits": cost}
            self._put(connection, row, values)

        try:
            await self._do(work)
        except Held:
            row.facts.intent, row.facts.sends = None, row.facts.sends - 1
            raise

    async def save(self, row: Row) -> None:
        """What is known by now. Lost when the row is another's."""
        values = self._values(row.facts)
        await self._do(lambda connection: self._put(connection, row, values))

    async def drop(self, row: Row) -> None:
        """Its create came to nothing: what it would have cost is free again."""
        await self._do(lambda connection: self.drop_in(connection, row))

    def drop_in(self, connection: Connection, row: Row) -> None:
        row.facts.take_back()
        cost = select(ROWS.c.credits).where(ROWS.c.id == row.id).scalar_subquery()
        mine = select(ROWS.c.id).where(_mine(row, self.worker)).exists()
        connection.execute(update(BATCHES).where(_batch(row), mine).values(spent=BATCHES.c.spent - cost))
        self._put(connection, row, {**self._values(row.facts), "credits": 0.0})

    async def finish(self, row: Row, calm: float) -> None:
        """It is over, and its slot free."""
        values = {**self._values(row.facts), "is_over": True}

        def work(connection: Connection) -> None:
            self._put(connection, row, values)
            limits.give(connection, row.id, calm)

        await self._do(work)

    def _values(self, facts: Facts) -> dict[str, Any]:
        return {"facts": facts.kept(), "state": facts.state, "is_intended": facts.intent is not None}

    def _put(self, connection: Connection, row: Row, values: Mapping[str, Any]) -> None:
        if not connection.execute(update(ROWS).where(_mine(row, self.worker)).values(**values)).rowcount:
            raise Lost(row.id)


def check(most: float | None, spent: float, credits: float | None) -> None:
    """Held when it would be too much, or when nobody knows whether it would."""
    if most is None:
        return
    if credits is None:
        raise Held(f"--max-credits {most:g}: what this would cost is not known", "Budget")
    if spent + credits > most:
        raise Held(f"--max-credits {most:g}: {spent:g} are spent, and this would cost {credits:g}", "Budget")


def _mine(row: Row, worker: str) -> Any:
    return (ROWS.c.id == row.id) & (ROWS.c.owner == worker)


def _batch(row: Row) -> Any:
    return BATCHES.c.name == row.batch
