"""The process that works on a batch: how it begins, beats, looks on and ends, whatever the rows do, which here is nothing."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import ProgrammingError

from useapi_runwayml import errors
from useapi_runwayml.batch import leftovers, runner
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.clock import BatchClock
from useapi_runwayml.batch.engine import Engine
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.ledger import Ledger, Lost, Settings
from useapi_runwayml.batch.store import StoreFailed
from useapi_runwayml.batch.telling import Stopped

from .refusing import UNREACHED as GONE

WORKER, MAKER = "worker-1", "maker@example.com"
ASSET = f"user:4242-runwayml:{MAKER}-asset:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
WRONG = ProgrammingError("select", {}, Exception("no such table"))
NO_LINES: Any = None
POLL_SECONDS = runner.POLL_SECONDS


class Stop(Exception):
    """Whoever looks on wants no more."""


class Scene:
    """A journal, a service and a DBOS that do nothing, and what is asked of them, in its order."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.told: list[Any] = []
        self.is_shared = False
        self.is_open: Callable[[], bool] = lambda: False
        self.during: Callable[[], Any] = lambda: None
        self.look_gives: Callable[[], Any] = lambda: None
        self.tell_gives: Callable[[], bool] = lambda: True
        self.pending: list[list[str]] = [[]]
        self.known: Any = None
        self.answer = httpx.Response(200)
        self.engine: Any = None
        self.http: Any = None
        self.facts: list[Facts] = []
        self.clips: set[str] = set()
        self.delete: Any = self._noting("delete")
        self.batch: str | None = "b"
        self.transactions = SimpleNamespace(
            on_outage=None, do=self._do, now=lambda work: work(self), through=self._through
        )
        self.notices = SimpleNamespace(worker="", tell=self._tell)
        self.client = SimpleNamespace(
            resume_workflows=lambda ids, queue_name: self.asked.append(("resume", ids, queue_name))
        )
        self.journal: Any = SimpleNamespace(
            transactions=self.transactions,
            notices=self.notices,
            client=self.client,
            engine="the engine",
            failure=None,
            root=Path(),
            batch="b",
            place=SimpleNamespace(presence=self._presence),
            config=lambda worker: ("config", worker),
            has_open=lambda connection: self.asked.append("open?") or self.is_open(),
            queue_of=lambda email, batch: f"{batch} of {email}",
            admit=lambda settings: ["the queue"],
            queues=lambda: ["the queue"],
            facts=lambda: self.facts,
            open_clips=lambda: self.clips,
        )

    async def _do(self, work: Any) -> Any:
        return work(self)

    async def _through(self, call: Any) -> Any:
        return call()

    def scalar(self, question: Any) -> Any:
        self.asked.append("learn")
        return self.known

    def execute(self, change: Any) -> None:
        self.asked.append(str(change).split()[0].lower())

    def _tell(self, about: str, told: str) -> bool:
        self.asked.append(("notice", about, told))
        return self.tell_gives()

    def _presence(self, engine: str) -> Any:
        assert engine == "the engine"

        def noting(name: str) -> Any:
            return lambda: self.asked.append(name)

        def look() -> None:
            self.asked.append("look")
            self.look_gives()

        known = {"worker": WORKER, "is_shared": self.is_shared}
        return SimpleNamespace(begin=noting("begin"), end=noting("end"), is_sure=noting("sure?"), look=look, **known)

    def _noting(self, name: str) -> Any:
        async def note(*given: Any) -> None:
            self.asked.append((name, *given))

        return note

    async def _list(self) -> None:
        self.asked.append("list")
        await self.http.get("https://a.test/v1/runwayml/scheduler", headers={"authorization": "x"})

    def runway(self, http_client: httpx.AsyncClient, **how: Any) -> Any:
        self.http = http_client
        self.asked.append(("client", how["callbacks"], how["timeout"]))
        return SimpleNamespace(
            _use_clock=lambda clock: self.asked.append(("clock", clock)),
            scheduler=SimpleNamespace(list=self._list),
            assets=SimpleNamespace(delete=lambda asset_id: self.delete(asset_id)),
        )

    def lines(self, **how: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(lambda request: self.answer), **how)

    def work(self, **more: Any) -> runner.Work:
        self.clock = BatchClock(2)
        return runner.Work(self.journal, self.clock, self._event, self.lines, client=self.runway, **more)

    def _event(self, job: Any, state: str, why: str) -> None:
        self.told.append((job, state, why))

    def run(self, **more: Any) -> None:
        async def main() -> None:
            async with asyncio.timeout(5):
                await self.work(**more).run()

        asyncio.run(main())

    def without(self, *names: str) -> list[Any]:
        """What was asked beside that."""
        return [each for each in self.asked if (each[0] if isinstance(each, tuple) else each) not in names]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene()

    class Dbos:
        def __init__(self, config: Any) -> None:
            made.asked.append(config)

        @staticmethod
        def listen_queues(queues: Any) -> None:
            made.asked.append(("listen", *queues))

        @staticmethod
        def launch() -> None:
            made.asked.append("launch")
            made.during()

        @staticmethod
        def destroy() -> None:
            made.asked.append("destroy")

    class Seen(Engine):
        def __init__(self, steps: Any) -> None:
            super().__init__(steps)
            made.engine = self

    def take_over(journal: Any, worker: str, *, again: bool = False) -> None:
        assert journal is made.journal
        made.asked.append(("take over", worker, again))

    def pending_of(journal: Any, workers: list[str]) -> list[str]:
        assert workers == [WORKER]
        return made.pending.pop(0) if len(made.pending) > 1 else made.pending[0]

    monkeypatch.setattr(runner, "DBOS", Dbos)
    monkeypatch.setattr(runner, "Engine", Seen)
    monkeypatch.setattr(runner, "take_over", take_over)
    monkeypatch.setattr(runner, "pending_of", pending_of)
    monkeypatch.setattr(runner, "bring_back", lambda journal, ids: made.asked.append(("bring back", *sorted(ids))))
    monkeypatch.setattr(runner, "POLL_SECONDS", 0.001)
    yield made
    assert runner._running == []
    left = [each.name for each in threading.enumerate() if each.name.startswith("useapi-runwayml-presence")]
    assert left == []


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it was waited, which takes no time here."""
    found, sleep = list[float](), asyncio.sleep

    async def nap(seconds: float) -> None:
        found.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", nap)
    return found


# -- the run -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("queues", [["one", "two"], [], None])
def test_a_worker_is_known_before_it_works_and_until_its_end(scene: Scene, queues: list[str] | None) -> None:
    """It reads what others found out, and the service's date, takes the rows of its queues, and is gone when none is open."""
    scene.known = ASSET
    scene.run(queues=queues)
    listened = [] if queues is None else [("listen", *queues)]
    assert scene.without("look", "take over", "notice") == [
        ("client", None, 120),
        ("clock", scene.clock),
        "begin",
        "learn",
        "list",
        ("config", WORKER),
        *listened,
        "launch",
        "open?",
        "end",
    ]
    assert scene.notices.worker == WORKER
    assert scene.engine.steps.account(None).name == MAKER
    assert scene.engine.steps.ledger.worker == WORKER


