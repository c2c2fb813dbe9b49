"""Rows that nobody works on, brought back into a queue by DBOS's own calls: those of workers that are gone, and strays of this one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, select

from .journal import Journal, again_queue
from .presence import estates, inherited
from .tables import DOUBTFUL, INHERITED, OVER, ROWS

AT_ONCE = 200


def take_over(journal: Journal, worker: str, *, again: bool = False) -> int:
    """How many rows of gone workers were brought back. A doubtful worker's rows come back only where no create may have left.

    `again` looks at those too of which nothing was left before: what they took in their last moment may have come late.
    """
    lives = (INHERITED,) if again else (DOUBTFUL, OVER)
    found = journal.transactions.now(lambda connection: estates(connection, worker, lives))
    by_life = defaultdict[int, list[str]](list)
    for dead, life in map(tuple, found):
        by_life[life].append(dead)
    brought = 0
    for life, dead in by_life.items():
        pending = pending_of(journal, dead)
        brought += bring_back(journal, pending, are_intended=life != DOUBTFUL)
        if not pending and life == OVER:
            journal.transactions.now(lambda connection: inherited(connection, dead))  # noqa: B023
    return brought


def pending_of(journal: Journal, workers: Sequence[str]) -> list[str]:
    """Workflows that DBOS believes with these workers."""
    found = journal.client.list_workflows(
        executor_id=[*workers], status="PENDING", limit=AT_ONCE, load_input=False, load_output=False
    )
    return [each.workflow_id for each in found]


def bring_back(journal: Journal, workflows: Collection[str], *, are_intended: bool = True) -> int:
    """Into the queue of what goes on at once; those with an open intent only if they are meant too."""
    by_queue = defaultdict[str, list[str]](list)
    for workflow, batch, is_intended in journal.transactions.now(lambda connection: _rows(connection, workflows)):
        if are_intended or not is_intended:
            by_queue[again_queue(batch)].append(workflow)
    for queue, names in by_queue.items():
        journal.client.resume_workflows(names, queue_name=queue)
    return sum(map(len, by_queue.values()))


def _rows(connection: Connection, workflows: Collection[str]) -> list[tuple[str, str, bool]]:
    columns = ROWS.c.id, ROWS.c.batch, ROWS.c.is_intended
    found = connection.execute(select(*columns).where(ROWS.c.id.in_(workflows)))
    return [(workflow, batch, is_intended) for workflow, batch, is_intended in found]
