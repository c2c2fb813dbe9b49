"""The public class."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._seam import DEFAULT_CREATION, is_async
from ..errors import ParameterError, Problem
from .alone import alone, check_no_loop
from .arguments import Login, absolute, amounts, options
from .changes import Decision, resolved, unfit
from .comparing import Difference, Reading
from .facts import latest
from .places import Folder, Unusable
from .planning import Known, Plan, Terms, beginning, different, going_on, unplanned, unpriced
from .records import Records
from .refusals import BatchError, worded
from .report import page, write
from .sources import GivenJobs, JobsFile, Source, compared
from .telling import BatchProgress, BatchRow, Listener, Stopped, told
from .whereabouts import DATABASE, Whereabouts

if TYPE_CHECKING:
    from ..callbacks import CallbackApp, CallbackWsgiApp
    from .journal import Journal
    from .ledger import Settings
else:
    CallbackApp = CallbackWsgiApp = Any  # for whoever asks for hints at run time


class Batch:
    """Many jobs, durably: a crash, a kill or a power cut loses no paid work, and no row is paid for twice.

    It is what `useapi-runwayml batch` works with, so that a batch that was begun by one can go on by the other, and it keeps the same
    promises (docs/batch.md): what `run` was killed in the midst of, the next `plan` and `run` go on with. An object holds nothing open
    between two calls, and can be made again at any time with the same arguments.

    `run` blocks; there is no awaiting twin, since what keeps the journal (DBOS) is one for each process and blocks as well. Beside an
    event loop, as in a notebook, it is `await asyncio.to_thread(batch.run, plan)`, which `stop` ends. One batch at a time runs in a process.
    """

    def __init__(
        self,
        jobs: str | os.PathLike[str] | Iterable[object] | None = None,
        *,
        project: str | os.PathLike[str] | None = None,
        database: str | None = None,
        name: str | None = None,
        root: str | os.PathLike[str] | None = None,
        output_dir: str | os.PathLike[str] | None = None,
        defaults: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
        credits_per_job: float | None = None,
        max_jobs: int | None = None,
        poll_interval: float | None = None,
        settle: float | None = None,
        delete_assets: bool | None = None,
        token: str | Callable[[], str] | None = None,
        base_url: str | None = None,
    ) -> None:
        """Opens nothing, and sends nothing.

        `jobs` is a jobs file (CSV, JSON Lines or JSON, as for `batch run`), or the rows themselves: mappings, dataclasses or named tuples
        with the same names as the columns, whose paths are relative to `root`, or to the current folder. Without it an existing batch is
        meant, by its `project`, or by its `name` in the `database`.

        The journal lies in `.useapi-runwayml/NAME` beside the jobs file, or in the folder `project`, which rows from Python need; or in a
        `database` (postgresql://USER:PASSWORD@HOST/NAME, else USEAPI_RUNWAYML_DATABASE, extra `postgres`), where other machines work on it
        too: by `name` (that of the jobs file unless given), with files below `root`.

        The rest is what a batch begins with, and keeps: results go to `output_dir` (`results/NAME` beside the jobs file; `results` in the
        project), `defaults` are for rows that do not say otherwise, `endpoint` is the model of rows that name none (that of `batch run`),
        `credits_per_job` the price of a row whose endpoint has no documented one, `max_jobs` the tasks at once for each account (5; 1 to
        1000), `poll_interval` the seconds between two looks at the tasks (chosen by their progress; at least 0.1), `settle` the seconds
        after which a create that the service provably does not know may be sent again (60, at least 1), `delete_assets` whether uploads are deleted once all
        their rows are done. Each may be left out of a batch that has begun, and is a problem of its plan when it says another thing.

        `token` and `base_url` are those of `RunwayClient`, with the same variables. ParameterError for what cannot be meant,
        ModuleNotFoundError when the driver of a database is missing.
        """
        path = absolute(jobs) if isinstance(jobs, (str, os.PathLike)) else None
        database = database or (None if project is not None else os.environ.get(DATABASE) or None)
        self._where = Whereabouts(path, absolute(project), database, name, absolute(root))
        self._service = Login(token, base_url)
        has_database = bool(database)
        del token, database  # whoever sends tracebacks sends what stands in their frames
        given = {
            "max_jobs": max_jobs,
            "poll_interval": poll_interval,
            "settle": settle,
            "credits_per_job": credits_per_job,
        }
        problems = [*amounts(**given), *options(endpoint, defaults)]
        if project is not None and has_database:
            problems.append(Problem("project", str(project), "a batch is kept in a project or in a database"))
        if name is not None and not has_database:
            problems.append(Problem("name", name, "it names a batch in a database, and there is none"))
        if name is not None and "/" in name:
            problems.append(Problem("name", name, "takes no /"))
        if path is None and not (name if has_database else project):
            problems.append(
                Problem("name" if has_database else "project", None, "it is missing: there is no jobs file")
            )
        if problems:
            raise ParameterError(problems)
        try:
            self._where.place()
        except Unusable as error:
            raise ParameterError([Problem("database", None, str(error.strerror))]) from None
        self._source: Source | None = JobsFile(path) if path else None
        if jobs is not None and path is None:
            self._source = GivenJobs(tuple(jobs), Path(root or ".").resolve())  # type: ignore[arg-type]  # no path
        self._settings: dict[str, Any] = {
            "max_jobs": max_jobs,
            "poll_interval": poll_interval,
            "settle": settle,
            "delete_assets": delete_assets,
        }
        self._reading: dict[str, Any] = {
            "output_dir": str(Path(output_dir).resolve()) if output_dir is not None else None,
            "defaults": dict(defaults) if defaults is not None else None,
            "endpoint": endpoint,
            "credits_per_job": credits_per_job,
        }
        self._listeners: set[Listener] = set()

    def __repr__(self) -> str:
        return f"<Batch {self._where.jobs or self._where.name or self._where.project}>"

    @property
    def place(self) -> str:
        """Where its journal is: the folder, or the address of the database without its password."""
        return str(self._where.place())

    def is_begun(self) -> bool:
        """Whether there is a batch already: then a plan goes on with it. BatchError when its journal cannot be read."""
        with worded(), self._where.looked_for() as records:
            return records is not None

    def plan(
        self,
        *,
        retry_failed: bool = False,
        add: bool | None = None,
        adopt: bool = False,
        anew: bool = False,
    ) -> Plan:
        """What a run would do and cost, and all that stands in its way. Nothing is spent, and nothing is written.

        Jobs that no batch has yet are all checked, row by row; then the service is asked (by reads) which of them it has a task of already, of a
        batch whose journal was lost or lies elsewhere: `adopt` begins those with their task, for nothing, `anew` pays for them again, and
        without either they are a problem.

        A batch that has begun goes on: with what is open, held or uncertain, and with results that could not be fetched; or, with
        `retry_failed`, with the rows that failed, which is a new, paid create where no task is left to fetch (what moderation refused is left
        out). When the jobs are not as they were any more, that is a problem until `add` says what to do: True takes what is
        new or changed into the batch, as further rows, False goes on as it began.

        BatchError when jobs, journal or the service's lists cannot be read, or another process runs the batch; ParameterError for a bad
        token, AuthenticationError and its like where the service refuses it.
        """
        if adopt and anew:
            raise ParameterError([Problem("adopt", None, "give adopt or anew, not both")])
        known = Known(lambda: self._client(), adopt, anew)
        root = self._where.files if self._where.database else None
        with worded(), self._where.looked_for() as records:
            if records is not None:
                with self._where.place().alone():  # another process is told of before the price
                    found = going_on(records, self._source, root, known, is_retry=retry_failed, add=add)
                problems = (*self._different(records), *found.problems)
            else:
                found = self._beginning(known)
                problems = found.problems
        return replace(found, problems=problems, _batch=self)

    def check(self) -> Plan:
        """The plan of these jobs as those of a new batch, whether they have begun or not: all that is wrong with them, and their price.

        Nothing is asked of the service, no token is needed, and no journal is read: such a plan cannot be run. BatchError when the jobs
        cannot be read, or when there are none.
        """
        with worded():
            return replace(self._beginning(Known(lambda: self._client(), is_check=True)), _batch=self)

    def _beginning(self, known: Known) -> Plan:
        if self._source is None:
            raise BatchError(f"there is no batch in {self.place}, and no jobs to begin one with")
        root = self._where.files if self._where.database else None
        return beginning(self._source, self._read_as(self._source), root, known)

    def run(
        self,
        plan: Plan,
        *,
        max_credits: float | None = None,
        on_progress: Callable[[BatchProgress], object] | None = None,
        callbacks: CallbackApp | CallbackWsgiApp | None = None,
    ) -> list[BatchRow]:
        """Runs what the plan says until no row is open, and gives what became of each. This spends credits.

        The agreement to that is the plan: it can only come from `plan`, which tells the price, it holds for this batch and once, and a run
        pays for nothing that it does not tell. When more would be paid by now, since another process was at work or because the plan was
        run already, nothing is sent, and BatchError says to plan again. So neither a flag that was left on, nor a loop
        around a call that raises, spends anything that nobody has been told of.

        `max_credits` is a limit for the batch as a whole, what it spent before included, held by the journal: rows beyond it are `held`. A new
        batch keeps it; given for one that has begun it holds for this time. It needs `credits_per_job` for rows without a documented price.

        `on_progress` gets a `BatchProgress` whenever something happens to a row, in this thread, between the steps of rows, which wait meanwhile. What
        it raises ends the run as Ctrl-C does and leaves `run` as it is; so does Ctrl-C itself, and what was paid for goes on by the next plan. A
        process that is killed outright (SIGTERM, SIGKILL) is no worse off. `callbacks` is a receiver, as for
        `AsyncRunwayClient`, that is served at its address meanwhile.

        ParameterError for a plan that has problems. BatchError when nothing could be begun, or the journal can be written no more. How single
        rows end raises nothing: their `state` tells.
        """
        listener = Listener(on_progress)
        with self._heard(listener), self._begun(plan, max_credits, on_progress) as (journal, settings):
            from .. import AsyncRunwayClient
            from .runner import run

            with worded():
                rows = latest(journal.facts())
            listener.begin([each.job.row for each in rows if each.is_over], len(rows))
            ended = None
            with contextlib.suppress(Stopped), worded(maybe_sent=True):
                ended = run(
                    journal,
                    settings,
                    on_event=listener,
                    callbacks=callbacks,
                    go_on=listener.check,
                    client=lambda **more: self._service(AsyncRunwayClient, **more),
                )
            if listener.error is not None:
                raise listener.error
            if ended is None:
                raise BatchError("the run was stopped: what was paid for goes on by the next plan", maybe_sent=True)
            return [told(each) for each in ended]

    def stop(self) -> None:
        """Ends a `run` of this batch that another thread is in, as Ctrl-C does: it raises BatchError within seconds, and what was paid for goes on by the next plan.

        Of use where Ctrl-C does not come to that thread, as beside an event loop. Does nothing when no run goes on.
        """
        for each in tuple(self._listeners):
            each.is_stopped = True

    @contextlib.contextmanager
    def _heard(self, listener: Listener) -> Iterator[None]:
        """While it runs it can be stopped."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def put(self, plan: Plan, *, max_credits: float | None = None) -> int:
        """Puts the rows of a plan into the database, and gives how many attempts are there: `batch worker` runs them, on whichever machine.

        It spends what `run` would, by way of the workers, and asks for the same agreement. ParameterError for a batch in a folder.
        """
        if not self._where.database:
            raise ParameterError([Problem("database", None, "it is missing: workers take rows from a database")])
        with self._begun(plan, max_credits, None) as (journal, settings), worded(maybe_sent=True):
            journal.admit(settings)
            return journal.count()

    def rows(self) -> list[BatchRow]:
        """Each row, as it is by now: read from the journal, also while another process runs it. BatchError when there is no batch."""
        with self._records() as records:
            waits = records.waited_for()
            return [told(each, waits.get(records.workflow(each.job), "")) for each in latest(records.facts())]

    def waits(self) -> dict[str, str]:
        """What is waited for beside rows: words by account, service or database. BatchError when there is no batch."""
        with self._records() as records:
            waits = records.waited_for()
            rows = records.workflows_among(waits.keys())
            return {about: why for about, why in waits.items() if about not in rows}

    def changes(self) -> list[Difference]:
        """What of the jobs is not as it was when the batch began, row by row; nothing of one without jobs. BatchError when there is no batch."""
        with self._records() as records:
            return compared(self._source, records.reading(), lambda: [each.job for each in latest(records.facts())])[0]

    def resolve(self, row: int, decision: Decision, task_id: str | None = None) -> None:
        """What you decide of an uncertain row: that its create did start a task (`adopt`, with its `task_id`), that it did not and is to be
        sent again (`send again`: if it did all the same, it is paid twice), or that it is left (`give up`).

        It is written down, and the next run goes by it; workers of a database do so at once. ParameterError for a row that is not
        uncertain, a decision that is none, and a task that is none or another row's.
        """
        if decision not in ("adopt", "send again", "give up"):
            raise ParameterError([Problem("decision", decision, "it is adopt, send again or give up")])
        if (decision == "adopt") != bool(task_id):
            raise ParameterError([Problem("task_id", task_id, "adopt needs the id of the task, and nothing else does")])
        with worded(), self._where.opened() as journal:
            rows = {each.job.row: each for each in latest(journal.facts())}
            if (known := rows.get(row)) is None:
                raise ParameterError([Problem("row", row, f"there is no row {row}")])
            if task_id and (rule := unfit(task_id, row, rows.values())):
                raise ParameterError([Problem("task_id", task_id, rule)])
            try:
                journal.add([resolved(known, decision, task_id)])
            except ValueError as error:
                raise ParameterError([Problem("row", row, str(error))]) from None

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Writes a page with each clip before and after, and gives its path. An older page is replaced, and no other file.

        BatchError when there is no batch, or no page can be written.
        """
        html = Path(path)
        rows = self.rows()
        with worded():
            write(html, page(rows, html.parent.resolve()))
        return html

    @contextlib.contextmanager
    def _records(self) -> Iterator[Records]:
        with worded(), self._where.looked_for() as records:
            if records is None:
                raise BatchError(f"there is no batch in {self.place}")
            yield records

    @contextlib.contextmanager
    def _begun(self, plan: Plan, max_credits: float | None, on_progress: object) -> Iterator[tuple[Journal, Settings]]:
        """The journal with what the plan puts into it, for this process, and the settings with which it runs."""
        self._check(plan, max_credits, on_progress)
        from .ledger import Settings

        terms = plan._terms
        with alone(), contextlib.ExitStack() as stack:
            with worded():
                journal = stack.enter_context(self._where.opened(new=plan.is_new))
                if plan.is_new:
                    given = {name: value for name, value in self._settings.items() if value is not None}
                    settings = Settings(**{**given, "max_credits": max_credits})
                    journal.add(terms.jobs, settings, terms.reading)
                else:
                    self._add(journal, terms)
                    settings = Settings(**journal.options())
                    settings = settings if max_credits is None else replace(settings, max_credits=max_credits)
            yield journal, settings

    def _check(self, plan: Plan, max_credits: float | None, on_progress: object) -> None:
        """ParameterError for what cannot be run, BatchError where it cannot be run."""
        if not isinstance(plan, Plan) or plan._batch is not self:
            raise ParameterError([Problem("plan", None, "it is not one of this batch: it comes from its plan()")])
        problems = [*amounts(max_credits=max_credits), *plan.problems, *unpriced(plan, max_credits)]
        if plan._terms.is_check:
            problems.append(
                Problem("plan", None, "it comes from check(), which asks nothing of the service: call plan()")
            )
        if on_progress is not None and not callable(on_progress):
            problems.append(Problem("on_progress", type(on_progress).__name__, "it must be a function"))
        elif is_async(on_progress):
            problems.append(Problem("on_progress", None, "it must be awaited, which run cannot: give a plain function"))
        if problems:
            raise ParameterError(problems)
        check_no_loop()

    def _add(self, journal: Journal, terms: Terms) -> None:
        known = latest(journal.facts())
        more = terms.more(known)
        if rows := unplanned(terms, known, more):
            first, *others = rows
            told = f"{len(rows)} rows, of which the first is row {first}" if others else f"row {first}"
            raise BatchError(f"nothing was sent: {told} would be paid for, and the plan does not say so: plan again")
        journal.add(more)

    def _different(self, records: Records) -> list[Problem]:
        """What this object says that its batch did not begin with."""
        reading = records.reading()
        read = {} if reading is None else {**asdict(reading), "credits_per_job": reading.credits_if_unknown}
        return different({**self._settings, **self._reading}, {**records.options(), **read})

    def _read_as(self, source: Source) -> Reading:
        """How the jobs of a new batch are read."""
        where, given = self._where, self._reading
        inside = isinstance(where.place(), Folder) and where.jobs is None
        beside = (where.files if where.jobs is None else where.jobs.parent) / "results"
        output_dir = given["output_dir"] or str((beside if inside else beside / where.batch).resolve())
        endpoint = given["endpoint"] or DEFAULT_CREATION
        return Reading(source.digest(), output_dir, given["defaults"] or {}, endpoint, given["credits_per_job"])

    def _client(self) -> Any:
        from .. import RunwayClient

        return self._service(RunwayClient)
