"""Small decisions, each of which somebody would miss: what is refused before a request, what is shown, and what counts as told."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from useapi_runwayml_api.models.task import Task

from useapi_runwayml import Progress, RunwayClient, errors
from useapi_runwayml._core.answers import redact
from useapi_runwayml._core.course import Course
from useapi_runwayml._core.downloading import safe_name
from useapi_runwayml._core.effects import Answer, Call, Options, Sleep
from useapi_runwayml._core.ids import email_of
from useapi_runwayml._core.looking_up import shows_other_values
from useapi_runwayml._core.polling import failed
from useapi_runwayml._core.stages import Stages
from useapi_runwayml._core.surroundings import GivenOut, Settings, UnderWay
from useapi_runwayml._core.surveying import is_whole
from useapi_runwayml._io.media import clip_of
from useapi_runwayml._io.timeouts import as_parts

from .conftest import MP4, World

TASK = "user:4242-runwayml:maker@example.com-task:t1"


@pytest.mark.parametrize(
    "ask",
    [
        lambda tasks: tasks.as_completed([TASK, "a/b"]),
        lambda tasks: tasks.as_completed(TASK),
        lambda tasks: tasks.wait("a/b"),
        lambda tasks: list(tasks.list(statuses="PENDING")),
        lambda tasks: tasks.find(""),
        lambda tasks: tasks.find(7),
    ],
    ids=[
        "an id with a slash",
        "an id for a list",
        "a wait for a slash",
        "a state for a list",
        "no reference",
        "a number",
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(world: World, ask: Any) -> None:
    """Nothing is sent for it."""
    with pytest.raises(errors.ParameterError):
        ask(world.client().tasks)
    with pytest.raises(
        errors.ParameterError, match="tasks_or_ids: 'abc' is refused, it must be a list of tasks or ids"
    ):
        world.client().tasks.as_completed("abc")
    assert not world.sim.requests


def test_a_list_that_was_refused_is_asked_again_by_later_waits(world: World) -> None:
    """A refusal holds for the waits that met it: once all are over, the next begin anew."""
    client = world.client()
    world.faults.add("status", "listTasks", status=403, times=1)
    made = [client.video_to_video.create(asset_id=world.asset(), text_prompt="x") for _ in range(4)]
    world.clock.advance(100)
    for pair in (made[:2], made[2:]):
        before, begun = world.calls("listTasks"), world.clock.now()
        assert len(list(client.tasks.as_completed([each.task_id for each in pair], timeout=30))) == 2
        assert world.calls("listTasks") > before
        assert world.clock.now() - begun < 30, "within the minute for which a refused list is left alone"


def test_what_is_shown_is_short_and_no_secret() -> None:
    """An address without a query has none; requests, answers and settings show neither headers nor bodies; a failure without a reason names none."""
    assert redact("see https://a.test/x and https://a.test/y?z=1#f") == "see https://a.test/x and https://a.test/y?…"
    secret = {"x": "s3cret"}
    options = Options(extra_headers=secret)
    call = Call("get", "/x", lambda _, found: found, options, json=secret, files=secret, content=b"s3cret")
    for each in (Answer(200, httpx.Headers(secret), b"s3cret"), call, Settings("http://x.test", 60, 4, 20, secret)):
        assert "s3cret" not in repr(each)
    bare = failed(Task.from_dict({"taskId": TASK, "status": "FAILED"}), TASK)
    assert str(bare) == f"Task {TASK} failed: no reason was given"
    told = failed(Task.from_dict({"status": "FAILED", "error": {"reason": "X.1", "errorMessage": "It broke"}}), TASK)
    assert str(told) == f"Task {TASK} failed: It broke [X.1]"
    same = failed(Task.from_dict({"status": "FAILED", "error": {"reason": "X.1"}}), TASK)
    assert str(same) == f"Task {TASK} failed: X.1"


@pytest.mark.parametrize(
    ("entry", "is_told"),
    [
        ({"status": "RUNNING"}, True),
        ({"status": "SUCCEEDED", "artifacts": []}, True),
        ({"status": "SUCCEEDED"}, False),
        ({"artifacts": []}, False),
        ({"status": "FAILED"}, True),
    ],
)
def test_what_a_list_leaves_out_is_read(entry: dict[str, Any], is_told: bool) -> None:
    """An entry without its state, or that succeeded without its artifacts, does not answer for the task."""
    assert is_whole(Task.from_dict({"taskId": TASK, **entry})) is is_told


def test_a_result_without_a_name_has_the_tasks(world: World, tmp_path: Path) -> None:
    """In a folder it is called after the task, without what no system takes in a name."""
    task = {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": "https://files.test/a", "filename": ""}]}

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=MP4) if request.url.host == "files.test" else httpx.Response(200, json=task)

    assert world.scripted(handler).tasks.download(TASK, tmp_path) == tmp_path / "t1.mp4"


def test_who_leaves_in_the_midst_is_heard_by_the_core() -> None:
    """What breaks into a course reaches the core, which may add to it, and ends it."""
    heard: list[str] = []

    def core() -> Any:
        try:
            yield Sleep(1)
        except KeyError as error:
            heard.append(type(error).__name__)
            error.add_note("a receipt")
            raise
        finally:
            heard.append("over")

    def leave() -> None:
        with Course(core()) as course:
            next(course)
            raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        leave()
    assert heard == ["KeyError", "over"]
    assert caught.value.__notes__ == ["a receipt"]


def test_who_has_had_enough_ends_the_core() -> None:
    """A course that is left in its midst leaves nothing of the core open, whoever else holds it."""
    heard: list[str] = []

    def core() -> Any:
        try:
            yield Sleep(1)
        finally:
            heard.append("over")

    held = core()
    with Course(held) as course:
        next(course)
    assert heard == ["over"]


def test_what_was_given_out_is_remembered_within_bounds() -> None:
    """Ten thousand tasks; the oldest goes first. For a minute a task is new."""
    given = GivenOut()
    for number in range(10_001):
        given.add(str(number), 100.0 + number)
    assert ("0" in given, "1" in given, "10000" in given) == (False, True, True)
    assert given.is_new("1", 101 + 59.9)
    assert not given.is_new("1", 101 + 60)
    assert not given.is_new("never", 0.0)


def test_what_became_of_an_interrupted_create_is_not_known() -> None:
    """Whoever interrupts it leaves its neighbour with the same reference in doubt; an error that is its outcome does not."""
    for error, is_known in ((KeyboardInterrupt(), False), (errors.InsufficientCreditsError("x", status=412), True)):
        under_way = UnderWay()
        with under_way.of("tag") as mark:
            with pytest.raises(type(error)), under_way.of("tag"):
                raise error
            assert bool(mark.beside) is not is_known


def test_endings_are_iterated_in_both_ways(world: World) -> None:
    """By `for`, and by `async for`, which takes the same object."""
    client = world.client()
    made = [client.video_to_video.create(asset_id=world.asset(), text_prompt="x") for _ in range(2)]
    world.clock.advance(100)
    endings = client._target.tasks.as_completed(made)
    found = []
    if world.runner is None:
        found = [each.task_id for each in endings]
    else:

        async def drain() -> None:
            async for each in endings:
                found.append(each.task_id)  # what is tried is the loop

        world.runner.run(drain())
    assert sorted(found) == sorted(each.task_id for each in made)


def test_all_that_the_service_can_list_is_listed(world: World) -> None:
    """Pages of a hundred up to the last offset that the service takes, 1000, and there the largest page, 1000 entries."""
    asked: list[tuple[int, int]] = []

    def handler(request: httpx.Request) -> httpx.Response:
        offset, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
        asked.append((offset, limit))
        shown = range(offset, min(offset + limit, 3000))
        return httpx.Response(200, json=[{"taskId": f"{TASK}{number}", "status": "SUCCEEDED"} for number in shown])

    found = [each.task_id for each in world.scripted(handler).tasks.list()]
    assert found == [f"{TASK}{number}" for number in range(2000)]
    assert asked[-1] == (1000, 1000)
    assert {limit for offset, limit in asked if offset < 1000} == {100}


def test_whatever_leaves_a_run_has_the_tasks_id(world: World, tmp_path: Path, clip: Path) -> None:
    """Also an error of the caller's own functions, that had none."""

    def refuse(task: Any) -> None:
        raise errors.UseapiError("mine")

    with pytest.raises(errors.UseapiError, match="mine") as caught:
        world.client().video_to_video.run(clip, "x", destination=tmp_path / "o.mp4", on_created=refuse)
    assert caught.value.task_id == next(iter(world.sim.state.tasks))


