"""What a careful second reading found: each was wrong once, and costs money, time or a file when it is wrong again."""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import httpx
import pytest
from useapi_runwayml_api.models import Task

import useapi_runwayml
from useapi_runwayml import errors
from useapi_runwayml._core import course, downloading
from useapi_runwayml.simulator import ManualClock

from .conftest import BASE_URL, TOKEN, World

ASSET = "user:1-runwayml:a@b.test-asset:1"
Request, Response = httpx.Request, httpx.Response


def task_id(name: str) -> str:
    return f"user:4242-runwayml:maker@example.com-task:{name}"


def done(url: str = "http://cdn.test/x.mp4") -> dict[str, Any]:
    return {"taskId": task_id("9"), "status": "SUCCEEDED", "artifacts": [{"url": url}]}


@pytest.mark.parametrize("location", ["https:foo", "http:x/y", "/elsewhere", "https://ok.test/", "\\\\"])
def test_a_redirect_that_makes_no_sense_is_no_unsent_create(world: World, location: str) -> None:
    """A create that was answered with any redirect was sent: one POST, then the look-up."""
    posts: list[str] = []

    def handler(request: Request) -> Response:
        if request.method == "POST":
            posts.append(request.url.path)
            return Response(307, headers={"Location": location})
        return Response(200, json=[])

    with pytest.raises(errors.SubmissionUnknownError):
        world.scripted(handler).video_to_video.create(asset_id="a", text_prompt="x")
    assert len(posts) == 1


def test_ctrl_c_between_two_steps_carries_the_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption after the answer came and before it was read leaves create with its replyRef."""
    lines, start = inspect.getsourcelines(course.Course.__next__)
    at = start + next(index for index, line in enumerate(lines) if "self._core.send(value)" in line)
    armed = []

    def handler(request: Request) -> Response:
        armed.append(1)
        return Response(200, json={"taskId": task_id("paid")})

    def trace(frame: Any, event: str, _: Any) -> Any:
        if frame.f_code is not course.Course.__next__.__code__:
            return trace if event == "call" else None
        if event == "line" and armed and frame.f_lineno == at:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    http_client = httpx.Client(transport=httpx.MockTransport(handler))
    runway = useapi_runwayml.RunwayClient(TOKEN, base_url=BASE_URL, http_client=http_client)
    create = runway.video_to_video.create
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            create(asset_id="a", text_prompt="x", reply_ref="row-1")
    finally:
        sys.settrace(before)
    assert any("row-1" in note for note in caught.value.__notes__)


def test_ctrl_c_while_tidying_up_carries_the_receipt(world: World, clip: Path, tmp_path: Path) -> None:
    """The deletion of the upload comes after the result, and an interruption of it has the task's id too."""

    def handler(request: Request) -> Response:
        if request.method == "DELETE":
            raise KeyboardInterrupt
        if request.url.host == "cdn.test":
            return Response(200, content=b"video")
        return Response(200, json={"assetId": ASSET} if "assets" in request.url.path else done())

    with pytest.raises(KeyboardInterrupt) as caught:
        world.scripted(handler).video_to_video.run(clip, "x", destination=tmp_path / "o.mp4", keep_asset=False)
    assert any(task_id("9") in note for note in caught.value.__notes__)
    assert (tmp_path / "o.mp4").read_bytes() == b"video"


@pytest.mark.parametrize("name", ["a\0b.mp4", "\ud800.mp4", "x" * 300 + ".mp4", "no/such.mp4"])
def test_a_destination_that_cannot_be_is_refused_before_anything_is_paid(
    world: World, tmp_path: Path, name: str
) -> None:
    """NUL, a lone surrogate, a name too long and a missing folder are ParameterErrors, and nothing is sent."""
    runway = world.scripted(lambda request: pytest.fail("sent"))
    with pytest.raises(errors.ParameterError, match="destination"):
        runway.video_to_video.run(ASSET, "x", destination=f"{tmp_path}/{name}")


