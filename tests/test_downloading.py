"""Downloads: whole or not at all, resumed where that can be, never with the token, never at the cost of the task."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml import (
    AsyncRunwayClient,
    DownloadError,
    Task,
    TaskCancelledError,
    TaskFailedError,
    TaskOutputMissingError,
    errors,
)
from useapi_runwayml._core.downloading import safe_name

from .conftest import MP4, World

TASK = "user:4242-runwayml:maker@example.com-task:t1"
CDN = "https://cdn.test/result.mp4?signature=s1gn"


def task_json(url: Any = CDN, **more: Any) -> dict[str, Any]:
    return {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": url, "filename": "result.mp4"}], **more}


def scripted(
    world: World, cdn: list[Any], task: list[dict[str, Any]] | None = None, **settings: Any
) -> tuple[Any, list[httpx.Request]]:
    """A client whose task reads and whose content network give one step after the other, the last for ever."""
    sent: list[httpx.Request] = []
    tasks, files = list(task or [task_json()]), list(cdn)

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        steps = tasks if request.url.host == "runway.simulator" else files
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, dict):
            return httpx.Response(200, json=step)
        if isinstance(step, Exception):
            raise step
        if callable(step):
            return step(request)
        return httpx.Response(step.status_code, headers=step.headers, content=step.content)

    return world.scripted(handler, **settings), sent


def whole(content: bytes = MP4, **headers: str) -> Any:
    return lambda _: httpx.Response(200, content=content, headers={"Content-Type": "video/mp4", **headers})


class Broken(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that ends with a broken connection."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __iter__(self) -> Any:
        yield self.content
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")

    async def __aiter__(self) -> Any:
        for chunk in self:
            yield chunk


def broken(content: bytes, total: int, **headers: str) -> Any:
    return lambda _: httpx.Response(200, stream=Broken(content), headers={"Content-Length": str(total), **headers})


def parts(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_the_whole_way_ends_with_the_clip(world: World, clip: Path, tmp_path: Path) -> None:
    """`run` uploads, creates, waits and downloads; the file is what was uploaded, whole, and nothing else is left."""
    seen: list[str] = []
    client = world.client()
    result = client.video_to_video.run(
        clip,
        "as a watercolour",
        destination=tmp_path / "out.mp4",
        on_created=lambda task: seen.append(task.task_id),
        seed=7,
    )
    assert result.path == tmp_path / "out.mp4"
    assert result.path.read_bytes() == MP4
    assert result.task.task_id == seen[0]
    assert parts(tmp_path) == ["clip.mp4", "out.mp4"]
    assert world.sim.token_leaks == 0
    assert world.calls("deleteAsset") == 0


def test_run_takes_files_and_asset_ids_and_tidies_up_when_asked(world: World, clip: Path, tmp_path: Path) -> None:
    """A file object and an asset id do as well as a path; keep_asset=False deletes what was uploaded, and only that."""
    client = world.client()
    with clip.open("rb") as file:
        client.video_to_video.run(file, "x", destination=tmp_path / "a.mp4", keep_asset=False)
    assert world.calls("deleteAsset") == 1
    client.video_to_video.run(world.asset(), "x", destination=tmp_path / "b.mp4", keep_asset=False)
    assert world.calls("deleteAsset") == 1


def test_run_checks_everything_before_it_uploads(world: World, clip: Path, tmp_path: Path) -> None:
    """A destination that cannot be, a file that is not there and wrong options send nothing."""
    client = world.client()
    (tmp_path / "there.mp4").touch()
    for error, video, more in [
        (FileExistsError, clip, {"destination": tmp_path / "there.mp4"}),
        (errors.ParameterError, clip, {"destination": tmp_path / "no" / "where.mp4"}),
        (errors.ParameterError, clip, {"destination": tmp_path / "a.mp4", "seed": 0}),
        (TypeError, clip, {"destination": tmp_path / "a.mp4", "sed": 1}),
        (errors.ParameterError, clip, {"destination": tmp_path / "a.mp4", "timeout": -1}),
        (errors.ParameterError, tmp_path / "none.mp4", {"destination": tmp_path / "a.mp4"}),
        (errors.ParameterError, tmp_path, {"destination": tmp_path / "a.mp4"}),
    ]:
        with pytest.raises(error):  # type: ignore[call-overload]
            client.video_to_video.run(video, "x", **more)
    assert not world.sim.requests


def test_what_breaks_after_the_create_bears_the_id(world: World, clip: Path, tmp_path: Path) -> None:
    """A timeout, a failed download, a callback of the caller's that raises: the task's id is on it."""
    client = world.client(max_retries=0)
    with pytest.raises(errors.WaitTimeoutError) as late:
        client.video_to_video.run(clip, "x", destination=tmp_path / "a.mp4", timeout=10)
    assert late.value.task_id in world.sim.state.tasks
    world.faults.add("status", "download", status=503)
    with pytest.raises(DownloadError) as lost:
        client.video_to_video.run(clip, "x", destination=tmp_path / "b.mp4")
    assert lost.value.task_id in world.sim.state.tasks

    def stop(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        client.video_to_video.run(clip, "x", destination=tmp_path / "c.mp4", on_created=stop)
    newest = list(world.sim.state.tasks)[-1]
    assert any(newest in note for note in caught.value.__notes__)
    assert parts(tmp_path) == ["clip.mp4"]


def test_the_time_of_a_run_covers_its_download(world: World, clip: Path, tmp_path: Path) -> None:
    """A download that goes on beyond the run's deadline ends with the task's id."""
    world.faults.add("status", "download", status=503)
    client = world.client(max_retries=10**6)
    begun = world.clock.now()
    with pytest.raises(DownloadError) as caught:
        client.video_to_video.run(clip, "x", destination=tmp_path / "a.mp4", timeout=300)
    assert caught.value.task_id
    assert world.clock.now() - begun <= 320


@pytest.mark.parametrize(
    "artifacts",
    [[], None, [{"url": None}], [{"previewUrls": ["https://x/y.jpg"]}], [{"url": 7}], "odd", [{"url": "ftp://x"}]],
)
def test_nothing_to_fetch_is_said_so(world: World, tmp_path: Path, artifacts: Any) -> None:
    """A success without a usable artifact is TaskOutputMissingError; a preview is never taken for it."""
    client, sent = scripted(world, [whole()], [task_json() | {"artifacts": artifacts}])
    with pytest.raises(TaskOutputMissingError) as caught:
        client.tasks.download(TASK, tmp_path / "a.mp4")
    assert caught.value.task_id == TASK
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [("FAILED", TaskFailedError), ("CANCELLED", TaskCancelledError), ("RUNNING", TaskOutputMissingError)],
)
def test_only_a_success_is_downloaded(world: World, tmp_path: Path, status: str, kind: type[errors.TaskError]) -> None:
    """What failed or goes on raises what it is."""
    client, _ = scripted(world, [whole()], [task_json(status=status) | {"artifacts": []}])
    with pytest.raises(kind):
        client.tasks.download(TASK, tmp_path / "a.mp4")


def test_only_the_download_is_repeated(world: World, tmp_path: Path) -> None:
    """503 twice, then the file: three requests for the file, none for a new task."""
    client, sent = scripted(world, [httpx.Response(503), httpx.Response(503), whole()])
    assert client.tasks.download(TASK, tmp_path / "a.mp4").read_bytes() == MP4
    assert [each.method for each in sent] == ["GET"] * 4


def test_a_download_that_never_works_names_the_task(world: World, tmp_path: Path) -> None:
    """The last error has the task's id and no signature."""
    client, _ = scripted(world, [httpx.Response(503)])
    with pytest.raises(DownloadError) as caught:
        client.tasks.download(TASK, tmp_path / "a.mp4")
    assert caught.value.task_id == TASK
    assert "503" in str(caught.value)
    assert "s1gn" not in str(caught.value)
    assert parts(tmp_path) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_an_expired_link_is_refreshed_once(world: World, tmp_path: Path, status: int) -> None:
    """The task is read again for a fresh link; a second refusal is the end."""
    fresh = task_json("https://cdn.test/fresh.mp4?signature=new")
    client, sent = scripted(world, [httpx.Response(status), whole()], [task_json(), fresh])
    assert client.tasks.download(TASK, tmp_path / "a.mp4").read_bytes() == MP4
    assert [each.url.path for each in sent if each.url.host == "cdn.test"] == ["/result.mp4", "/fresh.mp4"]
    client, sent = scripted(world, [httpx.Response(status)], [task_json(), fresh])
    with pytest.raises(DownloadError):
        client.tasks.download(TASK, tmp_path / "b.mp4")
    assert len(sent) == 4


