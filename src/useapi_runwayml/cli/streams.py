"""The standard streams: closed, broken, or gone with their terminal, they never end the work, and never decide its exit code."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any

GONE = (BrokenPipeError, ConnectionResetError, ValueError)
"""Nobody reads any more: nothing to tell. Any other error, such as a full disk, is told on stderr."""


class Lasting(io.TextIOBase):
    """A stream whose reader may go away: from then on what is written goes nowhere. Python flushes it as the process ends."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._is_lost = False

    def write(self, text: str) -> int:
        if not self._is_lost:
            try:
                self._stream.write(text)
            except (OSError, ValueError) as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        if not self._is_lost:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        self._is_lost = True
        with contextlib.suppress(OSError, ValueError):  # what is still in the stream's buffer goes there as well
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
        if self._stream is sys.__stdout__ and not isinstance(error, GONE):
            told = getattr(error, "strerror", None) or error
            sys.stderr.write(f"useapi-runwayml: the output cannot be written: {told}\n")

    def isatty(self) -> bool:
        return not self._is_lost and bool(self._stream.isatty())

    def fileno(self) -> int:
        return int(self._stream.fileno())

    def writable(self) -> bool:
        return True

    def __getattribute__(self, name: str) -> Any:
        if name in ("encoding", "errors", "buffer"):
            return getattr(self._stream, name, None)
        return super().__getattribute__(name)


def hold() -> None:
    """At the start of the process. A letter that the terminal has not is escaped.

    A standard stream that is closed is opened on nothing first: the next file that is opened, such as a result, would take its number.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115  # for the whole process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, Lasting(stream))
