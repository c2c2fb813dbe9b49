"""What all machines share: slots, gates and credits, as constraints of the store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import event, func, insert, select, update
from sqlalchemy.exc import IntegrityError, ProgrammingError

from useapi_runwayml.batch import accounts, limits
from useapi_runwayml.batch.accounts import Account
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.comparing import Reading
from useapi_runwayml.batch.facts import Facts
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.ledger import Ledger, Lost, Row, Settings
from useapi_runwayml.batch.limits import Held
from useapi_runwayml.batch.notices import Notices
from useapi_runwayml.batch.store import open_store
from useapi_runwayml.batch.tables import (
    ACCOUNTS,
    BATCHES,
    DOUBTFUL,
    INHERITED,
    LIVING,
    METADATA,
    OVER,
    ROWS,
    SLOTS,
    WORKERS,
)
from useapi_runwayml.batch.transactions import Transactions
from useapi_runwayml.batch.uploads import Uploads

from .conftest import soon

ACCOUNT = "maker@example.com"


def row(number: int, most: int = 3, batch: str = "b") -> Row:
    job = Job(number, number + 1, "c.mp4", "x", f"{number}.mp4", parameters={"seconds": 5})
    return Row(f"b:row-{number}-1", batch, Facts(job), Settings(max_jobs=most))


def taken(journal: Journal) -> int:
    count = select(func.count()).select_from(SLOTS).where(SLOTS.c.holder.is_not(None))
    return int(journal.transactions.now(lambda connection: connection.scalar(count)) or 0)


def the_slots(journal: Journal) -> int | None:
    return journal.transactions.now(lambda connection: connection.scalar(select(ACCOUNTS.c.slots)))


def test_slots_are_taken_lowered_and_given_back(journal: Journal) -> None:
    """Never more than the limit; after a 429 what runs besides; after a calm minute one more, up to the most."""

    async def main() -> None:
        minutes = 1.0
        account = Account(ACCOUNT, journal.transactions, lambda seconds: seconds * minutes)
        rows = [row(number) for number in range(1, 6)]
        for each in rows[:3]:
            await account.take(each)
        waiting = asyncio.create_task(account.take(rows[3]))
        await asyncio.sleep(0.05)
        assert (taken(journal), waiting.done()) == (3, False)
        await account.lower(0)
        assert the_slots(journal) == 2
        await account.give(rows[0])
        await account.give(rows[0])
        await asyncio.sleep(0.02)
        assert (taken(journal), waiting.done()) == (2, False), "lowered: two run, and no third begins"
        await account.give(rows[1])
        await waiting
        assert taken(journal) == 2
        minutes = 0.0
        await account.give(rows[2])
        assert the_slots(journal) == 3
        minutes = 1.0
        await account.give(rows[3])
        assert the_slots(journal) == 3, "one more for each calm minute"
        await account.take(rows[4], force=True)
        for _ in range(9):
            await account.lower(0)
        assert the_slots(journal) == 1

    asyncio.run(main())


def test_a_slot_that_a_row_has_is_its_own(journal: Journal) -> None:
    """Whoever takes the row up again finds it there; one that exists already has one, though all are taken."""

    async def main() -> None:
        account = Account(ACCOUNT, journal.transactions)
        for number in (1, 2, 1, 2):
            await account.take(row(number, most=2))
        assert taken(journal) == 2
        for _ in range(2):
            await account.take(row(3, most=2), force=True)
        assert taken(journal) == 3
        await account.give(row(3, most=2))
        await account.give(row(1, most=2))
        waiting = [asyncio.create_task(account.take(row(number, most=2))) for number in (4, 5)]
        await soon(lambda: any(each.done() for each in waiting))
        await asyncio.sleep(0.05)
        assert [each.done() for each in waiting] == [True, False], "the further slot was for that one alone"
        waiting[1].cancel()

    asyncio.run(main())


@pytest.mark.parametrize("ticks", range(4))
def test_an_interruption_beside_news_is_one(journal: Journal, ticks: int) -> None:
    """A row that is told of a free slot as it is interrupted ends: it never waits on, for a slot that nobody gives back."""

    async def main() -> None:
        account = Account(ACCOUNT, journal.transactions)
        await account.take(row(1, most=1))
        waiting = asyncio.create_task(account.take(row(2, most=1)))
        await soon(lambda: account._full is not None)
        await asyncio.sleep(0.02)
        await account.wake()
        for _ in range(ticks):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=2)
        assert waiting.cancelled()

    asyncio.run(main())


def test_rows_take_slots_in_their_order(journal: Journal) -> None:
    """Those that were handed out, and are expected, go before those that come later in the file."""

    async def main() -> None:
        account = Account(ACCOUNT, journal.transactions)
        order: list[int] = []

        async def one(number: int) -> None:
            await account.take(row(number, most=1))
            order.append(number)
            await account.give(row(number, most=1))

        account.expect(row(1).order)
        later = [asyncio.create_task(one(number)) for number in (3, 2)]
        await asyncio.sleep(0.05)
        assert order == []
        await asyncio.gather(one(1), *later)
        assert order == [1, 2, 3]

    asyncio.run(main())


def test_who_waits_for_one_before_it_is_told_when_that_one_is_expected_no_more(journal: Journal) -> None:
    """Since it took its slot, or since nobody expects it any more: no other news comes of it."""

    async def scene() -> None:
        account = Account(ACCOUNT, journal.transactions)
        for number in (1, 3):
            account.expect(row(number).order)
        second, fourth = (asyncio.create_task(account.take(row(number))) for number in (2, 4))
        await asyncio.sleep(0.02)
        await account.take(row(1))
        await second
        assert not fourth.done()
        await account.expect_no_more(row(3).order)
        await fourth

    asyncio.run(asyncio.wait_for(scene(), 10))


def test_an_account_is_made_known_once_for_each_number_of_slots(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And anew once it turns out to be another; the gate of one that nobody has asked for a slot is shut all the same."""
    asked = list[tuple[str, int]]()
    know = limits.know

    def counted(connection: Any, account: str, most: int) -> None:
        asked.append((account, most))
        know(connection, account, most)

    monkeypatch.setattr(limits, "know", counted)

    async def main() -> None:
        account = Account(ACCOUNT, journal.transactions)
        for number, most in ((1, 2), (2, 2), (3, 3), (4, 2)):
            await account.take(row(number, most), force=True)
        account.rename("another@example.com")
        await account.close(ValueError("empty"))
        assert asked == [(ACCOUNT, 2), (ACCOUNT, 3), ("another@example.com", 1)]
        with pytest.raises(Held, match="empty"):
            await Account("another@example.com", journal.transactions).check_open()

    asyncio.run(main())


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who asked for a slot."""
    found: list[str] = []
    take = limits.take

    def counted(connection: Any, account: str, holder: str, most: int) -> Any:
        found.append(holder)
        return take(connection, account, holder, most)

    monkeypatch.setattr(limits, "take", counted)
    return found


def test_who_finds_no_slot_asks_again_once_there_is_news(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, tries: list[str]
) -> None:
    """That others come or go later in order is none; a slot that is given back is, and a gate that is shut. After the last slot nobody asks."""
    monkeypatch.setattr(accounts, "LOOK_SECONDS", 600.0)

    async def scene() -> None:
        account = Account(ACCOUNT, journal.transactions)
        first, second, third = (row(number, most=1) for number in (1, 2, 3))
        await account._know(2)  # there is another one, which is not theirs
        await account.take(first)
        waiting = asyncio.create_task(account.take(second))
        for each in (4, 5):
            account.expect((each, "later"))
            await account.expect_no_more((each, "later"))
        await account._do(lambda connection: None)
        assert tries == [first.id]
        await account.give(first)
        await waiting
        assert tries == [first.id, second.id]
        waiting = asyncio.create_task(account.take(third))
        await asyncio.sleep(0.05)
        assert len(tries) == 2
        await account.close(ValueError("empty"))
        with pytest.raises(Held):
            await waiting

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_whoever_has_a_slot_waits_for_nobody(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker died between a row's slot and its create: those before it wait for that slot, and it for them, unless it goes first."""
    journal.add([Job(number, number, "c.mp4", "x", f"{number}.mp4") for number in (1, 2)], Settings(max_jobs=1))
    ledger = Ledger(journal.transactions, "w", journal.root)
    monkeypatch.setattr(accounts, "LOOK_SECONDS", 600.0)

    async def scene() -> None:
        account = Account(ACCOUNT, journal.transactions)
        first, second = [await ledger.take(journal.workflow(each.job)) for each in journal.facts()]
        assert first is not None
        assert second is not None
        assert not second.has_slot
        await account.take(second)
        dead, account = second, Account(ACCOUNT, journal.transactions)
        second = await ledger.take(dead.id)
        assert second is not None
        assert second.has_slot
        waiting = asyncio.create_task(account.take(first))
        await soon(lambda: account._full is not None)
        await asyncio.wait_for(account.take(second), 5)
        await account.give(second)
        await waiting
        await account.give(first)
        account.expect((0, "an earlier one"))
        again = asyncio.create_task(account.take(second))
        await asyncio.sleep(0.05)
        assert not again.done(), "it has given it back, and waits its turn"
        again.cancel()

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_file_has_one_writer_of_ours_at_a_time(journal: Journal) -> None:
    """More would only wait at its lock; a database has several, so that one that waits holds up no other."""
    meet = threading.Barrier(3)

    def work(connection: Any) -> bool:
        try:
            meet.wait(0.5)
        except threading.BrokenBarrierError:
            return False
        return True

    async def scene() -> list[bool]:
        return await asyncio.gather(*(journal.transactions.do(work) for _ in range(3)))

    assert asyncio.run(scene()) == [journal.engine.dialect.name == "postgresql"] * 3