def test_an_expired_link_of_the_simulator_is_refreshed(world: World, tmp_path: Path) -> None:
    """The same against the service: a Task kept for longer than its link holds is downloaded all the same."""
    client = world.client()
    done = client.tasks.wait(client.video_to_video.create(asset_id=world.asset(), text_prompt="x"))
    world.clock.advance(world.sim.link_seconds + 1)
    assert client.tasks.download(done, tmp_path / "a.mp4").read_bytes() == MP4


def test_no_token_goes_to_another_host(world: World, tmp_path: Path) -> None:
    """Neither the artifact's host nor the one it redirects to sees Authorization; nor does the API's own host behind a redirect."""
    steps = [
        httpx.Response(302, headers={"Location": "https://other.test/x.mp4"}),
        httpx.Response(302, headers={"Location": "https://third.test/x.mp4"}),
        whole(),
    ]
    client, sent = scripted(world, steps)
    client.tasks.download(TASK, tmp_path / "a.mp4")
    hosts = [(each.url.host, "authorization" in each.headers) for each in sent]
    assert hosts == [("runway.simulator", True), ("cdn.test", False), ("other.test", False), ("third.test", False)]


def test_an_artifact_on_the_api_host_gets_no_token_either(world: World, tmp_path: Path) -> None:
    """Wherever artifacts are served, the token is not sent along."""
    client = world.client()
    done = client.tasks.wait(client.video_to_video.create(asset_id=world.asset(), text_prompt="x"))
    client.tasks.download(done, tmp_path / "a.mp4")
    assert world.sim.token_leaks == 0


