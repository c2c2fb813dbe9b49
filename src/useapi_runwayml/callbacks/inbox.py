"""What is made of a delivery before anything is done about it: refused, dropped, or taken. No I/O: ASGI and WSGI judge alike."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from useapi_runwayml_api.models.task import Task

from ..errors import ParameterError
from .reading import newer, parse
from .signing import ReplyUrlSigner

LARGEST = 1 << 20
REMEMBERED = 10_000
LONGEST_WORD = 1024
"""Letters of an id, or of a state: they stand in logs, on terminals and in memory, and whoever knows an address may send any."""


class Refused(Exception):
    """The HTTP status of a delivery that is not taken, and why in a few words."""

    def __init__(self, status: int, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers


class Head(NamedTuple):
    """What of a request is known before its body."""

    method: str
    query: str
    content_type: str
    length: str

    @property
    def size(self) -> int | None:
        """Of the body, as it is told, and no more than is refused in any case: there may be any number of digits."""
        if not self.length.isdecimal():
            return None
        return int(self.length.lstrip("0")[: len(str(LARGEST)) + 1] or "0")


def admit(signer: ReplyUrlSigner, head: Head) -> str:
    """The replyRef of a request whose body is worth reading; Refused otherwise."""
    if head.method != "POST":
        raise Refused(405, "callbacks are POSTs", allow="POST")
    try:
        reply_ref = signer.check(f"?{head.query}")
    except ParameterError as error:
        raise Refused(403, _why(error)) from None
    kind = head.content_type.partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Refused(415, "callbacks are JSON")
    check_size(head.size or 0)
    return reply_ref


def check_size(size: int) -> None:
    if size > LARGEST:
        raise Refused(413, f"callbacks have {LARGEST} bytes at most")


def read(reply_ref: str, body: bytes) -> Task:
    """The task that the body tells of; Refused when that is another's than the one that the address was made for."""
    try:
        task = parse(body)
    except ParameterError as error:
        raise Refused(400, _why(error)) from None
    for name, value in (("id", task.task_id), ("status", task.status)):
        if value is not None and (len(str(value)) > LONGEST_WORD or not str(value).isprintable()):
            raise Refused(400, f"body: its {name} is no word of a service")
    if task.reply_ref not in (None, "", reply_ref):
        raise Refused(403, "the body is of another replyRef than the address")
    return task


def _why(error: ParameterError) -> str:
    """Without what senders of requests are told."""
    return "; ".join(map(str, error.problems))


class Known:
    """The newest state of each task that anybody heard of; those that were heard of longest ago are forgotten."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, Task] = OrderedDict()

    def is_news(self, task: Task) -> bool:
        """Whether it is neither a repetition nor older; an end is never taken back."""
        return is_news(self._states.get(str(task.task_id)), task)

    def add(self, task: Task) -> None:
        task_id = str(task.task_id)
        self._states[task_id] = Task(
            task_id=task_id, status=task.status, progress_ratio=task.progress_ratio, updated_at=task.updated_at
        )
        self._states.move_to_end(task_id)
        while len(self._states) > REMEMBERED:
            self._states.popitem(last=False)


def is_news(known: Task | None, task: Task) -> bool:
    """Whether the state says more than the one that is known, if one is."""
    return known is None or (_essence(known) != _essence(task) and newer(known, task) is task)


def _essence(task: Task) -> tuple[object, ...]:
    return (task.status, task.progress_ratio, task.updated_at)
