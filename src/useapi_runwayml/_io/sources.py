"""Files that are uploaded: opened once, checked before anything is sent."""

from __future__ import annotations

import inspect
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from useapi_runwayml_api.creations.base import FileSource

from .._core.clips import Clip
from .._core.surroundings import OnBytes
from ..errors import ParameterError, Problem
from .names import as_on_disk
from .sending import FileBody


class Source:
    """What is uploaded: the open file, where it starts, its size when that can be known, and its name."""

    def __init__(self, given: FileSource) -> None:
        self._path = as_on_disk(Path(given)) if isinstance(given, (str, os.PathLike)) else None
        self.file: Any = given if self._path is None else _opened(self._path)
        name = getattr(self.file, "name", None)
        self.name = Path(name).name if isinstance(name, str) else None
        self.told = self.name or "the file"
        try:
            _check(self.file)
            self.start, self.size = _extent(self.file)
        except BaseException:
            self.close()
            raise
        self._state = self._state_now()

    def body(self, on_progress: OnBytes | None) -> FileBody:
        """What httpx sends."""
        return FileBody(self, on_progress)

    @property
    def can_rewind(self) -> bool:
        return self.start is not None

    def rewind(self) -> None:
        if self.start is not None:
            self.file.seek(self.start)

    def has_changed(self) -> str:
        """What has become of the file since it was opened; empty if it is as it was."""
        if self._state_now() != self._state:
            return "it was changed while it was sent"
        if self._path is not None and self._state is not None:
            try:
                found = os.stat(self._path)
            except OSError:
                return ""  # it was deleted or moved: the open file is whole all the same
            if not os.path.samestat(found, os.fstat(self.file.fileno())):
                return "it was replaced while it was sent"
        return ""

    def _state_now(self) -> tuple[int, int] | None:
        try:
            found = os.fstat(self.file.fileno())
        except Exception:  # noqa: BLE001  # whatever an object without a number raises
            return None
        return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None

    def inspect(self) -> Clip | None:
        """What the file is, as far as that can be known."""
        from .media import inspect as look

        return None if self.start is None else look(self.file, self.start)

    def close(self) -> None:
        if self._path is not None:
            self.file.close()


def _opened(path: Path) -> BinaryIO:
    """The open file; opening a pipe that nobody writes to yet does not block."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISFIFO(mode):
            return open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))
        if stat.S_ISREG(mode):
            return path.open("rb")
        rule = "it is a folder, not a file" if stat.S_ISDIR(mode) else "it is neither a file nor a pipe"
    except FileNotFoundError:
        rule = "there is no such file"
    except (OSError, ValueError) as error:
        rule = f"it cannot be read: {getattr(error, 'strerror', None) or error}"
    raise ParameterError([Problem("file", os.fspath(path), rule)])


def _check(file: Any) -> None:
    """ParameterError for what gives no bytes to whoever reads it."""
    rule = "it must be a path or a binary file object"
    try:
        if callable(getattr(file, "read", None)):
            rule = _rule(file.read(0))
    except Exception as error:  # noqa: BLE001  # whatever an object that is not open for reading raises
        rule = f"it cannot be read: {getattr(error, 'strerror', None) or error or type(error).__name__}"
    if rule:
        raise ParameterError([Problem("file", type(file).__name__, rule)])


def _rule(nothing: Any) -> str:
    """What is wrong with a file object that gives this for no bytes."""
    if inspect.isawaitable(nothing):
        getattr(nothing, "close", lambda: None)()
        return "its read must be awaited: give the path, or the file object inside it (such as .file or .wrapped)"
    if isinstance(nothing, str):
        return "it is open as text: open it with 'rb'"
    kinds = (bytes, bytearray, memoryview, type(None))
    return "" if isinstance(nothing, kinds) else f"its read gives {type(nothing).__name__}, not bytes"


def _extent(file: Any) -> tuple[int | None, int | None]:
    """Where the file stands and how many bytes follow; None for what a pipe cannot tell."""
    try:
        start = int(file.tell())
        file.seek(0, os.SEEK_END)
        size = int(file.tell()) - start
        file.seek(start)
    except Exception:  # noqa: BLE001  # whatever an object without a position raises
        return None, None
    if size <= 0:
        raise ParameterError([Problem("file", getattr(file, "name", None), "it is empty")])
    return start, size