def test_a_service_that_cannot_be_read_at_first_keeps_nobody_from_work(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its date comes with a later answer."""

    async def refuse() -> None:
        raise errors.ServerError("down", status=503)

    monkeypatch.setattr(scene, "_list", refuse)
    scene.run()
    assert "launch" in scene.asked


def test_what_the_service_asks_is_told_and_its_date_known(scene: Scene) -> None:
    """By every answer."""
    date = "Fri, 02 Jan 2026 03:00:00 GMT"
    scene.answer = httpx.Response(503, headers={"retry-after": "3600", "date": date})
    scene.run()
    assert (None, "GET /v1/runwayml/scheduler", "503, and it asks to wait 1 h 0 min") in scene.told
    assert scene.engine.steps._service.now() == pytest.approx(1_767_322_800, abs=60)


def test_a_service_that_is_silent_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """While rows wait for it, half a minute after it was asked."""
    now = [5_000.0]

    async def ask() -> None:
        for hook in scene.http.event_hooks["request"]:
            await hook(httpx.Request("GET", "https://a.test/v1/runwayml/tasks"))

    def is_open() -> bool:
        now[0] += 20
        return now[0] < 5_100

    monkeypatch.setattr(BatchClock, "monotonic", lambda self: now[0])
    scene.during, scene.is_open = lambda: asyncio.ensure_future(ask()), is_open
    scene.run()
    assert (None, "the service", "no answer, or no connection; it is asked again and again") in scene.told


@pytest.mark.parametrize("is_shared", [True, False])
def test_a_worker_that_shares_its_database_makes_sure_of_its_lock(scene: Scene, is_shared: bool) -> None:
    """Before each create; one that is alone has none."""
    scene.is_shared = is_shared
    scene.during = lambda: asyncio.ensure_future(scene.engine.steps.posting.is_sure())
    scene.run()
    assert ("sure?" in scene.asked) == is_shared


def test_its_lines_are_held_to_their_time(scene: Scene) -> None:
    """And keep no cookies."""
    scene.answer = httpx.Response(200, headers={"set-cookie": "a=b; Path=/"})
    scene.run()
    assert len(scene.http.cookies) == 0


def test_a_row_that_is_given_back_comes_into_its_queue(scene: Scene) -> None:
    """That of its account and batch."""
    row = SimpleNamespace(id="row-1", batch="b", job=SimpleNamespace(email=MAKER))
    scene.during = lambda: asyncio.ensure_future(scene.engine.give_back(row))
    scene.run()
    assert ("resume", ["row-1"], f"b of {MAKER}") in scene.asked


@pytest.mark.parametrize("failure", [None, OSError(5, "the terminal is gone")])
def test_an_outage_is_told(scene: Scene, monkeypatch: pytest.MonkeyPatch, failure: Exception | None) -> None:
    """To who looks on, and whatever comes of that; nothing can be written of it meanwhile."""
    heard = list[Any]()

    def event(*given: Any) -> None:
        heard.append(given)
        if failure is not None:
            raise failure

    def away() -> None:
        monkeypatch.setattr(scene, "tell_gives", lambda: False)
        scene.transactions.on_outage("it is away")

    monkeypatch.setattr(scene, "_event", event)
    scene.during = away
    scene.run()
    assert heard[-1] == (None, "the database", "it is away")


def test_a_row_is_the_newest_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends meanwhile takes none."""

    def engine(name: str) -> Any:
        async def process(*given: Any) -> Any:
            return name, *given

        return SimpleNamespace(process=process)

    monkeypatch.setattr(runner, "_running", [engine("an older one"), engine("the newest")])
    told = asyncio.run(inspect.unwrap(runner._row)({"id": "row-1-1", "row": 1, "account": "a"}))
    assert told == ("the newest", "row-1-1", 1, "a")


# -- what is told ------------------------------------------------------------------------------------------------------
ROW = SimpleNamespace(id="row-1-1", job="its job")


@pytest.mark.parametrize(
    ("given", "noted", "is_new", "told"),
    [
        ((None, "the service", "no answer"), ("the service", "no answer"), True, (None, "the service", "no answer")),
        ((None, "the service", "no answer"), ("the service", "no answer"), False, None),
        ((ROW, "waiting", "2 h"), ("row-1-1", "2 h"), True, ("its job", "waiting", "2 h")),
        ((ROW, "waiting", "2 h"), ("row-1-1", "2 h"), False, ("its job", "waiting", "2 h")),
        ((ROW, "failed", "why"), ("row-1-1", ""), False, ("its job", "failed", "why")),
    ],
)
def test_what_is_waited_for_is_written_and_what_is_new_is_told(
    scene: Scene, given: Any, noted: Any, is_new: bool, told: Any
) -> None:
    """Of rows all; of a row that is over nothing is waited for."""
    scene.tell_gives = lambda: is_new
    scene.during = lambda: scene.engine.tell(*given)
    scene.run()
    assert [each for each in scene.asked if each[0] == "notice"][-1] == ("notice", *noted)
    assert [each for each in scene.told if each[1] == given[1] and each[2]] == ([told] if told else [])


@pytest.mark.parametrize("row", [None, ROW])
def test_what_cannot_be_written_is_told_of_rows(scene: Scene, row: Any) -> None:
    """Of the service and of accounts nobody knows whether it is new."""

    def fail() -> bool:
        raise StoreFailed(5, "it is full")

    def tell() -> None:
        scene.tell_gives = fail
        with pytest.raises(StoreFailed):
            scene.engine.on_event(row, "waiting", "why")
        scene.tell_gives = lambda: False

    scene.during = tell
    scene.run()
    assert [each for each in scene.told if each[1] == "waiting"] == (
        [] if row is None else [("its job", "waiting", "why")]
    )


# -- as long as it goes on ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("is_endless", "is_busy", "is_shared", "asks"),
    [
        (True, False, True, False),
        (False, True, False, False),
        (False, True, True, True),
        (False, False, False, True),
    ],
)
def test_the_store_is_asked_only_where_nobody_knows(
    scene: Scene, naps: list[float], is_endless: bool, is_busy: bool, is_shared: bool, asks: bool
) -> None:
    """A worker without an end, and one that is alone with rows, need not ask whether any is open; it looks a few times in a second."""
    scene.is_shared, scene.is_open = is_shared, lambda: True
    looks = [0]

    def go_on() -> None:
        scene.engine.present["row-1"] = int(is_busy)
        looks[0] += 1
        if looks[0] == 4:
            raise Stop

    with pytest.raises(Stop):
        scene.run(is_endless=is_endless, go_on=go_on)
    # whether there are rows is known from the first look on
    assert scene.asked.count("open?") == (4 if asks else int(not is_endless))
    assert naps.count(runner.POLL_SECONDS) == 3
    assert 0.1 < POLL_SECONDS < 1


