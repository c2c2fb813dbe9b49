"""One stream tells where a run is, from its first look at the file to its last word."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import httpx
import pytest

from useapi_runwayml import Progress, Stage, errors
from useapi_runwayml._core.stages import Pace, Stages
from useapi_runwayml.simulator import ManualClock

from .conftest import MP4, World

MB = 1 << 20


class Slow(io.BytesIO):
    """A file of which each read takes a while."""

    def __init__(self, world: World, size: int, seconds: float) -> None:
        super().__init__(MP4.ljust(size, b"\0"))
        self.name = "slow.mp4"
        self._world, self._seconds = world, seconds

    def read(self, most: int | None = -1) -> bytes:
        if most:
            self._world.clock.advance(self._seconds)
        return super().read(most)


def stages_of(seen: list[Progress]) -> list[str]:
    """The stages in their order, each once."""
    return [
        each.stage
        for each, before in zip(seen, [None, *seen], strict=False)
        if before is None or each.stage != before.stage
    ]


def test_all_stages_are_told_in_their_order(world: World, clip: Path, tmp_path: Path) -> None:
    """What is known is told from then on: the bytes while they move, the task's id from the create on, its state while it goes on."""
    seen: list[Progress] = []
    created: list[tuple[str, int]] = []
    begun = world.clock.now()
    result = world.client().video_to_video.run(
        clip,
        "x",
        destination=tmp_path / "o.mp4",
        on_created=lambda task: created.append((task.task_id, len(seen))),
        on_progress=seen.append,
    )
    assert stages_of(seen) == ["inspect", "upload", "create", "created", "waiting", "download", "done"]
    assert [seen[0].elapsed_seconds, *(b.elapsed_seconds for a, b in pairwise(seen) if a.stage != b.stage)][:4] == [
        0
    ] * 4
    at = {stage: [each for each in seen if each.stage == stage] for stage in get_args(Stage)}
    assert [(each.bytes_done, each.bytes_total) for each in at["upload"]] == [
        (0, len(MP4)),
        (len(MP4), len(MP4)),
        (len(MP4), len(MP4)),
    ]
    assert {each.elapsed_seconds for each in at["upload"]} == {0}, "the simulator's clock stands still meanwhile"
    asset = at["upload"][-1].asset_id
    assert asset in world.sim.state.assets
    assert [each.asset_id for each in seen if each.asset_id] == [asset]
    assert {each.task_id for each in [*at["inspect"], *at["upload"], *at["create"]]} == {""}
    assert {each.task_id for each in seen[seen.index(at["created"][0]) :]} == {result.task.task_id}
    assert created == [(result.task.task_id, seen.index(at["created"][0]))], "the receipt comes first"
    assert {each.status for each in at["waiting"]} == {"PENDING", "RUNNING", "SUCCEEDED"}
    assert any(each.seconds_left for each in at["waiting"])
    assert {each.bytes_done for each in at["waiting"]} == {None}
    assert at["download"][-1].bytes_done == at["download"][-1].bytes_total == len(MP4)
    assert {(each.status, each.ratio) for each in at["download"]} == {("SUCCEEDED", 1.0)}
    (done,) = at["done"]
    assert done.elapsed_seconds == world.clock.now() - begun >= at["waiting"][-1].elapsed_seconds > 0
    assert (done.status, done.bytes_done, done.eta_seconds) == ("SUCCEEDED", None, None)


def test_whoever_reads_the_old_fields_reads_them_still() -> None:
    """The five of before come first, and the rest has values of its own."""
    told = Progress("id", "RUNNING", 0.5, 3.0, 2.0)
    assert told[:5] == ("id", "RUNNING", 0.5, 3.0, 2.0)
    assert (told.stage, told.bytes_done, told.bytes_total, told.seconds_left) == ("waiting", None, None, None)


def test_what_is_an_asset_is_not_uploaded(world: World, tmp_path: Path) -> None:
    """There is no such stage then."""
    seen: list[Progress] = []
    world.client().video_to_video.run(world.asset(), "x", destination=tmp_path / "o.mp4", on_progress=seen.append)
    assert stages_of(seen) == ["inspect", "create", "created", "waiting", "download", "done"]