def test_an_upload_that_cannot_be_deleted_loses_no_result(
    world: World, tmp_path: Path, clip: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The video is there, and the asset is named in the log."""
    world.faults.add("status", "deleteAsset", status=500)
    result = world.client().video_to_video.run(clip, "x", destination=tmp_path / "o.mp4", keep_asset=False)
    assert result.path.read_bytes() == MP4
    assert next(iter(world.sim.state.assets)) in caplog.text


@pytest.mark.parametrize("file", ["a\0b.mp4", "/nowhere/clip.mp4", "."])
def test_a_path_that_is_none_is_refused_in_words(world: World, file: str) -> None:
    """Before anything is sent."""
    with pytest.raises(errors.ParameterError, match=r"cannot be read|no such file|a folder"):
        world.client().assets.upload(file)
    assert not world.sim.requests


def test_a_batch_names_a_path_that_is_none(tmp_path: Path) -> None:
    """With its line, like every other problem."""
    from useapi_runwayml.batch.checks import check
    from useapi_runwayml.batch.rows import read_jobs

    (tmp_path / "jobs.json").write_text('[{"video": "a\\u0000b.mp4", "prompt": "x"}]')
    jobs, problems = check(read_jobs(tmp_path / "jobs.json"), tmp_path, tmp_path / "out", {})
    assert jobs == []
    assert any("it is no path" in each and each.startswith("line 1") for each in problems)


def test_what_drifted_is_told() -> None:
    """A status that is not documented, an answer that is no JSON, an operation that there is not."""
    from useapi_runwayml.cli.doctor import look
    from useapi_runwayml.cli.drift import drifts

    assert drifts("getFeatures", 299, {}) == ["status 299: not in the document"]
    with pytest.raises(KeyError):
        drifts("nothing", 200, {})
    kept: dict[str, Any] = {}
    page = httpx.Response(200, headers={"Content-Type": "text/html"}, content=b"<html>")
    assert list(look("features", page, kept)) == ["features: 200 text/html, 6 bytes that are no JSON"]
    assert kept == {}


@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize("breaks", [False, True])
def test_every_connection_is_given_back(world: World, tmp_path: Path, status: int, breaks: bool) -> None:
    """Of the API and of a host of files: read to the end, refused, or broken off in the midst."""
    opened: list[Any] = []

    class Watched(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __init__(self, content: bytes) -> None:
            self.content = content
            self.closed = 0
            opened.append(self)

        def __iter__(self) -> Any:
            yield self.content[:3]
            if breaks:
                raise httpx.ReadError("broken")
            yield self.content[3:]

        async def __aiter__(self) -> Any:
            for each in self:
                yield each

        def close(self) -> None:
            self.closed += 1

        async def aclose(self) -> None:
            self.closed += 1

    def handler(request: httpx.Request) -> httpx.Response:
        body = MP4 if request.url.host == "files.test" else b'{"permitted": {}}'
        return httpx.Response(status, stream=Watched(body), headers={"Content-Length": str(len(body))})

    client = world.scripted(handler, max_retries=1)
    task = Task.from_dict({"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": "https://files.test/a"}]})
    for ask in (client.features.retrieve, lambda: client.tasks.download(task, tmp_path / "o.mp4")):
        try:
            ask()
        except errors.UseapiError:
            assert breaks or status != 200
    assert len(opened) >= 2
    assert all(each.closed for each in opened)


def test_the_clock_of_a_client_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sleeps as long as it is asked to, in both ways."""
    import asyncio
    import time

    import anyio

    from useapi_runwayml._io.clock import SystemClock

    slept: list[float] = []

    async def asleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(anyio, "sleep", asleep)
    clock = SystemClock()
    clock.sleep(3)
    asyncio.run(clock.asleep(7))
    assert slept == [3, 7]
    assert abs(clock.monotonic() - time.monotonic()) < 1


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02 03:04 UTC"),
        ("2026-01-02T01:04:05+02:00", "2026-01-01 23:04 UTC"),
        ("2026-01-02T03:04:05", "2026-01-02 03:04 UTC"),
        ("0001-01-01T00:00:00+02:00", "0001-01-01T00:00:00+02:00"),
    ],
)
def test_times_name_their_zone(moment: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one form, whatever the service's is."""
    from datetime import datetime

    from useapi_runwayml.cli import output

    output.fields({"created": datetime.fromisoformat(moment)})
    assert capsys.readouterr().out == f"created: {told}\n"


def test_a_parameter_that_there_is_not_is_named(world: World, tmp_path: Path, clip: Path) -> None:
    """By its name, before anything is sent, and by `run` as by `create`: it is a mistake in a program."""
    client = world.client()
    with pytest.raises(TypeError, match=r"run\(\) got an unexpected keyword argument 'sed'"):
        client.video_to_video.run(clip, "x", destination=tmp_path / "o.mp4", sed=7)
    with pytest.raises(TypeError, match=r"run\(\) got an unexpected keyword argument 'sed'"):
        client.video_to_video.run(clip, "x", destination=tmp_path / "o.mp4", zed=7, sed=7)
    with pytest.raises(TypeError, match=r"create\(\) got an unexpected keyword argument 'sed'"):
        client.video_to_video.create(asset_id="a", text_prompt="x", sed=7)
    assert not world.sim.requests


def test_the_log_tells_how_long_it_took(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """In milliseconds, with the status and the attempt, and without the token."""
    world.faults.add("latency", "getFeatures", seconds=0.25)
    with caplog.at_level("DEBUG", logger="useapi_runwayml"):
        world.client().features.retrieve()
    assert "GET /features/ -> 200 in 250 ms, attempt 1" in caplog.text
    assert "s3cr3t" not in caplog.text


def test_the_account_of_an_id_is_its_email() -> None:
    """An id of the service says whose it is; anything else is nobody's."""
    assert email_of(TASK) == email_of(TASK.replace("task:", "asset:")) == "maker@example.com"
    assert [email_of(each) for each in ("maker@example.com", f"{TASK}/x", "", None, 7)] == [None] * 5


def test_a_name_is_cut_only_where_it_is_too_long() -> None:
    """180 bytes is a name of its own; of one byte more the ending stays, and a piece of what is before it goes."""
    fits, long = "a" * 176 + ".mp4", "a" * 177 + ".mp4"
    assert safe_name(fits, "x.mp4") == fits
    assert safe_name(long, "x.mp4") == "a" * 169 + ".mp4"


@pytest.mark.parametrize(("letters", "stays"), [(16, True), (17, False)])
def test_an_ending_has_sixteen_letters_at_the_most(letters: int, stays: bool) -> None:
    """What is longer is no ending, and is cut with the rest of a name that is too long."""
    ending = "." + "e" * letters
    assert safe_name("a" * 180 + ending, "x.mp4").endswith(ending) is stays


@pytest.mark.parametrize("how", ["create", "run"])
@pytest.mark.parametrize(("asked", "posts"), [(600, 2), (601, 1)])
def test_a_create_waits_ten_minutes_for_a_slot(world: World, tmp_path: Path, how: str, asked: int, posts: int) -> None:
    """Unless told otherwise: a wish for a longer wait is raised at once."""
    sent: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(world.clock.now())
        return httpx.Response(429, json={"error": "x"}, headers={"Retry-After": str(asked)})

    asset, creator = TASK.replace("task:", "asset:"), world.scripted(handler).video_to_video
    calls = {
        "run": lambda: creator.run(asset, "x", destination=tmp_path / "o.mp4"),
        "create": lambda: creator.create(asset_id=asset, text_prompt="x"),
    }
    with pytest.raises(errors.UpstreamBusyError):
        calls[how]()
    assert len(sent) == posts


def test_lists_that_fail_are_not_asked_for_more_of_the_same(world: World) -> None:
    """A page that cannot be had says nothing of what is behind it: in a round each list is asked once."""
    client = world.client()
    made = [client.video_to_video.create(asset_id=world.asset(), text_prompt="x").task_id for _ in range(4)]
    world.faults.add("status", "listTasks", status=500)
    before = world.calls("listTasks")
    with pytest.raises(errors.WaitTimeoutError):
        list(client.tasks.as_completed(made, timeout=1))
    assert world.calls("listTasks") - before == 2


def test_the_seconds_of_a_transfer_are_its_own(world: World) -> None:
    """They begin with it, however long everything before it took; nothing can be said of its end before some time went by."""
    seen: list[Progress] = []
    context = SimpleNamespace(clock=world.clock, awaits=False)
    world.clock.advance(50)
    stages = Stages(context, seen.append)  # type: ignore[arg-type]
    world.clock.advance(50)
    list(stages.enter("upload", whole=10))
    assert stages.on_bytes is not None
    stages.on_bytes(4, 10)
    world.clock.advance(2)
    stages.on_bytes(5, 10)
    assert [(each.bytes_done, each.elapsed_seconds, each.seconds_left) for each in seen] == [(4, 0, None), (5, 2, 2)]


@pytest.mark.parametrize(("count", "rest"), [(3, ""), (4, " and 1 more"), (5, " and 2 more")])
def test_an_error_names_three_tasks_and_counts_the_rest(world: World, count: int, rest: str) -> None:
    """What a wait for many did not see ending; `task_ids` has them all."""
    client = world.client()
    made = [client.video_to_video.create(asset_id=world.asset(), text_prompt="x").task_id for _ in range(count)]
    with pytest.raises(
        errors.WaitTimeoutError, match=rf"of {made[0]}, {made[1]}, {made[2]}{rest}( \(last seen \w+\))?\. It goes"
    ) as caught:
        list(client.tasks.as_completed(made, timeout=1))
    assert list(caught.value.task_ids) == made


def test_whoever_was_read_longest_ago_is_read_next(world: World) -> None:
    """Where no list tells, and answers are so slow that a round reaches only some: none is left behind."""
    read: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        task_id = request.url.path.rpartition("/")[2]
        if not task_id:
            return httpx.Response(403, json={"error": "no"})
        read.append(task_id)
        world.clock.advance(2)
        return httpx.Response(200, json={"taskId": task_id, "status": "RUNNING"})

    ids = [f"{TASK}{number}" for number in range(6)]
    with pytest.raises(errors.WaitTimeoutError):
        list(world.scripted(handler).tasks.as_completed(ids, timeout=90))
    rounds = [read[first : first + 6] for first in (0, 6, 12)]
    assert [sorted(each) for each in rounds] == [ids] * 3


@pytest.mark.parametrize(("shown", "is_ours"), [(100, False), (101, True)])
def test_a_prompt_that_is_shown_cut_is_the_same_only_if_it_is_long(shown: int, is_ours: bool) -> None:
    """A short one that another begins with is another: its task is not taken for ours."""
    task = Task.from_dict({"taskId": TASK, "options": {"text_prompt": "y" * shown}})
    assert shows_other_values(task, {"text_prompt": "y" * 300}) is not is_ours


@pytest.mark.parametrize(
    ("shown", "sent", "is_ours"),
    [("7", 7, False), (7, "7", False), (7, 7.0000001, True), ([1, 2], [1, 2], True), ([1, 2], [2, 1], False)],
)
def test_what_is_of_another_kind_is_another_value(shown: Any, sent: Any, is_ours: bool) -> None:
    """A text is no number; a list is compared as it stands, for options that are yet to come."""
    task: Any = SimpleNamespace(options=SimpleNamespace(some=shown))
    assert shows_other_values(task, {"some": sent}) is not is_ours


def test_behind_a_short_list_there_is_nothing(world: World) -> None:
    """What neither of the two first pages has is read by its id: no further page is asked for."""
    ids = [f"{TASK}{number}" for number in range(4)]
    with pytest.raises(errors.NotFoundError):
        list(world.client().tasks.as_completed(ids, timeout=30))
    assert world.calls("listTasks") == 2


def test_where_no_file_can_be_put_is_told_in_words(world: World, tmp_path: Path) -> None:
    """The system's own, without its number and without the path a second time; nothing is asked for it."""
    with pytest.raises(
        errors.ParameterError, match=rf"no file can be put there \({os.strerror(errno.ENAMETOOLONG)}\)$"
    ):
        world.client().tasks.download(TASK, tmp_path / f"{'x' * 300}.mp4")
    assert not world.sim.requests


def test_a_body_of_unknown_length_names_none(world: World) -> None:
    """It goes in chunks, and two words about its end would contradict each other."""
    sent: list[httpx.Headers] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(200, json={"assetId": TASK.replace("task:", "asset:")})

    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(MP4)
    with os.fdopen(reading, "rb") as file:
        world.scripted(handler).assets.upload(file, name="c.mp4", media_type="video/mp4")
    assert [(each.get("transfer-encoding"), each.get("content-length")) for each in sent] == [("chunked", None)]


def test_a_closed_client_says_so_of_a_download_too(world: World, tmp_path: Path) -> None:
    """Also where the task's link is known already, and the service need not be asked for it."""
    http_client = world.http_client(world.transport())
    client = world.client(http_client=http_client)
    done = client.tasks.wait(client.video_to_video.create(asset_id=world.asset(), text_prompt="x"))
    if world.runner:
        world.runner.run(http_client.aclose())
    else:
        http_client.close()
    with pytest.raises(errors.UseapiError, match="This client is closed"):
        client.tasks.download(done, tmp_path / "o.mp4")


@pytest.mark.parametrize(
    ("rotation", "size"),
    [("90.000", (768, 1280)), ("270.000", (768, 1280)), ("180.000", (1280, 768)), (None, (1280, 768))],
)
def test_a_clip_is_as_wide_as_it_is_shown(rotation: str | None, size: tuple[int, int]) -> None:
    """A quarter of a turn, either way, makes its width its height; its length is told in milliseconds at the most."""
    whole = SimpleNamespace(track_type="General", format="MPEG-4", internet_media_type="video/mp4")
    video = SimpleNamespace(track_type="Video", width=1280, height=768, rotation=rotation, duration="5001.2568")
    clip = clip_of([whole, video])
    assert (clip.width, clip.height, clip.duration, clip.kind) == (*size, 5.001, "video")


@pytest.mark.parametrize(
    ("type_of_media", "other", "kind"),
    [
        ("text/plain", "Text", "text"),
        ("audio/mpeg", "Audio", "audio"),
        (None, "Audio", "audio"),
        ("", "Text", None),
    ],
)
def test_what_is_neither_a_clip_nor_a_picture_has_the_kind_of_its_type(
    type_of_media: str | None, other: str, kind: str | None
) -> None:
    """Or of its tracks; it is not known where neither tells."""
    whole = SimpleNamespace(track_type="General", format="X", internet_media_type=type_of_media)
    assert clip_of([whole, SimpleNamespace(track_type=other)]).kind == kind


def test_nobody_answers_on_port_zero() -> None:
    """A base URL with it is refused, where others say that they cannot connect."""
    with pytest.raises(errors.ParameterError, match="its port is no number from 1 to 65535"):
        RunwayClient("user:1-abc", base_url="http://127.0.0.1:0")
    RunwayClient("user:1-abc", base_url="http://127.0.0.1:1").close()


def test_seconds_without_an_end_are_none_to_httpx() -> None:
    """Connecting has five of them all the same; as many as a socket can wait are the most that it is told."""
    assert as_parts(math.inf) == {"connect": 5, "read": None, "write": None, "pool": None}
    assert as_parts(10) == {"connect": 5, "read": 10, "write": 10, "pool": 10}
    assert as_parts(2) == {"connect": 2, "read": 2, "write": 2, "pool": 2}
    assert as_parts(1e9) == {"connect": 5, "read": 1e6, "write": 1e6, "pool": 1e6}
