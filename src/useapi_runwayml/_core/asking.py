"""One round for many waits: lists first, single reads for what they do not answer, and the news for everybody."""

from __future__ import annotations

import copy
import math
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import (
    AccountSessionError,
    APIStatusError,
    AuthenticationError,
    NotFoundError,
    SubscriptionError,
    UseapiError,
)
from . import polling
from .answers import read
from .calls import call, limited
from .effects import Answer, Core, Options, Send
from .ids import email_of
from .retry import is_transient
from .surroundings import Context

if TYPE_CHECKING:
    from useapi_runwayml_api.creations.base import OnProgress
    from useapi_runwayml_api.models.task import Task

PAGE = 1000
FEW = 2
GETS_PER_SECOND = 2.0
REFUSED_PAUSE = 60.0
ACCOUNT_ERRORS = (AuthenticationError, SubscriptionError, AccountSessionError)


class Terms(NamedTuple):
    """How a caller wants to wait."""

    timeout: float
    poll_interval: float | None
    on_progress: OnProgress | None
    options: Options


class Watch:
    """One caller's wait: the ids that are open, what is known of them, and what it has not been told yet."""

    def __init__(self, context: Context, task_ids: Sequence[str], terms: Terms) -> None:
        self.terms = terms
        self.begun = context.clock.monotonic()
        self.deadline = self.begun + terms.timeout
        self.open: dict[str, Task | None] = dict.fromkeys(task_ids)
        self.news: deque[tuple[str, Any]] = deque()
        self.trouble: UseapiError | None = None
        self.gate = context.make_gate()

    def keep(self, task_id: str, news: Any) -> None:
        """News for the caller, instead of older news of this task that it has not taken yet."""
        self.news = deque(each for each in self.news if each[0] != task_id)
        self.news.append((task_id, news))

    def unanswered(self) -> Iterator[str]:
        """The ids that are worth asking for: neither ended nor failed, as far as is known."""
        failed = {task_id for task_id, news in self.news if isinstance(news, UseapiError)}
        for task_id, task in self.open.items():
            if task_id not in failed and (task is None or not polling.is_final(task)):
                yield task_id


