"""What the ASGI and the WSGI app have in common: addresses for creates, and who is woken when a task has ended."""

from __future__ import annotations

import inspect
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from useapi_runwayml_api.models.task import Task

from .._core.checks import is_seconds
from .._core.polling import is_final
from ..errors import ParameterError, Problem
from .deliveries import Deliveries, Terms
from .inbox import Refused
from .signing import ReplyUrlSigner

log: logging.Logger = logging.getLogger("useapi_runwayml.callbacks")
Wake = Callable[[str], object]
READ_SECONDS = 10.0
CLOSING = "this receiver is closing"


class Receiver:
    """The part of an app that knows no protocol."""

    def __init__(
        self,
        signer: ReplyUrlSigner,
        on_change: Callable[[Task], Any] | None = None,
        client: Any = None,
        *,
        queue_size: int = 10_000,
        attempts: int = 8,
        first_pause: float = 1.0,
    ) -> None:
        if problems := [*_problems(queue_size, attempts, first_pause)]:
            raise ParameterError(problems)
        self.signer = signer
        self._on_change = on_change
        self._is_own = client is None and on_change is not None
        self._client = self._make_client() if self._is_own else client
        self._terms = Terms(queue_size, attempts, first_pause)
        self._wakes: list[weakref.ref[Any] | Wake] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def url_for(self, reply_ref: str) -> str:
        """The address at which callbacks of a task with this replyRef are taken."""
        return self.signer.url_for(reply_ref)

    def listen(self, wake: Wake) -> None:
        """Calls `wake` with the id of each task that is said to have ended, from whatever thread; a method does not keep its object alive."""
        method = weakref.WeakMethod(wake) if inspect.ismethod(wake) else None
        with self._lock:
            self._wakes.append(method or wake)

    def _make_client(self) -> Any:
        """One from the environment, of the kind that the app awaits or not."""
        raise NotImplementedError

    def _own_client(self) -> Any:
        """The client that was made here, to be closed; another one is made where it is wanted again."""
        if not self._is_own:
            return None
        own, self._client = self._client, None
        return own

    def _tell_left(self, left: list[str]) -> list[str]:
        """Names the tasks of which nobody was told."""
        if left:
            log.error("closed before anybody was told what became of %s", ", ".join(left))
        return left

    def _make_deliveries(self) -> Deliveries | None:
        if self._on_change is None:
            return None
        if self._client is None:
            self._client = self._make_client()
        return Deliveries(self._on_change, self._client, self._terms)

    def _check_open(self) -> None:
        if self._is_closed:
            raise Refused(503, CLOSING)

    def _take(self, task: Task, deliveries: Deliveries | None) -> None:
        """Wakes who waits for it, and puts it where on_change hears of it; Refused when that is full."""
        if is_final(task):
            self.wake(str(task.task_id))
        if deliveries is not None and not deliveries.put(task):
            raise Refused(503, "too many callbacks wait to be told", **{"retry-after": "5"})

    def wake(self, task_id: str) -> None:
        """Says that a task has ended, as a callback that came some other way does: the waits for it read it."""
        with self._lock:
            found = [(each, each() if isinstance(each, weakref.ref) else each) for each in self._wakes]
            self._wakes = [each for each, wake in found if wake is not None]
        for _, wake in found:
            if wake is not None:
                try:
                    wake(task_id)
                except Exception:  # one that fails costs nobody else the callback
                    log.exception("who listens for the end of %s has failed", task_id)


def _problems(queue_size: Any, attempts: Any, first_pause: Any) -> Iterator[Problem]:
    for name, value in (("queue_size", queue_size), ("attempts", attempts)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            yield Problem(name, value, "it must be a whole number, 1 or more")
    if not is_seconds(first_pause):
        yield Problem("first_pause", first_pause, "it must be seconds, 0 or more")
