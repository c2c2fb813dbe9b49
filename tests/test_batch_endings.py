"""How a batch waits for a task and has its file, through whatever the service answers, in time that only pauses take."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from useapi_runwayml import errors
from useapi_runwayml.batch import results
from useapi_runwayml.batch.accounts import CALM
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.endings import Endings
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.ledger import Row, Settings

from .pausing import Clock, answers

TASK = "user:4242-runwayml:maker@example.com-task:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
BEGAN = datetime(2026, 1, 2, 3, tzinfo=UTC)
GONE = errors.NotFoundError("not found", status=404)
LATER = errors.APIConnectionError("no connection", maybe_sent=False)


class Service:
    """What a client has of it: each call gives what it was told to."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.has_date = True
        self.wait: Any = answers(SimpleNamespace(updated_at=None, created_at=None, options=None))
        self.retrieve: Any = answers(GONE)
        self.file: Any = answers(b"a film")
        self.listed: list[str] = []
        self.tracked: list[str] = []
        self.tasks, self.scheduler = self, SimpleNamespace(list=self._running)

    def now(self) -> float | None:
        return self.clock.time + 1e9 if self.has_date else None

    async def list(self, email: str) -> Any:
        assert email == "maker@example.com"
        for each in self.listed:
            yield SimpleNamespace(task_id=each)

    async def _running(self) -> Any:
        return [SimpleNamespace(task_id=each) for each in self.tracked]

    async def download(self, task: Any, place: Path, *, overwrite: bool) -> None:
        put(place, await self.file(), "wb" if overwrite else "xb")


def put(place: Path, content: bytes, mode: str) -> None:
    with place.open(mode) as file:
        file.write(content)


class Scene:
    """One row, and whatever is told or written of it."""

    def __init__(self, folder: Path, *, settle: float = 60.0) -> None:
        self.clock = Clock(10)
        self.service = Service(self.clock)
        self.row = Row(
            "row-1-1", "b", Facts(Job(1, 2, "c.mp4", "x", str(folder / "1.mp4")), task_id=TASK), Settings(settle=settle)
        )
        self.place = results.place_of(folder / "1.mp4", "row-1-1")
        self.told: list[tuple[str, str]] = []
        self.done: list[Any] = []
        there: Any = self.service
        self.endings = Endings(there, self.clock, there, self._noting("save", "leave"))
        self.account = self._noting("close", "wake")

    def _noting(self, *names: str) -> Any:
        def noted(name: str) -> Any:
            async def note(*given: Any) -> None:
                self.done.append((name, *given))

            return note

        return SimpleNamespace(**{name: noted(name) for name in names})

    def hear(self) -> None:
        self.endings.tell = lambda row, state, why: self.told.append((state, why))

    def wait(self) -> dict[str, Any]:
        return asyncio.run(self.endings.wait(self.row, self.account))

    def fetch(self) -> dict[str, Any]:
        return asyncio.run(self.endings.fetch(self.row))

    @property
    def words(self) -> list[str]:
        return [why for _, why in self.told]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# -- waiting -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("created", "updated", "seconds"),
    [(0.0, 12.34, 12.3), (0.0, None, 7.1), (None, 12.34, 7.1), (None, None, 7.1)],
)
@pytest.mark.parametrize("seed", [None, 7])
def test_a_task_that_succeeded_is_known_with_its_time_and_seed(
    scene: Scene, created: float | None, updated: float | None, seconds: float, seed: int | None
) -> None:
    """Its time is the service's, or, where that has not both ends of it, that of the wait; its slot is given to whoever waits for one."""

    def ended() -> Any:
        scene.clock.time += 7.09
        times = [None if each is None else BEGAN + timedelta(seconds=each) for each in (created, updated)]
        return SimpleNamespace(
            created_at=times[0], updated_at=times[1], options=None if seed is None else SimpleNamespace(seed=seed)
        )

    scene.service.wait = answers(ended)
    assert scene.wait() == {"kind": "succeeded"}
    facts = scene.row.facts
    assert (facts.seconds, facts.seed, facts.state) == (seconds, seed, "downloading")
    assert scene.done == [("leave", scene.row, CALM / 10), ("wake",)]


