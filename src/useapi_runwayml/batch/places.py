"""Where a batch is kept: SQLite in a folder, or PostgreSQL for several machines. All that differs between the two is here and in `presence`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy

from .presence import LIVELY, Alone, Locked, Presence, make_server
from .store import POOL_SIZE, StoreFailed, cannot_hold, open_store
from .tables import METADATA

FILE = "journal.sqlite"
BATCH = "batch"
HIDDEN = ".useapi-runwayml"


class Unusable(OSError):
    """A URL that names no database that can be used; nothing of it is repeated but the host."""


@dataclass(frozen=True)
class Folder:
    """A folder with SQLite's file: one batch, and one process at a time."""

    path: Path
    batch: str = BATCH

    def __str__(self) -> str:
        return str(self.path)

    def is_there(self) -> bool:
        return (self.path / FILE).exists()

    def make(self) -> None:
        """Room for a new batch; version control leaves it out."""
        self.path.mkdir(parents=True, exist_ok=True)
        above = self.path.parent
        if above.name == HIDDEN and not (above / ".gitignore").exists():
            (above / ".gitignore").write_text("*\n", encoding="utf-8")

    def open(self, on_failure: Callable[[StoreFailed], None]) -> sqlalchemy.Engine:
        return open_store(self.path / FILE, on_failure)

    def make_tables(self, connection: sqlalchemy.Connection) -> None:
        METADATA.create_all(connection)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time runs what is in the folder; BlockingIOError for a second one."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise BlockingIOError(11, "another process runs this batch", str(self.path)) from None
        try:
            yield
        finally:
            lock.release()

    def presence(self, engine: sqlalchemy.Engine) -> Presence:
        return Alone(engine)

    def cannot_hold(self, error: sqlalchemy.exc.DBAPIError) -> str:
        """Why no journal can be made there, and what to do."""
        return cannot_hold(error)


@dataclass(frozen=True)
class Database:
    """A database that many processes on many machines share, with many batches; one of them by its name, or all."""

    url: sqlalchemy.URL
    batch: str | None = None

    @classmethod
    def of(cls, url: str, batch: str | None = None) -> Database:
        """Unusable for what is no URL of PostgreSQL. A password is in no error."""
        try:
            found = sqlalchemy.make_url(url)
        except (sqlalchemy.exc.ArgumentError, ValueError):
            raise Unusable(22, "this is no URL of a database: postgresql://USER:PASSWORD@HOST/DATABASE") from None
        if found.get_backend_name() not in ("postgresql", "postgres"):
            raise Unusable(
                22, f"{found.drivername} cannot be used for several machines, PostgreSQL can: postgresql://…"
            )
        if "@" in (found.host or ""):
            raise Unusable(22, "the password has an @ that is not written as %40")
        return cls(found.set(drivername="postgresql+psycopg"), batch)

    def __str__(self) -> str:
        """As a person may see it."""
        query = {name: value for name, value in self.url.query.items() if name in ("host", "port")}
        return self.url.set(drivername="postgresql", query=query).render_as_string(hide_password=True)

    __repr__ = __str__

    def is_there(self) -> bool:
        """Unusable when it cannot be reached, or lets nobody in; as the driver says it, which tells no password."""
        engine = sqlalchemy.create_engine(self.url, poolclass=sqlalchemy.NullPool, connect_args=LIVELY)
        try:
            engine.connect().close()
        except sqlalchemy.exc.DBAPIError as error:
            raise Unusable(111, f"the database cannot be used: {error.orig}", str(self)) from None
        return True

    def cannot_hold(self, error: sqlalchemy.exc.DBAPIError) -> str:
        """Why no batch can be kept there, and what to do."""
        return f"no batch can be kept here, and nothing was sent ({error.orig}). Its user must be able to create tables"

    def make(self) -> None:
        """It is there."""

    def open(self, on_failure: Callable[[StoreFailed], None]) -> sqlalchemy.Engine:
        engine = sqlalchemy.create_engine(
            self.url,
            hide_parameters=True,
            isolation_level="READ COMMITTED",  # whatever the database usually has
            pool_size=POOL_SIZE,
            max_overflow=0,
            connect_args=LIVELY,
        )
        sqlalchemy.event.listen(engine, "connect", _impatient)
        return engine

    def make_tables(self, connection: sqlalchemy.Connection) -> None:
        METADATA.create_all(connection)
        make_server(connection)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Others may work on it at the same time."""
        yield

    def presence(self, engine: sqlalchemy.Engine) -> Presence:
        return Locked(engine, self.url, self.batch)


def _impatient(connection: Any, _: object) -> None:
    """A worker that is stopped amid a transaction must not hold up the others."""
    with connection.cursor() as cursor:
        cursor.execute("set idle_in_transaction_session_timeout = 5000")
    connection.commit()


Place = Folder | Database
