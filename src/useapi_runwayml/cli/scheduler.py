"""`useapi-runwayml scheduler …`"""

from __future__ import annotations

from .. import RunwayClient
from . import output


def list_command() -> None:
    """Lists the tasks that the service runs and tracks now."""
    with RunwayClient() as runway:
        found = runway.scheduler.list()
    output.show(
        [each.to_dict() for each in found],
        lambda: output.table(("task", "replyRef"), ((each.task_id, each.reply_ref) for each in found)),
    )


def release_command(task: str) -> None:
    """Stops tracking a task and frees its slot. The job still runs and still costs.

    Parameters
    ----------
    task
        Its id.
    """
    with RunwayClient() as runway:
        runway.scheduler.release(task)
    output.show({"released": task}, lambda: output.put(f"Released {task}; the job itself still runs and still costs"))
