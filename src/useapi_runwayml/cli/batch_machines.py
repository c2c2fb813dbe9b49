"""`useapi-runwayml batch worker`, and what else a batch on several machines needs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from .._seam import counted
from . import output
from .batch_folder import ANYWHERE, Begun, Options, database_of
from .batch_view import watching
from .exits import OK, USAGE, Stop
from .receiving import NOWHERE, receiving
from .receiving import Options as CallbackOptions

if TYPE_CHECKING:
    from ..batch import Batch, Plan
    from ..batch.journal import Journal


def put(batch: Batch, plan: Plan, begun: Begun, max_credits: int | None) -> int:
    """The batch is in the database, and its rows are for whoever works there."""
    count, worker = batch.put(plan, max_credits=max_credits), begun.worker()
    output.show(
        {"batch": begun.name, "rows": count, "next": [worker]},
        lambda: output.put(f"{begun.name}: {counted(count, 'row')} in the database. On each machine: {worker}"),
    )
    return OK


def worker_command(
    *,
    where: Options = ANYWHERE,
    called: CallbackOptions = NOWHERE,
    until_done: bool = False,
    gone: str | None = None,
) -> int:
    """Works on the batches of a database, on all or on the one with --name, beside any number of others on other machines.

    Parameters
    ----------
    until_done
        End when no row is open any more; it waits for more unless given.
    gone
        Only say that a worker in doubt, as `batch status` names it, is gone for good: the others take its rows over.
    """
    if not where.database:
        raise Stop("which database? Give its --database, or USEAPI_RUNWAYML_DATABASE", USAGE)
    place = database_of(where.database, where.name)
    from ..batch.journal import Journal
    from ..batch.refusals import reached

    place.is_there()
    with reached(maybe_sent=True), contextlib.closing(Journal(place, (where.root or Path.cwd()).resolve())) as journal:
        if not journal.has_tables():
            raise Stop(f"there is no batch in {place}: put one there with `batch run JOBS --database …`", USAGE)
        if where.name and not journal.options():
            raise Stop(f"there is no batch {where.name} in {place}", USAGE)
        if not journal.root.is_dir():
            raise Stop(f"--root {journal.root}: it is no folder", USAGE)
        if gone is not None:
            return _give_up(journal, gone)
        from ..batch.runner import work
        from ..batch.telling import Listener, Stopped

        with watching() as on_progress, receiving(called, needs_secret=where.needs_secret) as callbacks:
            listener = Listener(on_progress)
            listener.begin((), journal.count())
            with contextlib.suppress(Stopped):
                work(journal, until_done=until_done, on_event=listener, callbacks=callbacks, go_on=listener.check)
            if listener.error is not None:
                raise listener.error
    return OK


def _give_up(journal: Journal, worker: str) -> int:
    from ..batch.presence import give_up

    if not worker or not journal.transactions.now(lambda connection: give_up(connection, worker)):
        raise Stop(f"--gone: no worker {worker!r} is in doubt", USAGE)
    output.show({"gone": worker}, lambda: output.put(f"worker {worker} is gone: the others take its rows over"))
    return OK