def test_who_comes_to_be_the_first_is_not_told_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, tries: list[str]
) -> None:
    """That there is no slot is known for all rows of the same limit, for as long as the store is left alone; a row that may have more asks."""
    monkeypatch.setattr(accounts, "LOOK_SECONDS", 600.0)

    async def scene() -> None:
        there, here = Account(ACCOUNT, journal.transactions), Account(ACCOUNT, journal.transactions)
        others, first, second, third = (row(8), row(9)), row(1, most=2), row(2, most=2), row(3, most=3)
        for each in others:
            await there.take(each)
        waiting = asyncio.create_task(here.take(first))
        await soon(lambda: here._full is not None)
        waiting.cancel()
        waiting = asyncio.create_task(here.take(second))
        await asyncio.sleep(0.05)
        assert tries == [*(each.id for each in others), first.id]
        waiting.cancel()
        await here.take(third)
        assert tries[3:] == [third.id]

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_slot_that_another_machine_gives_back_is_found_by_looking(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, tries: list[str]
) -> None:
    """Now and then, also by one that was not told itself that there was none; and at once where it turns out to be another account."""
    monkeypatch.setattr(accounts, "LOOK_SECONDS", 0.2)

    async def scene() -> None:
        here = Account(ACCOUNT, journal.transactions)
        elsewhere, first, second = (row(number, most=1) for number in (9, 1, 2))
        await here.take(first)  # given back without a word to those who wait here
        await here._do(lambda connection: limits.give(connection, first.id, 60))
        waiting = asyncio.create_task(here.take(second))
        await asyncio.sleep(0.02)
        assert tries == [first.id]
        await waiting
        monkeypatch.setattr(accounts, "LOOK_SECONDS", 600.0)
        await here.give(second)
        await here.take(first)
        here.rename("another@example.com")
        await here.take(elsewhere)
        assert tries == [first.id, second.id, first.id, elsewhere.id]

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_pause_that_one_worker_was_told_holds_for_all(journal: Journal) -> None:
    """By the store's clock: nothing new begins on the account until it is over, and a longer one is not cut short."""

    async def main() -> None:
        first, second = Account(ACCOUNT, journal.transactions), Account(ACCOUNT, journal.transactions)
        await first.lower(0)
        await first.take(row(1))
        await first.lower(0.4)
        await first.lower(0.1)
        await first.give(row(1))
        began = asyncio.get_running_loop().time()
        await second.take(row(2))
        assert asyncio.get_running_loop().time() - began > 0.3

    asyncio.run(main())


