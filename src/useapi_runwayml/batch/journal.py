"""The journal: what DBOS keeps of a batch, in SQLite in the project folder."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSClient, Serializer
from sqlalchemy import inspect

from .checks import Job
from .comparing import Reading
from .facts import Facts, facts_of
from .notices import Notices
from .store import StoreFailed, cannot_hold, open_store
from .unsent import Unsent

if TYPE_CHECKING:
    from dbos import DBOSConfig

NAME = "useapi-runwayml-batch"
APPLICATION_VERSION = "1"
EXECUTOR = "local"
ROW, OPTIONS, READING = "row", "options", "reading"
FILE = "journal.sqlite"


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


class Journal:
    """Reads and writes a batch's journal without running anything."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.failure: StoreFailed | None = None
        self.engine = open_store(project / FILE, self._fail)
        self.notices = Notices(self.engine)
        self.unsent = Unsent(self.engine)
        quiet()
        self._client = DBOSClient(system_database_engine=self.engine, serializer=PlainJson(), application_name=NAME)

    def _fail(self, error: StoreFailed) -> None:
        self.failure = error

    def close(self) -> None:
        self._client.destroy()
        self.engine.dispose()

    def prepare(self) -> None:
        """Makes the tables of a new journal; DBOS does so when it is launched. OSError when this database cannot hold one."""
        from sqlalchemy.exc import DBAPIError

        DBOS(config=self.config())
        try:
            DBOS.launch()
        except DBAPIError as error:
            raise OSError(0, cannot_hold(self.engine, error), str(self.project)) from None
        finally:
            DBOS.destroy()

    def config(self) -> DBOSConfig:
        """How DBOS runs on this journal: pinned, quiet, without a server."""
        return {
            "name": NAME,
            "system_database_engine": self.engine,
            "application_version": APPLICATION_VERSION,
            "executor_id": EXECUTOR,
            "log_level": "CRITICAL",
            "enable_otlp": False,
            "max_executor_threads": 4,
            "serializer": PlainJson(),
        }

    def add(
        self, jobs: Iterable[Job], options: Mapping[str, Any] | None = None, reading: Reading | None = None
    ) -> None:
        """Puts jobs into the queues of their accounts, all or none; with the options of a new batch, and how its file was read."""
        with self.engine.begin() as connection:
            for job in jobs:
                self._put(connection, ROW, queue_of(job.email), job.id, job.to_dict(), priority=job.row)
            if options is not None:
                more = {} if reading is None else {READING: reading.to_dict()}
                self._put(connection, OPTIONS, "options", "options", {**options, **more})

    def _put(
        self,
        connection: Any,
        workflow: str,
        queue: str,
        workflow_id: str,
        argument: Mapping[str, Any],
        priority: int = 1,
    ) -> None:
        self._client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": workflow,
                "queue_name": queue,
                "workflow_id": workflow_id,
                "app_version": APPLICATION_VERSION,
                "priority": priority,
            },
            argument,
        )

    def options(self) -> dict[str, Any]:
        """The options of the batch; empty when there is none. StoreFailed when the file is no journal."""
        if not inspect(self.engine).has_table("workflow_status"):
            return {}
        return {name: value for name, value in self._options().items() if name != READING}

    def reading(self) -> Reading | None:
        """How the jobs file was read; None of a batch that was begun before that was kept."""
        told = self._options().get(READING)
        return None if told is None else Reading(**told)

    def _options(self) -> Mapping[str, Any]:
        found = self._client.list_workflows(workflow_ids=["options"])
        return _argument(found[0]) if found else {}

    def facts(self, *, steps: bool = True) -> list[Facts]:
        """What is known of every attempt of every row."""
        known, taken_back = (self._steps(), self.unsent.all()) if steps else ({}, set[str]())
        return [
            facts_of(Job(**_argument(each)), each.status, each.output, known.get(each.workflow_id, {}), taken_back)
            for each in self._client.list_workflows(name=ROW)
        ]

    def is_open(self) -> bool:
        """Whether any row is not over. StoreFailed once nothing can be recorded any more, by whomever."""
        if self.failure is not None:
            raise self.failure
        states = ["PENDING", "ENQUEUED"]
        return bool(self._client.list_workflows(name=ROW, status=states, limit=1, load_input=False, load_output=False))

    def _steps(self) -> dict[str, dict[str, Any]]:
        """What the steps of all rows gave, in one question: DBOS itself answers for one row at a time."""
        from sqlalchemy import column, select, table

        outputs = table("operation_outputs", *map(column, ("workflow_uuid", "function_id", "function_name", "output")))
        found: dict[str, dict[str, Any]] = {}
        with self.engine.connect() as connection:
            for workflow, _, name, output in connection.execute(select(outputs).order_by(outputs.c.function_id)):
                found.setdefault(workflow, {})[name] = None if output is None else json.loads(output)
        return found


def _argument(workflow: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = workflow.input["args"][0]
    return found


def queue_of(email: str | None) -> str:
    return f"account-{email}" if email else "account"


def quiet() -> None:
    """DBOS tells its log nothing that a person here could use; what matters of it becomes a row's state."""
    log = logging.getLogger("dbos")
    if not log.handlers:
        log.addHandler(logging.NullHandler())
    log.propagate = False


@contextlib.contextmanager
def locked(project: Path) -> Iterator[None]:
    """One process at a time runs a batch: DBOS itself would let a second one run the same rows."""
    from filelock import FileLock, Timeout

    lock = FileLock(project / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BlockingIOError(11, "another process runs this batch", str(project)) from None
    try:
        yield
    finally:
        lock.release()
