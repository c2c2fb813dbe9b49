"""An interrupted batch ends, sends nothing more, and loses nothing: also where the word of it is lost, or nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, select, update

from useapi_runwayml import APIStatusError
from useapi_runwayml.batch import BatchError, runner
from useapi_runwayml.batch.changes import to_resume, to_retry
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.clock import BatchClock
from useapi_runwayml.batch.engine import Engine
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.ledger import Ledger, Lost, Settings
from useapi_runwayml.batch.posting import Posting
from useapi_runwayml.batch.steps import Steps
from useapi_runwayml.batch.tables import ROWS, SLOTS, UPLOADS
from useapi_runwayml.batch.telling import Stopped
from useapi_runwayml.batch.uploads import Uploads

from .conftest import TOKEN, soon
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


def test_what_loses_its_interruption_is_interrupted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end waits for nobody for ever, and interrupts nobody twice who is on the way."""
    monkeypatch.setattr(runner, "GRACE", 0.2)
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


def test_a_slot_of_a_row_that_is_over_is_given_back(journal: Journal) -> None:
    """A worker in doubt takes one for a row that another has ended meanwhile: it would never come free."""
    journal.add([Job(1, 2, "c.mp4", "x", "1.mp4")], Settings(max_jobs=1))
    ledger = Ledger(journal.transactions, "w", journal.root)
    workflow = journal.workflow(Job(1, 2, "c.mp4", "x", "1.mp4"))
    steps = Steps(None, BatchClock(), None, ledger, journal.transactions)  # type: ignore[arg-type]

    class Late(Engine):
        async def _process(self, row: Any) -> dict[str, Any]:
            await self.steps.account(ACCOUNT).take(row)
            raise Lost(row.id)

    def holders() -> list[Any]:
        found = select(SLOTS.c.holder).where(SLOTS.c.holder.is_not(None))
        return [*journal.transactions.now(lambda connection: connection.execute(found).scalars().all())]

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await Late(steps).process(workflow, 1, ACCOUNT)

    asyncio.run(main())
    assert holders() == [workflow], "it is the other's, who goes on with it"
    over = update(ROWS).values(is_over=True)

    class Ended(Late):
        async def _process(self, row: Any) -> dict[str, Any]:
            journal.transactions.now(lambda connection: connection.execute(over))
            return await super()._process(row)

    async def once_more() -> None:
        with pytest.raises(asyncio.CancelledError):
            await Ended(Steps(None, BatchClock(), None, ledger, journal.transactions)).process(workflow, 1, ACCOUNT)  # type: ignore[arg-type]

    asyncio.run(once_more())
    assert holders() == []


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