def test_two_files_are_one_upload(world: World, clip: Path, tmp_path: Path) -> None:
    """The bytes of both are counted together, and each asset is told."""
    pytest.importorskip("pymediainfo")
    from .media import image

    (tmp_path / "i.png").write_bytes(image())
    seen: list[Progress] = []
    world.client().aleph.run(
        clip, "x", image=tmp_path / "i.png", destination=tmp_path / "o.mp4", on_progress=seen.append
    )
    uploads = [each for each in seen if each.bytes_done is not None and each.stage == "upload"]
    whole = len(MP4) + len(image())
    assert {each.bytes_total for each in uploads} == {whole}
    assert [each.bytes_done for each in uploads] == [0, len(MP4), len(MP4), whole, whole]
    assets = [each.asset_id for each in uploads]
    assert [bool(each) for each in assets] == [False, False, True, False, True], "each once"
    assert assets[2] != assets[4]


def test_two_files_go_to_one_account(world: World, clip: Path, tmp_path: Path) -> None:
    """That of the first, also where the service would choose another by then."""
    pytest.importorskip("pymediainfo")
    from useapi_runwayml.simulator.state import Account

    from .media import image

    (tmp_path / "i.png").write_bytes(image())
    accounts = world.sim.state.accounts

    def put_another_first(progress: Progress) -> None:
        if progress.asset_id and len(accounts) == 1:
            before = dict(accounts)
            accounts.clear()
            accounts.update({"another@example.com": Account("another@example.com", 100, 2), **before})

    world.client().aleph.run(
        clip, "x", image=tmp_path / "i.png", destination=tmp_path / "o.mp4", on_progress=put_another_first
    )
    assert [asset.email for asset in world.sim.state.assets.values()] == ["maker@example.com"] * 2


def test_moving_bytes_are_told_of_some_times_a_second(world: World, tmp_path: Path) -> None:
    """Ten at the most, by the client's clock, and the last always, with the pace so far; as many when the clock stands still."""
    for seconds, least, most in ((0.02, 6, 8), (0.0, 2, 2), (1.0, 30, 30)):
        seen: list[Progress] = []
        file = Slow(world, 30 * MB, seconds)
        world.client().video_to_video.run(file, "x", destination=tmp_path / f"{seconds}.mp4", on_progress=seen.append)
        moved = [each for each in seen if each.stage == "upload" and each.bytes_done and not each.asset_id]
        assert least <= len(moved) <= most
        assert (moved[-1].bytes_done, moved[-1].bytes_total) == (30 * MB, 30 * MB)
        assert [each.elapsed_seconds for each in moved] == sorted(each.elapsed_seconds for each in moved)
        if seconds == 1.0:
            assert moved[14].seconds_left == pytest.approx(15, rel=0.15)
            assert moved[-1].seconds_left == 0
            (there,) = [each for each in seen if each.asset_id]
            assert there.elapsed_seconds == moved[-1].elapsed_seconds


def test_the_pace_is_that_since_it_began() -> None:
    """Not that of what was there when somebody came to look, nor of what was sent in vain."""
    pace = Pace()
    assert pace.left(0, 0.9, 1.0) is None
    assert pace.left(10, 0.9, 1.0) is None
    assert pace.left(20, 0.95, 1.0) == pytest.approx(10)
    assert pace.left(21, None, 1.0) is None
    assert pace.left(30, 1.0, 1.0) == 0
    pace = Pace()
    pace.left(0, 0, 100)
    assert pace.left(10, 50, 100) == pytest.approx(10)
    assert pace.left(60, 20, 100) is None, "it began anew"
    assert pace.left(70, 60, 100) == pytest.approx(10)
    assert pace.left(71, 60, None) is None
    pace = Pace()
    pace.left(0, 0, 100)
    assert pace.left(0.5, 50, 100) == 0.5
    assert pace.left(1, 50, 100) == 1, "it stands still, and began when it began"
    assert Pace().left(5, 1.0, 1.0) == 0, "it was over before anybody looked"


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (0.0625, [0, 0.125, 0.25, 0.375]),
        (0.09375, [0, 0.1875, 0.375, 0.5625]),
        (0.1, [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        (0, [0]),
    ],
)
def test_pieces_that_come_fast_are_told_of_ten_times_a_second(step: float, told: list[float]) -> None:
    """The first at once, the next when a tenth of a second is over, and nothing between them."""
    seen: list[Progress] = []
    clock = ManualClock(0)
    stages = Stages(SimpleNamespace(clock=clock, awaits=False), seen.append)  # type: ignore[arg-type]
    list(stages.enter("download", whole=100))
    assert stages.on_bytes is not None
    for piece in range(1, 8):
        stages.on_bytes(piece, 100)
        clock.advance(step)
    assert [each.elapsed_seconds for each in seen] == pytest.approx(told)


