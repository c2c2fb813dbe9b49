"""What a plan says, by plain values: which rows would be paid for, what stands in the way, and what the service has already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from useapi_runwayml.batch import planning
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.comparing import Reading
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.identity import reference_of, with_keys
from useapi_runwayml.batch.planning import Known, Plan, Terms, beginning, going_on, unplanned, unpriced
from useapi_runwayml.batch.sources import GivenJobs

from .conftest import MP4

PROMPTS = ("one", "two", "three")


class Service:
    """Has a task of each of these jobs; counts how often it is asked."""

    def __init__(self, jobs: Sequence[Job] = ()) -> None:
        self.listed = [
            SimpleNamespace(task_id=f"t{job.row}", reply_ref=reference_of(job, 1), status="SUCCEEDED") for job in jobs
        ]
        self.asked = 0
        self.tasks = SimpleNamespace(list=self.list)
        self.scheduler = SimpleNamespace(list=list)

    def list(self, email: str | None) -> list[Any]:
        self.asked += 1
        return self.listed

    def __call__(self) -> Any:
        return self

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Kept:
    """What a journal knows of a batch."""

    def __init__(self, facts: Sequence[Facts], reading: Reading | None = None) -> None:
        self.known, self.read = [[*facts]], reading

    def facts(self) -> list[Facts]:
        return self.known.pop(0) if len(self.known) > 1 else self.known[0]

    def reading(self) -> Reading | None:
        return self.read


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    (tmp_path / "c.mp4").write_bytes(MP4)
    return Reading("", str(tmp_path / "results"))


def source(folder: Path, prompts: Sequence[str] = PROMPTS) -> GivenJobs:
    return GivenJobs([{"video": "c.mp4", "prompt": each, "seconds": 5} for each in prompts], folder)


def jobs_of(folder: Path, reading: Reading, prompts: Sequence[str] = PROMPTS) -> list[Job]:
    """As a batch of these has them."""
    jobs, problems = reading.check(source(folder, prompts).read(reading.endpoint), folder)
    assert not problems
    return with_keys(jobs)


def rules(plan: Plan) -> list[str]:
    return [each.rule for each in plan.problems]


def rows(plan: Plan) -> list[tuple[int, str]]:
    return [(each.row, each.state) for each in plan.rows]


# -- of a new batch ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("there", "has", "them"), [([1], "1 of 3 rows has", "it"), ([0, 2], "2 of 3 rows have", "them")]
)
def test_what_the_service_has_is_a_problem_until_it_is_decided(
    tmp_path: Path, reading: Reading, there: list[int], has: str, them: str
) -> None:
    """Taken it costs nothing, and its result that is there already stands in no way; anew it is paid like the others, under another name."""
    jobs = jobs_of(tmp_path, reading)
    known = [jobs[number] for number in there]
    service = Service(known)
    plan = beginning(source(tmp_path), reading, None, Known(service))
    assert rules(plan) == [
        f"{has} a task at the service already: plan(adopt=True) takes {them}, plan(anew=True) pays for {them} again"
    ]
    assert (plan.is_new, plan.known) == (True, {job.row: f"t{job.row}" for job in known})
    anew = beginning(source(tmp_path), reading, None, Known(service, anew=True))
    assert (anew.problems, anew.jobs) == ((), 3)
    others = [job for job in jobs if job not in known]
    same = {job.key for job in jobs} & {job.key for job in anew._terms.jobs}
    assert same == {job.key for job in others}
    for job in jobs:
        Path(job.output).parent.mkdir(exist_ok=True)
        Path(job.output).touch()
    adopting = beginning(source(tmp_path), reading, None, Known(service, adopt=True))
    assert [each.field for each in adopting.problems] == [f"job {job.row}" for job in others]
    assert (adopting.jobs, adopting.credits) == (len(others), 25 * len(others))
    assert [row.task_id for row in adopting.rows] == [f"t{job.row}" if job in known else None for job in jobs]


def test_a_check_reads_no_clip_for_its_digest_and_asks_nothing(tmp_path: Path, reading: Reading) -> None:
    """Only a batch that may be run has keys, by which the service is asked for its rows; without rows it is not asked either."""
    service = Service(jobs_of(tmp_path, reading))
    plan = beginning(source(tmp_path), reading, None, Known(service, is_check=True))
    assert (plan.problems, plan.known, plan.jobs, service.asked) == ((), {}, 3, 0)
    assert {job.key for job in plan._terms.jobs} == {""}
    assert Known(service).of([]) == ([], {}, [])
    assert service.asked == 0


def test_a_plan_shows_nothing_of_its_inside(tmp_path: Path, reading: Reading) -> None:
    """Neither what it holds for the run, nor whose it is; two are never the same, and each may be a key."""
    plan, other = (beginning(source(tmp_path), reading, None, Known(Service())) for _ in range(2))
    assert " _" not in repr(plan)
    assert len({plan, other}) == 2


# -- of a batch that goes on -------------------------------------------------------------------------------------------
def test_what_goes_on_is_what_is_open_and_what_begins_again(tmp_path: Path, reading: Reading) -> None:
    """A row that is over is none of them, one that begins again stands there once, as it begins."""
    jobs = jobs_of(tmp_path, reading, ["one", "two", "three", "four"])
    states = [("held", ""), ("done", "t2"), ("waiting", "t3"), ("failed", "t4")]
    facts = [Facts(job, state, task_id=task or None, sends=1) for job, (state, task) in zip(jobs, states, strict=True)]
    known = Known(Service())
    plan = going_on(Kept(facts), None, None, known, is_retry=False, add=None)  # type: ignore[arg-type]
    assert (plan.is_new, rows(plan), plan.jobs, plan.added) == (False, [(1, "queued"), (3, "waiting")], 1, 0)
    again = going_on(Kept(facts), None, None, known, is_retry=True, add=None)  # type: ignore[arg-type]
    assert (rows(again), again.jobs) == ([(3, "waiting"), (4, "queued")], 1)
    assert unplanned(plan._terms, facts, plan._terms.more(facts)) == []
    assert unplanned(plan._terms, facts, again._terms.more(facts)) == [4]


def more_or_less(count: int) -> list[str]:
    return [f"job {number}: added" for number in range(4, 4 + count)]


@pytest.mark.parametrize(
    ("add", "joins", "added"),
    [(None, 0, 0), (False, 0, 0), (True, 0, 0), (None, 10, 0), (None, 11, 0), (False, 2, 0), (True, 2, 2)],
)
def test_jobs_that_changed_are_decided_first(
    tmp_path: Path, reading: Reading, add: bool | None, joins: int, added: int
) -> None:
    """Ten differences are named at the most; with `add` what is new joins, and is paid, without it the batch goes on as it began."""
    facts = [Facts(job, "done", task_id="t") for job in jobs_of(tmp_path, reading)]
    given = source(tmp_path, [*PROMPTS, *(f"more {number}" for number in range(joins))])
    plan = going_on(Kept(facts, reading), given, None, Known(Service()), is_retry=False, add=add)  # type: ignore[arg-type]
    differences = more_or_less(joins)
    told = f"{'; '.join(differences[:10])}{' …' if joins > 10 else ''}: {planning.DECIDE}"
    assert rules(plan) == ([told] if add is None and joins else [])
    assert [*map(str, plan.changes)] == differences
    assert (plan.added, plan.jobs, len(plan.rows)) == (added, added, added)
    assert unplanned(plan._terms, facts, plan._terms.more(facts)) == []


@pytest.mark.parametrize("lacks", ["source", "reading"])
def test_nothing_joins_a_batch_of_which_the_jobs_are_not_known(tmp_path: Path, reading: Reading, lacks: str) -> None:
    """Neither without jobs, nor where it is not known how it read them; without `add` it goes on all the same."""
    facts = [Facts(job, "held") for job in jobs_of(tmp_path, reading)]
    given = None if lacks == "source" else source(tmp_path)
    kept: Any = Kept(facts, None if lacks == "reading" else reading)
    plan = going_on(kept, given, None, Known(Service()), is_retry=False, add=True)
    assert rules(plan) == ["how the batch read its jobs is not known: begin another batch for new ones"]
    for add in (None, False):
        plan = going_on(kept, given, None, Known(Service()), is_retry=False, add=add)
        assert (plan.problems, plan.jobs) == ((), 3)


def test_what_joins_is_checked_and_looked_for_as_at_the_beginning(tmp_path: Path, reading: Reading) -> None:
    """A bad row is told by its number, and nothing joins; a row that the service has is a problem until it is adopted."""
    facts = [Facts(job, "done", task_id="t") for job in jobs_of(tmp_path, reading)]
    kept: Any = Kept(facts, reading)
    bad = GivenJobs([*source(tmp_path).given, {"video": "c.mp4", "prompt": "four", "seconds": 7}], tmp_path)
    plan = going_on(kept, bad, None, Known(service := Service()), is_retry=False, add=True)
    assert [each.field for each in plan.problems] == ["job 4"]
    assert service.asked == 0
    given = source(tmp_path, [*PROMPTS, "four"])
    (fourth,) = jobs_of(tmp_path, reading, ["four"])
    has = Service([replace(fourth, row=4)])
    plan = going_on(kept, given, None, Known(has), is_retry=False, add=True)
    assert (plan.known, len(plan.problems)) == ({4: "t4"}, 1)
    adopting = going_on(kept, given, None, Known(has, adopt=True), is_retry=False, add=True)
    assert (adopting.problems, adopting.jobs, adopting.added) == ((), 0, 1)


@pytest.mark.parametrize(("there", "have"), [([1], "1 row"), ([1, 2], "2 rows")])
def test_what_another_journal_was_paid_for_is_not_paid_again(
    tmp_path: Path, reading: Reading, there: list[int], have: str
) -> None:
    """Of rows that this journal has sent nothing of; whoever says so pays for them again."""
    jobs = jobs_of(tmp_path, reading)
    facts = [Facts(job, "held") for job in jobs]
    service = Service([jobs[number] for number in there])
    kept: Any = Kept(facts)

    def plan(facts: Kept = kept, **how: bool) -> Plan:
        return going_on(facts, None, None, Known(service, **how), is_retry=False, add=None)  # type: ignore[arg-type]

    (problem,) = plan().problems
    verb = "has" if len(there) == 1 else "have"
    assert problem.rule.startswith(f"{have} of this batch, the first is row 2, {verb} a task at the service that ")
    assert "(t2): another journal of the same jobs" in problem.rule
    assert plan(anew=True).problems == plan(is_check=True).problems == ()
    assert service.asked == 1
    assert plan(Kept([Facts(job, "done", task_id="t") for job in jobs])).problems == ()
    assert service.asked == 1, "there is nothing to be paid"


@pytest.mark.parametrize(
    "sent", [{"sends": 1}, {"task_id": "t"}, {"intent": {"reply_ref": "r"}}, {"sends": 2, "task_id": "t"}]
)
def test_what_this_journal_has_sent_is_its_own(tmp_path: Path, reading: Reading, sent: dict[str, Any]) -> None:
    """Also what a worker has sent between the two looks at the journal."""
    jobs = jobs_of(tmp_path, reading, ["one"])
    mine, service = [Facts(jobs[0], "submitting", **sent)], Service(jobs)
    assert planning.sent_rows(mine) == {1}
    meanwhile = Kept([Facts(jobs[0], "queued")])
    meanwhile.known.append(mine)
    plan = going_on(meanwhile, None, None, Known(service), is_retry=False, add=None)  # type: ignore[arg-type]
    assert (plan.problems, service.asked) == ((), 1)
    assert planning.sent_rows([Facts(jobs[0], "queued")]) == set()


# -- what else stands in the way ---------------------------------------------------------------------------------------
def test_a_limit_needs_the_price_of_each_row(tmp_path: Path, reading: Reading) -> None:
    """Without a limit nobody needs to know it."""
    priced = beginning(source(tmp_path), reading, None, Known(Service()))
    given = GivenJobs([*source(tmp_path).given, {"video": "c.mp4", "prompt": "x", "endpoint": "aleph"}], tmp_path)
    plan = beginning(given, reading, None, Known(Service()))
    told = [(each.field, each.rule.partition(" is not known")[0]) for each in unpriced(plan, 25)]
    assert told == [("row 4", "the price of aleph")]
    assert unpriced(plan, None) == unpriced(priced, 25) == []
    assert (plan.credits, priced.credits, priced.seconds) == (None, 75, 15)


def test_files_of_other_machines_lie_below_the_root(tmp_path: Path, reading: Reading) -> None:
    """Those of rows that begin and of rows that join; where there are no other machines any place will do."""
    root = tmp_path / "root"
    known = Known(Service())
    assert beginning(source(tmp_path), reading, None, known).problems == ()
    problems = beginning(source(tmp_path), reading, root, known).problems
    assert {each.field for each in problems} == {"job 1", "job 2", "job 3"}
    assert [each.rule.partition(" ")[0] for each in problems] == ["video", "output"] * 3
    assert f"c.mp4 does not lie below the root {root}" in problems[0].rule
    assert beginning(source(tmp_path), reading, tmp_path, known).problems == ()
    kept: Any = Kept([], reading)
    assert len(going_on(kept, source(tmp_path), root, known, is_retry=False, add=True).problems) == 6


@pytest.mark.parametrize(
    ("said", "field", "rule"),
    [
        ("line 4: video is missing", "line 4", "video is missing"),
        ("job 12: seed: 0 is refused", "job 12", "seed: 0 is refused"),
        ("row 3: it is done", "row 3", "it is done"),
        ("line four: no", "jobs", "line four: no"),
        ("Ünë 4: no", "jobs", "Ünë 4: no"),
        ("jobs.csv has no jobs", "jobs", "jobs.csv has no jobs"),
        ("no JSON: Expecting value: line 1 column 2", "jobs", "no JSON: Expecting value: line 1 column 2"),
    ],
)
def test_a_problem_is_its_rows_or_that_of_all_jobs(said: str, field: str, rule: str) -> None:
    """By a place with its number, and by nothing that only looks like one."""
    found = planning.as_problem(said)
    assert (found.field, found.value, found.rule) == (field, None, rule)


def test_a_row_that_the_plan_does_not_tell_is_not_paid() -> None:
    """By its attempt: one that was agreed to is agreed to once."""
    job = Job(1, 2, "c.mp4", "x", "1.mp4")
    terms = Terms(False, False, frozenset({(1, 1)}))
    assert unplanned(terms, [Facts(job)], []) == []
    failed = [Facts(job, "failed"), Facts(replace(job, row=2), "queued")]
    assert unplanned(terms, failed, [replace(job, attempt=2)]) == [1, 2]
