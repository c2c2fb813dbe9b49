"""Runs a batch: DBOS with the engine inside, one client, until no row is open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpx
from dbos import DBOS

from .. import AsyncRunwayClient, errors
from .._seam import email_of
from .accounts import Budget
from .checks import Job
from .clock import BatchClock, ServiceClock
from .engine import Engine
from .facts import ENDS, Facts, latest
from .journal import Journal, queue_of
from .pulse import Pulse
from .records import ROW
from .steps import Settings, Steps

POLL_SECONDS = 0.1
AHEAD = 3
_running: list[Engine] = []


@DBOS.workflow(name=ROW, max_recovery_attempts=None)
async def _row(job: dict[str, Any]) -> dict[str, Any]:
    if not _running:
        raise asyncio.CancelledError  # this process ends: the row is the next one's
    return await _running[-1].process(Job(**job))


async def _step(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """A step of DBOS: recorded once it is done, and not done again."""

    async def call() -> Any:
        return await function(*arguments)

    return await DBOS.run_step_async({"name": name}, call)


async def _run(
    journal: Journal,
    settings: Settings,
    clock: BatchClock,
    on_event: Callable[[Job | None, str, str], None],
    http_client: Callable[..., httpx.AsyncClient],
) -> list[Facts]:
    known = journal.facts()
    service = ServiceClock(clock)
    async with http_client(event_hooks={"response": [service]}) as http:
        runway = AsyncRunwayClient(http_client=http)
        runway._use_clock(clock)
        spent = spent_by(known)
        budget = Budget(settings.max_credits, spent)
        steps = Steps(runway, settings, clock, budget, service)
        steps.taken_back = journal.unsent.all()
        engine = Engine(steps, _step)
        engine.on_event = _noting(journal, on_event)
        pulse = Pulse(clock, lambda about, told: engine.tell(None, about, told))
        http.event_hooks = {"request": [steps.posting, pulse.asked], "response": [service, pulse.answered]}
        _remember(engine, known)
        _running.append(engine)
        try:
            with contextlib.suppress(errors.UseapiError):
                await runway.scheduler.list()  # a read, for the service's date
            DBOS(config=journal.config())
            DBOS.launch()
            await _open_queues({each.job.email for each in known}, settings)
            while await asyncio.to_thread(journal.is_open):  # the journal is the truth, and has no event
                pulse.check()
                await asyncio.sleep(POLL_SECONDS * 2)
            ended = latest(journal.facts())
            if settings.delete_assets:
                await delete_assets(runway, ended)
            return ended
        except BaseException:
            engine.is_over = True
            await _stop_all()
            with contextlib.suppress(OSError):
                journal.unsent.add(steps.never_sent())
            raise
        finally:
            _running.remove(engine)
            with contextlib.suppress(OSError):
                journal.notices.begin()


def _noting(
    journal: Journal, on_event: Callable[[Job | None, str, str], None]
) -> Callable[[Job | None, str, str], None]:
    """What is waited for stands in the journal too, for `status`; who looks on hears of it once."""
    journal.notices.begin()

    def noted(job: Job | None, state: str, why: str) -> None:
        is_new = journal.notices.tell(state if job is None else job.id, "" if state in ENDS else why)
        if is_new or job is not None:
            on_event(job, state, why)

    return noted


async def _stop_all() -> None:
    """Ends all rows before their client is closed: an interrupted step leaves no trace and is done again by the next run."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        if not each.cancelling():  # a second time would interrupt what it still records
            each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _open_queues(emails: Iterable[str | None], settings: Settings) -> None:
    """A queue per account, somewhat longer than its slots, so that uploads go ahead of them."""
    for email in emails:
        await DBOS.register_queue_async(
            queue_of(email),
            worker_concurrency=settings.max_jobs + AHEAD,
            polling_interval_sec=POLL_SECONDS,
            on_conflict="always_update",
        )


def _remember(engine: Engine, known: Iterable[Facts]) -> None:
    """What earlier processes did: uploads that serve again, and rows whose task exists and has its slot."""
    lost = [each for each in known if each.state == "failed" and "NotFoundError" in str(each.steps)]
    gone = {asset_id for each in lost for asset_id in (each.asset_id, each.image_id)}
    for each in known:
        home = each.job.email or email_of(each.asset_id or each.job.video)
        for digest, asset_id, email in (
            (each.sha256, each.asset_id, each.job.email),
            (each.image_sha256, each.image_id, home),
        ):
            if digest and asset_id and asset_id not in gone:
                engine.steps.uploads.known[digest, email] = asset_id
                engine.steps.learn_home(email, asset_id)
        if each.task_id:
            engine.with_task.add(each.job.id)
        if each.intent is not None:
            engine.with_intent.add(each.job.id)


async def delete_assets(runway: AsyncRunwayClient, ended: Sequence[Facts]) -> None:
    """Deletes the uploads that no row needs any more: every row of their file is done."""
    files = [
        (asset_id, file, each)
        for each in ended
        for asset_id, file in ((each.asset_id, each.job.video), (each.image_id, each.job.image))
        if asset_id and asset_id != file
    ]
    needed = {(file, each.job.email) for _, file, each in files if each.state != "done"}
    kept = {asset_id for asset_id, file, each in files if (file, each.job.email) in needed}
    uploaded = dict.fromkeys(asset_id for asset_id, _, _ in files)
    for asset_id in uploaded:
        if asset_id is not None and asset_id not in kept:
            with contextlib.suppress(errors.UseapiError):
                await runway.assets.delete(asset_id)


def spent_by(known: Iterable[Facts]) -> float:
    """What all attempts have cost, as far as prices are known: each task once, adopted ones too, and every create that may have left."""
    by_task = {each.task_id: each.job.credits() for each in known if each.task_id and (each.paid or each.job.decision)}
    left = [each.job.credits() for each in known if each.intent is not None]
    return sum(credits or 0 for credits in (*by_task.values(), *left))


def run(
    journal: Journal,
    settings: Settings,
    *,
    clock: BatchClock | None = None,
    on_event: Callable[[Job | None, str, str], None] = lambda job, state, why: None,
    http_client: Callable[..., httpx.AsyncClient] = httpx.AsyncClient,
) -> list[Facts]:
    """Runs until no row is open; gives what became of each. An interruption leaves every row as it is, for the next run."""
    try:
        return asyncio.run(_run(journal, settings, clock or BatchClock(), on_event, http_client))
    finally:
        DBOS.destroy()
