"""Verdicts of a batch rest on what the service proves: never on one answer, the machine's date, or a file's name and size."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from useapi_runwayml.batch import results
from useapi_runwayml.batch.changes import to_pay, to_resume, to_retry
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.clock import BatchClock
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.ledger import Ledger, Settings
from useapi_runwayml.batch.steps import Steps

from .conftest import MP4
from .test_batch_run import Batch, make

__all__ = ["make"]


def a_task(batch: Batch, prompt: str = "row 9 x") -> str:
    """A task of the service that this batch's client has not created."""
    from useapi_runwayml.simulator.plan import make_plan
    from useapi_runwayml.simulator.state import Asset, Task
    from useapi_runwayml.simulator.wire import Blob

    state, email, now = batch.sim.state, "maker@example.com", batch.clock.now()
    asset = Asset(state.new_id(email, "asset"), email, "clip.mp4", "video/mp4", now, Blob([MP4]))
    state.assets[asset.asset_id] = asset
    state.blobs[asset.asset_id] = (asset.blob, "video/mp4")
    body = {"text_prompt": prompt, "replyRef": "theirs"}
    task = Task(
        state.new_id(email, "task"),
        email,
        now,
        make_plan(state.chance, "", 30),
        body,
        1,
        asset.asset_id,
        50,
        "createVideoToVideo",
    )
    state.add_task(task, now)
    return task.task_id


# -- a verdict from one answer -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.slow
def test_a_task_that_cannot_be_read_for_a_while_is_waited_for(make: Any, status: int) -> None:
    """404 for the first minute, of tasks of this process and of one that an earlier process had created: all are done, none is made anew."""
    batch = make()
    known = a_task(batch)
    batch.sim.faults.add("status", "getTask", status=status, times=5)
    rows = batch.begin([batch.job(1), batch.job(2), batch.job(3, task_id=known)], settle=60)
    assert batch.states(rows) == ["done"] * 3, [each.why for each in rows]
    assert batch.calls("createVideoToVideo") == 2


@pytest.mark.slow
def test_a_task_that_a_list_still_shows_is_not_gone(make: Any) -> None:
    """However long its own page answers 404: the list is asked before anything is final."""
    batch = make()
    known = a_task(batch)
    batch.sim.faults.add("status", "getTask", status=404, times=12)
    rows = batch.begin([batch.job(1, task_id=known)], settle=60)
    assert batch.states(rows) == ["done"]


@pytest.mark.usefixtures("unreadable_at_first")
def test_a_result_whose_task_cannot_be_read_for_a_while_is_fetched(make: Any) -> None:
    """It ended by what a list showed, and its own page answers 404 a little longer: no failure, and no second create."""
    batch = make(task_seconds=20)
    rows = batch.begin([batch.job(number) for number in range(1, 5)], max_jobs=4, settle=60)
    assert batch.states(rows) == ["done"] * 4, [each.why for each in rows]
    assert batch.calls("createVideoToVideo") == 4


@pytest.mark.slow
def test_a_task_that_stays_gone_fails_its_row(make: Any) -> None:
    """In no list, and read as gone, for as long as --settle by the service's clock: then it is over, and a retry is a new create."""
    batch = make()
    known = a_task(batch)
    batch.sim.state.drop(batch.sim.state.tasks[known])
    begun = batch.clock.now()
    rows = batch.begin([batch.job(1, task_id=known)], settle=60)
    assert (rows[0].state, rows[0].stage, rows[0].error) == ("failed", "task", "NotFoundError")
    assert batch.clock.now() - begun >= 59
    assert [job.task_id for job in to_retry(rows)] == [None]
    assert to_resume(rows) == []