def test_a_cut_off_file_leaves_the_older_one(world: World, tmp_path: Path) -> None:
    """Six of ten bytes and a close: an error, the older file unchanged, nothing partial in sight."""
    target = tmp_path / "a.mp4"
    target.write_bytes(b"older")
    client, _ = scripted(world, [broken(b"sixsix", 10)])
    with pytest.raises(DownloadError):
        client.tasks.download(TASK, target, overwrite=True)
    assert target.read_bytes() == b"older"
    assert parts(tmp_path) == ["a.mp4"]


def test_a_short_body_without_an_error_is_not_taken(world: World, tmp_path: Path) -> None:
    """A body shorter than its Content-Length is never renamed into place."""

    class Short(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            yield b"short"

        async def __aiter__(self) -> Any:
            yield b"short"

    client, _ = scripted(world, [lambda _: httpx.Response(200, stream=Short(), headers={"Content-Length": "10"})])
    with pytest.raises(DownloadError, match="5 of 10"):
        client.tasks.download(TASK, tmp_path / "a.mp4")


def test_it_goes_on_where_it_broke(world: World, tmp_path: Path) -> None:
    """With a validator the rest is asked for by Range, and the two halves make the file."""

    def rest(request: httpx.Request) -> httpx.Response:
        assert request.headers["range"] == f"bytes={len(MP4) // 2}-"
        assert request.headers["if-range"] == '"v1"'
        half = MP4[len(MP4) // 2 :]
        span = f"bytes {len(MP4) // 2}-{len(MP4) - 1}/{len(MP4)}"
        return httpx.Response(206, content=half, headers={"Content-Range": span})

    client, _ = scripted(world, [broken(MP4[: len(MP4) // 2], len(MP4), ETag='"v1"'), rest])
    assert client.tasks.download(TASK, tmp_path / "a.mp4").read_bytes() == MP4


@pytest.mark.parametrize("came", [7, len(MP4) + 7])
@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}, {"ETag": '"v1"'}])
def test_a_host_that_cannot_resume_starts_again(
    world: World, tmp_path: Path, headers: dict[str, str], came: int
) -> None:
    """A 200 to the second request is the whole file, from its start to its end, however much of another came before."""
    client, _ = scripted(world, [broken(b"x" * came, came + 3, **headers), whole()])
    assert client.tasks.download(TASK, tmp_path / "a.mp4").read_bytes() == MP4


@pytest.mark.parametrize("asked", [7, 60])
def test_a_host_that_asks_to_wait_is_heeded(world: World, tmp_path: Path, asked: int) -> None:
    """Up to a minute: the next request comes no sooner."""
    busy = httpx.Response(429, headers={"Retry-After": str(asked)})
    times: list[float] = []

    def seen(request: httpx.Request) -> httpx.Response:
        times.append(world.clock.monotonic())
        found: httpx.Response = busy if len(times) == 1 else whole()(request)
        return found

    client, _ = scripted(world, [seen])
    client.tasks.download(TASK, tmp_path / "a.mp4")
    assert times[1] - times[0] >= asked
    assert (tmp_path / "a.mp4").read_bytes() == MP4


def test_a_wish_to_wait_for_what_is_refused_for_good_is_none(world: World, tmp_path: Path) -> None:
    """Whoever heeds wishes would ask for ever."""
    client, _ = scripted(world, [httpx.Response(404, headers={"Retry-After": "5"})])
    with pytest.raises(DownloadError, match=r"answered 404. Download it again$") as info:
        client.tasks.download(TASK, tmp_path / "a.mp4")
    assert info.value.retry_after is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_for_more_than_there_is_time_is_left_alone(world: World, tmp_path: Path, status: int) -> None:
    """One request, an error that says when to come again, and nothing left behind."""
    client, sent = scripted(world, [httpx.Response(status, headers={"Retry-After": "61"})])
    with pytest.raises(DownloadError, match=r"answered \d+. Download it again in 61 s") as info:
        client.tasks.download(TASK, tmp_path / "a.mp4")
    assert (info.value.retry_after, info.value.task_id) == (61, TASK)
    assert [each.url.host for each in sent] == ["runway.simulator", "cdn.test"]
    assert parts(tmp_path) == []


@pytest.mark.parametrize("total", ["*", str(len(MP4))])
def test_a_rest_of_an_unknown_whole_is_a_rest(world: World, tmp_path: Path, total: str) -> None:
    """A host may leave open how long the file is: what the first answer said of it counts."""
    half = len(MP4) // 2
    rest = httpx.Response(206, content=MP4[half:], headers={"Content-Range": f"bytes {half}-{len(MP4) - 1}/{total}"})
    client, _ = scripted(world, [broken(MP4[:half], len(MP4), ETag='"v1"'), rest])
    assert client.tasks.download(TASK, tmp_path / "a.mp4").read_bytes() == MP4


def test_an_odd_range_starts_again(world: World, tmp_path: Path) -> None:
    """A 206 from elsewhere, and a 416, make it start from the beginning."""
    elsewhere = httpx.Response(206, content=b"zzz", headers={"Content-Range": "bytes 1-3/10"})
    client, _ = scripted(world, [broken(b"x" * 7, 10, ETag='"v"'), elsewhere, httpx.Response(416), whole()])
    assert client.tasks.download(TASK, tmp_path / "a.mp4").read_bytes() == MP4


def test_resuming_works_against_the_simulator(world: World, tmp_path: Path) -> None:
    """Cut off at 100 bytes twice: three requests, and the file is whole."""
    client = world.client()
    done = client.tasks.wait(client.video_to_video.create(asset_id=world.asset(), text_prompt="x"))
    world.faults.add("cut_body", "download", bytes=100, nth=[1, 2])
    seen: list[tuple[int, int | None]] = []
    client.tasks.download(done, tmp_path / "a.mp4", on_progress=lambda *step: seen.append(step))
    assert (tmp_path / "a.mp4").read_bytes() == MP4
    assert [seen.status for seen in world.sim.requests if seen.operation == "download"] == [200, 206, 206]
    assert seen[-1] == (len(MP4), len(MP4))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "mine"),
        httpx.ReadError("mine"),
        errors.ParameterError([errors.Problem("mine", 1, "mine")]),
        KeyError(1),
    ],
)
@pytest.mark.parametrize("later", [False, True])
def test_what_on_progress_raises_arrives_as_it_is(world: World, tmp_path: Path, error: Exception, later: bool) -> None:
    """It is neither taken for a full disk nor for a broken line, which would be tried again; the partial file goes."""
    calls: list[int] = []

    def fail(done: int, total: int | None) -> None:
        calls.append(done)
        raise error

    async def fail_later(done: int, total: int | None) -> None:
        fail(done, total)

    client = world.client()
    done = client.tasks.wait(client.video_to_video.create(asset_id=world.asset(), text_prompt="x"))
    heard = fail_later if later and world.kind == "async" else fail
    with pytest.raises(type(error)) as told:
        client.tasks.download(done, tmp_path / "a.mp4", on_progress=heard)
    assert told.value is error
    assert len(calls) == 1
    assert list(tmp_path.iterdir()) == []


