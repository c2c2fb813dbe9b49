"""Clips are looked at before they cost: real media, portrait, turned, silent, cut off, too short, or none at all."""

from __future__ import annotations

import io
import json
import logging
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from useapi_runwayml import MediaWarning, ParameterError
from useapi_runwayml._core import clips
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.clips import look
from useapi_runwayml.cli import app
from useapi_runwayml.simulator import ManualClock, RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN, World
from .media import clip, image, sound


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.mp4").write_bytes(MP4)
    (tmp_path / "ref.png").write_bytes(image())
    return tmp_path


def paid(world: World) -> int:
    return world.sim.state.created


SHAPES = [
    (clip(), {"duration": 10.0, "width": 64, "height": 36}),
    (clip(36, 64, 3), {"duration": 3.0, "width": 36, "height": 64}),
    (clip(turned=90), {"duration": 10.0, "width": 36, "height": 64}),
    (clip(turned=180), {"duration": 10.0, "width": 64, "height": 36}),
    (clip(kind="matroska"), {"duration": 10.0, "width": 64, "height": 36}),
    (b"no clip at all", {}),
]


@pytest.mark.parametrize(("content", "measures"), SHAPES)
def test_an_upload_sends_what_the_file_tells(world: World, content: bytes, measures: dict[str, Any]) -> None:
    """Duration, width and height as a player shows them, from a file object too, from where it stands; nothing of what is no media."""
    runway = world.client()
    file = io.BytesIO(b"before" + content)
    file.seek(6)
    asset = runway.assets.upload(file, name="c.mp4")
    found = world.sim.state.assets[asset.asset_id]
    assert found.measures == measures
    assert found.blob.read() == content, "what was looked at is sent whole"


def test_what_is_said_of_a_clip_wins(world: World) -> None:
    """Each parameter goes before what the file tells; an image has no duration."""
    runway = world.client()
    asset = runway.assets.upload(io.BytesIO(MP4), name="c.mp4", duration=7.5, height=1080)
    assert world.sim.state.assets[asset.asset_id].measures == {"duration": 7.5, "width": 64, "height": 1080}
    asset = runway.assets.upload(io.BytesIO(image(48, 32)), name="c.png")
    assert world.sim.state.assets[asset.asset_id].measures == {"width": 48, "height": 32}


@pytest.mark.parametrize(("seconds", "is_told"), [(9.85, True), (9.9, False), (9.95, False)])
def test_a_clip_that_is_a_frame_short_is_long_enough(seconds: float, is_told: bool) -> None:
    """Players and the service round as they like: up to a tenth of a second nothing is said."""
    asked = SimpleNamespace(crops_to=None, seconds=lambda values: values["seconds"])
    found = [*clips.remarks(clips.Clip("MPEG-4", "video", seconds, 1280, 768), asked, {"seconds": 10})]  # type: ignore[arg-type]
    assert bool(found) is is_told


@pytest.mark.parametrize(("width", "height"), [(1280, None), (None, 768), (1280, 0)])
def test_a_picture_of_which_half_is_known_is_none(width: int | None, height: int | None) -> None:
    """A clip with a width and no height has no picture to speak of."""
    asked = SimpleNamespace(crops_to=1280 / 768, seconds=lambda values: 10)
    found = [*clips.remarks(clips.Clip("MPEG-4", "video", 10, width, height), asked, {})]  # type: ignore[arg-type]
    assert found == ["no video track is found in it, it may be cut off"]


