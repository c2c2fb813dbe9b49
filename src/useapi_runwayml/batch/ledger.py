"""The rows of batches as workers have them: each has one owner, which is compared in every statement that writes, and what a create may cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Boolean, Connection, bindparam, or_, select, update

from .. import Task
from .._seam import amount
from . import limits
from .checks import Job
from .facts import Facts
from .limits import Held
from .tables import BATCHES, DOUBTFUL, LIVING, OVER, ROWS, SLOTS, WORKERS
from .transactions import Transactions


@dataclass(frozen=True)
class Settings:
    """How a batch runs; kept with it."""

    max_jobs: int = 5
    max_credits: float | None = None
    poll_interval: float | None = None
    settle: float = 60.0
    delete_assets: bool = False


class Lost(Exception):
    """The row is another worker's: nothing of it is done here any more."""


@dataclass
class Row:
    """A row that this worker has, the settings of its batch, the credits that are reserved for it, whether it may have a slot, its task as it ended,
    whether it was begun before, so that it may have left something, and whether somebody had a slot for it before."""

    id: str
    batch: str
    facts: Facts
    settings: Settings
    credits: float = 0.0
    may_have_slot: bool = True
    ended: Task | None = None
    was_begun: bool = False
    has_slot: bool = False

    @property
    def job(self) -> Job:
        return self.facts.job

    @property
    def order(self) -> tuple[int, str]:
        """Which of two rows starts first."""
        return self.job.row, self.id


_gone = select(WORKERS.c.id).where(WORKERS.c.life >= OVER)
_doubtful = select(WORKERS.c.id).where(WORKERS.c.life == DOUBTFUL)
_mine = ROWS.c.id == bindparam("of"), ROWS.c.owner == bindparam("me")
TAKE = (
    update(ROWS)
    .where(
        ROWS.c.id == bindparam("of"),
        ~ROWS.c.is_over,
        or_(
            ROWS.c.owner.is_(None),
            ROWS.c.owner == bindparam("me"),
            ROWS.c.owner.in_(_gone),
            ROWS.c.owner.in_(_doubtful) & ~ROWS.c.is_intended,
        ),
    )
    .values(owner=bindparam("me"))
)
_has_slot = select(SLOTS.c.number).where(SLOTS.c.holder == bindparam("of")).exists().label("has_slot")
READ = select(ROWS, BATCHES.c.options, _has_slot).where(ROWS.c.id == bindparam("of"), BATCHES.c.name == ROWS.c.batch)
WRITTEN = select(ROWS.c.facts).where(*_mine)
WRITE = (
    update(ROWS)
    .where(*_mine)
    .values({name: bindparam(name) for name in ("facts", "state", "is_intended", "is_over", "credits")})
)
_batch = BATCHES.c.name == bindparam("batch")
_room = or_(
    BATCHES.c.max_credits.is_(None),
    bindparam("is_known", type_=Boolean()) & (BATCHES.c.spent + bindparam("cost") <= BATCHES.c.max_credits),
)
RESERVE = update(BATCHES).where(_batch, _room).values(spent=BATCHES.c.spent + bindparam("cost"))
RELEASE = (
    update(BATCHES)
    .where(_batch, select(ROWS.c.id).where(*_mine).exists())
    .values(spent=BATCHES.c.spent - select(ROWS.c.credits).where(*_mine).scalar_subquery())
)
LIVE = select(WORKERS.c.id).where(
    WORKERS.c.life == LIVING, or_(WORKERS.c.batch.is_(None), WORKERS.c.batch == bindparam("batch"))
)
HOLD = update(ROWS).where(*_mine).values(owner=bindparam("me"))
GIVE_BACK = update(ROWS).where(*_mine).values(owner=None)
SPENT = select(BATCHES.c.max_credits, BATCHES.c.spent).where(_batch)


