"""Many waits, few requests: the waits of a client form one group, and one of them asks for all."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from ..errors import UseapiError
from . import polling
from .asking import Asker, Watch
from .effects import Core, Give, Park, Sleep, Tell
from .stages import Pace

SLICE = 1.0
LONGEST_PARK = 60.0
"""A wait looks now and then whether its leader is there still: one that was interrupted as it left may have told nobody."""


class Group(Asker):
    """All waits of one client, and which of them leads."""

    def start_anew(self) -> None:
        super().start_anew()
        self.leader: Watch | None = None

    def join(self, watch: Watch) -> None:
        with self.lock:
            is_first = not self.watches
            if is_first:
                self.refused.clear()
                self.turns.clear()
            self.add(watch)
            if watch.terms.poll_interval is None and all(each in self.context.called_back for each in watch.open):
                # of its end comes word, if that is not lost: it counts from the create, or many short waits would never ask
                soon = max(map(self.context.called_back.moment, watch.open)) + polling.CALLED_BACK[0]
            else:
                soon = (
                    0.0 if is_first else self.last_round + min(watch.terms.poll_interval or math.inf, polling.SHORTEST)
                )
            self.next_round: float = soon if is_first else min(self.next_round, soon)

    def leave(self, watch: Watch) -> None:
        with self.lock:
            self.remove(watch)
            self.resign(watch)

    def resign(self, watch: Watch) -> None:
        """Passes the lead on, so that nobody waits for a caller that is busy elsewhere or gone.

        One wakes, and takes it or passes it on itself: to wake all would cost each end as many turns as there are waits.
        """
        with self.lock:
            if self.leader is watch:
                self.leader = None
            if self.leader is None:
                heir = next((each for each in self.watches if each.is_parked), None)
                if heir is not None:
                    heir.gate.set()

    def taken(self, watch: Watch) -> tuple[str, Any] | None:
        """The next news of this watch, if there are any: of a task that is open."""
        with self.lock:
            while watch.news:
                task_id, news = watch.news.popitem(last=False)
                if task_id in watch.open:
                    return task_id, news
            return None

    def end(self, watch: Watch, task_id: str) -> None:
        """A task of this watch is over, and its caller may be busy with it."""
        with self.lock:
            del watch.open[task_id]
            self.resign(watch)

    def leads(self, watch: Watch) -> bool:
        """Whether this watch asks for all, and does not park; takes the lead when nobody has it, or one that is gone."""
        with self.lock:
            if self.leader not in self.watches:
                self.leader = watch
            watch.is_parked = self.leader is not watch
            return not watch.is_parked

    def turn(self, watch: Watch) -> Core[None]:
        """Lets time pass until there may be news for this watch: as the leader by asking, as a follower by parking."""
        if not self.leads(watch):
            yield Park(watch.gate, max(0.0, min(LONGEST_PARK, watch.deadline - self.context.clock.monotonic())))
            watch.is_parked, watch.gate = False, self.context.make_gate()
            return
        clock = self.context.clock
        pause = 0.0 if self.heard() else min(self.next_round, watch.deadline) - clock.monotonic()
        # none at the least, so that whoever starts in the same moment is in the first round; no longer than a slice, since
        # a wait that joins may want the next round sooner, and so may a callback
        yield Sleep(max(0.0, min(pause, SLICE)))
        try:
            if heard := self.heard():
                yield from self.look(watch, heard)
            elif self.next_round <= clock.monotonic() < watch.deadline:
                yield from self.round(watch)
        finally:  # also of a round that is cut off in its midst
            with self.lock:
                for each in self.watches:
                    if each is not watch and (each.news or each.deadline <= clock.monotonic()):
                        each.gate.set()


def as_they_end(group: Group, watch: Watch) -> Core[None]:
    """Gives (id, task) and (id, error) as tasks end; WaitTimeoutError at the deadline."""
    clock = group.context.clock
    paces: dict[str, Pace] = {}
    try:
        group.join(watch)
        while True:
            while (taken := group.taken(watch)) is not None:
                task_id, news = taken
                if not isinstance(news, UseapiError) and watch.terms.on_progress is not None:
                    group.resign(watch)  # it may take its time, or wait for a task itself
                    progress = polling.progress_of(news, task_id, elapsed := clock.monotonic() - watch.begun)
                    left = paces.setdefault(task_id, Pace()).left(elapsed, progress.ratio, 1.0)
                    yield Tell(partial(watch.terms.on_progress, progress._replace(seconds_left=left)))
                if isinstance(news, UseapiError) or polling.is_final(news):
                    group.end(watch, task_id)
                    yield Give((task_id, news))
            if not watch.open:
                return
            if clock.monotonic() >= watch.deadline:
                last = next(iter(watch.open.values())) if len(watch.open) == 1 else None
                raise polling.timed_out(list(watch.open), watch.terms.timeout, last, watch.trouble)
            yield from group.turn(watch)
    finally:
        group.leave(watch)
