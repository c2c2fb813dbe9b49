"""The journal of batches: their rows, and DBOS, which has a workflow for each and gives it to one worker."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSClient, Serializer
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from . import limits
from .checks import Job
from .comparing import Reading
from .facts import Facts
from .ledger import Settings
from .places import FILE as FILE
from .places import Place
from .records import Records
from .tables import BATCHES, ROWS
from .transactions import is_outage

if TYPE_CHECKING:
    from dbos import DBOSConfig

NAME = "useapi-runwayml-batch"
ROW = "row"
APPLICATION_VERSION = "2"
POLL_SECONDS = 0.75
END_SECONDS = 0.05
"""How often a thread of DBOS wakes that has nothing to do here: the end of a process, and the making of tables, waits for it."""
AGAIN_SECONDS = 1.0
"""Rows come back seldom, and only once their worker is gone, which takes longer to tell."""
AHEAD = 6
NOBODY = "nobody"
MEANWHILE = "another command has added the same rows meanwhile: look at them with `batch status`"


class PlainJson(Serializer):
    """JSON alone: a journal from elsewhere can run no code. Errors are kept as text."""

    def name(self) -> str:
        return "useapi_runwayml_json"

    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            data = {"error": f"{type(data).__name__}: {data}"}
        return json.dumps(data)

    def deserialize(cls, serialized_data: str) -> Any:  # as the base class has it
        return json.loads(serialized_data)


class Journal(Records):
    """Reads and writes batches; what runs them is in `runner`."""

    def __init__(self, place: Place | Path, root: Path | None = None) -> None:
        super().__init__(place, root)
        quiet()
        self.client = DBOSClient(
            system_database_engine=self.engine,
            serializer=PlainJson(),
            application_name=NAME,
            retry_connection_errors=False,  # what is asked here can be asked again, and a person may want to go
        )

    def close(self) -> None:
        self.client.destroy()
        super().close()

    def prepare(self) -> None:
        """Makes the tables, where there are none; DBOS does so when it is launched. OSError when this database cannot hold them."""
        DBOS(config=self.config(NOBODY))
        try:
            DBOS.launch()
            self.transactions.now(self.place.make_tables)
        except DBAPIError as error:
            if is_outage(error):
                raise
            raise OSError(0, self.place.cannot_hold(error), str(self.place)) from None
        finally:
            DBOS.destroy()

    def config(self, worker: str) -> DBOSConfig:
        """How DBOS runs on this journal: pinned, quiet, without a server. No two processes are ever the same executor."""
        return {
            "name": NAME,
            "system_database_engine": self.engine,
            "application_version": APPLICATION_VERSION,
            "executor_id": worker,
            "log_level": "CRITICAL",
            "enable_otlp": False,
            "max_executor_threads": 16,
            "serializer": PlainJson(),
            "notification_coalesce_sec": POLL_SECONDS,  # there are none of ours: else it looks a hundred times a second
            "notification_listener_polling_interval_sec": END_SECONDS,
        }

    def begin(self, settings: Settings) -> None:
        """Makes the batch, without rows, if there is none of its name yet."""
        self.transactions.now(lambda connection: self._begin(connection, settings, None))

    def _begin(self, connection: Connection, settings: Settings, reading: Reading | None) -> None:
        if connection.scalar(select(BATCHES.c.name).where(BATCHES.c.name == self.batch)) is None:
            told = None if reading is None else json.dumps(reading.to_dict())
            options = json.dumps(asdict(settings))
            connection.execute(insert(BATCHES).values(name=self.batch, options=options, reading=told))

    def allow(self, max_credits: float | None) -> None:
        """No more credits than these, from now on."""
        limit = update(BATCHES).where(BATCHES.c.name == self.batch).values(max_credits=max_credits)
        self.transactions.now(lambda connection: connection.execute(limit))

    def add(self, jobs: Iterable[Job], settings: Settings | None = None, reading: Reading | None = None) -> None:
        """Puts jobs into the queues of their accounts, all or none; with the settings of a new batch, and how its file was read.

        A further attempt of a row takes over what its earlier one has reserved for the same task.
        """
        jobs = list(jobs)

        def work(connection: Connection) -> None:
            if settings is not None:
                self._begin(connection, settings, reading)
            rows = [self._row(connection, job) for job in jobs]
            if rows:
                connection.execute(insert(ROWS), rows)
            for job, row in zip(jobs, rows, strict=True):
                if not row["is_over"]:
                    self._enqueue(connection, job, row["id"], row["queue"])

        try:
            self.transactions.now(work)
        except IntegrityError:
            raise BlockingIOError(11, MEANWHILE, str(self.place)) from None

    def _row(self, connection: Connection, job: Job) -> dict[str, Any]:
        """A row as it is kept when it begins."""
        facts = Facts.of(job)
        return {
            "id": self.workflow(job),
            "batch": self.batch,
            "row": job.row,
            "attempt": job.attempt,
            "queue": self.queue_of(job.email),
            "state": facts.state,
            "is_over": facts.is_over,
            "is_intended": facts.intent is not None,
            "credits": self._credits(connection, job) if facts.has_begun else 0.0,
            "job": job.write(self.root),
            "facts": facts.kept(),
        }

    def _enqueue(self, connection: Connection, job: Job, workflow: str, queue: str) -> None:
        self.client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": ROW,
                "queue_name": queue,
                "workflow_id": workflow,
                "app_version": APPLICATION_VERSION,
                "priority": job.row,
            },
            {"id": workflow, "row": job.row, "account": job.email or ""},
        )

    def _credits(self, connection: Connection, job: Job) -> float:
        """What is reserved for the task, or the intent, that the attempt begins with: what its earlier one had, or the price of one that is adopted."""
        earlier = (ROWS.c.batch == self.batch) & (ROWS.c.row == job.row) & (ROWS.c.credits > 0)
        newest = select(ROWS.c.id, ROWS.c.credits).where(earlier).order_by(ROWS.c.attempt.desc())
        kept = connection.execute(newest).first()
        if kept is not None:
            connection.execute(update(ROWS).where(ROWS.c.id == kept.id).values(credits=0.0))
            return float(kept.credits)
        if job.decision != "adopt":
            return 0.0
        cost = job.credits() or 0.0
        connection.execute(update(BATCHES).where(BATCHES.c.name == self.batch).values(spent=BATCHES.c.spent + cost))
        return cost

    def open_queues(self, names: Iterable[str], max_jobs: int) -> None:
        """Somewhat longer than an account's slots, so that uploads go ahead of them."""
        for name in names:
            self.client.register_queue(
                name,
                worker_concurrency=max_jobs + AHEAD,
                polling_interval_sec=POLL_SECONDS,
                on_conflict="always_update",
            )

    def queues(self) -> list[str]:
        """Those that the batch has."""
        return [each.name for each in self.client.list_queues() if each.name.startswith(f"{self.batch}/")]

    def admit(self, settings: Settings) -> list[str]:
        """All of the batch may run now: its limit, its accounts' gates and its queues, whose names are given."""
        self.begin(settings)
        self.allow(settings.max_credits)
        self.reopen()
        names = [each.queue for each in self._ask(select(ROWS.c.queue).where(self.mine()).distinct())]
        self.open_queues(names, settings.max_jobs)
        again = again_queue(str(self.batch))
        self.client.register_queue(again, polling_interval_sec=AGAIN_SECONDS, on_conflict="always_update")
        return [*names, again]

    def queue_of(self, email: str | None, batch: str | None = None) -> str:
        """One for each account of each batch."""
        return f"{batch or self.batch}/{email or ''}"

    def reopen(self) -> None:
        """A person asked to go on: the gates of all accounts are open again."""
        self.transactions.now(limits.reopen)

    def has_open(self, connection: Connection) -> bool:
        """Whether any row is not over."""
        return connection.scalar(select(ROWS.c.id).where(self.mine(), ~ROWS.c.is_over).limit(1)) is not None


def again_queue(batch: str) -> str:
    """For rows that were begun, and have no worker: they go on at once, since those that wait may wait for their very slots."""
    return f"{batch}/~"


def quiet() -> None:
    """DBOS tells its log nothing that a person here could use; what matters of it becomes a row's state."""
    log = logging.getLogger("dbos")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    log.propagate = False
