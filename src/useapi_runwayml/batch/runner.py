"""Runs batches: DBOS with the engine inside, one client, until no row is open."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
from dbos import DBOS
from sqlalchemy.exc import DBAPIError, TimeoutError

from .. import AsyncRunwayClient, errors
from .._seam import make_ours
from .calls import Calls, Receiver
from .checks import Job
from .clock import BatchClock, ServiceClock
from .engine import Engine
from .estates import bring_back, pending_of, take_over
from .facts import ENDS, Facts, latest
from .journal import ROW, Journal
from .ledger import Ledger, Lost, Row
from .leftovers import delete_assets
from .presence import BEAT, Presence
from .pulse import Pulse
from .steps import Settings, Steps
from .telling import Stopped
from .transactions import is_outage

T = TypeVar("T")
POLL_SECONDS = 0.3
TIMEOUT = 60.0
"""Seconds of the machine's, for one call: what a client takes that nobody tells another."""
GRACE = 20.0
"""Seconds that an interrupted row has to record where it is, before it is interrupted again."""
SELDOM = 5
"""Every how many beats a worker looks for rows that nobody works on."""
UNBEGUN = "coroutine 'execute_dequeued_workflow.* was never awaited"
"""What Python says of a row that DBOS was about to hand over when the end came: nothing of it was begun, so that there is nothing to tell."""
OnEvent = Callable[[Job | None, str, str], None]
_running: list[Engine] = []


@DBOS.workflow(name=ROW, max_recovery_attempts=None)
async def _row(told: dict[str, Any]) -> dict[str, Any]:
    if not _running:
        raise asyncio.CancelledError  # this process ends: the row is the next one's
    return await _running[-1].process(told["id"], told["row"], told["account"])


@dataclass(frozen=True)
class Work:
    """What a worker does: the batch of its journal, or all of the database, until nothing is open, or for ever."""

    journal: Journal
    clock: BatchClock
    on_event: OnEvent
    http_client: Callable[..., httpx.AsyncClient]
    queues: Sequence[str] | None = None
    callbacks: Receiver | None = None
    is_endless: bool = False
    client: Callable[..., AsyncRunwayClient] = AsyncRunwayClient
    go_on: Callable[[], None] = lambda: None
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(4, "useapi-runwayml-presence"))

    @contextlib.asynccontextmanager
    async def connected(self, http: httpx.AsyncClient) -> AsyncIterator[AsyncRunwayClient]:
        """A client on these connections, each of whose calls is held to its time."""
        async with http:
            make_ours(http)
            timeout = self.clock.of_the_machine(TIMEOUT)
            runway = self.client(http_client=http, callbacks=self.callbacks, timeout=timeout)
            runway._use_clock(self.clock)
            yield runway

    async def run(self) -> None:
        """An interruption leaves every row as it is, for whoever comes next."""
        service = ServiceClock(self.clock)
        http = self.http_client(event_hooks={"response": [service]})
        async with self.connected(http) as runway:
            journal = self.journal
            presence = journal.place.presence(journal.engine)
            journal.notices.worker = presence.worker
            ledger = Ledger(journal.transactions, presence.worker, journal.root)
            steps = Steps(runway, self.clock, service, ledger, journal.transactions)
            if presence.is_shared:
                steps.posting.is_sure = lambda: self._in_thread(presence.is_sure)
            engine = Engine(steps)
            engine.on_event = self._noting()
            engine.give_back = self._give_back
            pulse = Pulse(self.clock, lambda about, told: engine.tell(None, about, told))
            journal.transactions.on_outage = self._tell_outage
            http.event_hooks = {"request": [steps.posting, pulse.asked], "response": [service, pulse.answered]}
            calls = Calls(journal.transactions, self.callbacks, steps.waited_for) if self.callbacks else None
            await self._in_thread(presence.begin)
            await _meanwhile(steps.learn(), self.go_on)
            _running.append(engine)
            try:
                with contextlib.suppress(errors.UseapiError):
                    await _meanwhile(runway.scheduler.list(), self.go_on)  # a read, for the service's date
                DBOS(config=journal.config(presence.worker))
                if self.queues is not None:
                    DBOS.listen_queues(self.queues)
                DBOS.launch()
                async with asyncio.TaskGroup() as group:
                    living = group.create_task(self._live(presence, engine, calls))

                    def check() -> None:
                        pulse.check()
                        self.go_on()
                        # rows that wait for those that it stopped, and a worker without an end, would not come upon it
                        if reason := engine.defect or journal.failure:
                            raise reason

                    while await _meanwhile(self._is_open(engine, presence), check):
                        check()
                        await asyncio.sleep(POLL_SECONDS)
                    living.cancel()
                await _let_end()
            except BaseException as error:  # noqa: BLE001  # Ctrl-C too
                engine.is_over = True
                warnings.filterwarnings("ignore", UNBEGUN, RuntimeWarning)
                await _stop_all()
                for row in steps.never_sent():
                    with contextlib.suppress(OSError, DBAPIError, Lost):  # then it is looked for, as after a crash
                        journal.transactions.now(lambda connection: ledger.drop_in(connection, row))  # noqa: B023
                raise _of(error) from None
            finally:
                _running.remove(engine)
                with contextlib.suppress(OSError, DBAPIError):
                    await self._in_thread(presence.end)
                self._threads.shutdown()

    async def _is_open(self, engine: Engine, presence: Presence) -> bool:
        """Whether there is something left to do. A database is asked each time: an outage is told while rows only wait, too."""
        if self.is_endless or (engine.is_busy and not presence.is_shared):
            return True
        return await self.journal.transactions.do(self.journal.has_open)

    async def _give_back(self, row: Row) -> None:
        """Into its queue again."""
        queue, client = self.journal.queue_of(row.job.email, row.batch), self.journal.client
        await self.journal.transactions.through(lambda: client.resume_workflows([row.id], queue_name=queue))

    async def _in_thread(self, call: Callable[..., T], *given: Any, **more: Any) -> T:
        """What says that this worker is there waits for nobody else's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, functools.partial(call, *given, **more))

    async def _live(self, presence: Presence, engine: Engine, calls: Calls | None) -> None:
        """It beats, sees who is gone and what others were told, and takes over what the dead left. Through an outage nothing of that can be done."""
        alone: set[str] = set()
        for beats in itertools.count(1):
            try:
                await self._in_thread(presence.look)
                await self._in_thread(take_over, self.journal, presence.worker)
                if calls is not None:
                    await self._in_thread(calls.look)
                if beats % SELDOM == 0:
                    await self._in_thread(take_over, self.journal, presence.worker, again=True)
                    mine = await self._in_thread(pending_of, self.journal, [presence.worker])
                    strays = {
                        each for each in mine if not engine.present[each]
                    }  # it was never told of them, or lost them
                    await self._in_thread(bring_back, self.journal, strays & alone)
                    alone = strays - alone
            except (DBAPIError, TimeoutError) as error:
                if not is_outage(error):
                    raise
            await asyncio.sleep(BEAT if presence.is_shared else BEAT * SELDOM)

    def _noting(self) -> Callable[[Row | None, str, str], None]:
        """What is waited for stands in the journal too, for `status`; who looks on hears of it once."""
        journal = self.journal

        def noted(row: Row | None, state: str, why: str) -> None:
            is_new = False
            try:
                is_new = journal.notices.tell(state if row is None else row.id, "" if state in ENDS else why)
            finally:
                if is_new or row is not None:
                    self.on_event(None if row is None else row.job, state, why)

        return noted

    def _tell_outage(self, told: str) -> None:
        with contextlib.suppress(Exception):
            self.on_event(None, "the database", told)


def _of(error: BaseException) -> BaseException:
    """The one reason that a group of tasks ended for."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _meanwhile(waiting: Coroutine[Any, Any, T], check: Callable[[], None]) -> T:
    """What it gives; as long as that takes it is looked now and then whether to go on."""
    doing = asyncio.ensure_future(waiting)
    try:
        while not (await asyncio.wait([doing], timeout=POLL_SECONDS))[0]:
            check()
        return doing.result()
    finally:
        doing.cancel()


