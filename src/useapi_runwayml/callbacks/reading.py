"""What a callback tells, and which of two states of a task to go by. Nothing here is proof: read the task again before acting on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from useapi_runwayml_api.models.task import Task

from .._core.answers import decode
from .._core.polling import is_final
from ..errors import ParameterError, Problem


def parse(body: bytes | str | Mapping[str, Any]) -> Task:
    """The task that a callback tells of, flat or wrapped; unknown fields and states are kept.

    Raises ParameterError for a body that carries no task id, whatever it is.
    """
    from useapi_runwayml_api.api.tasks import get_task
    from useapi_runwayml_api.constraints import find_problems

    payload = (
        decode(body.encode(errors="replace") if isinstance(body, str) else body)
        if isinstance(body, (str, bytes))
        else body
    )
    task: Any = get_task.parse(200, payload)
    if task is None or not task.task_id or find_problems(get_task.PARAMETERS, {"task_id": task.task_id}):
        raise ParameterError([Problem("body", None, "it is no callback: it carries no task with an id")])
    found: Task = task
    return found


def newer(known: Task | None, received: Task) -> Task:
    """Of what is known and what was received, the one to go by: an end is never taken back, nor an older state preferred."""
    if known is None or known.task_id != received.task_id:
        return received
    if is_final(known):
        return known
    if not is_final(received) and known.updated_at and received.updated_at and received.updated_at < known.updated_at:
        return known
    return received