def test_it_beats_and_takes_up_what_nobody_works_on(
    scene: Scene, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The dead's rows each time; each fifth time also what they left before, and its own rows that it twice knows nothing of."""

    class Calls:
        def __init__(self, transactions: Any, receiver: Any, waited_for: Any) -> None:
            assert (transactions, receiver) == (scene.transactions, "a receiver")

        def look(self) -> None:
            scene.asked.append("calls")

    monkeypatch.setattr(runner, "Calls", Calls)
    scene.pending = [["here", "stray"], ["here", "stray", "late"], ["late"], []]
    scene.during = lambda: scene.engine.present.update(["here"])
    scene.is_shared = True
    scene.is_open = lambda: sum(each[0] == "bring back" for each in scene.asked) < 4
    scene.run(callbacks="a receiver")
    beat = ["look", ("take over", WORKER, False), "calls"]
    seldom = [*beat * 5, ("take over", WORKER, True)]
    expected = [
        *seldom,
        ("bring back",),
        *seldom,
        ("bring back", "stray"),
        *seldom,
        ("bring back", "late"),
        *seldom,
        ("bring back",),
    ]
    found = [each for each in scene.asked if each in ("look", "calls") or each[0] in ("take over", "bring back")]
    assert found[: len(expected)] == expected
    assert set(naps) == {runner.BEAT, runner.POLL_SECONDS}


def test_who_is_alone_beats_seldom(scene: Scene, naps: list[float]) -> None:
    """Nobody waits for its beat."""
    scene.is_open = lambda: scene.asked.count("look") < 3
    scene.run()
    assert set(naps) == {5 * runner.BEAT, runner.POLL_SECONDS}


@pytest.mark.parametrize("error", [GONE, WRONG])
def test_it_beats_on_through_an_outage(scene: Scene, naps: list[float], error: Exception) -> None:
    """What is none ends the run."""
    answers = iter([error])

    def look() -> None:
        if (found := next(answers, None)) is not None:
            raise found

    scene.look_gives = look
    scene.is_open = lambda: scene.asked.count("look") < 3
    if error is GONE:
        scene.run()
        assert scene.asked.count("look") >= 3
        return
    with pytest.raises(ProgrammingError):
        scene.run()
    assert scene.asked.count("look") == 1


# -- the end -----------------------------------------------------------------------------------------------------------
def test_rows_that_are_over_are_recorded_before_it_ends(scene: Scene) -> None:
    """DBOS still writes that they are."""

    async def record() -> None:
        await asyncio.sleep(0.02)
        scene.asked.append("recorded")

    scene.during = lambda: asyncio.ensure_future(record())
    scene.run()
    assert scene.asked[-2:] == ["recorded", "end"]


@pytest.mark.parametrize("failure", [None, Lost("row-1"), OSError(5, "full"), GONE])
def test_an_interruption_leaves_rows_for_the_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, failure: Exception | None
) -> None:
    """No row is taken any more, those that run are stopped, and creates that never left are taken back, if that can be; then it is gone."""
    scene.is_open = lambda: True

    async def row() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            scene.asked.append(("stopped", scene.engine.is_over))

    def drop_in(self: Ledger, connection: Any, row: Any) -> None:
        assert connection is scene
        scene.asked.append(("drop", row))
        if failure is not None:
            raise failure

    def go_on() -> None:
        if "launch" in scene.asked and "open?" in scene.asked:
            raise Stop

    monkeypatch.setattr(Ledger, "drop_in", drop_in)
    monkeypatch.setattr(runner.Steps, "never_sent", lambda self: ["row 1", "row 2"])
    scene.during = lambda: asyncio.ensure_future(row())
    with pytest.raises(Stop):
        scene.run(go_on=go_on)
    assert scene.without("look", "take over", "notice")[-4:] == [
        ("stopped", True),
        ("drop", "row 1"),
        ("drop", "row 2"),
        "end",
    ]


