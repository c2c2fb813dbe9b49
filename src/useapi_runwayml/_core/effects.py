"""What the pure core asks its driver to do. The core is generators that yield these; the drivers are in _io/drivers.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import httpx


@dataclass(slots=True)
class Options:
    """What every method takes for its one call; `deadline` is the moment of the client's clock at which it ends, whatever its timeout."""

    extra_headers: Mapping[str, str] | None = field(default=None, repr=False)
    timeout: float | httpx.Timeout | None = None
    deadline: float = math.inf


@dataclass(slots=True)
class Call:
    """One request to the API, without its token, and how its body is read."""

    method: str
    path: str
    parse: Callable[[int, Any], Any]
    options: Options
    params: Mapping[str, str] | None = None
    json: Any = field(default=None, repr=False)
    files: Any = field(default=None, repr=False)
    content: Any = field(default=None, repr=False)
    headers: Mapping[str, str] | None = None
    task_id: str | None = None

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"


@dataclass(slots=True)
class Answer:
    """An HTTP answer, whole. What stands in it is not shown: tracebacks are sent to others."""

    status: int
    headers: httpx.Headers = field(repr=False)
    content: bytes = field(repr=False)
    seconds: float = 0.0
    tries: int = 1


@dataclass(slots=True)
class Send:
    """Send one request, once. The driver gives the Answer, or throws APIConnectionError."""

    call: Call
    attempt: int = 0


@dataclass(slots=True)
class Fetch:
    """GET a URL that is not the API's, without the token, and hand each chunk to `sink`, which may block, once the head is accepted; then `after`, as a `Tell`."""

    url: str = field(repr=False)
    headers: Mapping[str, str]
    accept: Callable[[int, Mapping[str, str]], bool]
    sink: Callable[[bytes], None]
    after: Callable[[], Any]
    options: Options


@dataclass(slots=True)
class Sleep:
    """Let time pass."""

    seconds: float


@dataclass(slots=True)
class Park:
    """Wait until somebody opens the gate, or until the seconds have passed."""

    gate: Any
    seconds: float


@dataclass(slots=True)
class Do:
    """Run a function that may block (the disk), off the event loop where there is one."""

    function: Callable[[], Any]


@dataclass(slots=True)
class Tell:
    """Call a function of the caller's, and await what it gives where that can be awaited."""

    function: Callable[[], Any]


@dataclass(slots=True)
class Give:
    """Hand a value to whoever iterates."""

    value: Any


Effect = Send | Fetch | Sleep | Park | Do | Tell | Give
T = TypeVar("T")
Core = Generator[Effect, Any, T]
