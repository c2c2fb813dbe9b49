"""One round for many waits: lists first, single reads for what they do not answer, and the news for everybody."""

from __future__ import annotations

import copy
import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import NotFoundError, UseapiError
from . import polling
from .answers import read
from .calls import call, limited
from .effects import Answer, Core, Options, Send
from .retry import is_transient
from .surroundings import REMEMBERED, Context
from .surveying import FEW, Survey, wish_of

if TYPE_CHECKING:
    from useapi_runwayml_api.creations.base import OnProgress
    from useapi_runwayml_api.models.task import Task


class Terms(NamedTuple):
    """How a caller wants to wait."""

    timeout: float
    poll_interval: float | None
    on_progress: OnProgress | None
    options: Options


class Watch:
    """One caller's wait: the ids that are open, what is known of them, and what it has not been told yet."""

    def __init__(self, context: Context, task_ids: Sequence[str], terms: Terms) -> None:
        self.context = context
        self.terms = terms
        self.begun: float = context.clock.monotonic()
        self.deadline: float = self.begun + terms.timeout
        self.asked: tuple[str, ...] = tuple(task_ids)
        self.open: dict[str, Task | None] = dict.fromkeys(task_ids)
        self.news: OrderedDict[str, Any] = OrderedDict()
        self.trouble: UseapiError | None = None
        self.gate: Any = context.make_gate()
        self.is_parked = False

    def keep(self, task_id: str, news: Any) -> None:
        """News for the caller, instead of older news of this task that it has not taken yet."""
        self.news[task_id] = news
        self.news.move_to_end(task_id)

    def unanswered(self) -> Iterator[str]:
        """The ids that are worth asking for: neither ended nor failed, as far as is known."""
        failed = {task_id for task_id, news in self.news.items() if isinstance(news, UseapiError)}
        for task_id, task in self.open.items():
            if task_id not in failed and (task is None or not polling.is_final(task)):
                yield task_id