@pytest.mark.slow
def test_without_the_services_date_nothing_is_gone(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that nobody has told proves nothing: the row is taken up again from its task."""
    monkeypatch.setattr("useapi_runwayml.batch.clock.ServiceClock.now", lambda self: None)
    monkeypatch.setattr("useapi_runwayml.batch.endings.PATIENCE", 100)
    batch = make()
    known = a_task(batch)
    batch.sim.state.drop(batch.sim.state.tasks[known])
    rows = batch.begin([batch.job(1, task_id=known)], settle=60)
    assert (rows[0].state, rows[0].stage) == ("failed", "wait")
    assert [job.task_id for job in to_retry(rows)] == [known]


@pytest.mark.parametrize("word", ["[no-output]", "x"])
@pytest.mark.slow
def test_a_file_that_cannot_be_had_is_looked_for_each_time_for_nothing(make: Any, word: str) -> None:
    """A result without a file, a host that refuses: resume and retry fetch, and never pay."""
    batch = make()
    if word == "x":
        batch.sim.faults.add("status", "download", status=403)
    rows = batch.begin([batch.job(1, word)])
    for change in (to_retry, to_resume, to_retry):
        assert (rows[0].state, rows[0].stage) == ("failed", "download")
        jobs = change(rows)
        assert [job.task_id for job in jobs] == [rows[0].task_id]
        assert to_pay(rows, jobs) == []
        rows = batch.more(jobs)
    assert batch.calls("createVideoToVideo") == 1


# -- the machine's date ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.slow
def test_the_machines_date_decides_nothing(make: Any, monkeypatch: pytest.MonkeyPatch, hours: int, left: bool) -> None:
    """Killed around the POST, resumed with the clock an hour off: never paid twice, and no hour is waited for."""
    batch = make()
    batch.begin([batch.job(1)], settle=60)
    post = Steps._post

    async def interrupted(self: Any, *given: Any) -> Any:
        if left:
            await post(self, *given)
        raise KeyboardInterrupt

    monkeypatch.setattr(Steps, "_post", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batch.more([batch.job(2)])
    monkeypatch.setattr(Steps, "_post", post)
    resumed = batch.clock.now()
    for name in ("newest_first", "tracked"):  # what is new is not shown for the first twenty seconds
        shown: Any = getattr(batch.sim.state, name)

        def late(email: str, now: float, shown: Any = shown) -> Any:
            return [task for task in shown(email, now) if now > resumed + 20 or task.created < resumed - 30]

        monkeypatch.setattr(batch.sim.state, name, late)
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + hours * 3600)
    begun = batch.clock.now()
    assert batch.states(batch.run()) == ["done", "done"]
    assert batch.tasks() == {"1": 1, "2": 1}
    assert batch.clock.now() - begun < 3000


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.slow
def test_an_orderly_end_before_the_post_needs_no_person(
    make: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Ctrl-C, SIGTERM or SIGHUP between intent and POST: what was about to be sent is taken back; after the POST it is looked for."""
    batch = make()
    post = Steps._post

    async def interrupted(self: Any, *given: Any) -> Any:
        def interrupt() -> None:
            raise KeyboardInterrupt

        if moment == "after":
            await post(self, *given)
        asyncio.get_running_loop().call_later(0.05, interrupt)
        await asyncio.sleep(60)

    monkeypatch.setattr(Steps, "_post", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batch.begin([batch.job(1)], settle=600)
    monkeypatch.setattr(Steps, "_post", post)
    (row,) = batch.rows()
    assert (row.intent is None) == (moment == "before")
    begun = batch.clock.now()
    assert batch.states(batch.run()) == ["done"]
    assert batch.tasks() == {"1": 1}
    assert batch.clock.now() - begun < 600, "nobody waits for what was never sent, or is there"


@pytest.mark.slow
def test_what_was_taken_back_is_never_sent_under_that_name(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken back before anybody recorded it, then sent by the next process, which was killed: looked for, not taken for unsent."""
    batch = make()
    intend, post = Ledger.intend, Steps._post

    async def interrupted(self: Any, *given: Any) -> Any:
        await intend(self, *given)
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "intend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batch.begin([batch.job(1, key="0" * 32)])
    monkeypatch.setattr(Ledger, "intend", intend)
    assert batch.rows()[0].intent is None
    taken_back = batch.rows()[0].reply_ref
    assert taken_back

    async def killed(self: Any, *given: Any) -> Any:
        await post(self, *given)
        raise KeyboardInterrupt

    monkeypatch.setattr(Steps, "_post", killed)
    with pytest.raises(KeyboardInterrupt):
        batch.run()
    monkeypatch.setattr(Steps, "_post", post)
    assert batch.rows()[0].intent is not None
    assert batch.rows()[0].reply_ref != taken_back
    assert batch.states(batch.run()) == ["done"]
    assert batch.tasks() == {"1": 1}


@pytest.mark.slow
def test_what_was_taken_back_gives_no_credits(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was never spent: the limit holds to the credit when its row goes on."""
    batch = make()
    post = Steps._post

    async def interrupted(self: Any, *given: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Steps, "_post", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batch.begin([batch.job(1), batch.job(2)], max_credits=25)
    monkeypatch.setattr(Steps, "_post", post)
    assert [each.intent for each in batch.rows()] == [None, None]
    assert sorted(batch.states(batch.run())) == ["done", "held"]
    assert batch.sim.state.accounts["maker@example.com"].spent == 25


@pytest.mark.slow
def test_any_number_of_orderly_ends_counts_against_no_row(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Creates that an earlier process may have sent, and that proved not to be there, are not those that the service loses."""
    batch = make()
    batch.begin([batch.job(1)])
    monkeypatch.setattr(Steps, "never_sent", lambda self: [])  # as if it had been killed
    post = Steps._post

    async def interrupted(self: Any, *given: Any) -> Any:
        raise KeyboardInterrupt

    batch.journal.add([batch.job(2)])
    for _ in range(4):
        monkeypatch.setattr(Steps, "_post", interrupted)
        with pytest.raises(KeyboardInterrupt):
            batch.run()
    monkeypatch.setattr(Steps, "_post", post)
    assert batch.states(batch.run()) == ["done", "done"]
    assert batch.tasks() == {"1": 1, "2": 1}


@pytest.mark.parametrize("moment", ["before", "amid"])
def test_a_row_that_begins_while_the_process_ends_is_left_as_it_is(make: Any, moment: str) -> None:
    """Its queue may hand one out to the last: it is not run with a client that is closed, and it does not fail."""
    from useapi_runwayml.batch import runner
    from useapi_runwayml.batch.engine import Engine

    class Closed(Steps):
        async def upload(self, *given: Any) -> Any:
            engine.is_over = True
            raise RuntimeError("Cannot send a request, as the client has been closed.")

    batch = make()
    batch.journal.add([batch.job(1)], Settings())
    ledger = Ledger(batch.journal.transactions, "w", batch.folder)
    steps = Closed(None, BatchClock(), None, ledger, batch.journal.transactions)  # type: ignore[arg-type]
    engine = Engine(steps)
    engine.is_over = moment == "before"
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(engine.process("row-1-1", 1, ""))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(inspect.unwrap(runner._row)({"id": "row-1-1", "row": 1, "account": ""}))


@pytest.mark.parametrize("moment", ["intend", "save", "leave"])
@pytest.mark.slow
def test_a_row_goes_on_with_who_has_it_whatever_dbos_thinks(
    make: Any, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """A worker that was in doubt for a moment comes back, and DBOS has given its row to another meanwhile: who has the row ends it."""
    batch = make()
    inner = getattr(Ledger, moment)

    async def elsewhere(self: Ledger, row: Any, *given: Any) -> Any:
        found = await inner(self, row, *given)
        batch.journal.client.resume_workflows([row.id], queue_name="of-another")
        return found

    monkeypatch.setattr(Ledger, moment, elsewhere)
    assert batch.states(batch.begin([batch.job(1)])) == ["done"]
    assert batch.tasks() == {"1": 1}


@pytest.mark.parametrize(("settle", "seconds"), [(60, 45), (20, 15), (20_000, 12_000)])
def test_a_post_is_over_before_its_absence_can_be_proved(
    make: Any, monkeypatch: pytest.MonkeyPatch, settle: float, seconds: float
) -> None:
    """The whole of it has three quarters of --settle, and a minute of the machine's at the most, which is 12,000 s here."""
    from useapi_runwayml.resources.creations import AsyncCreator

    batch, given = make(), list[float]()
    create = AsyncCreator.create

    async def watched(self: Any, *words: Any, **more: Any) -> Any:
        given.append(more["timeout"])
        return await create(self, *words, **{**more, "timeout": 60})

    monkeypatch.setattr(AsyncCreator, "create", watched)
    assert batch.states(batch.begin([batch.job(1)], settle=settle)) == ["done"]
    assert given == [seconds]


@pytest.mark.slow
def test_a_task_that_cannot_be_recorded_is_told(make: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """Whatever keeps it from being recorded: its id is said and logged, so that nobody has to guess it."""
    batch, save = make(), Ledger.save

    async def lost(self: Ledger, row: Any) -> None:
        if row.facts.state == "waiting":
            raise KeyboardInterrupt
        await save(self, row)

    monkeypatch.setattr(Ledger, "save", lost)
    with pytest.raises(KeyboardInterrupt):
        batch.begin([batch.job(1)])
    (task_id,) = batch.sim.state.tasks
    assert any(task_id in each for each in batch.words("row 1: waiting"))
    assert task_id in caplog.text
    monkeypatch.setattr(Ledger, "save", save)
    assert batch.states(batch.run()) == ["done"]
    assert batch.tasks() == {"1": 1}


# -- files -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.slow
def test_a_kill_around_the_rename_is_no_strangers_file(make: Any, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """The digest was recorded before: the file that is there is this row's, and nothing is left beside it."""
    publish = results.publish

    def killed(*given: Any) -> Any:
        if moment == "after":
            publish(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "publish", killed)
    batch = make()
    with pytest.raises(KeyboardInterrupt):
        batch.begin([batch.job(1)])
    monkeypatch.setattr(results, "publish", publish)
    downloads = batch.calls("download")
    assert batch.states(batch.run()) == ["done"]
    assert batch.calls("download") == downloads, "it was whole, and is not fetched twice"
    assert (batch.folder / "1.mp4").read_bytes() == MP4
    assert not list(batch.folder.glob(".*.part"))


def test_a_result_that_was_lost_before_it_had_its_name_is_fetched_again(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hidden file was tidied up by somebody: no failure, one more download."""
    publish = results.publish
    lost: list[Path] = []

    def tidied(path: Path, place: Path, known: Any) -> Any:
        if not lost:
            lost.append(place)
            place.unlink()
        return publish(path, place, known)

    monkeypatch.setattr(results, "publish", tidied)
    batch = make()
    assert batch.states(batch.begin([batch.job(1)])) == ["done"]
    assert batch.calls("download") == 2
    assert batch.calls("createVideoToVideo") == 1


SAME_SIZE = MP4[:-1] + bytes([MP4[-1] ^ 1])


@pytest.mark.parametrize(
    ("there", "place", "found"),
    [
        (None, MP4, "saved"),
        (MP4, MP4, "saved"),
        (MP4, None, "saved"),
        (None, None, "lost"),
        (None, SAME_SIZE, "lost"),
        (MP4, b"half", "saved"),
        (SAME_SIZE, MP4, FileExistsError),
        (SAME_SIZE, None, FileExistsError),
        (b"", MP4, FileExistsError),
    ],
)
def test_a_file_is_known_by_its_digest(tmp_path: Path, there: Any, place: Any, found: Any) -> None:
    """Neither its name nor its size makes it this row's, and another's is never replaced."""
    path, beside, whole = tmp_path / "1.mp4", tmp_path / ".1.part", tmp_path / "whole"
    whole.write_bytes(MP4)
    known = results.measure(whole)
    for file, content in ((path, there), (beside, place)):
        if content is not None:
            file.write_bytes(content)
    if isinstance(found, str):
        assert results.publish(path, beside, known) == found
        assert path.exists() == (found == "saved")
        assert not path.exists() or path.read_bytes() == MP4
        assert not beside.exists() or found == "lost"
    else:
        with pytest.raises(found):
            results.publish(path, beside, known)
        assert path.read_bytes() == there


def test_the_folder_of_a_result_is_made_and_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders in folders too; what another process has swept meanwhile is missed by nobody."""
    path = tmp_path / "a" / "b" / "1.mp4"
    place = results.place_of(path, "row-1-1")
    for _ in range(2):
        results.make_room(path, place, sweeps=False)
        assert path.parent.is_dir()
    place.touch()
    glob = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*glob(self, pattern), self / "gone.part"])
    results.make_room(path, place, sweeps=True)
    assert [*path.parent.iterdir()] == []


# -- what may be paid --------------------------------------------------------------------------------------------------
def known(state: str, *, row: int = 1, stage: str = "", task_id: str | None = None, intent: Any = None) -> Facts:
    job = Job(row, row + 1, "c.mp4", "x", f"{row}.mp4", parameters={"seconds": 5})
    return Facts(job, state=state, stage=stage, task_id=task_id, intent=intent, reply_ref="r" if intent else None)


@pytest.mark.parametrize(
    ("facts", "change", "paid"),
    [
        (known("queued"), to_resume, True),
        (known("uploaded"), to_resume, True),
        (known("submitting", intent={"reply_ref": "r"}), to_resume, True),
        (known("waiting", task_id="t"), to_resume, False),
        (known("done", task_id="t"), to_resume, False),
        (known("held", stage="account"), to_resume, True),
        (known("held", stage="wait", task_id="t"), to_resume, False),
        (known("uncertain", intent={"reply_ref": "r"}), to_resume, True),
        (known("failed", stage="task", task_id="t"), to_resume, False),
        (known("failed", stage="task", task_id="t"), to_retry, True),
        (known("failed", stage="download", task_id="t"), to_retry, False),
        (known("failed", stage="upload"), to_retry, True),
        (known("failed", stage="moderation"), to_retry, False),
        (known("given up"), to_retry, False),
    ],
)
def test_what_a_command_may_pay_for(facts: Facts, change: Callable[[list[Facts]], list[Job]], paid: bool) -> None:
    """Each row without a task that is not over, each new create, and each that may prove to have come to nothing."""
    jobs = to_pay([facts], change([facts]))
    assert [job.row for job in jobs] == ([1] if paid else [])


def test_a_row_is_known_by_what_it_asks_for(tmp_path: Path) -> None:
    """The clip's bytes, prompt, parameters, endpoint, and its number among equal rows; not its line, its output or the name of its clip."""
    from useapi_runwayml.batch.identity import reference_of, with_keys

    for name, content in (("a.mp4", MP4), ("b.mp4", MP4), ("c.mp4", SAME_SIZE)):
        (tmp_path / name).write_bytes(content)

    def job(row: int, video: str = "a.mp4", prompt: str = "x", **more: Any) -> Job:
        return Job(row, row + 1, str(tmp_path / video), prompt, f"{row}.mp4", **more)

    one, moved, renamed = (with_keys([each])[0].key for each in (job(1), job(7), job(1, "b.mp4")))
    assert one == moved == renamed
    different = [
        job(1),
        job(2),
        job(3, "c.mp4"),
        job(4, prompt="y"),
        job(5, parameters={"seed": 1}),
        job(6, endpoint="aleph"),
        job(7, image=str(tmp_path / "c.mp4")),
        Job(8, 9, "user:1-runwayml:a@b.test-asset:1", "x", "8.mp4"),
    ]
    assert len({with_keys([each])[0].key for each in different[1:]}) == len(different) - 1
    keys = [each.key for each in with_keys(different)]
    assert len(set(keys)) == len(different)
    assert keys == [each.key for each in with_keys(different)], "the same each time"
    some = {"seed": 1, "seconds": 5}
    turned = dict(reversed(some.items()))
    assert with_keys([job(1, parameters=some)])[0].key == with_keys([job(1, parameters=turned)])[0].key
    first, second = with_keys([job(1), job(2, parameters={"reply_ref": "mine"})])
    assert reference_of(first, 3) == f"batch-{one}-1.3"
    assert reference_of(second, 1) == f"mine~batch-{second.key}-1.1"


def test_a_key_is_the_same_in_every_version() -> None:
    """The service has it of what earlier ones paid for: a row, and a second one that is equal."""
    from useapi_runwayml.batch.identity import with_keys

    asset = "user:4242-runwayml:maker@example.com-asset:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
    jobs = [Job(row, row + 1, asset, "x", f"{row}.mp4", endpoint="video_to_video") for row in (1, 2)]
    assert [each.key for each in with_keys(jobs)] == [
        "73abead789de5b0e4105c4c025c8cfac",
        "5c4d46a7f38895d6363070d547c8795e",
    ]


def test_a_job_knows_its_files_by_their_digests(tmp_path: Path) -> None:
    """Each of both; what the service has already needs none."""
    from useapi_runwayml.batch.identity import with_keys

    asset = "user:4242-runwayml:maker@example.com-asset:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
    (tmp_path / "c.mp4").write_bytes(MP4)
    (tmp_path / "i.png").write_bytes(b"an image")
    clip, image = str(tmp_path / "c.mp4"), str(tmp_path / "i.png")
    digests = {
        clip: hashlib.sha256(MP4).hexdigest(),
        image: hashlib.sha256(b"an image").hexdigest(),
        asset: "",
        None: "",
    }
    for video in (clip, asset):
        for other in (image, asset, None):
            (found,) = with_keys([Job(1, 2, video, "x", "1.mp4", image=other)])
            assert (found.sha256, found.image_sha256) == (digests[video], digests[other])


ODD_NAMES = [
    "a?b",
    "100%",
    "a#b",
    "a&b;c+d",
    "it's",
    'say "x"',
    " two  spaces ",
    "é",
    "e\u0301",
    "-dash",
    "%2e%2e",
    "a=b",
    "new\nline",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_of_a_folder_has_a_journal(make: Any, tmp_path: Path, name: str) -> None:
    """Paths are no URLs: the journal lies where it was asked for, and a batch runs there."""
    from useapi_runwayml.batch.journal import FILE, Journal

    folder = tmp_path / name
    folder.mkdir()
    before = set(tmp_path.iterdir())
    journal = Journal(folder)
    try:
        journal.prepare()
        journal.add([Job(1, 2, "c.mp4", "x", "o.mp4")], Settings(max_jobs=1))
        assert journal.options()["max_jobs"] == 1
    finally:
        journal.close()
    assert (folder / FILE).exists()
    assert set(tmp_path.iterdir()) == before
