"""An interrupted batch ends, sends nothing more, and loses nothing: also where the word of it is lost, or nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, insert, select, update

from useapi_runwayml import APIStatusError, ParameterError, errors
from useapi_runwayml._io.clock import SystemClock
from useapi_runwayml.batch import BatchError, accounts, runner
from useapi_runwayml.batch import engine as engines
from useapi_runwayml.batch.accounts import Account
from useapi_runwayml.batch.changes import to_resume, to_retry
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.clock import BatchClock, ServiceClock, awake
from useapi_runwayml.batch.engine import Engine
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.identity import AtService, adopted, anew, known_to_service, with_keys
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.ledger import Ledger, Row, Settings
from useapi_runwayml.batch.posting import Posting
from useapi_runwayml.batch.presence import Locked
from useapi_runwayml.batch.steps import Steps
from useapi_runwayml.batch.tables import (
    ACCOUNTS,
    DOUBTFUL,
    INHERITED,
    LIVING,
    NOTICES,
    OVER,
    SLOTS,
    UPLOADS,
    WORKERS,
)
from useapi_runwayml.batch.telling import Stopped
from useapi_runwayml.batch.uploads import Uploads
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import TOKEN, soon
from .pausing import answers
from .test_batch_class import Place, place, states

__all__ = ["place"]
ACCOUNT = "maker@example.com"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path)
    made.prepare()
    yield made
    made.close()


def test_no_create_leaves_after_an_interruption_that_was_lost() -> None:
    """A library may swallow it on the way to the service: the last look before the POST finds it."""
    posting = Posting()
    request = httpx.Request("POST", "http://h/create")

    async def row() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        with posting.of("r"):
            await posting(request)

    async def main() -> None:
        task = asyncio.create_task(row())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())
    assert not posting.was_sent("r")


def test_only_the_post_of_a_create_is_looked_at() -> None:
    """What else is sent meanwhile, or by the same task before and after, needs no lock and was no create; one that is over is forgotten."""
    asked, posting = [0], Posting()

    async def is_sure() -> bool:
        asked[0] += 1
        return True

    async def main() -> None:
        upload, read = (httpx.Request(method, "http://h/x") for method in ("POST", "GET"))
        await posting(upload)
        with posting.of("r"):
            await posting(read)
            assert (asked, posting.was_sent("r")) == ([0], False)
            await posting(httpx.Request("POST", "http://h/create"))
        assert (asked, posting.was_sent("r")) == ([1], True)
        posting.forget("r")
        await posting(upload)
        assert (asked, posting.was_sent("r")) == ([1], False)

    posting.is_sure = is_sure
    asyncio.run(main())


def test_a_create_that_was_refused_and_then_let_go_was_not_refused() -> None:
    """What became of it then is the service's doing; and a refusal is told once."""
    posting = Posting()

    async def send() -> None:
        with posting.of("r"):
            await posting(httpx.Request("POST", "http://h/create"))

    async def main() -> None:
        for is_sure, refused in ((False, True), (True, False)):
            posting.is_sure = answers(False, is_sure)
            for _ in range(2):
                with contextlib.suppress(httpx.ConnectError):
                    await send()
            assert posting.take_refused("r") == refused
            assert not posting.take_refused("r")

    asyncio.run(main())