def test_without_the_extra_nothing_is_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The measures are left out, and only those that were given are sent."""
    monkeypatch.setitem(__import__("sys").modules, "pymediainfo", None)
    asset = world.client().assets.upload(io.BytesIO(MP4), name="c.mp4", width=64)
    assert world.sim.state.assets[asset.asset_id].measures == {"width": 64}


WARNED = [
    (clip(36, 64), {}, "68% of its picture is cut off above and below, since it is 36 x 64"),
    (clip(128, 36), {}, "50% of its picture is cut off left and right, since it is 128 x 36"),
    (clip(seconds=3), {}, "it is 3 s long, and 10 s are asked for"),
    (clip(seconds=3), {"seconds": 5}, "it is 3 s long, and 5 s are asked for"),
    (clip(36, 64, 3), {}, "cut off above and below, since it is 36 x 64; it is 3 s long"),
    (clip()[:1500], {}, "no video track is found in it, it may be cut off"),
]


@pytest.mark.parametrize(("content", "options", "told"), WARNED)
def test_what_is_lost_is_told_before_it_costs(
    world: World, folder: Path, content: bytes, options: dict[str, Any], told: str
) -> None:
    """One MediaWarning for the clip, with its name, and nothing sent when the warning is an error; otherwise it runs."""
    runway = world.client()
    (folder / "odd.mp4").write_bytes(content)
    with pytest.raises(MediaWarning, match=told) as caught:
        runway.video_to_video.run(folder / "odd.mp4", "x", destination=folder / "o.mp4", **options)
    assert str(caught.value).startswith("odd.mp4: ")
    assert not world.sim.requests
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        runway.video_to_video.run(folder / "odd.mp4", "x", destination=folder / "o.mp4", **options)
    assert [each.category for each in found] == [MediaWarning]
    assert world.runner or Path(found[0].filename).name == "conftest.py", "it names the caller's line"
    assert paid(world) == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.mp4", b"no clip at all", "no media format"),
        ("a.mp4", image(), "it has image in the format PNG"),
        ("a.mp4", sound(), "it has audio in the format MPEG-4"),
        ("a.mp3", sound(), "its type is audio/mpeg"),
        ("a.png", image(), "its type is image/png"),
    ],
)
def test_what_is_no_video_is_refused(world: World, folder: Path, name: str, content: bytes, told: str) -> None:
    """By its bytes, whatever it is called; nothing is sent."""
    (folder / name).write_bytes(content)
    with pytest.raises(ParameterError, match=told):
        world.client().video_to_video.run(folder / name, "x", destination=folder / "o.mp4")
    assert not world.sim.requests


def test_aleph_the_whole_way_with_an_image(world: World, folder: Path) -> None:
    """The clip and the image are uploaded, to one account, and the task names both; both go again when they are not kept."""
    runway = world.client()
    done, path = runway.aleph.run("c.mp4", "at night", destination=folder / "o.mp4", image="ref.png", keep_asset=False)
    assert path.read_bytes() == MP4
    (task,) = world.sim.state.tasks.values()
    assert (task.operation, task.cost, task.request["text_prompt"]) == ("createAleph", None, "at night")
    assert task.request["video_assetId"] != task.request["image_assetId"]
    assert world.sim.state.assets == {}
    assert done.task_id == task.task_id


def test_aleph_of_ids_alone(world: World, folder: Path) -> None:
    """Assets that are there already are taken as they are, and no file is needed."""
    runway = world.client()
    clip_id = runway.assets.upload(folder / "c.mp4").asset_id
    image_id = runway.assets.upload(folder / "ref.png").asset_id
    assert runway.aleph.create(video_asset_id=clip_id, image_asset_id=image_id, text_prompt="x").task_id
    runway.aleph.run(clip_id, "y", destination=folder / "o.mp4", image=image_id)
    assert [task.request["image_assetId"] for task in world.sim.state.tasks.values()] == [image_id] * 2
    assert len(world.sim.state.assets) == 2


def test_an_image_that_is_none_is_refused_before_the_clip_is_sent(world: World, folder: Path) -> None:
    """All files are looked at before the first is uploaded."""
    runway = world.client()
    with pytest.raises(ParameterError, match=r"image: 'c\.mp4' is refused, it is no image"):
        runway.aleph.run("c.mp4", "x", destination=folder / "o.mp4", image="c.mp4")
    with pytest.raises(ParameterError, match="no such file"):
        runway.aleph.run("c.mp4", "x", destination=folder / "o.mp4", image="none.png")
    assert not world.sim.requests


def test_what_a_creation_needs_is_asked_for_before_it_is_paid(
    world: World, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra, `run` and `create` name it and the three parameters; with the parameters it works."""
    monkeypatch.setitem(__import__("sys").modules, "pymediainfo", None)
    runway = world.client()
    needed = r"useapi-runwayml\[media\].*duration=, width= and height="
    with pytest.raises(ParameterError, match=needed):
        runway.aleph.run("c.mp4", "x", destination=folder / "o.mp4")
    assert not world.sim.requests
    bare = runway.assets.upload(folder / "c.mp4", duration=5, width=64).asset_id
    with pytest.raises(ParameterError, match="height cannot be told"):
        runway.aleph.create(video_asset_id=bare, text_prompt="x")
    with pytest.raises(ParameterError, match="height cannot be told"):
        runway.aleph.run(bare, "x", destination=folder / "o.mp4")
    assert paid(world) == 0
    whole = runway.assets.upload(folder / "c.mp4", duration=5, width=64, height=36).asset_id
    assert runway.aleph.create(video_asset_id=whole, text_prompt="x").task_id
    assert runway.video_to_video.create(asset_id=bare, text_prompt="x").task_id, "the other needs nothing of it"


