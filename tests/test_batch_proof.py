"""The proof that a batch survives anything: SIGKILL and orderly ends at each step boundary and at random moments, with a faulty service."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer
from useapi_runwayml.simulator.state import Task

from .conftest import STRICT, spawn
from .forking import Forked

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL"),
]
SPEED = 60
ROWS = 200
CLIPS = 7
KINDS = ("upload", "intent", "post", "save", "create", "wait", "fetch", "publish", "end")
BOUNDARIES = [f"{kind}:{moment}" for kind in KINDS for moment in ("before", "after")]

# The command line with a clock as fast as the simulator's, which ends itself where it is told: before or after one of the things
# that become of a row.
CHILD = f"""
import functools, os, signal, sys, time
ahead, true_time = float(os.environ.get("AHEAD", 0)), time.time
time.time = lambda: true_time() + ahead
from useapi_runwayml.__main__ import main
from useapi_runwayml.batch import runner
from useapi_runwayml.batch.ledger import Ledger
from useapi_runwayml.batch.posting import Posting
from useapi_runwayml.batch.steps import Steps

runner.BatchClock = functools.partial(runner.BatchClock, {SPEED})
counted = []
where, _, count = os.environ.get("KILL", "").rpartition(":")

def passes(kind, moment):
    if where == f"{{kind}}:{{moment}}":
        counted.append(1)
        if len(counted) == int(count):
            os.kill(os.getpid(), int(os.environ["SIGNAL"]))

def watch(owner, name, kind):
    inner = getattr(owner, name)

    async def watched(self, *given, **more):
        passes(kind, "before")
        result = await inner(self, *given, **more)
        passes(kind, "after")
        return result

    setattr(owner, name, watched)

for owner, name, kind in (
    (Steps, "upload", "upload"),
    (Ledger, "intend", "intent"),
    (Steps, "_post", "post"),
    (Ledger, "save", "save"),
    (Steps, "create", "create"),
    (Steps, "wait", "wait"),
    (Steps, "fetch", "fetch"),
    (Steps, "publish", "publish"),
    (Ledger, "leave", "end"),
    (Posting, "__call__", "check"),
):
    watch(owner, name, kind)

