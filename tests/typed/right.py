"""Code as users write it, with every public name: type checkers pass on it, and it is never run."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import assert_type
from unittest.mock import create_autospec

import httpx

import useapi_runwayml
from useapi_runwayml import (
    Aleph,
    AlephOptions,
    AnswerInfo,
    Artifact,
    Asset,
    AsyncAleph,
    AsyncRunwayClient,
    AsyncVideoToVideo,
    Features,
    FileSource,
    OnBytes,
    OnProgress,
    Progress,
    RunResult,
    RunwayClient,
    ScheduledTask,
    Stage,
    Task,
    TaskStatus,
    VideoToVideo,
    VideoToVideoOptions,
    errors,
)
from useapi_runwayml.batch import Batch, BatchError, BatchProgress, BatchRow, Difference, Plan, Remark
from useapi_runwayml.callbacks import CallbackApp, CallbackWsgiApp, ReplyUrlSigner, newer, parse
from useapi_runwayml.errors import (
    AccountBusyError,
    AccountSessionError,
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ContentModerated,
    DownloadError,
    GoneError,
    InsufficientCreditsError,
    MediaWarning,
    ModerationError,
    NotFoundError,
    ParameterError,
    PermissionDeniedError,
    Problem,
    RateLimitError,
    ServerError,
    SubmissionUnknownError,
    SubscriptionError,
    TaskCancelledError,
    TaskError,
    TaskFailedError,
    TaskModeratedError,
    TaskOutputMissingError,
    UpstreamBusyError,
    UseapiError,
    WaitTimeoutError,
)
from useapi_runwayml.resources import (
    Assets,
    AsyncAssets,
    AsyncEndings,
    AsyncFeatures,
    AsyncScheduler,
    AsyncTasks,
    Endings,
    Scheduler,
    Tasks,
)
from useapi_runwayml.resources import Features as FeaturesOfClient
from useapi_runwayml.simulator import Simulator, SimulatorServer


def simulated() -> None:
    with SimulatorServer(Simulator()) as server:
        assert_type(server.base_url, str)
        assert_type(server.origin, str)


def told(progress: Progress) -> None:
    assert_type(progress.ratio, float | None)
    assert_type(progress.eta_seconds, float | None)
    assert_type(progress.elapsed_seconds, float)
    stage: Stage = progress.stage
    assert_type(progress.bytes_done, int | None)
    assert_type(progress.bytes_total, int | None)
    assert_type(progress.seconds_left, float | None)
    assert_type(progress.asset_id, str | None)
    print(stage, stage == "download")


def resources_of(runway: RunwayClient, awaiting: AsyncRunwayClient) -> None:
    assert_type(runway.tasks, Tasks)
    assert_type(runway.assets, Assets)
    assert_type(runway.scheduler, Scheduler)
    assert_type(runway.features, FeaturesOfClient)
    assert_type(runway.tasks.as_completed(["id"]), Endings[Task])
    assert_type(awaiting.tasks, AsyncTasks)
    assert_type(awaiting.assets, AsyncAssets)
    assert_type(awaiting.scheduler, AsyncScheduler)
    assert_type(awaiting.features, AsyncFeatures)
    assert_type(awaiting.tasks.as_completed(["id"]), AsyncEndings[Task])


def fetched(tasks: Tasks, video: FileSource, on_bytes: OnBytes, on_progress: OnProgress) -> Path:
    """What users write around what they are given."""
    print(video)
    return tasks.download(tasks.wait("id", on_progress=on_progress), "out.mp4", on_progress=on_bytes)


def statuses_of(runway: RunwayClient) -> dict[str, str]:
    """States by their constants, which stay open: what came is text."""
    chosen = [TaskStatus.RUNNING, TaskStatus.THROTTLED, "SOMETHING_NEW"]
    for task in runway.tasks.list():
        if answer := task.response:
            assert_type(answer.headers, dict[str, str])
            print(answer.status, answer.request_id, answer.elapsed_seconds, answer.tries, task.to_json(indent=2))
    return {task.task_id: task.status or "not told" for task in runway.tasks.list(statuses=chosen)}


def sync() -> None:
    settings = httpx.Timeout(10.0)
    with RunwayClient("t", base_url="http://127.0.0.1:1", timeout=settings, max_retries=2, lookup_timeout=5) as runway:
        assert_type(runway.video_to_video, VideoToVideo)
        assert_type(runway.aleph, Aleph)
        assert_type(
            runway.video_to_video.create(asset_id="a", text_prompt="x", aspect_ratio="portrait", seconds=5), Task
        )
        options: VideoToVideoOptions = {"seed": 7, "seconds": 10}
        result = runway.video_to_video.run("clip.mp4", "x", destination="out.mp4", on_progress=told, **options)
        assert_type(result, RunResult)
        assert_type(result.path, Path)
        assert_type(result.task.task_id, str)
        print(result.task.status == TaskStatus.SUCCEEDED, statuses_of(runway))
        assert_type(result.task.artifacts, list[Artifact])
        assert_type(result.task.artifacts[0].url, str | None)
        aleph: AlephOptions = {"seed": 7}
        assert_type(runway.aleph.run(Path("clip.mp4"), "x", destination="out.mp4", overwrite=True, **aleph), RunResult)
        for task in runway.tasks.as_completed([result.task, "id"]):
            assert_type(task, Task)
        for task in runway.tasks.list(statuses=["RUNNING"], email="a@b.test"):
            assert_type(task, Task)
        assert_type(runway.tasks.retrieve("id", timeout=5, extra_headers={"X-Team": "a"}), Task)
        assert_type(runway.tasks.find("r"), Task | None)
        assert_type(runway.tasks.wait("id", timeout=60, poll_interval=5), Task)
        assert_type(runway.tasks.download("id", Path("out.mp4"), overwrite=True), Path)
        runway.tasks.delete("id")
        assert_type(runway.assets.upload(Path("x.mp4"), duration=5.0, width=1280, height=768), Asset)
        assert_type(runway.assets.retrieve("id"), Asset)
        for asset in runway.assets.list(media_type="video"):
            assert_type(asset, Asset)
            assert_type(asset.asset_id, str)
        runway.assets.delete("id")
        for entry in runway.scheduler.list():
            assert_type(entry, ScheduledTask)
            assert_type(entry.task_id, str)
        runway.scheduler.release("id")
        assert_type(runway.features.retrieve(), Features)


async def awaited(token: Callable[[], str]) -> None:
    async with AsyncRunwayClient(token) as runway:
        assert_type(runway.video_to_video, AsyncVideoToVideo)
        assert_type(runway.aleph, AsyncAleph)
        assert_type(await runway.tasks.wait("id"), Task)
        async for task in runway.tasks.list(statuses=["RUNNING"]):
            assert_type(task, Task)
        async for task in runway.tasks.as_completed(["id"]):
            assert_type(task, Task)
        assert_type(await runway.video_to_video.create(asset_id="a", text_prompt="x"), Task)
        assert_type(await runway.aleph.create(video_asset_id="a", text_prompt="x"), Task)
        assert_type(await runway.features.retrieve(), Features)


def ends(runway: RunwayClient) -> str | None:
    """Every error, and what it knows."""
    try:
        runway.tasks.wait("id")
    except ContentModerated as moderated:
        assert_type(moderated.task_id, str | None)
        return moderated.task_id
    except WaitTimeoutError as late:
        assert_type(late.task_ids, tuple[str, ...])
        assert_type(late.task_id, str)
    except (TaskCancelledError, TaskOutputMissingError) as ended:
        assert_type(ended.task, Task | None)
        assert_type(ended.task_id, str)
    except TaskFailedError as failed:
        assert_type(failed.reason, str | None)
        assert_type(failed.category, str | None)
    except AccountBusyError as busy:
        for running in busy.running_tasks["a"]:
            assert_type(running.task_id, str)
    except RateLimitError as limited:
        assert_type(limited.retry_after, float | None)
    except APIStatusError as refused:
        assert_type(refused.status, int)
        assert_type(refused.response, AnswerInfo | None)
    except SubmissionUnknownError as unknown:
        assert_type(unknown.reply_ref, str)
        assert_type(unknown.candidates, tuple[str, ...])
    except APIResponseError as useless:
        assert_type(useless.status, int)
    except APIConnectionError as broken:
        assert_type(broken.maybe_sent, bool)
    except ParameterError as wrong:
        problems: Sequence[Problem] = wrong.problems
        assert_type(problems[0].field, str)
    except DownloadError as lost:
        return lost.task_id
    except UseapiError as error:
        assert_type(error.task_id, str | None)
    return None


KINDS: tuple[type[UseapiError], ...] = (
    APITimeoutError,
    AccountSessionError,
    AuthenticationError,
    BadRequestError,
    GoneError,
    InsufficientCreditsError,
    ModerationError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    SubscriptionError,
    TaskError,
    TaskModeratedError,
    UpstreamBusyError,
)


def callback(body: Mapping[str, object], known: Task) -> Task:
    """What a receiver of callbacks writes."""
    task = parse(body)
    return newer(known, task)


def row_told(now: BatchProgress) -> None:
    assert_type(now.row, int | None)
    print(f"{now.rows_over} of {now.rows}: {now.state} {now.why}")


def batched(receiver: CallbackApp) -> list[BatchRow]:
    """Many jobs, of a file or of Python."""
    batch = Batch([{"video": Path("clip.mp4"), "prompt": "x"}], project="p", defaults={"seconds": 5}, max_jobs=3)
    plan: Plan = batch.plan(adopt=True)
    assert_type(plan.credits, float | None)
    assert_type(plan.jobs, int)
    problems: Sequence[Problem] = plan.problems
    warned: Sequence[Remark] = plan.warnings
    changes: Sequence[Difference] = plan.changes
    print(plan, problems, [each.warning for each in warned], [each.kind for each in changes], plan.known.get(1))
    try:
        rows = batch.run(plan, max_credits=100, on_progress=row_told, callbacks=receiver)
    except BatchError as error:
        assert_type(error.maybe_sent, bool)
        rows = batch.rows()
    for row in rows:
        assert_type(row.path, Path | None)
        assert_type(row.task_id, str | None)
        if row.state == "uncertain":
            batch.resolve(row.row, "adopt", "task-id")
    assert_type(Batch("jobs.csv", token=lambda: "t").plan(retry_failed=True, add=False), Plan)
    assert_type(Batch(project="p").report("report.html"), Path)
    assert_type(batch.waits(), dict[str, str])
    assert_type(batch.stop(), None)
    return rows


async def changed(task: Task) -> None:
    """What is to happen when a task has changed."""
    print(task.task_id, task.status)


async def called_back() -> str:
    """What whoever is called back writes."""
    signer = ReplyUrlSigner(
        ["a new secret of mine", "an old secret of mine"], "https://example.com/runway", max_age=3600
    )
    receiver = CallbackApp(signer, changed)
    async with AsyncRunwayClient(callbacks=receiver) as runway:
        await runway.video_to_video.create(asset_id="a", text_prompt="x")
    assert_type(await receiver.aclose(timeout=5), list[str])
    with RunwayClient(callbacks=CallbackWsgiApp(signer, print, queue_size=10)) as blocking:
        print(blocking.tasks)
    return signer.check(signer.url_for("row-1"))


def doubled() -> None:
    """What a test of users writes."""
    double = create_autospec(RunwayClient, instance=True)
    double.tasks.wait.return_value = Task.from_dict({"taskId": "id"})
    warnings.simplefilter("error", MediaWarning)
    print(useapi_runwayml.__version__, errors.UseapiError)


async def other_settings(runway: RunwayClient, awaiting: AsyncRunwayClient) -> None:
    """The same connections under other settings."""
    with runway.with_options(timeout=5, max_retries=0, lookup_timeout=60) as quick:
        assert_type(quick, RunwayClient)
    async with awaiting.with_options(timeout=httpx.Timeout(5)) as patient:
        assert_type(patient, AsyncRunwayClient)
    await awaiting.close()
    limits = httpx.Limits(max_connections=10)
    named: Mapping[str, str] = {"X-Team": "film"}
    RunwayClient(default_headers=named, limits=limits, proxy="http://proxy.test:80", verify=False, http2=True).close()
    settings = ssl.create_default_context()
    await AsyncRunwayClient(proxy=httpx.Proxy("http://proxy.test:80"), verify=settings, http2=True).aclose()