def test_a_closed_gate_tells_every_worker_why(journal: Journal) -> None:
    """Who waits and who comes later is held, on whichever machine; a task that exists has its slot all the same; a person opens it."""
    told: list[tuple[str, str]] = []

    async def main() -> None:
        here = Account(ACCOUNT, journal.transactions, on_close=lambda name, why: told.append((name, why)))
        there = Account(ACCOUNT, journal.transactions, on_close=lambda name, why: told.append((name, why)))
        await here.take(row(1, most=1))
        waiting = asyncio.create_task(there.take(row(2, most=1)))
        await asyncio.sleep(0.02)
        await here.close(ValueError("no credits"))
        await there.close(ValueError("no credits at all"))
        with pytest.raises(Held, match="no credits") as info:
            await waiting
        assert info.value.error == "ValueError"
        for each in (here, there):
            with pytest.raises(Held, match="no credits"):
                await each.check_open()
            with pytest.raises(Held, match="no credits"):
                await each.take(row(3, most=1))
        await there.take(row(4, most=1), force=True)
        journal.reopen()
        await there.check_open()

    asyncio.run(main())
    assert told == [(ACCOUNT, "no credits")], "the first alone says so"


# -- statement by statement --------------------------------------------------------------------------------------------
OTHER = "other@example.com"
FREE, LAST = ("", "", False, 0.0, False), ("", "", False, 0.0, True)


@pytest.fixture
def tables(tmp_path: Path) -> Iterator[Transactions]:
    """Our tables alone, which take no time to make."""
    engine = open_store(tmp_path / "s.sqlite")
    made = Transactions(engine)
    made.now(METADATA.create_all)
    yield made
    engine.dispose()


class Slots:
    """Two accounts, as the statements see them."""

    def __init__(self, tables: Transactions) -> None:
        self.do = tables.now
        for name, most in ((ACCOUNT, 2), (OTHER, 5)):
            self.do(lambda connection: limits.know(connection, name, most))  # noqa: B023

    def take(self, holder: str, account: str = ACCOUNT, most: int = 2) -> Any:
        return tuple(self.do(lambda connection: limits.take(connection, account, holder, most)))

    def force(self, holder: str, account: str = ACCOUNT) -> None:
        self.do(lambda connection: limits.force(connection, account, holder))

    def give(self, holder: str, calm: float = 1000.0) -> None:
        self.do(lambda connection: limits.give(connection, holder, calm))

    def lower(self, pause: float = 0.0, account: str = ACCOUNT) -> None:
        self.do(lambda connection: limits.lower(connection, account, pause))

    def held(self, account: str = ACCOUNT) -> dict[int, str | None]:
        """Who has which slot."""
        question = select(SLOTS.c.number, SLOTS.c.holder).where(SLOTS.c.account == account)
        return dict(map(tuple, self.do(lambda connection: connection.execute(question).all())))

    def lowered(self, account: str = ACCOUNT) -> int | None:
        question = select(ACCOUNTS.c.slots).where(ACCOUNTS.c.name == account)
        return self.do(lambda connection: connection.scalar(question))


def test_an_account_has_as_many_slots_as_the_largest_limit(tables: Transactions) -> None:
    """Neither more nor fewer, however often it is told; and one that nobody knows makes nobody wait."""

    def slots(most: int) -> list[int]:
        def work(connection: Any) -> list[int]:
            limits.know(connection, ACCOUNT, most)
            return [*connection.execute(select(SLOTS.c.number).order_by(SLOTS.c.number)).scalars()]

        return tables.now(work)

    assert [slots(most) for most in (2, 2, 4, 3)] == [[1, 2], [1, 2], [1, 2, 3, 4], [1, 2, 3, 4]]
    for name in (ACCOUNT, "nobody"):
        gate = tables.now(lambda connection: limits.look(connection, name))  # noqa: B023
        assert (gate.seconds, gate.is_closed) == (0.0, False)


def test_a_slot_is_the_first_free_one(tables: Transactions) -> None:
    """Of this account, and of as many as the row may have; who has one keeps it, and the last one is known as that."""
    slots = Slots(tables)
    assert slots.take("x", OTHER, 5) == FREE
    assert slots.take("y", OTHER, 2) == LAST, "of its two, though there are more"
    assert slots.take("r1") == FREE
    assert slots.take("r2") == LAST
    assert slots.take("r2") == slots.take("r1") == FREE, "they have one"
    assert slots.take("r3")[0] == "its slots are taken, or it is busy"
    assert slots.held() == {1: "r1", 2: "r2"}
    slots.give("r1")
    assert slots.held() == {1: None, 2: "r2"}
    assert slots.take("r3", most=1) == LAST
    assert slots.held() == {1: "r3", 2: "r2"}
    assert slots.held(OTHER) == {1: "x", 2: "y", **dict.fromkeys(range(3, 6))}


