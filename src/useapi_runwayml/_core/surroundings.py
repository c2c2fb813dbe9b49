"""What a core knows of the world: settings, a clock, gates and files, each given by whoever drives it."""

from __future__ import annotations

import contextlib
import copy
import math
import os
import random
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import SubmissionUnknownError, UseapiError

if TYPE_CHECKING:
    import httpx
    from useapi_runwayml_api.creations.base import FileSource

OnBytes = Callable[[int, int | None], Any]
"""What is called for each piece of bytes that has moved, with how many have by then, and with how many there are or None where nobody knows.
What it raises ends the call, and arrives as it is."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client was told; the token is not among it."""

    base_url: str
    timeout: float | httpx.Timeout
    max_retries: int
    lookup_timeout: float
    default_headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Clock(Protocol):
    """The one seam through which time comes; only differences of `monotonic` have a meaning."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...

    async def asleep(self, seconds: float) -> None: ...


class Callbacks(Protocol):
    """Who receives callbacks: makes the addresses for creates, and tells which tasks are said to have ended, from whatever thread."""

    def url_for(self, reply_ref: str) -> str: ...

    def listen(self, wake: Callable[[str], object]) -> None: ...


class Source(Protocol):
    """A file that is uploaded: its name and size where they can be known."""

    name: str | None
    size: int | None

    @property
    def can_rewind(self) -> bool: ...

    def body(self, on_progress: OnBytes | None) -> Any: ...

    def rewind(self) -> None: ...

    def inspect(self) -> Any: ...

    def close(self) -> None: ...


class Partial(Protocol):
    """The temporary file of a download, beside its destination."""

    def open(self) -> None: ...

    def restart(self) -> None: ...

    def write(self, chunk: bytes) -> None: ...

    def publish(self, *, overwrite: bool) -> Path: ...

    def discard(self) -> None: ...


class Files(Protocol):
    """What can be asked of the disk. All of it may block."""

    def open_source(self, given: FileSource) -> Source: ...

    def check_destination(self, destination: str | os.PathLike[str], *, overwrite: bool) -> Path: ...

    def partial(self, path: Path) -> Partial: ...


NEW = 60.0
REMEMBERED = 10_000


class GivenOut:
    """The ids of the tasks that a client has created, with the moment: the service may not show a new one yet."""

    def __init__(self) -> None:
        self._moments: dict[str, float] = {}

    def add(self, task_id: str, now: float) -> None:
        self._moments[task_id] = now
        while len(self._moments) > REMEMBERED:
            self._moments.pop(next(iter(list(self._moments))), None)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._moments

    def moment(self, task_id: str) -> float:
        """When it was created; long ago where nobody here did."""
        return self._moments.get(task_id, -math.inf)

    def is_new(self, task_id: str, now: float) -> bool:
        """Whether it was created within the last minute."""
        return now - self.moment(task_id) < NEW


class Mark:
    """A create that is under way, and those beside it with its replyRef, in whatever form of Unicode, of which nobody knows what became."""

    def __init__(self, reply_ref: str) -> None:
        self.reply_ref: str = unicodedata.normalize("NFC", reply_ref)
        self.beside: set[Mark] = set()


class UnderWay:
    """Creates whose outcome is not known yet. From whatever thread: each step is one of a set's or a dictionary's own."""

    def __init__(self) -> None:
        self._marks: dict[Mark, None] = {}

    @contextlib.contextmanager
    def of(self, reply_ref: str) -> Iterator[Mark]:
        mark = Mark(reply_ref)
        self._marks[mark] = None  # before it looks for others: of two that begin at once one sees both
        for other in [*self._marks]:
            if other is not mark and other.reply_ref == mark.reply_ref:
                other.beside.add(mark)
                mark.beside.add(other)
        is_known = False
        try:
            yield mark
            is_known = True
        except UseapiError as error:
            is_known = not isinstance(error, SubmissionUnknownError)
            raise
        finally:
            del self._marks[mark]
            for other in [*mark.beside] if is_known else ():
                other.beside.discard(mark)


class Context:
    """What the core of one client knows."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        make_gate: Callable[[], Any],
        files: Files,
        *,
        awaits: bool,
        callbacks: Callbacks | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.make_gate = make_gate
        self.files = files
        self.awaits = awaits
        self.callbacks = callbacks
        self.given_out: GivenOut = GivenOut()
        self.called_back: GivenOut = GivenOut()
        self.under_way: UnderWay = UnderWay()
        self.after_fork()

    def view(self, settings: Settings) -> Context:
        """The same world under other settings."""
        made = copy.copy(self)
        made.settings = settings
        return made

    def after_fork(self) -> None:
        """What a child process does not share with its parent: the pauses of both would be in step."""
        self.uniform: Callable[[float, float], float] = random.Random().uniform
