"""Requests and answers as the pure core sees them; adapters turn sockets and httpx into these and back."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

SPOOL_LIMIT = 1 << 20
CHUNK = 1 << 16


class Blob:
    """Bytes that lie in memory while they are few, and in a nameless file when they are many."""

    def __init__(self, chunks: Iterable[bytes] = ()) -> None:
        self._memory = bytearray()
        self._file: BinaryIO | None = None
        self._lock = threading.Lock()
        self.size: int = 0
        for chunk in chunks:
            self.append(chunk)

    def append(self, chunk: bytes) -> None:
        with self._lock:
            self.size += len(chunk)
            if self._file is None and self.size <= SPOOL_LIMIT:
                self._memory += chunk
                return
            if self._file is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the blob
                self._file.write(self._memory)
                self._memory.clear()
            self._file.seek(0, 2)
            self._file.write(chunk)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        end = self.size if length is None else min(self.size, start + length)
        with self._lock:  # results made from one clip are read by many at once
            if self._file is None:
                return bytes(self._memory[start:end])
            self._file.seek(start)
            return self._file.read(max(0, end - start))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    __del__ = close


Breaks = Literal["", "unreachable", "before_read", "before_answer", "cut_body"]


@dataclass
class Request:
    """A request: `origin` is where links in its answer lead, `site` the scheme and host that it was sent to, `headers` have lower-case names.

    `unread` is the answer of an adapter that has not taken its body to the end: it is too large, or came too slowly.
    """

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Blob = field(default_factory=Blob)
    origin: str = "http://runway.simulator"
    site: str = ""
    unread: Answer | None = None


@dataclass
class Answer:
    """An answer, and how the way to it breaks: `delay` seconds pass first, `drip` seconds while the body is sent."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    blob: Blob | None = None
    span: tuple[int, int] = (0, 0)
    breaks: Breaks = ""
    delay: float = 0.0
    drip: float = 0.0
    cut_at: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether its body goes out whole and at once."""
        return self.blob is None and not (self.breaks or self.drip or self.cut_at is not None)

    @property
    def length(self) -> int:
        return self.span[1] - self.span[0] if self.blob is not None else len(self.body)

    def chunks(self) -> Iterator[bytes]:
        """The body, up to where it is cut off."""
        end = self.length if self.cut_at is None else min(self.cut_at, self.length)
        if self.blob is None:
            if end:
                yield self.body[:end]
            return
        for at in range(0, end, CHUNK):
            yield self.blob.read(self.span[0] + at, min(CHUNK, end - at))

    def json(self) -> Any:
        return json.loads(self.body)


def too_large() -> Answer:
    return error_answer(413, "The body is too large")


def full() -> Answer:
    return error_answer(413, "The simulator's storage is full: delete assets, or begin it with a larger --storage")


def json_answer(status: int, value: Any) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(value).encode())


def error_answer(status: int, message: str, *, code: bool = True) -> Answer:
    return json_answer(status, {"error": message, **({"code": status} if code else {})})
