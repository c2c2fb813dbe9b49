"""Video to video: create a paid generation, or go the whole way from a clip to a finished file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Unpack

from .._core.effects import Options
from .._core.polling import OnProgress
from .._core.running import CreateOptions, RunResult, run, start
from .._core.uploading import FileSource
from ._base import AsyncResource, SyncResource

if TYPE_CHECKING:
    import httpx
    from useapi_runwayml_api.models.aspect_ratio import AspectRatio
    from useapi_runwayml_api.models.resolution import Resolution
    from useapi_runwayml_api.models.seconds import Seconds
    from useapi_runwayml_api.models.task import Task


class VideoToVideo(SyncResource):
    """Gen-3 Alpha Turbo Video to Video, blocking."""

    def create(
        self,
        *,
        asset_id: str,
        text_prompt: str,
        aspect_ratio: AspectRatio | None = None,
        structure_transformation: int | None = None,
        seconds: Seconds | None = None,
        resolution: Resolution | None = None,
        seed: int | None = None,
        explore_mode: bool | None = None,
        reply_url: str | None = None,
        reply_ref: str | None = None,
        max_jobs: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        encoding: Literal["json", "multipart"] = "json",
        busy_timeout: float = 600,
        extra_headers: Mapping[str, str] | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Task:
        """Starts one paid generation (createVideoToVideo) and gives its task. One POST at most reaches the service.

        Args:
            asset_id: the video to change; the task runs on the account that owns it.
            text_prompt: what the result should look like.
            aspect_ratio: landscape (the service's default) or portrait.
            structure_transformation: 0 (close to the source) to 10; the service's default is 3.
            seconds: 5 or 10 (the service's default); each costs five credits.
            resolution: 720p.
            seed: 1 to 4294967294; chosen by the service when left out.
            explore_mode: without credits, on an Unlimited plan.
            reply_url: where the service posts progress; at most 1024 characters.
            reply_ref: a reference stored with the task, at most 1024 characters; a unique one is made when left out.
            max_jobs: 1 to 10 tasks at once for the account.
            extra_body: fields that this package does not know yet.
            encoding: json, or multipart for the same fields as a form.
            busy_timeout: seconds to wait for a free slot after a 429; 0 raises at once.
            extra_headers: more headers for this call.
            timeout: seconds, or an httpx.Timeout, for this call.

        Raises:
            ParameterError: refused before anything was sent.
            InsufficientCreditsError, ModerationError, AuthenticationError, …: refused by the service, nothing started.
            AccountBusyError, UpstreamBusyError: no slot within busy_timeout, nothing started.
            APIConnectionError: never sent.
            SubmissionUnknownError: nobody knows whether it started; look with `tasks.find(error.reply_ref)`.
        """
        options = Options(extra_headers, timeout)
        values = _values(locals())
        more = {"extra_body": extra_body, "encoding": encoding, "busy_timeout": busy_timeout}
        return self._driver.run(start(self._context, values, options, more))

    def run(
        self,
        video: FileSource,
        text_prompt: str,
        *,
        destination: str | os.PathLike[str],
        timeout: float = 3600,
        keep_asset: bool = True,
        on_created: Callable[[Task], Any] | None = None,
        on_progress: OnProgress | None = None,
        extra_headers: Mapping[str, str] | None = None,
        **options: Unpack[CreateOptions],
    ) -> RunResult:
        """Uploads a clip (or takes an asset id), creates, waits and downloads to `destination`.

        `timeout` covers what follows the create; when it ends, or anything else breaks, the exception bears the task's id, and
        `tasks.wait` and `tasks.download` resume from it. `on_created` gets the task as soon as it exists.
        """
        return self._driver.run(
            run(
                self._context,
                self._group,
                video,
                text_prompt,
                destination=destination,
                timeout=timeout,
                keep_asset=keep_asset,
                on_created=on_created,
                on_progress=on_progress,
                parameters=options,
                options=Options(extra_headers),
            )
        )


class AsyncVideoToVideo(AsyncResource):
    """Gen-3 Alpha Turbo Video to Video, awaited; see `VideoToVideo` for the parameters and errors."""

    async def create(
        self,
        *,
        asset_id: str,
        text_prompt: str,
        aspect_ratio: AspectRatio | None = None,
        structure_transformation: int | None = None,
        seconds: Seconds | None = None,
        resolution: Resolution | None = None,
        seed: int | None = None,
        explore_mode: bool | None = None,
        reply_url: str | None = None,
        reply_ref: str | None = None,
        max_jobs: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        encoding: Literal["json", "multipart"] = "json",
        busy_timeout: float = 600,
        extra_headers: Mapping[str, str] | None = None,
        timeout: float | httpx.Timeout | None = None,
    ) -> Task:
        """Starts one paid generation (createVideoToVideo) and gives its task. One POST at most reaches the service."""
        options = Options(extra_headers, timeout)
        values = _values(locals())
        more = {"extra_body": extra_body, "encoding": encoding, "busy_timeout": busy_timeout}
        return await self._driver.run(start(self._context, values, options, more))

    async def run(
        self,
        video: FileSource,
        text_prompt: str,
        *,
        destination: str | os.PathLike[str],
        timeout: float = 3600,
        keep_asset: bool = True,
        on_created: Callable[[Task], Any] | None = None,
        on_progress: OnProgress | None = None,
        extra_headers: Mapping[str, str] | None = None,
        **options: Unpack[CreateOptions],
    ) -> RunResult:
        """Uploads a clip (or takes an asset id), creates, waits and downloads to `destination`."""
        return await self._driver.run(
            run(
                self._context,
                self._group,
                video,
                text_prompt,
                destination=destination,
                timeout=timeout,
                keep_asset=keep_asset,
                on_created=on_created,
                on_progress=on_progress,
                parameters=options,
                options=Options(extra_headers),
            )
        )


_APART = {"self", "extra_body", "encoding", "busy_timeout", "extra_headers", "timeout", "options"}


def _values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that are fields of the request."""
    return {name: value for name, value in arguments.items() if name not in _APART}
