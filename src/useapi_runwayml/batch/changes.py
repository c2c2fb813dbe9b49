"""Pure: what resume, retry-failed and resolve add to a batch. Nothing is ever changed, only further attempts of rows begin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from .checks import Job
from .facts import Facts

Decision = Literal["adopt", "send again", "give up"]
TAKEN_UP_AGAIN = ("upload", "wait", "download")  # with a task: an older version uploaded once more, in vain
OPEN = ("queued", "uploaded", "submitting")


def next_attempt(
    known: Facts, *, task_id: str | None, decision: str | None = None, intent: Mapping[str, Any] | None = None
) -> Job:
    """A further attempt of a row, from its task on if it has one."""
    return replace(
        known.job,
        attempt=known.job.attempt + 1,
        task_id=task_id,
        reply_ref=known.reply_ref if task_id or intent else None,
        decision=decision,
        intent=intent,
    )


def to_resume(latest: Sequence[Facts]) -> list[Job]:
    """Rows that a gate held, those whose task is there but not its file, and uncertain ones, which are looked for once more."""
    taken_up = [
        next_attempt(each, task_id=each.task_id)
        for each in latest
        if each.state == "held" or (each.state == "failed" and each.stage in TAKEN_UP_AGAIN and each.task_id)
    ]
    looked_for = [
        next_attempt(each, task_id=None, intent=each.intent)
        for each in latest
        if each.state == "uncertain" and each.intent is not None
    ]
    return taken_up + looked_for


def to_retry(latest: Sequence[Facts]) -> list[Job]:
    """Rows that failed: from their task on where that may still give its file, else with a new create, which is paid.

    What moderation refused is left out: the same prompt would be refused again, and counts against the account.
    """
    return [
        next_attempt(each, task_id=each.task_id if each.stage in TAKEN_UP_AGAIN else None)
        for each in latest
        if each.state == "failed" and each.stage != "moderation"
    ]


def to_pay(latest: Sequence[Facts], more: Sequence[Job]) -> list[Job]:
    """What a run of these rows, with these further attempts, may pay for: every row that has no task yet, unless it is over."""
    again = {each.row for each in more}
    left = [each.job for each in latest if each.state in OPEN and each.job.row not in again and each.task_id is None]
    return sorted([*left, *(each for each in more if each.task_id is None)], key=lambda job: job.row)


def unfit(task_id: str, row: int, rows: Iterable[Facts]) -> str:
    """Why an uncertain row cannot have this task; empty if it can."""
    if any(letter.isspace() or not letter.isprintable() for letter in task_id):
        return "it is no id of a task"
    owner = next((each.job.row for each in rows if each.task_id == task_id and each.job.row != row), None)
    return "" if owner is None else f"it is the task of row {owner}"


def resolved(known: Facts, decision: Decision, task_id: str | None) -> Job:
    """What a person decided of an uncertain row."""
    if known.state != "uncertain":
        raise ValueError(f"row {known.job.row} is not uncertain, it is {known.state}")
    return next_attempt(known, task_id=task_id if decision == "adopt" else None, decision=decision)
