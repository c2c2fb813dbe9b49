"""What a run has told so far: a bar on a terminal, lines elsewhere, JSON for machines, and how to go on, all from one stream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from .. import Progress
from .._seam import Pace, SystemClock
from ..errors import SubmissionUnknownError, TaskCancelledError, TaskFailedError, TaskOutputMissingError
from . import output
from .exits import find_command, hinting

if TYPE_CHECKING:
    from .bars import Bar

LOST = ("FAILED", "CANCELLED")  # ends of which nothing is done
FINAL = ("SUCCEEDED", *LOST)
ENDED = (TaskFailedError, TaskCancelledError, TaskOutputMissingError)
UNPAID = ("inspect", "upload")
TRANSFERS = ("upload", "download")
DOING = {
    "inspect": "looking",
    "upload": "uploading",
    "create": "creating",
    "created": "created",
    "download": "downloading",
}


def share_of(progress: Progress) -> float | None:
    """How much of the stage is done; None when nobody knows, and for what came to nothing."""
    if progress.stage in TRANSFERS:
        return (
            progress.bytes_done / progress.bytes_total
            if progress.bytes_total and progress.bytes_done is not None
            else None
        )
    if progress.stage == "done":
        return 1.0
    return progress.ratio if progress.stage == "waiting" and progress.status not in (None, "PENDING", *LOST) else None


def size_of(amount: float) -> str:
    """Bytes as people read them."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if amount >= size:
            return f"{amount / size:.1f} {unit}"
    return f"{amount:.0f} bytes"


def time_of(seconds: float) -> str:
    """A time as people read it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def name_of(progress: Progress) -> str:
    """What is going on, in a word."""
    if progress.stage == "waiting":
        return progress.status or "waiting"
    return DOING.get(progress.stage, progress.stage)


def details_of(progress: Progress) -> str:
    """How far it is, how fast, and for how long still, as far as that is known."""
    share = share_of(progress)
    parts = [] if share is None else [f"{share:.0%}"]
    if progress.stage in TRANSFERS and progress.bytes_done is not None:
        whole = "" if progress.bytes_total is None else f" of {size_of(progress.bytes_total)}"
        parts.append(f"{size_of(progress.bytes_done)}{whole}")
        if progress.bytes_done and progress.elapsed_seconds > 0:
            parts.append(f"{size_of(progress.bytes_done / progress.elapsed_seconds)}/s")
    if progress.status == "PENDING" and progress.stage == "waiting" and progress.eta_seconds:
        parts.append(f"starts in {time_of(progress.eta_seconds)}")
    elif progress.seconds_left:
        parts.append(f"{time_of(progress.seconds_left)} left")
    if progress.stage == "done":
        parts.append(f"in {time_of(progress.elapsed_seconds)}")
    return ", ".join(parts)


def line_of(progress: Progress) -> str:
    """What is going on, as a line of its own; empty for what another line tells."""
    stage, details = progress.stage, details_of(progress)
    if stage == "upload":
        sent = size_of(progress.bytes_total or progress.bytes_done or 0)
        return (
            f"Uploaded: {progress.asset_id}"
            if progress.asset_id
            else f"Uploading{f' {sent}' if sent[0] != '0' else ''}"
        )
    if stage == "waiting":
        return f"{progress.status or 'waiting'}{f' {details}' if details and progress.status not in FINAL else ''}"
    return {
        "create": "Creating the task",
        "created": f"Created: {progress.task_id}",
        "download": "Downloading",
        "done": f"Done in {time_of(progress.elapsed_seconds)}",
    }.get(stage, "")


class Story:
    """Hears the stream. `last` is what it told last, before it told that it had failed."""

    def __init__(self, bar: Bar | None, say: Callable[[str], None], receipt: bool) -> None:
        self.last = Progress("", None, None, None, 0.0, "inspect")
        self._bar = bar
        self._say = say
        self._receipt = receipt
        self._told: tuple[object, ...] = ()
        self._clock = SystemClock()

    def __call__(self, progress: Progress) -> None:
        if progress.stage != "failed":
            self.last = progress
        if self._bar is not None:
            self._bar.show(progress, name_of(progress), share_of(progress), details_of(progress))
        new = progress.stage, progress.status if progress.stage == "waiting" else None, progress.asset_id
        if new == self._told:
            return
        self._tell(
            line_of(progress), {name: value for name, value in progress._asdict().items() if value not in (None, "")}
        )
        if progress.stage == "created" and self._receipt:
            (self._bar.give if self._bar is not None else output.say)(f"Task: {progress.task_id}")
        if progress is self.last:
            self._told = new

    def remark(self, line: str, **known: Any) -> None:
        """Something else that is worth a line."""
        if self._bar is not None:
            self._bar.say(line)
        else:
            self._tell(line, known)

    def bytes_of(self, stage: Any, task_id: str = "") -> Callable[[int, int | None], None]:
        """What hears the bytes of a transfer that is no part of a run."""
        begun, pace = self._clock.monotonic(), Pace()
        pace.left(begun, 0, 1)

        def moved(done: int, total: int | None) -> None:
            now = self._clock.monotonic()
            left = pace.left(now, done, total)
            self(Progress(task_id, None, None, None, now - begun, stage, done, total, left))

        return moved

    def hint(self, error: BaseException, reply_ref: str, resume: Callable[[str], str]) -> str:
        """How to go on, by what is known by now. A task that has ended without a result goes on nowhere."""
        if isinstance(error, ENDED):
            return ""
        if self.last.task_id:
            return resume(self.last.task_id)
        if isinstance(error, SubmissionUnknownError):
            return f"Find it with: {find_command(error.reply_ref)}"
        if not isinstance(error, KeyboardInterrupt):
            return ""
        if self.last.stage in UNPAID:
            return "Nothing was created, and nothing paid for: run it again"
        return f"If the task was created, this finds it: {find_command(reply_ref)}"

    def _tell(self, line: str, known: dict[str, Any]) -> None:
        if self._bar is not None:
            return
        if output.is_json():
            output.emit_aside(known)
        elif line:
            self._say(line)


@contextlib.contextmanager
def telling(*, say: Callable[[str], None] = output.remark, receipt: bool = False) -> Iterator[Story]:
    """A story for as long as the block lasts: on a terminal it is a bar. `receipt` gives the task's id on standard output."""
    if output.is_json() or not output.is_terminal():
        yield Story(None, say, receipt)
        return
    from .bars import Bar

    with Bar() as bar:
        yield Story(bar, say, receipt)


@contextlib.contextmanager
def resuming(story: Story, reply_ref: str, resume: Callable[[str], str]) -> Iterator[None]:
    """Whatever leaves the block tells how to go on, where the run was, and what is known of its task."""
    try:
        with hinting(lambda error: story.hint(error, reply_ref, resume)):
            yield
    except (Exception, KeyboardInterrupt) as error:
        error.__dict__["stage"] = story.last.stage
        if isinstance(error, KeyboardInterrupt) and story.last.stage not in UNPAID:
            story(story.last)  # it may have come before that was told
            error.__dict__.update(task_id=story.last.task_id, reply_ref=reply_ref)
        raise
