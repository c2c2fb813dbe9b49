"""Cores of a creation and of the whole way: upload, create, wait, download."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from useapi_runwayml_api.creations.base import FileSource, OnProgress
from useapi_runwayml_api.creations.creators import RunResult

from ..errors import ParameterError, Problem, UseapiError
from . import assets, clips
from .calls import as_problems, call, option_problems
from .checks import check_callbacks, check_terms, is_seconds
from .creating import create, note
from .downloading import download
from .effects import Core, Do, Options, Tell
from .ids import email_of, is_asset_id
from .looking_up import Intent
from .stages import Raised, Stages
from .surroundings import Context, OnBytes
from .tasks import wait
from .uploading import Parcel, pack, send
from .waiting import Group

if TYPE_CHECKING:
    from useapi_runwayml_api.creations.base import Creation, Option
    from useapi_runwayml_api.models.task import Task

APART = ("extra_body", "encoding", "busy_timeout")

log = logging.getLogger("useapi_runwayml")


def intend(
    context: Context,
    creation: Creation,
    values: Mapping[str, Any],
    options: Options,
    *,
    extra_body: Any = None,
    encoding: str = "json",
    busy_timeout: float = 600,
) -> Intent:
    """A create that can be sent, or ParameterError with all problems at once."""
    given = {name: value for name, value in values.items() if value is not None}
    is_callers = "reply_ref" in given
    reply_ref = given.setdefault("reply_ref", f"useapi-runwayml-{uuid.uuid4().hex}")
    called_back = called_back_at(context, given, reply_ref)
    extra = {} if extra_body is None else extra_body
    problems = as_problems(creation.request_model.find_problems(given, extra))
    if encoding not in creation.encodings:
        problems.append(Problem("encoding", encoding, f"it must be {' or '.join(creation.encodings)}"))
    if not is_seconds(busy_timeout):
        problems.append(Problem("busy_timeout", busy_timeout, "it must be seconds, at least 0"))
    if problems := [*problems, *option_problems(options)]:
        raise ParameterError(problems)
    body = creation.request_model(**given, **called_back, additional_properties=dict(extra))
    request = call(creation.operation, options, body=body, content_type=creation.encodings[encoding])
    email = email_of(given[creation.source.name])
    return Intent(
        request,
        reply_ref,
        is_callers,
        creation.echoes(given),
        creation.prompt.name,
        email,
        busy_timeout,
        bool(called_back),
    )


def called_back_at(context: Context, given: Mapping[str, Any], reply_ref: Any) -> dict[str, str]:
    """The address for callbacks of a create that names none, if anybody receives them. ParameterError when it would be too long."""
    if context.callbacks is None or "reply_url" in given or not isinstance(reply_ref, str) or not reply_ref:
        return {}
    return {"reply_url": context.callbacks.url_for(reply_ref)}


def start(
    context: Context, creation: Creation, values: Mapping[str, Any], options: Options, more: Mapping[str, Any]
) -> Core[Task]:
    """The task of a new create. An asset that lacks what the creation needs of it is refused first."""
    intent = intend(context, creation, values, options, **more)
    yield from clips.check_asset(context, creation, values[creation.source.name], options)
    return (yield from create(context, intent))


def run(
    context: Context,
    group: Group,
    creation: Creation,
    video: FileSource,
    prompt: str,
    *,
    image: FileSource | None,
    destination: str | os.PathLike[str],
    overwrite: bool,
    timeout: float,
    keep_asset: bool,
    on_created: Callable[[Task], Any] | None,
    on_progress: OnProgress | None,
    parameters: Mapping[str, Any],
    options: Options,
) -> Core[RunResult]:
    """Upload, create, wait, download. Whatever leaves after the create bears the task's id."""
    more = {key: value for key, value in parameters.items() if key in APART}
    values = {key: value for key, value in parameters.items() if key not in APART}
    known = {each.name for each in creation.options}
    if unknown := sorted(values.keys() - known):
        raise TypeError(f"run() got an unexpected keyword argument {unknown[0]!r}")  # as create does by its signature
    values[creation.prompt.name] = prompt
    check_terms(timeout, None)
    check_callbacks(context, on_created=on_created, on_progress=on_progress)
    given = {creation.source: video} | ({creation.image: image} if creation.image and image is not None else {})
    ids = {option.name: each for option, each in given.items() if is_asset_id(each)}
    files = {option: each for option, each in given.items() if option.name not in ids}
    intend(context, creation, {**values, **ids, **{each.name: "asset" for each in files}}, options, **more)
    path: Path = yield Do(lambda: context.files.check_destination(destination, overwrite=overwrite))
    stages = Stages(context, on_progress)

    def whole_way() -> Core[RunResult]:
        yield from stages.enter("inspect")
        uploaded = yield from _upload(context, creation, values, files, ids, stages, options)
        intent = intend(context, creation, {**values, **ids, **uploaded}, options, **more)
        task_id: str | None = None
        try:
            yield from stages.enter("create")
            task = yield from create(context, intent)
            task_id = task.task_id or ""
            deadline = context.clock.monotonic() + timeout
            if on_created is not None:
                yield Tell(lambda: on_created(task))
            yield from stages.enter("created", task_id)
            done = yield from wait(
                context,
                group,
                task,
                max(0.0, deadline - context.clock.monotonic()),
                None,
                stages.on_wait,
                options,
            )
            yield from stages.enter("download")
            saved = yield from download(
                context,
                done,
                path,
                overwrite=overwrite,
                on_progress=stages.on_bytes,
                options=options,
                deadline=deadline,
            )
            for asset_id in () if keep_asset else uploaded.values():
                yield from _tidy(context, asset_id, options)
            yield from stages.end("done")
        except ParameterError as error:  # which says that nothing was sent: a folder that was there before, a token
            if task_id is None:
                raise
            raise _after_payment(error, task_id, intent.reply_ref) from None
        except BaseException as error:
            note(error.error if isinstance(error, Raised) else error, intent.reply_ref, task_id)
            if isinstance(error, UseapiError) and error.task_id is None:
                error.task_id = task_id
            raise
        return RunResult(done, saved)

    try:
        return (yield from whole_way())
    except Raised as carried:
        theirs = carried.error
    except Exception as error:
        yield from stages.fail(error)
        raise
    raise theirs


