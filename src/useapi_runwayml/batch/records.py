"""What a journal has of a batch, read from DBOS's tables in single questions, and without DBOS, which takes a second to load."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Select, column, inspect, join, select, table

from .checks import Job
from .comparing import Reading
from .facts import Facts, facts_of
from .notices import Notices
from .store import StoreFailed, open_store
from .unsent import Unsent

ROW, OPTIONS, READING = "row", "options", "reading"
UNDER_WAY = ("PENDING", "ENQUEUED")
FILE = "journal.sqlite"

_STATUS = table("workflow_status", *map(column, ("workflow_uuid", "name", "status")))
_INPUT = table("workflow_input", *map(column, ("workflow_uuid", "inputs")))
_OUTPUT = table("workflow_output", *map(column, ("workflow_uuid", "output")))
_STEPS = table("operation_outputs", *map(column, ("workflow_uuid", "function_id", "function_name", "output")))


class Records:
    """Reads a batch's journal; writes and runs nothing."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.failure: StoreFailed | None = None
        self.engine = open_store(project / FILE, self._fail)
        self.notices = Notices(self.engine)
        self.unsent = Unsent(self.engine)

    def _fail(self, error: StoreFailed) -> None:
        self.failure = error

    def close(self) -> None:
        self.engine.dispose()

    def options(self) -> dict[str, Any]:
        """The options of the batch; empty when there is none. StoreFailed when the file is no journal."""
        return {name: value for name, value in self._options().items() if name != READING}

    def reading(self) -> Reading | None:
        """How the jobs file was read; None of a batch that was begun before that was kept."""
        told = self._options().get(READING)
        return None if told is None else Reading(**told)

    def _options(self) -> Mapping[str, Any]:
        if not inspect(self.engine).has_table(_INPUT.name):
            return {}
        found = self._ask(select(_INPUT.c.inputs).where(_INPUT.c.workflow_uuid == OPTIONS))
        return _argument(found[0].inputs) if found else {}

    def facts(self, *, steps: bool = True) -> list[Facts]:
        """What is known of every attempt of every row."""
        known, taken_back = (self._steps(), self.unsent.all()) if steps else ({}, set[str]())
        tables = join(_STATUS, _INPUT, _STATUS.c.workflow_uuid == _INPUT.c.workflow_uuid)
        tables = tables.outerjoin(_OUTPUT, _STATUS.c.workflow_uuid == _OUTPUT.c.workflow_uuid)
        columns = _STATUS.c.workflow_uuid, _STATUS.c.status, _INPUT.c.inputs, _OUTPUT.c.output
        return [
            facts_of(Job(**_argument(inputs)), status, _read(output), known.get(workflow, {}), taken_back)
            for workflow, status, inputs, output in self._ask(
                select(*columns).select_from(tables).where(_STATUS.c.name == ROW)
            )
        ]

    def is_open(self) -> bool:
        """Whether any row is not over. StoreFailed once nothing can be recorded any more, by whomever."""
        if self.failure is not None:
            raise self.failure
        under_way = _STATUS.c.name == ROW, _STATUS.c.status.in_(UNDER_WAY)
        return bool(self._ask(select(_STATUS.c.status).where(*under_way).limit(1)))

    def _steps(self) -> dict[str, dict[str, Any]]:
        """What the steps of all rows gave, by workflow and name."""
        found: dict[str, dict[str, Any]] = {}
        for workflow, _number, name, output in self._ask(select(_STEPS).order_by(_STEPS.c.function_id)):
            found.setdefault(workflow, {})[name] = _read(output)
        return found

    def _ask(self, question: Select[Any]) -> list[Any]:
        with self.engine.connect() as connection:
            return [*connection.execute(question)]


def _argument(inputs: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(inputs)["args"][0]
    return found


def _read(output: str | None) -> Any:
    return None if output is None else json.loads(output)