async def _let_end() -> None:
    """Rows that are over are still to be recorded as such by DBOS."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=5)


async def _stop_all() -> None:
    """Ends all rows before their client is closed: an interrupted step leaves no trace and is done again by the next run."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        if not each.cancelling():  # a second time would interrupt what it still records
            each.cancel()
    while others:  # none in most cases; but a library may lose the word, or a database not answer
        _, others = await asyncio.wait(others, timeout=GRACE)
        for each in others:
            each.cancel()


def run(
    journal: Journal,
    settings: Settings,
    *,
    clock: BatchClock | None = None,
    on_event: OnEvent = lambda job, state, why: None,
    http_client: Callable[..., httpx.AsyncClient] = httpx.AsyncClient,
    callbacks: Receiver | None = None,
    client: Callable[..., AsyncRunwayClient] = AsyncRunwayClient,
    go_on: Callable[[], None] = lambda: None,
) -> list[Facts]:
    """Runs the batch of the journal until no row is open; gives what became of each. An interruption leaves every row as it is, for the next run.

    `go_on` is asked now and then, and what it raises is such an interruption.
    """
    queues = journal.admit(settings)
    work = Work(journal, clock or BatchClock(), on_event, http_client, queues, callbacks, client=client, go_on=go_on)

    async def run() -> list[Facts]:
        await work.run()
        ended = latest(journal.facts())
        if settings.delete_assets:
            async with work.connected(http_client()) as runway:
                with contextlib.suppress(Stopped):  # there is nothing else left to do
                    await _meanwhile(delete_assets(runway, journal, ended), go_on)
        return ended

    try:
        return asyncio.run(run())
    finally:
        DBOS.destroy()


def work(
    journal: Journal,
    *,
    until_done: bool = False,
    clock: BatchClock | None = None,
    on_event: OnEvent = lambda job, state, why: None,
    http_client: Callable[..., httpx.AsyncClient] = httpx.AsyncClient,
    callbacks: Receiver | None = None,
    go_on: Callable[[], None] = lambda: None,
) -> None:
    """Works on the batch of the journal, or on all of the database, for ever, or until nothing is open."""
    queues = journal.queues() if journal.batch else None
    worker = Work(journal, clock or BatchClock(), on_event, http_client, queues, callbacks, not until_done, go_on=go_on)
    try:
        asyncio.run(worker.run())
    finally:
        DBOS.destroy()
