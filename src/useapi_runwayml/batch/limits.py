"""What all rows and all machines share of an account: its slots, its gate, and how busy it is. Single statements, each in a transaction of the caller's."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Integer, Text, bindparam, case, exists, func, insert, literal, or_, select, update

from .tables import ACCOUNTS, SLOTS, now


class Held(Exception):
    """Nothing more is taken until `resume`; says why, and by which error."""

    def __init__(self, why: str, error: str = "") -> None:
        super().__init__(why)
        self.error = error


class Gate(NamedTuple):
    """Whether an account takes a row: it does, if there are no words; `is_closed` until somebody opens it again, else for so many seconds.

    `is_full` tells that it was the last free slot.
    """

    why: str = ""
    error: str = ""
    is_closed: bool = False
    seconds: float = 0.0
    is_full: bool = False


def know(connection: Connection, account: str, most: int) -> None:
    """Makes an account known, with this many slots at least."""
    missing = ~exists(select(ACCOUNTS.c.name).where(ACCOUNTS.c.name == account))
    connection.execute(insert(ACCOUNTS).from_select(["name"], select(literal(account)).where(missing)))
    there = connection.scalar(select(func.count()).select_from(SLOTS).where(SLOTS.c.account == account)) or 0
    if there < most:
        connection.execute(
            insert(SLOTS), [{"account": account, "number": number} for number in range(there + 1, most + 1)]
        )


_account = bindparam("of", type_=Text())
_holder = bindparam("row", type_=Text())
_most = bindparam("most", type_=Integer())
_here = SLOTS.c.account == _account
_taken = select(func.count()).select_from(SLOTS).where(_here, SLOTS.c.holder.is_not(None)).scalar_subquery()
_is_open = exists(
    select(ACCOUNTS.c.name).where(
        ACCOUNTS.c.name == _account,
        ACCOUNTS.c.closed == "",
        ACCOUNTS.c.busy_until <= now(),
        or_(ACCOUNTS.c.slots.is_(None), ACCOUNTS.c.slots > _taken),
    )
)
_free = select(SLOTS.c.number).where(_here, SLOTS.c.holder.is_(None)).order_by(SLOTS.c.number).limit(1)
FREE = _free.where(SLOTS.c.number <= _most)
_free = _free.with_for_update(skip_locked=True)
_first = _free.where(SLOTS.c.number <= _most).scalar_subquery()
_has_none = ~exists(select(SLOTS.c.number).where(SLOTS.c.holder == _holder))
TAKE = update(SLOTS).where(_here, SLOTS.c.number == _first, _is_open, _has_none).values(holder=_holder)
FORCE = update(SLOTS).where(_here, SLOTS.c.number == _free.scalar_subquery(), _has_none).values(holder=_holder)
HAS = select(SLOTS.c.number).where(SLOTS.c.holder == _holder)
ONE_MORE = insert(SLOTS).from_select(
    ["account", "number", "holder"],
    select(_account, func.coalesce(func.max(SLOTS.c.number), 0) + 1, _holder).where(_here),
)
CALMED = (
    update(ACCOUNTS)
    .where(
        ACCOUNTS.c.name == select(SLOTS.c.account).where(SLOTS.c.holder == _holder).scalar_subquery(),
        ACCOUNTS.c.slots.is_not(None),
        ACCOUNTS.c.busy_at <= now() - bindparam("calm"),
    )
    .values(slots=ACCOUNTS.c.slots + 1, busy_at=now())
)
GIVE = update(SLOTS).where(SLOTS.c.holder == _holder).values(holder=None)


def take(connection: Connection, account: str, holder: str, most: int) -> Gate:
    """A slot for this row, one of the first `most`, if the account takes more. A row that has one keeps it."""
    names = {"of": account, "row": holder, "most": most}
    if connection.execute(TAKE, names).rowcount:
        return Gate(is_full=connection.scalar(FREE, names) is None)
    gate = look(connection, account)
    return Gate() if not gate.is_closed and connection.scalar(HAS, names) is not None else gate


def force(connection: Connection, account: str, holder: str) -> None:
    """A slot for a row whose task is there already, and one more than there are if none is free."""
    names = {"of": account, "row": holder}
    if not connection.execute(FORCE, names).rowcount and connection.scalar(HAS, names) is None:
        connection.execute(ONE_MORE, names)


def give(connection: Connection, holder: str, calm: float) -> None:
    """Gives a row's slot back. After `calm` seconds without a 429 the account is tried with one more."""
    connection.execute(CALMED, {"row": holder, "calm": calm})
    connection.execute(GIVE, {"row": holder})


def lower(connection: Connection, account: str, pause: float) -> None:
    """After a 429: no more than what runs besides the refused one, but one; and nothing new for as long as the service asks to wait."""
    others = (
        select(func.count() - 1).select_from(SLOTS).where(SLOTS.c.account == account, SLOTS.c.holder.is_not(None))
    ).scalar_subquery()
    fewest = case((or_(ACCOUNTS.c.slots.is_(None), ACCOUNTS.c.slots > others), others), else_=ACCOUNTS.c.slots)
    until = now() + pause
    connection.execute(
        update(ACCOUNTS)
        .where(ACCOUNTS.c.name == account)
        .values(
            slots=case((fewest < 1, 1), else_=fewest),
            busy_at=now(),
            busy_until=case((ACCOUNTS.c.busy_until > until, ACCOUNTS.c.busy_until), else_=until),
        )
    )


def close(connection: Connection, account: str, why: str, error: str) -> bool:
    """Shuts the gate for all machines; gives whether this was the first to say so."""
    found = connection.execute(
        update(ACCOUNTS).where(ACCOUNTS.c.name == account, ACCOUNTS.c.closed == "").values(closed=why, error=error)
    )
    return bool(found.rowcount)


def reopen(connection: Connection) -> None:
    """A person has asked to go on."""
    connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.closed != "").values(closed="", error=""))


def look(connection: Connection, account: str) -> Gate:
    """Why the account takes nothing right now."""
    columns = ACCOUNTS.c.closed, ACCOUNTS.c.error, (ACCOUNTS.c.busy_until - now()).label("seconds")
    found = connection.execute(select(*columns).where(ACCOUNTS.c.name == account)).first()
    if found is not None and found.closed:
        return Gate(found.closed, found.error, is_closed=True)
    return Gate("its slots are taken, or it is busy", seconds=max(0.0, found.seconds) if found else 0.0)
