"""What a run would do and cost, before anything is sent: of jobs that begin a batch, and of a batch that goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._seam import counted, is_asset_id
from ..errors import Problem
from . import clips, identity
from .changes import to_pay, to_resume, to_retry
from .checks import EXISTS, Estimate, Job, estimate
from .clips import Remark
from .comparing import Difference, Reading
from .facts import Facts, latest
from .records import Records
from .sources import Source, compared
from .telling import BatchRow, told

if TYPE_CHECKING:
    from .. import RunwayClient


@dataclass(frozen=True)
class Terms:
    """What a run of a plan may do: the attempts of rows that it may pay for, and the jobs that it puts into the journal."""

    is_retry: bool
    is_check: bool
    paid: frozenset[tuple[int, int]] = frozenset()
    jobs: Sequence[Job] = ()
    reading: Reading | None = None

    def more(self, known: Sequence[Facts]) -> list[Job]:
        """The attempts that a batch which goes on begins, by what is known of it."""
        return [*(to_retry(known) if self.is_retry else to_resume(known)), *self.jobs]


@dataclass(frozen=True, eq=False)
class Plan:
    """What a run would do and cost. It comes from `Batch.plan`, spends nothing, and is the only thing that `Batch.run` agrees to.

    `is_new` says that the batch has not begun yet. `rows` are those that the run would work on, with their states. `problems` are all
    that stand in the way, row by row: while there is one, nothing can be run. `warnings` are what may be a mistake about a clip. `known`
    are rows of which the service has a task already though this journal has not, with its id. `changes` are what of the jobs is not as it
    was when the batch began. As text it is the price in a line.
    """

    is_new: bool
    rows: tuple[BatchRow, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Remark, ...]
    known: Mapping[int, str]
    changes: tuple[Difference, ...]
    _estimate: Estimate = field(repr=False)
    _terms: Terms = field(repr=False)
    _batch: object = field(default=None, repr=False)

    def __str__(self) -> str:
        return str(self._estimate)

    @property
    def jobs(self) -> int:
        """How many creates may be paid for."""
        return self._estimate.jobs

    @property
    def added(self) -> int:
        """How many rows are new to the batch."""
        return len(self._terms.jobs)

    @property
    def seconds(self) -> float | None:
        """Seconds of video that they make; None where that is not known of all."""
        return None if self._estimate.unmeasured else self._estimate.seconds

    @property
    def credits(self) -> float | None:
        """What they cost, as documented, or as `credits_per_job` says; None where that is not known of all."""
        return None if self._estimate.unpriced else self._estimate.credits


@dataclass(frozen=True)
class Known:
    """How it is found out what the service has of rows already, and what is to be done with those."""

    client: Callable[[], RunwayClient]
    adopt: bool = False
    anew: bool = False
    is_check: bool = False

    def of(self, jobs: list[Job]) -> tuple[list[Job], dict[int, str], list[Problem]]:
        """The jobs, as they are to be run, those that the service knows, and what is still to be decided."""
        if self.is_check or not jobs:
            return jobs, {}, []
        found = identity.known_to_service(jobs, self.client)
        known = found.rows
        if self.adopt:
            jobs = identity.adopted(jobs, known)
        elif self.anew:
            jobs = identity.anew(jobs, found)
        elif known:
            has, them = ("has", "it") if len(known) == 1 else ("have", "them")
            rule = (
                f"{len(known)} of {counted(len(jobs), 'row')} {has} a task at the service already: plan(adopt=True) takes {them}, "
                f"plan(anew=True) pays for {them} again"
            )
            return jobs, known, [Problem("jobs", None, rule)]
        return jobs, known, []

    def elsewhere(self, paid: Sequence[Job], facts: Sequence[Facts], records: Records) -> list[Problem]:
        """Rows that this journal has sent nothing of, and of which the service has a task all the same: another journal's of the same jobs.

        What it has sent is read once more after that: a worker may have been at it meanwhile, and writes that down before.
        """
        sent = sent_rows(facts)
        unsent = [job for job in paid if job.row not in sent]
        if self.anew or self.is_check or not unsent:
            return []
        known = identity.known_to_service(unsent, self.client).rows
        sent = sent_rows(records.facts()) if known else sent
        known = {row: task_id for row, task_id in known.items() if row not in sent}
        if not known:
            return []
        first = min(known)
        rule = (
            f"{counted(len(known), 'row')} of this batch, the first is row {first}, {'has' if len(known) == 1 else 'have'} a task at the service "
            f"that this journal knows nothing of ({known[first]}): another journal of the same jobs was run meanwhile. Begin one in "
            "another place, which takes such tasks (adopt); anew pays for them again here"
        )
        return [Problem("jobs", None, rule)]


def beginning(source: Source, reading: Reading, shared_root: Path | None, known: Known) -> Plan:
    """Of jobs that no batch has yet. OSError when they, or their clips, cannot be read."""
    jobs, said = reading.check(source.read(reading.endpoint), source.base)
    remarks, more = clips.look(jobs, source.unit)
    problems = [*map(as_problem, [*said, *more, *outside(jobs, shared_root, source.unit)])]
    found = dict[int, str]()
    # results of a journal that was lost stand in the way of nothing
    if all(each.rule.endswith(EXISTS) for each in problems):
        jobs = jobs if known.is_check else identity.with_keys(jobs)
        jobs, found, undecided = known.of(jobs)
        adopted = {f"{source.unit} {job.line}" for job in jobs if job.task_id is not None}
        problems = [*(each for each in problems if each.field not in adopted), *undecided]
    paid = [job for job in jobs if job.task_id is None]
    terms = Terms(False, known.is_check, _attempts(paid), jobs, reading)
    rows = tuple(told(Facts.of(job)) for job in jobs)
    return Plan(True, rows, (*problems,), (*remarks,), found, (), estimate(paid), terms)


def going_on(
    records: Records, source: Source | None, shared_root: Path | None, known: Known, *, is_retry: bool, add: bool | None
) -> Plan:
    """Of a batch that has begun: what is open, held or failed. OSError when the jobs are to be read, and cannot be."""
    facts, reading = records.facts(), records.reading()
    rows = latest(facts)
    have = [each.job for each in rows]
    differences, new = compared(source, reading, lambda: have)
    problems, jobs, remarks, found = list[Problem](), list[Job](), list[Remark](), dict[int, str]()
    if add and (source is None or reading is None):
        rule = "how the batch read its jobs is not known: begin another batch for new ones"
        problems.append(Problem("jobs", None, rule))
    elif add and source is not None and reading is not None:
        jobs, said = reading.check(replace(source.read(reading.endpoint), rows=new), source.base, have)
        remarks, more = clips.look(jobs, source.unit)
        problems += map(as_problem, [*said, *more, *outside(jobs, shared_root, source.unit)])
        if not problems:
            jobs, found, problems = known.of(identity.with_keys(jobs, {job.key for job in have}))
    elif add is None and differences:
        rule = f"{'; '.join(map(str, differences[:MOST]))}{' …' if len(differences) > MOST else ''}: {DECIDE}"
        problems.append(Problem("jobs", None, rule))
    terms = Terms(is_retry, known.is_check, jobs=jobs)
    again = terms.more(rows)
    paid = to_pay(rows, again)
    if not problems:
        joining = {job.row for job in jobs}
        problems += known.elsewhere([job for job in paid if job.row not in joining], facts, records)
    begun_again = {job.row for job in again}
    left = [each for each in rows if not each.is_over and each.job.row not in begun_again]
    working = sorted([*left, *map(Facts.of, again)], key=lambda each: each.job.row)
    return Plan(
        False,
        tuple(map(told, working)),
        (*problems,),
        (*remarks,),
        found,
        (*differences,),
        estimate(paid),
        replace(terms, paid=_attempts(paid)),
    )


def sent_rows(facts: Sequence[Facts]) -> set[int]:
    """Rows of which a create was intended, or that have a task."""
    return {each.job.row for each in facts if each.sends or each.has_begun}


MOST = 10
DECIDE = "plan(add=True) takes what is new into the batch, plan(add=False) goes on as it began"


def unplanned(terms: Terms, known: Sequence[Facts], more: Sequence[Job]) -> list[int]:
    """Rows that would be paid for now, and of which the plan has not told."""
    return sorted({row for row, attempt in _attempts(to_pay(known, more)) - terms.paid})


def unpriced(plan: Plan, max_credits: float | None) -> list[Problem]:
    """A limit cannot hold for rows whose price nobody knows."""
    rule = "the price of {} is not known, so that max_credits cannot hold: give credits_per_job"
    rows = plan.rows if max_credits is not None else ()
    return [Problem(f"row {row.row}", None, rule.format(row.endpoint)) for row in rows if row.credits is None]


def different(given: Mapping[str, Any], begun: Mapping[str, Any]) -> list[Problem]:
    """What a caller says that the batch did not begin with."""
    return [
        Problem(name, value, f"the batch began {_with(begun[name])}: leave it out, or begin another batch")
        for name, value in given.items()
        if value is not None and name in begun and value != begun[name]
    ]


def _with(value: Any) -> str:
    return "without it" if value is None else f"with {value!r}"


def outside(jobs: Sequence[Job], root: Path | None, unit: str) -> Iterator[str]:
    """Files that other machines could not find, each of which has its own folder for the root; none where there are no others."""
    for job in jobs if root is not None else ():
        for name, file in (("video", job.video), ("image", job.image), ("output", job.output)):
            if file is not None and not is_asset_id(file) and not Path(file).is_relative_to(root or file):
                yield f"{unit} {job.line}: {name} {file} does not lie below the root {root}, where other machines have theirs"


def as_problem(said: str) -> Problem:
    """A problem of a row by its line; any other is one of all jobs."""
    where, _, rule = said.partition(": ")
    is_place = where.partition(" ")[0] in ("line", "job", "row") and where.partition(" ")[2].isdecimal()
    return Problem(where, None, rule) if is_place else Problem("jobs", None, said)


def _attempts(jobs: Sequence[Job]) -> frozenset[tuple[int, int]]:
    return frozenset((job.row, job.attempt) for job in jobs)
