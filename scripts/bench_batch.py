#!/usr/bin/env python3
"""One batch in a process of its own, for bench.py: scripts/bench_batch.py ROWS SLOTS SPEED BASE_URL, or with --first-post.

Prints how long the checks and the start took, and how much memory the process had at the most.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path


def memory() -> float:
    """The most megabytes that this process had."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main(rows: int, slots: int, speed: float, base_url: str, first_post: bool) -> None:
    os.environ.update(USEAPI_TOKEN="user:4242-simulated", USEAPI_RUNWAYML_BASE_URL=base_url)
    from useapi_runwayml.batch import checks, runner
    from useapi_runwayml.batch.clock import BatchClock
    from useapi_runwayml.batch.journal import Journal
    from useapi_runwayml.batch.rows import read_jobs
    from useapi_runwayml.batch.steps import Settings

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "c.mp4").write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(5000))
        lines = "".join(f"c.mp4,row {row},5\n" for row in range(rows))
        (folder / "jobs.csv").write_text(f"video,prompt,seconds\n{lines}", encoding="utf-8")
        begun = time.perf_counter()
        jobs, problems = checks.check(read_jobs(folder / "jobs.csv"), folder, folder / "results", {})
        assert not problems
        checked = time.perf_counter()
        journal = Journal(folder)
        journal.prepare()
        journal.add(jobs)

        def on_event(job: checks.Job, state: str, why: str) -> None:
            if first_post and state == "submitting":
                told = {"checks": checked - begun, "first_post": time.perf_counter() - checked, "megabytes": memory()}
                print(json.dumps(told), flush=True)
                os._exit(0)

        ended = runner.run(
            journal, Settings(max_jobs=slots, poll_interval=0.5), clock=BatchClock(speed), on_event=on_event
        )
        journal.close()
        assert {each.state for each in ended} == {"done"}
        print(json.dumps({"megabytes": memory()}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], "--first-post" in sys.argv)
