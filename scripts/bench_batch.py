#!/usr/bin/env python3
"""One batch in a process of its own, for bench.py: scripts/bench_batch.py ROWS SLOTS SPEED BASE_URL [--first-post | --worker] [--database URL].

Prints how long the checks and the start took, how much memory the process had at the most, and the seconds of CPU from the start to the end.
--first-post ends at the first create, --worker is one more beside it. ROWS --begin FOLDER leaves a batch in a folder, without running it,
ROWS --store tells what rows ask of the store alone. scripts/bench_batch.py --command …
is the command line, which prints what it took on standard error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def memory() -> float:
    """The most megabytes that this process had."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def cpu() -> float:
    """The seconds that this process had of the processor."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def command(arguments: list[str]) -> None:
    from useapi_runwayml.__main__ import main as run

    sys.argv[1:] = arguments
    try:
        run()
    except SystemExit as end:
        if end.code:
            raise
    print(json.dumps({"cpu": cpu(), "megabytes": memory()}), file=sys.stderr)


def jobs_in(folder: Path, rows: int) -> Path:
    """A jobs file, with the clip that all its rows name."""
    (folder / "c.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(5000))
    path = folder / "jobs.csv"
    lines = "".join(f"c.mp4,row {row},5\n" for row in range(rows))
    path.write_text(f"video,prompt,seconds\n{lines}", encoding="utf-8")
    return path


def begin(rows: int, folder: Path) -> None:
    """A jobs file, and its batch as `batch run` begins it."""
    from useapi_runwayml.batch.comparing import Reading
    from useapi_runwayml.batch.identity import with_keys
    from useapi_runwayml.batch.journal import Journal
    from useapi_runwayml.batch.ledger import Settings
    from useapi_runwayml.batch.results import digest_of
    from useapi_runwayml.batch.rows import read_jobs

    path = jobs_in(folder, rows)
    reading = Reading(digest_of(path), str(folder / "results" / "jobs"))
    jobs, problems = reading.check(read_jobs(path), folder)
    assert not problems
    project = folder / ".useapi-runwayml" / "jobs.csv"
    project.mkdir(parents=True)
    journal = Journal(project)
    journal.prepare()
    journal.add(with_keys(jobs), Settings(max_jobs=5), reading)
    journal.close()


def main(rows: int, slots: int, speed: float, base_url: str, database: str, first_post: bool) -> None:
    os.environ.update(USEAPI_TOKEN="user:4242-simulated", USEAPI_RUNWAYML_BASE_URL=base_url)
    from useapi_runwayml.batch import checks, runner
    from useapi_runwayml.batch.clock import BatchClock
    from useapi_runwayml.batch.identity import with_keys
    from useapi_runwayml.batch.ledger import Settings
    from useapi_runwayml.batch.rows import read_jobs

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = jobs_in(folder, rows)
        begun = time.perf_counter()
        jobs, problems = checks.check(read_jobs(path), folder, folder / "results", {})
        assert not problems
        checked = time.perf_counter()
        journal = journal_in(folder, database)
        journal.prepare()
        journal.add(with_keys(jobs))

        def on_event(job: checks.Job | None, state: str, why: str) -> None:
            if first_post and state == "submitting":
                told = {"checks": checked - begun, "first_post": time.perf_counter() - checked, "megabytes": memory()}
                print(json.dumps(told), flush=True)
                os._exit(0)

        before = cpu()
        settings = Settings(max_jobs=slots, poll_interval=1)
        ended = runner.run(journal, settings, clock=BatchClock(speed), on_event=on_event)
        spent = cpu() - before
        journal.close()
        assert {each.state for each in ended} == {"done"}
        print(json.dumps({"megabytes": memory(), "cpu": spent}))


def journal_in(folder: Path, database: str) -> Any:
    from useapi_runwayml.batch.journal import Journal
    from useapi_runwayml.batch.places import Database, Folder

    return Journal(Database.of(database, "bench") if database else Folder(folder), folder)


def worker(speed: float, base_url: str, database: str) -> None:
    """One more worker on a batch that another process puts into the database."""
    os.environ.update(USEAPI_TOKEN="user:4242-simulated", USEAPI_RUNWAYML_BASE_URL=base_url)
    from useapi_runwayml.batch import runner
    from useapi_runwayml.batch.clock import BatchClock

    with tempfile.TemporaryDirectory() as name:
        jobs_in(Path(name), 1)
        journal = journal_in(Path(name), database)
        while not (journal.has_tables() and journal.options()):
            time.sleep(0.1)
        runner.work(journal, until_done=True, clock=BatchClock(speed))
        journal.close()


def store(rows: int, database: str) -> None:
    """What a row's life asks of the store, and nothing else."""
    import asyncio

    from useapi_runwayml.batch.accounts import Account
    from useapi_runwayml.batch.checks import Job
    from useapi_runwayml.batch.ledger import Ledger, Settings

    with tempfile.TemporaryDirectory() as name:
        journal = journal_in(Path(name), database)
        journal.prepare()
        journal.add([Job(row, row, "c.mp4", "x", f"{row}.mp4") for row in range(1, rows + 1)], Settings(max_jobs=5))
        ledger = Ledger(journal.transactions, "bench", journal.root)
        account = Account("a", journal.transactions)

        async def one(workflow: str) -> None:
            row = await ledger.take(workflow)
            assert row is not None
            await account.take(row)
            await ledger.intend(row, {"reply_ref": workflow}, 25)
            row.facts.task_id, row.facts.intent = workflow, None
            await ledger.save(row)
            await ledger.leave(row, 60)
            await ledger.save(row)
            row.facts.end({"state": "done"})
            await ledger.leave(row, 60)

        async def all_rows() -> None:
            for each in journal.facts():
                await one(journal.workflow(each.job))

        before, begun = cpu(), time.perf_counter()
        asyncio.run(all_rows())
        told = {"rows_a_second": rows / (time.perf_counter() - begun), "cpu": cpu() - before}
        journal.close()
        print(json.dumps(told))


def given(option: str) -> str:
    return sys.argv[sys.argv.index(option) + 1] if option in sys.argv else ""


if __name__ == "__main__":
    if sys.argv[1] == "--command":
        command(sys.argv[2:])
    elif "--begin" in sys.argv:
        begin(int(sys.argv[1]), Path(sys.argv[3]))
    elif "--store" in sys.argv:
        store(int(sys.argv[1]), given("--database"))
    elif "--worker" in sys.argv:
        worker(float(sys.argv[3]), sys.argv[4], given("--database"))
    else:
        rows, slots, speed, base_url = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
        main(rows, slots, speed, base_url, given("--database"), "--first-post" in sys.argv)
