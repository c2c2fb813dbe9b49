"""`useapi_runwayml.batch.Batch`: what it plans, what it pays for and when, and that it is the command line's batch."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import typing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnection

import useapi_runwayml.batch
from useapi_runwayml import AuthenticationError, ParameterError, UseapiError
from useapi_runwayml.batch import Batch, BatchError, BatchProgress, Plan, runner, telling
from useapi_runwayml.batch.alone import alone
from useapi_runwayml.batch.checks import Estimate, Job
from useapi_runwayml.batch.facts import Facts, latest
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.refusals import worded
from useapi_runwayml.batch.report import page
from useapi_runwayml.cli import batch_asking, batch_resolving, batch_view
from useapi_runwayml.cli.app import run as command
from useapi_runwayml.cli.exits import Stop
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN, spawn
from .documents import at_a_terminal
from .refusing import UNREACHED, of_driver

SPEED = 200
MAKER = "maker@example.com"


class Place:
    """A folder, a simulated service, and batches of it."""

    def __init__(self, folder: Path, server: SimulatorServer) -> None:
        self.folder, self.server, self.sim = folder, server, server.simulator

    def jobs(self, *prompts: str) -> list[dict[str, Any]]:
        return [{"video": "c.mp4", "prompt": prompt, "seconds": 5} for prompt in prompts]

    def batch(self, jobs: Any, project: str = "p", **more: Any) -> Batch:
        return Batch(jobs, project=project, poll_interval=5, **more)

    def file(self, *prompts: str) -> Path:
        lines = "".join(f"c.mp4,{prompt},5\n" for prompt in prompts)
        path = self.folder / "jobs.csv"
        path.write_text(f"video,prompt,seconds\n{lines}", encoding="utf-8")
        return path

    def paid(self) -> Counter[str]:
        """How many tasks the service has of each prompt."""
        with self.sim.lock:
            return Counter(task.request["text_prompt"] for task in self.sim.state.tasks.values())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.mp4").write_bytes(MP4)
    monkeypatch.setattr(runner, "BatchClock", functools.partial(runner.BatchClock, SPEED))
    simulator = Simulator(task_seconds=40, credits=10_000)
    with SimulatorServer(simulator, clock=RunningClock(SPEED)) as server:
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        monkeypatch.delenv("USEAPI_RUNWAYML_DATABASE", raising=False)
        yield Place(tmp_path, server)


@pytest.fixture
def shell(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Any:
    """The command line in this process."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = command(["batch", *arguments])
        return code, *capsys.readouterr()

    return call


def states(rows: Any) -> list[str]:
    return [each.state for each in rows]


# -- what a plan is ----------------------------------------------------------------------------------------------------
def test_a_plan_spends_and_writes_nothing(place: Place) -> None:
    """The price, the rows, no problem; the service was only read, and there is no journal."""
    batch = place.batch(place.jobs("one", "two"))
    plan = batch.plan()
    assert (plan.is_new, plan.jobs, plan.seconds, plan.credits) == (True, 2, 10, 50)
    assert str(plan) == "2 jobs, 10 seconds of video, about 50 credits"
    assert states(plan.rows) == ["queued", "queued"]
    assert [row.credits for row in plan.rows] == [25, 25]
    assert (plan.problems, plan.known, plan.changes) == ((), {}, ())
    assert {seen.method for seen in place.sim.requests} == {"GET"}
    assert not batch.is_begun()
    assert sorted(each.name for each in place.folder.iterdir()) == ["c.mp4"]


def test_bad_rows_are_told_one_by_one(place: Place) -> None:
    """All of them, each by its number, in words; nothing is asked of the service, and nothing can be run."""
    jobs: list[Any] = [
        *place.jobs("fine"),
        {"video": "none.mp4", "prompt": "x"},
        {"video": "c.mp4", "prompt": "x", "seconds": 7},
        {"video": "c.mp4", "promt": "x"},
        {"video": "c.mp4", "prompt": "x", "seed": object()},
        "no job",
    ]
    batch = place.batch(jobs)
    plan = batch.plan()
    told = [str(each) for each in plan.problems]
    for number, words in ((2, "none.mp4: no such file"), (3, "seconds: 7"), (4, "is prompt meant?")):
        assert any(each.startswith(f"job {number}: ") and words in each for each in told), told
    assert "job 5: seed: a object is no value of a job" in told
    assert "job 6: a job must be an object" in told
    assert not any(each.startswith("job 1:") for each in told)
    assert not place.sim.requests
    with pytest.raises(ParameterError, match="job 3: seconds: 7") as raised:
        batch.run(plan)
    assert raised.value.problems == plan.problems
    assert not place.sim.requests
    assert not batch.is_begun()


@dataclass
class Shot:
    video: Path
    prompt: str
    seconds: int = 5
    email: str | None = None


class Named(NamedTuple):
    video: str
    prompt: str
    output: str


class Whole:
    """An integer of another library."""

    def __index__(self) -> int:
        return 7


def test_rows_may_be_objects(place: Place, tmp_path: Path) -> None:
    """Mappings, dataclasses, named tuples; paths and integers of other libraries; relative to `root` where there is one."""
    jobs: list[Any] = [
        Shot(Path("c.mp4"), "one"),
        Named("c.mp4", "two", "x.mp4"),
        {"video": "c.mp4", "prompt": "three"},
    ]
    jobs[2]["seed"] = Whole()
    plan = place.batch(jobs, root=tmp_path, output_dir="out").check()
    assert not plan.problems
    assert [row.prompt for row in plan.rows] == ["one", "two", "three"]
    assert {row.video for row in plan.rows} == {str(tmp_path / "c.mp4")}
    assert [Path(row.output) for row in plan.rows] == [
        tmp_path / "out" / name for name in ("0001-c.mp4", "x.mp4", "0003-c.mp4")
    ]