@pytest.mark.parametrize(
    "name", ["Dr. a cat walks through the snow and " * 9, "é" * 300, "." * 300 + "x" * 300, "x" * 300 + ".mp4"]
)
def test_any_length_of_a_file_name_gives_a_name(name: str) -> None:
    """A name from the service, however long and wherever its last dot is, becomes one that a disk takes."""
    found = downloading.safe_name(name, "result")
    assert 0 < len(found.encode()) <= 180
    assert found.endswith(".mp4") == name.endswith(".mp4")


def test_two_downloads_to_one_name_do_not_lose_one(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that comes into being at the last moment is not overwritten, with links and without."""
    target = tmp_path / "o.mp4"
    fsync = os.fsync
    for can_link in (True, False):
        if not can_link:
            monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "not supported")))
        monkeypatch.setattr(os, "fsync", lambda number: (fsync(number), target.write_bytes(b"first"))[0])
        runway = world.scripted(lambda request: Response(200, content=b"second"))
        with pytest.raises(FileExistsError, match="overwrite"):
            runway.tasks.download(Task.from_dict(done()), target)
        assert [each.name for each in tmp_path.iterdir()] == ["o.mp4"]
        assert target.read_bytes() == b"first"
        target.unlink()
        monkeypatch.setattr(os, "fsync", fsync)
        assert runway.tasks.download(Task.from_dict(done()), target).read_bytes() == b"second"
        target.unlink()


def test_cancelling_while_the_file_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """asyncio may cancel a download while its thread opens the temporary file: that is gone all the same."""
    entered, go_on, gone = threading.Event(), threading.Event(), threading.Event()
    real, unlink = Path.open, Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda self, **how: (unlink(self, **how), gone.set())[0])

    def slow(self: Path, *how: Any) -> Any:
        entered.set()
        go_on.wait(10)
        return real(self, *how)

    async def main() -> None:
        http_client = httpx.AsyncClient(transport=httpx.MockTransport(lambda request: Response(200, content=b"v")))
        runway = useapi_runwayml.AsyncRunwayClient(TOKEN, base_url=BASE_URL, http_client=http_client)
        monkeypatch.setattr(Path, "open", slow)
        download = asyncio.create_task(runway.tasks.download(Task.from_dict(done()), tmp_path / "o.mp4"))
        await asyncio.to_thread(entered.wait, 10)
        download.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(download), 5)
        go_on.set()

    asyncio.run(main())
    assert gone.wait(10)
    assert list(tmp_path.iterdir()) == []


def test_a_download_keeps_to_the_time_of_run(world: World, tmp_path: Path) -> None:
    """A host that hangs, and a re-read that hangs, end about when run's timeout does."""
    for expired in (False, True):

        def handler(request: Request, expired: bool = expired) -> Response:
            if request.method == "POST":
                return Response(200, json=done())
            if request.url.host == "cdn.test" and expired:
                return Response(403)
            world.clock.advance(request.extensions["timeout"]["read"])
            raise httpx.ReadTimeout("late")

        begun = world.clock.now()
        with pytest.raises(errors.UseapiError) as caught:
            world.scripted(handler).video_to_video.run(ASSET, "x", destination=tmp_path / "o.mp4", timeout=5)
        assert caught.value.task_id == task_id("9")
        assert world.clock.now() - begun <= 7


@pytest.mark.parametrize("timeout", [60, httpx.Timeout(300)])
def test_the_end_of_a_wait_is_a_wait_timeout(world: World, timeout: Any) -> None:
    """A last poll that hangs over the deadline is cut there, and is no APITimeoutError; no read follows the deadline."""
    asked: list[float] = []

    def handler(request: Request) -> Response:
        asked.append(world.clock.now())
        if len(asked) > 2:
            world.clock.advance(request.extensions["timeout"]["read"])
            raise httpx.ReadTimeout("late")
        return Response(200, json={"taskId": task_id("1"), "status": "RUNNING", "artifacts": []})

    begun = world.clock.now()
    with pytest.raises(errors.WaitTimeoutError) as caught:
        world.scripted(handler, timeout=timeout).tasks.wait(task_id("1"), timeout=30)
    assert caught.value.task is not None
    assert world.clock.now() - begun <= 32
    begun = world.clock.now()
    with pytest.raises(errors.WaitTimeoutError):
        list(world.scripted(handler, timeout=timeout).tasks.as_completed(map(task_id, "abcdefghijklmnop"), timeout=10))
    assert max(asked) < begun + 10


def test_a_list_that_asks_to_wait_is_heard(world: World) -> None:
    """429 with Retry-After: 60 on the list holds all reads of that account for as long."""
    asked: list[str] = []

    def handler(request: Request) -> Response:
        asked.append(request.url.path)
        return Response(429, json={"error": "slow down"}, headers={"Retry-After": "60"})

    with pytest.raises(errors.WaitTimeoutError):
        list(world.scripted(handler).tasks.as_completed(map(task_id, "abcdefghij"), timeout=58))
    assert len(asked) == 1


@pytest.mark.slow
def test_what_has_ended_is_not_asked_for_again(world: World) -> None:
    """An iteration that pauses between two items costs the other waits nothing, and its news do not pile up."""
    asked: list[str] = []

    def handler(request: Request) -> Response:
        if request.url.path.endswith("/tasks/"):
            return Response(400, json={"error": "no list"})
        name = request.url.path.rpartition(":")[2]
        asked.append(name)
        status = "SUCCEEDED" if name.startswith("a") else "RUNNING"
        return (
            Response(404, json={"error": "x"})
            if name == "a8"
            else Response(200, json={"taskId": task_id(name), "status": status, "artifacts": []})
        )

    runway = world.scripted(handler)
    ending = runway.tasks.as_completed([task_id(f"a{number}") for number in range(9)], timeout=99_999)
    next(ending)
    asked.clear()
    with pytest.raises(errors.WaitTimeoutError):
        runway.tasks.wait(task_id("b"), timeout=3600)
    assert "b" in asked
    assert len([name for name in asked if name != "b"]) <= 9


def test_a_caller_that_is_busy_does_not_hold_up_the_others() -> None:
    """While one iteration pauses, the end of a second wait passes the lead to a third, which ends too."""
    clock = ManualClock()
    joined, ended = threading.Event(), set()

    def handler(request: Request) -> Response:
        if request.url.path.endswith("/tasks/"):
            return Response(400, json={"error": "no list"})
        name = request.url.path.rpartition(":")[2]
        if name == "b":
            assert joined.wait(10)
            ended.add("b")
        if name == "c" and "b" in ended:
            ended.add("c")
        status = "SUCCEEDED" if name in ended or name == "a1" else "RUNNING"
        return Response(200, json={"taskId": task_id(name), "status": status, "artifacts": []})

    http_client = httpx.Client(transport=httpx.MockTransport(handler))
    runway = useapi_runwayml.RunwayClient(TOKEN, base_url=BASE_URL, http_client=http_client)
    runway._use_clock(clock)
    paused = runway.tasks.as_completed([task_id("a1"), task_id("a2")], timeout=10**9)
    assert next(paused).task_id == task_id("a1")
    join, found = runway._group.join, []

    def counted(watch: Any) -> None:
        join(watch)
        if len(runway._group.watches) == 3:
            joined.set()

    runway._group.join = counted  # type: ignore[method-assign]
    waits = [
        threading.Thread(target=lambda name=name: found.append(runway.tasks.wait(task_id(name), timeout=10**9)))
        for name in "bc"
    ]
    for each in waits:
        each.start()
    for each in waits:
        each.join(10)
    assert sorted(each.task_id for each in found) == [task_id("b"), task_id("c")]


def test_a_wait_inside_a_progress_callback_ends() -> None:
    """A blocking client's on_progress may itself wait for another task of the same client."""
    inner: list[Any] = []
    world = World("sync", ManualClock())

    def handler(request: Request) -> Response:
        name = request.url.path.rpartition(":")[2]
        ended = name == "inner" or inner
        return Response(
            200, json={"taskId": task_id(name), "status": "SUCCEEDED" if ended else "RUNNING", "artifacts": []}
        )

    runway = world.scripted(handler)

    def on_progress(_: Any) -> None:
        inner.append(runway.tasks.wait(task_id("inner"), timeout=60).status)

    assert runway.tasks.wait(task_id("outer"), timeout=600, on_progress=on_progress).status == "SUCCEEDED"
    assert inner[0] == "SUCCEEDED"


def test_retry_after_zero_does_not_spin(world: World) -> None:
    """A busy service that asks for no pause gets one of a second; busy_timeout=0 raises at the first 429."""
    posts: list[float] = []

    def handler(request: Request) -> Response:
        posts.append(world.clock.now())
        return Response(429, json={"error": "x"}, headers={"Retry-After": "0"})

    for patience, most in ((0, 1), (10, 11)):
        posts.clear()
        with pytest.raises(errors.UpstreamBusyError):
            world.scripted(handler).video_to_video.create(asset_id="a", text_prompt="x", busy_timeout=patience)
        assert 1 <= len(posts) <= most


def test_a_look_up_keeps_to_its_time(world: World) -> None:
    """Many older tasks with the caller's reference, whose reads hang, do not stretch the look-up; nor are they read twice."""

    def handler(request: Request) -> Response:
        if request.method == "POST":
            raise httpx.ReadTimeout("x")
        if request.url.path.endswith("/tasks/"):
            return Response(200, json=[{"taskId": task_id(str(number)), "replyRef": "R"} for number in range(100)])
        if "scheduler" in request.url.path:
            return Response(200, json=[])
        world.clock.advance(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("x")

    begun = world.clock.now()
    with pytest.raises(errors.SubmissionUnknownError):
        world.scripted(handler, lookup_timeout=20).video_to_video.create(asset_id="a", text_prompt="x", reply_ref="R")
    assert world.clock.now() - begun <= 22


def test_finding_a_task_rides_out_a_bad_connection(world: World) -> None:
    """A list that times out once is asked again by find, as it is by list."""
    lists: list[str] = []

    def handler(request: Request) -> Response:
        if "scheduler" in request.url.path:
            return Response(200, json=[])
        lists.append(request.url.path)
        if len(lists) == 1:
            raise httpx.ReadTimeout("once")
        return Response(200, json=[{"taskId": task_id("1"), "replyRef": "R"}] if len(lists) == 2 else [])

    assert world.scripted(handler).tasks.find("R").task_id == task_id("1")


@pytest.mark.parametrize("first", [httpx.ConnectError("x"), 429])
def test_a_deletion_that_never_worked_is_not_done(world: World, first: Any) -> None:
    """404 means "done already" only when an earlier try may have arrived."""
    tries: list[str] = []

    def handler(request: Request) -> Response:
        tries.append(request.method)
        if len(tries) > 1:
            return Response(404, json={"error": "no"})
        if isinstance(first, Exception):
            raise first
        return Response(first, json={"error": "busy"})

    with pytest.raises(errors.NotFoundError):
        world.scripted(handler).tasks.delete(task_id("1"))


def test_a_disk_that_fails_is_no_broken_connection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload whose file cannot be read says so, once, and is not repeated."""
    monkeypatch.setattr("useapi_runwayml._io.media.inspect", lambda file, start: None)
    reads: list[int] = []

    class Bad(io.BytesIO):
        name = "a.mp4"

        def read(self, size: int | None = -1) -> bytes:
            if size:
                reads.append(1)
                raise OSError(5, "Input/output error")
            return b""

    with pytest.raises(errors.UseapiError, match=r"Cannot send a\.mp4: Input/output error") as caught:
        world.client().assets.upload(Bad(b"x" * 50))
    assert not isinstance(caught.value, errors.APIConnectionError)
    assert len(reads) == 1


def test_a_closed_client_says_so_for_downloads_too(tmp_path: Path) -> None:
    """A task that has ended needs no request but the file's, and that has the plain message as well."""
    runway = useapi_runwayml.RunwayClient(TOKEN, base_url=BASE_URL)
    runway.close()
    with pytest.raises(errors.UseapiError, match="closed"):
        runway.tasks.download(Task.from_dict(done()), tmp_path / "o.mp4")


def test_no_limit_is_a_timeout_too(world: World) -> None:
    """timeout=inf means no limit for reading, writing and the pool."""
    seen: list[Any] = []

    def handler(request: Request) -> Response:
        seen.append(request.extensions["timeout"])
        return Response(200, json=[])

    world.scripted(handler, timeout=float("inf")).scheduler.list()
    assert seen == [{"connect": 5.0, "read": None, "write": None, "pool": None}]


@pytest.mark.parametrize(
    ("token", "settings"),
    [
        (TOKEN, {"max_retries": -1}),
        (TOKEN, {"http_client": 5}),
        (f"{TOKEN}\u00e9", {}),
        (f"Bearer {TOKEN}", {}),
    ],
)
@pytest.mark.parametrize("kind", [useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient])
def test_no_frame_of_a_refused_client_holds_the_token(kind: Any, token: str, settings: dict[str, Any]) -> None:
    """A crash reporter that shows all local variables of our frames shows no token, and can show the client."""
    with pytest.raises(errors.ParameterError) as caught:
        kind(token, **settings)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "useapi_runwayml" in frame.filename and "tests" not in frame.filename]
    assert ours
    assert all(TOKEN not in value for frame in ours for value in (frame.locals or {}).values())


@pytest.mark.parametrize("echo", [f"Unknown token {TOKEN}: check it", "bad user:1-abc", f"({TOKEN})"])
def test_a_token_that_the_service_repeats_is_not_shown(world: World, echo: str) -> None:
    """Wherever it stands in a sentence, and however short it is; ids of tasks stay readable."""
    runway = world.scripted(lambda request: Response(401, json={"error": f"{echo} {task_id('1')}"}))
    with pytest.raises(errors.AuthenticationError) as caught:
        runway.scheduler.list()
    assert "s3cr3t" not in str(caught.value)
    assert "user:1-abc" not in str(caught.value)
    assert task_id("1") in str(caught.value)


@pytest.mark.parametrize("what", ["a folder", "a token"])
def test_what_is_wrong_after_the_payment_is_not_said_to_have_sent_nothing(
    world: World, tmp_path: Path, what: str
) -> None:
    """A folder that went away, a token that expired: to mend it and run again would be a second video."""
    folder, tokens = tmp_path / "share", [TOKEN]
    folder.mkdir()

    def on_created(task: Any) -> None:
        if what == "a folder":
            folder.rmdir()
        else:
            tokens[0] = ""

    client = world.client(token=lambda: tokens[0])
    with pytest.raises(errors.UseapiError) as caught:
        client.video_to_video.run(world.asset(), "x", destination=folder / "out.mp4", on_created=on_created)
    error = caught.value
    (task,) = world.sim.state.tasks
    assert not isinstance(error, errors.ParameterError)
    assert "Nothing was sent" not in str(error)
    assert f"Task {task} was started and goes on, but: " in str(error)
    assert "would be paid again" in str(error)
    assert error.task_id == task
    assert any("replyRef" in each for each in getattr(error, "__notes__", []))


def test_a_busy_service_is_no_advice_to_create_anew(world: World) -> None:
    """A 429 of a read tells that its task goes on; that of a create, when to try again."""
    busy = Response(429, json={"error": "slow down"}, headers={"Retry-After": "300"})
    client = world.scripted(lambda request: busy, max_retries=0)
    with pytest.raises(errors.RateLimitError, match="it goes on, and needs no new create"):
        client.tasks.wait(task_id("9"), timeout=20)
    with pytest.raises(errors.RateLimitError, match="Wait 10 to 30 seconds and try again"):
        client.video_to_video.create(asset_id=ASSET, text_prompt="x", busy_timeout=0)
