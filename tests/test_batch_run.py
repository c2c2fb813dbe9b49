"""Whole batches against the simulator: what is done, held, uncertain, resumed, retried and resolved, and at what price."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml._io.files import Partial
from useapi_runwayml.batch import accounts, limits, posting, presence, results, runner
from useapi_runwayml.batch.changes import resolved, to_resume, to_retry
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.clock import BatchClock
from useapi_runwayml.batch.facts import Facts, latest
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.ledger import Ledger
from useapi_runwayml.batch.steps import UNSURE, Settings
from useapi_runwayml.batch.transactions import Transactions
from useapi_runwayml.simulator import RunningClock, Shapes, Simulator, SimulatorTransport

from .conftest import BASE_URL, MP4, TOKEN

SPEED = 200.0
MAKER = "maker@example.com"


class Batch:
    """A project folder, a simulated service, and what a batch did to both."""

    def __init__(self, folder: Path, **service: Any) -> None:
        self.folder = folder
        self.sim = Simulator(**{"credits": 10_000, "max_jobs": 10, **service})
        self.clock = RunningClock(SPEED)
        self.journal = Journal(folder)
        self.journal.prepare()
        self.told: list[tuple[str, str]] = []
        (folder / "c.mp4").write_bytes(MP4)

    def job(self, row: int, prompt: str = "x", **more: Any) -> Job:
        values: dict[str, Any] = {"video": str(self.folder / "c.mp4"), "parameters": {"seconds": 5}, **more}
        return Job(row, row + 1, values.pop("video"), f"row {row} {prompt}", str(self.folder / f"{row}.mp4"), **values)

    def begin(self, jobs: list[Job], **settings: Any) -> list[Facts]:
        self.settings = Settings(**{"poll_interval": 2.0, **settings})
        self.journal.add(jobs)
        return self.run()

    def more(self, jobs: list[Job]) -> list[Facts]:
        self.journal.add(jobs)
        return self.run()

    def run(self) -> list[Facts]:
        return runner.run(
            self.journal,
            self.settings,
            clock=BatchClock(SPEED),
            on_event=lambda job, state, why: self.told.append((f"row {job.row}: {state}" if job else state, why)),
            http_client=lambda **how: httpx.AsyncClient(transport=SimulatorTransport(self.sim, self.clock), **how),
        )

    def words(self, about: str) -> list[str]:
        """What was said of it."""
        return [why for said, why in self.told if said == about and why]

    def rows(self) -> list[Facts]:
        return latest(self.journal.facts())

    def states(self, rows: list[Facts]) -> list[str]:
        return [each.state for each in rows]

    def calls(self, operation: str) -> int:
        return sum(seen.operation == operation for seen in self.sim.requests)

    def tasks(self) -> Counter[str]:
        """How many tasks the service has for each row."""
        return Counter(task.request["text_prompt"].split()[1] for task in self.sim.state.tasks.values())


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", BASE_URL)
    made: list[Batch] = []

    def new(**service: Any) -> Batch:
        made.append(Batch(tmp_path, **service))
        return made[-1]

    yield new
    for each in made:
        each.journal.close()
        each.sim.state.close()


def test_rows_of_every_end(make: Any) -> None:
    """One row's failure never stops the others; the same file is uploaded once; the journal tells what became of each."""
    batch = make()
    words = ["", "[fail]", "[moderate]", "[moderate-later]", "[cancel]", "[no-output]", ""]
    rows = batch.begin([batch.job(number, word) for number, word in enumerate(words, 1)])
    assert batch.states(rows) == ["done", "failed", "failed", "failed", "failed", "failed", "done"]
    assert [each.stage for each in rows] == ["", "task", "moderation", "moderation", "task", "download", ""]
    assert batch.calls("uploadAsset") == 1
    assert batch.calls("createVideoToVideo") == 7
    assert [(batch.folder / f"{row}.mp4").read_bytes() for row in (1, 7)] == [MP4, MP4]
    assert sorted(each.name for each in batch.folder.glob("*.mp4")) == ["1.mp4", "7.mp4", "c.mp4"]
    assert all(each.seed and each.seconds and each.bytes == len(MP4) for each in rows if each.state == "done")
    assert "nothing to download" in rows[5].why
    again = batch.more(to_resume(batch.rows()))
    assert batch.calls("createVideoToVideo") == 7, "what is over is not repeated"
    assert batch.states(again) == batch.states(rows)


