"""`useapi-runwayml batch …`: many clips, durably."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .._seam import DEFAULT_CREATION, counted
from ..errors import ParameterError, UseapiError
from . import output
from .batch_asking import Yes, ask, decided, either, problems_of, refuse
from .batch_changes import tell_changes
from .batch_folder import ANYWHERE, Begun, Jobs, Options
from .batch_machines import put
from .batch_machines import worker_command as worker_command
from .batch_resolving import resolve_command as resolve_command
from .batch_view import show_rows, tell, tell_price, tell_remarks, watching
from .exits import OK, USAGE, Stop, at_least, hinting, json_object
from .receiving import NOWHERE, Called, receiving
from .receiving import Options as CallbackOptions
from .values import Whole

if TYPE_CHECKING:
    from ..batch import Batch, BatchProgress, BatchRow, Plan
    from ..callbacks import CallbackApp


Most = Annotated[Whole | None, Parameter(help="Another limit than the one that `batch run` was given, for this time.")]


def run_command(
    jobs: Path,
    *,
    defaults: str = "{}",
    output_dir: Path | None = None,
    poll_interval: float | None = None,
    max_jobs: Whole = 5,
    max_credits: Whole | None = None,
    settle: float = 60,
    credits_per_job: float | None = None,
    endpoint: str = DEFAULT_CREATION,
    delete_assets: bool = False,
    where: Options = ANYWHERE,
    called: CallbackOptions = NOWHERE,
    adopt: bool = False,
    anew: bool = False,
    dry_run: bool = False,
    no_work: bool = False,
    yes: Yes = False,
) -> int:
    """Runs all jobs of a file. All rows are checked first; a crash loses nothing, `batch resume` goes on.

    Parameters
    ----------
    jobs
        CSV, JSON Lines or JSON. Columns: video (path relative to the file, or an asset's id), prompt, output (optional), email
        (the account for uploads, optional), endpoint (optional), and any parameter of the endpoint by its Python name.
    defaults
        Parameters for all rows that do not have their own, as a JSON object, or @FILE with one.
    output_dir
        The folder for the results; `results/NAME` beside the file unless given.
    poll_interval
        Seconds between two looks at the tasks; chosen by their progress unless given.
    max_jobs
        Tasks at once for each account; a 429 lowers it.
    max_credits
        No more credits than these, those spent before among them.
    credits_per_job
        What a row costs whose endpoint has no documented price; --max-credits needs it for such rows.
    settle
        Seconds after which a create that nobody knows of may be sent again, if the lists prove that it does not exist.
    endpoint
        The model for rows that name none, as the client calls it.
    delete_assets
        Delete each upload once all its rows are done.
    adopt
        Rows of which the service has a task already, of a batch whose journal was lost or lies elsewhere, begin with it.
    anew
        Such rows are paid again.
    dry_run
        Only check, and tell what it would cost.
    no_work
        Only put the batch into the database: workers run it.
    """
    at_least(0, max_credits=max_credits)
    either(adopt=adopt, anew=anew)
    begun = Begun(jobs, where)
    if no_work and not where.database:
        raise Stop("--no-work needs a --database, from which workers take the rows", USAGE)
    batch = begun.batch(
        output_dir=output_dir,
        defaults=json_object("--defaults", defaults),
        endpoint=endpoint,
        credits_per_job=credits_per_job,
        max_jobs=max_jobs,
        poll_interval=poll_interval,
        settle=settle,
        delete_assets=delete_assets,
    )
    if not dry_run and batch.is_begun():
        tell_changes(batch, begun)
        raise Stop(f"{batch.place} has a batch already: go on with {begun.again('resume')}", USAGE)
    plan = batch.check() if dry_run else batch.plan(adopt=adopt, anew=anew)
    decided(plan, adopt=adopt, anew=anew)
    if problems := problems_of(plan, max_credits):
        return refuse(jobs, problems)
    tell_remarks(plan.warnings)
    if dry_run:
        return tell_price(plan)
    return _go_on(batch, plan, begun, called, max_credits, yes=yes, no_work=no_work)


def go(batch: Batch, plan: Plan, begun: Begun, callbacks: CallbackApp | None, max_credits: int | None = None) -> int:
    """Runs what was planned, and tells what became of it."""
    has_begun = False

    def hint(error: BaseException) -> str:
        is_refused = isinstance(error, ParameterError) or not getattr(error, "maybe_sent", True)
        if is_refused:
            return ""
        if not has_begun and not getattr(error, "maybe_sent", False) and _is_not_there(batch):
            return "Nothing was sent, and nothing is paid for: run it again."
        return f"Tasks that were started go on at the service. Resume with: {begun.again('resume')}"

    with hinting(hint), watching() as on_progress:

        def seen(now: BatchProgress) -> None:
            nonlocal has_begun
            has_begun = True
            on_progress(now)

        ended = batch.run(plan, max_credits=max_credits, on_progress=seen, callbacks=callbacks)
    return tell(ended, begun)


def _is_not_there(batch: Batch) -> bool:
    """Whether it is known that nothing of the batch was written down; not where that cannot be read."""
    try:
        return not batch.is_begun()
    except (UseapiError, OSError):
        return False


def rows_of(begun: Begun) -> list[BatchRow]:
    """What became of each row by now."""
    batch = begun.begun()
    rows = batch.rows()
    for about, told in batch.waits().items():
        output.remark(f"{about}: {told}")
    tell_changes(batch, begun)
    return rows


def resume_command(
    jobs: Jobs | None = None,
    *,
    add: bool = False,
    adopt: bool = False,
    anew: bool = False,
    max_credits: Most = None,
    where: Options = ANYWHERE,
    called: CallbackOptions = NOWHERE,
    yes: Yes = False,
) -> int:
    """Goes on where a batch was interrupted or held, and fetches what could not be fetched. Finished work is not repeated.

    Rows that have no task yet are paid: it asks for them as `batch run` does.

    Parameters
    ----------
    add
        Rows of the jobs file that are new or changed since the batch began join it, as new rows.
    adopt
        Such rows of which the service has a task already begin with it.
    anew
        Such rows are paid again.
    """
    at_least(0, max_credits=max_credits)
    either(adopt=adopt, anew=anew)
    begun = Begun(jobs, where)
    batch = begun.begun()
    tell_changes(batch, begun, add=add)
    plan = batch.plan(add=add, adopt=adopt, anew=anew)
    decided(plan, adopt=adopt, anew=anew)
    if problems := problems_of(plan):
        return refuse(begun, problems)
    tell_remarks(plan.warnings)
    if add:
        output.say(f"{counted(plan.added, 'row')} join{'s' if plan.added == 1 else ''} the batch")
    return _go_on(batch, plan, begun, called, max_credits, yes=yes)


def retry_failed_command(
    jobs: Jobs | None = None,
    *,
    max_credits: Most = None,
    where: Options = ANYWHERE,
    called: CallbackOptions = NOWHERE,
    yes: Yes = False,
) -> int:
    """Tries failed rows again. Where no task is left to fetch, this is a new create, which is paid: it asks first."""
    at_least(0, max_credits=max_credits)
    begun = Begun(jobs, where)
    batch = begun.begun()
    plan = batch.plan(retry_failed=True, add=False)
    if problems := problems_of(plan):
        return refuse(begun, problems)
    return _go_on(batch, plan, begun, called, max_credits, yes=yes)


def _go_on(
    batch: Batch, plan: Plan, begun: Begun, called: Called, max_credits: int | None, *, yes: bool, no_work: bool = False
) -> int:
    called = NOWHERE if no_work else called  # a worker's are its own
    # what a receiver lacks is told before the price
    with receiving(called, needs_secret=begun.where.needs_secret) as callbacks:
        if plan.jobs:
            ask(str(plan), plan.credits, yes=yes)
        return put(batch, plan, begun, max_credits) if no_work else go(batch, plan, begun, callbacks, max_credits)


def status_command(jobs: Jobs | None = None, *, where: Options = ANYWHERE) -> int:
    """Shows where each row is. Runs nothing."""
    return show_rows(rows_of(Begun(jobs, where)), ("row", "line", "state", "task", "why"))


def report_command(jobs: Jobs | None = None, *, html: Path | None = None, where: Options = ANYWHERE) -> int:
    """A table of all rows, or a page with each clip before and after.

    Parameters
    ----------
    html
        The file for the page.
    """
    begun = Begun(jobs, where)
    rows = rows_of(begun)
    if html is None:
        return show_rows(rows, ("row", "state", "prompt", "seed", "seconds", "output", "why"))
    begun.batch().report(html)
    output.show({"report": str(html)}, lambda: output.put(f"Report: {html}"))
    return OK
