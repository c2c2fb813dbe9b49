"""How the tasks of rows end, and how their files are had: each step gives plain data, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from .. import AsyncRunwayClient, errors
from .._seam import ACCOUNT_ERRORS, email_of, is_transient, wish_of
from . import results
from .accounts import CALM, Account
from .clock import BatchClock, ServiceClock
from .ledger import Ledger, Row
from .pulse import LONG, lasting

T = TypeVar("T")
PATIENCE = 900.0
LONGEST_PAUSE = 60.0
A_WEEK = 7 * 24 * 3600.0
OVER = (errors.NotFoundError, errors.GoneError)
CLOSING = (errors.InsufficientCreditsError, *ACCOUNT_ERRORS)


class Endings:
    """What the steps of all rows do once there is a task, with one client."""

    def __init__(self, runway: AsyncRunwayClient, clock: BatchClock, service: ServiceClock, ledger: Ledger) -> None:
        self.runway = runway
        self.clock = clock
        self.ledger = ledger
        self._service = service
        self.tell: Callable[[Row | None, str, str], None] = lambda row, state, why: None
        self.waited_for: set[str] = set()

    async def wait(self, row: Row, account: Account) -> dict[str, Any]:
        """How the task ended. All rows wait in one client, which asks for them together."""
        begun, task_id = self.clock.monotonic(), str(row.facts.task_id)
        while True:
            try:
                self.waited_for.add(task_id)
                task = await self.runway.tasks.wait(task_id, timeout=A_WEEK, poll_interval=row.settings.poll_interval)
                break
            except CLOSING as error:
                await account.close(error)
                return told("held", error)
            except OVER as error:
                if (gone := await self._is_gone(row, task_id)) is not None:
                    return told("failed", error, stage="task" if gone else "wait")
                self.tell(row, "waiting", "")
            except (errors.TaskFailedError, errors.TaskCancelledError) as error:
                return told("failed", error, stage=stage_of(error, "task"))
            except errors.UseapiError as error:
                return told("failed", error)
            finally:
                self.waited_for.discard(task_id)
        took = task.updated_at - task.created_at if task.updated_at and task.created_at else None
        seconds = took.total_seconds() if took is not None else self.clock.monotonic() - begun
        row.facts.seconds, row.facts.seed = round(seconds, 1), task.options.seed if task.options else None
        row.facts.state, row.ended = "downloading", task
        await self.ledger.leave(row, self.clock.real(CALM))
        await account.wake()
        return {"kind": "succeeded"}

    async def _is_gone(self, row: Row, task_id: str) -> bool | None:
        """Whether a task whose id we were given is gone for good: read as such, and in no list, for as long as `settle` by the service's clock.

        None when it is there after all; False when that cannot be told.
        """
        begun, since = self.clock.monotonic(), self._service.now()
        self.tell(row, "waiting", f"its task cannot be found: looked for over {lasting(row.settings.settle)}")
        while True:
            await self.clock.asleep(min(10.0, max(1.0, row.settings.settle / 4)))
            with contextlib.suppress(errors.UseapiError):
                try:
                    await self.runway.tasks.retrieve(task_id)
                    return None
                except OVER:
                    listed = {task.task_id async for task in self.runway.tasks.list(email=email_of(task_id))}
                    if task_id in listed | {entry.task_id for entry in await self.runway.scheduler.list()}:
                        return None
                    now = self._service.now()
                    if now is not None and since is not None and now - since >= row.settings.settle:
                        return True
            if self.clock.monotonic() - begun > max(PATIENCE, 2 * row.settings.settle):
                return False

    async def fetch(self, row: Row) -> dict[str, Any]:
        """The result beside its place, whole, and what it is known by, which is recorded before it takes its name."""
        path, task_id, begun = Path(row.job.output), str(row.facts.task_id), self.clock.monotonic()
        place = results.place_of(path, row.job.id)
        while True:
            try:
                await asyncio.to_thread(results.make_room, path, place, sweeps=row.was_begun)
                await self._patiently(
                    row, "downloading", lambda: self.runway.tasks.download(row.ended or task_id, place, overwrite=True)
                )
                row.facts.fetched, row.ended = await asyncio.to_thread(results.measure, place), None
                break
            except OVER as error:
                gone = await self._is_gone(row, task_id)
                if gone is not None or self.clock.monotonic() - begun > PATIENCE:
                    return told("failed", error, stage="task" if gone else "download")
                self.tell(row, "downloading", "")
            except (errors.UseapiError, OSError) as error:
                return told("failed", error)  # also of a task without anything to fetch: it costs nothing to look again
        await self.ledger.save(row)
        return {"kind": "fetched"}

    async def publish(self, row: Row) -> dict[str, Any]:
        """The file under its name. One that is there with the same digest is this row's: an earlier process has put it there."""
        path, fetched = Path(row.job.output), row.facts.fetched or {}
        try:
            found = await asyncio.to_thread(results.publish, path, results.place_of(path, row.job.id), fetched)
        except FileExistsError as error:
            return told("failed", error, why=f"{path} exists, and is not this row's: move it away, then resume")
        except OSError as error:
            return told("failed", error)
        row.facts.fetched, row.facts.bytes = None, fetched["bytes"]
        return {"kind": found}

    async def _patiently(self, row: Row, state: str, call: Callable[[], Awaitable[T]]) -> T:
        """Through an outage: what may pass is tried again with growing pauses, for a quarter of an hour, or as long as the service asks to wait."""
        until, pause = self.clock.monotonic() + PATIENCE, 1.0
        while True:
            try:
                return await call()
            except errors.UseapiError as error:
                wish = wish_of(error)
                passing = is_transient(error) or (isinstance(error, errors.DownloadError) and wish)
                if not passing or (self.clock.monotonic() > until and not wish):
                    raise
                wait = max(pause, wish)
                self.tell(row, state, f"{error}; again in {lasting(wait)}" if wait >= LONG else "")
            await self.clock.asleep(wait)
            until = max(until, self.clock.monotonic() + PATIENCE) if wish else until
            pause = min(LONGEST_PAUSE, pause * 2)


def told(kind: str, failure: Exception, **more: Any) -> dict[str, Any]:
    """What a step gives that did not do what it should: why, and by which error."""
    return {"kind": kind, "why": str(failure), "error": type(failure).__name__, **more}


def stage_of(error: Exception, otherwise: str) -> str:
    return "moderation" if isinstance(error, errors.ContentModerated) else otherwise
