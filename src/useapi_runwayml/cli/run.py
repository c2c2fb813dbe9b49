"""`useapi-runwayml run`: one clip, the whole way."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from .. import RunwayClient, Task
from .._core.running import ASSET_ID
from ..errors import SubmissionUnknownError
from . import output
from .exits import command, hinting, json_object


def run(
    video: str,
    prompt: str,
    *,
    destination: Annotated[Path, Parameter(name=["--output", "-o"])],
    aspect_ratio: str | None = None,
    structure_transformation: int | None = None,
    seconds: int | None = None,
    resolution: str | None = None,
    seed: int | None = None,
    explore_mode: bool | None = None,
    reply_url: str | None = None,
    reply_ref: str | None = None,
    max_jobs: int | None = None,
    extra_body: str = "{}",
    encoding: Literal["json", "multipart"] = "json",
    timeout: float = 3600,
    busy_timeout: float = 600,
    delete_asset: bool = False,
) -> None:
    """Uploads a clip, creates one paid task, waits for it and downloads the result.

    Parameters
    ----------
    video
        The clip: a path, or the id of an asset.
    prompt
        What the result should look like.
    destination
        The file for the result; it must not exist yet.
    aspect_ratio
        landscape or portrait.
    structure_transformation
        0 (close to the source) to 10.
    seconds
        5 or 10; each costs five credits.
    resolution
        720p.
    seed
        1 to 4294967294.
    explore_mode
        Without credits, on an Unlimited plan.
    reply_url
        Where the service posts progress.
    reply_ref
        A reference stored with the task; a unique one is made unless given.
    max_jobs
        1 to 10 tasks at once for the account.
    extra_body
        Fields that this package does not know yet, as a JSON object.
    encoding
        How the fields go: json, or multipart for a form.
    timeout
        Seconds to wait for the end; the task goes on after that.
    busy_timeout
        Seconds to wait for a free slot.
    delete_asset
        Delete the upload once the result is there.
    """
    reference = reply_ref or f"useapi-runwayml-{uuid.uuid4().hex}"
    known: list[Task] = []
    options: dict[str, Any] = {
        "aspect_ratio": aspect_ratio,
        "structure_transformation": structure_transformation,
        "seconds": seconds,
        "resolution": resolution,
        "seed": seed,
        "explore_mode": explore_mode,
        "reply_url": reply_url,
        "reply_ref": reference,
        "max_jobs": max_jobs,
        "busy_timeout": busy_timeout,
        "extra_body": json_object("--extra-body", extra_body),
        "encoding": encoding,
    }

    def hint(error: BaseException) -> str:
        """How to go on, by what is known by now."""
        if known:
            return f"Resume with: {command('tasks', 'wait', known[0].task_id, '-o', destination)}"
        if isinstance(error, SubmissionUnknownError):
            return f"Find it with: {command('tasks', 'find', error.reply_ref)}"
        if isinstance(error, KeyboardInterrupt):
            return f"If the task was created, this finds it: {command('tasks', 'find', reference)}"
        return ""

    def created(task: Task) -> None:
        known.append(task)
        output.say(f"Task: {task.task_id}")

    with hinting(hint), RunwayClient() as runway, output.bar() as bar:
        done, path = runway.video_to_video.run(
            video if ASSET_ID.fullmatch(video) else Path(video),
            prompt,
            destination=destination,
            timeout=timeout,
            keep_asset=not delete_asset,
            on_created=created,
            on_progress=output.task_progress(bar),
            **options,
        )
    size = path.stat().st_size
    data = {"task_id": done.task_id, "reply_ref": reference, "path": str(path), "bytes": size}
    output.show(data, lambda: print(f"Result: {path} ({size} bytes)"))