def test_a_task_that_is_there_has_a_slot_in_any_case(tables: Transactions) -> None:
    """The first that is free, else one more than there are, the next number; never two, and also of an account that nobody told of."""
    slots = Slots(tables)
    for each in ("r1", "r1", "r2", "r3", "r3"):
        slots.force(each)
    assert slots.held() == {1: "r1", 2: "r2", 3: "r3"}
    slots.give("r2")
    slots.force("r1")
    slots.force("r4")
    assert slots.held() == {1: "r1", 2: "r4", 3: "r3"}
    slots.force("n1", "new@example.com")
    slots.force("n2", "new@example.com")
    assert slots.held("new@example.com") == {1: "n1", 2: "n2"}


def test_an_account_that_was_full_gets_a_slot_back_for_each_calm(tables: Transactions) -> None:
    """No more run than were let in beside the refused one, until that; of another account nothing is changed."""
    slots = Slots(tables)
    for each in ("r1", "r2"):
        slots.take(each)
    slots.take("x", OTHER, 5)
    slots.lower(account=OTHER)
    slots.lower()
    assert (slots.lowered(), slots.lowered(OTHER)) == (1, 1)
    slots.give("r1")
    assert slots.lowered() == 1, "it was not calm for so long"
    assert slots.take("r1")[0], "one runs"
    slots.give("r2")
    assert slots.take("r1") == FREE
    slots.give("r1", calm=-1.0)
    assert slots.lowered() == 2
    slots.take("r1")
    slots.give("r1", calm=500.0)
    assert (slots.lowered(), slots.lowered(OTHER)) == (2, 1), "once for each calm"


def test_an_account_that_is_shut_or_busy_takes_nothing(tables: Transactions) -> None:
    """It alone: shut until it is opened, with words and error, and busy for as long as the service asks."""
    slots = Slots(tables)
    slots.do(lambda connection: limits.close(connection, ACCOUNT, "no credits", "E"))
    assert slots.take("r1") == ("no credits", "E", True, 0.0, False)
    assert slots.take("x", OTHER, 5) == FREE
    slots.do(limits.reopen)
    slots.lower(100.0)
    why, _, is_closed, seconds, is_full = slots.take("r1")
    assert (bool(why), is_closed, is_full) == (True, False, False)
    assert 90 < seconds <= 100
    assert slots.take("y", OTHER, 5) == FREE
    assert slots.held() == {1: None, 2: None}


# -- what a create may cost --------------------------------------------------------------------------------------------
def begun(journal: Journal, numbers: range, most: float | None) -> Ledger:
    journal.add([row(number).job for number in numbers], Settings(), None)
    journal.allow(most)
    return Ledger(journal.transactions, "w", journal.root)


async def a_row(ledger: Ledger, journal: Journal, number: int) -> Row:
    found = await ledger.take(journal.workflow(row(number).job))
    assert found is not None
    return found


def spent(journal: Journal) -> float:
    return float(journal.transactions.now(lambda connection: connection.scalar(select(BATCHES.c.spent))) or 0)


def test_the_budget_holds(journal: Journal) -> None:
    """What is reserved counts, what came to nothing is given back, what nobody can price is not begun, and no limit is no limit."""

    async def main() -> None:
        ledger = begun(journal, range(1, 5), 100)
        rows = [await a_row(ledger, journal, number) for number in range(1, 5)]
        await ledger.intend(rows[0], {"reply_ref": "r1"}, 80)
        with pytest.raises(Held, match="--max-credits 100: 80 are spent, and this would cost 25") as info:
            await ledger.intend(rows[1], {"reply_ref": "r2"}, 25)
        assert info.value.error == "Budget"
        assert (rows[1].facts.intent, rows[1].facts.sends, spent(journal)) == (None, 0, 80)
        with pytest.raises(Held, match="would cost 21"):
            await ledger.check(rows[1], 21)
        await ledger.check(rows[1], 20)
        with pytest.raises(Held, match="what this would cost is not known"):
            await ledger.intend(rows[1], {"reply_ref": "r2"}, None)
        await ledger.intend(rows[1], {"reply_ref": "r2"}, 20)
        await ledger.drop(rows[0])
        await ledger.drop(rows[0])
        assert spent(journal) == 20
        await ledger.intend(rows[2], {"reply_ref": "r3"}, 80)
        journal.allow(None)
        await ledger.intend(rows[3], {"reply_ref": "r4"}, 10**6)
        assert spent(journal) == 100 + 10**6
        await ledger.intend(rows[0], {"reply_ref": "r5"}, None)
        assert (spent(journal), rows[0].credits) == (100 + 10**6, 0)

    asyncio.run(main())


