"""A batch on several machines: workers of one PostgreSQL, who of them is gone, and who takes over what."""

from __future__ import annotations

import asyncio
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError, ProgrammingError

from useapi_runwayml.batch import journal as journals
from useapi_runwayml.batch import presence as presences
from useapi_runwayml.batch.estates import take_over
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.ledger import Settings
from useapi_runwayml.batch.notices import Notices
from useapi_runwayml.batch.places import Database, Unusable
from useapi_runwayml.batch.presence import Locked, PresenceLost, process_of
from useapi_runwayml.batch.tables import DOUBTFUL, INHERITED, LIVING, NOTICES, OVER, ROWS, WORKERS

from .postgres import Postgres
from .refusing import UNREACHED, of_driver


@pytest.fixture
def journal(postgres: Postgres, tmp_path: Path) -> Iterator[Journal]:
    made = Journal(Database.of(postgres.prepared(), "b"), tmp_path)
    yield made
    made.close()


@pytest.fixture
def worker(journal: Journal) -> Iterator[Any]:
    """Makes workers that are there."""
    made: list[Locked] = []

    def new() -> Locked:
        assert isinstance(journal.place, Database)
        made.append(Locked(journal.engine, journal.place.url))
        made[-1].begin()
        return made[-1]

    yield new
    for each in made:
        each._close()


def life(journal: Journal, worker: Locked) -> int:
    question = select(WORKERS.c.life).where(WORKERS.c.id == worker.worker)
    return int(journal.transactions.now(lambda connection: connection.scalar(question)))


def change(journal: Journal, worker: Locked, **values: Any) -> None:
    statement = update(WORKERS).where(WORKERS.c.id == worker.worker).values(**values)
    journal.transactions.now(lambda connection: connection.execute(statement))


def vanish(worker: Locked) -> None:
    """Its lock is free, as that of a killed process."""
    worker._close()


# -- who is gone -------------------------------------------------------------------------------------------------------
def test_a_worker_holds_its_lock_as_long_as_its_connection(journal: Journal, worker: Any, postgres: Postgres) -> None:
    """It is sure while it does; a connection that was cut makes it unsure at once, and it comes back by itself."""
    one = worker()
    assert one.is_sure()
    postgres.cut(str(journal.place))
    assert not one.is_sure()
    assert not one.is_sure()
    look_until_sure(one)
    assert life(journal, one) == LIVING


def look_until_sure(worker: Locked) -> None:
    for _ in range(200):
        try:
            worker.look()
        except sqlalchemy.exc.DBAPIError:
            time.sleep(0.05)
        if worker.is_sure():
            return
    pytest.fail("it never came back")


def test_the_lock_that_is_held_is_its_own(journal: Journal, worker: Any) -> None:
    """A connection to another session, or one that lost the lock, is no proof."""
    one, other = worker(), worker()
    one._backend += 1
    assert not one.is_sure()
    one.look()
    assert one.is_sure(), "what it had before holds up nothing"
    assert other._own is not None
    other._own.execute(sqlalchemy.text("select pg_advisory_unlock_all()"))
    assert not other.is_sure()


@pytest.mark.parametrize(
    ("is_stale", "is_restarted", "is_here", "found"),
    [
        (False, False, False, LIVING),
        (True, False, False, OVER),
        (True, True, False, DOUBTFUL),
        (False, True, False, LIVING),
        (False, True, True, OVER),
        (True, True, True, OVER),
    ],
)
def test_who_is_gone(
    journal: Journal, worker: Any, is_stale: bool, is_restarted: bool, is_here: bool, found: int
) -> None:
    """A free lock with a stale beat, unless the server was restarted since; or a process that is seen to be gone on this host."""
    one, other = worker(), worker()
    vanish(other)
    change(journal, other, place="elsewhere")
    if is_stale:
        change(journal, other, beat=WORKERS.c.beat - 3.5)
    if is_restarted:
        change(journal, other, server="another time")
    if is_here:
        change(journal, other, place=presences.place_of_processes(), process="999999999 1")
    one.look()
    assert life(journal, other) == found
    assert life(journal, one) == LIVING