def test_compressed_bodies_are_not_held_to_their_length(world: World, tmp_path: Path) -> None:
    """Content-Length counts compressed bytes, so it says nothing about the file."""
    body = gzip.compress(MP4)
    client, _ = scripted(world, [whole(body, **{"Content-Encoding": "gzip", "Content-Length": str(len(body))})])
    assert client.tasks.download(TASK, tmp_path / "a.mp4").read_bytes() == MP4


@pytest.mark.parametrize("answer", [httpx.Response(200, html="<html>sorry"), httpx.Response(200, content=b"")])
def test_a_page_or_nothing_is_no_video(world: World, tmp_path: Path, answer: httpx.Response) -> None:
    """200 with HTML, or with no byte at all, is no result."""
    client, _ = scripted(world, [answer])
    with pytest.raises(DownloadError):
        client.tasks.download(TASK, tmp_path / "a.mp4")
    assert parts(tmp_path) == []


def test_an_existing_file_is_kept_unless_told(world: World, tmp_path: Path) -> None:
    """FileExistsError before any request; overwrite=True replaces it."""
    target = tmp_path / "a.mp4"
    target.write_bytes(b"older")
    client, sent = scripted(world, [whole()])
    with pytest.raises(FileExistsError):
        client.tasks.download(TASK, target)
    assert sent == []
    client.tasks.download(TASK, target, overwrite=True)
    assert target.read_bytes() == MP4


