"""Cores of what can be asked of tasks: the same for the blocking and the awaiting client."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import NotFoundError, ParameterError, Problem, UseapiError
from . import polling
from .asking import Terms, Watch
from .calls import call, fetch, limited
from .checks import check_callbacks, check_terms
from .course import relay
from .downloading import read_task
from .effects import Core, Give, Options
from .looking_up import same_reference
from .paging import pages
from .surroundings import Context
from .surveying import is_whole
from .waiting import Group, as_they_end

if TYPE_CHECKING:
    from useapi_runwayml_api.creations.base import OnProgress
    from useapi_runwayml_api.models.task import Task

LARGEST_PAGE = 1000
PAGE = 100


def listed(context: Context, statuses: Sequence[str] | None, email: str | None, options: Options) -> Core[None]:
    """Gives all tasks that the service can list."""
    from useapi_runwayml_api.api.tasks import list_tasks

    if isinstance(statuses, str):
        raise ParameterError([Problem("statuses", statuses, "it must be a list of states")])
    chosen = None if statuses is None else list(statuses)
    return pages(
        context,
        lambda offset, limit: call(list_tasks, options, offset=offset, limit=limit, email=email, statuses=chosen),
        lambda task: task.task_id,
        PAGE,
        LARGEST_PAGE,
    )


def find(context: Context, reply_ref: str, email: str | None, options: Options) -> Core[Task | None]:
    """The newest task that bears the reference, from the scheduler and from the list."""
    from useapi_runwayml_api.api.scheduler import list_scheduler
    from useapi_runwayml_api.models.task import Task

    if not isinstance(reply_ref, str) or not reply_ref:
        raise ParameterError([Problem("reply_ref", reply_ref, "it must be a string that is not empty")])
    options, shown = limited(context, options), list[str]()
    tracked = yield from fetch(context, call(list_scheduler, options))
    for entry in tracked:
        if same_reference(entry.reply_ref, reply_ref) and entry.task_id:
            with suppress(NotFoundError):
                return (yield from read_task(context, entry.task_id, options))
            shown.append(entry.task_id)
    matches: list[Task] = []

    def take(task: Task) -> bool:
        if same_reference(task.reply_ref, reply_ref) and task.task_id:
            matches.append(task)
        return False

    yield from relay(listed(context, None, email, options), take)
    if shown:  # what the scheduler shows is newer than what the list has and it does not
        matches = [task for task in matches if task.task_id in shown]
    if not matches and shown:
        return Task.from_dict(
            {"taskId": shown[0], "replyRef": reply_ref}
        )  # it is there, if only the scheduler says so yet
    return max(matches, key=lambda task: task.created_at or datetime.min.replace(tzinfo=UTC), default=None)


def id_of(given: Task | str) -> str:
    """The composite id; ParameterError for what has none."""
    found = given if isinstance(given, str) else getattr(given, "task_id", None)
    if not isinstance(found, str) or not found:
        raise ParameterError([Problem("task_id", found, "it must be a task with an id, or the id itself, as a string")])
    return found


def watch(
    context: Context,
    group: Group,
    given: Iterable[Task | str],
    timeout: float,
    poll_interval: float | None,
    on_progress: OnProgress | None,
    options: Options,
) -> Core[None]:
    """Gives (id, task or error) as tasks end; tasks that have ended already come first and cost nothing."""
    if isinstance(given, str):
        raise ParameterError([Problem("tasks_or_ids", given, "it must be a list of tasks or ids")])
    check_terms(timeout, poll_interval)
    check_callbacks(context, on_progress=on_progress)
    known = {id_of(each): each for each in given}
    for task_id in known:
        check_id(task_id, options)
    ended = {key: each for key, each in known.items() if not isinstance(each, str) and _is_whole_end(each)}

    def core() -> Core[None]:
        for pair in ended.items():
            yield Give(pair)
        still_open = [task_id for task_id in known if task_id not in ended]
        if still_open:
            yield from as_they_end(
                group, Watch(context, still_open, Terms(timeout, poll_interval, on_progress, options))
            )

    return core()


def _is_whole_end(task: Task) -> bool:
    """Whether it tells all of an end; of a list's entry that leaves out what came of it the rest is still to be read."""
    return polling.is_final(task) and is_whole(task)


def check_id(task_id: str, options: Options) -> None:
    """Refuses an id that cannot stand in a path, before anything is sent."""
    from useapi_runwayml_api.api.tasks import get_task

    call(get_task, options, task_id)


def wait(
    context: Context,
    group: Group,
    given: Task | str,
    timeout: float,
    poll_interval: float | None,
    on_progress: OnProgress | None,
    options: Options,
) -> Core[Task]:
    """The task once it succeeded; raises what else became of it."""
    ended: list[tuple[str, Any]] = []

    def take(pair: tuple[str, Any]) -> bool:
        ended.append(pair)
        return True

    yield from relay(watch(context, group, [given], timeout, poll_interval, on_progress, options), take)
    ((task_id, news),) = ended
    if isinstance(news, UseapiError):
        raise news
    return polling.outcome(news, task_id)
