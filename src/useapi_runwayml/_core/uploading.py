"""Uploads: a file as a stream, from a path or a file object, sent again only from its start."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import APIConnectionError, APIResponseError, ParameterError, Problem, UseapiError
from .answers import read, unusable
from .calls import call, pause_before_retry
from .checks import check_callbacks
from .clips import Clip
from .effects import Answer, Core, Do, Options, Send, Sleep
from .stages import bare, hear
from .surroundings import Context, OnBytes, Source

if TYPE_CHECKING:
    from useapi_runwayml_api.creations.base import FileSource
    from useapi_runwayml_api.models.asset import Asset

MEDIA_TYPES_BY_SUFFIX = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".qt": "video/quicktime",
    ".3gp": "video/3gpp",
    ".mkv": "video/x-matroska",
    ".flv": "video/x-flv",
    ".mpeg": "video/mpeg",
    ".mpg": "video/mpeg",
    ".ts": "video/MP2T",
    ".mts": "video/MP2T",
    ".avi": "video/x-msvideo",
    ".mjpeg": "video/x-motion-jpeg",
    ".mjpg": "video/x-motion-jpeg",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".mpo": "image/mpo",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".weba": "audio/webm",
}


def media_type_of(name: str | None, given: str | None) -> str:
    """The media type that was given, or the one that the name tells; ParameterError when neither serves."""
    from useapi_runwayml_api.api.assets.upload_asset import MEDIA_TYPES

    found = given if given is not None else MEDIA_TYPES_BY_SUFFIX.get(Path(name or "").suffix.lower(), "")
    if found not in MEDIA_TYPES:
        rule = "give media_type, one of " if given is None else "it must be one of "
        field, value = ("media_type", given) if given is not None else ("name", name)
        told = "its ending tells no media type that the service takes: " if given is None else ""
        raise ParameterError([Problem(field, value, f"{told}{rule}{', '.join(MEDIA_TYPES)}")])
    return found


class Parcel(NamedTuple):
    """A file that is ready to be uploaded: open, named, typed, and looked at. Whoever has it closes its source."""

    source: Source
    name: str
    media_type: str
    clip: Clip | None


def pack(context: Context, given: FileSource, name: str | None, media_type: str | None) -> Core[Parcel]:
    """Opens the file and looks at it; nothing is sent."""
    source: Source = yield Do(lambda: context.files.open_source(given))
    try:
        called = name if name is not None else source.name or "upload"
        kind = media_type_of(called, media_type)
        clip: Clip | None = yield Do(source.inspect)
        return Parcel(source, called, kind, clip)
    except BaseException:
        source.close()
        raise


def upload(
    context: Context,
    given: FileSource,
    name: str | None,
    media_type: str | None,
    email: str | None,
    measures: Mapping[str, float | None],
    on_progress: OnBytes | None,
    options: Options,
) -> Core[Asset]:
    """The new asset, with those of its measures that are given, or that its bytes tell."""
    check_callbacks(context, on_progress=on_progress)
    parcel = yield from pack(context, given, name, media_type)
    try:
        heard = None if on_progress is None else partial(hear, on_progress, awaits=context.awaits)
        return (yield from bare(send(context, parcel, email, measures, heard, options)))
    finally:
        parcel.source.close()


def send(
    context: Context,
    parcel: Parcel,
    email: str | None,
    measures: Mapping[str, float | None],
    on_progress: OnBytes | None,
    options: Options,
) -> Core[Asset]:
    """The new asset. A broken attempt is repeated from the start of the file, or not at all when it cannot be rewound."""
    from useapi_runwayml_api.api.assets import upload_asset

    source = parcel.source
    known = dict(parcel.clip.measures if parcel.clip is not None else {})
    known |= {name: value for name, value in measures.items() if value is not None}
    more: dict[str, Any] = {"name": parcel.name, "email": email, **known}
    request = call(upload_asset, options, content=source.body(on_progress), content_type=parcel.media_type, **more)
    length = {"Content-Length": str(source.size)} if source.size is not None else {"Transfer-Encoding": "chunked"}
    request.headers = {**(request.headers or {}), **length}
    attempt = 0
    while True:
        try:
            answer: Answer = yield Send(request, attempt)
            asset: Asset = read(answer, request)
            if not asset.asset_id:
                raise unusable(answer, request)
            if request.content.was_cut_off:
                raise APIResponseError(
                    f"{request.name}: the service answered before the file was there",
                    status=answer.status,
                    body=asset.to_dict(),
                )
            return asset
        except UseapiError as error:
            began = not (isinstance(error, APIConnectionError) and not error.maybe_sent)
            pause = pause_before_retry(context, error, attempt, request.options.deadline)
            if pause is None or (began and not source.can_rewind):
                raise
        yield Sleep(pause)
        yield Do(source.rewind)
        attempt += 1
