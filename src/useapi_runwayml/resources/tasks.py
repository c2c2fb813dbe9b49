"""Tasks: read, list, find, wait for, download and delete them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
from useapi_runwayml_api.creations.base import OnProgress
from useapi_runwayml_api.models.task import Task

from .._core import tasks as _tasks
from .._core.calls import call, delete
from .._core.downloading import download, read_task
from .._core.effects import Options
from .._core.stages import bare
from .._core.surroundings import OnBytes
from ._base import AsyncEndings, AsyncResource, Endings, SyncResource

Headers = Mapping[str, str]


class Tasks(SyncResource):
    """Tasks of the account, blocking.

    `extra_headers` are more headers for this call. `timeout` is for this call too, in seconds or as an httpx.Timeout; None is that
    of the client. Those of `wait` and `as_completed` are the seconds for all of it.
    """

    def retrieve(
        self, task_id: str, *, extra_headers: Headers | None = None, timeout: float | httpx.Timeout | None = None
    ) -> Task:
        """One task as it is now (getTask). Costs nothing.

        Raises NotFoundError for an unknown id and GoneError after seven days; reads are retried `max_retries` times.
        """
        return self._driver.run(read_task(self._context, _tasks.id_of(task_id), Options(extra_headers, timeout)))

    def list(
        self,
        *,
        statuses: Sequence[str] | None = None,
        email: str | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Iterator[Task]:
        """All tasks that the service can list, no task twice (listTasks). `email` is required with several accounts."""
        return self._driver.iterate(_tasks.listed(self._context, statuses, email, Options(extra_headers, timeout)))

    def find(
        self,
        reply_ref: str,
        *,
        email: str | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Task | None:
        """The newest task with this replyRef, or None. None is no proof: that lists show it is not documented."""
        return self._driver.run(_tasks.find(self._context, reply_ref, email, Options(extra_headers, timeout)))

    def delete(
        self, task_id: str, *, extra_headers: Headers | None = None, timeout: float | httpx.Timeout | None = None
    ) -> None:
        """Deletes the record of a task (deleteTask); what was spent stays spent."""
        from useapi_runwayml_api.api.tasks import delete_task

        task_id = _tasks.id_of(task_id)
        request = call(delete_task, Options(extra_headers, timeout), task_id, task_id=task_id)
        self._driver.run(delete(self._context, request))

    def wait(
        self,
        task_or_id: Task | str,
        *,
        timeout: float = 3600,
        poll_interval: float | None = None,
        on_progress: OnProgress | None = None,
        extra_headers: Headers | None = None,
    ) -> Task:
        """The task once it SUCCEEDED, within `timeout` seconds; a Task that has ended already costs no request.

        It asks every `poll_interval` seconds, by default 5 to 60 as the task's progress suggests. Passing failures are
        ridden out. Raises TaskFailedError, TaskModeratedError, TaskCancelledError, WaitTimeoutError (the job goes on; wait
        for the id again, in any process), and at once AuthenticationError, NotFoundError, GoneError and their like.
        """
        options = Options(extra_headers)
        return self._driver.run(
            _tasks.wait(self._context, self._group, task_or_id, timeout, poll_interval, on_progress, options)
        )

    def as_completed(
        self,
        tasks_or_ids: Iterable[Task | str],
        *,
        timeout: float = 3600,
        poll_interval: float | None = None,
        on_progress: OnProgress | None = None,
        extra_headers: Headers | None = None,
    ) -> Endings[Task]:
        """Each task as it ends, whatever its end. All share rounds of one list, so a thousand waits cost few requests.

        An id that answers 404 or 410 raises with its task_id, and the iteration can go on. After `timeout` seconds:
        WaitTimeoutError with the ids still open.
        """
        options = Options(extra_headers)
        core = _tasks.watch(self._context, self._group, tasks_or_ids, timeout, poll_interval, on_progress, options)
        return Endings(self._driver.iterate(core))

    def download(
        self,
        task_or_id: Task | str,
        destination: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        on_progress: OnBytes | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Path:
        """Fetches the result into a file, or into a folder that exists, under a safe name.

        The file appears whole or not at all. An expired link is refreshed once. Raises TaskOutputMissingError when there is
        nothing to fetch, FileExistsError unless `overwrite`, DownloadError when it cannot be fetched or written.
        """
        _tasks.check_id(_tasks.id_of(task_or_id), options := Options(extra_headers, timeout))
        return self._driver.run(
            bare(
                download(
                    self._context,
                    task_or_id,
                    destination,
                    overwrite=overwrite,
                    on_progress=on_progress,
                    options=options,
                )
            )
        )


class AsyncTasks(AsyncResource):
    """Tasks of the account, awaited; see `Tasks` for what each method does."""

    async def retrieve(
        self, task_id: str, *, extra_headers: Headers | None = None, timeout: float | httpx.Timeout | None = None
    ) -> Task:
        """One task as it is now (getTask)."""
        return await self._driver.run(read_task(self._context, _tasks.id_of(task_id), Options(extra_headers, timeout)))

    def list(
        self,
        *,
        statuses: Sequence[str] | None = None,
        email: str | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> AsyncIterator[Task]:
        """All tasks that the service can list, no task twice (listTasks)."""
        return self._driver.iterate(_tasks.listed(self._context, statuses, email, Options(extra_headers, timeout)))

    async def find(
        self,
        reply_ref: str,
        *,
        email: str | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Task | None:
        """The newest task with this replyRef, or None, which is no proof."""
        return await self._driver.run(_tasks.find(self._context, reply_ref, email, Options(extra_headers, timeout)))

    async def delete(
        self, task_id: str, *, extra_headers: Headers | None = None, timeout: float | httpx.Timeout | None = None
    ) -> None:
        """Deletes the record of a task (deleteTask)."""
        from useapi_runwayml_api.api.tasks import delete_task

        task_id = _tasks.id_of(task_id)
        request = call(delete_task, Options(extra_headers, timeout), task_id, task_id=task_id)
        await self._driver.run(delete(self._context, request))

    async def wait(
        self,
        task_or_id: Task | str,
        *,
        timeout: float = 3600,
        poll_interval: float | None = None,
        on_progress: OnProgress | None = None,
        extra_headers: Headers | None = None,
    ) -> Task:
        """The task once it SUCCEEDED, within `timeout` seconds."""
        options = Options(extra_headers)
        return await self._driver.run(
            _tasks.wait(self._context, self._group, task_or_id, timeout, poll_interval, on_progress, options)
        )

    def as_completed(
        self,
        tasks_or_ids: Iterable[Task | str],
        *,
        timeout: float = 3600,
        poll_interval: float | None = None,
        on_progress: OnProgress | None = None,
        extra_headers: Headers | None = None,
    ) -> AsyncEndings[Task]:
        """Each task as it ends, whatever its end."""
        options = Options(extra_headers)
        core = _tasks.watch(self._context, self._group, tasks_or_ids, timeout, poll_interval, on_progress, options)
        return AsyncEndings(self._driver.iterate(core))

    async def download(
        self,
        task_or_id: Task | str,
        destination: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        on_progress: OnBytes | None = None,
        extra_headers: Headers | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Path:
        """Fetches the result into a file, or into a folder that exists, under a safe name."""
        _tasks.check_id(_tasks.id_of(task_or_id), options := Options(extra_headers, timeout))
        return await self._driver.run(
            bare(
                download(
                    self._context,
                    task_or_id,
                    destination,
                    overwrite=overwrite,
                    on_progress=on_progress,
                    options=options,
                )
            )
        )
