"""What callers of a batch are told: rows as they are, and what happens while they run."""

from __future__ import annotations

from pathlib import Path

import pytest

from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.facts import ENDS, Facts
from useapi_runwayml.batch.telling import BatchProgress, Listener, Stopped, told

JOB = Job(3, 4, "c.mp4", "x", "3.mp4", parameters={"seconds": 5})


@pytest.mark.parametrize("state", [*ENDS, "queued", "waiting"])
def test_a_row_tells_its_reason_or_what_it_waits_for(state: str) -> None:
    """The reason once it is over; before, an earlier attempt's is none."""
    row = told(Facts(JOB, state, why="its reason"), "what it waits for")
    assert row.why == ("its reason" if state in ENDS else "what it waits for")
    assert row.path == (Path("3.mp4") if state == "done" else None)
    assert (row.state, row.row, row.line, row.credits, row.video_seconds) == (state, 3, 4, 25, 5)


def test_progress_counts_the_rows_that_are_over() -> None:
    """Each once, those that were over before too; an account or the service is no row."""
    heard = list[BatchProgress]()
    listener = Listener(heard.append)
    listener(JOB, "done", "")
    listener.begin([1, 2], 7)
    for job, state in ((JOB, "waiting"), (None, "the service"), (None, "failed"), (JOB, "done"), (JOB, "done")):
        listener(job, state, "why")
    assert heard == [
        BatchProgress(3, 4, "done", "", 1, 0),
        BatchProgress(3, 4, "waiting", "why", 2, 7),
        BatchProgress(None, None, "the service", "why", 2, 7),
        BatchProgress(None, None, "failed", "why", 2, 7),
        BatchProgress(3, 4, "done", "why", 3, 7),
        BatchProgress(3, 4, "done", "why", 3, 7),
    ]


def test_what_a_listener_raises_ends_the_run_and_it_hears_no_more() -> None:
    """Not in the midst of a row; and so does whoever says stop."""
    error, calls = KeyboardInterrupt(), list[BatchProgress]()

    def broken(progress: BatchProgress) -> None:
        calls.append(progress)
        raise error

    listener = Listener(broken)
    listener.check()
    listener(JOB, "waiting", "")
    listener(JOB, "done", "")
    assert listener.error is error
    assert len(calls) == 1
    stopped = Listener(None)
    stopped(JOB, "waiting", "")
    stopped.check()
    stopped.is_stopped = True
    for each in (listener, stopped):
        with pytest.raises(Stopped):
            each.check()
