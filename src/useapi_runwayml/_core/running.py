"""Cores of a creation and of the whole way: upload, create, wait, download."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

from .._io.config import is_seconds
from .._io.requests import log
from ..errors import ParameterError, Problem, UseapiError
from . import assets
from .calls import Context, as_problems, call
from .creating import Intent, create, email_of, note
from .downloading import check_destination, download
from .effects import Core, Do, Options
from .polling import OnProgress
from .tasks import check_terms, wait
from .uploading import FileSource, upload
from .waiting import Group

if TYPE_CHECKING:
    from useapi_runwayml_api.models.aspect_ratio import AspectRatio
    from useapi_runwayml_api.models.resolution import Resolution
    from useapi_runwayml_api.models.seconds import Seconds
    from useapi_runwayml_api.models.task import Task

ENCODINGS = {"json": "application/json", "multipart": "multipart/form-data"}
ASSET_ID = re.compile(r"user:[^:/\\]*-runwayml:[^/\\]+-asset:[^:/\\]+")


class CreateOptions(TypedDict, total=False):
    """The optional parameters of a creation; what is None or absent is left to the service.

    `aspect_ratio` landscape or portrait, `structure_transformation` 0 to 10, `seconds` 5 or 10, `resolution` 720p, `seed` 1 to
    4294967294, `explore_mode` without credits on an Unlimited plan, `reply_url` and `reply_ref` up to 1024 characters,
    `max_jobs` 1 to 10, `extra_body` fields that the document does not know, `encoding` of the body, `busy_timeout` seconds to
    wait for a free slot.
    """

    aspect_ratio: AspectRatio | None
    structure_transformation: int | None
    seconds: Seconds | None
    resolution: Resolution | None
    seed: int | None
    explore_mode: bool | None
    reply_url: str | None
    reply_ref: str | None
    max_jobs: int | None
    extra_body: Mapping[str, Any] | None
    encoding: Literal["json", "multipart"]
    busy_timeout: float


class RunResult(NamedTuple):
    """What a run gives: the task, and where its video lies."""

    task: Task
    path: Path


def intend(
    values: Mapping[str, Any],
    options: Options,
    *,
    extra_body: Any = None,
    encoding: str = "json",
    busy_timeout: float = 600,
) -> Intent:
    """A create that can be sent, or ParameterError with all problems at once."""
    from useapi_runwayml_api.api.video_to_video import create_video_to_video
    from useapi_runwayml_api.models.video_to_video_request import VideoToVideoRequest

    given = {name: value for name, value in values.items() if value is not None}
    is_callers = "reply_ref" in given
    reply_ref = given.setdefault("reply_ref", f"useapi-runwayml-{uuid.uuid4().hex}")
    extra = {} if extra_body is None else extra_body
    problems = as_problems(VideoToVideoRequest.find_problems(given, extra))
    if encoding not in ENCODINGS:
        problems.append(Problem("encoding", encoding, "it must be json or multipart"))
    if not is_seconds(busy_timeout):
        problems.append(Problem("busy_timeout", busy_timeout, "it must be seconds, at least 0"))
    try:
        call(create_video_to_video, options, body=_Nothing())
    except ParameterError as error:
        problems += error.problems
    if problems:
        raise ParameterError(problems)
    body = VideoToVideoRequest(**given, additional_properties=dict(extra))
    request = call(create_video_to_video, options, body=body, content_type=ENCODINGS[encoding])
    return Intent(request, reply_ref, is_callers, body.text_prompt, email_of(body.asset_id), busy_timeout)


class _Nothing:
    """Stands for a body while only headers and times are checked."""

    def to_dict(self) -> dict[str, Any]:
        return {}


def start(context: Context, values: Mapping[str, Any], options: Options, more: Mapping[str, Any]) -> Core[Task]:
    return create(context, intend(values, options, **more))


def is_asset_id(video: object) -> bool:
    """Whether a string is the composite id of an asset, not a path."""
    return isinstance(video, str) and ASSET_ID.fullmatch(video) is not None


def run(
    context: Context,
    group: Group,
    video: FileSource,
    text_prompt: str,
    *,
    destination: str | os.PathLike[str],
    timeout: float,
    keep_asset: bool,
    on_created: Callable[[Task], Any] | None,
    on_progress: OnProgress | None,
    parameters: Mapping[str, Any],
    options: Options,
) -> Core[RunResult]:
    """Upload, create, wait, download. Whatever leaves after the create bears the task's id."""
    more = {key: value for key, value in parameters.items() if key in ("extra_body", "encoding", "busy_timeout")}
    values = {key: value for key, value in parameters.items() if key not in more}
    unknown = sorted(values.keys() - CreateOptions.__annotations__.keys())
    if unknown:
        raise ParameterError([Problem(name, values[name], "it is not a known parameter") for name in unknown])
    values["text_prompt"] = text_prompt
    check_terms(timeout, None)
    intend({**values, "asset_id": video if is_asset_id(video) else "asset"}, options, **more)
    path: Path = yield Do(lambda: check_destination(destination, overwrite=False))
    asset_id: Any = video
    uploaded = False
    if not is_asset_id(video):
        asset = yield from upload(context, video, None, None, None, None, options)
        asset_id, uploaded = asset.asset_id, True
    intent = intend({**values, "asset_id": asset_id}, options, **more)
    task_id: str | None = None
    try:
        task = yield from create(context, intent)
        task_id = task.task_id or ""
        deadline = context.clock.monotonic() + timeout
        if on_created is not None:
            on_created(task)
        done = yield from wait(context, group, task, timeout, None, on_progress, options)
        saved = yield from download(
            context, done, path, overwrite=False, on_progress=None, options=options, deadline=deadline
        )
        if uploaded and not keep_asset:
            yield from _tidy(context, str(asset_id), options)
    except BaseException as error:
        note(error, intent.reply_ref, task_id)
        if isinstance(error, UseapiError) and error.task_id is None:
            error.task_id = task_id
        raise
    return RunResult(done, saved)


def _tidy(context: Context, asset_id: str, options: Options) -> Core[None]:
    """Deletes the upload; the result is there already, so a failure is only logged."""
    try:
        yield from assets.remove(context, asset_id, options)
    except UseapiError as error:
        log.warning("the asset %s could not be deleted: %s", asset_id, error)