def test_what_loses_its_interruption_is_interrupted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end waits for nobody for ever, and interrupts nobody twice who is on the way."""
    monkeypatch.setattr(runner, "GRACE", 1.0)
    heard = list[str]()

    async def deaf() -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                heard.append("deaf")

    async def recording() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append("recording")
            await asyncio.sleep(0.05)
            heard.append("recorded")
            raise

    async def main() -> None:
        tasks = [asyncio.create_task(each()) for each in (deaf, recording)]
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await runner._stop_all()
        assert all(each.done() for each in tasks)

    asyncio.run(main())
    assert sorted(heard) == ["deaf", "deaf", "recorded", "recording"]


def test_whoever_wants_no_more_is_heard_while_the_database_is_not_there() -> None:
    """What is asked of it goes on for as long as it is away: a stop ends that."""
    looks = [0]

    def check() -> None:
        looks[0] += 1
        if looks[0] == 2:
            raise Stopped

    async def main() -> None:
        async with asyncio.timeout(10):
            assert await runner._meanwhile(asyncio.sleep(0, "an answer"), check) == "an answer"
            assert looks == [0]
            with pytest.raises(Stopped):
                await runner._meanwhile(asyncio.sleep(60), check)

    asyncio.run(main())


def test_an_upload_that_is_interrupted_asks_the_store_for_nothing(journal: Journal) -> None:
    """The store may be away as well: who looks for the clip later sees that this worker is gone."""

    async def main() -> None:
        uploads, begun = Uploads(journal.transactions, "w"), asyncio.Event()

        async def upload() -> str:
            begun.set()
            await asyncio.sleep(60)
            return ""

        task = asyncio.create_task(uploads.get("digest", ACCOUNT, upload))
        await begun.wait()
        uploads._do = None  # type: ignore[assignment]
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("failure", "tries"), [(APIStatusError("503", status=503), 1), (FileNotFoundError(2, "gone"), 3)]
)
def test_rows_of_one_clip_share_its_failure(journal: Journal, failure: Exception, tries: int) -> None:
    """Who waited through all of another's upload is told what that one was told; who comes in its midst, or later, tries anew. A file that is
    gone is one row's alone."""
    tried = list[str]()

    async def main() -> None:
        uploads, go_on = Uploads(journal.transactions, "w"), asyncio.Event()

        async def upload() -> str:
            tried.append("again")
            await go_on.wait()
            raise failure

        rows = [asyncio.create_task(uploads.get("digest", ACCOUNT, upload)) for _ in range(3)]
        await soon(lambda: bool(tried))
        amid = asyncio.create_task(uploads.get("digest", ACCOUNT, upload))
        await asyncio.sleep(0)
        go_on.set()
        assert await asyncio.gather(*rows, amid, return_exceptions=True) == [failure] * 4
        assert len(tried) == tries + 1
        with pytest.raises(type(failure)):
            await uploads.get("digest", ACCOUNT, upload)
        assert len(tried) == tries + 2

    asyncio.run(main())


def test_a_task_that_is_there_is_fetched_whatever_ended_its_row() -> None:
    """Also when its clip, which nobody needed any more, could not be uploaded again, as an older version did: it is never made anew."""
    facts = Facts(Job(1, 2, "c.mp4", "x", "1.mp4"), task_id="t")
    facts.end({"state": "failed", "stage": "upload", "why": "it is not the file any more"})
    assert [job.task_id for job in to_resume([facts])] == ["t"]
    assert [job.task_id for job in to_retry([facts])] == ["t"]
    facts.task_id = None
    assert to_resume([facts]) == []
    assert [job.task_id for job in to_retry([facts])] == [None]


@pytest.mark.slow
def test_a_clip_that_is_gone_is_not_missed_once_there_is_a_task(place: Place) -> None:
    """Interrupted after the create; the clip was moved, and the service has forgotten it: the task is waited for, and its file fetched."""

    def until_paid(told: Any) -> None:
        if told.state == "waiting":
            raise KeyboardInterrupt

    batch = place.batch(place.jobs("one"))
    with pytest.raises(KeyboardInterrupt):
        batch.run(batch.plan(), on_progress=until_paid)
    (place.folder / "c.mp4").unlink()
    with contextlib.closing(Journal(place.folder / "p")) as journal:
        journal.transactions.now(lambda connection: connection.execute(delete(UPLOADS)))
    assert states(batch.run(batch.plan(add=False))) == ["done"]
    assert place.paid() == {"one": 1}


def test_a_row_that_another_has_by_now_gets_no_slot_here(journal: Journal) -> None:
    """A worker in doubt comes back for one: its row is the other's, who would never know of a slot that is taken for it."""
    journal.add([Job(1, 2, "c.mp4", "x", "1.mp4")], Settings(max_jobs=1))
    workflow = journal.workflow(Job(1, 2, "c.mp4", "x", "1.mp4"))
    ledger, other = (Ledger(journal.transactions, worker, journal.root) for worker in "wx")

    class Late(Engine):
        async def _process(self, row: Any) -> dict[str, Any]:
            doubt = insert(WORKERS).values(id="w", life=DOUBTFUL)
            journal.transactions.now(lambda connection: connection.execute(doubt))
            assert await other.take(workflow)
            await self.steps.account(ACCOUNT).take(row)
            return {"state": "done"}

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await Late(Steps(None, BatchClock(), None, ledger, journal.transactions)).process(workflow, 1, ACCOUNT)  # type: ignore[arg-type]

    asyncio.run(main())
    holders = select(SLOTS.c.holder).where(SLOTS.c.holder.is_not(None))
    assert journal.transactions.now(lambda connection: connection.execute(holders).all()) == []