main()
"""


class Batch:
    """A jobs file, a faulty service, and the command line in processes of its own."""

    def __init__(self, folder: Path, base_url: str, rows: int = ROWS, database: str = "") -> None:
        self.folder = folder
        self.jobs = folder / "jobs.csv"
        self.results = folder / "results" / "jobs"
        self.clips = {
            f"clip{number}.mp4": b"\x00\x00\x00\x18ftypmp42" + bytes([number]) * 3000 for number in range(CLIPS)
        }
        for name, content in self.clips.items():
            (folder / name).write_bytes(content)
        with self.jobs.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["video", "prompt", "output", "seconds", "reply_ref"])
            for row in range(1, rows + 1):
                prompt = f'row {row}: a, "b"\nc 😀'
                writer.writerow([self.clip_of(row), prompt, f"{row}.mp4", 5, "mine" if row % 2 else ""])
        environment = {key: value for key, value in os.environ.items() if not key.startswith("USEAPI")}
        self.environment = {
            **environment,
            "USEAPI_TOKEN": "user:4242-simulated",
            "USEAPI_RUNWAYML_BASE_URL": base_url,
            **({"USEAPI_RUNWAYML_DATABASE": database} if database else {}),
        }

    def clip_of(self, row: int) -> str:
        return f"clip{row % CLIPS}.mp4"

    def start(
        self, *arguments: str, kill: str = "", by: int = int(signal.SIGKILL), ahead: float = 0
    ) -> subprocess.Popen[str]:
        return spawn(
            [sys.executable, *STRICT, "-c", CHILD, "batch", *arguments],
            cwd=self.folder,
            env={**self.environment, "KILL": kill, "SIGNAL": str(by), "AHEAD": str(ahead)},
        )

    def until_killed(
        self, *arguments: str, kill: str = "", by: int = int(signal.SIGKILL), after: float | None = None
    ) -> int:
        environment = {**self.environment, "KILL": kill, "SIGNAL": str(by)}
        with Forked(CHILD, ["batch", *arguments], cwd=self.folder, env=environment) as process:
            if after is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(after)
                process.kill()
            try:
                _, told = process.communicate(timeout=300)
            except subprocess.TimeoutExpired:
                process.kill()
                told = "\n".join(process.communicate())
                pytest.fail(
                    f"batch {' '.join(arguments)} never ended, to be interrupted at {kill or 'no boundary'}: {told}"
                )
        assert "Traceback" not in told, told
        return process.returncode

    def rows(self) -> list[dict[str, Any]]:
        command = [sys.executable, "-W", "error", "-m", "useapi_runwayml", "batch", "status", "jobs.csv", "--json"]
        process = spawn(command, cwd=self.folder, env=self.environment)
        out, told = process.communicate(timeout=60)
        assert process.returncode == 0, told
        found: list[dict[str, Any]] = json.loads(out)
        return found

    def left(self) -> list[dict[str, Any]]:
        """What is not done, and why."""
        return [
            {name: row[name] for name in ("row", "state", "stage", "why", "task_id")}
            for row in self.rows()
            if row["state"] != "done"
        ]

    def is_whole(self, rows: int) -> bool:
        """Whether each row has its file, and there is nothing else but what is hidden: a worker that stops and wakes may leave its own there."""
        names = sorted(each.name for each in self.results.iterdir() if not each.name.startswith("."))
        return names == sorted(f"{row}.mp4" for row in range(1, rows + 1)) and all(
            (self.results / f"{row}.mp4").read_bytes() == self.clips[self.clip_of(row)] for row in range(1, rows + 1)
        )


def faulty(lost: float = 0.04, cut: float = 0.1) -> Simulator:
    """A service that fails in all ways; `lost` and `cut` are how likely a create comes to nothing, and a download breaks, for each of two ways.

    People have used its account before, so that its list reaches back before the first create, however long that is looked for.
    """
    sim = Simulator(max_jobs=12, credits=10**6, seed=5, web_tasks=2)
    add = sim.faults.add
    add("close_after_action", "createVideoToVideo", probability=0.04)
    add("close_before_action", "createVideoToVideo", probability=lost)
    add("status", "createVideoToVideo", probability=lost, status=502)
    add("status", "createVideoToVideo", probability=0.04, status=524, after=True)
    add("bad_json", "createVideoToVideo", probability=0.03)
    add("hide_in_scheduler", "createVideoToVideo", probability=0.3, seconds=15.0)
    add("busy", "createVideoToVideo", probability=0.03, shape="upstream", retry_after="5")
    add("status", "getTask", probability=0.05, status=503)
    add("status", "listTasks", probability=0.05, status=522, content_type="text/plain")
    add("close_before_action", "uploadAsset", probability=0.1)
    add("cut_body", "download", probability=cut, bytes=1000)
    add("status", "download", probability=cut / 2, status=503)
    return sim


def tasks_of(sim: Simulator) -> list[Task]:
    """Those of the batch."""
    with sim.lock:
        return [task for task in sim.state.tasks.values() if task.request]


def tasks_by_row(sim: Simulator) -> Counter[int]:
    prompts = [task.request["text_prompt"] for task in tasks_of(sim)]
    return Counter(int(prompt.removeprefix("row ").partition(":")[0]) for prompt in prompts)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a database; nothing for the folder beside the jobs file."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres").new())


def test_every_row_survives_every_kill(tmp_path: Path, database: str) -> None:
    """Killed at each step boundary and at random moments, resumed until done: a task a row, none doubled, none lost, files whole."""
    sim, rows_in_all = faulty(), 100 if database else ROWS
    chance = random.Random(3)
    with SimulatorServer(sim, clock=RunningClock(SPEED)) as server:
        batch = Batch(tmp_path, server.base_url, rows_in_all, database)
        options = ["--yes", "--max-jobs", "10", "--poll-interval", "5", "--settle", "60"]
        kills = [f"{boundary}:{chance.randint(1, 3 if database else 6)}" for boundary in BOUNDARIES]
        assert batch.until_killed("run", "jobs.csv", *options, kill=kills[0]) == -signal.SIGKILL
        killed = [batch.until_killed("resume", "jobs.csv", "--yes", kill=kill) for kill in kills[1:]]
        assert killed.count(-signal.SIGKILL) >= len(kills) - 4  # uploads are over soon, and have no boundary left then
        for _ in range(8):
            batch.until_killed("resume", "jobs.csv", "--yes", after=chance.uniform(0.7, 3.0))
        for _ in range(10):
            begun = time.monotonic()
            batch.until_killed("resume", "jobs.csv", "--yes")
            rows = batch.rows()
            made = tasks_by_row(sim)
            uncertain = [row["row"] for row in rows if row["state"] == "uncertain"]
            assert not [row for row in uncertain if made[row]], "no row is uncertain for which a task exists"
            for row in uncertain:
                batch.until_killed("resolve", "jobs.csv", str(row), "--send-again", "--yes")
            if all(row["state"] == "done" for row in rows):
                break
            batch.until_killed("retry-failed", "jobs.csv", "--yes")
            assert time.monotonic() - begun < 240
        assert {row["state"] for row in batch.rows()} == {"done"}
        assert tasks_by_row(sim) == Counter(range(1, rows_in_all + 1)), "each row has one task"
        references = [task.request["replyRef"] for task in tasks_of(sim)]
        assert len(set(references)) == rows_in_all
        assert sum(reference.startswith("mine~") for reference in references) == rows_in_all // 2
    assert batch.is_whole(rows_in_all)


FEW = 24


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_an_orderly_end_at_each_boundary_needs_nobody(tmp_path: Path, name: str) -> None:
    """On an account without history: each end has its code, and the last resume ends with 0, one task a row, all files whole."""
    number, chance = int(getattr(signal, name)), random.Random(name)
    sim = Simulator(max_jobs=6, credits=10**6, task_seconds=30)
    with SimulatorServer(sim, clock=RunningClock(SPEED)) as server:
        batch = Batch(tmp_path, server.base_url, FEW)
        options = ["--yes", "--max-jobs", "6", "--poll-interval", "5", "--settle", "60"]
        kills = [f"{boundary}:{chance.randint(1, 2)}" for boundary in BOUNDARIES]
        codes = [batch.until_killed("run", "jobs.csv", *options, kill=kills[0], by=number)]
        codes += (batch.until_killed("resume", "jobs.csv", "--yes", kill=kill, by=number) for kill in kills[1:])
        assert set(codes) <= {0, 130}, codes
        assert codes.count(130) >= 9
        assert batch.until_killed("resume", "jobs.csv", "--yes") == 0, batch.left()
    assert tasks_by_row(sim) == Counter(range(1, FEW + 1))
    assert batch.is_whole(FEW)


SIXTY = 60
KILLED = [*(("sqlite", seed) for seed in range(20)), *(("postgresql", seed) for seed in range(6))]


@pytest.mark.parametrize(("database", "seed"), KILLED, indirect=["database"])
def test_random_kills_need_nobody(tmp_path: Path, database: str, seed: int) -> None:
    """Four SIGKILLs at random moments, a faulty service: resume ends with 0, sixty tasks, sixty whole files, nobody asked."""
    chance = random.Random(seed)
    sim = faulty(lost=0.005, cut=0.02)  # several in turn would be told as a failure
    with SimulatorServer(sim, clock=RunningClock(SPEED)) as server:
        batch = Batch(tmp_path, server.base_url, SIXTY, database)
        options = ["--yes", "--max-jobs", "12", "--poll-interval", "5", "--settle", "60"]

        def go_on(after: float | None = None) -> int:
            code = batch.until_killed("resume", "jobs.csv", "--yes", after=after)
            if code == 2:  # it had not begun
                code = batch.until_killed("run", "jobs.csv", *options, after=after)
            return code

        for _ in range(4):
            go_on(after=chance.uniform(1.5, 4.5))
        assert go_on() == 0, batch.left()
    assert tasks_by_row(sim) == Counter(range(1, SIXTY + 1))
    assert batch.is_whole(SIXTY)


@pytest.mark.usefixtures("unreadable_at_first")
def test_tasks_that_cannot_be_read_at_first(tmp_path: Path) -> None:
    """404 for the first minute of each task, in a batch that is killed meanwhile: all are done, and none is made anew."""
    sim = Simulator(max_jobs=6, credits=10**6, task_seconds=30)
    with SimulatorServer(sim, clock=RunningClock(SPEED)) as server:
        batch = Batch(tmp_path, server.base_url, FEW)
        options = ["--yes", "--max-jobs", "6", "--poll-interval", "5", "--settle", "60"]
        batch.until_killed("run", "jobs.csv", *options, kill="create:after:5")
        batch.until_killed("resume", "jobs.csv", "--yes", kill="wait:before:4")
        assert batch.until_killed("resume", "jobs.csv", "--yes") == 0, batch.left()
    assert tasks_by_row(sim) == Counter(range(1, FEW + 1))
    assert batch.is_whole(FEW)


def test_a_journal_that_was_lost_after_ten_paid_rows(tmp_path: Path) -> None:
    """Deleted, and begun anew: it stops with the count, `--adopt` takes what is paid, and pays for the rest alone."""
    sim = Simulator(max_jobs=6, credits=10**6, task_seconds=30)
    with SimulatorServer(sim, clock=RunningClock(SPEED)) as server:
        batch = Batch(tmp_path, server.base_url, FEW)
        options = ["--yes", "--max-jobs", "6", "--poll-interval", "5"]
        batch.until_killed("run", "jobs.csv", *options, kill="create:after:10")
        paid = sum(tasks_by_row(sim).values())
        assert paid >= 10
        shutil.rmtree(tmp_path / ".useapi-runwayml")
        shutil.rmtree(tmp_path / "results", ignore_errors=True)
        process = batch.start("run", "jobs.csv", *options)
        out, told = process.communicate(timeout=60)
        assert process.returncode == 2
        assert f"{paid} of {FEW} rows have a task at the service already" in out
        assert "--adopt takes them" in told
        assert sum(tasks_by_row(sim).values()) == paid
        assert batch.until_killed("run", "jobs.csv", *options, "--adopt") == 0, batch.left()
    assert tasks_by_row(sim) == Counter(range(1, FEW + 1))
    assert batch.is_whole(FEW)
