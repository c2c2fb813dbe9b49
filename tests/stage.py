"""Callers of one client on a stage: one runs at a time, up to the next moment at which another could, and a director says who is next.

The same for threads of a blocking client and for tasks of an awaiting one, so that races are found by search, and shrink.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
from typing import Any, NamedTuple

import httpx
import pytest

import useapi_runwayml
from useapi_runwayml.simulator import Simulator, SimulatorTransport

from .conftest import BASE_URL, TOKEN

PATIENCE = 20.0  # real seconds, after which a thread that does not come to rest is said to hang


class Cut(BaseException):
    """What ends a caller in the midst of it, as Ctrl-C does."""


class Gate:
    """What the client parks callers at."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.is_open = False

    def set(self) -> None:
        self.is_open = True

    def wait(self, seconds: float = math.inf) -> Any:
        """Blocking or awaited, as the stage is."""
        return self._stage.pause("park", self._stage.time + seconds, self)


class Moment(NamedTuple):
    """Where a caller stands: it can go on from `until` on, or when the gate is open; of a caller that is busy with what it was given, when it likes."""

    kind: str
    until: float = -math.inf
    gate: Gate | None = None


class Actor:
    """A caller: what it was given, and how it ended."""

    def __init__(self, ids: list[str], timeout: float, begun: float) -> None:
        self.ids = ids
        self.deadline = begun + timeout
        self.given: list[str] = []
        self.left: list[str] = []
        self.error: BaseException | None = None
        self.moment: Moment | None = None
        self.watch: Any = None
        self.is_cut = self.is_over = False
        self.over_at = -math.inf
        self.go: Any = None

    def can_go_on(self, now: float) -> bool:
        if self.moment is None:
            return False
        return now >= self.moment.until or (self.moment.gate is not None and self.moment.gate.is_open)


class Stage(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """A client, its service and its time; all three pause the caller that uses them."""

    def __init__(self, sim: Simulator, begun: float) -> None:
        self.time = begun
        self.actors: list[Actor] = []
        self.flying = 0
        self._service = SimulatorTransport(sim, self)
        self.client = self.make_client()
        self.client._use_clock(self)
        self.client._context.uniform = random.Random(1).uniform
        self.client._context.make_gate = lambda: Gate(self)
        self._join, self.client._group.join = self.client._group.join, self._joined

    # -- the clock, for the client and for the service
    def now(self) -> float:
        return self.time

    monotonic = now

    def advance(self, seconds: float) -> None:
        self.time += seconds

    def sleep(self, seconds: float) -> Any:
        return self.pause("sleep", self.time + seconds)

    asleep = sleep

    # -- the wire
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.flying += 1
        try:
            self.pause("send")
            answer = self._service.handle_request(request)
            self.pause("answer")
        finally:
            self.flying -= 1
        return answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.flying += 1
        try:
            await self.pause("send")
            answer = self._service.handle_request(request)
            await self.pause("answer")
        finally:
            self.flying -= 1
        return answer

    # -- what a stage of threads and one of tasks do in their own ways
    def make_client(self) -> Any:
        raise NotImplementedError

    def pause(self, kind: str, until: float = -math.inf, gate: Gate | None = None) -> Any:
        raise NotImplementedError

    def current(self) -> Actor:
        raise NotImplementedError

    def start(self, actor: Actor, **terms: Any) -> None:
        raise NotImplementedError

    def resume(self, actor: Actor, cut: bool = False) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def _joined(self, watch: Any) -> None:
        self.current().watch = watch
        self._join(watch)

    def _end(self, actor: Actor, error: BaseException | None) -> None:
        if isinstance(error, useapi_runwayml.WaitTimeoutError):
            actor.left = error.task_ids
        elif not isinstance(error, (Cut, asyncio.CancelledError)):
            actor.error = error
        actor.moment, actor.is_over, actor.over_at = None, True, self.time


class Threads(Stage):
    """Callers in threads, of a blocking client."""

    def __init__(self, sim: Simulator, begun: float) -> None:
        self._here = threading.local()
        super().__init__(sim, begun)

    def make_client(self) -> Any:
        return useapi_runwayml.RunwayClient(TOKEN, base_url=BASE_URL, http_client=httpx.Client(transport=self))

    def current(self) -> Actor:
        actor: Actor = self._here.actor
        return actor

    def pause(self, kind: str, until: float = -math.inf, gate: Gate | None = None) -> Any:
        actor = self.current()
        actor.moment = Moment(kind, until, gate)
        go, rest = actor.go
        rest.release()
        go.acquire()
        actor.moment = None
        if actor.is_cut:
            raise Cut
        return gate is not None and gate.is_open

    def start(self, actor: Actor, **terms: Any) -> None:
        self.actors.append(actor)
        actor.go = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._play, args=(actor, terms), daemon=True).start()
        self._rest(actor)

    def resume(self, actor: Actor, cut: bool = False) -> None:
        actor.is_cut = cut
        actor.go[0].release()
        self._rest(actor)

    def _rest(self, actor: Actor) -> None:
        if not actor.go[1].acquire(timeout=PATIENCE):
            pytest.fail("a caller waits for another one that does not run: somebody holds a lock")

    def _play(self, actor: Actor, terms: dict[str, Any]) -> None:
        self._here.actor = actor
        found: BaseException | None = None
        if terms.pop("tells", False):
            terms["on_progress"] = lambda progress: self.pause("busy")
        endings = self.client.tasks.as_completed(actor.ids, **terms)
        try:
            while True:
                try:
                    actor.given.append(str(next(endings).task_id))
                except StopIteration:
                    break
                except useapi_runwayml.errors.NotFoundError as error:
                    actor.given.append(str(error.task_id))
                self.pause("busy")
        except BaseException as error:  # noqa: BLE001  # told by the director
            found = error
        endings.close()  # as its last reference would
        self._end(actor, found)
        actor.go[1].release()

    def close(self) -> None:
        self.client._driver._client.close()