def test_a_worker_that_holds_its_lock_is_never_gone(journal: Journal, worker: Any) -> None:
    """However stale its beat: it may be stopped, and go on at any moment."""
    one, other = worker(), worker()
    change(journal, other, beat=0, place="elsewhere", server="another time")
    one.look()
    assert life(journal, other) == LIVING


def test_a_process_that_is_there_is_not_gone(journal: Journal, worker: Any) -> None:
    """On the same host: by its number and the moment it began, not by its number alone."""
    one, other = worker(), worker()
    vanish(other)
    change(journal, other, server="another time")
    one.look()
    assert life(journal, other) == LIVING
    mine = process_of(os.getpid())
    change(journal, other, process=mine + "1")
    one.look()
    assert life(journal, other) == OVER


def test_a_beat_in_the_last_moment_counts(journal: Journal, worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at a worker and the mark: it is there, and is not marked."""
    one, other = worker(), worker()
    vanish(other)
    change(journal, other, place="elsewhere", beat=0)
    number = presences._number

    def late(name: str) -> int:
        change(journal, other, beat=1)
        return number(name)

    monkeypatch.setattr(presences, "_number", late)
    with journal.engine.begin() as connection:
        one._judge(connection)
    assert life(journal, other) == LIVING


def test_where_processes_cannot_be_seen_none_is_seen_to_be_gone(
    journal: Journal, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a system without such files two hosts would look like one."""
    monkeypatch.setattr(presences, "place_of_processes", lambda: "")
    monkeypatch.setattr(presences, "process_of", lambda pid: "")
    one, other = worker(), worker()
    vanish(other)
    change(journal, other, process="7 1")
    one.look()
    assert life(journal, other) == LIVING


def test_a_worker_in_doubt_comes_back(journal: Journal, worker: Any) -> None:
    """After a restart of the server it takes its lock again and goes on; one that was taken for gone sends nothing more."""
    one, other = worker(), worker()
    vanish(other)
    change(journal, other, place="elsewhere", server="another time", beat=0)
    one.look()
    assert life(journal, other) == DOUBTFUL
    other.look()
    assert life(journal, other) == LIVING
    assert other.is_sure()
    vanish(other)
    change(journal, other, life=OVER)
    with pytest.raises(PresenceLost, match="nothing more is sent"):
        other.look()


def test_an_end_is_told_at_once(journal: Journal, worker: Any) -> None:
    """Nobody waits for a beat to become stale."""
    one, other = worker(), worker()
    other.end()
    assert life(journal, other) == OVER
    assert not other.is_sure()
    one.look()
    assert life(journal, other) == OVER


def test_a_worker_that_is_there_hides_none_that_is_gone(journal: Journal, worker: Any) -> None:
    """All others are looked at; and what a worker waited for, or one that ends, nobody waits for once it is gone, and only then."""
    one, living, doubtful, dead = (worker() for _ in range(4))
    for each in (one, living, doubtful, dead):
        notices = Notices(journal.engine)
        notices.worker = each.worker
        notices.tell("row", "again in 2 h")
    for each in (doubtful, dead):
        vanish(each)
        change(journal, each, place="elsewhere", beat=WORKERS.c.beat - 3.5)
    change(journal, doubtful, server="another time")
    one.look()
    assert [life(journal, each) for each in (living, doubtful, dead)] == [LIVING, DOUBTFUL, OVER]

    def waiting_ones() -> set[str]:
        return journal.transactions.now(lambda connection: {*connection.execute(select(NOTICES.c.worker)).scalars()})

    assert waiting_ones() == {one.worker, living.worker, doubtful.worker}
    living.end()
    assert waiting_ones() == {one.worker, doubtful.worker}


def test_ids_that_differ_in_their_last_digit_have_two_locks(journal: Journal) -> None:
    """One of the two is gone, and is known to be."""
    assert isinstance(journal.place, Database)
    one, other = Locked(journal.engine, journal.place.url), Locked(journal.engine, journal.place.url)
    one.worker, other.worker = "fffffffe" + "0" * 24, "ffffffff" + "0" * 24
    try:
        one.begin()
        other.begin()
        vanish(other)
        change(journal, other, place="elsewhere", beat=WORKERS.c.beat - 3.5)
        one.look()
        assert (life(journal, one), life(journal, other)) == (LIVING, OVER)
    finally:
        for each in (one, other):
            each._close()


def test_a_process_is_known_by_the_moment_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for all of its life, whatever room it takes; a later one began later; where nothing tells it there is no word of it."""
    mine = process_of(os.getpid())
    if not mine:
        pytest.skip("this system has no such files")
    with mmap.mmap(-1, 1 << 26):
        assert process_of(os.getpid()) == mine
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        number, began = process_of(child.pid).split()
        child.communicate(b"\n")
    assert (number, int(began) > int(mine.split()[1])) == (str(child.pid), True)
    assert process_of(child.pid) == ""
    assert presences.place_of_processes()

    def missing(path: str) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "readlink", missing)
    assert presences.place_of_processes() == ""


def test_a_pooler_is_refused(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gives two connections the same session keeps no lock: it is told in words, before anything is sent."""
    assert isinstance(journal.place, Database)
    engine = sqlalchemy.create_engine(journal.place.url, pool_size=1, max_overflow=0)
    one = Locked(engine, journal.place.url)
    register = Locked._register

    def pooled(self: Locked, own: Any, backend: int) -> None:
        with engine.connect() as other:
            backend = other.scalar(sqlalchemy.text("select pg_backend_pid()"))
        register(self, own, backend)

    monkeypatch.setattr(Locked, "_register", pooled)
    with pytest.raises(OSError, match="a pooler that shares connections between transactions"):
        one.begin()
    one._close()
    engine.dispose()


def test_a_lock_counts_only_once_its_worker_is_known(
    journal: Journal, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that was made anew, and could not be made known, proves nothing; it is made again until it is."""
    one = worker()
    vanish(one)
    beat = Locked._beat
    with monkeypatch.context() as patch:
        patch.setattr(
            Locked, "_beat", lambda self, own, backend: (_ for _ in ()).throw(OSError("too many connections"))
        )
        with pytest.raises(OSError, match="too many") as kept:
            one.look()
        assert not one.is_sure()
    assert Locked._beat is beat
    one.look()
    assert one.is_sure(), "no session has its lock any more, though the error is kept"
    assert kept.value.args == ("too many connections",)


def test_one_that_was_taken_for_gone_is_sure_of_nothing_more(journal: Journal, worker: Any) -> None:
    """Also where its connection never broke."""
    one = worker()
    change(journal, one, life=OVER)
    with pytest.raises(PresenceLost):
        one.look()
    assert not one.is_sure()


def test_a_crash_of_the_server_that_ends_all_sessions_is_a_restart(journal: Journal, worker: Any) -> None:
    """It recovers without a new start, and its unlogged tables are empty: nobody is taken for gone by a lock that vanished so."""
    one, other = worker(), worker()
    vanish(other)
    change(journal, other, place="elsewhere", beat=0)
    journal.transactions.now(lambda connection: connection.execute(sqlalchemy.text("truncate useapi_server")))
    one.look()
    assert life(journal, other) == DOUBTFUL
    kept = "select relpersistence from pg_class where relname = 'useapi_server'"
    assert journal.transactions.now(lambda connection: connection.scalar(sqlalchemy.text(kept))) == "u"


def test_a_worker_that_is_stopped_amid_a_transaction_holds_nobody_up(journal: Journal) -> None:
    """The server ends what is idle in a transaction."""
    question = sqlalchemy.text("show idle_in_transaction_session_timeout")
    assert journal.transactions.now(lambda connection: connection.scalar(question)) == "5s"


@pytest.mark.parametrize(
    ("seconds", "answers", "is_sent"),
    [(0.1, [True], True), (1.0, [True, False], False), (9.0, [True, False], False)],
)
def test_an_answer_from_before_a_sleep_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, seconds: float, answers: list[bool], is_sent: bool
) -> None:
    """It was asked, the machine slept, and it was told what had been true: it is asked again before a create leaves."""
    import httpx

    from useapi_runwayml.batch import posting as posts

    clock = [0.0]

    async def is_sure() -> bool:
        clock[0] += seconds
        return answers.pop(0)

    monkeypatch.setattr(posts, "awake", lambda: clock[0])
    posting = posts.Posting()
    posting.is_sure = is_sure

    async def main() -> None:
        with posting.of("r"):
            await posting(httpx.Request("POST", "http://h/"))

    if is_sent:
        asyncio.run(main())
    else:
        with pytest.raises(httpx.ConnectError, match="cannot be made sure of"):
            asyncio.run(main())
    assert posting.was_sent("r") == is_sent
    assert answers == []


def test_what_was_true_a_moment_ago_is_not_stale() -> None:
    """A worker that has just beaten, and one whose answer is still fresh when its create leaves, cannot be taken for gone meanwhile."""
    from useapi_runwayml.batch.posting import FRESH

    assert 0 < FRESH + presences.BEAT < presences.STALE


DENIED = of_driver("42501", "permission denied", ProgrammingError)


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [(UNREACHED, OperationalError, "Unreached"), (DENIED, OSError, "must be able to create tables")],
)
def test_a_database_that_goes_away_lacks_no_rights(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, error: Exception, raised: type[Exception], words: str
) -> None:
    """While its tables are made: whoever asked is told of the outage, and not to change what its user may do."""

    def launch() -> None:
        raise error

    monkeypatch.setattr(journals.DBOS, "launch", launch)
    with pytest.raises(raised, match=words):
        journal.prepare()


# -- what they leave ---------------------------------------------------------------------------------------------------
def job(number: int, folder: Path) -> Any:
    from useapi_runwayml.batch.checks import Job

    return Job(number, number + 1, str(folder / "c.mp4"), "x", str(folder / f"{number}.mp4"))


def pending(journal: Journal, number: int, worker: Locked, *, is_intended: bool = False) -> str:
    """A row that this worker had begun."""
    workflow = journal.workflow(job(number, journal.root))

    def work(connection: Any) -> None:
        connection.execute(
            update(ROWS).where(ROWS.c.id == workflow).values(owner=worker.worker, is_intended=is_intended)
        )
        status = sqlalchemy.text(
            "update dbos.workflow_status set status = 'PENDING', executor_id = :worker where workflow_uuid = :id"
        )
        connection.execute(status, {"worker": worker.worker, "id": workflow})

    journal.transactions.now(work)
    return workflow


def waiting(journal: Journal) -> list[str]:
    found = journal.client.list_workflows(status="ENQUEUED", load_input=False, load_output=False)
    return sorted(each.workflow_id for each in found)


def test_rows_of_the_dead_go_back_into_their_queues(journal: Journal, worker: Any, tmp_path: Path) -> None:
    """By one heir, until nothing of them is pending; those of the living stay."""
    one, dead, living = worker(), worker(), worker()
    journal.add([job(number, tmp_path) for number in range(1, 4)], Settings())
    rows = [pending(journal, 1, dead, is_intended=True), pending(journal, 2, dead), pending(journal, 3, living)]
    change(journal, dead, life=OVER)
    assert take_over(journal, one.worker) == 2
    assert waiting(journal) == rows[:2]
    queues = {each.queue_name for each in journal.client.list_workflows(status="ENQUEUED")}
    assert queues == {"b/~"}, "those that wait, as many as a worker may have, may wait for their slots"
    assert take_over(journal, one.worker) == 0
    assert life(journal, dead) == INHERITED
    pending(journal, 1, dead)
    assert take_over(journal, living.worker) == 0, "it has an heir"


def test_many_rows_of_the_dead_are_taken_over_in_turn(
    journal: Journal, worker: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its estate is closed only when nothing of it is pending."""
    monkeypatch.setattr("useapi_runwayml.batch.estates.AT_ONCE", 1)
    one, dead = worker(), worker()
    journal.add([job(number, tmp_path) for number in range(1, 3)], Settings())
    rows = [pending(journal, number, dead) for number in (1, 2)]
    change(journal, dead, life=OVER)
    assert [take_over(journal, one.worker) for _ in range(3)] == [1, 1, 0]
    assert waiting(journal) == rows
    assert life(journal, dead) == INHERITED


def test_what_the_dead_took_in_their_last_moment_comes_back(journal: Journal, worker: Any, tmp_path: Path) -> None:
    """Nothing of it was left, and then there was: it is looked for again, now and then."""
    one, dead = worker(), worker()
    journal.add([job(1, tmp_path)], Settings())
    change(journal, dead, life=INHERITED)
    row = pending(journal, 1, dead)
    assert take_over(journal, one.worker) == 0
    assert take_over(journal, one.worker, again=True) == 1
    assert waiting(journal) == [row]


def test_an_heir_that_is_gone_has_an_heir(journal: Journal, worker: Any, tmp_path: Path) -> None:
    """What it had begun to take over is taken over by the next."""
    one, dead, heir = worker(), worker(), worker()
    journal.add([job(1, tmp_path)], Settings())
    row = pending(journal, 1, dead)
    change(journal, dead, life=OVER, heir=heir.worker)
    assert take_over(journal, one.worker) == 0
    change(journal, heir, life=DOUBTFUL)
    assert take_over(journal, one.worker) == 1
    assert waiting(journal) == [row]


def test_open_intents_of_a_worker_in_doubt_wait(journal: Journal, worker: Any, tmp_path: Path) -> None:
    """It may still send them; its other rows are free to take."""
    one, doubtful = worker(), worker()
    journal.add([job(number, tmp_path) for number in range(1, 3)], Settings())
    pending(journal, 1, doubtful, is_intended=True)
    free = pending(journal, 2, doubtful)
    change(journal, doubtful, life=DOUBTFUL)
    assert take_over(journal, one.worker) == 1
    assert waiting(journal) == [free]
    assert life(journal, doubtful) == DOUBTFUL


def test_a_row_that_waits_for_a_worker_in_doubt_is_told(
    journal: Journal, worker: Any, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its status, with the worker, its host, and what to do; once a person says that it is gone, its rows are taken over."""
    from useapi_runwayml.cli.app import run as command

    one, doubtful = worker(), worker()
    journal.add([job(number, tmp_path) for number in range(1, 3)], Settings())
    row = pending(journal, 1, doubtful, is_intended=True)
    pending(journal, 2, one, is_intended=True)
    change(journal, doubtful, life=DOUBTFUL, host="far-away")
    (told,) = journal.waited_for().items()
    assert told[0] == row
    assert f"worker {doubtful.worker[:8]} on far-away" in told[1]
    assert isinstance(journal.place, Database)
    monkeypatch.setenv("USEAPI_RUNWAYML_DATABASE", journal.place.url.render_as_string(hide_password=False))
    for mistaken in ("", "nobody", one.worker[:8], "%"):
        assert command(["batch", "worker", "--gone", mistaken]) == 2
    assert "is in doubt" in capsys.readouterr().err
    assert command(["batch", "worker", "--gone", doubtful.worker[:8]]) == 0
    assert life(journal, doubtful) == OVER
    assert life(journal, one) == LIVING
    assert journal.waited_for() == {}
    assert take_over(journal, one.worker) == 1


def test_a_worker_that_was_taken_for_gone_ends_in_words(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an intent that it has not sent, of a row that is another's by now: nothing is sent, nothing of the row is written, and it says why."""
    import httpx

    from useapi_runwayml.batch import runner
    from useapi_runwayml.batch.clock import BatchClock
    from useapi_runwayml.batch.posting import Posting
    from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorTransport

    from .conftest import BASE_URL, MP4, TOKEN

    monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", BASE_URL)
    (tmp_path / "c.mp4").write_bytes(MP4)
    journal.add([job(1, tmp_path)], Settings())
    journal.admit(Settings())
    sim, clock = Simulator(), RunningClock(50)

    async def lost(self: Posting, request: httpx.Request) -> None:
        if request.method == "POST" and self._now.get():
            for statement in (update(WORKERS).values(life=OVER), update(ROWS).values(owner="another")):
                journal.transactions.now(lambda connection: connection.execute(statement))  # noqa: B023
            await asyncio.sleep(3600)

    monkeypatch.setattr(Posting, "__call__", lost)
    with pytest.raises(PresenceLost, match="took this one for gone"):
        cut_and_work(
            journal,
            lambda: runner.work(
                journal,
                until_done=True,
                clock=BatchClock(50),
                http_client=lambda **how: httpx.AsyncClient(transport=SimulatorTransport(sim, clock), **how),
            ),
            monkeypatch,
        )
    assert not sim.state.tasks
    question = select(ROWS.c.owner, ROWS.c.is_intended)
    assert journal.transactions.now(lambda connection: connection.execute(question).one()) == ("another", True)
    sim.state.close()


def cut_and_work(journal: Journal, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lock is gone at the next look."""
    holds = Locked._holds

    def gone(self: Locked) -> bool:
        question = select(WORKERS.c.life).where(WORKERS.c.id == self.worker)
        is_over = journal.transactions.now(lambda connection: connection.scalar(question)) == OVER
        return not is_over and holds(self)

    monkeypatch.setattr(Locked, "_holds", gone)
    work()


# -- URLs --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("mysql://root:s3cr3t@h/d", "mysql cannot be used"),
        ("no url with s3cr3t", "no URL of a database"),
        ("sqlite:///s3cr3t", "sqlite cannot be used"),
        ("postgresql://u:s3cr3t@h:port/d", "no URL of a database"),
        ("postgresql://u:p@s3cr3t@h/d", "written as %40"),
    ],
)
def test_what_is_no_database_for_machines_is_refused(given: str, told: str) -> None:
    """In words, and without what it says."""
    with pytest.raises(Unusable, match=told) as info:
        Database.of(given)
    assert "s3cr3t" not in str(info.value)
    assert info.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_way_to_write_a_url(scheme: str) -> None:
    """One driver, and no password in what a person sees."""
    place = Database.of(f"{scheme}://user:s3cr3t@host:1/db")
    assert place.url.drivername == "postgresql+psycopg"
    assert str(place) == repr(place) == "postgresql://user:***@host:1/db"
    assert "s3cr3t" not in str(Database.of(f"{scheme}://user@host/db?password=s3cr3t&sslpassword=s3cr3t"))


def test_what_is_an_outage() -> None:
    """No connection, a connection that broke, none in the pool; not a value that the database cannot hold."""
    import psycopg
    from sqlalchemy import exc

    from useapi_runwayml.batch.transactions import is_outage

    assert is_outage(exc.OperationalError("s", {}, psycopg.OperationalError("connection refused")))
    assert is_outage(exc.OperationalError("s", {}, psycopg.errors.AdminShutdown("bye")))
    assert is_outage(exc.DatabaseError("s", {}, psycopg.DatabaseError("insufficient data: lost synchronization")))
    assert is_outage(exc.TimeoutError())
    assert not is_outage(exc.ProgrammingError("s", {}, psycopg.ProgrammingError("no result is there")))
    assert not is_outage(exc.DataError("s", {}, psycopg.DataError("cannot contain NUL")))
    assert not is_outage(exc.IntegrityError("s", {}, psycopg.errors.UniqueViolation("twice")))