ENDS: list[tuple[str, dict[str, Any], str, type[Exception]]] = [
    ("x", {"kind": "status", "operation": "uploadAsset", "status": 400}, "upload", errors.BadRequestError),
    ("x", {"kind": "status", "operation": "createVideoToVideo", "status": 412}, "create", errors.InsufficientCreditsError),
    ("x [fail]", {}, "waiting", errors.TaskFailedError),
    ("x [moderate-later]", {}, "waiting", errors.TaskModeratedError),
    ("x [cancel]", {}, "waiting", errors.TaskCancelledError),
    ("x [no-output]", {}, "download", errors.TaskOutputMissingError),
    ("x", {"kind": "status", "operation": "download", "status": 500}, "download", errors.DownloadError),
]  # fmt: skip


@pytest.mark.parametrize(("prompt", "fault", "stage", "kind"), ENDS)
def test_the_last_word_of_what_fails(
    world: World, clip: Path, tmp_path: Path, prompt: str, fault: dict[str, Any], stage: str, kind: type[Exception]
) -> None:
    """It comes once, after the stage in which it failed, with what is known of the task; then the error."""
    if fault:
        world.faults.add(**fault)
    seen: list[Progress] = []
    with pytest.raises(kind) as caught:
        world.client().video_to_video.run(clip, prompt, destination=tmp_path / "o.mp4", on_progress=seen.append)
    assert stages_of(seen)[-2:] == [stage, "failed"]
    assert [each.stage for each in seen].count("failed") == 1
    assert seen[-1].task_id == (getattr(caught.value, "task_id", None) or "")
    assert seen[-1][1:3] == seen[-2][1:3]


def test_what_is_refused_before_is_no_run(world: World, clip: Path, tmp_path: Path) -> None:
    """Of wrong arguments and a destination that is taken no stage is told."""
    seen: list[Progress] = []
    for more in ({"seed": 0}, {"destination": clip}):
        with pytest.raises((errors.ParameterError, FileExistsError)):
            world.client().video_to_video.run(
                clip, "x", **{"destination": tmp_path / "o.mp4", **more}, on_progress=seen.append
            )
    assert seen == []


@pytest.mark.parametrize("stage", [each for each in get_args(Stage) if each != "failed"])
@pytest.mark.parametrize("error", [OSError(28, "mine"), httpx.ReadError("mine")])
def test_what_the_function_raises_is_the_users(
    world: World, clip: Path, tmp_path: Path, stage: str, error: Exception
) -> None:
    """It arrives as it is, at whatever stage; it is called no more, nothing is paid twice, and what was paid for is named."""
    calls: list[str] = []

    def fail(progress: Progress) -> None:
        calls.append(progress.stage)
        if progress.stage == stage and progress.bytes_done != 0:
            raise error

    with pytest.raises(type(error)) as caught:
        world.client().video_to_video.run(clip, "x", destination=tmp_path / "o.mp4", reply_ref="mine", on_progress=fail)
    assert caught.value is error
    assert calls.count(stage) == (2 if stage in ("upload", "download") else 1), (
        "of a transfer its beginning comes first"
    )
    assert calls[-1] == stage
    paid = list(world.sim.state.tasks)
    assert world.calls("createVideoToVideo") == len(paid) == (stage not in ("inspect", "upload", "create"))
    notes = " ".join(getattr(error, "__notes__", ()))
    assert all(task_id in notes for task_id in paid)
    assert (tmp_path / "o.mp4").exists() == (stage == "done")
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".part")] == []