@pytest.mark.slow
def test_different_files_and_accounts(make: Any) -> None:
    """Each file is uploaded once for each account that names it, and each account has its own slots."""
    batch = make(accounts=[MAKER, "other@example.com"])
    (batch.folder / "d.mp4").write_bytes(MP4 + b"d")
    (batch.folder / "same.mp4").write_bytes(MP4)
    files = ["c.mp4", "d.mp4", "same.mp4"]
    jobs = [
        batch.job(number, video=str(batch.folder / files[number % 3]), email=(MAKER, "other@example.com")[number % 2])
        for number in range(1, 13)
    ]
    rows = batch.begin(jobs)
    assert set(batch.states(rows)) == {"done"}
    assert batch.calls("uploadAsset") == 4
    assert (batch.folder / "1.mp4").read_bytes() == MP4 + b"d"
    by_account = Counter(task.email for task in batch.sim.state.tasks.values())
    assert by_account == {MAKER: 6, "other@example.com": 6}


@pytest.mark.slow
def test_assets_that_are_there_need_no_upload(make: Any) -> None:
    """A row may name an asset; an unknown one fails that row alone."""
    batch = make()
    batch.begin([batch.job(1)])
    asset = str(batch.rows()[0].asset_id)
    rows = batch.more([batch.job(2, video=asset), batch.job(3, video=f"{asset}0")])
    assert batch.states(rows) == ["done", "done", "failed"]
    assert "404" in rows[2].why
    assert batch.calls("uploadAsset") == 1


@pytest.mark.slow
def test_too_few_credits_close_the_account_until_resume(make: Any) -> None:
    """412 holds what is left, with the reason; what runs is finished; resume goes on once there are credits."""
    batch = make(credits=50)
    rows = batch.begin([batch.job(number) for number in range(1, 8)], max_jobs=2)
    assert Counter(batch.states(rows)) == {"done": 2, "held": 5}
    assert all("412" in each.why for each in rows if each.state == "held")
    assert batch.calls("createVideoToVideo") <= 4
    batch.sim.state.accounts[MAKER].credits = 10_000
    rows = batch.more(to_resume(rows))
    assert batch.states(rows) == ["done"] * 7
    assert batch.tasks() == Counter(str(row) for row in range(1, 8))
    assert batch.calls("uploadAsset") == 1


@pytest.mark.parametrize("status", [401, 402, 596])
@pytest.mark.slow
def test_errors_of_the_account_hold_everything(make: Any, status: int) -> None:
    """Also while tasks run: what its poll meets keeps its task, and resume waits for it and pays nothing."""
    batch = make(task_seconds=300)
    batch.sim.faults.add("status", "getTask", times=1, status=status, content_type="application/json")
    batch.sim.faults.add("status", "listTasks", times=1, status=status, content_type="application/json")
    rows = batch.begin([batch.job(number) for number in range(1, 4)], max_jobs=3)
    held = [each for each in rows if each.state == "held"]
    assert {each.state for each in rows} <= {"held", "done"}
    assert any(each.task_id for each in held)
    made = batch.calls("createVideoToVideo")
    batch.sim.faults.clear()
    rows = batch.more(to_resume(rows))
    assert batch.states(rows) == ["done"] * 3
    assert batch.tasks() == {"1": 1, "2": 1, "3": 1}
    assert batch.calls("createVideoToVideo") == 3 >= made
    assert all(str(status) in each.why for each in held)


@pytest.mark.slow
def test_max_credits_is_never_passed(make: Any) -> None:
    """What is spent before and what is under way count; the rest is held."""
    batch = make()
    jobs = [batch.job(number) for number in range(1, 6)] + [batch.job(6, parameters={"explore_mode": True})]
    rows = batch.begin(jobs, max_credits=60)
    assert Counter(batch.states(rows)) == {"done": 3, "held": 3} or batch.states(rows)[5] == "done"
    assert batch.sim.state.accounts[MAKER].spent == 50
    rows = batch.more(to_resume(rows))
    assert batch.sim.state.accounts[MAKER].spent == 50
    assert "--max-credits 60: 50 are spent" in next(each.why for each in rows if each.state == "held")


