"""Pure: the life of a create. One POST at most reaches the service, and what came of it is found out, never guessed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import (
    AccountSessionError,
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    RateLimitError,
    UseapiError,
)
from . import retry
from .answers import read, unusable
from .calls import limited
from .effects import Answer, Core, Send, Sleep
from .looking_up import Intent, look_up, same_reference, shows_other_values
from .surroundings import Context, Mark

if TYPE_CHECKING:
    from useapi_runwayml_api.models.task import Task

BUSY_PAUSE = (10.0, 30.0)

log = logging.getLogger("useapi_runwayml")


def create(context: Context, intent: Intent) -> Core[Task]:
    """The task, or the typed error that tells what came of it; everything that leaves bears the replyRef as a note."""
    try:
        with context.under_way.of(intent.reply_ref) as mark:
            return (yield from _submit(context, intent, mark))
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


def _submit(context: Context, intent: Intent, mark: Mark) -> Core[Task]:
    clock = context.clock
    patience = clock.monotonic() + intent.busy_timeout
    unsent = tries = 0
    request = intent.call
    while True:
        posted = clock.monotonic()
        if not unsent:
            request = replace(intent.call, options=limited(context, intent.call.options))
        try:
            answer: Answer = yield Send(request, tries)
            task = accepted(answer, intent)
        except APIConnectionError as error:
            if error.maybe_sent:
                return (yield from look_up(context, intent, mark, error, posted))
            if unsent >= context.settings.max_retries:
                raise
            pause = retry.backoff(unsent, context.uniform)
            if clock.monotonic() + pause > request.options.deadline:
                raise
            unsent += 1
        except RateLimitError as error:
            pause = context.uniform(*BUSY_PAUSE) if error.retry_after is None else max(1.0, error.retry_after)
            if clock.monotonic() + pause > patience:
                raise
            unsent = 0
            log.info("%s: busy, trying again in %.0f s", intent.call.name, pause)
        except UseapiError as error:
            if not leaves_open(error):
                raise
            return (yield from look_up(context, intent, mark, error, posted))
        else:
            intent.accepted(context, task.task_id)
            return task
        tries += 1
        yield Sleep(pause)


def accepted(answer: Answer, intent: Intent) -> Task:
    """The task of a 2xx; one without a task id, or of another create, says nothing about what happened to this one.

    Another create's is one with another replyRef, or, where the answer shows none, with another prompt.
    """
    task: Task = read(answer, intent.call)
    if not task.task_id:
        raise unusable(answer, intent.call)
    prompt = {name: value for name, value in intent.echoes.items() if name == intent.prompt}
    if not same_reference(task.reply_ref, intent.reply_ref) and (task.reply_ref or shows_other_values(task, prompt)):
        raise APIResponseError(
            f"{intent.call.name}: the answer tells of another create, whose task is {task.task_id}",
            status=answer.status,
            body=task.to_dict(),
        )
    return task


def leaves_open(error: UseapiError) -> bool:
    """Whether a job may have been started all the same: any useless 2xx, and every status but the 4xx (without 408) and 596."""
    if isinstance(error, APIStatusError):
        refused = isinstance(error, AccountSessionError) or (400 <= error.status < 500 and error.status != 408)
        return not refused
    return isinstance(error, APIResponseError)
