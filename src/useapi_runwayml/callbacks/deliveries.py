"""From what was taken to whoever is to hear of it: one state of a task at a time, again when that fails, in bounded memory."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from useapi_runwayml_api.models.task import Task

from .._core.polling import is_final
from ..errors import GoneError, NotFoundError
from .inbox import Known, is_news

log: logging.Logger = logging.getLogger("useapi_runwayml.callbacks")
AT_ONCE = 8
LONGEST_PAUSE = 60.0
MOST_DOUBLINGS = 60


class Terms(NamedTuple):
    """How many tasks may wait to be told of, how often a state is tried, and the seconds before the second time (doubled each time)."""

    queue_size: int
    attempts: int
    first_pause: float


class NotYet(Exception):
    """A callback says that a task has ended, and the service that it goes on."""


class Deliveries:
    """Tells `on_change` of tasks, in one event loop. That a task has ended is read from the service first, with `client`."""

    def __init__(self, on_change: Callable[[Task], Any], client: Any, terms: Terms) -> None:
        self._on_change = on_change
        self._client = client
        self._terms = terms
        self._known = Known()
        self._waiting: OrderedDict[str, Task] = OrderedDict()
        self._ready: deque[str] = deque()
        self._busy: set[str] = set()
        self._failures: dict[str, int] = {}
        self._paused: dict[str, asyncio.TimerHandle] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._is_draining = False
        self.is_drained: bool = False
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()

    @property
    def is_over(self) -> bool:
        """Whether nothing is told any more: it was drained, or its loop is gone."""
        return self._is_draining or not self.loop.is_running()

    def take_over(self, older: Deliveries) -> None:
        """What those, which are over, had told stays told, and what they had not is told here."""
        self._known = older._known
        for task in older._waiting.values():
            self.put(task)

    def put(self, task: Task) -> bool:
        """Takes a state in the place of an older one that nobody has heard of yet; False when there is no room, or nobody who would tell."""
        if self.is_drained:
            return False
        task_id = str(task.task_id)
        waiting = self._waiting.get(task_id)
        if not self._known.is_news(task) or not is_news(waiting, task):
            return True
        if waiting is None and len(self._waiting) >= self._terms.queue_size:
            return False
        if waiting is not None:
            self._failures.pop(task_id, None)  # they were the older one's
        self._waiting[task_id] = task
        if waiting is None and task_id not in self._busy:
            self._let_go(task_id)
        return True

    async def drain(self, timeout: float) -> list[str]:
        """Waits until all is told, without the pauses of what failed; gives the ids of the tasks of which it was not."""
        self._is_draining = True
        for task_id, pause in [*self._paused.items()]:
            pause.cancel()
            self._let_go(task_id)
        try:
            async with asyncio.timeout(timeout):
                while self._waiting or self._busy:
                    self._idle.clear()
                    await self._idle.wait()
        except TimeoutError:
            pass
        self.is_drained = True
        left = list(dict.fromkeys([*self._busy, *self._waiting]))
        self._waiting.clear()
        self._ready.clear()
        workers = [*self._workers]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        return left

    def _let_go(self, task_id: str) -> None:
        self._paused.pop(task_id, None)
        self._ready.append(task_id)
        if len(self._workers) < AT_ONCE:
            worker = self.loop.create_task(self._work())
            self._workers.add(worker)

    async def _work(self) -> None:
        """Tells of what is ready, until nothing is: whoever makes more ready then finds this worker gone."""
        try:
            while self._ready:
                await self._work_on(self._ready.popleft())
        finally:
            self._workers.discard(asyncio.current_task())

    async def _work_on(self, task_id: str) -> None:
        self._busy.add(task_id)
        task = self._waiting.pop(task_id)
        try:
            await self._tell(task)
        except asyncio.CancelledError as error:
            worker = asyncio.current_task()
            if worker is None or not worker.cancelling():  # what the handler waited for was cancelled, and not this
                self._after_failure(task, error)
                return
            if not self._is_draining:  # its loop ends: the next one's tells of it
                self._waiting.setdefault(task_id, task)
            raise
        except Exception as error:  # noqa: BLE001  # whatever a handler raises
            self._after_failure(task, error)
        else:
            self._failures.pop(task_id, None)
            if task_id in self._waiting:
                self._let_go(task_id)
        finally:
            self._busy.discard(task_id)
            self._idle.set()

    async def _tell(self, task: Task) -> None:
        said = task
        if is_final(said):
            try:
                task = await call(self._client.tasks.retrieve, str(task.task_id))
            except (NotFoundError, GoneError) as error:
                log.warning("a callback tells of the end of a task that is not there: %s", error)
                return
        if self._known.is_news(task):
            await call(self._on_change, task)
            self._known.add(task)
        if is_final(said) and not is_final(task):
            raise NotYet(f"a read says that it is {task.status}")

    def _after_failure(self, task: Task, error: BaseException) -> None:
        """Tried again after a pause, unless it has failed too often. Something newer that has come takes its place, with tries of its own."""
        if self.is_drained:  # a handler has failed at its cancellation, and is not called again
            return
        task_id, told = str(task.task_id), f"{type(error).__name__}: {error}"
        failures = self._failures.pop(task_id, 0) + 1
        if task_id in self._waiting:
            task, failures = self._waiting[task_id], 1
        elif failures >= self._terms.attempts:
            log.error("nobody was told that %s is %s, try %d was the last: %s", task_id, task.status, failures, told)
            return
        else:
            self._waiting[task_id], self._failures[task_id] = task, failures
        log.warning("%s, which is %s, is told again: %s", task_id, task.status, told)
        pause = min(LONGEST_PAUSE, self._terms.first_pause * 2.0 ** min(failures - 1, MOST_DOUBLINGS))
        self._paused[task_id] = self.loop.call_later(0.0 if self._is_draining else pause, self._let_go, task_id)


async def call(function: Callable[..., Any], *given: Any) -> Any:
    """What may block in a thread; what can be awaited, here."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004
        return await function(*given)
    found = await asyncio.to_thread(_plain, function, *given)
    return await found if inspect.isawaitable(found) else found


def _plain(function: Callable[..., Any], *given: Any) -> Any:
    """StopIteration cannot leave a thread by a future, which would never end."""
    try:
        return function(*given)
    except StopIteration as error:
        raise RuntimeError("it raised StopIteration") from error