class Asker:
    """Asks once for all that the watches have open, and tells each its news. The lock is held while no request happens."""

    next_round: float
    """When it is asked again; told by the first wait that joins."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.start_anew()
        if context.callbacks is not None:
            context.callbacks.listen(self.hint)

    def start_anew(self) -> None:
        """Without any wait; also in a child process, whose parent's waits go on there."""
        self.watches: dict[Watch, None] = {}
        self.watching: dict[str, list[Watch]] = {}
        self.last_round: float = 0.0
        self.quiet_until: float = 0.0
        self.refused: dict[str | None, float] = {}
        self.turns: dict[str, int] = {}
        self.hinted: dict[str, None] = {}
        self.lock: threading.RLock = threading.RLock()

    def add(self, watch: Watch) -> None:
        self.watches[watch] = None
        for task_id in watch.open:
            self.watching.setdefault(task_id, []).append(watch)

    def remove(self, watch: Watch) -> None:
        self.watches.pop(watch, None)
        for task_id in watch.asked:
            others = [each for each in self.watching.pop(task_id, ()) if each is not watch]
            if others:
                self.watching[task_id] = others

    def hint(self, task_id: str) -> None:
        """A task is said to have ended: it is read soon, by whoever waits for it, now or later. From whatever thread."""
        with self.lock:
            self.hinted.pop(task_id, None)
            self.hinted[task_id] = None
            while len(self.hinted) > REMEMBERED:
                del self.hinted[next(iter(self.hinted))]

    def heard(self) -> list[str]:
        """The open tasks that are said to have ended; none for as long as the service asks to wait."""
        with self.lock:
            if self.context.clock.monotonic() < self.quiet_until:
                return []
            return [task_id for task_id in self.unanswered() if task_id in self.hinted] if self.hinted else []

    def unanswered(self) -> list[str]:
        return list(dict.fromkeys(task_id for each in self.watches for task_id in each.unanswered()))

    def look(self, leader: Watch, heard: Sequence[str]) -> Core[None]:
        """Asks for those that are said to have ended: a few by their ids, many by lists. What does not prove true is soon asked for again."""
        clock = self.context.clock
        with self.lock:
            for task_id in heard:
                self.hinted.pop(task_id, None)
        survey = Survey(self.context, self.refused, lambda: self._options(leader), self.tell)
        left = heard if len(heard) <= FEW else (yield from survey.ask(heard))
        _, wish = yield from self._one_by_one(left, leader, math.inf)
        with self.lock:
            are_open = set(heard).intersection(self.unanswered())
        now = clock.monotonic()
        if pause := max(wish, survey.wish):
            self.quiet_until = now + pause
            self.next_round = max(self.next_round, self.quiet_until)
        elif are_open:
            soon = now + polling.SHORTEST
            self.next_round = soon if self.next_round <= now else min(self.next_round, soon)

    def round(self, leader: Watch) -> Core[None]:
        """Asks once for all that is open: a lone task by its id, several by lists, with single reads for the rest."""
        clock = self.context.clock
        with self.lock:
            left = self.unanswered()
            self.turns = {task_id: turn for task_id, turn in self.turns.items() if task_id in self.watching}
        survey = Survey(self.context, self.refused, lambda: self._options(leader), self.tell)
        left = yield from survey.ask(left)
        going_on = [task_id for task_id in left if task_id in survey.tracked]
        unknown = [task_id for task_id in left if task_id not in survey.tracked]
        until = clock.monotonic() + self._pause(survey.tracked)
        order = [*self._in_turn(unknown), *self._in_turn(going_on)[:FEW]]
        done, wish = yield from self._one_by_one(order, leader, until)
        self.last_round = clock.monotonic()
        wish = max(wish, survey.wish)
        self.quiet_until = self.last_round + wish
        pause = polling.jittered(max(self._pause(survey.tracked), wish), self.context.uniform)
        # those that are left have ended, or so it seems: the scheduler runs them no more
        at_once = survey.has_tracked and done < len(unknown) and not wish
        self.next_round = self.last_round + (0.0 if at_once else pause)

    def _pause(self, tracked: Set[str]) -> float:
        """Seconds until it is worth asking again, by what is known now of the tasks that go on: those that the scheduler runs among them."""
        with self.lock:
            now = self.context.clock.monotonic()
            wanted = (
                polling.interval(
                    task,
                    now - each.begun,
                    each.terms.poll_interval,
                    is_called_back=task_id in self.context.called_back,
                )
                for each in self.watches
                for task_id, task in each.open.items()
                if (task_id not in tracked if task is None else not polling.is_final(task))
            )
            return min(wanted, default=polling.SHORTEST)

    def _in_turn(self, left: Sequence[str]) -> list[str]:
        """Those that only a read of their own can answer; who was read longest ago is first."""
        return sorted(left, key=lambda task_id: self.turns.get(task_id, 0))

    def _one_by_one(self, task_ids: Sequence[str], leader: Watch, until: float) -> Core[tuple[int, float]]:
        """Reads each by its id, at the pace of the answers, until a moment or a wish to wait; gives how many came before that, and the wish."""
        from useapi_runwayml_api.api.tasks import get_task

        last = max(self.turns.values(), default=0)
        for number, task_id in enumerate(task_ids):
            options = self._options(leader)
            if options is None or self.context.clock.monotonic() >= until:
                return number, 0.0
            self.turns[task_id] = last + 1 + number
            request = call(get_task, options, task_id, task_id=task_id)
            try:
                answer: Answer = yield Send(request)
                task = with_id(read(answer, request), task_id)
            except UseapiError as error:
                self.tell(task_id, error)
                if wish := wish_of(error):
                    return number, wish
            else:
                self.tell(task_id, task)
        return len(task_ids), 0.0

    def _options(self, leader: Watch) -> Options | None:
        """No single request may outlive the wait of the one that sends it; None when that is over."""
        if self.context.clock.monotonic() >= leader.deadline:
            return None
        return limited(leader.context, leader.terms.options, leader.deadline)

    def tell(self, task_id: str, news: Any) -> None:
        """Brings the news to everyone who waits for this task."""
        with self.lock:
            now = self.context.clock.monotonic()
            for watch in self.watching.get(task_id, ()):
                if task_id not in watch.open:
                    continue
                if isinstance(news, UseapiError):
                    wish = wish_of(news)
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


def with_id(task: Task, task_id: str) -> Task:
    """The task with its id, if the answer left it out."""
    if task.task_id:
        return task
    from attrs import evolve

    return evolve(task, task_id=task_id)
