"""The scheduler: what the API tracks now."""

from __future__ import annotations

import builtins
from collections.abc import Mapping

import httpx
from useapi_runwayml_api.models.scheduled_task import ScheduledTask

from .._core import assets as _assets
from .._core.effects import Options
from ._base import AsyncResource, SyncResource


class Scheduler(SyncResource):
    """Tracked tasks, blocking.

    `extra_headers` are more headers for this call. `timeout` is for this call too, in seconds or as an httpx.Timeout; None is that
    of the client.
    """

    def list(
        self, *, extra_headers: Mapping[str, str] | None = None, timeout: float | httpx.Timeout | None = None
    ) -> builtins.list[ScheduledTask]:
        """The tasks that the API runs and tracks now (listScheduler)."""
        return self._driver.run(_assets.tracked(self._context, Options(extra_headers, timeout)))

    def release(
        self,
        task_id: str,
        *,
        extra_headers: Mapping[str, str] | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> None:
        """Stops tracking a task and frees its slot (releaseScheduledTask). The job still runs and still costs."""
        self._driver.run(_assets.release(self._context, task_id, Options(extra_headers, timeout)))


class AsyncScheduler(AsyncResource):
    """Tracked tasks, awaited."""

    async def list(
        self, *, extra_headers: Mapping[str, str] | None = None, timeout: float | httpx.Timeout | None = None
    ) -> builtins.list[ScheduledTask]:
        """The tasks that the API runs and tracks now (listScheduler)."""
        return await self._driver.run(_assets.tracked(self._context, Options(extra_headers, timeout)))

    async def release(
        self,
        task_id: str,
        *,
        extra_headers: Mapping[str, str] | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> None:
        """Stops tracking a task and frees its slot (releaseScheduledTask). The job still runs and still costs."""
        await self._driver.run(_assets.release(self._context, task_id, Options(extra_headers, timeout)))