def test_both_shapes_of_metadata_tell_the_measures(world: World) -> None:
    """The older shape has the size of the picture under `size`."""
    from httpx import Request, Response

    def handler(request: Request) -> Response:
        if request.method == "GET":
            return Response(200, json={"assetId": "a", "metadata": {"duration": 5, "size": {"width": 9, "height": 9}}})
        return Response(200, json={"taskId": "user:1-runwayml:a@b.test-task:1"})

    assert world.scripted(handler).aleph.create(video_asset_id="a", text_prompt="x").task_id


@pytest.mark.parametrize(
    ("metadata", "missing"),
    [
        (None, "duration, width, height"),
        ({"duration": 5}, "width, height"),
        ({"duration": 5, "width": 9}, "height"),
        ({"duration": 5, "height": 9}, "width"),
        ({"duration": 5, "size": {}}, "width, height"),
        ({"duration": 5, "size": {"width": 9}}, "height"),
        ({"duration": 5, "size": {"height": 9}}, "width"),
    ],
)
def test_measures_that_an_asset_lacks_are_named(world: World, metadata: dict[str, Any] | None, missing: str) -> None:
    """In either shape, whichever are missing; and nothing is created."""
    from httpx import Request, Response

    def handler(request: Request) -> Response:
        return Response(200, json={"assetId": "a", "metadata": metadata}) if request.method == "GET" else Response(500)

    with pytest.raises(ParameterError, match=f"and {missing} cannot be told"):
        world.scripted(handler).aleph.create(video_asset_id="a", text_prompt="x")


# -- the command line and the batch ------------------------------------------------------------------------------------
@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    with SimulatorServer(Simulator(task_seconds=40), clock=RunningClock(400)) as server:
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        monkeypatch.setattr("useapi_runwayml._core.polling.SHORTEST", 0.05)
        monkeypatch.setattr("useapi_runwayml._core.polling.LONGEST", 0.05)
        yield server


@pytest.fixture(autouse=True)
def logs_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line sets logging up for a process of its own; here others come after it."""
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = app.run(arguments)
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_command_line_warns_in_a_line_and_goes_on(
    server: SimulatorServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, once, without a traceback; what is no video ends it, and nothing was sent."""
    (folder / "tall.mp4").write_bytes(clip(36, 64))
    code, _, told = call(capsys, "run", "tall.mp4", "x", "-o", "o.mp4")
    assert (code, told.count("useapi-runwayml: ")) == (0, 1), told
    assert told.startswith("useapi-runwayml: tall.mp4: 68% of its picture is cut off above and below")
    code, _, told = call(capsys, "aleph", "run", "tall.mp4", "x", "-o", "p.mp4", "--image", "ref.png")
    assert (code, "cut off" in told) == (0, False), "nothing is known to be cut off there"
    before = server.simulator.state.created
    (folder / "text.mp4").write_bytes(b"hello")
    code, _, told = call(capsys, "run", "text.mp4", "x", "-o", "q.mp4")
    assert code == 3
    assert "no video" in told
    assert server.simulator.state.created == before == 2