@pytest.mark.parametrize("stage", ["upload", "download"])
def test_what_is_raised_while_bytes_move_is_the_users(world: World, clip: Path, tmp_path: Path, stage: str) -> None:
    """It is not taken for a broken connection or a full disk: nothing is sent or fetched again."""
    error = OSError(28, "mine")

    def fail(progress: Progress) -> None:
        if progress.stage == stage and progress.bytes_done:
            raise error

    with pytest.raises(OSError) as caught:  # noqa: PT011  # it is that very one
        world.client().video_to_video.run(clip, "x", destination=tmp_path / "o.mp4", on_progress=fail)
    assert caught.value is error
    assert world.calls("uploadAsset") + world.calls("download") == (0 if stage == "upload" else 2), (
        "the service had no whole request of it"
    )


def test_a_last_word_that_fails_hides_nothing(world: World, clip: Path, tmp_path: Path) -> None:
    """The error of the task is the one that arrives."""

    def fail(progress: Progress) -> None:
        if progress.stage == "failed":
            raise RuntimeError("mine")

    with pytest.raises(errors.TaskFailedError) as caught:
        world.client().video_to_video.run(clip, "x [fail]", destination=tmp_path / "o.mp4", on_progress=fail)
    assert caught.value.task_id


def test_ctrl_c_at_the_last_word_bears_the_receipt(world: World, clip: Path, tmp_path: Path) -> None:
    """The task's id is on it as it was on the error."""

    class Cut(BaseException):
        """As Ctrl-C is."""

    def cut(progress: Progress) -> None:
        if progress.stage == "failed":
            raise Cut

    with pytest.raises(Cut) as caught:
        world.client().video_to_video.run(clip, "x [fail]", destination=tmp_path / "o.mp4", on_progress=cut)
    (task_id,) = world.sim.state.tasks
    assert task_id in " ".join(caught.value.__notes__)


def test_an_async_function_is_awaited_at_each_stage(clip: Path, tmp_path: Path) -> None:
    """And what it raises is the user's too."""
    from useapi_runwayml.simulator import ManualClock

    world = World("async", ManualClock())
    seen: list[str] = []

    async def hear(progress: Progress) -> None:
        seen.append(progress.stage)
        if progress.stage == "download" and progress.bytes_done:
            raise OSError(28, "mine")

    with pytest.raises(OSError, match="mine"):
        world.client().video_to_video.run(clip, "x", destination=tmp_path / "o.mp4", on_progress=hear)
    assert list(dict.fromkeys(seen)) == ["inspect", "upload", "create", "created", "waiting", "download"]
    world.close()


def test_a_file_is_replaced_when_that_is_said(world: World, clip: Path, tmp_path: Path) -> None:
    """`overwrite` is for the end: a run that fails leaves the file as it was."""
    there = tmp_path / "o.mp4"
    there.write_bytes(b"old")
    run = world.client().video_to_video.run
    with pytest.raises(FileExistsError):
        run(clip, "x", destination=there)
    assert not world.sim.requests
    with pytest.raises(errors.TaskFailedError):
        run(clip, "x [fail]", destination=there, overwrite=True)
    assert there.read_bytes() == b"old"
    run(clip, "x", destination=there, overwrite=True)
    assert there.read_bytes() == MP4


def test_a_file_that_appears_meanwhile_is_not_replaced(world: World, clip: Path, tmp_path: Path) -> None:
    """The task's id is on the error, so that its result can be put elsewhere."""
    there = tmp_path / "o.mp4"
    with pytest.raises(FileExistsError) as caught:
        world.client().video_to_video.run(
            clip, "x", destination=there, on_created=lambda _: there.write_bytes(b"another's")
        )
    assert there.read_bytes() == b"another's"
    (task_id,) = world.sim.state.tasks
    assert task_id in " ".join(caught.value.__notes__)


def test_on_created_counts_in_the_timeout(world: World, clip: Path, tmp_path: Path) -> None:
    """However long it takes, the wait has what it leaves."""
    moments = list[float]()

    def created(task: Any) -> None:
        moments.append(world.clock.monotonic())
        world.clock.advance(30)

    with pytest.raises(errors.WaitTimeoutError):
        world.client().video_to_video.run(
            clip, "x", destination=tmp_path / "o.mp4", timeout=40, on_created=created, keep_asset=True
        )
    assert 39 <= world.clock.monotonic() - moments[0] <= 40
