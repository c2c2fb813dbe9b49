"""SQLite's file of a journal: one SQLAlchemy engine that DBOS, its client and we share, with what an older SQLite lacks."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import event

if TYPE_CHECKING:
    from types import ModuleType

GONE_WRONG = {  # by SQLite's code
    5: "another program holds it: end that one",
    8: "may it be written to?",
    10: "is the disk full?",
    11: "the file is broken",
    13: "make room",
    14: "may it be written to?",
    26: "the file is no journal",
}
CLOCK = "select unixepoch('subsec')"
BUSY_MILLISECONDS = 30_000
POOL_SIZE = 20  # what DBOS takes for an engine of its own


class StoreFailed(OSError):
    """The journal's file can be written, or read, no more: that is no row's failure."""


def open_store(
    path: Path, on_failure: Callable[[StoreFailed], None] = lambda error: None, module: ModuleType | None = None
) -> sqlalchemy.Engine:
    """The engine of the SQLite file at this path, whatever characters the path has; nothing is opened yet.

    StoreFailed comes out of it in place of what the driver says of the file, in whatever thread; `on_failure` gets it as well.
    `module` is another driver with the interface of sqlite3.
    """
    more = {} if module is None else {"module": module}
    url = sqlalchemy.URL.create("sqlite", database=str(path.resolve()))
    pool: dict[str, Any] = {"pool_size": POOL_SIZE, "max_overflow": 0, "pool_timeout": 30}
    # last in, first out, since whatever a connection has read of the file it reads anew once another one has written
    engine = sqlalchemy.create_engine(url, **pool, pool_use_lifo=True, **more)
    event.listen(engine, "connect", _prepared)

    def told(context: Any) -> StoreFailed | None:
        error = context.original_exception
        meaning = GONE_WRONG.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if meaning is None:
            return None
        failed = StoreFailed(5, f"the journal cannot be used: {error}; {meaning}", str(path))
        on_failure(failed)
        return failed

    event.listen(engine, "handle_error", told)
    return engine


def _prepared(connection: Any, _: object) -> None:
    """As DBOS prepares connections of its own; and the clock that it asks from Python 3.12 on, where SQLite has none."""
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA foreign_keys=ON")
    with contextlib.suppress(connection.DatabaseError):  # a file that is none is told of when something of it is asked
        # A commit is on the disk once it is done. Deleted, what it could be undone with may be back after a power cut, and undo it
        connection.execute("PRAGMA journal_mode=PERSIST")
    if not has_clock(connection):
        connection.create_function("unixepoch", 1, _unixepoch)


def has_clock(connection: Any) -> bool:
    """Whether this SQLite tells the time in parts of a second, as it does from 3.42 on; asked of the library itself."""
    try:
        (found,) = connection.execute(CLOCK).fetchone()
    except Exception as error:
        if "no such function" in str(error):  # before 3.38
            return False
        raise
    return found is not None


def _unixepoch(modifier: str) -> float:
    if modifier not in ("subsec", "subsecond"):
        raise ValueError(modifier)
    return time.time()


def cannot_hold(error: sqlalchemy.exc.DBAPIError) -> str:
    """Why no journal can be made in this database, and what to do."""
    return (
        f"no journal can be made here, and nothing was sent ({error.orig}). This Python has SQLite {sqlite3.sqlite_version}: use one with "
        "3.42 or newer, or another folder (--project)"
    )