def test_a_task_is_waited_for_as_long_as_it_may_take(scene: Scene) -> None:
    """A week, in which whatever runs has ended; as often as its batch wants, or as the client does."""
    asked = list[Any]()

    async def wait(*given: Any, **how: Any) -> Any:
        asked.append((*given, how))
        raise errors.TaskCancelledError("it was cancelled", task_id=TASK)

    scene.service.wait = wait
    for interval in (None, 5.0):
        scene.row.settings = Settings(poll_interval=interval)
        told = scene.wait()
        assert (told["kind"], told["stage"]) == ("failed", "task")
    assert asked == [(TASK, {"timeout": 604_800.0, "poll_interval": each}) for each in (None, 5.0)]


def test_a_wait_that_an_account_ends_closes_it(scene: Scene) -> None:
    """Nothing more is begun on it, and the row is held."""
    broken = errors.AccountSessionError("link it again", status=596)
    scene.service.wait = answers(broken)
    told = scene.wait()
    assert (told["kind"], told["error"]) == ("held", "AccountSessionError")
    assert scene.done == [("close", broken)]


@pytest.mark.parametrize("shown_by", ["itself", "the list", "the scheduler"])
def test_a_task_that_is_there_after_all_is_waited_for_again(scene: Scene, shown_by: str) -> None:
    """Whichever shows it; that it could not be found is told, and no more once it is."""
    scene.hear()
    scene.service.wait = answers(GONE, SimpleNamespace(updated_at=None, created_at=None, options=None))
    if shown_by == "itself":
        scene.service.retrieve = answers(errors.GoneError("gone", status=410), GONE, "a task")
    elif shown_by == "the list":
        scene.service.listed = ["another", TASK]
    else:
        scene.service.tracked = [TASK, "another"]
    assert scene.wait() == {"kind": "succeeded"}
    assert scene.clock.pauses == [10.0] * (3 if shown_by == "itself" else 1)
    assert scene.told == [("waiting", "its task cannot be found: looked for over 60 s"), ("waiting", "")]


@pytest.mark.parametrize(
    ("settle", "pauses"), [(60.0, [10.0] * 6), (20.0, [5.0] * 4), (2.0, [1.0] * 2), (36.0, [9.0] * 4)]
)
def test_a_task_is_gone_once_it_was_missing_for_all_of_settle(
    tmp_path: Path, settle: float, pauses: list[float]
) -> None:
    """Looked for four times in it, or each ten seconds, but not more often than once in one."""
    scene = Scene(tmp_path, settle=settle)
    scene.service.wait = answers(GONE)
    told = scene.wait()
    assert (told["kind"], told["stage"], told["error"]) == ("failed", "task", "NotFoundError")
    assert scene.clock.pauses == pauses


@pytest.mark.parametrize(("settle", "seconds"), [(60.0, 910.0), (4.0, 901.0), (600.0, 1210.0)])
@pytest.mark.parametrize("lacks", ["a date", "an answer", "a first date"])
def test_what_cannot_be_told_of_a_task_makes_it_not_gone(
    tmp_path: Path, settle: float, seconds: float, lacks: str
) -> None:
    """A quarter of an hour, or twice --settle, without a date or an answer: the row is failed where resume looks again, not where it pays again."""
    scene = Scene(tmp_path, settle=settle)
    scene.service.wait = answers(GONE)
    if lacks == "an answer":
        scene.service.retrieve = answers(errors.ServerError("down", status=503))
    elif lacks == "a date":
        scene.service.has_date = False
    else:
        dates = iter([None])
        scene.service.now = lambda: next(dates, 1e9 + scene.clock.time)  # type: ignore[method-assign]
    told = scene.wait()
    assert (told["kind"], told["stage"]) == ("failed", "wait")
    assert scene.clock.time == 5_000 + seconds


# -- fetching ----------------------------------------------------------------------------------------------------------
def test_a_file_is_had_and_known_before_it_takes_its_name(scene: Scene) -> None:
    """Also where a process that was killed left one in its place; nobody need listen."""
    scene.place.write_bytes(b"half of it")
    assert scene.fetch() == {"kind": "fetched"}
    assert scene.place.read_bytes() == b"a film"
    assert scene.row.facts.fetched == {"bytes": 6, "sha256": hashlib.sha256(b"a film").hexdigest()}
    assert scene.done == [("save", scene.row)]


@pytest.mark.parametrize("was_begun", [False, True])
def test_what_another_process_left_is_looked_for_only_where_there_was_one(scene: Scene, was_begun: bool) -> None:
    """To look for half a file all of its folder is read, which twenty thousand new rows need not do."""
    left = results.place_of(scene.place, "another")
    left.write_bytes(b"half of it")
    if was_begun:
        scene.row.was_begun = True
    assert scene.fetch() == {"kind": "fetched"}
    assert left.exists() is not was_begun


