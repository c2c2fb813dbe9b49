"""Rows of workers that are gone, brought back into their queues by DBOS's own calls, until nothing of those workers is pending."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, select

from .journal import Journal
from .presence import estates, inherited
from .tables import OVER, ROWS

AT_ONCE = 200


def take_over(journal: Journal, worker: str) -> int:
    """How many rows of gone workers were brought back. A doubtful worker's rows come back only where no create may have left."""
    found = 0
    for dead, life in map(tuple, journal.transactions.now(lambda connection: estates(connection, worker))):
        pending = journal.client.list_workflows(
            executor_id=dead, status="PENDING", limit=AT_ONCE, load_input=False, load_output=False
        )
        workflows = [each.workflow_id for each in pending]
        by_queue = journal.transactions.now(lambda connection: _queues(connection, workflows, life))  # noqa: B023
        for queue, names in by_queue.items():
            journal.client.resume_workflows(names, queue_name=queue)
            found += len(names)
        if not pending and life == OVER:
            journal.transactions.now(lambda connection: inherited(connection, dead))  # noqa: B023
    return found


def _queues(connection: Connection, workflows: list[str], life: int) -> dict[str, list[str]]:
    columns = ROWS.c.id, ROWS.c.queue, ROWS.c.is_intended
    found = defaultdict[str, list[str]](list)
    for workflow, queue, is_intended in connection.execute(select(*columns).where(ROWS.c.id.in_(workflows))):
        if life == OVER or not is_intended:
            found[queue].append(workflow)
    return found