def _after_payment(error: ParameterError, task_id: str, reply_ref: str) -> UseapiError:
    """The same in other words: to mend the values and run again would be a second video."""
    told = "; ".join(str(problem) for problem in error.problems)
    found = UseapiError(
        f"Task {task_id} was started and goes on, but: {told}. When that is mended, wait for this task and download it: "
        "to run again would be paid again",
        task_id=task_id,
    )
    note(found, reply_ref, task_id)
    return found


def _upload(
    context: Context,
    creation: Creation,
    values: Mapping[str, Any],
    files: Mapping[Option, FileSource],
    ids: Mapping[str, Any],
    stages: Stages,
    options: Options,
) -> Core[dict[str, str]]:
    """The assets of the files, by field. All are looked at before the first is sent, and what may be a mistake is warned of."""
    source = creation.source.name
    parcels: dict[str, Parcel] = {}
    try:
        for option, given in files.items():
            parcels[option.name] = parcel = yield from pack(context, given, None, None)
            _check_kind(parcel, "video" if option.name == source else "image")
        if source in parcels:
            clip = parcels[source].clip
            clips.check_needs(creation, clip.measures if clip else {}, "video", parcels[source].name)
            if line := clips.told(parcels[source].name, clips.remarks(clip, creation, values)):
                clips.warn(line)
        else:
            yield from clips.check_asset(context, creation, ids[source], options)
        uploaded: dict[str, str] = {}
        email = email_of(ids.get(source))  # all assets of a task belong to one account
        sizes = [parcel.source.size for parcel in parcels.values()]
        whole = None if None in sizes else sum(filter(None, sizes))
        before = 0
        if parcels:
            yield from stages.enter("upload", whole=whole)
        for name, parcel in parcels.items():
            told = stages.on_bytes and partial(_after, before, whole, stages.on_bytes)
            asset = yield from send(context, parcel, email, {}, told, options)
            before += parcel.source.size or 0
            uploaded[name] = str(asset.asset_id)
            yield from stages.uploaded(uploaded[name])
            email = email or email_of(uploaded[name])
        return uploaded
    finally:
        for parcel in parcels.values():
            parcel.source.close()


def _after(before: int, whole: int | None, tell: OnBytes, done: int, _: int | None) -> Any:
    """The bytes of one file of several, as those of all."""
    return tell(before + done, whole)


def _check_kind(parcel: Parcel, wanted: str) -> None:
    """ParameterError for a file that is no video, or no image, by its type or by what is in it."""
    rule = "" if parcel.media_type.startswith(f"{wanted}/") else f"it is no {wanted}: its type is {parcel.media_type}"
    if not rule and wanted == "video":
        rule = clips.is_no_video(parcel.clip)
    if rule:
        raise ParameterError([Problem(wanted, parcel.name, rule)])


def _tidy(context: Context, asset_id: str, options: Options) -> Core[None]:
    """Deletes the upload; the result is there already, so a failure is only logged."""
    try:
        yield from assets.remove(context, asset_id, options)
    except UseapiError as error:
        log.warning("the asset %s could not be deleted: %s", asset_id, error)