def test_inspect_tells_what_a_file_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As lines and as JSON, with what each endpoint would not use; without a token and without sending."""
    (folder / "tall.mp4").write_bytes(clip(36, 64, 3))
    code, out, _ = call(capsys, "assets", "inspect", "tall.mp4", "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["kind"], found["duration"], found["width"], found["height"]) == ("video", 3.0, 36, 64)
    assert found["bytes"] == (folder / "tall.mp4").stat().st_size
    assert list(found["remarks"]) == ["video_to_video"]
    code, out, _ = call(capsys, "assets", "inspect", "tall.mp4")
    assert code == 0
    assert "MPEG-4" in out
    code, _, told = call(capsys, "assets", "inspect", "none.mp4")
    assert (code, "no such file" in told) == (3, True)


@pytest.mark.slow
def test_a_jobs_file_moves_from_one_endpoint_to_the_other(
    server: SimulatorServer, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--endpoint aleph` with a column image; the price is unknown, and the plan has a column for what is lost."""
    (folder / "tall.mp4").write_bytes(clip(36, 64))
    (folder / "jobs.csv").write_text(
        "video,prompt,image,seed\nc.mp4,one,ref.png,1\nc.mp4,two,ref.png,\ntall.mp4,three,,\n"
    )
    code, _, told = call(capsys, "batch", "run", "jobs.csv", "--dry-run")
    assert (code, "there is no column 'image' for video_to_video" in told) == (3, True)
    batch = ("batch", "run", "jobs.csv", "--endpoint", "aleph")
    code, out, _ = call(capsys, *batch, "--dry-run", "--json")
    assert json.loads(out) == {"jobs": 3, "seconds": None, "credits": None, "warnings": []}
    code, _, told = call(capsys, *batch, "--yes", "--max-credits", "90")
    assert (code, "say --credits-per-job" in told) == (3, True)
    code, out, _ = call(
        capsys, *batch, "--yes", "--max-credits", "60", "--credits-per-job", "30", "--poll-interval", "5"
    )
    assert code == 5, "the third row would cost more than was allowed"
    tasks = list(server.simulator.state.tasks.values())
    assert [task.operation for task in tasks] == ["createAleph"] * 2
    code, _, _ = call(capsys, "batch", "resume", "jobs.csv", "--yes", "--max-credits", "90")
    assert (code, len(server.simulator.state.tasks)) == (0, 3)
    images = [task.request.get("image_assetId") for task in server.simulator.state.tasks.values()]
    assert images.count(None) == 1
    assert len({*images}) == 2, "the same image is uploaded once"
    assert len(list(folder.glob("results/jobs/*.mp4"))) == 3