@pytest.mark.parametrize(
    "name",
    [None, "", "..", "../../etc/passwd", "a\\..\\b:c?.mp4", "CON", "x" * 300 + ".mp4", "a\x00b.mp4", "nul.mp4", " . "],
)
def test_names_stay_inside_the_folder(world: World, tmp_path: Path, name: Any) -> None:
    """A name of the service's, however odd, becomes a safe base name inside the folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    client, _ = scripted(world, [whole()], [task_json() | {"artifacts": [{"url": CDN, "filename": name}]}])
    path = client.tasks.download(TASK, folder)
    assert path.parent == folder
    assert path.read_bytes() == MP4
    assert not set(path.name) & set('<>:"/\\|?*\x00')
    assert path.stem.upper() not in ("CON", "NUL")
    assert parts(tmp_path) == ["out"]


def test_safe_names() -> None:
    """Names that are safe already stay as they are, in any language."""
    assert safe_name("Gen-3 Alpha Turbo 7.mp4", "f") == "Gen-3 Alpha Turbo 7.mp4"
    assert safe_name("été 日本 😀.mp4", "f") == "été 日本 😀.mp4"
    assert safe_name("user:1-runwayml:a@b-task:u", "f") == "user_1-runwayml_a@b-task_u"
    assert len(safe_name("é" * 300 + ".mp4", "f").encode()) <= 180
    assert safe_name("é" * 300 + ".mp4", "f").endswith(".mp4")
    assert safe_name("folder/other\\a.mp4", "f") == "a.mp4"


def test_a_full_disk_is_told_in_a_line(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left: one clear error with the task's id, and nothing partial is left."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("useapi_runwayml._core.downloading.Target.write", full)
    client, _ = scripted(world, [whole()])
    with pytest.raises(DownloadError, match=r"a\.mp4: No space left on device\. Download task") as caught:
        client.tasks.download(TASK, tmp_path / "a.mp4")
    assert caught.value.task_id == TASK
    assert parts(tmp_path) == []


# -- what is not the file, and disks that are not what they should be -----------------------------------------------------
CLOSED = [
    {"ETag": '"two"', "Content-Range": "bytes 1000-{last}/{total}"},
    {"Last-Modified": "Tue, 02 Jan 2029 03:04:05 GMT", "Content-Range": "bytes 1000-{last}/{total}"},
    {"ETag": '"one"', "Content-Range": "bytes 1000-{last}/9999"},
]


@pytest.mark.parametrize("headers", CLOSED, ids=str)
def test_a_rest_of_another_file_is_not_appended(world: World, tmp_path: Path, headers: dict[str, str]) -> None:
    """A 206 with another ETag, date or length than the first half had: it is fetched anew, from its beginning."""
    first = {"ETag": '"one"', "Last-Modified": "Mon, 01 Jan 2029 03:04:05 GMT"}
    told = {name: text.format(last=len(MP4) - 1, total=len(MP4)) for name, text in headers.items()}
    other = lambda _: httpx.Response(206, content=b"?" * (len(MP4) - 1000), headers=told)  # noqa: E731
    runway, sent = scripted(world, [broken(MP4[:1000], len(MP4), **first), other, whole(**first)])
    path = runway.tasks.download(TASK, tmp_path / "o.mp4")
    assert path.read_bytes() == MP4
    assert "range" not in sent[-1].headers


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json", "application/xml; charset=utf-8", "image/svg+xml", "TEXT/HTML"]
)
def test_a_page_with_200_is_no_video(world: World, tmp_path: Path, kind: str) -> None:
    """The link is read anew once; a page that comes again is no result, and the error has the task's id."""
    page = lambda _: httpx.Response(200, content=b"no such thing", headers={"Content-Type": kind})  # noqa: E731
    runway, sent = scripted(world, [page, whole()])
    assert runway.tasks.download(TASK, tmp_path / "o.mp4").read_bytes() == MP4
    assert [request.url.host for request in sent] == ["runway.simulator", "cdn.test"] * 2
    runway, _ = scripted(world, [page])
    with pytest.raises(DownloadError, match="a text, no medium") as caught:
        runway.tasks.download(TASK, tmp_path / "p.mp4")
    assert caught.value.task_id == TASK
    assert parts(tmp_path) == ["o.mp4"]


