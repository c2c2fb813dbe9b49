"""Pure: what the state of a task means, and when to ask again. No I/O."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from useapi_runwayml_api.creations.base import Progress

from ..errors import TaskCancelledError, TaskFailedError, TaskModeratedError, WaitTimeoutError

if TYPE_CHECKING:
    from useapi_runwayml_api.models.task import Task

FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
ACTIVE = ("PENDING", "RUNNING", "THROTTLED")
SHORTEST = 5.0
LONGEST = 30.0
THROTTLED_PAUSE = 60.0
CALLED_BACK = (15.0, 60.0)
"""How soon and how late to ask for a task of which a callback is expected to tell, and may not."""


def is_final(task: Task) -> bool:
    """Whether the task has ended. A status that is not known means that it goes on."""
    return task.status in FINAL


def progress_of(task: Task, task_id: str, elapsed: float) -> Progress:
    ratio = task.progress_ratio
    if ratio is not None:
        ratio = min(1.0, max(0.0, ratio))
    return Progress(task_id, task.status, ratio, task.estimated_time_to_start_seconds, elapsed)


def outcome(task: Task, task_id: str) -> Task:
    """The task, if it succeeded; raises what it came to otherwise."""
    if task.status == "FAILED":
        raise failed(task, task_id)
    if task.status == "CANCELLED":
        raise TaskCancelledError(f"Task {task_id} was cancelled", task_id=task_id, task=task)
    return task


def failed(task: Task, task_id: str) -> TaskFailedError:
    """The error of a task that ended as FAILED: its reason and category where given."""
    error = task.error
    reason = error.reason if error else None
    category = error.moderation_category if error else None
    told = (error.error_message or error.message or error.reason if error else None) or "no reason was given"
    moderated = bool(category) or str(reason or "").upper().startswith("SAFETY")
    kind = TaskModeratedError if moderated else TaskFailedError
    code = f" [{reason}]" if reason and reason != told else ""
    advice = ". Change the prompt or the video: moderated tasks count against the account" if moderated else ""
    return kind(
        f"Task {task_id} failed: {told}{code}{advice}", task_id=task_id, task=task, reason=reason, category=category
    )


def interval(task: Task | None, elapsed: float, poll_interval: float | None, *, is_called_back: bool = False) -> float:
    """Seconds until it is worth asking again, without jitter."""
    if poll_interval is not None:
        return poll_interval
    if is_called_back:
        soonest, latest = CALLED_BACK
        return min(latest, max(soonest, 2 * elapsed))
    if task is None:
        return SHORTEST
    if task.status == "THROTTLED":
        return THROTTLED_PAUSE
    expected = SHORTEST
    if task.status == "PENDING" and task.estimated_time_to_start_seconds:
        expected = task.estimated_time_to_start_seconds / 2
    elif task.progress_ratio and 0 < task.progress_ratio < 1:
        expected = elapsed * (1 - task.progress_ratio) / task.progress_ratio / 2
    return min(LONGEST, max(SHORTEST, expected)) if math.isfinite(expected) else SHORTEST


def jittered(seconds: float, uniform: Callable[[float, float], float]) -> float:
    """Up to a fifth more, so that many clients do not ask in step; never less."""
    return seconds * uniform(1.0, 1.2)


def timed_out(
    task_ids: list[str], timeout: float, last: Task | None, trouble: BaseException | None
) -> WaitTimeoutError:
    """The error at the deadline; the job itself goes on."""
    shown = ", ".join(task_ids[:3]) + (f" and {len(task_ids) - 3} more" if len(task_ids) > 3 else "")
    state = f" (last seen {last.status})" if last is not None else ""
    why = f"; the last look failed: {trouble}" if trouble is not None else ""
    return WaitTimeoutError(
        f"No end after {timeout:g} s of {shown}{state}. It goes on at the service: wait for the id again, do not create anew{why}",
        task_ids=task_ids,
        task=last,
    )
