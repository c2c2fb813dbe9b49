"""Pure: whether a create whose outcome is unknown exists, may be sent again, or stays uncertain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .._seam import same_reference

if TYPE_CHECKING:
    from useapi_runwayml_api.models.scheduled_task import ScheduledTask
    from useapi_runwayml_api.models.task import Task

CLOCK_SLACK = 5.0  # a Date header tells whole seconds
LONG_AGO = 26 * 3600.0
"""Seconds before the intent: what is older is not ours, by whosever clock, and in whatever time zone, it was dated."""


@dataclass(frozen=True)
class Verdict:
    """`found` has the task; `absent` may be sent again; `early` is to be asked again later; `uncertain` is for a person."""

    kind: Literal["found", "absent", "early", "uncertain"]
    task_id: str = ""
    why: str = ""


def judge(
    reply_ref: str,
    tracked: Sequence[ScheduledTask],
    listed: Sequence[Task],
    *,
    intended_at: float | None,
    elapsed: float | None,
    settle: float,
    is_whole: bool,
) -> Verdict:
    """What the scheduler and the list say of a replyRef that is ours alone.

    `intended_at` is the moment of the intent on the service's clock, in seconds since 1970, if that is known, and `elapsed` the time since it
    by the same clock. That nothing bears the reference counts only once `settle` seconds have passed, and if the list proves that it
    would show it: it is the whole list, or has tasks from before the intent; it shows replyRefs, or nothing that could be ours; and it
    is not in an order that could hide the newest.
    """
    entries = [
        *((each.task_id, each.reply_ref) for each in tracked),
        *((each.task_id, each.reply_ref) for each in listed),
    ]
    bearing = {task_id for task_id, reference in entries if same_reference(reference, reply_ref) and task_id}
    if len(bearing) == 1:
        return Verdict("found", task_id=str(bearing.pop()))
    if bearing:
        return Verdict(
            "uncertain", why=f"{len(bearing)} tasks bear its replyRef: {', '.join(sorted(map(str, bearing)))}"
        )
    if elapsed is None or elapsed < settle:
        return Verdict("early")
    after = -math.inf if intended_at is None else intended_at - LONG_AGO
    may_be_ours = any(not each.created_at or each.created_at.timestamp() >= after for each in listed)
    if may_be_ours and not any(each.reply_ref for each in listed):
        return Verdict("uncertain", why="the list of tasks shows no replyRef, so that it proves nothing")
    if is_whole:
        return Verdict("absent")
    created = [each.created_at.timestamp() for each in listed if each.created_at]
    if not created or intended_at is None or min(created) > intended_at - CLOCK_SLACK:
        return Verdict("uncertain", why="the list of tasks does not reach back before the create")
    if created != sorted(created, reverse=True):
        return Verdict("uncertain", why="the list of tasks is not newest first, so that it may leave out the newest")
    return Verdict("absent")