class Asker:
    """Asks once for all that the watches have open, and tells each its news. The lock is held while no request happens."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.start_anew()

    def start_anew(self) -> None:
        """Without any wait; also in a child process, whose parent's waits go on there."""
        self.watches: list[Watch] = []
        self.next_round = self.last_round = 0.0
        self.list_refused: dict[str | None, float] = {}  # until when the lists of an account are left alone
        self.queue: deque[str] = deque()
        self.lock = threading.RLock()

    def round(self, leader: Watch) -> Core[None]:
        """Asks once for all that is open: a lone task by its id, several by lists, with single reads for the rest."""
        with self.lock:
            left = list(dict.fromkeys(task_id for each in self.watches for task_id in each.unanswered()))
        wishes = [0.0]
        if len(left) > 1:
            left = yield from self._by_lists(left, leader, wishes)
        few = len(left) if len(left) <= FEW else max(FEW, int(GETS_PER_SECOND * self._pause()))
        yield from self._one_by_one(self._in_turn(left, few), leader, wishes)
        self.last_round = self.context.clock.monotonic()
        pause = polling.jittered(max(self._pause(), *wishes), self.context.uniform)
        self.next_round = self.last_round + pause

    def _pause(self) -> float:
        """Seconds until it is worth asking again, by what is known now of the tasks that go on."""
        with self.lock:
            now = self.context.clock.monotonic()
            wanted = (
                polling.interval(task, now - each.begun, each.terms.poll_interval)
                for each in self.watches
                for task in each.open.values()
                if task is None or not polling.is_final(task)
            )
            return min(wanted, default=polling.SHORTEST)

    def _in_turn(self, left: Sequence[str], budget: int) -> list[str]:
        """The next few of those that only a read of their own can answer, all getting their turn."""
        waiting = set(left)
        self.queue = deque(each for each in self.queue if each in waiting)
        queued = set(self.queue)
        self.queue.extend(each for each in left if each not in queued)
        return [self.queue.popleft() for _ in range(min(budget, len(self.queue)))]

    def _by_lists(self, open_ids: Sequence[str], leader: Watch, wishes: list[float]) -> Core[list[str]]:
        """Tells what the lists know; gives the ids that they did not answer for, none of an account that asked to wait."""
        accounts: dict[str | None, set[str]] = {}
        for task_id in open_ids:
            accounts.setdefault(email_of(task_id), set()).add(task_id)
        unanswered: list[str] = []
        for email, wanted in accounts.items():
            for statuses in (list(polling.ACTIVE), None):
                now = self.context.clock.monotonic()
                asked = now < leader.deadline and self.list_refused.get(email, -math.inf) <= now
                if asked and len(wanted) > (1 if statuses else FEW):
                    wishes.append((yield from self._page(email, statuses, wanted, leader)))
                    if wishes[-1]:
                        wanted.clear()
            unanswered += (each for each in open_ids if each in wanted)
        return unanswered

    def _page(self, email: str | None, statuses: list[str] | None, wanted: set[str], leader: Watch) -> Core[float]:
        """Tells what one page knows; gives the seconds that the service asked to wait."""
        from useapi_runwayml_api.api.tasks import list_tasks

        request = call(list_tasks, self._options(leader), offset=0, limit=PAGE, email=email, statuses=statuses)
        try:
            answer: Answer = yield Send(request)
            entries: list[Task] = read(answer, request)
        except UseapiError as error:
            if not is_transient(error):
                self.list_refused[email] = self.context.clock.monotonic() + REFUSED_PAUSE
            if isinstance(error, ACCOUNT_ERRORS):
                for task_id in sorted(wanted):
                    self.tell(task_id, with_task_id(error, task_id))
                wanted.clear()
            return _wish(error)
        for task in entries:
            task_id = task.task_id or ""
            if task_id in wanted and is_whole(task):
                wanted.discard(task_id)
                self.tell(task_id, task)
        return 0.0

    def _one_by_one(self, task_ids: Sequence[str], leader: Watch, wishes: list[float]) -> Core[None]:
        """Reads each by its id, as long as the leader has time; notes how long the service asked to wait."""
        from useapi_runwayml_api.api.tasks import get_task

        for task_id in task_ids:
            if self.context.clock.monotonic() >= leader.deadline:
                break
            request = call(get_task, self._options(leader), task_id, task_id=task_id)
            try:
                answer: Answer = yield Send(request)
                task = with_id(read(answer, request), task_id)
            except UseapiError as error:
                self.tell(task_id, error)
                wishes.append(_wish(error))
            else:
                self.tell(task_id, task)

    def _options(self, leader: Watch) -> Options:
        """No single request may outlive the wait of the one that sends it."""
        return limited(self.context, leader.terms.options, leader.deadline)

    def tell(self, task_id: str, news: Any) -> None:
        """Brings the news to everyone who waits for this task."""
        with self.lock:
            now = self.context.clock.monotonic()
            for watch in self.watches:
                if task_id not in watch.open:
                    continue
                if isinstance(news, UseapiError):
                    wish = _wish(news)
                    early = isinstance(news, NotFoundError) and self.context.given_out.is_new(task_id, now)
                    if (early or is_transient(news)) and (not wish or now + wish <= watch.deadline):
                        watch.trouble = news  # ridden out; told only if the deadline comes first
                        continue
                else:
                    watch.trouble = None
                    watch.open[task_id] = news
                    if not polling.is_final(news) and watch.terms.on_progress is None:
                        continue
                watch.keep(task_id, copy.copy(news) if isinstance(news, UseapiError) else news)


def _wish(error: UseapiError) -> float:
    return (error.retry_after or 0.0) if isinstance(error, APIStatusError) else 0.0


def is_whole(task: Task) -> bool:
    """Whether a list's entry says all that a wait needs: an ended success without `artifacts` is read again by its id."""
    return bool(task.status) and (task.status != "SUCCEEDED" or "artifacts" in (task.raw or {}))


def with_id(task: Task, task_id: str) -> Task:
    """The task with its id, if the answer left it out."""
    if task.task_id:
        return task
    from attrs import evolve

    return evolve(task, task_id=task_id)


def with_task_id(error: UseapiError, task_id: str) -> UseapiError:
    """The same error, about this task."""
    found = copy.copy(error)
    found.task_id = task_id
    return found