def test_a_check_needs_neither_token_nor_service(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells the price, and cannot be run; a plan without a token is refused in words."""
    monkeypatch.delenv("USEAPI_TOKEN")
    batch = place.batch(place.jobs("one"))
    checked = batch.check()
    assert checked.credits == 25
    with pytest.raises(ParameterError, match="comes from check"):
        batch.run(checked)
    with pytest.raises(ParameterError, match="set USEAPI_TOKEN"):
        batch.plan()
    assert not place.sim.requests


def test_results_lie_where_they_are_looked_for(place: Place) -> None:
    """In the folder of the project; else beside the jobs file, or below the root, by the name of the batch."""
    path, rows, url = place.file("one"), place.jobs("one"), "postgresql://u@127.0.0.1:1/d"
    (place.folder / "r").mkdir()
    shutil.copy("c.mp4", "r")
    for batch, results in (
        (Batch(rows, project="p"), "p/results"),
        (Batch(path), "results/jobs"),
        (Batch(path, project="p"), "results/jobs"),
        (Batch(path, database=url, name="b"), "results/b"),
        (Batch(rows, database=url, name="b"), "results/b"),
        (Batch(rows, database=url, name="b", root=place.folder / "r"), "r/results/b"),
    ):
        (row,) = batch.check().rows
        assert Path(row.output) == place.folder / results / "0001-c.mp4"


def test_a_batch_says_which_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its jobs file, or its name, or its project. The variable's database is that of one that names no other place."""
    path, url = Path("jobs.csv").absolute(), "postgresql://u@127.0.0.1:1/d"
    monkeypatch.delenv("USEAPI_RUNWAYML_DATABASE", raising=False)
    assert repr(Batch("jobs.csv")) == f"<Batch {path}>"
    assert repr(Batch(project="p")) == f"<Batch {Path('p').absolute()}>"
    assert repr(Batch(database=url, name="b")) == "<Batch b>"
    assert Batch("jobs.csv").place == str(path.parent / ".useapi-runwayml" / "jobs.csv")
    monkeypatch.setenv("USEAPI_RUNWAYML_DATABASE", url)
    assert Batch("jobs.csv").place == url
    assert Batch(project="p").place == str(Path("p").absolute())


# -- what a run pays ---------------------------------------------------------------------------------------------------
def test_a_run_pays_once_for_each_row_and_tells_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are there, progress counts up to all, and a second plan of the same jobs has nothing to pay."""
    for name in ("USEAPI_TOKEN", "USEAPI_RUNWAYML_BASE_URL"):
        monkeypatch.delenv(name)
    batch = place.batch(place.jobs("one", "two [fail]", "three"), token=TOKEN, base_url=place.server.base_url)
    heard: list[BatchProgress] = []
    rows = batch.run(batch.plan(), on_progress=heard.append)
    assert states(rows) == ["done", "failed", "done"]
    assert [row.path and row.path.read_bytes() for row in rows] == [MP4, None, MP4]
    assert "INTERNAL" in rows[1].why
    assert all(row.task_id in place.sim.state.tasks for row in rows)
    assert rows == batch.rows() == Batch(project="p").rows()
    assert (heard[0].rows_over, heard[-1].rows_over, heard[-1].rows) == (0, 3, 3)
    assert {(each.row, each.state) for each in heard} >= {(1, "submitting"), (1, "done"), (2, "failed")}
    again = place.batch(place.jobs("one", "two [fail]", "three")).plan()
    assert (again.is_new, again.jobs, again.rows, again.problems) == (False, 0, (), ())
    assert place.paid() == {"one": 1, "two [fail]": 1, "three": 1}


def test_nothing_is_spent_without_a_plan_of_its_own(place: Place) -> None:
    """None, another batch's, or one that was run already: refused, nothing is sent."""
    batch, other = place.batch(place.jobs("one")), place.batch(place.jobs("one"), "other")
    with pytest.raises(TypeError):
        batch.run()  # type: ignore[call-arg]
    for wrong in (None, True, other.plan()):
        with pytest.raises(ParameterError, match="it comes from its plan"):
            batch.run(wrong)  # type: ignore[arg-type]
    plan = batch.plan()
    assert states(batch.run(plan)) == ["done"]
    with pytest.raises(BatchError, match="begun meanwhile: plan again") as raised:
        batch.run(plan)
    assert raised.value.maybe_sent is False
    assert place.paid() == {"one": 1}


def test_a_plan_is_agreed_to_once(place: Place) -> None:
    """What failed and is tried again fails again: the same plan pays for it no second time."""
    batch = place.batch(place.jobs("one [fail]"))
    batch.run(batch.plan())
    assert batch.plan().jobs == 0, "unless that is asked for"
    plan = batch.plan(retry_failed=True)
    assert (plan.jobs, plan.credits) == (1, 25)
    assert states(batch.run(plan)) == ["failed"]
    assert place.paid() == {"one [fail]": 2}
    with pytest.raises(BatchError, match="row 1 would be paid for, and the plan does not say so"):
        batch.run(plan)
    assert place.paid() == {"one [fail]": 2}


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Runs begin no row; the settings that they had."""
    found: list[Any] = []

    def run(journal: Any, settings: Any, **how: Any) -> list[Any]:
        found.append(settings)
        return latest(journal.facts())

    monkeypatch.setattr(runner, "run", run)
    return found


def test_rows_that_joined_meanwhile_are_paid_by_no_older_plan(place: Place, idle: list[Any]) -> None:
    """Another process has put them into the batch: how many, and which is the first, is told."""
    batch = place.batch(place.jobs("one"))
    batch.run(batch.plan())
    plan = batch.plan()
    for prompts, told in (
        (("one", "two"), "nothing was sent: row 2 would be paid for"),
        (("one", "two", "three", "four"), "nothing was sent: 3 rows, of which the first is row 2 would be paid for"),
    ):
        other = place.batch(place.jobs(*prompts))
        other.run(other.plan(add=True))
        begun = len(idle)
        with pytest.raises(BatchError, match=told):
            batch.run(plan)
        assert len(idle) == begun
    assert states(batch.run(batch.plan(add=False))) == ["queued"] * 4


def test_a_limit_that_is_given_later_holds_for_that_time(place: Place, idle: list[Any]) -> None:
    """The one that the batch began with holds else."""
    batch = place.batch(place.jobs("one"))
    for limit in (25, None, 50, None):
        batch.run(batch.plan(), max_credits=limit)
    assert [each.max_credits for each in idle] == [25, 25, 50, 25]


def test_a_run_that_was_begun_may_have_sent_something(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is stopped, or the disk is full; a run that is over is stopped no more."""
    batch = place.batch(place.jobs("one"))
    asked: list[Any] = []
    ends: list[Any] = [lambda: None, batch.stop, full]

    def run(journal: Any, settings: Any, *, go_on: Any, **how: Any) -> list[Any]:
        asked.append(go_on)
        go_on()
        ends[len(asked) - 1]()
        go_on()
        return latest(journal.facts())

    monkeypatch.setattr(runner, "run", run)
    assert states(batch.run(batch.plan())) == ["queued"]
    for told in ("the run was stopped", "No space left"):
        with pytest.raises(BatchError, match=told) as raised:
            batch.run(batch.plan())
        assert raised.value.maybe_sent is True
    asked[0]()
    asked[2]()


def full(*given: Any) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.slow
def test_a_limit_holds_and_is_raised(place: Place) -> None:
    """Rows beyond it are held; the next run keeps it, or another for its time. Without a price it cannot hold, and is refused."""
    batch = place.batch(place.jobs("one", "two"))
    rows = batch.run(batch.plan(), max_credits=25)
    assert sorted(states(rows)) == ["done", "held"]
    assert [row.error for row in rows if row.state == "held"] == ["Budget"]
    assert sorted(states(batch.run(batch.plan()))) == ["done", "held"]
    assert states(batch.run(batch.plan(), max_credits=50)) == ["done", "done"]
    unpriced = [{"video": "c.mp4", "prompt": "x", "endpoint": "aleph"}]
    for price, told in ((None, "row 1: the price of aleph is not known"), (5, "max_credits: -1 is refused")):
        another = place.batch(unpriced, "q", credits_per_job=price)
        with pytest.raises(ParameterError, match=told):
            another.run(another.plan(), max_credits=-1)
    assert len(place.paid()) == 2


@pytest.mark.slow
def test_what_the_service_has_is_not_paid_again_unasked(place: Place) -> None:
    """After the journal was lost: a problem, until it is said whether it is adopted, for nothing, or paid anew."""
    batch = place.batch(place.jobs("one", "two"))
    batch.run(batch.plan())
    shutil.rmtree("p")
    plan = batch.plan()
    assert set(plan.known) == {1, 2}
    assert "2 of 2 rows have a task at the service already: plan(adopt=True) takes them, " in plan.problems[0].rule
    (problem,) = place.batch(place.jobs("one"), "q").plan().problems
    told = "1 of 1 row has a task at the service already: plan(adopt=True) takes it, plan(anew=True) pays for it again"
    assert problem.rule == told
    with pytest.raises(ParameterError):
        batch.run(plan)
    with pytest.raises(ParameterError, match="not both"):
        batch.plan(adopt=True, anew=True)
    assert batch.plan(anew=True).jobs == 2
    adopting = batch.plan(adopt=True)
    assert adopting.jobs == 0
    assert states(batch.run(adopting)) == ["done", "done"]
    assert place.paid() == {"one": 1, "two": 1}


# -- what ends it, and how it goes on ----------------------------------------------------------------------------------
class Enough(Exception):
    pass


def stop(now: BatchProgress) -> None:
    raise Enough


@pytest.mark.parametrize(
    ("kind", "when"), [(Enough, "submitting"), (KeyboardInterrupt, "waiting"), (OSError, "done"), (Enough, "last")]
)
@pytest.mark.slow
def test_what_a_callback_raises_ends_the_run_and_nothing_else(place: Place, kind: Any, when: str) -> None:
    """It leaves `run` as it is; the next plan goes on, and each row is paid once."""
    prompts = [f"row {number}" for number in range(8)]
    batch = place.batch(place.jobs(*prompts), max_jobs=1)
    calls: list[bool] = []

    def raising(now: BatchProgress) -> None:
        calls.append(True)
        if now.state == when or (when == "last" and now.rows_over == now.rows):
            calls.clear()
            raise kind("enough")

    with pytest.raises(kind, match="enough") as raised:
        batch.run(batch.plan(), on_progress=raising)
    assert not isinstance(raised.value, UseapiError)
    assert not calls, "it is asked no more"
    assert when == "last" or sum(place.paid().values()) < 8, "it did not go on to the end"
    assert states(batch.run(batch.plan())) == ["done"] * 8
    assert place.paid() == dict.fromkeys(prompts, 1)


def test_a_callback_that_must_be_awaited_is_refused(place: Place) -> None:
    """Before anything is sent."""

    async def heard(now: BatchProgress) -> None: ...

    class Heard:
        async def __call__(self, now: BatchProgress) -> None: ...

    batch = place.batch(place.jobs("one"))
    for function in (heard, Heard()):
        with pytest.raises(ParameterError, match="on_progress: it must be awaited"):
            batch.run(batch.plan(), on_progress=function)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=r"on_progress: .*it must be a function"):
        batch.run(batch.plan(), on_progress=5)  # type: ignore[arg-type]
    assert not place.paid()


