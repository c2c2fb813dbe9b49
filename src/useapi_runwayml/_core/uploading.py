"""Uploads: a file as a stream, from a path or a file object, sent again only from its start."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import httpx

from ..errors import APIConnectionError, ParameterError, Problem, UseapiError
from .answers import read, unusable
from .calls import Context, call, pause_before_retry
from .effects import Answer, Core, Do, Options, Send, Sleep

if TYPE_CHECKING:
    from useapi_runwayml_api.models.asset import Asset

CHUNK = 1 << 20
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
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".weba": "audio/webm",
}
OnBytes = Callable[[int, "int | None"], Any]
FileSource = str | os.PathLike[str] | BinaryIO


class FileBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The bytes of a file in chunks, for both kinds of clients."""

    def __init__(self, file: BinaryIO, size: int | None, on_progress: OnBytes | None) -> None:
        self._file = file
        self._size = size
        self._on_progress = on_progress

    def _seen(self, done: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done, self._size)

    def _read(self) -> bytes:
        try:
            return self._file.read(CHUNK)
        except OSError as error:  # not a broken connection, which OSError means where requests are sent
            name = getattr(self._file, "name", "the file")
            raise UseapiError(f"Cannot read {name}: {error.strerror or error}. Nothing was uploaded") from None

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        while chunk := self._read():
            yield chunk
            done += len(chunk)
            self._seen(done)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        from .._io.drivers import in_thread

        done = 0
        while chunk := await in_thread(self._read):
            yield chunk
            done += len(chunk)
            self._seen(done)


class Source:
    """What is uploaded: the open file, where it starts, its size when that can be known, and its name."""

    def __init__(self, given: FileSource) -> None:
        self.own = isinstance(given, (str, os.PathLike))
        if isinstance(given, (str, os.PathLike)):
            path = Path(given)
            self.file: BinaryIO = _opened(path)
            self.name: str | None = path.name
        else:
            self.file = given
            name = getattr(given, "name", None)
            self.name = Path(name).name if isinstance(name, str) else None
        self.start, self.size = _extent(self.file)

    @property
    def can_rewind(self) -> bool:
        return self.start is not None

    def rewind(self) -> None:
        if self.start is not None:
            self.file.seek(self.start)

    def close(self) -> None:
        if self.own:
            self.file.close()


def _opened(path: Path) -> BinaryIO:
    rule = ""
    try:
        if path.is_dir():
            rule = "it is a folder, not a file"
        else:
            return path.open("rb")
    except FileNotFoundError:
        rule = "there is no such file"
    except (OSError, ValueError) as error:
        rule = f"it cannot be read: {getattr(error, 'strerror', None) or error}"
    raise ParameterError([Problem("file", os.fspath(path), rule)])


def _extent(file: Any) -> tuple[int | None, int | None]:
    """Where the file stands and how many bytes follow; None for what a pipe cannot tell."""
    if not callable(getattr(file, "read", None)):
        raise ParameterError([Problem("file", type(file).__name__, "it must be a path or a binary file object")])
    if isinstance(file, io.TextIOBase):
        raise ParameterError([Problem("file", type(file).__name__, "it is open as text: open it with 'rb'")])
    try:
        start = file.tell()
        size = file.seek(0, io.SEEK_END) - start
        file.seek(start)
    except (OSError, AttributeError, ValueError):
        return None, None
    if size <= 0:
        raise ParameterError([Problem("file", getattr(file, "name", None), "it is empty")])
    return start, size


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


def upload(
    context: Context,
    given: FileSource,
    name: str | None,
    media_type: str | None,
    email: str | None,
    on_progress: OnBytes | None,
    options: Options,
) -> Core[Asset]:
    """The new asset. A broken attempt is repeated from the start of the file, or not at all when it cannot be rewound."""
    from useapi_runwayml_api.api.assets import upload_asset

    source: Source = yield Do(lambda: Source(given))
    try:
        called = name if name is not None else source.name or "upload"
        kind = media_type_of(called, media_type)
        body = FileBody(source.file, source.size, on_progress)
        request = call(upload_asset, options, content=body, content_type=kind, name=called, email=email)
        length = {"Content-Length": str(source.size)} if source.size is not None else {"Transfer-Encoding": "chunked"}
        request.headers = {**(request.headers or {}), **length}
        for attempt in range(context.settings.max_retries + 1):
            try:
                answer: Answer = yield Send(request, attempt)
                asset: Asset = read(answer, request)
                if asset.asset_id:
                    return asset
                raise unusable(answer, request)
            except UseapiError as error:
                began = not (isinstance(error, APIConnectionError) and not error.maybe_sent)
                pause = pause_before_retry(context, error, attempt, None)
                if pause is None or (began and not source.can_rewind):
                    raise
            yield Sleep(pause)
            yield Do(source.rewind)
        raise AssertionError("the last attempt returns or raises")
    finally:
        source.close()
