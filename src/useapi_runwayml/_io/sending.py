"""The bytes of a file on their way: read in chunks by both kinds of clients, whole or not at all."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import httpx

from .._core.surroundings import OnBytes
from ..errors import UseapiError
from .telling import atell, tell
from .threads import in_thread

CHUNK = 1 << 20
SLICE_MS = 100


class FileTrouble(UseapiError):
    """The file that is being sent cannot be read, or is not what it was: this is no answer, and no broken connection."""


class Through(Exception):
    """Carries an exception of ours or of the user's past httpx, and past whatever takes it for one of the connection."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


@contextmanager
def _carried() -> Iterator[None]:
    """What a function of the user's raises is the user's."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # whatever it raises
        raise Through(error) from None


class Sent(Protocol):
    """The open file that is sent."""

    file: Any
    size: int | None
    told: str

    def has_changed(self) -> str: ...


class FileBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A file in chunks. It ends where its size says, and not before; `was_cut_off` says that somebody stopped reading it."""

    def __init__(self, source: Sent, on_progress: OnBytes | None) -> None:
        self._source = source
        self._on_progress: OnBytes = on_progress or (lambda done, total: None)
        self.was_cut_off = False

    def __iter__(self) -> Iterator[bytes]:
        done, self.was_cut_off = 0, True
        while (chunk := self._next(done)) != b"":
            if chunk is not None:
                yield chunk
                done += len(chunk)
                with _carried():
                    tell(partial(self._on_progress, done, self._source.size))
        self.was_cut_off = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        done, self.was_cut_off = 0, True
        may_block = self._source.size is None
        while (chunk := await in_thread(partial(self._next, done), leave=may_block)) != b"":
            if chunk is not None:
                yield chunk
                done += len(chunk)
                with _carried():
                    await atell(partial(self._on_progress, done, self._source.size))
        self.was_cut_off = False

    def _next(self, done: int) -> bytes | None:
        """The next chunk; None if a pipe has none yet, nothing at the end."""
        source, wrong, chunk = self._source, "", None
        try:
            left = CHUNK if source.size is None else min(CHUNK, source.size - done)
            chunk = _read(source, left) if left else b""
            if source.size is None:
                wrong = "it is empty" if chunk == b"" and not done else ""
            elif left and not chunk:
                wrong = f"it became shorter while it was sent: {done} of {source.size} bytes were there"
            elif left and done + len(chunk or b"") == source.size:
                wrong = "it grew while it was sent" if source.file.read(1) else source.has_changed()
        except Exception as error:  # noqa: BLE001  # whatever a file object raises
            wrong = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        if wrong:
            raise Through(FileTrouble(f"Cannot send {source.told}: {wrong}. Nothing was uploaded"))
        return chunk


def _read(source: Sent, most: int) -> bytes | None:
    """So many bytes at the most; None when a pipe has nothing yet."""
    if source.size is not None:
        return _checked(source.file.read(most), most)
    if not _is_ready(source.file):
        return None
    read: Callable[[int], Any] = getattr(source.file, "read1", source.file.read)
    return _checked(read(most), most)


def _checked(chunk: Any, most: int) -> bytes:
    if chunk is None:
        raise ValueError("it does not block, and has nothing to read yet")
    if not isinstance(chunk, (bytes, bytearray, memoryview)):
        raise TypeError(f"its read gives {type(chunk).__name__}, not bytes")
    if len(chunk) > most:
        raise ValueError("its read gives more bytes than it is asked for")
    return bytes(chunk)


def _is_ready(file: Any) -> bool:
    """Whether a pipe or a terminal has something to read, or has ended; anything else always is."""
    try:
        number = file.fileno()
        mode = os.fstat(number).st_mode
    except Exception:  # noqa: BLE001  # whatever an object without a number raises
        return True
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)) or not hasattr(select, "poll"):
        return True
    poll = select.poll()
    poll.register(number, select.POLLIN | select.POLLPRI)
    return bool(poll.poll(SLICE_MS))
