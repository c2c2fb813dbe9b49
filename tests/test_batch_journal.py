"""What a journal begins rows with: queues, credits that are spent already, open gates; and that it is quiet."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest
from sqlalchemy import event, insert, select, update
from sqlalchemy.exc import TimeoutError as NoConnection

from useapi_runwayml.batch import limits
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.estates import bring_back, pending_of
from useapi_runwayml.batch.journal import MEANWHILE, Journal, again_queue
from useapi_runwayml.batch.ledger import Settings
from useapi_runwayml.batch.places import HIDDEN, Folder
from useapi_runwayml.batch.tables import BATCHES, ROWS

MAKER = "maker@example.com"
INTENT = {"reply_ref": "r", "service_at": 1.0}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path)
    made.prepare()
    made.begin(Settings())
    yield made
    made.close()


def a_job(row: int, **more: Any) -> Job:
    return Job(row, row + 1, "c.mp4", "x", f"{row}.mp4", **{"parameters": {"seconds": 5}, **more})


def ask(journal: Journal, question: Any) -> Any:
    return journal.transactions.now(lambda connection: connection.execute(question))


def reserved(journal: Journal) -> dict[str, float]:
    """What is reserved, by row, of every batch."""
    rows = journal.transactions.now(lambda connection: connection.execute(select(ROWS.c.id, ROWS.c.credits)).all())
    return {name: credits for name, credits in rows if credits}


def spent(journal: Journal) -> dict[str, float]:
    batches = select(BATCHES.c.name, BATCHES.c.spent)
    return {each.name: each.spent for each in journal.transactions.now(lambda there: there.execute(batches).all())}


# -- what is spent already ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("credits", [25.0, 0.5])
def test_a_further_attempt_has_what_is_reserved_for_its_create(journal: Journal, credits: float) -> None:
    """Of this very row, and of its newest attempt that had any; what others have stays, and nothing is spent twice."""
    journal.add([a_job(1), a_job(2)])
    ask(journal, update(ROWS).where(ROWS.c.row == 1).values(credits=credits))
    ask(journal, update(ROWS).where(ROWS.c.row == 2).values(credits=60.0))
    ask(journal, insert(BATCHES).values(name="another", options="{}", spent=7.0))
    others = {"id": "o", "batch": "another", "row": 1, "attempt": 9, "queue": "q", "state": "queued"}
    ask(journal, insert(ROWS).values(**others, job="{}", facts="{}", credits=7.0))
    journal.add([a_job(1, attempt=2)])
    assert reserved(journal) == {"row-1-1": credits, "row-2-1": 60.0, "o": 7.0}, "it may have nothing to do with it"
    journal.add([a_job(1, attempt=3, intent=INTENT)])
    assert reserved(journal) == {"row-1-3": credits, "row-2-1": 60.0, "o": 7.0}
    journal.add([a_job(1, attempt=4, task_id="t", decision="adopt")])
    assert reserved(journal) == {"row-1-4": credits, "row-2-1": 60.0, "o": 7.0}
    assert spent(journal) == {"batch": 0.0, "another": 7.0}


@pytest.mark.parametrize(
    ("more", "credits"),
    [
        ({}, 25.0),
        ({"endpoint": "aleph", "parameters": {}}, 0.0),
        ({"endpoint": "aleph", "parameters": {}, "credits_if_unknown": 40.0}, 40.0),
    ],
)
def test_an_adopted_task_counts_against_the_limit(journal: Journal, more: dict[str, Any], credits: float) -> None:
    """With its price, where that is known, in its own batch alone."""
    ask(journal, insert(BATCHES).values(name="another", options="{}", spent=7.0))
    journal.add([a_job(1, task_id="t", decision="adopt", **more), a_job(2)])
    assert reserved(journal) == ({"row-1-1": credits} if credits else {})
    assert spent(journal) == {"batch": credits, "another": 7.0}


def test_what_may_not_be_paid_yet_is_not_spent(journal: Journal) -> None:
    """A row that nothing was sent of, and a create that may prove not to be there and of which no credits are known."""
    journal.add([a_job(1), a_job(2, intent=INTENT), a_job(3, task_id="t")])
    assert reserved(journal) == {}
    assert spent(journal) == {"batch": 0.0}


# -- queues ------------------------------------------------------------------------------------------------------------
def test_rows_that_are_there_already_are_not_added(journal: Journal) -> None:
    """Another command has done so: nothing of this one is kept, and it is told to look at them."""
    journal.add([a_job(1)])
    with pytest.raises(BlockingIOError) as caught:
        journal.add([a_job(2), a_job(1)])
    assert (caught.value.strerror, caught.value.filename) == (MEANWHILE, str(journal.place))
    assert [each.job.row for each in journal.facts()] == [1]


def test_a_row_is_handed_out_with_its_account(journal: Journal) -> None:
    """Whoever runs it knows where it waits for its turn, in the queue of that account."""
    journal.add([a_job(1), a_job(2, email=MAKER)])
    found = journal.client.list_workflows(name="row")
    told = {each.workflow_id: (each.queue_name, each.input["args"][0]) for each in found if each.input}
    assert told == {
        "row-1-1": ("batch/", {"id": "row-1-1", "row": 1, "account": ""}),
        "row-2-1": (f"batch/{MAKER}", {"id": "row-2-1", "row": 2, "account": MAKER}),
    }
    assert journal.queue_of(MAKER) == f"batch/{MAKER}"
    assert journal.queue_of(None, "another") == "another/"


def test_who_goes_on_opens_all_that_was_shut(journal: Journal) -> None:
    """The limit is the new one, the gates of its accounts are open, and each account has its queue, as have rows whose worker is gone."""
    journal.add([a_job(1), a_job(2, email=MAKER)])
    journal.allow(1.0)
    journal.transactions.now(lambda connection: limits.know(connection, MAKER, 1))
    journal.transactions.now(lambda connection: limits.close(connection, MAKER, "no credits", "E"))
    names = journal.admit(Settings(max_jobs=2, max_credits=500.0))
    assert not journal.transactions.now(lambda connection: limits.look(connection, MAKER)).is_closed
    assert ask(journal, select(BATCHES.c.max_credits)).scalar() == 500.0
    expected = {"batch/", f"batch/{MAKER}", again_queue("batch")}
    assert set(names) == set(journal.queues()) == expected
    most = {each.name: each.worker_concurrency for each in journal.client.list_queues()}
    assert most == {"batch/": 8, f"batch/{MAKER}": 8, again_queue("batch"): None}, "uploads go six ahead of the slots"


def test_rows_that_are_brought_back_go_on_at_once(journal: Journal) -> None:
    """In the queue of those whose worker is gone; where that is in doubt, only those whose create cannot have left."""
    journal.add([a_job(1), a_job(2, intent=INTENT), a_job(3)])

    def ahead() -> set[str]:
        return {each.workflow_id for each in journal.client.list_workflows(queue_name=again_queue("batch"))}

    names = ["row-1-1", "row-2-1", "a stranger's"]
    assert bring_back(journal, names, are_intended=False) == 1
    assert ahead() == {"row-1-1"}
    assert bring_back(journal, names) == 2
    assert ahead() == {"row-1-1", "row-2-1"}


def test_a_batch_that_says_nothing_runs_as_the_guide_has_it(journal: Journal) -> None:
    """Five at once, a minute until a create counts as lost, no limit, and uploads stay."""
    assert journal.options() == {
        "max_jobs": 5,
        "max_credits": None,
        "poll_interval": None,
        "settle": 60.0,
        "delete_assets": False,
    }


# -- quiet -------------------------------------------------------------------------------------------------------------
def test_dbos_tells_a_person_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: Any) -> None:
    """Neither on the terminal nor in the log of a program; and each further journal adds nothing to that."""
    log = logging.getLogger("dbos")
    before, log.handlers, log.propagate = (log.handlers, log.propagate), [], True
    try:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            Journal(tmp_path / name).close()
        log.critical("a workflow is gone")
        assert len(log.handlers) == 1
    finally:
        log.handlers, log.propagate = before
    assert (capsys.readouterr().err, caplog.text) == ("", "")


def test_what_is_asked_of_a_store_that_is_away_is_not_asked_for_ever(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command tells it instead: a person may want to go, and can ask again."""

    def away(*_: Any, **__: Any) -> Any:
        raise NoConnection("there is no connection left")

    def wait(seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(journal.engine.pool, "connect", away)
    monkeypatch.setattr(time, "sleep", wait)
    with pytest.raises(NoConnection):
        pending_of(journal, ["w"])


def test_a_journal_that_is_closed_lets_its_file_go(tmp_path: Path) -> None:
    """Whoever wants to move it or throw it away may do so, on every system."""
    made, closed = Journal(tmp_path), list[Any]()
    event.listen(made.engine, "close", lambda *given: closed.append(given))
    made.has_tables()
    made.close()
    assert closed


# -- folders -----------------------------------------------------------------------------------------------------------
def test_a_folder_is_made_where_it_is_wanted(tmp_path: Path) -> None:
    """With those above it, and one that is there is taken; version control leaves out only what is hidden, as its owner may want it."""
    plain, hidden = tmp_path / "a" / "b", tmp_path / HIDDEN / "jobs.csv"
    for _ in range(2):
        Folder(plain).make()
        Folder(hidden).make()
    assert plain.is_dir()
    assert hidden.is_dir()
    (ignored,) = tmp_path.rglob(".gitignore")
    assert ignored == tmp_path / HIDDEN / ".gitignore"
    assert ignored.read_text(encoding="utf-8") == "*\n"
    ignored.write_text("!*\n", encoding="utf-8")
    Folder(hidden).make()
    assert ignored.read_text(encoding="utf-8") == "!*\n"


def test_a_folder_is_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one is told at once; after the first the next one may have it, though nobody has tidied up after that yet."""
    locks = list[Any]()

    class Kept(filelock.FileLock):
        def __init__(self, *given: Any, **more: Any) -> None:
            super().__init__(*given, **more)
            locks.append(self)

    def wait(seconds: float) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(filelock, "FileLock", Kept)
    monkeypatch.setattr(time, "sleep", wait)
    second = Folder(tmp_path).alone()
    with Folder(tmp_path).alone(), pytest.raises(BlockingIOError, match="another process runs this batch"):
        second.__enter__()
    for _ in range(2):
        with Folder(tmp_path).alone():
            pass