def test_a_defect_of_ours_ends_the_run(scene: Scene) -> None:
    """A row without an end would never let the batch end."""
    scene.is_open = lambda: len(scene.asked) < 500
    scene.during = lambda: setattr(scene.engine, "defect", ZeroDivisionError("ours"))
    with pytest.raises(ZeroDivisionError, match="ours"):
        scene.run()
    assert scene.asked[-1] == "end"


@pytest.mark.parametrize(("is_endless", "is_shared"), [(False, False), (False, True), (True, False)])
def test_a_store_that_takes_no_more_ends_the_run(scene: Scene, is_endless: bool, is_shared: bool) -> None:
    """Whoever met it: rows that only wait for those that it stopped, and a worker without an end, ask the store nothing that would tell."""
    scene.is_shared, scene.is_open = is_shared, lambda: True
    looks = [0]

    def go_on() -> None:
        scene.engine.present["row-1"] = 1
        looks[0] += 1
        if looks[0] == 2:
            scene.journal.failure = StoreFailed(5, "the journal cannot be used: disk I/O error; is the disk full?", "j")
        if looks[0] == 9:
            raise Stop

    with pytest.raises(StoreFailed, match="is the disk full"):
        scene.run(is_endless=is_endless, go_on=go_on)
    assert scene.asked[-1] == "end"


