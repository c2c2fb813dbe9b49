"""Transactions of a batch through what a database does: it goes away, comes back, or has met another machine."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from useapi_runwayml.batch import transactions
from useapi_runwayml.batch.transactions import MEETINGS, Transactions


class Unreached(Exception):
    """As a driver raises it that got no answer: without a code."""

    sqlstate = None


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


def gone() -> OperationalError:
    return OperationalError("select", {}, Unreached())


def test_an_outage_is_ridden_out_and_told_once(store: Transactions) -> None:
    """Work is tried until the database is there again; that it went and that it is back is told once each."""
    told: list[str] = []
    store.on_outage = told.append
    answers: list[Any] = [gone(), gone(), gone(), "found", "found again"]

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


def test_what_is_no_outage_is_raised(store: Transactions) -> None:
    """A mistake of ours stays one, and is not tried again."""
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        raise ProgrammingError("select", {}, Exception("no such table"))

    with pytest.raises(ProgrammingError):
        asyncio.run(store.through(call))
    assert len(calls) == 1


@pytest.mark.parametrize("meetings", [0, 1, MEETINGS - 1, MEETINGS])
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
    assert engine.begun == MEETINGS + 1

    def wrong(connection: Any) -> None:
        raise ProgrammingError("select", {}, Exception("no such table"))

    with pytest.raises(ProgrammingError):
        store.now(wrong)
    assert engine.begun == MEETINGS + 2
