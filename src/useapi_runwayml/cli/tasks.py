"""`useapi-runwayml tasks …`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from .. import RunwayClient, Task, errors
from .._seam import check_destination
from . import output
from .exits import Stop, at_least, command, hinting
from .telling import LOST, Story, telling
from .values import Place, Whole

Output = Annotated[Place | None, Parameter(name=["--output", "-o"])]
COLUMNS = ("task", "status", "done", "created", "replyRef")


def row_of(task: Task) -> tuple[object, ...]:
    ratio = "" if task.progress_ratio is None or task.status in LOST else f"{task.progress_ratio:.0%}"
    return task.task_id, task.status, ratio, task.created_at, task.reply_ref


def show(task: Task) -> None:
    """One task, with what came of it."""

    def lines() -> None:
        why = task.error
        output.fields(
            {
                "task": task.task_id,
                "status": task.status,
                "done": row_of(task)[2],
                "created": task.created_at,
                "prompt": task.options.text_prompt if task.options else None,
                "seed": task.options.seed if task.options else None,
                "replyRef": task.reply_ref,
                "results": ", ".join(each.filename or "(no name)" for each in task.artifacts),
                "error": (why.error_message or why.message or why.reason) if why else None,
            }
        )

    output.show(task.to_dict(), lines)


def list_command(*, email: str | None = None, statuses: str | None = None, limit: Whole = 100) -> None:
    """Lists the tasks of an account.

    Parameters
    ----------
    email
        The account; needed when several are configured.
    statuses
        Only these states, separated by commas.
    limit
        How many at the most.
    """
    at_least(1, limit=limit)
    found: list[Task] = []
    with RunwayClient() as runway:
        for task in runway.tasks.list(email=email, statuses=statuses.split(",") if statuses else None):
            if len(found) >= limit:
                break
            found.append(task)
    output.show([task.to_dict() for task in found], lambda: output.table(COLUMNS, map(row_of, found)))


def get_command(task: str) -> None:
    """Reads one task.

    Parameters
    ----------
    task
        Its id.
    """
    with RunwayClient() as runway:
        show(runway.tasks.retrieve(task))


def find_command(reply_ref: str, *, email: str | None = None) -> None:
    """Finds the newest task that bears a reference.

    Parameters
    ----------
    reply_ref
        The reference.
    email
        The account; needed when several are configured.
    """
    with RunwayClient() as runway:
        found = runway.tasks.find(reply_ref, email=email)
    if found is None:
        raise Stop(f"no task with replyRef {reply_ref!r} is known; that lists show it is not documented")
    show(found)


def wait_command(task: str, *, destination: Output = None, overwrite: bool = False, timeout: float = 3600) -> None:
    """Waits until a task has ended, and downloads its result where --output says so.

    Parameters
    ----------
    task
        Its id.
    destination
        The file, or a folder that exists, for the result.
    overwrite
        Replace a file that exists.
    timeout
        Seconds; the task goes on after that.
    """
    more: list[Any] = ["-o", destination, *(["--overwrite"] if overwrite else [])] if destination else []
    resume = f"Resume with: {command('tasks', 'wait', task, *more)}"
    passing = (errors.TaskFailedError, errors.TaskCancelledError, errors.NotFoundError, errors.ParameterError)
    if destination is not None:
        check_destination(destination, overwrite=overwrite)  # before an hour of waiting
    with hinting(lambda error: "" if isinstance(error, passing) else resume), RunwayClient() as runway:
        with telling() as story:
            done = runway.tasks.wait(task, timeout=timeout, on_progress=story)
            if destination is not None:
                path = fetch(runway, done, destination, story, overwrite=overwrite)
        if destination is None:
            show(done)
        else:
            show_file(path)


def fetch(runway: RunwayClient, task: Task | str, destination: Path, story: Story, *, overwrite: bool) -> Path:
    known = task if isinstance(task, str) else task.task_id or ""
    moved = story.bytes_of("download", known)
    return runway.tasks.download(task, destination, overwrite=overwrite, on_progress=moved)


def show_file(path: Path) -> None:
    size = path.stat().st_size
    output.show({"path": str(path), "bytes": size}, lambda: output.put(f"Result: {path} ({size} bytes)"))


def download_command(
    task: str,
    *,
    destination: Annotated[Path, Parameter(name=["--output", "-o"])] = Path(),
    overwrite: bool = False,
) -> None:
    """Downloads the result of a task that has ended.

    Parameters
    ----------
    task
        Its id.
    destination
        The file, or a folder that exists.
    overwrite
        Replace a file that exists.
    """
    with RunwayClient() as runway, telling() as story:
        path = fetch(runway, task, destination, story, overwrite=overwrite)
    show_file(path)


def delete_command(task: str) -> None:
    """Deletes the record of a task; what was spent stays spent.

    Parameters
    ----------
    task
        Its id.
    """
    with RunwayClient() as runway:
        runway.tasks.delete(task)
    output.show({"deleted": task}, lambda: output.put(f"Deleted {task}"))