def test_a_store_that_cannot_be_left_keeps_nobody_from_the_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others find out that this worker is gone."""
    presence = scene._presence

    def broken(engine: Any) -> Any:
        found = presence(engine)

        def end() -> None:
            raise GONE

        found.end = end
        return found

    scene.journal.place.presence = broken
    scene.run()
    assert "launch" in scene.asked


# -- deleting uploads --------------------------------------------------------------------------------------------------
def ended(row: int, state: str = "done", video: str = "c.mp4", **more: Any) -> Facts:
    job = {name: more.pop(name) for name in ("image", "email", "sha256", "image_sha256") if name in more}
    return Facts(Job(row, row + 1, video, "x", f"{row}.mp4", **job), state, **{"asset_id": "one", **more})


@pytest.mark.parametrize(
    ("rows", "clips", "deleted"),
    [
        ([ended(1), ended(2)], set(), ["one"]),
        ([ended(1), ended(2, asset_id="two", video="d.mp4")], set(), ["one", "two"]),
        ([ended(1), ended(2, "failed")], set(), []),
        ([ended(1), ended(2, "failed", asset_id=None)], set(), ["one"]),
        ([ended(1), ended(2, "failed", asset_id="two", video="d.mp4")], set(), ["one"]),
        ([ended(1), ended(2, "failed", asset_id="two", email=MAKER)], set(), ["one"]),
        ([ended(1, video="one")], set(), []),
        ([ended(1, asset_id=None)], set(), []),
        ([ended(1, image="i.png", image_id="two")], set(), ["one", "two"]),
        ([ended(1, image="two", image_id="two")], set(), ["one"]),
        ([ended(1, image="i.png", image_id="two"), ended(2, "held", image="i.png", image_id="two")], set(), []),
        ([ended(1, sha256="1a")], {"1a"}, []),
        ([ended(1, sha256="1a")], {"2b"}, ["one"]),
        ([ended(1, sha256="1a", image="i.png", image_id="two", image_sha256="2b")], {"2b"}, []),
        ([], set(), []),
    ],
)
def test_what_no_row_needs_any_more_is_deleted(
    scene: Scene, rows: list[Facts], clips: set[str], deleted: list[str]
) -> None:
    """Once all rows of a file are done, here and in all other batches of the store; never what a row was given."""
    scene.clips = clips
    asyncio.run(leftovers.delete_assets(scene.runway(NO_LINES, callbacks=None, timeout=1), scene.journal, rows))
    assert scene.asked[1:] == [each for one in deleted for each in (("delete", one), "delete")], "and forgotten"


def test_what_cannot_be_deleted_is_left(scene: Scene) -> None:
    """It is known still, and the others are deleted."""
    deleted = list[str]()

    async def delete(asset_id: str) -> None:
        deleted.append(asset_id)
        if asset_id == "one":
            raise errors.ServerError("down", status=503)

    scene.delete = delete
    rows = [ended(1), ended(2, asset_id="two", video="d.mp4")]
    asyncio.run(leftovers.delete_assets(scene.runway(NO_LINES, callbacks=None, timeout=1), scene.journal, rows))
    assert deleted == ["one", "two"]
    assert scene.asked[1:] == ["delete"], "what is not there is forgotten"


def test_whoever_wants_no_more_ends_a_delete(scene: Scene) -> None:
    """It is interrupted, and the rows are given all the same: there is nothing else left to do."""
    begun, ended_so = list[str](), list[str]()

    async def delete(asset_id: str) -> None:
        begun.append(asset_id)
        try:
            await asyncio.sleep(60)
        finally:
            ended_so.append(asset_id)

    def go_on() -> None:
        if begun:
            raise Stopped

    scene.delete, scene.facts = delete, [ended(1), ended(2, asset_id="two", video="d.mp4")]
    lines = {"http_client": scene.lines, "client": scene.runway}
    assert runner.run(scene.journal, Settings(delete_assets=True), go_on=go_on, **lines) == scene.facts
    assert begun == ended_so == ["one"]


@pytest.mark.parametrize("deletes", [True, False])
def test_a_batch_deletes_its_uploads_where_it_was_told_to(scene: Scene, deletes: bool) -> None:
    """Once none of its rows is open; what became of them is given."""
    scene.facts = [ended(1)]
    found = runner.run(scene.journal, Settings(delete_assets=deletes), http_client=scene.lines, client=scene.runway)
    assert found == scene.facts
    assert (("delete", "one") in scene.asked) == deletes
    assert ("listen", "the queue") in scene.asked
    assert scene.asked[-1] == "destroy"


@pytest.mark.parametrize(("batch", "listens"), [("b", True), (None, False)])
@pytest.mark.parametrize("until_done", [True, False])
def test_a_worker_takes_a_batch_or_all_until_nothing_is_open_or_for_ever(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, batch: str | None, listens: bool, until_done: bool
) -> None:
    """As it was told."""
    scene.journal.batch = batch
    looks = [0]

    def go_on() -> None:
        looks[0] += 1
        if looks[0] == 3:
            raise Stop

    begun = runner.Work

    def work(*given: Any, **more: Any) -> runner.Work:
        return begun(*given, client=scene.runway, **more)

    monkeypatch.setattr(runner, "Work", work)
    if until_done:
        runner.work(scene.journal, until_done=True, http_client=scene.lines, go_on=go_on)
    else:
        with pytest.raises(Stop):
            runner.work(scene.journal, http_client=scene.lines, go_on=go_on)
    assert (("listen", "the queue") in scene.asked) == listens
    assert scene.asked[-1] == "destroy"
