"""The journal: what DBOS keeps of a batch, in SQLite in the project folder."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSClient, Serializer

from .checks import Job
from .comparing import Reading
from .records import FILE as FILE
from .records import OPTIONS, READING, ROW, Records
from .store import cannot_hold

if TYPE_CHECKING:
    from dbos import DBOSConfig

NAME = "useapi-runwayml-batch"
APPLICATION_VERSION = "1"
EXECUTOR = "local"


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
    """Reads and writes a batch's journal without running anything."""

    def __init__(self, project: Path) -> None:
        super().__init__(project)
        quiet()
        self._client = DBOSClient(system_database_engine=self.engine, serializer=PlainJson(), application_name=NAME)

    def close(self) -> None:
        self._client.destroy()
        super().close()

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
            "max_executor_threads": 16,
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
                self._put(connection, OPTIONS, "options", OPTIONS, {**options, **more})

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