def test_the_plan_of_a_batch_has_the_remarks(
    server: SimulatorServer, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By line, in a table and in JSON; what is no video, and what an endpoint needs and cannot be told, is refused with its line."""
    (folder / "tall.mp4").write_bytes(clip(36, 64))
    (folder / "text.mp4").write_bytes(b"hello")
    (folder / "jobs.csv").write_text("video,prompt\nc.mp4,one\ntall.mp4,two\n")
    code, out, _ = call(capsys, "batch", "run", "jobs.csv", "--dry-run", "--json")
    (found,) = json.loads(out)["warnings"]
    assert (code, found["line"], Path(found["video"]).name) == (0, 3, "tall.mp4")
    assert "68% of its picture" in found["warning"]
    code, out, _ = call(capsys, "batch", "run", "jobs.csv", "--dry-run")
    assert (code, "68% of its" in " ".join(out.split())) == (0, True)
    (folder / "jobs.csv").write_text("video,prompt\ntext.mp4,one\n")
    code, _, told = call(capsys, "batch", "run", "jobs.csv", "--yes")
    assert (code, "line 2: video" in told, "no video" in told) == (3, True, True)
    monkeypatch.setitem(__import__("sys").modules, "pymediainfo", None)
    (folder / "jobs.csv").write_text("video,prompt\nc.mp4,one\n")
    code, _, told = call(capsys, "batch", "run", "jobs.csv", "--yes", "--endpoint", "aleph")
    assert (code, "useapi-runwayml[media]" in told) == (3, True)
    assert server.simulator.state.created == 0


def test_every_clip_of_a_batch_is_looked_at(tmp_path: Path) -> None:
    """Whatever is said of those before it: an asset, which is not here, one that is no video, and one that cannot be opened."""
    contents = {"text.mp4": b"hello", "late.mp4": b"hello", "tall.mp4": clip(36, 64)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    videos = [
        "user:1-runwayml:a@b.test-asset:1",
        *(str(tmp_path / each) for each in ("text.mp4", "none.mp4", *contents)),
    ]
    jobs = [Job(number, number + 1, video, "x", f"{number}.mp4") for number, video in enumerate(videos, 1)]
    remarks, problems = look(jobs, "job")
    assert [each.partition(": ")[0] for each in problems] == ["job 3", "job 4", "job 5", "job 6"]
    assert [(each.line, each.video) for each in remarks] == [(7, str(tmp_path / "tall.mp4"))]


@pytest.mark.parametrize("fault", ["close_after_action", "close_before_action"])
@pytest.mark.slow
def test_a_batch_beside_tasks_of_the_web_application(
    server: SimulatorServer, folder: Path, capsys: pytest.CaptureFixture[str], fault: Any
) -> None:
    """Its rows are found, settled and fetched as if they were alone on the account; none is doubled."""
    server.simulator.web_tasks = 3
    (folder / "jobs.csv").write_text("video,prompt\n" + "".join(f"c.mp4,row {n}\n" for n in range(4)))
    server.simulator.faults.add(fault, "createVideoToVideo", nth=2, times=1)
    code, out, _ = call(
        capsys, "batch", "run", "jobs.csv", "--yes", "--poll-interval", "5", "--max-jobs", "1", "--settle", "5"
    )
    assert code == 0, out
    assert len(list(folder.glob("results/jobs/*.mp4"))) == 4
    prompts = [task.request["text_prompt"] for task in server.simulator.state.tasks.values() if task.request]
    assert sorted(prompts) == [f"row {n}" for n in range(4)]
    assert len(server.simulator.state.tasks) == 7


# -- tasks of the web application --------------------------------------------------------------------------------------
def test_tasks_of_the_web_application_are_listed_and_nothing_more(folder: Path) -> None:
    """They bear no replyRef, hold no slot and are not in the scheduler; waits, `find` and lost creates are not misled."""
    world = World("sync", ManualClock())
    world.sim.web_tasks, world.sim.state.accounts["maker@example.com"].max_jobs = 3, 2
    runway = world.client()
    listed = list(runway.tasks.list())
    assert len(listed) == 3
    assert not any(task.reply_ref for task in listed)
    assert runway.scheduler.list() == []
    asset_id = str(runway.assets.upload(folder / "c.mp4").asset_id)
    world.faults.add("close_after_action", "createVideoToVideo", nth=1)
    tasks = [runway.video_to_video.create(asset_id=asset_id, text_prompt="x") for _ in range(2)]
    assert {task.task_id for task in tasks}.isdisjoint({each.task_id for each in listed})
    assert runway.tasks.find("nobody's") is None
    assert {task.task_id for task in runway.tasks.as_completed(tasks)} == {task.task_id for task in tasks}
    assert runway.tasks.wait(str(listed[0].task_id)).status == "SUCCEEDED"
    assert len(list(runway.tasks.list())) == 5
