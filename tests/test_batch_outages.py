"""Transactions of a batch through what a database does: it goes away, comes back, or has met another machine."""

from __future__ import annotations

import asyncio
import gc
import queue
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError, TimeoutError

from useapi_runwayml.batch import transactions
from useapi_runwayml.batch.transactions import Transactions, is_outage

from .conftest import soon
from .refusing import of_driver


class Engine:
    """Opens a transaction, which is all that is asked of it."""

    def __init__(self) -> None:
        self.begun = 0
        self.dialect = SimpleNamespace(name="postgresql")

    @contextmanager
    def begin(self) -> Any:
        self.begun += 1
        yield "a connection"


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def store(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Transactions:
    monkeypatch.setattr(transactions, "PAUSE", 0.001)
    return Transactions(engine)  # type: ignore[arg-type]  # no more than its transactions is asked for


def test_an_outage_is_ridden_out_and_told_once(store: Transactions) -> None:
    """Work is tried until the database is there again; that it went and that it is back is told once each."""
    told: list[str] = []
    store.on_outage = told.append
    answers: list[Any] = [of_driver(None), of_driver(None), of_driver(None), "found", "found again"]

    def call() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def main() -> None:
        assert await store.through(call) == "found"
        assert await store.through(call) == "found again"

    asyncio.run(main())
    assert [each.partition(":")[0] for each in told] == ["it cannot be reached", "it is there again"]


def test_an_outage_is_no_storm(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried twice a second; nobody need listen."""
    store = Transactions(engine)  # type: ignore[arg-type]
    pauses, sleep, left = list[float](), asyncio.sleep, [of_driver(None), of_driver(None), None]

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    def call() -> None:
        if (error := left.pop(0)) is not None:
            raise error

    monkeypatch.setattr(asyncio, "sleep", noted)
    asyncio.run(store.through(call))
    assert pauses == [0.5] * 2


@pytest.mark.parametrize(
    ("error", "is_out"),
    [
        (TimeoutError("no connection is free"), True),
        (of_driver(None), True),
        (of_driver(None, kind=IntegrityError), False),
        (ProgrammingError("select", {}, Exception("a file's")), False),
        (OperationalError("select", {}, Exception("a file's")), False),
        (OperationalError("select", {}, Exception("a file's"), connection_invalidated=True), True),
        (of_driver("08006"), True),
        (of_driver("57P01"), True),
        (of_driver("53300"), True),
        (of_driver("25P03"), True),
        (of_driver("42P01"), False),
        (of_driver("57014"), False),
    ],
)
def test_what_an_outage_is(error: Any, is_out: bool) -> None:
    """No answer at all, the end of a connection, or none that is free; not what a database that is there says of a question."""
    assert is_outage(error) == is_out


def test_what_is_interrupted_is_seen_to_its_end(store: Transactions) -> None:
    """And what it meets then is nobody's: nothing of it is told."""
    begun, may_end, ended, heard = threading.Event(), threading.Event(), threading.Event(), list[Any]()

    def call() -> None:
        begun.set()
        may_end.wait(5)
        ended.set()
        raise RuntimeError("it failed")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: heard.append(context))
        doing = asyncio.create_task(store.through(call))
        await soon(begun.is_set)
        doing.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not doing.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await doing
        assert ended.is_set()
        del doing
        gc.collect()

    asyncio.run(main())
    assert heard == []


def test_what_nobody_waits_for_is_done_all_the_same(store: Transactions) -> None:
    """In a thread."""
    done: queue.Queue[Any] = queue.Queue()
    store.soon(lambda connection: done.put((connection, threading.current_thread())))
    connection, thread = done.get(timeout=5)
    assert connection == "a connection"
    assert thread is not threading.current_thread()


def test_what_is_no_outage_is_raised(store: Transactions) -> None:
    """A mistake of ours stays one, and is not tried again."""
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise ProgrammingError("select", {}, Exception("no such table"))

    with pytest.raises(ProgrammingError):
        asyncio.run(store.through(call))
    assert len(calls) == 1


@pytest.mark.parametrize("meetings", [0, 1, 4, 5])
def test_who_met_another_machine_does_it_again(store: Transactions, engine: Engine, meetings: int) -> None:
    """In a transaction of its own each time, five times and once more."""
    left = [meetings]

    def work(connection: Any) -> str:
        assert connection == "a connection"
        if left[0]:
            left[0] -= 1
            raise IntegrityError("insert", {}, Exception("it is there already"))
        return "done"

    assert store.now(work) == "done"
    assert engine.begun == meetings + 1


def test_who_meets_others_for_ever_is_told(store: Transactions, engine: Engine) -> None:
    """After the last time the error is what it is; one that is no meeting is not tried again."""

    def work(connection: Any) -> None:
        raise IntegrityError("insert", {}, Exception("always"))

    with pytest.raises(IntegrityError):
        store.now(work)
    assert engine.begun == 6

    def wrong(connection: Any) -> None:
        raise ProgrammingError("select", {}, Exception("no such table"))

    with pytest.raises(ProgrammingError):
        store.now(wrong)
    assert engine.begun == 7
