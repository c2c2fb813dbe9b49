"""A batch never waits without a word, heeds every wish to wait, and ends when nothing can go on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from useapi_runwayml import errors
from useapi_runwayml.batch.changes import to_resume
from useapi_runwayml.batch.clock import BatchClock, ServiceClock
from useapi_runwayml.batch.endings import Endings
from useapi_runwayml.batch.journal import FILE, Journal
from useapi_runwayml.batch.limits import Held
from useapi_runwayml.batch.notices import Notices
from useapi_runwayml.batch.pulse import Pulse, lasting
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN, spawn
from .test_batch_run import Batch, make

__all__ = ["make"]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What `status` would have said at each change."""
    found: list[dict[str, str]] = []
    tell = Notices.tell

    def watched(self: Notices, about: str, told: str) -> bool:
        is_new = tell(self, about, told)
        found.append(self.all())
        return is_new

    monkeypatch.setattr(Notices, "tell", watched)
    return found


def calls_between(batch: Batch, operation: str, seconds: float) -> int:
    """How often it was asked within so many seconds after the first time."""
    times = [each.at for each in batch.sim.requests if each.operation == operation]
    return sum(at - times[0] < seconds for at in times)


@pytest.mark.parametrize(
    ("operation", "about"),
    [
        ("createVideoToVideo", "row 1: waiting for a slot"),
        ("uploadAsset", "row 1: uploading"),
        ("download", "row 1: downloading"),
    ],
)
@pytest.mark.slow
def test_a_wish_to_wait_is_heeded_and_told(make: Any, seen: list[dict[str, str]], operation: str, about: str) -> None:
    """Half an hour of Retry-After: one request in it, words with the time for whoever looks on and for status, and none once it is over."""
    batch = make()
    batch.sim.faults.add("status", operation, times=1, status=429, retry_after="1800")
    rows = batch.begin([batch.job(1)])
    assert batch.states(rows) == ["done"]
    assert any("again in 30 min" in each for each in batch.words(about)), batch.told
    assert any("again in 30 min" in each.get("row-1-1", "") for each in seen)
    assert batch.journal.notices.all() == {}
    assert calls_between(batch, operation, 1790) == 1


@pytest.mark.slow
def test_the_services_wish_is_told_of_reads_too(make: Any, seen: list[dict[str, str]]) -> None:
    """A read that nobody made for one row alone, and a result's host: what was asked, the answer, and how long."""
    batch = make()
    batch.sim.faults.add("status", "download", times=1, status=429, retry_after="7200")
    batch.sim.faults.add("status", "getTask", times=1, status=503, retry_after="600")
    assert batch.states(batch.begin([batch.job(1)])) == ["done"]
    assert batch.words("GET /v1/runwayml/tasks") == ["503, and it asks to wait 10 min"]
    assert batch.words("GET runway.simulator") == ["429, and it asks to wait 2 h 0 min"]
    assert {"GET /v1/runwayml/tasks": "503, and it asks to wait 10 min"} in seen


@pytest.mark.slow
def test_a_service_that_is_silent_is_told_once(make: Any, seen: list[dict[str, str]]) -> None:
    """No connection for minutes: a word, and not one for each try; once it answers the word is gone."""
    batch = make(task_seconds=900)
    batch.sim.faults.add("close_before_action", "getTask", times=200)
    batch.sim.faults.add("close_before_action", "listTasks", times=200)
    assert batch.states(batch.begin([batch.job(1)])) == ["done"]
    assert batch.words("the service") == ["no answer, or no connection; it is asked again and again"]
    assert batch.told[-1][0] == "row 1: done"
    assert any("the service" in each for each in seen)
    assert "the service" not in seen[-1]


