"""Files that are uploaded: opened once, read in chunks by both kinds of clients."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from .._core.clips import Clip
from .._core.surroundings import FileSource, OnBytes
from ..errors import ParameterError, Problem, UseapiError
from .threads import in_thread

CHUNK = 1 << 20


class FileTrouble(UseapiError):
    """The file that is being sent cannot be read: this is no answer, and no broken connection."""


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
            raise FileTrouble(f"Cannot read {name}: {error.strerror or error}. Nothing was uploaded") from None

    def __iter__(self) -> Iterator[bytes]:
        done = 0
        while chunk := self._read():
            yield chunk
            done += len(chunk)
            self._seen(done)

    async def __aiter__(self) -> AsyncIterator[bytes]:
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

    def body(self, on_progress: OnBytes | None) -> FileBody:
        """What httpx sends."""
        return FileBody(self.file, self.size, on_progress)

    @property
    def can_rewind(self) -> bool:
        return self.start is not None

    def rewind(self) -> None:
        if self.start is not None:
            self.file.seek(self.start)

    def inspect(self) -> Clip | None:
        """What the file is, as far as that can be known."""
        from .media import inspect

        return None if self.start is None else inspect(self.file, self.start)

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