def test_a_row_that_another_has_holds_nobody_up(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be stopped there for hours, and has its slot there: those after it are begun here. Once it is this worker's it is before them again."""
    jobs = {number: Job(number, number + 1, "c.mp4", "x", f"{number}.mp4") for number in (1, 2, 3)}
    journal.add([*jobs.values()], Settings(max_jobs=1))
    ledger, other = (Ledger(journal.transactions, worker, journal.root) for worker in "wx")
    uploading, begun = list[int](), list[int]()

    def told(statement: Any) -> None:
        journal.transactions.now(lambda connection: connection.execute(statement))

    async def main() -> None:
        uploaded = asyncio.Event()

        class Quick(Engine):
            async def _process(self, row: Any) -> dict[str, Any]:
                uploading.append(row.job.row)
                if row.job.row == 1:
                    await uploaded.wait()
                await self.steps.account(ACCOUNT).take(row)
                begun.append(row.job.row)
                return {"state": "done"}

        engine = Quick(Steps(None, BatchClock(), None, ledger, journal.transactions))  # type: ignore[arg-type]

        def begin(number: int) -> asyncio.Task[Any]:
            return asyncio.create_task(engine.process(journal.workflow(jobs[number]), number, ACCOUNT))

        told(insert(WORKERS).values(id="x"))
        assert await other.take(journal.workflow(jobs[1]))
        first, third = begin(1), begin(3)
        await asyncio.wait_for(third, 5)
        told(update(WORKERS).values(life=OVER))
        await soon(lambda: 1 in uploading)
        second = begin(2)
        await soon(lambda: 2 in uploading)
        await asyncio.sleep(0.05)
        assert begun == [3]
        uploaded.set()
        await asyncio.gather(first, second)
        assert begun == [3, 1, 2]

    for module in (accounts, engines):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    asyncio.run(main())


@pytest.mark.slow
def test_a_run_is_stopped_from_another_thread(place: Place) -> None:
    """Ctrl-C does not come to a thread beside an event loop: `stop` ends it, nothing more is paid, and the next plan goes on."""
    batch = place.batch(place.jobs(*"abcdefghijkl"), max_jobs=1)
    batch.stop()  # there is none, and the next one begins
    waiting = threading.Event()

    async def main() -> None:
        def heard(told: Any) -> None:
            if told.state == "waiting":
                waiting.set()

        running = asyncio.create_task(asyncio.to_thread(batch.run, batch.plan(), on_progress=heard))
        await asyncio.to_thread(waiting.wait, 20)
        with pytest.raises(BatchError):
            await asyncio.to_thread(batch.run, plan)  # a second one, which is refused, takes nothing from the first
        batch.stop()
        with pytest.raises(BatchError, match="the run was stopped") as caught:
            await running
        assert caught.value.maybe_sent

    plan = batch.plan()
    asyncio.run(main())
    assert 1 <= sum(place.paid().values()) < 12
    assert states(batch.run(batch.plan())) == ["done"] * 12
    assert set(place.paid().values()) == {1}


@pytest.mark.slow
def test_a_batch_that_is_whole_is_not_said_to_be_stopped(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop that comes while its uploads are deleted leaves what is left of that, and the rows are given."""
    batch = place.batch(place.jobs("one"), delete_assets=True)
    delete = runner.delete_assets

    async def stopped(*given: Any) -> None:
        batch.stop()
        await delete(*given)

    monkeypatch.setattr(runner, "delete_assets", stopped)
    place.sim.faults.add("latency", "deleteAsset", seconds=30.0)
    begun = time.monotonic()
    assert states(batch.run(batch.plan())) == ["done"]
    assert time.monotonic() - begun < 25


def test_a_worker_can_be_stopped(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its on-looker raised, Ctrl-C where the system ignores it among that, ends it though it works for ever."""

    def go_on() -> None:
        raise Stopped

    monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
    with pytest.raises(Stopped):
        runner.work(journal, go_on=go_on, http_client=lambda **more: httpx.AsyncClient(transport=Nowhere(), **more))


class Nowhere(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[])


def test_what_another_process_was_asked_to_wait_is_no_secret(journal: Journal) -> None:
    """Rows that come to no slot for hours say why, where `status` finds it, and no more once they do."""
    told = list[tuple[str, float]]()

    async def main() -> None:
        account = Account(ACCOUNT, journal.transactions, on_wait=lambda *given: told.append(given))
        row = Row("b:row-1-1", "b", Facts(Job(1, 2, "c.mp4", "x", "1.mp4")), Settings(max_jobs=3))
        await account._know(3)
        await account.lower(7200)
        waiting = asyncio.create_task(account.take(row))
        await soon(lambda: bool(told))
        journal.transactions.now(lambda connection: connection.execute(update(ACCOUNTS).values(busy_until=0)))
        await account.wake()
        await waiting

    asyncio.run(main())
    assert 7000 < told[0][1] <= 7200
    assert told[-1] == (ACCOUNT, 0.0)
    ledger, heard = Ledger(journal.transactions, "w", journal.root), list[Any]()
    steps = Steps(None, BatchClock(), None, ledger, journal.transactions)  # type: ignore[arg-type]
    steps.tell = lambda *given: heard.append(given)
    for seconds in (7200, 7199, 7180, 90, 29, 0):
        steps._waits(ACCOUNT, seconds)
    words = [f"the service asked to wait: nothing is begun for {long}" for long in ("2 h 0 min", "90 s")]
    assert heard == [(None, f"account {ACCOUNT}", told) for told in (*words, "")], "once each, and not each second"


def test_a_machines_clock_that_was_set_back_holds_up_nobody(journal: Journal) -> None:
    """What an earlier process was asked to wait is written by that clock: the service is asked anew, and what a 429 has lowered stays."""

    def look() -> Any:
        return journal.transactions.now(lambda connection: connection.execute(select(ACCOUNTS)).one())

    far = 4e9
    journal.transactions.now(
        lambda connection: connection.execute(
            insert(ACCOUNTS).values(name=ACCOUNT, slots=1, busy_at=far, busy_until=far)
        )
    )
    journal.place.presence(journal.engine).begin()
    found = look()
    assert found.busy_until == 0
    assert found.slots == 1
    assert 0 < found.busy_at < far


def test_whoever_runs_a_folder_is_alone_in_it(journal: Journal) -> None:
    """All that were there before are gone, and wait for nothing; what was taken over already stays so. It ends like them."""

    def ask(statement: Any) -> Any:
        return journal.transactions.now(lambda connection: [*connection.execute(statement)])

    def wait(worker: str) -> None:
        journal.transactions.now(
            lambda connection: connection.execute(insert(NOTICES).values(worker=worker, about="row", told="again"))
        )

    before = {"a": LIVING, "b": DOUBTFUL, "c": OVER, "d": INHERITED}
    for worker, life in before.items():
        journal.transactions.now(
            lambda connection, values={"id": worker, "life": life}: connection.execute(insert(WORKERS).values(**values))
        )
    wait("a")
    one = journal.place.presence(journal.engine)
    assert (one.is_shared, Locked.is_shared) == (False, True), (
        "in a database there may be others, which are looked after"
    )
    one.begin()
    lives = dict.fromkeys("abc", OVER) | {"d": INHERITED}
    assert dict(ask(select(WORKERS.c.id, WORKERS.c.life))) == lives | {one.worker: LIVING}
    assert ask(select(NOTICES)) == []
    wait(one.worker)
    one.end()
    assert dict(ask(select(WORKERS.c.id, WORKERS.c.life))) == lives | {one.worker: OVER}
    assert ask(select(NOTICES)) == []


def test_time_is_the_services_alone() -> None:
    """As its answers tell it, and as it goes on from there. A host that files lie on may have any date: a create is not taken for absent by it."""
    mine = SimpleNamespace(monotonic=lambda: now)
    clock, now = ServiceClock(mine), 1000.0  # type: ignore[arg-type]

    def heard(date: str, headers: dict[str, str]) -> float | None:
        request = httpx.Request("GET", "https://h/x", headers=headers)
        asyncio.run(clock(httpx.Response(200, headers={"date": date}, request=request)))
        return clock.now()

    assert heard("Fri, 02 Jan 2026 05:00:00 GMT", {}) is None
    assert heard("Fri, 02 Jan 2026 03:00:00 GMT", {"authorization": "x"}) == 1_767_322_800
    now += 30
    assert heard("Fri, 02 Jan 2026 05:00:00 GMT", {}) == 1_767_322_830


def test_a_batch_is_as_quick_as_the_simulator_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its clock runs that many times as fast, so that it sleeps so much less; else it is the machine's."""
    slept = list[float]()

    async def asleep(self: SystemClock, seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(SystemClock, "asleep", asleep)
    monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds: slept.append(seconds))
    for clock in (BatchClock(), BatchClock(50)):
        asyncio.run(clock.asleep(100))
        clock.sleep(200)
    assert slept == [100, 200, 2, 4]
    monkeypatch.setattr(time, "monotonic", lambda: 3000.0)
    assert [clock.monotonic() for clock in (BatchClock(), BatchClock(50))] == [3000, 150_000]


def test_what_a_worker_measures_goes_on_while_its_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has such a clock: else others have taken its rows, and it has not noticed."""
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 77, raising=False)
    monkeypatch.setattr(time, "clock_gettime", {77: 5000.0}.get, raising=False)
    assert awake() == 5000
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    monkeypatch.setattr(time, "monotonic", lambda: 3000.0)
    assert awake() == 3000


@pytest.mark.slow
def test_a_run_remembers_no_row_that_is_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand rows have no more memory than twenty: of what is written down nothing is kept beside."""
    made = list[Steps]()

    class Seen(Steps):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    monkeypatch.setattr(runner, "Steps", Seen)
    batch = place.batch(place.jobs("one", "two"))
    assert states(batch.run(batch.plan())) == ["done", "done"]
    (steps,) = made
    assert steps._intended == {}
    assert steps.posting._sent == set()


# -- another journal of the same jobs ----------------------------------------------------------------------------------------
@pytest.mark.slow
def test_a_batch_that_has_sent_nothing_looks_once_more(place: Place) -> None:
    """Held before its first create; another journal of the same jobs ran meanwhile: it pays for none of them again."""
    jobs = place.jobs("one", "two")
    held, other = place.batch(jobs, "held"), place.batch(jobs, "other")
    assert states(held.run(held.plan(), max_credits=1)) == ["held", "held"]
    assert states(other.run(other.plan())) == ["done", "done"]
    plan = held.plan()
    (problem,) = plan.problems
    assert (
        "2 rows of this batch, the first is row 1, have a task at the service that this journal knows nothing of"
        in problem.rule
    )
    with pytest.raises(ParameterError):
        held.run(plan)
    assert place.paid() == {"one": 1, "two": 1}
    more = [*jobs, *place.jobs("three")]
    added = place.batch(more, "other").plan(add=True)
    assert (added.problems, added.jobs) == ((), 1), "what it has sent itself is its own"
    again = held.plan(anew=True)
    assert (again.problems, again.jobs) == ((), 2), "who says so pays again"


def test_rows_whose_account_nobody_names_are_not_paid_unseen(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With several accounts no list is given without an email: what they have already cannot be seen, and nothing is begun."""
    with SimulatorServer(Simulator(accounts=["a@x.test", "b@x.test"]), clock=RunningClock(200)) as server:
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        with pytest.raises(BatchError, match="each row has to name its email"):
            place.batch(place.jobs("one")).plan()
        named = [{**job, "email": "a@x.test"} for job in place.jobs("one")]
        assert place.batch(named).plan().problems == ()


class Runway:
    """A client whose lists show, by account, these tasks, or fail so."""

    def __init__(self, lists: dict[str | None, Any], tracked: Any = ()) -> None:
        self.tasks = SimpleNamespace(list=lambda email: self._given(lists[email]))
        self.scheduler = SimpleNamespace(list=lambda: self._given(tracked))

    def _given(self, found: Any) -> Any:
        if isinstance(found, Exception):
            raise found
        return found

    def __call__(self) -> Any:
        return contextlib.nullcontext(self)


def keyed(row: int, email: str | None = None) -> Job:
    asset = "user:1-runwayml:a@b.test-asset:1"
    return replace(Job(row, row + 1, asset if email is None else "c.mp4", "x", "1.mp4"), key=f"{row}" * 32, email=email)


def shown(job: Job, task_id: str, status: str = "RUNNING", attempt: str = "1.1") -> Any:
    return SimpleNamespace(task_id=task_id, reply_ref=f"mine~batch-{job.key}-{attempt}", status=status)


def test_what_runs_now_is_seen_as_well() -> None:
    """A task that no list shows yet: the scheduler has its replyRef; one that cannot be read takes nothing from the lists."""
    job = keyed(1)
    tracked = SimpleNamespace(task_id="t", reply_ref=f"mine~batch-{job.key}-1.1")
    assert known_to_service([job], Runway({"a@b.test": []}, [tracked])).rows == {1: "t"}
    broken = APIStatusError("503", status=503)
    assert known_to_service([job], Runway({"a@b.test": [shown(job, "u")]}, broken)).rows == {1: "u"}


def test_what_the_service_has_is_told_by_its_replyrefs() -> None:
    """The newest task of each row that did not fail, and all keys; an account that is not known has none."""
    first, second, third, fourth = (
        keyed(1, "new@x.test"),
        keyed(2, "a@x.test"),
        keyed(3, "a@x.test"),
        keyed(4, "a@x.test"),
    )
    other = replace(first, key="9" * 32)
    lists = {
        "new@x.test": errors.NotFoundError("no such account", status=404),
        "a@x.test": [
            shown(second, "newest", attempt="2.1"),
            shown(second, "older"),
            shown(third, "", status="PENDING"),
            shown(fourth, "failed", status="FAILED"),
            shown(fourth, "cancelled", status="CANCELLED"),
            shown(other, "anothers"),
            SimpleNamespace(task_id="web", reply_ref=None, status="RUNNING"),
        ],
    }
    found = known_to_service([first, second, third, fourth], Runway(lists))
    assert found.rows == {2: "newest"}
    assert found.keys == {second.key, third.key, fourth.key, other.key, ""}
    jobs = adopted([first, second], found.rows)
    assert jobs == [first, replace(second, task_id="newest", decision="adopt")]


@pytest.mark.parametrize(
    ("email", "failure", "told"),
    [
        (
            None,
            APIStatusError("whose?", status=400),
            "; where there are several accounts, each row has to name its email",
        ),
        ("a@x.test", APIStatusError("no", status=400), ""),
        (None, errors.ServerError("down", status=503), ""),
        ("a@x.test", errors.ServerError("down", status=503), ""),
    ],
)
def test_a_list_that_cannot_be_read_proves_nothing(email: str | None, failure: Exception, told: str) -> None:
    """Nothing is paid, and what helps is told: an email where none is named, unless the service is down."""
    job = replace(keyed(1), video="c.mp4", email=email)
    with pytest.raises(BatchError) as caught:
        known_to_service([job], Runway({email: failure}))
    assert str(caught.value).endswith(f"{failure}{told}")
    assert "nothing was sent" in str(caught.value)
    broken = errors.AccountSessionError("link it again", status=596)
    with pytest.raises(errors.AccountSessionError):
        known_to_service([job], Runway({email: broken}))


def test_who_pays_again_gets_the_next_number() -> None:
    """A row's key is a digest whatever is asked: that of the next equal row that neither the service nor the batch knows."""
    job = Job(1, 2, "user:1-runwayml:a@b.test-asset:1", "x", "1.mp4")
    keys = [each.key for each in with_keys([replace(job, row=row) for row in range(1, 6)])]
    two = with_keys([job, replace(job, row=2)])
    assert [each.key for each in two] == keys[:2]
    found = anew(two, AtService({1: "t"}, {keys[0], keys[2], ""}))
    assert [each.key for each in found] == [keys[3], keys[1]]
    assert [each.key for each in anew(two, AtService({1: "t", 2: "u"}, set(keys[:2])))] == keys[2:4]


@pytest.mark.slow
def test_results_that_were_kept_hide_no_journal_that_was_lost(place: Place) -> None:
    """Its files stand in their places: what is paid is seen and taken, and what is a stranger's is still refused."""
    batch = place.batch(place.jobs("one", "two"))
    assert states(batch.run(batch.plan())) == ["done", "done"]
    shutil.rmtree(place.folder / "p" / ".useapi-runwayml", ignore_errors=True)
    for each in (place.folder / "p").iterdir():
        if each.name != "results":
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    assert not batch.is_begun()
    (*taken, known) = batch.plan().problems
    assert [each.rule.rpartition(": ")[2] for each in taken] == ["it exists already"] * 2
    assert "2 of 2 rows have a task at the service already" in known.rule
    plan = batch.plan(adopt=True)
    assert (plan.problems, plan.jobs) == ((), 0)
    assert states(batch.run(plan)) == ["done", "done"]
    assert place.paid() == {"one": 1, "two": 1}
    other = place.batch(place.jobs("one", "three"), "q", output_dir=place.folder / "p" / "results")
    assert [each.rule.rpartition(": ")[2] for each in other.plan(adopt=True).problems] == ["it exists already"]
