"""Pure: the life of a create. One POST at most reaches the service, and what came of it is found out, never guessed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from .._io.requests import log
from ..errors import (
    AccountSessionError,
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    NotFoundError,
    RateLimitError,
    SubmissionUnknownError,
    UseapiError,
)
from . import retry
from .answers import http_date, read, unusable
from .calls import Context, call, limited
from .effects import Answer, Call, Core, Options, Send, Sleep

if TYPE_CHECKING:
    from useapi_runwayml_api.models.task import Task

BUSY_PAUSE = (10.0, 30.0)
LOOKUP_PAUSE = 2.0
LOOKUP_PAGE = 100
CLOCK_SLACK = timedelta(minutes=2)


class Intent(NamedTuple):
    """A create that is about to be sent, and how to recognise its task."""

    call: Call
    reply_ref: str
    is_callers: bool
    prompt: str
    email: str | None
    busy_timeout: float


def create(context: Context, intent: Intent) -> Core[Task]:
    """The task, or the typed error that tells what came of it; everything that leaves bears the replyRef as a note."""
    try:
        return (yield from _submit(context, intent))
    except BaseException as error:
        note(error, intent.reply_ref, None)
        raise


def note(error: BaseException, reply_ref: str | None, task_id: str | None) -> None:
    """Leaves the receipt on whatever passes, and in the log."""
    parts = [f"replyRef {reply_ref}"] if reply_ref is not None else []
    parts += [f"task {task_id}"] if task_id else []
    told = f"useapi-runwayml: this create has {', '.join(parts)}"
    if told not in getattr(error, "__notes__", ()):
        error.add_note(told)
        log.warning("%s leaves a create with %s", type(error).__name__, ", ".join(parts))


def _submit(context: Context, intent: Intent) -> Core[Task]:
    clock = context.clock
    patience = clock.monotonic() + intent.busy_timeout
    unsent = 0
    while True:
        posted = clock.monotonic()
        try:
            answer: Answer = yield Send(intent.call, unsent)
            task = accepted(answer, intent.call)
        except APIConnectionError as error:
            if error.maybe_sent:
                return (yield from _look_up(context, intent, error, posted))
            if unsent >= context.settings.max_retries:
                raise
            pause = retry.backoff(unsent, context.uniform)
            unsent += 1
        except RateLimitError as error:
            pause = context.uniform(*BUSY_PAUSE) if error.retry_after is None else max(1.0, error.retry_after)
            if clock.monotonic() + pause > patience:
                raise
            log.info("%s: busy, trying again in %.0f s", intent.call.name, pause)
        except UseapiError as error:
            if not leaves_open(error):
                raise
            return (yield from _look_up(context, intent, error, posted))
        else:
            return task
        yield Sleep(pause)


def accepted(answer: Answer, request: Call) -> Task:
    """The task of a 2xx; one without a task id says nothing about what happened."""
    task: Task = read(answer, request)
    if not task.task_id:
        raise unusable(answer, request)
    return task


def leaves_open(error: UseapiError) -> bool:
    """Whether a job may have been started all the same: any useless 2xx, and every status but the 4xx (without 408) and 596."""
    if isinstance(error, APIStatusError):
        refused = isinstance(error, AccountSessionError) or (400 <= error.status < 500 and error.status != 408)
        return not refused
    return isinstance(error, APIResponseError)


def _look_up(context: Context, intent: Intent, cause: UseapiError, posted: float) -> Core[Task]:
    """Looks for the task by its replyRef until `lookup_timeout`; never sends the create again."""
    log.info(
        "%s: outcome unknown (%s), looking for replyRef %s", intent.call.name, type(cause).__name__, intent.reply_ref
    )
    clock = context.clock
    deadline = clock.monotonic() + context.settings.lookup_timeout
    candidates: dict[str, Task] = {}
    others: set[str] = set()
    while True:
        yield from _gather(context, intent, candidates, others, posted, deadline)
        if len(candidates) == 1:
            task_id, task = candidates.popitem()
            log.info("%s: found as task %s", intent.call.name, task_id)
            return task
        remaining = deadline - clock.monotonic()
        if candidates or remaining <= 0:
            break
        yield Sleep(min(remaining, LOOKUP_PAUSE))
    found = f"{len(candidates)} tasks bear it" if candidates else "no task that bears it is known yet"
    raise SubmissionUnknownError(
        f"It is not known whether {intent.call.name} started a paid job: {cause}. By replyRef {intent.reply_ref!r}, {found}. "
        f"Look again with tasks.find({intent.reply_ref!r}) before creating anew",
        reply_ref=intent.reply_ref,
        candidates=tuple(candidates),
    ) from cause


def _gather(
    context: Context, intent: Intent, candidates: dict[str, Task], others: set[str], posted: float, deadline: float
) -> Core[None]:
    """One round: what the scheduler and the list show with our replyRef. `others` are tasks of older creates."""
    looked = False
    for request in look_up_calls(intent.email, limited(context, intent.call.options, deadline)):
        try:
            answer: Answer = yield Send(request)
            entries = read(answer, request)
        except UseapiError:
            continue
        for entry in entries:
            if (
                entry.reply_ref == intent.reply_ref
                and entry.task_id
                and entry.task_id not in candidates
                and entry.task_id not in others
            ):
                if looked and context.clock.monotonic() >= deadline:
                    return
                looked = True
                task = yield from _confirm(context, intent, entry.task_id, answer, others, posted, deadline)
                if task is not None:
                    candidates[entry.task_id] = task


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
    """The candidate's task, unless a reference that the caller chose turns out to be an older task's."""
    from useapi_runwayml_api.api.tasks import get_task
    from useapi_runwayml_api.models.task import Task

    try:
        request = call(get_task, limited(context, intent.call.options, deadline), task_id, task_id=task_id)
        found: Answer = yield Send(request)
        task: Task = read(found, request)
    except (NotFoundError, APIResponseError, APIConnectionError, APIStatusError):
        if intent.is_callers:
            return None
        return Task.from_dict({"taskId": task_id, "replyRef": intent.reply_ref})
    if intent.is_callers and contradicts(task, intent, answer, context.clock.monotonic() - posted):
        others.add(task_id)
        return None
    return task if task.task_id else Task.from_dict({**task.to_dict(), "taskId": task_id})


def contradicts(task: Task, intent: Intent, answer: Answer, since_post: float) -> bool:
    """Whether the task has another prompt, or is older than the POST on the service's own clock."""
    if task.options is not None and task.options.text_prompt not in (None, intent.prompt):
        return True
    now = http_date(answer.headers.get("date", ""))
    if now is None or not isinstance(task.created_at, datetime):
        return False
    return task.created_at < now - timedelta(seconds=since_post) - CLOCK_SLACK


def email_of(identifier: Any) -> str | None:
    """The account's email in a composite id."""
    import re

    found = (
        re.match(r"user:[^:]*-runwayml:(.+)-(?:asset|task):[^:]*$", identifier) if isinstance(identifier, str) else None
    )
    return found[1] if found else None
