"""Pure: finds the task of a create whose answer was lost, by its replyRef. Never sends the create again."""

from __future__ import annotations

import logging
import math
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import SubmissionUnknownError, UseapiError
from .answers import http_date, read
from .calls import call, limited
from .effects import Answer, Call, Core, Options, Send, Sleep
from .ids import email_of
from .surroundings import Context, Mark

if TYPE_CHECKING:
    from useapi_runwayml_api.models.task import Task

LOOKUP_PAUSE = 2.0
LOOKUP_PAGE = 100
CUT = 100
CLOCK_SLACK = timedelta(minutes=2)

log = logging.getLogger("useapi_runwayml")


class Intent(NamedTuple):
    """A create that is about to be sent, and how to recognise its task: `echoes` is what the task's options will show, `prompt` a name in it."""

    call: Call
    reply_ref: str
    is_callers: bool
    echoes: Mapping[str, Any]
    prompt: str
    email: str | None
    busy_timeout: float
    is_called_back: bool

    def accepted(self, context: Context, task_id: str) -> None:
        """Its task is known."""
        now = context.clock.monotonic()
        context.given_out.add(task_id, now)
        if self.is_called_back:
            context.called_back.add(task_id, now)


def look_up(context: Context, intent: Intent, mark: Mark, cause: UseapiError, posted: float) -> Core[Task]:
    """Looks for the task by its replyRef until `lookup_timeout`; never sends the create again."""
    log.info(
        "%s: outcome unknown (%s), looking for replyRef %s", intent.call.name, type(cause).__name__, intent.reply_ref
    )
    clock = context.clock
    deadline = clock.monotonic() + context.settings.lookup_timeout
    candidates: dict[str, Task | None] = {}
    others: set[str] = set()
    while True:
        yield from _gather(context, intent, candidates, others, posted, deadline)
        for task_id in [each for each in candidates if each in context.given_out]:  # meanwhile, to another create
            del candidates[task_id]
        unconfirmed = [task_id for task_id, task in candidates.items() if task is None]
        found = next(iter(candidates.values()), None)
        # beside another create with its reference nobody knows whose task it is
        if len(candidates) == 1 and found is not None and not mark.beside:
            log.info("%s: found as task %s", intent.call.name, found.task_id)
            intent.accepted(context, found.task_id)
            return found
        remaining = deadline - clock.monotonic()
        if (candidates and not unconfirmed and not mark.beside) or remaining <= 0:
            break
        yield Sleep(min(remaining, LOOKUP_PAUSE))
    told = "no task that bears it is known yet"
    if candidates:
        beside = ", and so does another create of this client" if mark.beside else ""
        told = f"{len(candidates)} task{' bears' if len(candidates) == 1 else 's bear'} it"
        told += beside
        told += f", {len(unconfirmed)} of them not confirmed ({', '.join(unconfirmed)})" if unconfirmed else ""
    raise SubmissionUnknownError(
        f"It is not known whether {intent.call.name} started a paid job: {cause}. By replyRef {intent.reply_ref!r}, {told}. "
        f"Look again with tasks.find({intent.reply_ref!r}) before creating anew",
        reply_ref=intent.reply_ref,
        candidates=tuple(candidates),
    ) from cause


def _gather(
    context: Context,
    intent: Intent,
    candidates: dict[str, Task | None],
    others: set[str],
    posted: float,
    deadline: float,
) -> Core[None]:
    """One round: what the scheduler and the list show with our replyRef.

    `others` are tasks of older creates, as are those that this client has given out. A candidate that is None bears the reference
    and could not be confirmed yet.
    """
    looked = False
    for request in look_up_calls(intent.email, limited(context, intent.call.options, deadline)):
        try:
            answer: Answer = yield Send(request)
            entries = read(answer, request)
        except UseapiError:
            continue
        for entry in entries:
            if (
                same_reference(entry.reply_ref, intent.reply_ref)
                and entry.task_id
                and candidates.get(entry.task_id) is None
                and entry.task_id not in others
                and entry.task_id not in context.given_out
            ):
                if looked and context.clock.monotonic() >= deadline:
                    # one more that bears it: nobody knows whose task is whose
                    candidates.setdefault(entry.task_id, None)
                    continue
                looked = True
                task = yield from _confirm(context, intent, entry.task_id, answer, others, posted, deadline)
                if entry.task_id not in others:
                    candidates[entry.task_id] = task
                else:
                    candidates.pop(entry.task_id, None)


def look_up_calls(email: str | None, options: Options) -> list[Call]:
    """The two places where a task can be found by its replyRef; the email comes from ids, and is left out if it is none."""
    from useapi_runwayml_api.api.scheduler import list_scheduler
    from useapi_runwayml_api.api.tasks import list_tasks

    return [call(list_scheduler, options), call(list_tasks, options, offset=0, limit=LOOKUP_PAGE, email=email)]


def _confirm(
    context: Context,
    intent: Intent,
    task_id: str,
    answer: Answer,
    others: set[str],
    posted: float,
    deadline: float,
) -> Core[Task | None]:
    """The candidate's task; None for one of a reference that the caller chose which cannot be read, or is another create's."""
    from useapi_runwayml_api.api.tasks import get_task
    from useapi_runwayml_api.models.task import Task

    try:
        request = call(get_task, limited(context, intent.call.options, deadline), task_id, task_id=task_id)
        found: Answer = yield Send(request)
        task: Task = read(found, request)
    except UseapiError:
        if intent.is_callers:
            return None
        return Task.from_dict({"taskId": task_id, "replyRef": intent.reply_ref})
    if intent.is_callers and contradicts(task, intent, answer, context.clock.monotonic() - posted):
        others.add(task_id)
        return None
    return task if task.task_id else Task.from_dict({**task.to_dict(), "taskId": task_id})


def same_reference(shown: str | None, wanted: str) -> bool:
    """Whether two references are the same letters, in whatever form of Unicode they were typed or stored."""
    return shown is not None and unicodedata.normalize("NFC", shown) == unicodedata.normalize("NFC", wanted)


def contradicts(task: Task, intent: Intent, answer: Answer, since_post: float) -> bool:
    """Whether the task shows other values, is of another account, or is older than the POST on the service's own clock."""
    if shows_other_values(task, intent.echoes) or (intent.email and email_of(task.task_id) not in (None, intent.email)):
        return True
    now = http_date(answer.headers.get("date", ""))
    if now is None or not isinstance(task.created_at, datetime):
        return False
    return task.created_at < now - timedelta(seconds=since_post) - CLOCK_SLACK


def shows_other_values(task: Task, echoes: Mapping[str, Any]) -> bool:
    """Whether the task's options show another value than the one that was sent; what they do not show says nothing."""
    shown = ((getattr(task.options, name, None), value) for name, value in echoes.items())
    return any(found is not None and _differ(found, value) for found, value in shown)


def _differ(shown: Any, sent: Any) -> bool:
    """Texts are the same whatever their spaces and their form of Unicode, or if one is the other cut short; numbers within rounding."""
    if isinstance(shown, str) and isinstance(sent, str):
        one, other = (" ".join(unicodedata.normalize("NFC", text).split()) for text in (shown, sent))
        return one != other and not (len(one) > CUT and other.startswith(one.rstrip(".…")))
    if isinstance(shown, (int, float)) and isinstance(sent, (int, float)):
        return not math.isclose(shown, sent, rel_tol=1e-6)
    return bool(shown != sent)