@pytest.mark.parametrize(("shown", "stage"), [(False, "task"), (True, "download"), (None, "download")])
def test_a_result_whose_task_is_gone_says_so(scene: Scene, shown: bool | None, stage: str) -> None:
    """Gone for good it may be made anew; what is there all the same, or cannot be told, is looked for again by resume."""
    scene.service.file = answers(GONE)
    scene.service.listed = [TASK] if shown else []
    scene.service.has_date = shown is not None
    told = scene.fetch()
    assert (told["kind"], told["stage"]) == ("failed", stage)
    assert scene.clock.time - 5_000 == (60 if stage == "task" else 910)


def test_a_result_that_comes_late_is_fetched(scene: Scene) -> None:
    """Its task is in the list, and its file is there a little later: that it could not be found is told no more."""
    scene.hear()
    scene.service.file = answers(GONE, b"a film")
    scene.service.listed = [TASK]
    assert scene.fetch() == {"kind": "fetched"}
    assert scene.told[-1] == ("downloading", "")


def test_an_outage_is_waited_through_with_growing_pauses(scene: Scene) -> None:
    """For a quarter of an hour, and no longer; pauses of half a minute and more are told."""
    scene.hear()
    scene.service.file = answers(LATER)
    told = scene.fetch()
    assert (told["kind"], told["error"]) == ("failed", "APIConnectionError")
    assert scene.clock.pauses == [1, 2, 4, 8, 16, 32, *[60] * 14]
    assert scene.words == [""] * 5 + [f"no connection; again in {pause} s" for pause in (32, *[60] * 14)]


def of(error: Exception, wish: float | None) -> Exception:
    error.retry_after = wish  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("failures", "pauses"),
    [
        ([of(errors.DownloadError("host is full"), 30)], [30]),
        ([of(errors.ServerError("down", status=503), 29)], [29]),
        ([of(errors.ServerError("down", status=503), None)] * 3, [1, 2, 4]),
        ([of(errors.ServerError("down", status=503), 3_600), *[LATER] * 18], [3_600, 2, 4, 8, 16, 32, *[60] * 13]),
    ],
)
def test_a_wish_to_wait_is_heeded(scene: Scene, failures: list[Exception], pauses: list[float]) -> None:
    """However long it is, and an outage after it has its quarter of an hour all the same; one of half a minute is told."""
    scene.hear()
    scene.service.file = answers(*failures, b"a film")
    assert scene.fetch() == {"kind": "fetched"}
    assert scene.clock.pauses == pauses
    assert [bool(each) for each in scene.words] == [pause >= 30 for pause in pauses]


@pytest.mark.parametrize(
    "failure",
    [
        of(errors.DownloadError("host refuses"), None),
        of(errors.PermissionDeniedError("not allowed", status=403), 5),
        OSError(28, "no space left on the device"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(scene: Scene, failure: Exception) -> None:
    """Whatever it asks: a host that refuses, a result that is not ours, a disk that is full."""
    scene.service.file = answers(failure)
    told = scene.fetch()
    assert (told["kind"], told["error"]) == ("failed", type(failure).__name__)
    assert scene.clock.pauses == []


# -- publishing --------------------------------------------------------------------------------------------------------
def publish(scene: Scene) -> dict[str, Any]:
    scene.fetch()
    return asyncio.run(scene.endings.publish(scene.row))


def test_a_strangers_file_is_left_where_it_is(scene: Scene) -> None:
    """The row is failed with what to do about it."""
    path = Path(scene.row.job.output)
    path.write_bytes(b"another")
    told = publish(scene)
    assert (told["kind"], told["why"]) == ("failed", f"{path} exists, and is not this row's: move it away, then resume")
    assert path.read_bytes() == b"another"


def test_a_file_that_cannot_take_its_name_fails_its_row(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the system says, and the others go on."""

    def full(*_: Any) -> None:
        raise OSError(28, "no space left on the device")

    monkeypatch.setattr(results, "publish", full)
    told = publish(scene)
    assert (told["kind"], told["error"]) == ("failed", "OSError")
    assert "no space left" in told["why"]


def test_a_file_that_took_its_name_is_known_by_its_size(scene: Scene) -> None:
    """What it was known by before is needed no more."""
    assert publish(scene) == {"kind": "saved"}
    assert (scene.row.facts.bytes, scene.row.facts.fetched) == (6, None)
    assert Path(scene.row.job.output).read_bytes() == b"a film"