@pytest.mark.parametrize(
    "head", [b"<!doctype html>", b"\r\n <?xml version='1.0'?>", b'{"error": 1}', b"\xef\xbb\xbf[1]"]
)
def test_a_page_that_says_it_is_a_video_is_none(world: World, tmp_path: Path, head: bytes) -> None:
    """By its first bytes."""
    runway, _ = scripted(world, [whole(head + b" " * 100)])
    with pytest.raises(DownloadError, match="a text, no medium"):
        runway.tasks.download(TASK, tmp_path / "o.mp4")
    assert parts(tmp_path) == []


def unmeasured(content: bytes, **headers: str) -> Any:
    """A body without a length, which ends where the connection does."""

    class Stream(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            yield content

        async def __aiter__(self) -> Any:
            yield content

    return lambda _: httpx.Response(200, stream=Stream(), headers=headers)


def test_a_body_without_length_is_measured_by_the_task(world: World, tmp_path: Path) -> None:
    """What broke off is fetched again; where its end is proven by chunks, the size that the task tells does not count."""
    sized = task_json()
    sized["artifacts"][0]["fileSize"] = str(len(MP4))
    runway, _ = scripted(world, [unmeasured(MP4[:1000]), unmeasured(MP4)], [sized])
    assert runway.tasks.download(TASK, tmp_path / "o.mp4").read_bytes() == MP4
    runway, _ = scripted(world, [unmeasured(MP4[:1000])], [sized])
    with pytest.raises(DownloadError, match=f"1000 of {len(MP4)} bytes came"):
        runway.tasks.download(TASK, tmp_path / "p.mp4")
    runway, _ = scripted(world, [unmeasured(MP4[:1000], **{"Transfer-Encoding": "chunked"})], [sized])
    assert runway.tasks.download(TASK, tmp_path / "q.mp4").stat().st_size == 1000
    runway, _ = scripted(world, [unmeasured(MP4[:1000])])
    assert runway.tasks.download(TASK, tmp_path / "r.mp4").stat().st_size == 1000, "nobody knows better"
    assert parts(tmp_path) == ["o.mp4", "q.mp4", "r.mp4"]


@pytest.mark.skipif(os.name == "nt", reason="there are no limits of files")
def test_a_full_disk_is_a_download_error(world: World, tmp_path: Path) -> None:
    """A real limit: the plain reason and the task's id, and nothing is left."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    runway, _ = scripted(world, [whole(b"0" * 100_000)])
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DownloadError, match=r"Cannot write .*File too large") as caught:
            runway.tasks.download(TASK, tmp_path / "o.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.task_id == TASK
    assert parts(tmp_path) == []


def test_what_the_disk_refuses_at_the_end_is_no_other_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A buffer that cannot be written when the file is closed hides nothing, and the partial file goes."""
    from useapi_runwayml._io.files import Partial

    partial = Partial(tmp_path / "o.mp4")
    partial.open()
    partial.write(b"x")

    class Full:
        def close(self) -> None:
            partial_file.close()
            raise OSError(errno.ENOSPC, "No space left on device")

    partial_file, partial.file = partial.file, Full()  # type: ignore[assignment]
    partial.discard()
    assert parts(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_sync_still_takes_files(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The whole file is there; an error of the disk itself is one."""

    def sync(_: int) -> None:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", sync)
    runway, _ = scripted(world, [whole()])
    assert runway.tasks.download(TASK, tmp_path / "o.mp4").read_bytes() == MP4
    number = errno.EIO
    with pytest.raises(DownloadError):
        runway.tasks.download(TASK, tmp_path / "p.mp4")
    assert parts(tmp_path) == ["o.mp4"]


def test_a_file_is_whole_on_the_disk_before_it_has_its_name(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked to be kept through an outage is all of it."""
    kept = list[int]()
    monkeypatch.setattr(os, "fsync", lambda number: kept.append(os.fstat(number).st_size))
    runway, _ = scripted(world, [whole()])
    runway.tasks.download(TASK, tmp_path / "o.mp4")
    assert kept == [len(MP4)]


def test_a_dangling_link_is_noticed_before_anything_is_paid(world: World, tmp_path: Path) -> None:
    """It would be in the way of the result; with `overwrite` a download replaces it."""
    (tmp_path / "o.mp4").symlink_to(tmp_path / "nowhere.mp4")
    with pytest.raises(FileExistsError):
        world.client().video_to_video.run(world.asset(), "x", destination=tmp_path / "o.mp4")
    assert world.sim.state.created == 0
    runway, _ = scripted(world, [whole()])
    runway.tasks.download(TASK, tmp_path / "o.mp4", overwrite=True)
    assert not (tmp_path / "o.mp4").is_symlink()
    assert parts(tmp_path) == ["o.mp4"]


def test_what_was_given_up_is_not_published(tmp_path: Path) -> None:
    """A thread that comes late to publish finds that its file is gone, and leaves nothing under the final name."""
    from useapi_runwayml._io.files import Partial

    for overwrite in (False, True):
        partial = Partial(tmp_path / "o.mp4")
        partial.open()
        partial.write(b"x")
        held = partial.file
        partial.discard()
        partial.file = (tmp_path / ".other").open("wb")
        with pytest.raises(OSError, match="given up"):
            partial.publish(overwrite=overwrite)
        partial.file.close()
        (tmp_path / ".other").unlink()
        assert held.closed
        assert parts(tmp_path) == []


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_name_that_was_held_is_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_gone: bool) -> None:
    """Where there are no links an empty file holds the name; if the file cannot take it, the name is free again, as it may be already."""
    from useapi_runwayml._io.files import Partial

    def no_links(*_: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    def no_room(file: Path, name: Path) -> None:
        if is_gone:
            name.unlink()
        raise OSError(errno.ENOSPC, "no room")

    monkeypatch.setattr(os, "link", no_links)
    partial = Partial(tmp_path / "o.mp4")
    partial.open()
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", no_room)
        with pytest.raises(OSError, match="no room"):
            partial.publish(overwrite=False)
    partial.discard()
    assert parts(tmp_path) == []
    partial = Partial(tmp_path / "o.mp4")
    partial.open()
    assert partial.publish(overwrite=False).exists()
    late = Partial(tmp_path / "o.mp4")
    late.open()
    with pytest.raises(FileExistsError, match="overwrite is not set") as caught:
        late.publish(overwrite=False)
    assert (caught.value.errno, caught.value.filename) == (errno.EEXIST, str(tmp_path / "o.mp4"))
    late.discard()


def test_cancelled_downloads_leave_no_empty_file(tmp_path: Path) -> None:
    """An async download that is cancelled at any moment leaves the whole file or nothing."""

    async def main() -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.host == "cdn.test":
                return httpx.Response(200, content=MP4, headers={"Content-Type": "video/mp4"})
            return httpx.Response(200, json=task_json())

        http_client = httpx.AsyncClient(transport=httpx.MockTransport(handler))
        runway = AsyncRunwayClient("user:1-abcdef", base_url="http://runway.simulator/v1", http_client=http_client)
        for number in range(60):
            folder = tmp_path / str(number)
            folder.mkdir()
            download = asyncio.create_task(runway.tasks.download(TASK, folder / "o.mp4"))
            for _ in range(number // 2):
                await asyncio.sleep(0)
            await asyncio.sleep(0.0002 * (number % 20))
            download.cancel()
            await asyncio.gather(download, return_exceptions=True)
        await asyncio.sleep(0.2)

    asyncio.run(main())
    for folder in tmp_path.iterdir():
        assert parts(folder) in ([], ["o.mp4"])
        assert all(each.read_bytes() == MP4 for each in folder.iterdir())


def test_an_expired_link_is_refreshed_behind_a_hook_that_raises(world: World, tmp_path: Path) -> None:
    """A hook of a given client that raises for each refusal carries the answer: it is that of the host."""

    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/old.mp4":
            return httpx.Response(403)
        if request.url.path == "/new.mp4":
            return httpx.Response(200, content=MP4, headers={"content-type": "video/mp4"})
        return httpx.Response(200, json=_ended("https://cdn.test/new.mp4"))

    def check(response: httpx.Response) -> None:
        response.raise_for_status()

    async def acheck(response: httpx.Response) -> None:
        response.raise_for_status()

    hooks = {"response": [check if world.kind == "sync" else acheck]}
    through = world.http_client(httpx.MockTransport(answered), event_hooks=hooks)
    stale = Task.from_dict(_ended("https://cdn.test/old.mp4"))
    assert world.client(http_client=through).tasks.download(stale, tmp_path / "out.mp4").read_bytes() == MP4


def test_a_task_of_a_short_list_is_read_before_it_has_nothing(world: World, tmp_path: Path) -> None:
    """A list's entry may leave out what came of it; one that says that nothing did is believed."""
    asked = list[str]()

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path.rpartition("/v1/runwayml")[2])
        if request.url.path == "/new.mp4":
            return httpx.Response(200, content=MP4, headers={"content-type": "video/mp4"})
        if request.url.path.endswith("/tasks/"):
            return httpx.Response(200, json=[{"taskId": TASK, "status": "SUCCEEDED"}])
        return httpx.Response(200, json=_ended("https://cdn.test/new.mp4"))

    client = world.scripted(answered)
    entry = next(iter(client.tasks.list()))
    assert client.tasks.download(entry, tmp_path / "out.mp4").read_bytes() == MP4
    assert client.tasks.wait(entry).artifacts[0].url == "https://cdn.test/new.mp4"
    asked.clear()
    with pytest.raises(TaskOutputMissingError):
        client.tasks.download(Task.from_dict({**_ended(""), "artifacts": []}), tmp_path / "none.mp4")
    assert client.tasks.wait(Task.from_dict({**_ended(""), "artifacts": []})).artifacts == []
    assert asked == []


def test_a_task_of_a_short_list_is_what_it_came_to(world: World, tmp_path: Path) -> None:
    """If it turns out to have failed when it is read, that is told with its reason, and not that there is nothing to download."""
    client, _ = scripted(world, [whole()], [task_json(status="FAILED", error={"reason": "SOME_REASON"})])
    with pytest.raises(TaskFailedError, match="SOME_REASON"):
        client.tasks.download(Task.from_dict({"taskId": TASK, "status": "SUCCEEDED"}), tmp_path / "out.mp4")


def test_who_cannot_reach_a_host_is_not_told_of_base_url(world: World, tmp_path: Path) -> None:
    """It has nothing to do with where a result lies."""

    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(DownloadError, match=r"check the network\. Download it again") as caught:
        world.scripted(refused, max_retries=0).tasks.download(Task.from_dict(_ended(CDN)), tmp_path / "out.mp4")
    assert "base_url" not in str(caught.value)


def _ended(url: str) -> dict[str, Any]:
    return {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": url}]}