class Ledger:
    """Rows by the id of their workflow; `root` is where this worker has their files."""

    def __init__(self, transactions: Transactions, worker: str, root: Path) -> None:
        self.worker = worker
        self.root = root
        self._do = transactions.do

    async def take(self, workflow: str) -> Row | None:
        """The row for this worker alone; None while another one that may live has it. A row that is over is given as it is."""
        names = {"of": workflow, "me": self.worker}

        def work(connection: Connection) -> Any:
            connection.execute(TAKE, names)
            return connection.execute(READ, names).one()

        found = await self._do(work)
        if not found.is_over and found.owner != self.worker:
            return None
        facts = Facts.read(Job.read(found.job, self.root), found.state, found.facts)
        settings, was_begun = Settings(**json.loads(found.options)), facts.has_begun or facts.job.attempt > 1
        return Row(
            found.id, found.batch, facts, settings, found.credits, was_begun=was_begun, has_slot=bool(found.has_slot)
        )

    async def check(self, row: Row, credits: float | None) -> None:
        """Held when what this row may cost would be too much; nothing is reserved yet."""
        await self._do(lambda connection: _check(connection, row, credits))

    async def intend(self, row: Row, intent: Mapping[str, Any], credits: float | None) -> None:
        """A create that is about to be sent: recorded with what it may cost, all or nothing. Held when that would be too much."""
        facts = row.facts
        before = facts.intent, facts.reply_ref, facts.state
        facts.intent, facts.reply_ref, facts.state = intent, intent["reply_ref"], "submitting"
        facts.sends += 1
        row.credits = credits or 0.0
        values = self._values(row)
        cost = {"batch": row.batch, "cost": row.credits, "is_known": credits is not None}

        def work(connection: Connection) -> None:
            if connection.scalar(WRITTEN, self._names(row)) == values["facts"]:
                return  # it was done, and the word of it lost
            self._put(connection, values)
            while not connection.execute(RESERVE, cost).rowcount:  # last, since all rows of the batch meet there
                _check(connection, row, credits)  # there may be room again meanwhile: then it is reserved all the same

        try:
            await self._do(work)
        except Held:
            facts.intent, facts.reply_ref, facts.state = before
            facts.sends, row.credits = facts.sends - 1, 0.0
            raise

    async def save(self, row: Row) -> None:
        """What is known by now. Lost when the row is another's."""
        values = self._values(row)
        await self._do(lambda connection: self._put(connection, values))

    async def drop(self, row: Row) -> None:
        """Its create came to nothing: what it would have cost is free again."""
        await self._do(lambda connection: self.drop_in(connection, row))

    def drop_in(self, connection: Connection, row: Row) -> None:
        row.facts.take_back()
        connection.execute(RELEASE, {"batch": row.batch, **self._names(row)})
        row.credits = 0.0
        self._put(connection, self._values(row))

    async def leave(self, row: Row, calm: float) -> None:
        """What is known by now, when its task has ended, and its slot is free. Lost when the row is another's."""
        values = self._values(row)

        def work(connection: Connection) -> None:
            self._put(connection, values)
            if row.may_have_slot:
                limits.give(connection, row.id, calm)

        await self._do(work)
        row.may_have_slot = False

    def hold(self, connection: Connection, workflow: str) -> None:
        """Lost when the row is another's; else nobody takes it until this transaction ends."""
        if not connection.execute(HOLD, {"of": workflow, "me": self.worker}).rowcount:
            raise Lost(workflow)

    async def give_back(self, row: Row) -> bool:
        """To the others, since this worker has not its clip; gives whether there is another that may have it."""
        row.facts.unseen_by = [*{*row.facts.unseen_by, self.worker}]
        values = self._values(row)

        def work(connection: Connection) -> bool:
            others = [
                each
                for each in connection.execute(LIVE, {"batch": row.batch}).scalars()
                if each not in row.facts.unseen_by
            ]
            if others:
                self._put(connection, values)
                connection.execute(GIVE_BACK, self._names(row))
            return bool(others)

        return await self._do(work)

    def _values(self, row: Row) -> dict[str, Any]:
        facts = row.facts
        kept = {"facts": facts.kept(), "state": facts.state, "is_intended": facts.intent is not None}
        return {**kept, "is_over": facts.is_over, "credits": row.credits, **self._names(row)}

    def _names(self, row: Row) -> dict[str, str]:
        return {"of": row.id, "me": self.worker}

    def _put(self, connection: Connection, values: Mapping[str, Any]) -> None:
        if not connection.execute(WRITE, values).rowcount:
            raise Lost(values["of"])


def _check(connection: Connection, row: Row, credits: float | None) -> None:
    """Held when it would be too much, or when nobody knows whether it would."""
    most, spent = connection.execute(SPENT, {"batch": row.batch}).one()
    if most is None:
        return
    if credits is None:
        raise Held(f"--max-credits {amount(most)}: what this would cost is not known", "Budget")
    if spent + credits > most:
        told = f"{amount(spent)} are spent, and this would cost {amount(credits)}"
        raise Held(f"--max-credits {amount(most)}: {told}", "Budget")
