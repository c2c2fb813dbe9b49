"""How the tasks of rows end, and how their files are had: each step gives plain data, whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .. import AsyncRunwayClient, errors
from .._seam import email_of, is_transient, wish_of
from . import results
from .accounts import Account
from .checks import Job
from .clock import BatchClock, ServiceClock
from .pulse import LONG, lasting

T = TypeVar("T")
PATIENCE = 900.0
LONGEST_PAUSE = 60.0
A_WEEK = 7 * 24 * 3600.0
OVER = (errors.NotFoundError, errors.GoneError)
CLOSING = (
    errors.InsufficientCreditsError,
    errors.SubscriptionError,
    errors.AuthenticationError,
    errors.AccountSessionError,
)


@dataclass(frozen=True)
class Settings:
    """How a batch runs; kept in the journal."""

    max_jobs: int = 5
    max_credits: int | None = None
    poll_interval: float | None = None
    settle: float = 60.0
    delete_assets: bool = False


class Endings:
    """What the steps of all rows do once there is a task, with one client."""

    def __init__(self, runway: AsyncRunwayClient, settings: Settings, clock: BatchClock, service: ServiceClock) -> None:
        self.runway = runway
        self.settings = settings
        self.clock = clock
        self._service = service
        self.tell: Callable[[Job | None, str, str], None] = lambda job, state, why: None

    async def wait(self, job: Job, task_id: str, account: Account) -> dict[str, Any]:
        """How the task ended. All rows wait in one client, which asks for them together."""
        begun = self.clock.monotonic()
        while True:
            try:
                task = await self.runway.tasks.wait(task_id, timeout=A_WEEK, poll_interval=self.settings.poll_interval)
                break
            except CLOSING as error:
                await account.close(error)
                return told("held", error)
            except OVER as error:
                if (gone := await self._is_gone(job, task_id)) is not None:
                    return told("failed", error, stage="task" if gone else "wait")
                self.tell(job, "waiting", "")
            except (errors.TaskFailedError, errors.TaskCancelledError) as error:
                return told("failed", error, stage=stage_of(error, "task"))
            except errors.UseapiError as error:
                return told("failed", error)
        seed = task.options.seed if task.options else None
        took = task.updated_at - task.created_at if task.updated_at and task.created_at else None
        seconds = took.total_seconds() if took is not None else self.clock.monotonic() - begun
        return {"kind": "succeeded", "seconds": round(seconds, 1), "seed": seed}

    async def _is_gone(self, job: Job, task_id: str) -> bool | None:
        """Whether a task whose id we were given is gone for good: read as such, and in no list, for as long as `settle` by the service's clock.

        None when it is there after all; False when that cannot be told.
        """
        begun, since = self.clock.monotonic(), self._service.now()
        self.tell(job, "waiting", f"its task cannot be found: looked for over {lasting(self.settings.settle)}")
        while True:
            await self.clock.asleep(min(10.0, max(1.0, self.settings.settle / 4)))
            with contextlib.suppress(errors.UseapiError):
                try:
                    await self.runway.tasks.retrieve(task_id)
                    return None
                except OVER:
                    listed = {task.task_id async for task in self.runway.tasks.list(email=email_of(task_id))}
                    if task_id in listed | {entry.task_id for entry in await self.runway.scheduler.list()}:
                        return None
                    now = self._service.now()
                    if now is not None and since is not None and now - since >= self.settings.settle:
                        return True
            if self.clock.monotonic() - begun > max(PATIENCE, 2 * self.settings.settle):
                return False

    async def fetch(self, job: Job, task_id: str) -> dict[str, Any]:
        """The result beside its place, whole, and what it is known by, which is recorded before it takes its name."""
        path, begun = Path(job.output), self.clock.monotonic()
        place = results.place_of(path, job.id)
        while True:
            try:
                await asyncio.to_thread(results.make_room, path)
                await self._patiently(
                    job, "downloading", lambda: self.runway.tasks.download(task_id, place, overwrite=True)
                )
                return {"kind": "fetched", **await asyncio.to_thread(results.measure, place)}
            except OVER as error:
                gone = await self._is_gone(job, task_id)
                if gone is not None or self.clock.monotonic() - begun > PATIENCE:
                    return told("failed", error, stage="task" if gone else "download")
                self.tell(job, "downloading", "")
            except (errors.UseapiError, OSError) as error:
                return told("failed", error)  # also of a task without anything to fetch: it costs nothing to look again

    async def publish(self, job: Job, fetched: Mapping[str, Any]) -> dict[str, Any]:
        """The file under its name. One that is there with the same digest is this row's: an earlier process has put it there."""
        path = Path(job.output)
        try:
            found = await asyncio.to_thread(results.publish, path, results.place_of(path, job.id), fetched)
        except FileExistsError as error:
            return told("failed", error, why=f"{path} exists, and is not this row's: move it away, then resume")
        except OSError as error:
            return told("failed", error)
        return {"kind": found, "bytes": fetched["bytes"]}

    async def _patiently(self, job: Job, state: str, call: Callable[[], Awaitable[T]]) -> T:
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
                self.tell(job, state, f"{error}; again in {lasting(wait)}" if wait >= LONG else "")
            await self.clock.asleep(wait)
            until = max(until, self.clock.monotonic() + PATIENCE) if wish else until
            pause = min(LONGEST_PAUSE, pause * 2)


def told(kind: str, failure: Exception, **more: Any) -> dict[str, Any]:
    """What a step gives that did not do what it should: why, and by which error."""
    return {"kind": kind, "why": str(failure), "error": type(failure).__name__, **more}


def stage_of(error: Exception, otherwise: str) -> str:
    return "moderation" if isinstance(error, errors.ContentModerated) else otherwise