class Tasks(Stage):
    """Callers in tasks of one event loop, of an awaiting client."""

    def __init__(self, sim: Simulator, begun: float) -> None:
        self._runner = asyncio.Runner()
        self._actors: dict[Any, Actor] = {}
        super().__init__(sim, begun)

    def make_client(self) -> Any:
        return useapi_runwayml.AsyncRunwayClient(
            TOKEN, base_url=BASE_URL, http_client=httpx.AsyncClient(transport=self)
        )

    def current(self) -> Actor:
        return self._actors[asyncio.current_task()]

    def pause(self, kind: str, until: float = -math.inf, gate: Gate | None = None) -> Any:
        return self._pause(Moment(kind, until, gate))

    async def _pause(self, moment: Moment) -> None:
        actor = self.current()
        actor.go = asyncio.get_running_loop().create_future()
        actor.moment = moment
        try:
            await actor.go
        finally:
            actor.moment = None

    def start(self, actor: Actor, **terms: Any) -> None:
        self.actors.append(actor)

        async def begin() -> None:
            self._actors[asyncio.get_running_loop().create_task(self._play(actor, terms))] = actor

        self._runner.run(begin())
        self._rest(actor)

    def resume(self, actor: Actor, cut: bool = False) -> None:
        task = next(task for task, each in self._actors.items() if each is actor)
        actor.is_cut = cut
        if cut:
            task.cancel()
        else:
            actor.go.set_result(None)
        actor.moment = None
        self._rest(actor)

    def _rest(self, actor: Actor) -> None:
        async def settle() -> None:
            while actor.moment is None and not actor.is_over:  # noqa: ASYNC110  # others run meanwhile
                await asyncio.sleep(0)

        self._runner.run(settle())

    async def _play(self, actor: Actor, terms: dict[str, Any]) -> None:
        found: BaseException | None = None

        async def busy(progress: Any) -> None:
            await self.pause("busy")

        if terms.pop("tells", False):
            terms["on_progress"] = busy
        endings = self.client.tasks.as_completed(actor.ids, **terms)
        try:
            while True:
                try:
                    actor.given.append(str((await anext(endings)).task_id))
                except StopAsyncIteration:
                    break
                except useapi_runwayml.errors.NotFoundError as error:
                    actor.given.append(str(error.task_id))
                await self.pause("busy")
        except BaseException as error:  # noqa: BLE001  # told by the director
            found = error
        await endings.aclose()
        self._end(actor, found)

    def close(self) -> None:
        self._runner.close()