SCRIPT = f"""
import functools, os, signal, sys
from useapi_runwayml.batch import Batch, runner
from useapi_runwayml.batch.ledger import Ledger
runner.BatchClock = functools.partial(runner.BatchClock, {SPEED})
where, saved, save = os.environ["KILL"], [], Ledger.save

async def watched(self, row):
    if where == "before":
        os.kill(os.getpid(), signal.SIGKILL)  # paid, and not written down
    await save(self, row)
    saved.append(row)
    if where == "after" and len(saved) == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Ledger.save = watched
jobs = [{{"video": "c.mp4", "prompt": f"row {{number}}", "seconds": 5}} for number in range(6)]
batch = Batch(jobs, project="p", poll_interval=5, max_jobs=3)
plan = batch.plan()
print(plan.jobs, flush=True)
print(*(row.state for row in batch.run(plan)))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL")
@pytest.mark.slow
def test_a_script_that_is_killed_and_started_again_pays_nothing_twice(place: Place) -> None:
    """SIGKILL right after creates, before and after they are written down: the same script goes on, and what it has is not in its price."""

    def script(kill: str) -> tuple[int, list[str], str]:
        process = spawn([sys.executable, "-W", "error", "-c", SCRIPT], env={**os.environ, "KILL": kill})
        out, told = process.communicate(timeout=120)
        assert "Traceback" not in told, told
        return process.returncode, out.split(), told

    assert script("before")[:2] == (-signal.SIGKILL, ["6"])
    assert script("after")[0] == -signal.SIGKILL
    code, out, told = script("")
    assert (code, out[1:]) == (0, ["done"] * 6), told
    assert int(out[0]) < 6, "what was begun is looked for, and is not in the price"
    assert place.paid() == {f"row {number}": 1 for number in range(6)}


# -- the command line's batch ------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_what_the_command_line_began_goes_on_here(place: Place, shell: Any) -> None:
    """The same rows, the same journal, the same limits."""
    path = place.file("one", "two")
    assert shell("run", "jobs.csv", "--yes", "--max-credits", "25", "--poll-interval", "5")[0] == 5
    batch = Batch(path)
    assert sorted(states(batch.rows())) == ["done", "held"], "which of the two is first is not said"
    plan = batch.plan()
    assert (plan.is_new, plan.jobs) == (False, 1)
    assert states(batch.run(plan, max_credits=50)) == ["done", "done"]
    told = json.loads(shell("status", "jobs.csv", "--json")[1])
    assert told == [row.to_dict() for row in batch.rows()]
    assert place.paid() == {"one": 1, "two": 1}


@pytest.mark.slow
def test_what_began_here_goes_on_at_the_command_line(place: Place, shell: Any) -> None:
    """Of a jobs file, and of rows from Python by their project alone."""
    for jobs, name in ((place.file("one", "two"), ["jobs.csv"]), (place.jobs("three", "four"), ["--project", "p"])):
        batch = Batch(jobs, poll_interval=5, project=None if isinstance(jobs, Path) else "p")
        with pytest.raises(Enough):
            batch.run(batch.plan(), on_progress=stop)
        code, out, told = shell("resume", *name, "--yes")
        assert code == 0, out + told
        assert states(batch.rows()) == ["done", "done"]
        assert "2 rows: 2 done" in shell("status", *name)[1]
    assert place.paid() == dict.fromkeys(("one", "two", "three", "four"), 1)


@pytest.mark.slow
def test_changed_jobs_are_never_left_out_silently(place: Place) -> None:
    """Told row by row; nothing runs until it is said whether what is new joins."""
    batch = Batch(place.file("one"), poll_interval=5)
    batch.run(batch.plan())
    place.file("one", "two")
    assert [str(each) for each in batch.changes()] == ["line 3: added"]
    plan = batch.plan()
    assert plan.changes == (*batch.changes(),)
    with pytest.raises(ParameterError, match=r"line 3: added: plan\(add=True\) takes what is new"):
        batch.run(plan)
    assert states(batch.run(batch.plan(add=False))) == ["done"]
    joining = batch.plan(add=True)
    assert (joining.jobs, joining.added) == (1, 1)
    assert states(batch.run(joining)) == ["done", "done"]
    assert batch.plan(add=True).jobs == 0
    (place.folder / "jobs.csv").unlink()
    assert "cannot be compared with its batch" in str(batch.plan().problems[0])
    assert place.paid() == {"one": 1, "two": 1}


def test_changed_rows_of_python_are_told_by_their_number(place: Place) -> None:
    """As those of a file are."""
    batch = place.batch(place.jobs("one"))
    batch.run(batch.plan())
    changed = place.batch(place.jobs("other", "two"))
    assert [str(each) for each in changed.changes()] == ["job 1 is row 1: changed (prompt)", "job 2: added"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"max_jobs": 3}, "max_jobs: 3 is refused, the batch began with 5"),
        ({"settle": 90}, "settle: 90 is refused, the batch began with 60"),
        ({"delete_assets": True}, "delete_assets: True"),
        ({"defaults": {"seed": 1}}, "defaults: "),
        ({"endpoint": "aleph"}, "endpoint: 'aleph'"),
        ({"output_dir": "elsewhere"}, "output_dir: "),
        ({"credits_per_job": 9}, "credits_per_job: 9 is refused, the batch began without it"),
    ],
)
def test_what_a_batch_did_not_begin_with_is_refused(place: Place, more: dict[str, Any], told: str) -> None:
    """An argument that would be ignored is a problem of the plan; the same as before is none."""
    begun = place.batch(place.jobs("one"))
    with pytest.raises(Enough):
        begun.run(begun.plan(), on_progress=stop)
    assert not place.batch(place.jobs("one"), max_jobs=5, endpoint="video_to_video", defaults={}).plan().problems
    problems = place.batch(place.jobs("one"), **more).plan().problems
    assert any(told in str(each) for each in problems), problems


# -- what stands in the way --------------------------------------------------------------------------------------------
def test_an_argument_that_cannot_be_meant_is_refused(place: Place) -> None:
    """All of them at once, when the object is made."""
    with pytest.raises(ParameterError) as raised:
        Batch("jobs.csv", max_jobs=0, settle=float("nan"), endpoint="none", defaults={"promt": 1}, name="x")
    assert [each.field for each in raised.value.problems] == ["max_jobs", "settle", "endpoint", "defaults", "name"]
    for jobs, more, told in (
        (None, {}, "project: it is missing"),
        (place.jobs("one"), {}, "project: it is missing"),
        ("jobs.csv", {"project": "p", "database": "postgresql://h/d"}, "in a project or in a database"),
        ("jobs.csv", {"database": "mysql://u:s3cr3t@h/d"}, "mysql cannot be used"),
        ("jobs.csv", {"database": "postgresql://h/d", "name": "a/b"}, "takes no /"),
        (None, {"database": "postgresql://h/d"}, "name: it is missing"),
        ("jobs.csv", {"max_jobs": True}, "max_jobs: True"),
        ("jobs.csv", {"max_jobs": 2.5}, "max_jobs: 2.5"),
        ("jobs.csv", {"poll_interval": -1}, "poll_interval: -1"),
        ("jobs.csv", {"poll_interval": 0.09}, "poll_interval: 0.09 is refused, must be at least 0.1"),
        ("jobs.csv", {"settle": 0.9}, "settle: 0.9 is refused, must be at least 1"),
        ("jobs.csv", {"max_jobs": 1001}, "max_jobs: must be at most 1000"),
        ("jobs.csv", {"credits_per_job": 1_000_000_001}, "credits_per_job: must be at most 1000000000"),
    ):
        with pytest.raises(ParameterError, match=told) as raised:
            Batch(jobs, **more)  # type: ignore[arg-type]
        assert "s3cr3t" not in str(raised.value)
    for least in ({"max_jobs": 1}, {"poll_interval": 0.1}, {"settle": 1}, {"credits_per_job": 0}):
        Batch("jobs.csv", **least)  # type: ignore[arg-type]
    Batch("jobs.csv", max_jobs=1000, poll_interval=1e9, settle=10**9, credits_per_job=1e9)
    with pytest.raises(ParameterError, match="give adopt or anew, not both"):
        Batch("none.csv").plan(adopt=True, anew=True)
    for one in ("adopt", "anew"):
        with pytest.raises(BatchError, match=r"none\.csv: No such file"):
            Batch("none.csv").plan(**{one: True})


def test_what_is_not_there_is_said_in_words(place: Place) -> None:
    """No batch, no jobs file, no database: our errors, which name what it is about."""
    for call in (Batch("none.csv").plan, Batch("none.csv").check):
        with pytest.raises(BatchError, match=r"none\.csv: No such file"):
            call()
    for ask in ("rows", "waits", "changes"):
        with pytest.raises(BatchError, match="there is no batch in"):
            getattr(Batch(project="p"), ask)()
    for plan in (Batch(project="p").plan, Batch(project="p").check):
        with pytest.raises(BatchError, match="no jobs to begin one with"):
            plan()
    with pytest.raises(BatchError, match="there is no batch in"):
        Batch(project="p").resolve(1, "give up")
    journal = place.folder / "broken" / "journal.sqlite"
    journal.parent.mkdir()
    journal.write_text("this is no database " * 100)
    with pytest.raises(BatchError, match="the journal cannot be used"):
        Batch(project="broken").rows()
    away = Batch("jobs.csv", database="postgresql://u:s3cr3t@127.0.0.1:1/d", name="x")
    with pytest.raises(BatchError, match="the database cannot be used") as raised:
        away.plan()
    assert "s3cr3t" not in str(raised.value) + repr(away) + away.place
    assert TOKEN not in repr(Batch("jobs.csv", token=TOKEN))


def test_another_process_at_work_is_told_before_the_price(place: Place) -> None:
    """One at a time in a folder; the rows can be read meanwhile."""
    batch = place.batch(place.jobs("one"))
    said: list[str] = []

    def heard(now: BatchProgress) -> None:
        if not said:
            with pytest.raises(BatchError, match="another process runs this batch") as raised:
                place.batch(place.jobs("one")).plan()
            said.append(str(raised.value))
            assert len(batch.rows()) == 1

    assert states(batch.run(batch.plan(), on_progress=heard)) == ["done"]
    assert said


def test_a_second_batch_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for the first, and is not refused once that is over; nor is DBOS shared with anybody else."""
    said: list[str] = []

    def begin() -> None:
        try:
            with alone():
                said.append("begun")
        except BatchError as error:
            said.append(str(error))

    with alone():
        thread = threading.Thread(target=begin, daemon=True)
        thread.start()
        thread.join(10)
        assert said == ["this process runs a batch already: one at a time"]
    with monkeypatch.context() as patch:
        patch.setattr("dbos._dbos._dbos_global_instance", object())
        begin()
    begin()
    assert said[1:] == ["this process uses DBOS for something else: run the batch in one of its own", "begun"]