@pytest.mark.slow
def test_a_gate_that_closes_is_told(make: Any, seen: list[dict[str, str]]) -> None:
    """While others of its tasks run: which account, why, and what opens it."""
    batch = make(credits=25, task_seconds=300)
    rows = batch.begin([batch.job(1), batch.job(2)], max_jobs=1)
    assert batch.states(rows) == ["done", "held"]
    (told,) = batch.words("account maker@example.com")
    assert told.startswith("no more creates until `batch resume`: POST /gen3turbo/video: 412")
    assert {"account maker@example.com": told} in [
        {about: words for about, words in each.items() if "account" in about} for each in seen
    ]


@pytest.mark.slow
def test_a_create_that_is_looked_for_is_told(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it is looked for, and how long; and that without a date nothing is proved."""
    batch = make()
    batch.sim.faults.add("close_before_action", "createVideoToVideo", times=1)
    assert batch.states(batch.begin([batch.job(1)], settle=60)) == ["done"]
    assert any("its task is looked for, up to 60 s" in each for each in batch.words("row 1: submitting"))
    monkeypatch.setattr("useapi_runwayml.batch.clock.ServiceClock.now", lambda self: None)
    batch.sim.faults.add("close_before_action", "createVideoToVideo", times=1)
    rows = batch.more([batch.job(2)])
    assert batch.states(rows) == ["done", "uncertain"]
    assert any("the answers tell no date" in each for each in batch.words("row 2: submitting"))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(30, "30 s"), (119, "119 s"), (120, "2 min"), (3599, "1 h 0 min"), (7200, "2 h 0 min"), (5430, "1 h 30 min")],
)
def test_a_pause_in_words(seconds: float, told: str) -> None:
    """Seconds below two minutes, then minutes, then hours with them."""
    assert lasting(seconds) == told


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (399, {"retry-after": "3600"}, ""),
        (400, {"retry-after": "3600"}, "400, and it asks to wait 1 h 0 min"),
        (429, {"retry-after": "29"}, ""),
        (429, {"retry-after": "30"}, "429, and it asks to wait 30 s"),
        (503, {"retry-after": "Fri, 02 Jan 2026 05:00:00 GMT", "date": "Fri, 02 Jan 2026 03:00:00 GMT"}, "2 h 0 min"),
        (200, {"retry-after": "3600"}, ""),
        (503, {}, ""),
    ],
)
def test_what_an_answer_says_of_the_service(status: int, headers: dict[str, str], said: str) -> None:
    """Half a minute and more of an answer that refuses; of the service's parts without ids, of other hosts by their name."""
    found: dict[str, str] = {}
    pulse = Pulse(BatchClock(), lambda about, told: found.__setitem__(about, told))
    service = httpx.Request("GET", "https://a.test/v1/runwayml/tasks/user:1-x", headers={"authorization": "x"})
    host = httpx.Request("GET", "https://b.test/secret.mp4?token=x")
    for request in (service, host):
        asyncio.run(pulse.answered(httpx.Response(status, headers=headers, request=request)))
    assert found.pop("the service", "") == ""
    assert set(found) == {"GET /v1/runwayml/tasks", "GET b.test"}
    assert said in found["GET b.test"]
    assert bool(said) == bool(found["GET /v1/runwayml/tasks"])


def test_silence_is_that_of_the_oldest_read() -> None:
    """Half a minute after a read without any answer since, however often it was asked again; an upload may take its time."""
    now, found = [0.0], list[tuple[str, str]]()

    class Clock(BatchClock):
        def monotonic(self) -> float:
            return now[0]

    pulse = Pulse(Clock(), lambda about, told: found.append((about, told)))
    read, sent = (httpx.Request(method, "https://a.test/v1/x") for method in ("GET", "POST"))

    def at(moment: float, request: httpx.Request | None = None) -> list[tuple[str, str]]:
        now[0] = moment
        if request is not None:
            asyncio.run(pulse.asked(request))
        pulse.check()
        return [each for each in found if each[1]]

    assert at(0, sent) == at(100) == []
    assert at(100, read) == at(110, read) == at(129.9, sent) == []
    ((about, told),) = at(130)
    assert about == "the service"
    assert "no answer" in told
    found.clear()
    asyncio.run(pulse.answered(httpx.Response(200, request=read)))
    assert at(500) == []
    assert at(500, read) == []
    assert at(530) != []


def test_a_service_that_is_down_is_told() -> None:
    """Hours of 503 without a Retry-After are no answers: half a minute after the last one that was, and until there is one again."""
    now, found = [0.0], list[str]()

    class Clock(BatchClock):
        def monotonic(self) -> float:
            return now[0]

    pulse = Pulse(Clock(), lambda about, told: found.append(told))
    read, sent = (
        httpx.Request(method, "https://a.test/v1/x", headers={"authorization": "x"}) for method in ("GET", "POST")
    )

    def at(moment: float, status: int, request: httpx.Request = read) -> str:
        now[0] = moment
        asyncio.run(pulse.asked(request))
        asyncio.run(pulse.answered(httpx.Response(status, request=request)))
        pulse.check()
        return next((each for each in reversed(found) if "no answer" not in each), "")

    assert at(0, 503) == at(29, 502) == ""
    assert at(30, 503) == at(3600, 503) == "it answers 503; it is asked again and again"
    assert at(3700, 404) == ""
    assert at(3800, 503, sent) == at(3900, 503, sent) == "", "a create's answer is its row's"


def test_a_wish_to_wait_is_an_answer_and_the_word_of_silence_goes() -> None:
    """From 500 on an answer says that the service is down, below it that it is there; and so does one that asks to wait."""
    now, words = [0.0], dict[str, str]()

    class Clock(BatchClock):
        def monotonic(self) -> float:
            return now[0]

    pulse = Pulse(Clock(), words.__setitem__)
    read = httpx.Request("GET", "https://a.test/v1/x", headers={"authorization": "x"})

    def at(moment: float, status: int | None = None, **headers: str) -> str:
        now[0] = moment
        asyncio.run(pulse.asked(read))
        if status is not None:
            asyncio.run(pulse.answered(httpx.Response(status, headers=headers, request=read)))
        pulse.check()
        return words.get("the service", "")

    down = "it answers 500; it is asked again and again"
    silent = "no answer, or no connection; it is asked again and again"
    assert [at(0, 500), at(30, 500), at(60, 499)] == ["", down, ""]
    assert [at(100), at(130)] == ["", silent]
    assert [at(140, 503, **{"retry-after": "3600"}), at(150), at(179), at(180)] == ["", "", "", silent]


def test_a_row_that_is_waited_for_no_more_is_known_as_such() -> None:
    """A callback of its task is another worker's then; while it is waited for it is this one's."""
    asked = list[bool]()

    class Tasks:
        async def wait(self, task_id: str, **how: Any) -> None:
            asked.append(task_id in endings.waited_for)
            raise errors.TaskCancelledError("it was cancelled", task_id=task_id)

    there: Any = SimpleNamespace(tasks=Tasks())
    row: Any = SimpleNamespace(
        facts=SimpleNamespace(task_id="t"), settings=SimpleNamespace(poll_interval=None), job=SimpleNamespace(row=1)
    )
    clock, nobody = BatchClock(), cast("Any", None)
    endings = Endings(there, clock, ServiceClock(clock), nobody)
    assert asyncio.run(endings.wait(row, nobody))["kind"] == "failed"
    assert asked == [True]
    assert endings.waited_for == set()


def test_why_a_row_is_held_is_its_words_alone() -> None:
    """The error behind them is told apart."""
    held = Held("no credits", "InsufficientCreditsError")
    assert (str(held), held.error) == ("no credits", "InsufficientCreditsError")


# -- a full disk -------------------------------------------------------------------------------------------------------
# the command line, whose files may not grow beyond the journal of this moment and some bytes more
CHILD = """
import functools, os, resource, sys
from useapi_runwayml.batch import runner
from useapi_runwayml.cli.app import run
runner.BatchClock = functools.partial(runner.BatchClock, 60)
room, begin = int(os.environ.get("ROOM", 0)), runner.run
def limited(journal, *given, **more):
    most = (journal.place.path / "journal.sqlite").stat().st_size + room
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    return begin(journal, *given, **more)
if room:
    runner.run = limited
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="there are no limits of files")
@pytest.mark.parametrize("room", [-40_000, -4_096, 1])
@pytest.mark.slow
def test_a_full_disk_ends_the_process(tmp_path: Path, room: int) -> None:
    """With words and its exit code, no row is blamed; with room again it goes on, and no row was paid twice."""
    (tmp_path / "c.mp4").write_bytes(MP4)
    lines = "".join(f"c.mp4,row {row},5,{row}.mp4\n" for row in range(1, 13))
    (tmp_path / "jobs.csv").write_text(f"video,prompt,seconds,output\n{lines}", encoding="utf-8")
    sim = Simulator(max_jobs=4, credits=10_000, task_seconds=30)
    with SimulatorServer(sim, clock=RunningClock(60)) as server:
        bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # it writes too
        environment = {**bare, "USEAPI_TOKEN": TOKEN, "USEAPI_RUNWAYML_BASE_URL": server.base_url}

        def cli(*arguments: str, room: int = 0) -> tuple[int, str, str]:
            process = spawn(
                [sys.executable, "-W", "error", "-c", CHILD, "batch", *arguments],
                cwd=tmp_path,
                env={**environment, "ROOM": str(room)},
            )
            out, told = process.communicate(timeout=120)
            return process.returncode, out, told

        code, _, told = cli("run", "jobs.csv", "--yes", "--max-jobs", "4", "--poll-interval", "5", room=room)
        assert code == 1, told
        assert "Traceback" not in told
        assert "sqlalche" not in told
        last, hint = told.splitlines()[-2:]
        assert ".useapi-runwayml/jobs.csv/journal.sqlite: the journal cannot be used" in last
        assert "is the disk full?" in last
        assert (
            hint == "Tasks that were started go on at the service. Resume with: useapi-runwayml batch resume jobs.csv"
        )
        states = [row["state"] for row in json.loads(cli("status", "jobs.csv", "--json")[1])]
        assert "failed" not in states
        assert "done" not in states or room > 0
        code, out, told = cli("resume", "jobs.csv", "--yes")
        assert code == 0, (out, told)
    assert sorted(task.request["text_prompt"] for task in sim.state.tasks.values()) == sorted(
        f"row {row}" for row in range(1, 13)
    )
    assert all((tmp_path / "results" / "jobs" / f"{row}.mp4").read_bytes() == MP4 for row in range(1, 13))


def test_a_broken_journal_is_told(tmp_path: Path) -> None:
    """Whatever is done with it: the file, and what is wrong with it."""
    (tmp_path / FILE).write_bytes(b"no database, but long enough to be taken for one" * 20)
    journal = Journal(tmp_path)
    with pytest.raises(OSError, match=r"journal cannot be used: file is not a database; the file is no journal"):
        journal.options()
    assert journal.failure is not None
    journal.close()


@pytest.mark.slow
def test_resume_takes_up_what_was_told(make: Any) -> None:
    """What another process waited for is not said of this one."""
    batch = make()
    batch.journal.notices.worker = "another"
    batch.journal.notices.tell("row-1-1", "again in 2 h")
    rows = batch.begin([batch.job(1)])
    assert batch.journal.notices.all() == {}
    assert to_resume(rows) == []


def test_what_cannot_be_recorded_ends_all_even_where_reads_work(make: Any) -> None:
    """Whoever met it: the process asks no further."""
    from useapi_runwayml.batch.store import StoreFailed

    batch = make()
    assert not batch.journal.transactions.now(batch.journal.has_open)
    batch.journal._fail(StoreFailed(5, "the journal cannot be used: database or disk is full; make room", "j"))
    with pytest.raises(StoreFailed, match="make room"):
        batch.begin([batch.job(1)])
    assert batch.rows()[0].state in ("queued", "uploaded")
