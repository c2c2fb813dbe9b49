"""`useapi-runwayml batch …`: many clips, durably."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from useapi_runwayml_api.creations.registry import CREATIONS

from .._seam import DEFAULT_CREATION
from . import output
from .batch_asking import Yes, ask, defaults_of, either, not_paid_twice, outside, positive, refuse
from .batch_changes import added_rows, tell_changes
from .batch_folder import ANYWHERE, Begun, Jobs, Options, looked_into, opened, refused
from .batch_machines import put
from .batch_machines import worker_command as worker_command
from .batch_resolving import resolve_command as resolve_command
from .batch_view import show_rows, tell, tell_remarks, watching
from .exits import OK, USAGE, Stop, hinting
from .needs import extra, there
from .receiving import NOWHERE, Called, receiving
from .receiving import Options as CallbackOptions

if TYPE_CHECKING:
    from ..batch.checks import Job
    from ..batch.facts import Facts
    from ..batch.journal import Journal


Most = Annotated[int | None, Parameter(help="Another limit than the one that `batch run` was given, for this time.")]


def run_command(
    jobs: Path,
    *,
    defaults: str = "{}",
    output_dir: Path | None = None,
    poll_interval: float | None = None,
    max_jobs: int = 5,
    max_credits: int | None = None,
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
    with extra("batch"):
        from ..batch import checks, clips, identity, results, rows
        from ..batch.comparing import Reading
        from ..batch.ledger import Settings

        there("dbos", "filelock")  # what is missing is told before the price
    positive(max_jobs=max_jobs, poll_interval=poll_interval, settle=settle, max_credits=max_credits)
    positive(credits_per_job=credits_per_job)
    either(adopt=adopt, anew=anew)
    if endpoint not in CREATIONS:
        raise Stop(f"--endpoint: there is no {endpoint!r}: {', '.join(CREATIONS)}", USAGE)
    given = defaults_of(defaults)
    begun = Begun(jobs, where)
    if no_work and not where.database:
        raise Stop("--no-work needs a --database, from which workers take the rows", USAGE)
    if not dry_run:
        with refused(begun) as records:
            if records is not None:
                tell_changes(records, begun)
    results_in = (output_dir or jobs.parent / "results" / jobs.stem).resolve()
    reading = Reading(results.digest_of(jobs), str(results_in), given, endpoint, credits_per_job)
    found, problems = reading.check(rows.read_jobs(jobs, endpoint), jobs.parent.resolve())
    remarks, more = clips.look(found)
    problems += more
    if max_credits is not None:
        unpriced = [
            f"line {job.line}: --max-credits cannot hold: the price of {job.endpoint} is not known; say --credits-per-job"
            for job in found
            if job.credits() is None
        ]
        problems += unpriced
    if where.database:
        problems += outside(found, begun.root)
    if problems:
        return refuse(jobs, problems)
    tell_remarks(remarks)
    if dry_run:
        plan = checks.estimate(found)
        output.say(str(plan))
        output.show(
            {**plan.to_dict(), "warnings": [each._asdict() for each in remarks]},
            lambda: print("Nothing was sent (--dry-run)."),
        )
        return OK
    found = not_paid_twice(identity.with_keys(found), adopt=adopt, anew=anew)
    if paid := [job for job in found if job.task_id is None]:
        ask(paid, yes=yes)
    settings = Settings(max_jobs, max_credits, poll_interval, settle, delete_assets)
    with opened(begun, new=True) as journal:
        journal.add(found, settings, reading)
        if no_work:
            return put(journal, settings, begun)
        return go(journal, begun, called)


def go(journal: Journal, begun: Begun, called: Called, max_credits: int | None = None) -> int:
    """Runs what is open, with the options of the journal, and tells what became of it."""
    from ..batch.ledger import Settings
    from ..batch.runner import run

    settings = Settings(**journal.options())
    settings = settings if max_credits is None else replace(settings, max_credits=max_credits)
    with (
        hinting(lambda error: f"Tasks go on at the service. Resume with: {begun.again('resume')}"),
        watching(journal) as on_event,
        receiving(called, needs_secret=begun.where.needs_secret) as callbacks,
    ):
        ended = run(journal, settings, on_event=on_event, callbacks=callbacks)
    return tell(ended, begun)


def rows_of(begun: Begun) -> list[Facts]:
    """What became of each row by now."""
    with looked_into(begun) as records:
        from ..batch.facts import ENDS, latest

        rows, waited_for = latest(records.facts()), records.waited_for()
        for each in rows:
            told = waited_for.pop(records.workflow(each.job), "")
            each.why = each.why if each.state in ENDS else told
        for about, told in waited_for.items():
            output.remark(f"{about}: {told}")
        tell_changes(records, begun, rows)
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
    from ..batch.changes import to_resume

    positive(max_credits=max_credits)
    either(adopt=adopt, anew=anew)
    begun = Begun(jobs, where)
    with opened(begun) as journal:
        from ..batch.facts import latest

        known = latest(journal.facts())
        added: list[Job] = []
        if add:
            added, problems = added_rows(journal, begun, known)
            if problems:
                return refuse(begun, problems)
            added = not_paid_twice(added, adopt=adopt, anew=anew) if added else added
            output.say(f"{len(added)} rows join the batch")
        else:
            tell_changes(journal, begun, known)
        return _go_on(journal, begun, known, [*to_resume(known), *added], called, max_credits, yes=yes)


def retry_failed_command(
    jobs: Jobs | None = None,
    *,
    max_credits: Most = None,
    where: Options = ANYWHERE,
    called: CallbackOptions = NOWHERE,
    yes: Yes = False,
) -> int:
    """Tries failed rows again. Where no task is left to fetch, this is a new create, which is paid: it asks first."""
    from ..batch.changes import to_retry

    positive(max_credits=max_credits)
    begun = Begun(jobs, where)
    with opened(begun) as journal:
        from ..batch.facts import latest

        known = latest(journal.facts())
        return _go_on(journal, begun, known, to_retry(known), called, max_credits, yes=yes)


def _go_on(
    journal: Journal,
    begun: Begun,
    known: list[Facts],
    more: list[Job],
    called: Called,
    max_credits: int | None,
    *,
    yes: bool,
) -> int:
    from ..batch.changes import to_pay

    if paid := to_pay(known, more):
        ask(paid, yes=yes)
    journal.add(more)
    return go(journal, begun, called, max_credits)


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
    if html is None:
        return show_rows(rows_of(Begun(jobs, where)), ("row", "state", "prompt", "seed", "seconds", "output", "why"))
    from ..batch.report import page

    html.write_text(page(rows_of(Begun(jobs, where)), html.parent.resolve()), encoding="utf-8")
    output.show({"report": str(html)}, lambda: print(f"Report: {html}"))
    return OK