@pytest.mark.slow
def test_one_batch_runs_in_a_process(place: Place) -> None:
    """A second one is refused in words, and sends nothing; so is one beside somebody else's DBOS."""
    first, second = place.batch(place.jobs("one")), place.batch(place.jobs("two"), "q")
    planned = second.plan()
    said: list[str] = []

    def other() -> None:
        try:
            second.run(planned)
        except BatchError as error:
            said.append(str(error))

    def heard(now: BatchProgress) -> None:
        if not said:
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()

    first.run(first.plan(), on_progress=heard)
    assert said == ["this process runs a batch already: one at a time"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dbos._dbos._dbos_global_instance", object())
        with pytest.raises(BatchError, match="uses DBOS for something else"):
            second.run(planned)
    assert place.paid() == {"one": 1}
    assert states(second.run(planned)) == ["done"]


def test_beside_an_event_loop_it_runs_in_a_thread(place: Place) -> None:
    """In the loop's own thread it is refused in words."""
    batch = place.batch(place.jobs("one"))

    async def main() -> list[Any]:
        plan = batch.plan()
        with pytest.raises(BatchError, match=r"await asyncio\.to_thread\(batch\.run, plan\)"):
            batch.run(plan)
        return await asyncio.to_thread(batch.run, plan)

    assert states(asyncio.run(main())) == ["done"]


# -- what else ---------------------------------------------------------------------------------------------------------
def test_what_cannot_be_read_is_not_taken_for_absent(place: Place, shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the lists cannot be read, a new journal might pay for rows again: no plan, by whichever way, and with a refused token its own code."""
    from useapi_runwayml._io import clock

    monkeypatch.setattr(clock.SystemClock, "sleep", lambda self, seconds: None)
    jobs = place.file("one")
    for status, kind, told, code in (
        (503, BatchError, "cannot be read whether the service has tasks of these rows already.*503", 1),
        (401, AuthenticationError, "401", 4),
        (596, UseapiError, "596", 4),
    ):
        place.sim.faults.add("status", "listTasks", status=status)
        with pytest.raises(kind, match=told):
            place.batch(place.jobs("one")).plan()
        with pytest.raises(kind, match=told):
            place.batch(place.jobs("one")).plan(adopt=True)
        assert shell("run", str(jobs), "--yes")[0] == code
        place.sim.faults.clear()
    assert place.paid() == {}
    place.sim.faults.add("status", "listTasks", status=404)  # there is no such list: it tells nothing
    assert place.batch(place.jobs("one")).plan().problems == ()


@pytest.mark.slow
def test_uncertain_rows_are_decided(place: Place, shell: Any) -> None:
    """By their number; the command line tells what it costs to send one again, and does not without --yes where nobody can be asked."""
    batch = place.batch(place.file("one"), settle=300)
    planned = Batch.plan(batch)
    place.sim.faults.add("close_after_action", "createVideoToVideo", nth=1)
    for list_of in ("listTasks", "listScheduler"):
        place.sim.faults.add("status", list_of, status=500)
    (row,) = batch.run(planned)
    assert row.state == "uncertain"
    place.sim.faults.clear()
    price = "1 job, 5 seconds of video, about 25 credits\n"
    assert shell("resolve", "jobs.csv", "1", "--send-again", "--project", "p")[:2] == (2, price)
    assert states(batch.rows()) == ["uncertain"]
    (task,) = place.sim.state.tasks
    batch.resolve(1, "adopt", task)
    with pytest.raises(ParameterError, match="row 1 is not uncertain, it is queued"):
        batch.resolve(1, "send again")
    plan = batch.plan()
    assert plan.jobs == 0
    assert states(batch.run(plan)) == ["done"]
    assert place.paid() == {"one": 1}


def test_what_cannot_be_decided_is_refused(place: Place, idle: list[Any]) -> None:
    """By the argument that is wrong, and nothing is written down."""
    batch = place.batch(place.jobs("one"))
    batch.run(batch.plan())
    for wrong, told in (
        ((1, "perhaps"), "decision: 'perhaps' is refused, it is adopt, send again or give up"),
        ((1, "adopt"), "task_id: adopt needs the id of the task"),
        ((1, "give up", "t"), "task_id: 't' is refused, adopt needs the id of the task, and nothing else does"),
        ((9, "give up"), "row: 9 is refused, there is no row 9"),
        ((1, "adopt", "not an id"), "task_id: 'not an id' is refused, it is no id of a task"),
        ((1, "give up"), "row: 1 is refused, row 1 is not uncertain, it is queued"),
    ):
        with pytest.raises(ParameterError, match=told):
            batch.resolve(*wrong)  # type: ignore[arg-type]
    assert [(row.attempt, row.state) for row in batch.rows()] == [(1, "queued")]


def test_numbers_stand_in_words(place: Place, shell: Any, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One problem, one row that has a task, one row that joins: nobody reads of 1 rows."""
    bad = "c.mp4,x,7\n"
    for lines, told in ((bad, "jobs.csv: 1 problem, nothing was sent"), (bad * 2, "jobs.csv: 2 problems, nothing was")):
        (place.folder / "jobs.csv").write_text(f"video,prompt,seconds\n{lines}", encoding="utf-8")
        assert told in shell("run", "jobs.csv", "--yes")[2]
    rows = [SimpleNamespace(row=number, line=number + 1) for number in (1, 2)]
    one: Any = SimpleNamespace(known={1: "t"}, rows=rows[:1])
    two: Any = SimpleNamespace(known={1: "t", 2: "u"}, rows=rows)
    with pytest.raises(Stop, match=r"^1 row has a task already: --adopt takes it, --anew pays for it again\. "):
        batch_asking.decided(one, adopt=False, anew=False)
    assert "1 of 1 row has a task at the service already" in capsys.readouterr().out
    with pytest.raises(Stop, match=r"^2 rows have a task already: --adopt takes them, --anew pays for them again\. "):
        batch_asking.decided(two, adopt=False, anew=False)
    assert "2 of 2 rows have a task at the service already" in capsys.readouterr().out
    rows = [SimpleNamespace(row=number, line=number + 1) for number in range(1, 13)]
    for count, last in ((10, "  row 10 (line 11): t"), (12, "  and 2 more")):
        many: Any = SimpleNamespace(known=dict.fromkeys(range(1, count + 1), "t"), rows=rows)
        batch_asking.decided(many, adopt=True, anew=False)
        assert capsys.readouterr().out.splitlines()[-1] == last
    plan: Any = SimpleNamespace(added=1, warnings=(), problems=(), known={}, changes=())
    monkeypatch.setattr(Batch, "is_begun", lambda self: True)
    monkeypatch.setattr(Batch, "changes", lambda self: [])
    monkeypatch.setattr(Batch, "plan", lambda self, **how: plan)
    monkeypatch.setattr("useapi_runwayml.cli.batch._go_on", lambda *given, **more: 0)
    assert shell("resume", "jobs.csv", "--add")[1] == "1 row joins the batch\n"


@pytest.mark.parametrize(
    ("value", "told"), [(25, "25"), (0, "0"), (100, "100"), (12.5, "12.5"), (0.004, "0"), (1234550, "1234550")]
)
def test_a_price_is_never_told_in_powers_of_ten(value: float, told: str) -> None:
    """It is what a person agrees to."""
    assert str(Estimate(1, 5, value, 0, 0)) == f"1 job, 5 seconds of video, about {told} credits"


@pytest.mark.parametrize(
    ("rows", "code", "hints"),
    [
        ([("done", "", "")], 0, []),
        ([("failed", "task", "")], 1, ["retry-failed"]),
        ([("failed", "moderation", "")], 6, []),
        ([("failed", "moderation", ""), ("failed", "task", "")], 1, ["retry-failed"]),
        ([("held", "account", "APIConnectionError"), ("failed", "moderation", "")], 1, ["resume"]),
        ([("held", "account", "AuthenticationError")], 4, ["resume"]),
        ([("held", "account", "WaitTimeoutError")], 1, ["resume"]),
        ([("held", "account", "AuthenticationError"), ("held", "account", "Budget")], 5, ["resume --max-credits N"]),
        ([("held", "account", "InsufficientCreditsError")], 5, ["resume"]),
        ([("uncertain", "", ""), ("held", "account", "Budget")], 8, ["resume", "resolve", "resume --max-credits N"]),
    ],
)
def test_the_end_of_a_batch_has_the_code_and_the_hints_that_fit(
    capsys: Any, rows: list[tuple[str, str, str]], code: int, hints: list[str]
) -> None:
    """What would come to the same is not hinted at; an outage is not taken for a token that is refused."""
    given: Any = [SimpleNamespace(state=state, stage=stage, error=error, to_dict=dict) for state, stage, error in rows]
    begun: Any = SimpleNamespace(again=lambda name: name)
    assert batch_view.tell(given, begun) == code
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()[1:]] == hints


@pytest.mark.parametrize(
    ("seconds", "credits", "told"),
    [
        (5, 25, "1 job, 5 seconds of video, about 25 credits"),
        (None, 25, "1 job, 0 seconds of video, 1 of unknown length, about 25 credits"),
        (5, None, "1 job, 5 seconds of video, 1 of unknown price"),
    ],
)
def test_what_is_sent_again_has_a_price(monkeypatch: pytest.MonkeyPatch, seconds: Any, credits: Any, told: str) -> None:
    """It is told first, or that it is not known; the answer is asked for with the credits, and --yes gives it."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(batch_resolving, "ask", lambda price, most, *, yes: asked.append((price, most, yes)))
    row: Any = SimpleNamespace(video_seconds=seconds, credits=credits)
    batch_resolving._ask(row, yes=True)
    assert asked == [(told, credits, True)]


def test_a_report_and_what_is_waited_for(place: Place) -> None:
    """A page beside the clips; an account that is closed says why."""
    place.sim.state.accounts[MAKER].credits = 25
    batch = place.batch(place.jobs("one", "two"), max_jobs=1)
    assert sorted(states(batch.run(batch.plan()))) == ["done", "held"]
    assert any("412" in why for why in batch.waits().values())
    page = batch.report("report.html").read_text(encoding="utf-8")
    assert 'src="p/results/000' in page
    with pytest.raises(BatchError, match="No such file"):
        batch.report("none/report.html")
    clip = (place.folder / "c.mp4").read_bytes()
    with pytest.raises(BatchError, match=r"c\.mp4.*it is no report, and is not replaced"):
        batch.report("c.mp4")
    assert (place.folder / "c.mp4").read_bytes() == clip
    assert batch.report("report.html").read_text(encoding="utf-8") == page
    (place.folder / "empty.html").touch()
    assert batch.report("empty.html").read_text(encoding="utf-8") == page
    if hasattr(os, "mkfifo"):
        os.mkfifo(place.folder / "pipe")
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit((place.folder / "pipe").read_text, encoding="utf-8")
            batch.report("pipe")
            assert reading.result(10) == page
    with pytest.raises(ParameterError, match="workers take rows from a database"):
        batch.put(batch.plan())


def test_what_is_put_into_a_database_may_be_paid_for(
    place: Place, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the word of it is lost: workers may have it. What joins later must lie below the root, as at the beginning."""
    url = postgres.new()
    jobs = place.jobs("one", "two")
    batch = Batch(jobs[:1], database=url, name="b")
    monkeypatch.setattr(Journal, "admit", full)
    with pytest.raises(BatchError, match="No space left") as raised:
        batch.put(batch.plan())
    assert raised.value.maybe_sent is True
    jobs[1]["output"] = str(place.folder.parent / "x.mp4")
    (problem,) = Batch(jobs, database=url, name="b").plan(add=True).problems
    assert "does not lie below the root" in str(problem)


def test_the_page_has_each_clip_before_and_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of each row and nothing else, the reason of one that failed; a clip that is not there is said to be missing."""
    for name in ("c.mp4", "o 1.mp4"):
        (tmp_path / name).write_bytes(MP4)
    done = Job(1, 2, str(tmp_path / "c.mp4"), "a <b>", str(tmp_path / "o 1.mp4"))
    failed = replace(done, row=2, video="gone.mp4", output=str(tmp_path / "2.mp4"), attempt=2)
    rows = [
        telling.told(Facts(done, "done", seed=7, seconds=3.5, bytes=9, task_id="t")),
        telling.told(Facts(failed, "failed", why="so & so")),
    ]
    _, one, two = page(rows, tmp_path / "beside").split("<article>")
    assert '<p class="facts">seed 7 · took 3.5 s · bytes 9 · task t</p>' in one
    assert '<p class="facts">attempt 2</p>' in two
    assert (one.count("<p class="), two.count("<p class=")) == (2, 3)
    assert '<p class="state failed">so &amp; so</p>' in two
    assert [*re.findall('src="([^"]+)"', one)] == ["../c.mp4", "../o%201.mp4"]
    assert [*re.findall("no video [a-z]+", one + two)] == ["no video before", "no video after"]

    def of_another_drive(path: str, beside: Path) -> str:
        raise ValueError(path)

    monkeypatch.setattr(os.path, "relpath", of_another_drive)
    assert f'src="{(tmp_path / "o 1.mp4").as_uri()}"' in page(rows, tmp_path)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (FileNotFoundError(2, "No such file", "jobs.csv"), "jobs.csv: No such file"),
        (OSError(5, "make room"), "make room"),
        (OSError("so it is"), "so it is"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_what_the_system_refuses_is_said_in_words(error: OSError, said: str) -> None:
    """By its file, its reason, or at least its kind."""
    with pytest.raises(BatchError) as raised, worded():
        raise error
    assert (str(raised.value), raised.value.maybe_sent) == (said, False)


DEFECT = of_driver("42703", "no such column", ProgrammingError)


@pytest.mark.parametrize("maybe_sent", [False, True])
@pytest.mark.parametrize(
    ("error", "told"), [(UNREACHED, "connection refused"), (NoConnection("none came free"), "none came free")]
)
def test_a_database_that_went_away_is_our_error(error: Exception, told: str, maybe_sent: bool) -> None:
    """It says what to do, and whether anything was sent; what is no outage is a defect, and stays one."""
    with (
        pytest.raises(BatchError, match=f"the database went away .*{told}.* go on once it is there") as raised,
        worded(maybe_sent=maybe_sent),
    ):
        raise error
    assert (raised.value.maybe_sent, raised.value.__cause__) == (maybe_sent, error)
    with pytest.raises(ProgrammingError), worded():
        raise DEFECT


def test_a_run_whose_database_goes_away_before_it_has_begun_has_sent_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is said too."""
    batch = place.batch(place.jobs("one"))
    plan = batch.plan()

    def facts(self: Journal) -> list[Facts]:
        raise UNREACHED

    monkeypatch.setattr(Journal, "facts", facts)
    with pytest.raises(BatchError, match="the database went away") as raised:
        batch.run(plan)
    assert not raised.value.maybe_sent
    assert place.paid() == {}


@pytest.mark.slow
def test_a_batch_of_python_is_run_by_workers(place: Place, postgres: Any, shell: Any) -> None:
    """Put into a database, it runs wherever a worker is; files outside the root are problems."""
    url = postgres.new()
    outside = Batch(place.jobs("one"), database=url, name="b", output_dir="/elsewhere")
    assert any("does not lie below the root" in str(each) for each in outside.plan().problems)
    batch = Batch(place.jobs("one", "two"), database=url, name="b", poll_interval=0.2)
    assert batch.put(batch.plan()) == 2
    assert states(batch.rows()) == ["queued", "queued"]
    assert shell("worker", "--database", url, "--until-done")[0] == 0
    assert states(batch.rows()) == ["done", "done"]
    assert batch.plan().jobs == 0
    assert "2 done" in shell("status", "--database", url, "--name", "b")[1]
    assert place.paid() == {"one": 1, "two": 1}


def test_the_example_of_the_page_runs(place: Place, capsys: Any) -> None:
    """As it stands: two clips, their price, their progress, their files."""
    (place.folder / "clips").mkdir()
    for name in ("one", "two"):
        (place.folder / "clips" / f"{name}.mp4").write_bytes(MP4)
    page = Path(__file__).resolve().parent.parent / "docs" / "batch.md"
    (code, *_) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, "docs/batch.md", "exec"), {"__name__": "example"})
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "2 jobs, 10 seconds of video, about 50 credits"
    assert "2 of 2: done" in told
    results = place.folder / "watercolours" / "results"
    assert told[-2:] == [f"1 done {results / '0001-one.mp4'}", f"2 done {results / '0002-two.mp4'}"]
    assert place.paid() == {"as a watercolour": 2}