@pytest.mark.slow
def test_a_busy_account_lowers_the_pressure(make: Any) -> None:
    """An account with fewer slots than asked for gets them all done, without hammering it."""
    batch = make(max_jobs=2)
    rows = batch.begin([batch.job(number) for number in range(1, 13)], max_jobs=8)
    assert batch.states(rows) == ["done"] * 12
    assert batch.calls("createVideoToVideo") <= 12 + 40
    assert batch.tasks() == Counter(str(row) for row in range(1, 13))


@pytest.mark.slow
def test_one_poller_asks_for_all(make: Any) -> None:
    """From the last create to the first result ten running rows are looked at by lists, not one by one."""
    batch = make(task_seconds=300)
    rows = batch.begin([batch.job(number) for number in range(1, 11)], max_jobs=10, poll_interval=5.0)
    assert batch.states(rows) == ["done"] * 10
    seen = [each.operation for each in batch.sim.requests]
    together = seen[len(seen) - seen[::-1].index("createVideoToVideo") : seen.index("download")]
    assert together.count("listTasks") >= 5, "many looks"
    assert together.count("getTask") <= 10 + 10, "the first look at each row, and the last"


@pytest.mark.slow
def test_a_download_that_failed_is_fetched_by_resume(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host refuses, or the disk is full: the row fails with its task, and resume fetches it without a create."""
    batch = make()
    batch.sim.faults.add("status", "download", status=404)
    rows = batch.begin([batch.job(1), batch.job(2)])
    assert [(each.state, each.stage) for each in rows] == [("failed", "download")] * 2
    batch.sim.faults.clear()
    from useapi_runwayml._core.downloading import Target

    write = Target.write
    monkeypatch.setattr(
        Target, "write", lambda self, chunk: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    rows = batch.more(to_resume(rows))
    assert all("No space left on device" in each.why for each in rows)
    assert sorted(each.name for each in batch.folder.glob("*.mp4")) == ["c.mp4"]
    monkeypatch.setattr(Target, "write", write)
    rows = batch.more(to_resume(rows))
    assert batch.states(rows) == ["done", "done"]
    assert batch.calls("createVideoToVideo") == 2
    assert not list(batch.folder.glob(".*.part"))


@pytest.mark.slow
def test_retry_failed_pays_only_for_what_failed(make: Any) -> None:
    """A task that failed gets a second create; moderation does not; nothing is uploaded again."""
    batch = make()
    rows = batch.begin([batch.job(1), batch.job(2, "[fail]"), batch.job(3, "[moderate]")])
    rows = batch.more(to_retry(rows))
    assert batch.states(rows) == ["done", "failed", "failed"]
    assert batch.tasks() == {"1": 1, "2": 2}
    assert batch.calls("createVideoToVideo") == 4
    assert batch.calls("uploadAsset") == 1


@pytest.mark.parametrize("kind", ["close_before_action", "close_after_action", "bad_json"])
def test_a_lost_create_is_settled(make: Any, kind: str) -> None:
    """A task that exists is adopted, one that does not is sent again on proof: one task a row either way."""
    batch = make()
    batch.begin([batch.job(1)])
    batch.sim.faults.add(kind, "createVideoToVideo", times=2)
    rows = batch.more([batch.job(2), batch.job(3), batch.job(4)])
    assert batch.states(rows) == ["done"] * 4
    assert batch.tasks() == {"1": 1, "2": 1, "3": 1, "4": 1}
    assert batch.calls("createVideoToVideo") == (6 if kind == "close_before_action" else 4)


def test_a_lock_that_is_long_in_coming_holds_no_row(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database was away, however long: the service is not what a row has been patient with, and it goes on by itself."""
    looks = itertools.count()

    async def is_sure() -> bool:
        return next(looks) >= 200

    monkeypatch.setattr(posting, "_always", is_sure)
    monkeypatch.setattr(posting, "LOOK_SECONDS", 0.005)
    batch = make()
    assert batch.states(batch.begin([batch.job(1), batch.job(2)])) == ["done", "done"]
    assert batch.tasks() == {"1": 1, "2": 1}
    assert ("row 1: submitting", UNSURE) in batch.told


@pytest.mark.parametrize("decision", ["adopt", "send again", "give up"])
@pytest.mark.slow
def test_what_cannot_be_proved_is_for_a_person(make: Any, decision: Any) -> None:
    """Where lists show no replyRef a lost create is uncertain, nothing is sent, and the decision is carried out by the next run."""
    batch = make(shapes=Shapes(list_shows_reply_ref=False))
    batch.begin([batch.job(1)])
    batch.sim.faults.add("close_after_action", "createVideoToVideo", times=1)
    batch.sim.faults.add("hide_in_scheduler", "createVideoToVideo", times=1, seconds=10_000)
    rows = batch.more([batch.job(2)])
    assert batch.states(rows) == ["done", "uncertain"]
    assert "shows no replyRef" in rows[1].why
    assert rows[1].reply_ref
    assert batch.calls("createVideoToVideo") == 2
    batch.more(to_resume(rows) + to_retry(rows))
    assert batch.calls("createVideoToVideo") == 2, "neither resume nor retry-failed sends it"
    task_id = list(batch.sim.state.tasks)[-1]
    rows = batch.more([resolved(batch.rows()[1], decision, task_id)])
    assert rows[1].state == ("given up" if decision == "give up" else "done")
    assert batch.tasks()["2"] == (2 if decision == "send again" else 1)


@pytest.mark.slow
def test_uploads_are_deleted_once_all_their_rows_are_done(make: Any) -> None:
    """--delete-assets leaves what a row that is not done may still need, and assets that were there before."""
    batch = make()
    (batch.folder / "d.mp4").write_bytes(MP4 + b"d")
    batch.begin(
        [batch.job(1), batch.job(2), batch.job(3, "[fail]", video=str(batch.folder / "d.mp4"))], delete_assets=True
    )
    assert [asset.name for asset in batch.sim.state.assets.values()] == ["d.mp4"]
    asset = next(iter(batch.sim.state.assets))
    batch.more([batch.job(4, video=asset)])
    assert asset in batch.sim.state.assets


@pytest.mark.slow
def test_an_upload_rides_out_an_outage(make: Any) -> None:
    """A service that is away for a while fails no row."""
    batch = make()
    batch.sim.faults.add("unreachable", "*", times=30)
    rows = batch.begin([batch.job(1), batch.job(2)])
    assert batch.states(rows) == ["done", "done"]
    assert batch.tasks() == {"1": 1, "2": 1}


@pytest.mark.slow
def test_a_file_that_went_away_fails_its_row(make: Any) -> None:
    """Between the checks and its turn a file may be gone: said of that row."""
    batch = make()
    rows = batch.begin([batch.job(1, video=str(batch.folder / "gone.mp4")), batch.job(2)])
    assert batch.states(rows) == ["failed", "done"]
    assert "No such file" in rows[0].why


def test_the_journal_is_plain_and_one_process_runs_it(make: Any) -> None:
    """JSON alone in the journal, no token, no pickle; a second process is refused while one runs."""
    batch = make()
    batch.begin([batch.job(1, "“quoted” 😀")])
    with sqlite3.connect(batch.folder / "journal.sqlite") as database:
        inputs = [json.loads(each) for (each,) in database.execute("select inputs from workflow_input")]
        steps = [*database.execute("select output from operation_outputs")]
        job, facts = map(json.loads, database.execute("select job, facts from useapi_rows").fetchone())
        dump = "\n".join(database.iterdump())
    database.close()
    assert inputs[0]["args"] == [{"id": "row-1-1", "row": 1, "account": ""}]
    assert job["prompt"] == "row 1 “quoted” 😀"
    assert [facts["task_id"]] == [*batch.sim.state.tasks]
    assert steps == [], "what becomes of a row stands in one place"
    assert "s3cr3t" not in dump
    place = batch.journal.place
    with place.alone(), pytest.raises(BlockingIOError, match="another process runs this batch"), place.alone():
        pytest.fail("locked twice")


@pytest.mark.slow
def test_a_defect_of_ours_ends_one_row_alone(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a row raises, the others go on, and a create that may have left is uncertain."""
    from useapi_runwayml.batch.steps import Steps

    fetch = Steps.fetch

    async def broken(self: Any, row: Any, *rest: Any) -> Any:
        if row.job.row == 2:
            raise RuntimeError("a defect")
        return await fetch(self, row, *rest)

    monkeypatch.setattr(Steps, "fetch", broken)
    batch = make()
    rows = batch.begin([batch.job(number) for number in range(1, 4)])
    assert batch.states(rows) == ["done", "failed", "done"]
    assert "a defect" in rows[1].why
    monkeypatch.setattr(Steps, "fetch", fetch)
    assert batch.states(batch.more(to_resume(rows))) == ["done"] * 3
    assert batch.tasks() == {"1": 1, "2": 1, "3": 1}, "its task is fetched, not made anew"


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.slow
def test_a_closed_gate_does_not_hide_a_create_that_may_have_left(
    make: Any, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    """An intent without an outcome is settled first, even when the account is shut: resume never sends it blindly."""
    from useapi_runwayml.batch import limits
    from useapi_runwayml.batch.steps import Steps

    post = Steps._post

    async def interrupted(self: Any, row: Any, *rest: Any) -> Any:
        if row.job.row == 2:
            if exists:
                await post(self, row, *rest)
            raise KeyboardInterrupt
        return await post(self, row, *rest)

    batch = make()
    batch.begin([batch.job(1)])
    monkeypatch.setattr(Steps, "_post", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batch.more([batch.job(2)])
    monkeypatch.setattr(Steps, "_post", post)
    assert batch.rows()[1].state == ("submitting" if exists else "uploaded"), "what never left is taken back"
    begin = limits.reopen
    monkeypatch.setattr(limits, "reopen", lambda connection: limits.close(connection, MAKER, "the account is shut", ""))
    found = batch.run()
    assert batch.states(found) == ["done", "done" if exists else "held"], found[1].why
    monkeypatch.setattr(limits, "reopen", begin)
    assert batch.states(batch.more(to_resume(batch.rows()))) == ["done", "done"]
    assert batch.tasks() == {"1": 1, "2": 1}


@pytest.mark.slow
def test_pauses_of_an_earlier_process_are_not_kept_again(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that met twenty 429s goes on at once when it is resumed."""
    batch = make()
    batch.begin([batch.job(1)])
    batch.sim.faults.add("busy", "createVideoToVideo", times=20, retry_after="11")
    creates = batch.calls("createVideoToVideo")
    sleep, pauses = BatchClock.asleep, []

    async def asleep(self: BatchClock, seconds: float) -> None:
        if seconds == 11:
            pauses.append(seconds)
            if len(pauses) == 20:
                raise KeyboardInterrupt
            seconds = 0
        await sleep(self, seconds)

    monkeypatch.setattr(BatchClock, "asleep", asleep)
    with pytest.raises(KeyboardInterrupt):
        batch.more([batch.job(2)])
    assert batch.states(batch.run()) == ["done", "done"]
    assert len(pauses) == 20
    assert batch.calls("createVideoToVideo") == creates + 21


@pytest.mark.slow
def test_a_second_attempt_counts_for_the_budget(make: Any) -> None:
    """What a failed task has cost is spent, also when the row is tried again."""
    batch = make()
    rows = batch.begin([batch.job(1, "[fail]"), batch.job(2)], max_credits=60)
    assert batch.states(rows) == ["failed", "done"]
    rows = batch.more(to_retry(rows))
    assert batch.states(rows) == ["held", "done"]
    assert "50 are spent" in rows[0].why
    assert batch.sim.state.accounts[MAKER].spent == 50


@pytest.mark.slow
def test_an_upload_that_the_service_lost_is_made_again(make: Any) -> None:
    """A create that finds no asset fails its row; the next attempt uploads the file anew."""
    batch = make()
    assert batch.states(batch.begin([batch.job(1)])) == ["done"]
    with batch.sim.lock:
        batch.sim.state.assets.clear()
    rows = batch.more([batch.job(2)])
    assert (rows[1].state, rows[1].error) == ("failed", "NotFoundError")
    assert batch.states(batch.more(to_retry(rows))) == ["done", "done"]
    assert batch.calls("uploadAsset") == 2


@pytest.mark.slow
def test_a_terminal_that_went_away_ends_no_row(make: Any) -> None:
    """Whoever looks on may break at any event; rows go on all the same."""
    batch = make()
    batch.journal.add([batch.job(number) for number in range(1, 4)])

    def broken(job: Job | None, state: str, why: str) -> None:
        raise BrokenPipeError

    rows = runner.run(
        batch.journal,
        Settings(poll_interval=2.0),
        clock=BatchClock(SPEED),
        on_event=broken,
        http_client=lambda **how: httpx.AsyncClient(transport=SimulatorTransport(batch.sim, batch.clock), **how),
    )
    assert batch.states(rows) == ["done"] * 3


@pytest.mark.slow
def test_a_file_of_somebody_else_is_never_replaced(make: Any) -> None:
    """A name that was taken since the checks fails its row with the task, and resume fetches it once the name is free."""
    batch = make()
    taken = batch.folder / "1.mp4"
    taken.write_bytes(b"another's")
    rows = batch.begin([batch.job(1), batch.job(2)])
    assert batch.states(rows) == ["failed", "done"]
    assert "is not this row's" in rows[0].why
    assert rows[0].task_id
    rows = batch.more(to_resume(rows))
    assert taken.read_bytes() == b"another's"
    taken.unlink()
    rows = batch.more(to_resume(rows))
    assert batch.states(rows) == ["done", "done"]
    assert batch.calls("createVideoToVideo") == 2


@pytest.mark.slow
def test_a_create_that_comes_to_nothing_ends(make: Any) -> None:
    """A service that always fails, and proves that nothing was made, is asked three times, not for ever."""
    batch = make()
    batch.begin([batch.job(1)])
    batch.sim.faults.add("status", "createVideoToVideo", status=500)
    rows = batch.more([batch.job(2)])
    assert batch.states(rows) == ["done", "failed"]
    assert "3 creates came to nothing" in rows[1].why
    assert batch.calls("createVideoToVideo") == 1 + 3


@pytest.mark.slow
def test_an_outage_that_lasts_holds_the_row(make: Any) -> None:
    """Creates that are never sent for a quarter of an hour are held until resume."""
    batch = make()
    batch.begin([batch.job(1)])
    asset = str(batch.rows()[0].asset_id)
    batch.sim.faults.add("unreachable", "createVideoToVideo")
    rows = batch.more([batch.job(2, video=asset)])
    assert batch.states(rows) == ["done", "held"]
    batch.sim.faults.clear()
    assert batch.states(batch.more(to_resume(rows))) == ["done", "done"]
    assert batch.tasks() == {"1": 1, "2": 1}


@pytest.mark.slow
def test_a_gate_that_is_shut_saves_the_uploads(make: Any) -> None:
    """Once an account has no credits, nothing more is uploaded for it, though the rows name no account."""
    batch = make(credits=25)
    jobs = []
    for number in range(1, 31):
        (batch.folder / f"v{number}.mp4").write_bytes(MP4 + bytes([number]))
        jobs.append(batch.job(number, video=str(batch.folder / f"v{number}.mp4")))
    rows = batch.begin(jobs, max_jobs=2)
    assert Counter(batch.states(rows)) == {"done": 1, "held": 29}
    assert batch.calls("uploadAsset") <= 10


@pytest.mark.slow
def test_a_changed_clip_is_uploaded_anew_for_its_retry(make: Any) -> None:
    """A further attempt takes the file as it is now."""
    batch = make()
    rows = batch.begin([batch.job(1, "[fail]")])
    (batch.folder / "c.mp4").write_bytes(MP4 + b"mended")
    batch.sim.state.accounts[MAKER].credits = 10_000
    batch.more(to_retry(rows))
    assert batch.calls("uploadAsset") == 2


@pytest.mark.slow
def test_what_was_uncertain_is_looked_for_by_resume(make: Any) -> None:
    """Once lists show what they did not, resume adopts the task; it sends again only on proof, and else leaves it uncertain."""
    batch = make(shapes=Shapes(list_shows_reply_ref=False))
    batch.begin([batch.job(1)])
    batch.sim.faults.add("close_after_action", "createVideoToVideo", nth=1)
    batch.sim.faults.add("close_before_action", "createVideoToVideo", nth=2)
    batch.sim.faults.add("hide_in_scheduler", "createVideoToVideo", nth=1, seconds=10_000)
    rows = batch.more([batch.job(2)])
    rows = batch.more([batch.job(3)])
    assert batch.states(rows) == ["done", "uncertain", "uncertain"]
    assert batch.states(batch.more(to_resume(rows))) == ["done", "uncertain", "uncertain"]
    assert batch.calls("createVideoToVideo") == 3
    batch.sim.shapes = Shapes()
    rows = batch.more(to_resume(batch.rows()))
    assert batch.states(rows) == ["done", "done", "done"], rows[2].why
    assert batch.tasks() == {"1": 1, "2": 1, "3": 1}


@pytest.mark.slow
def test_rows_start_in_the_order_of_the_file(make: Any) -> None:
    """One slot: the tasks of the service are those of the rows, one after the other."""
    batch = make()
    rows = batch.begin([batch.job(number) for number in range(1, 13)], max_jobs=1)
    assert batch.states(rows) == ["done"] * 12
    created = [task.request["text_prompt"].split()[1] for task in batch.sim.state.tasks.values()]
    assert created == [str(number) for number in range(1, 13)]


def test_what_nobody_else_can_have_changed_is_not_asked(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch in a folder asks its store six times a row, and whether a row is open only while it has none; others are not looked for each second."""
    asked: list[str] = []
    slept: set[float] = set()
    now, sleep = Transactions.now, asyncio.sleep

    def counted(self: Transactions, work: Any) -> Any:
        asked.append(getattr(work, "__qualname__", "").split(".")[0])
        return now(self, work)

    def noted(seconds: float, *more: Any) -> Any:
        slept.add(seconds)
        return sleep(seconds, *more)

    monkeypatch.setattr(accounts, "LOOK_SECONDS", 600.0)
    monkeypatch.delattr(presence.Alone, "is_sure")
    batch = make()
    rows = 12
    batch.journal.add([batch.job(number) for number in range(1, rows + 1)])
    batch.settings = Settings(max_jobs=2, poll_interval=2.0)
    monkeypatch.setattr(Transactions, "now", counted)
    monkeypatch.setattr(asyncio, "sleep", noted)
    assert batch.states(batch.run()) == ["done"] * rows
    told = Counter(asked)
    assert told["Ledger"] == 6 * rows + 1, "and once before the upload"
    assert told["Journal"] <= 9
    assert runner.BEAT not in slept
    assert 5 * runner.BEAT in slept


@pytest.mark.parametrize(
    ("state", "attempt", "is_swept"), [("queued", 1, False), ("waiting", 1, True), ("queued", 2, True)]
)
def test_only_what_was_begun_before_is_looked_for(tmp_path: Path, state: str, attempt: int, is_swept: bool) -> None:
    """The folder of a result is read for what a killed download left there only where an earlier process may have begun one."""
    journal = Journal(tmp_path)
    journal.prepare()
    job = Job(1, 2, "c.mp4", "x", str(tmp_path / "1.mp4"), attempt=attempt, task_id="t" if state == "waiting" else None)
    journal.add([job], Settings())
    ledger = Ledger(journal.transactions, "w", journal.root)
    row = asyncio.run(ledger.take(job.id))
    journal.close()
    assert row is not None
    long = "x" * 240  # with more behind it, it would be too long for a name
    for name, beside in (("1.mp4", "2.mp4"), (f"{long}1.mp4", f"{long}2.mp4")):
        mine, others = (results.place_of(tmp_path / each, job.id) for each in (name, beside))
        # the place of a whole result, and the temporary file of the download to it
        left, kept = ([each, Partial(each).partial] for each in (mine, others))
        for each in (*left, *kept):
            each.write_bytes(b"half")
        results.make_room(tmp_path / name, mine, sweeps=row.was_begun)
        assert [each.exists() for each in left] == [not is_swept] * 2
        assert all(each.exists() for each in kept)


@pytest.mark.slow
def test_a_slot_of_a_row_that_was_interrupted_holds_up_none_before_it(make: Any) -> None:
    """Its process ended between its slot and its intent, when an earlier row had given its own back: both are done all the same."""
    batch = make()
    begun = time.monotonic()

    def patience() -> None:
        if time.monotonic() > begun + 30:
            pytest.fail("they wait for each other")

    batch.journal.add([batch.job(1), batch.job(2)], Settings(max_jobs=1))
    later = batch.journal.workflow(batch.job(2))
    email = "maker@example.com"
    batch.journal.transactions.now(lambda connection: limits.know(connection, email, 1))
    batch.journal.transactions.now(lambda connection: limits.take(connection, email, later, 1))
    rows = runner.run(
        batch.journal,
        Settings(max_jobs=1, poll_interval=2.0),
        clock=BatchClock(SPEED),
        http_client=lambda **how: httpx.AsyncClient(transport=SimulatorTransport(batch.sim, batch.clock), **how),
        go_on=patience,
    )
    assert batch.states(rows) == ["done", "done"]
    assert batch.tasks() == {"1": 1, "2": 1}