def test_room_that_comes_meanwhile_is_reserved(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker gives credits back between the refusal and the look for its reason: the create is paid for all the same."""
    from useapi_runwayml.batch import ledger as ledgers

    check = ledgers._check

    def meanwhile(connection: Any, *given: Any) -> None:
        connection.execute(update(BATCHES).values(max_credits=100))
        check(connection, *given)

    monkeypatch.setattr(ledgers, "_check", meanwhile)

    async def main() -> None:
        ledger = begun(journal, range(1, 2), 10)
        one = await a_row(ledger, journal, 1)
        await ledger.intend(one, {"reply_ref": "r1"}, 25)
        assert spent(journal) == 25

    asyncio.run(main())


def begun_without_queues(tables: Transactions, numbers: range, most: float | None) -> Ledger:
    """Rows that nobody hands out, beside a batch of the same store that may spend more."""
    jobs = [row(number).job for number in numbers]
    kept = [
        {
            "id": f"b:{job.id}",
            "batch": "b",
            "row": job.row,
            "attempt": 1,
            "queue": "q",
            "state": "queued",
            "job": job.write(Path("/")),
            "facts": "{}",
        }
        for job in jobs
    ]
    names = {"b": Settings(max_jobs=4), "c": Settings(max_jobs=9)}
    batches = [
        {"name": name, "options": json.dumps(asdict(settings)), "max_credits": most if name == "b" else 10**6}
        for name, settings in names.items()
    ]
    asked = itertools.count()

    def ask(*_: Any) -> None:
        assert next(asked) < 500, "it never ends"

    def begin(connection: Any) -> None:
        connection.execute(insert(ROWS), kept)
        connection.execute(insert(BATCHES), batches)
        connection.execute(insert(WORKERS), [{"id": "w"}, {"id": "x"}])

    tables.now(begin)
    event.listen(tables.engine, "before_cursor_execute", ask)
    return Ledger(tables, "w", Path("/"))


def test_a_limit_is_kept_to_the_credit(tables: Transactions) -> None:
    """Of this batch alone: what is reserved counts, what came to nothing does not, and what nobody can price is not begun."""
    ledger = begun_without_queues(tables, range(1, 3), 100.0)

    def spent() -> dict[str, float]:
        rows = tables.now(lambda connection: connection.execute(select(BATCHES.c.name, BATCHES.c.spent)).all())
        return dict(map(tuple, rows))

    async def main() -> None:
        one, two = [await ledger.take(f"b:row-{number}-1") for number in (1, 2)]
        assert one is not None
        assert two is not None
        await ledger.intend(one, {"reply_ref": "r1"}, 60)
        assert spent() == {"b": 60, "c": 0}
        for credits in (41, None):
            with pytest.raises(Held):
                await ledger.intend(two, {"reply_ref": "r2"}, credits)
        await ledger.intend(two, {"reply_ref": "r2"}, 40)
        assert spent() == {"b": 100, "c": 0}
        await ledger.drop(one)
        assert spent() == {"b": 40, "c": 0}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("life", "taken_by_others"), [(LIVING, ()), (DOUBTFUL, (1,)), (OVER, (1, 2)), (INHERITED, (1, 2))]
)
def test_a_row_is_one_workers_for_as_long_as_that_may_live(
    tables: Transactions, life: int, taken_by_others: tuple[int, ...]
) -> None:
    """In doubt, what may still be sent is left to it; a row is read with its own batch's settings, and with its own slot."""
    ledger = begun_without_queues(tables, range(1, 4), None)
    other = Ledger(tables, "x", Path("/"))

    def slot(connection: Any) -> None:
        limits.know(connection, ACCOUNT, 2)
        limits.force(connection, ACCOUNT, "b:row-2-1")

    async def main() -> None:
        rows = [await ledger.take(f"b:row-{number}-1") for number in (1, 2)]
        assert rows[1] is not None
        await ledger.intend(rows[1], {"reply_ref": "r"}, 25)
        tables.now(slot)
        gone = update(WORKERS).where(WORKERS.c.id == "w").values(life=life)
        tables.now(lambda connection: connection.execute(gone))
        found = {number: await other.take(f"b:row-{number}-1") for number in (1, 2, 3)}
        assert {number: each is not None for number, each in found.items()} == {
            1: 1 in taken_by_others,
            2: 2 in taken_by_others,
            3: True,
        }
        for each in found.values():
            assert each is None or (each.settings.max_jobs, each.has_slot) == (4, each.job.row == 2)

    asyncio.run(main())


def test_an_intent_whose_word_was_lost_is_reserved_once(journal: Journal) -> None:
    """The same again, as after a connection that broke at the commit, changes nothing."""

    async def main() -> None:
        ledger = begun(journal, range(1, 2), 100)
        one = await a_row(ledger, journal, 1)
        do = ledger._do

        async def twice(work: Any) -> Any:
            await do(work)
            return await do(work)

        ledger._do = twice  # type: ignore[assignment]
        await ledger.intend(one, {"reply_ref": "r1"}, 25)
        assert spent(journal) == 25
        await ledger.drop(one)
        assert spent(journal) == 0

    asyncio.run(main())


def test_a_row_has_one_owner(journal: Journal) -> None:
    """Another worker gets it only when its owner is gone, or left no open intent and may be gone; and then the first writes nothing more."""

    def live(life: int) -> None:
        change = update(WORKERS).where(WORKERS.c.id == "w").values(life=life)
        journal.transactions.now(lambda connection: connection.execute(change))

    async def main() -> None:
        mine = begun(journal, range(1, 3), 100)
        journal.transactions.now(lambda connection: connection.execute(WORKERS.insert().values(id="w")))
        other = Ledger(journal.transactions, "x", journal.root)
        first, second = await a_row(mine, journal, 1), await a_row(mine, journal, 2)
        await mine.intend(first, {"reply_ref": "r1"}, 25)
        assert await other.take(first.id) is None
        live(1)
        assert await other.take(first.id) is None, "it may still send"
        assert await other.take(second.id) is not None
        with pytest.raises(Lost):
            await mine.intend(second, {"reply_ref": "r2"}, 25)
        assert spent(journal) == 25, "what is not ours reserves nothing"
        live(OVER)
        taken_over = await other.take(first.id)
        assert taken_over is not None
        assert taken_over.facts.intent == {"reply_ref": "r1"}
        for lost in (mine.save, mine.drop, lambda each: mine.leave(each, 0)):
            with pytest.raises(Lost):
                await lost(first)
        assert spent(journal) == 25
        taken_over.facts.end({"state": "failed"})
        await other.leave(taken_over, 0)
        assert (await other.take(first.id)) is not None, "one that is over is told to whoever asks"

    asyncio.run(main())


def doubted(journal: Journal) -> Ledger:
    """Another worker, to which the rows of the first are open."""
    doubt = WORKERS.insert().values(id="w", life=DOUBTFUL)
    journal.transactions.now(lambda connection: connection.execute(doubt))
    return Ledger(journal.transactions, "x", journal.root)


@pytest.mark.parametrize("force", [False, True])
def test_a_slot_is_its_owners_to_take_and_to_give(journal: Journal, force: bool) -> None:
    """Whoever lost the row in an outage takes none, which would never come free, and gives none away; the new owner finds the one that there is."""

    async def main() -> None:
        mine = begun(journal, range(1, 2), None)
        other = doubted(journal)
        first = await a_row(mine, journal, 1)
        loser = Account(ACCOUNT, journal.transactions, hold=mine.hold)
        owner = Account(ACCOUNT, journal.transactions, hold=other.hold)
        await loser.take(first, force=force)
        theirs = await a_row(other, journal, 1)
        assert theirs.has_slot
        with pytest.raises(Lost):
            await loser.give(first)
        assert taken(journal) == 1
        await owner.give(theirs)
        with pytest.raises(Lost):
            await loser.take(first, force=force)
        assert taken(journal) == 0
        await owner.take(theirs, force=force)
        assert taken(journal) == 1

    asyncio.run(main())


def test_a_row_changes_hands_before_its_slot_or_after_it(journal: Journal) -> None:
    """Never meanwhile: then a slot would be there of which the new owner does not know, and for which it waits behind others."""
    mine = begun(journal, range(1, 2), None)
    other = doubted(journal)
    other._do = Transactions(journal.engine).do  # type: ignore[method-assign]  # threads of its own

    async def main() -> None:
        first = await a_row(mine, journal, 1)
        journal.transactions.now(lambda connection: limits.know(connection, ACCOUNT, 1))
        with journal.engine.begin() as connection:
            mine.hold(connection, first.id)
            taking = asyncio.create_task(other.take(first.id))
            await asyncio.sleep(0.05)  # as long as that takes, and more
            assert not taking.done()
            assert not limits.take(connection, ACCOUNT, first.id, 1).why
        theirs = await taking
        assert theirs is not None
        assert theirs.has_slot

    asyncio.run(main())


def test_a_row_is_given_back_only_to_those_that_may_take_it(journal: Journal) -> None:
    """A worker of another batch is none of them, nor one that has not its clip."""

    async def main() -> None:
        mine = begun(journal, range(1, 2), None)
        for worker in ({"id": "w"}, {"id": "x", "batch": "another"}, {"id": "dead", "life": OVER}):
            journal.transactions.now(lambda connection: connection.execute(WORKERS.insert().values(**worker)))  # noqa: B023
        one = await a_row(mine, journal, 1)
        assert not await mine.give_back(one)
        journal.transactions.now(
            lambda connection: connection.execute(WORKERS.insert().values(id="y", batch=one.batch))
        )
        assert await mine.give_back(one)
        other = Ledger(journal.transactions, "y", journal.root)
        again = await a_row(other, journal, 1)
        assert sorted(again.facts.unseen_by) == ["w"]
        assert not await other.give_back(again)

    asyncio.run(main())


def test_a_row_is_taken_once_in_a_process(journal: Journal) -> None:
    """DBOS may hand it out twice: the second waits, however long the first takes to get it."""
    from useapi_runwayml.batch.clock import BatchClock
    from useapi_runwayml.batch.engine import Engine
    from useapi_runwayml.batch.steps import Steps

    ledger = begun(journal, range(1, 2), None)
    take, running, most = ledger.take, [0], [0]

    async def slow(workflow: str) -> Any:
        await asyncio.sleep(0.05)
        return await take(workflow)

    class Fake(Engine):
        async def _to_its_end(self, row: Row) -> None:
            running[0] += 1
            most[0] = max(most[0], running[0])
            await asyncio.sleep(0.05)
            running[0] -= 1

    async def main() -> None:
        ledger.take = slow  # type: ignore[method-assign]
        steps = Steps(None, BatchClock(), None, ledger, journal.transactions)  # type: ignore[arg-type]
        engine = Fake(steps)
        workflow = journal.workflow(row(1).job)
        await asyncio.gather(*(engine.process(workflow, 1, "") for _ in range(2)))
        assert not any(engine.present.values())

    asyncio.run(main())
    assert most == [1]


def test_an_error_of_the_database_is_no_rows_failure(journal: Journal) -> None:
    """Whatever it is: the row stays as it is, for whoever comes next, and the process ends by it."""
    from useapi_runwayml.batch.clock import BatchClock
    from useapi_runwayml.batch.engine import Engine
    from useapi_runwayml.batch.steps import Steps

    ledger = begun(journal, range(1, 2), None)

    class Failing(Engine):
        async def _process(self, row: Row) -> dict[str, Any]:
            raise ProgrammingError("select", {}, Exception("a column that nobody has"))

    async def main() -> Exception | None:
        engine = Failing(Steps(None, BatchClock(), None, ledger, journal.transactions))  # type: ignore[arg-type]
        with pytest.raises(asyncio.CancelledError):
            await engine.process(journal.workflow(row(1).job), 1, "")
        return engine.defect

    assert isinstance(asyncio.run(main()), ProgrammingError)
    assert not journal.transactions.now(lambda connection: connection.scalar(select(ROWS.c.is_over)))


def test_what_is_written_needs_no_thread_of_others(journal: Journal) -> None:
    """DBOS sleeps in the threads of the loop through an outage: ours go on meanwhile."""
    ledger, all_asleep = begun(journal, range(1, 2), None), threading.Event()

    async def main() -> Row | None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        asleep = loop.run_in_executor(None, all_asleep.wait, 20)
        try:
            return await asyncio.wait_for(ledger.take(journal.workflow(row(1).job)), 10)
        finally:
            all_asleep.set()
            await asleep

    assert asyncio.run(main()) is not None


# -- uploads -----------------------------------------------------------------------------------------------------------
def test_a_file_is_uploaded_once_for_all_workers(journal: Journal) -> None:
    """One uploads, the others wait for it; one whose upload failed or who is gone leaves it to the next; what is gone is forgotten."""
    calls: list[str] = []

    async def main() -> None:
        first, second = Uploads(journal.transactions, "w"), Uploads(journal.transactions, "x")
        journal.transactions.now(lambda connection: connection.execute(WORKERS.insert().values(id="w", life=LIVING)))
        going = asyncio.Event()

        async def slow() -> str:
            calls.append("w")
            await going.wait()
            return "asset-1"

        async def failing() -> str:
            raise OSError("no")

        async def quick() -> str:
            calls.append("x")
            return "asset-2"

        one = asyncio.create_task(first.get("h", None, slow))
        await soon(lambda: calls == ["w"])
        two = asyncio.create_task(second.get("h", None, quick))
        await asyncio.sleep(0.05)
        assert not two.done()
        going.set()
        assert await asyncio.gather(one, two) == ["asset-1", "asset-1"]
        assert await first.any_without_email() == "asset-1"
        assert await second.get("h", ACCOUNT, quick) == "asset-2", "another account"
        with pytest.raises(OSError, match="no"):
            await first.get("g", None, failing)
        assert await second.get("g", None, quick) == "asset-2"
        await second.forget("asset-1")
        assert await second.get("h", None, quick) == "asset-2"
        going.clear()
        dead = asyncio.create_task(first.get("f", None, slow))
        await soon(lambda: calls[-1] == "w")
        gone = update(WORKERS).where(WORKERS.c.id == "w").values(life=DOUBTFUL)
        journal.transactions.now(lambda connection: connection.execute(gone))
        assert await second.get("f", None, quick) == "asset-2"
        going.set()
        await dead
        assert await Uploads(journal.transactions, "y").get("f", None, quick) == "asset-2"

    asyncio.run(main())
    assert calls == ["w", "x", "x", "x", "w", "x"]


# -- many at once ------------------------------------------------------------------------------------------------------
def test_slots_are_never_more_than_there_are_however_many_ask(journal: Journal) -> None:
    """Eight threads, as eight machines would, take and give forty rows: never two on one slot, never more than three."""
    most, seen, wrong = 3, [0], list[str]()
    journal.transactions.now(lambda connection: limits.know(connection, ACCOUNT, most))

    def work(numbers: range) -> None:
        for number in numbers:
            holder = f"row-{number}"
            while journal.transactions.now(lambda connection: limits.take(connection, ACCOUNT, holder, most)).why:  # noqa: B023
                pass
            now_taken = taken(journal)
            seen[0] = max(seen[0], now_taken)
            if now_taken > most:
                wrong.append(f"{now_taken} slots are taken")
            journal.transactions.now(lambda connection: limits.give(connection, holder, 60))  # noqa: B023

    threads = [threading.Thread(target=work, args=(range(first, 40, 8),)) for first in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert wrong == []
    assert seen[0] >= 1
    assert taken(journal) == 0


class Shared(RuleBasedStateMachine):
    """Rows of two accounts that begin, end and are forced, 429s and gates, in any order, against a model in memory."""

    journal: Journal
    round = 0

    @initialize()
    def begin(self) -> None:
        type(self).round += 1
        self.accounts = [f"{name}-{self.round}" for name in ("a", "b")]
        self.most = 3
        self.holders: dict[str, set[int]] = {name: set() for name in self.accounts}
        self.slots: dict[str, int | None] = dict.fromkeys(self.accounts)
        self.closed: set[str] = set()
        for name in self.accounts:
            self.do(lambda connection, name=name: limits.know(connection, name, self.most))

    def do(self, work: Any) -> Any:
        return self.journal.transactions.now(work)

    def holder(self, account: str, number: int) -> str:
        return f"{account}/{number}"

    @rule(which=st.integers(0, 1), number=st.integers(1, 6))
    def take(self, which: int, number: int) -> None:
        account = self.accounts[which]
        mine, limit = self.holders[account], self.slots[account]
        fits = len(mine) < self.most and (limit is None or len(mine) < limit)
        numbered = self.do(
            lambda connection: connection.scalar(
                select(func.count())
                .select_from(SLOTS)
                .where(SLOTS.c.account == account, SLOTS.c.holder.is_(None), SLOTS.c.number <= self.most)
            )
        )
        gate = self.do(lambda connection: limits.take(connection, account, self.holder(account, number), self.most))
        expected = account not in self.closed and (number in mine or (fits and numbered > 0))
        assert (gate.why == "") == expected, gate
        assert gate.is_closed == (account in self.closed and not expected)
        if expected:
            mine.add(number)

    @rule(which=st.integers(0, 1), number=st.integers(1, 6))
    def force(self, which: int, number: int) -> None:
        account = self.accounts[which]
        self.do(lambda connection: limits.force(connection, account, self.holder(account, number)))
        self.holders[account].add(number)

    @rule(which=st.integers(0, 1), number=st.integers(1, 6), is_calm=st.booleans())
    def give(self, which: int, number: int, is_calm: bool) -> None:
        account, limit = self.accounts[which], self.slots[self.accounts[which]]
        calm = -1.0 if is_calm else 1000.0
        self.do(lambda connection: limits.give(connection, self.holder(account, number), calm))
        if number in self.holders[account] and is_calm and limit is not None:
            self.slots[account] = limit + 1
        self.holders[account].discard(number)

    @rule(which=st.integers(0, 1))
    def lower(self, which: int) -> None:
        account = self.accounts[which]
        self.do(lambda connection: limits.lower(connection, account, 0))
        running, limit = len(self.holders[account]) - 1, self.slots[account]
        self.slots[account] = max(1, running if limit is None else min(limit, running))

    @rule(which=st.integers(0, 1))
    def close(self, which: int) -> None:
        account = self.accounts[which]
        first = self.do(lambda connection: limits.close(connection, account, "shut", "E"))
        assert first == (account not in self.closed)
        self.closed.add(account)

    @rule()
    def reopen(self) -> None:
        self.do(limits.reopen)
        self.closed.clear()

    @invariant()
    def the_store_is_as_the_model(self) -> None:
        for account in getattr(self, "accounts", ()):
            held = self.do(
                lambda connection, account=account: (
                    connection.execute(
                        select(SLOTS.c.holder).where(SLOTS.c.account == account, SLOTS.c.holder.is_not(None))
                    )
                    .scalars()
                    .all()
                )
            )
            assert sorted(held) == sorted(self.holder(account, number) for number in self.holders[account])


def test_the_limits_hold_in_any_order(journal: Journal) -> None:
    """A state machine over the tables, on both databases."""

    class Here(Shared):
        pass

    Here.journal = journal
    how = settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    run_state_machine_as_test(Here, settings=how)


def test_a_batch_is_read_alone_and_all_of_them_together(journal: Journal, tmp_path: Path) -> None:
    """Its own rows, options and reading, of however many that the database has; of one that there is not there is nothing."""
    other, none = (Journal(replace(journal.place, batch=name), tmp_path) for name in ("another", "none"))
    everything = Journal(replace(journal.place, batch=None), tmp_path)
    reading = Reading("1234", "results", {"seed": 7})
    journal.add([row(1).job, row(2).job], Settings(max_jobs=3), reading)
    other.add([row(3).job], Settings(max_jobs=4))
    found = [[each.job.row for each in batch.facts()] for batch in (journal, other, none, everything)]
    assert found == [[1, 2], [3], [], [1, 2, 3]]
    assert [batch.count() for batch in (journal, other, none, everything)] == [2, 1, 0, 3]
    assert [batch.reading() for batch in (journal, other, none)] == [reading, None, None]
    assert [batch.options().get("max_jobs") for batch in (journal, other, none)] == [3, 4, None]
    workflow = journal.workflow(row(1).job)
    assert journal.workflows_among([workflow, "account a"]) == {workflow}
    assert journal.workflows_among([]) == set()
    for each in (other, none, everything):
        each.close()


def test_the_tables_are_the_same_twice(journal: Journal) -> None:
    """Whoever comes second makes nothing anew."""
    journal.add([row(1).job], Settings())
    journal.prepare()
    count = select(func.count()).select_from(ROWS)
    assert journal.transactions.now(lambda connection: connection.scalar(count)) == 1


def test_nobody_has_two_slots(journal: Journal) -> None:
    """Whatever goes wrong elsewhere, the store itself refuses that."""
    both = [{"account": ACCOUNT, "number": number, "holder": "row-1"} for number in (1, 2)]
    with pytest.raises(IntegrityError):
        journal.transactions.now(lambda connection: connection.execute(SLOTS.insert(), both))
    assert taken(journal) == 0


def test_a_batch_begins_with_all_its_rows_or_not_at_all(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in the midst of it leaves none: what is then begun is the whole."""

    def broken(self: Journal, connection: Any, job: Job, *rest: str) -> None:
        if job.row == 2:
            raise KeyboardInterrupt
        enqueue(self, connection, job, *rest)

    enqueue = Journal._enqueue
    monkeypatch.setattr(Journal, "_enqueue", broken)
    with pytest.raises(KeyboardInterrupt):
        journal.add([row(1).job, row(2).job], Settings())
    assert journal.options() == {}
    assert journal.facts() == []


def test_a_row_whose_task_has_ended_has_no_slot(journal: Journal) -> None:
    """It is given back in the same transaction that tells the end; of a row that has none, nothing is given."""

    async def main() -> None:
        ledger = begun(journal, range(1, 3), 100)
        account = Account(ACCOUNT, journal.transactions)
        one, two = await a_row(ledger, journal, 1), await a_row(ledger, journal, 2)
        for each in (one, two):
            await account.take(each)
        two.may_have_slot = False
        await ledger.leave(one, 60.0)
        assert taken(journal) == 1
        await ledger.leave(two, 60.0)
        assert taken(journal) == 1
        await account.take(one)
        await ledger.leave(one, 60.0)
        assert taken(journal) == 2, "it has given its own already"

    asyncio.run(main())


def test_what_was_refused_is_no_intent(journal: Journal) -> None:
    """A row that the budget refused has sent nothing, costs nothing, and is as it was."""

    async def main() -> None:
        ledger = begun(journal, range(1, 2), 10)
        one = await a_row(ledger, journal, 1)
        before = one.facts.state
        with pytest.raises(Held):
            await ledger.intend(one, {"reply_ref": "r1"}, 25)
        assert (one.facts.sends, one.facts.intent, one.facts.reply_ref, one.credits) == (0, None, None, 0)
        assert one.facts.state == before
        assert spent(journal) == 0

    asyncio.run(main())


def test_new_words_take_the_place_of_old_ones(journal: Journal) -> None:
    """What one worker said of one thing, and nothing else: whether it was new is told, and no words take it away."""
    notices, other = journal.notices, Notices(journal.engine)
    assert notices.tell("the service", "no answer")
    assert notices.tell("the service", "")
    notices.worker, other.worker = "one", "other"
    assert notices.tell("row-2", "again in 1 h")
    assert notices.tell("row-1", "again in 2 h")
    assert not notices.tell("row-1", "again in 2 h")
    assert notices.tell("row-1", "again in 30 min")
    assert notices.all() == {"row-2": "again in 1 h", "row-1": "again in 30 min"}
    assert other.tell("row-1", "no answer")
    assert notices.tell("row-1", "")
    assert not notices.tell("row-1", "")
    assert notices.all() == {"row-2": "again in 1 h", "row-1": "no answer"}