# -- what is public ----------------------------------------------------------------------------------------------------
def test_a_missing_extra_is_named_at_import(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install; what loads DBOS, which takes a second, loads when it is needed."""
    find = importlib.util.find_spec
    monkeypatch.delitem(useapi_runwayml.batch.__dict__, "Batch", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "dbos" else find(name))
    with pytest.raises(ModuleNotFoundError, match=r"dbos is missing.: pip install 'useapi-runwayml\[batch\]'"):
        from useapi_runwayml.batch import Batch as _
    with pytest.raises(AttributeError):
        _ = useapi_runwayml.batch.nothing
    code = "import sys; from useapi_runwayml.batch import Batch; Batch('jobs.csv'); assert 'dbos' not in sys.modules"
    assert subprocess.run([sys.executable, "-W", "error", "-c", code], env={}, capture_output=True).returncode == 0


def test_what_is_public_is_listed_and_has_hints() -> None:
    """Sorted, documented, and readable at run time; all else is private."""
    names = useapi_runwayml.batch.__all__
    assert names == sorted(names)
    assert set(names) <= set(dir(useapi_runwayml.batch))
    for name in names:
        found = getattr(useapi_runwayml.batch, name)
        assert found.__doc__
        assert typing.get_type_hints(found) is not None
        for member, function in vars(found).items():
            if callable(function) and not member.startswith("_"):
                assert function.__doc__, (name, member)
                assert typing.get_type_hints(function)
    assert typing.get_type_hints(Batch.__init__)["max_jobs"] == int | None
    assert isinstance(Plan, type)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no such terminals")
def test_who_is_asked_sees_the_question_where_he_looks(place: Place) -> None:
    """With the output in a file: the price and the question come to the terminal, and not into the file, unseen."""
    place.file("one")
    command = "python -m useapi_runwayml batch run jobs.csv > run.log".replace("python", sys.executable)
    code, said = at_a_terminal(["sh", "-c", command], place.folder, {**os.environ})
    assert code == 0
    assert "1 job, 5 seconds of video, about 25 credits" in said
    assert "Spend about 25 credits? [y/N]" in said
    assert "Spend" not in (place.folder / "run.log").read_text()
    assert place.paid() == {"one": 1}
    away = subprocess.run(
        ["sh", "-c", f"{command} 2> log"], cwd=place.folder, stdin=subprocess.DEVNULL, timeout=60, check=False
    )
    assert away.returncode == 2
