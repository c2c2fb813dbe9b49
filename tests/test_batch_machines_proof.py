"""The proof that a batch survives anything on several machines: workers killed, stopped and cut off, the database killed, clocks apart."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from useapi_runwayml.batch.tables import WORKERS
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .postgres import Postgres
from .test_batch_proof import SPEED, Batch, faulty, tasks_by_row, tasks_of

pytestmark = [
    pytest.mark.proof,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="there is no SIGSTOP"),
]
ROWS = 120
SLOTS = 8
CREDITS = 25
AN_HOUR = 3600.0


class Machines:
    """A batch in PostgreSQL, and workers that run it."""

    def __init__(self, folder: Path, postgres: Postgres, sim: Simulator, base_url: str) -> None:
        self.sim = sim
        self.database = postgres.new()
        self.batch = Batch(folder, base_url, ROWS, self.database)
        options = [
            "--max-jobs",
            str(SLOTS),
            "--poll-interval",
            "5",
            "--settle",
            "60",
            "--max-credits",
            str(ROWS * CREDITS),
        ]
        assert self.batch.until_killed("run", "jobs.csv", "--yes", "--no-work", *options) == 0
        self.workers: list[subprocess.Popen[str]] = []

    def work(self, **how: Any) -> subprocess.Popen[str]:
        self.workers.append(self.batch.start("worker", "--until-done", **how))
        return self.workers[-1]

    def join(self, **how: Any) -> subprocess.Popen[str]:
        """One more worker, for which the others stand still until it is known: however long it takes to begin, most rows are left then."""
        before = self.known()
        others = [each for each in self.workers if each.poll() is None]
        for each in others:
            each.send_signal(signal.SIGSTOP)
        try:
            joined = self.work(**how)
            until(lambda: self.known() > before, lambda: "it never joined")
        finally:
            for each in others:
                each.send_signal(signal.SIGCONT)
        return joined

    def known(self) -> int:
        """How many workers the database has heard of."""
        with psycopg.connect(self.database) as connection:
            found = connection.execute(f"select count(*) from {WORKERS}").fetchone()
        return found[0] if found else 0

    def states(self) -> Counter[str]:
        return Counter(row["state"] for row in self.batch.rows())

    def files(self) -> int:
        """How many rows have their file: soon after, they are done."""
        return len([*self.batch.results.glob("*.mp4")])

    def until_done(self, rows: int) -> None:
        until(lambda: self.files() >= rows, self.batch.left, seconds=250)

    def end(self, *codes: int) -> None:
        """All workers end, with these codes in any order, and nobody sees a traceback or a password."""
        found, last = [], ""
        for each in self.workers:
            _, told = each.communicate(timeout=300)
            assert "Traceback" not in told, told
            assert "s3cr3t" not in told
            found.append(each.returncode)
            last += f"{each.returncode}: {told[-1000:]}\n"
        assert sorted(found) == sorted(codes), last


def until(condition: Callable[[], bool], left: Callable[[], object], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, left()
        time.sleep(0.1)


@pytest.fixture
def machines(tmp_path: Path, postgres: Postgres) -> Iterator[Machines]:
    """With a faulty service."""
    sim = faulty(lost=0.005, cut=0.02)
    with SimulatorServer(sim, clock=RunningClock(SPEED)) as server:
        yield Machines(tmp_path, postgres, sim, server.base_url)


def check(machines: Machines) -> None:
    """No row with two tasks, never more tasks than slots, credits within the limit, every row done, no file half."""
    sim = machines.sim
    tasks = tasks_of(sim)
    assert machines.states() == {"done": ROWS}, machines.batch.left()
    assert tasks_by_row(sim) == Counter(range(1, ROWS + 1))
    assert machines.batch.is_whole(ROWS)
    changes = [change for task in tasks for change in ((task.created, 1), (task.created + task.plan.ends, -1))]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    assert most <= SLOTS
    assert sum(account.spent for account in sim.state.accounts.values()) <= ROWS * CREDITS


def test_three_workers_of_which_one_is_killed(machines: Machines) -> None:
    """Its rows go on with the others, within five seconds, by clocks that are an hour apart."""
    killed = machines.work(kill="post:after:3")
    machines.work(ahead=AN_HOUR)
    machines.work(ahead=-AN_HOUR)
    assert killed.wait(60) == -signal.SIGKILL
    machines.end(0, 0, -signal.SIGKILL)
    check(machines)


@pytest.mark.parametrize("point", ["intent:before", "post:before", "check:after", "post:after"])
def test_a_worker_that_stops_and_wakes_doubles_nothing(machines: Machines, point: str) -> None:
    """Stopped for longer than everything, it keeps its lock and its rows; woken, it goes on with them."""
    machines.work()
    machines.work()
    machines.until_done(1)  # so that not all slots are those of the one that stops
    stopped = machines.join(kill=f"{point}:2", by=int(signal.SIGSTOP))
    until_stopped(stopped)
    machines.until_done(ROWS - 3 * SLOTS)
    time.sleep(5)  # many times as long as anything lasts, at this speed, and longer than a beat may be missing
    assert machines.states()["done"] < ROWS, "its rows are its own"
    os.kill(stopped.pid, signal.SIGCONT)
    machines.end(0, 0, 0)
    check(machines)


def until_stopped(process: subprocess.Popen[str]) -> None:
    stat = Path(f"/proc/{process.pid}/stat")
    until(lambda: stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T", lambda: "it never stopped")


def test_the_database_is_killed_and_comes_back(machines: Machines, postgres: Postgres) -> None:
    """All locks vanish and all workers live: nobody is taken for gone, each takes its lock again and goes on."""
    for _ in range(3):
        machines.work()
    for seconds in (1, 4):  # the second time longer than a beat may be missing: each is in doubt then
        machines.until_done(min(ROWS, machines.files() + 5))
        postgres.kill()
        time.sleep(seconds)
        postgres.start()
    machines.end(0, 0, 0)
    check(machines)


def test_connections_that_are_cut(machines: Machines, postgres: Postgres) -> None:
    """Of all workers, the locks' own among them, again and again: they come back, and nothing is doubled."""
    for _ in range(3):
        machines.work()
    end = time.monotonic() + 100
    while machines.files() < ROWS and time.monotonic() < end:
        postgres.cut(machines.database)
        time.sleep(1.5)
    machines.end(0, 0, 0)
    check(machines)


def test_everything_at_once(machines: Machines, postgres: Postgres) -> None:
    """One is killed, one stops, the database is killed, a fourth joins; the stopped one wakes when all else is over."""
    machines.work()
    killed = machines.work(kill="create:after:3", ahead=-AN_HOUR)
    machines.until_done(1)
    stopped = machines.join(kill="post:before:2", by=int(signal.SIGSTOP), ahead=AN_HOUR)
    until_stopped(stopped)
    assert killed.wait(60) == -signal.SIGKILL
    postgres.kill()
    postgres.start()
    machines.work()
    machines.until_done(ROWS - 2 * SLOTS)
    os.kill(stopped.pid, signal.SIGCONT)
    machines.end(0, 0, 0, -signal.SIGKILL)
    check(machines)
