"""What the ASGI and the WSGI app have in common: addresses for creates, and who is woken when a task has ended."""

from __future__ import annotations

import inspect
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from useapi_runwayml_api.models.task import Task

from .._core.polling import is_final
from .deliveries import Deliveries, Terms
from .inbox import Refused
from .signing import ReplyUrlSigner

log: logging.Logger = logging.getLogger("useapi_runwayml.callbacks")
Wake = Callable[[str], object]
READ_SECONDS = 10.0


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
        self.signer = signer
        self._on_change = on_change
        self._client = self._make_client() if client is None and on_change is not None else client
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
        """One from the environment."""
        raise NotImplementedError

    def _tell_left(self, left: list[str]) -> list[str]:
        """Names the tasks of which nobody was told."""
        if left:
            log.error("closed before anybody was told of the end of %s", ", ".join(left))
        return left

    def _make_deliveries(self) -> Deliveries | None:
        return None if self._on_change is None else Deliveries(self._on_change, self._client, self._terms)

    def _check_open(self) -> None:
        if self._is_closed:
            raise Refused(503, "this receiver is closing")

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
                wake(task_id)
