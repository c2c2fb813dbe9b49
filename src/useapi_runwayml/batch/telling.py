"""What callers are told: rows, and what happens to them while they run."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checks import Job
from .facts import ENDS, Facts


@dataclass(frozen=True)
class BatchRow:
    """One row of a batch, as it is by now.

    `row` counts the rows of the batch from 1, `line` is its line in the jobs file (its number among jobs from Python), `attempt` counts
    the times that it was begun. `state` is `queued`, `uploaded`, `submitting`, `waiting` or `downloading` while it is under way, and then
    `done`, `failed`, `held`, `uncertain` or `given up`; `why` tells the reason in words, or what it waits for, `error` the kind of the
    reason (the name of an error of this package, where it was one), and `stage` where it failed. `output` is where the result goes.
    `seconds` are those that its task took, `bytes` is the size of the result. `credits` is what its create costs, and `video_seconds` the length of
    what it makes, None where nobody knows.
    """

    row: int
    line: int
    attempt: int
    state: str
    stage: str
    why: str
    error: str
    endpoint: str
    video: str
    prompt: str
    output: str
    asset_id: str | None
    task_id: str | None
    reply_ref: str | None
    seed: int | None
    seconds: float | None
    bytes: int | None
    credits: float | None
    video_seconds: float | None

    @property
    def path(self) -> Path | None:
        """The result, whole; None until the row is done."""
        return Path(self.output) if self.state == "done" else None

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON has it."""
        return {**vars(self)}


def told(row: Facts, waits_for: str = "") -> BatchRow:
    """A row for callers; what it waits for is told while it is under way."""
    job = row.job
    return BatchRow(
        row=job.row,
        line=job.line,
        attempt=job.attempt,
        state=row.state,
        stage=row.stage,
        why=row.why if row.state in ENDS else waits_for,
        error=row.error,
        endpoint=job.endpoint,
        video=job.video,
        prompt=job.prompt,
        output=job.output,
        asset_id=row.asset_id,
        task_id=row.task_id,
        reply_ref=row.reply_ref,
        seed=row.seed,
        seconds=row.seconds,
        bytes=row.bytes,
        credits=job.credits(),
        video_seconds=job.seconds(),
    )


@dataclass(frozen=True)
class BatchProgress:
    """Something has happened to a row, or to what all rows wait for: an account, the service, the database, which `state` names then, and `row` is None.

    `why` says it in words, and is empty when a wait is over. `rows_over` of `rows` have ended by now, as far as this process has seen.
    """

    row: int | None
    line: int | None
    state: str
    why: str
    rows_over: int
    rows: int


class Stopped(Exception):
    """Whoever looked on wants no more."""


class Listener:
    """Tells a caller's function, and keeps what it raises: that ends the run in an orderly way, and can do nothing to a row."""

    def __init__(self, on_progress: Callable[[BatchProgress], object] | None) -> None:
        self._on_progress = on_progress
        self._over: set[int] = set()
        self._rows = 0
        self.error: BaseException | None = None
        self.is_stopped = False

    def begin(self, over: Collection[int], rows: int) -> None:
        """These rows are over already, of so many."""
        self._over, self._rows = set(over), rows

    def __call__(self, job: Job | None, state: str, why: str) -> None:
        if job is not None and state in ENDS:
            self._over.add(job.row)
        if self._on_progress is None or self.error is not None:
            return
        row, line = (None, None) if job is None else (job.row, job.line)
        try:
            self._on_progress(BatchProgress(row, line, state, why, len(self._over), self._rows))
        except BaseException as error:  # noqa: BLE001  # Ctrl-C too: it is raised again, where no row is in the midst of something
            self.error = error

    def check(self) -> None:
        """Stopped once the function has raised, or somebody wants no more."""
        if self.error is not None or self.is_stopped:
            raise Stopped
