"""What a store has of a batch, read in single questions, and without DBOS, which takes a second to load."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, func, inspect, select, true

from .checks import Job
from .comparing import Reading
from .facts import Facts
from .notices import Notices
from .places import Folder, Place
from .store import StoreFailed
from .tables import ACCOUNTS, BATCHES, DOUBTFUL, ROWS, WORKERS
from .transactions import Transactions


class Records:
    """Reads a batch; writes and runs nothing. `root` is where this machine has the files of its rows."""

    def __init__(self, place: Place | Path, root: Path | None = None) -> None:
        self.place: Place = Folder(place) if isinstance(place, Path) else place
        self.root = root or Path.cwd()
        self.failure: OSError | None = None
        self.engine = self.place.open(self._fail)
        self.transactions = Transactions(self.engine)
        self.notices = Notices(self.engine)

    @property
    def batch(self) -> str | None:
        """Its name; None when all batches of the database are meant."""
        return self.place.batch

    def _fail(self, error: StoreFailed) -> None:
        self.failure = error

    def close(self) -> None:
        self.engine.dispose()

    def has_tables(self) -> bool:
        """StoreFailed when the file is no journal."""
        return inspect(self.engine).has_table(BATCHES.name)

    def options(self) -> dict[str, Any]:
        """The options of the batch; empty when there is none."""
        question = select(BATCHES.c.options).where(BATCHES.c.name == self.batch)
        found = self._first(question) if self.has_tables() else None
        options: dict[str, Any] = json.loads(found) if found else {}
        return options

    def reading(self) -> Reading | None:
        """How the jobs file was read; None of a batch that had none."""
        found = self._first(select(BATCHES.c.reading).where(BATCHES.c.name == self.batch))
        return Reading(**json.loads(found)) if found else None

    def facts(self) -> list[Facts]:
        """What is known of every attempt of every row."""
        columns = ROWS.c.state, ROWS.c.job, ROWS.c.facts
        return [
            Facts.read(Job.read(job, self.root), state, kept)
            for state, job, kept in self._ask(select(*columns).where(self.mine()))
        ]

    def count(self) -> int:
        """How many attempts there are of all rows."""
        return int(self._first(select(func.count()).select_from(ROWS).where(self.mine())))

    def mine(self) -> ColumnElement[bool]:
        """The rows of the batch, or of all."""
        return true() if self.batch is None else ROWS.c.batch == self.batch

    def open_clips(self) -> set[str]:
        """The digests of all clips and images that rows of any batch may still need."""
        jobs = [json.loads(each.job) for each in self._ask(select(ROWS.c.job).where(~ROWS.c.is_over))]
        return {job[name] for job in jobs for name in ("sha256", "image_sha256") if job.get(name)}

    def waited_for(self) -> dict[str, str]:
        """What is waited for right now: words by row's workflow, account or service."""
        closed = self._ask(select(ACCOUNTS.c.name, ACCOUNTS.c.closed).where(ACCOUNTS.c.closed != ""))
        doubtful = (
            select(ROWS.c.id, WORKERS.c.id.label("worker"), WORKERS.c.host)
            .join(WORKERS, WORKERS.c.id == ROWS.c.owner)
            .where(self.mine(), ~ROWS.c.is_over, ROWS.c.is_intended, WORKERS.c.life == DOUBTFUL)
        )
        return {
            **self.notices.all(),
            **{about_account(name): until_resume(why) for name, why in closed},
            **{row: in_doubt(worker, host) for row, worker, host in self._ask(doubtful)},
        }

    def workflows_among(self, names: Collection[str]) -> set[str]:
        """Those of the names that are rows' workflows."""
        return {each.id for each in self._ask(select(ROWS.c.id).where(ROWS.c.id.in_(names)))} if names else set()

    def workflow(self, job: Job) -> str:
        """What the workflow of a row is called: its name in its batch, where the store has one batch alone."""
        return job.id if isinstance(self.place, Folder) else f"{self.batch}:{job.id}"

    def _first(self, question: Any) -> Any:
        """The one value that is asked for; None when there is none."""
        return self.transactions.now(lambda connection: connection.scalar(question))

    def _ask(self, question: Any) -> list[Any]:
        return self.transactions.now(lambda connection: [*connection.execute(question)])


def about_account(name: str) -> str:
    return f"account {name}" if name else "the account"


def in_doubt(worker: str, host: str) -> str:
    """What a row waits for whose worker may still send its create."""
    name = worker[:8]
    return (
        f"its create may still leave worker {name} on {host}, of which nobody can tell whether it lives since the database was "
        f"restarted: start it again, or, if its machine is gone, say `batch worker --gone {name}`"
    )


def until_resume(why: str) -> str:
    """What a closed gate means."""
    return f"no more creates until `batch resume`: {why}"
