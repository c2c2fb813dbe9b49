"""The database of a batch's journal: on every SQLite, at every path."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy
import sqlean.dbapi2

from useapi_runwayml.batch import store
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.ledger import Settings


class WithoutClock(sqlite3.Connection):
    """As SQLite is before 3.42: there is no time in parts of a second."""

    ours: Any = None

    def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
        if statement == store.CLOCK and self.ours is None:
            return super().execute("select null")
        return super().execute(statement, *arguments)

    def create_function(self, name: str, arguments: int, function: Any, **more: Any) -> None:
        if name == "unixepoch":  # SQLAlchemy adds functions of its own
            self.ours = name, arguments
        super().create_function(name, arguments, function, **more)


class BeforeIt(WithoutClock):
    """As SQLite is before 3.38: there is no such function."""

    def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
        if statement == store.CLOCK and self.ours is None:
            raise sqlite3.OperationalError("no such function: unixepoch")
        return super().execute(statement, *arguments)


def driver(connection: type[sqlite3.Connection]) -> ModuleType:
    """sqlite3 with connections of this class."""
    made = ModuleType("driver")
    made.__dict__.update(sqlite3.__dict__)
    made.connect = lambda *given, **more: sqlite3.connect(*given, **more, factory=connection)  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize(
    ("module", "ours"),
    [
        (sqlite3, None),
        (driver(WithoutClock), ("unixepoch", 1)),
        (driver(BeforeIt), ("unixepoch", 1)),
        (sqlean.dbapi2, None),
    ],
)
def test_every_sqlite_tells_the_time_in_parts_of_a_second(
    module: ModuleType, ours: tuple[str, int] | None, tmp_path: Path
) -> None:
    """The clock that DBOS asks from Python 3.12 on is there, SQLite's own or ours, on each connection; ours knows no other words."""
    engine = store.open_store(tmp_path / "s.sqlite", module=module)
    for _ in range(2):
        with engine.connect() as connection:
            now, reference = connection.execute(
                sqlalchemy.text("select unixepoch('subsec'), (julianday('now') - 2440587.5) * 86400")
            ).one()
            assert isinstance(now, float)
            assert now == pytest.approx(reference, abs=2)
            assert getattr(connection.connection.dbapi_connection, "ours", None) == ours
            if ours:
                with pytest.raises(sqlalchemy.exc.OperationalError):
                    connection.execute(sqlalchemy.text("select unixepoch('noon')"))
            connection.connection.invalidate()
    engine.dispose()


@pytest.mark.parametrize("module", [sqlite3, sqlean.dbapi2])
def test_no_power_cut_takes_a_commit_back(module: ModuleType, tmp_path: Path) -> None:
    """What a transaction could be undone with is made useless on the disk, and not deleted, which a power cut may undo."""
    engine = store.open_store(tmp_path / "s.sqlite", module=module)
    for number in range(2):
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"create table t{number} (id int)"))
        left = (tmp_path / "s.sqlite-journal").read_bytes()
        assert left[:28] == bytes(28)
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("PRAGMA synchronous")).scalar() == 2
    engine.dispose()


def test_whoever_asks_next_has_the_connection_that_wrote_last(tmp_path: Path) -> None:
    """The others would read anew what it wrote."""
    engine = store.open_store(tmp_path / "s.sqlite")
    first, last = engine.raw_connection(), engine.raw_connection()
    wrote = last.dbapi_connection
    first.close()
    last.close()
    again = engine.raw_connection()
    assert again.dbapi_connection is wrote
    again.close()
    engine.dispose()


def test_an_sqlite_that_has_the_clock_keeps_its_own() -> None:
    """Where the library answers itself, nothing is put in its place."""

    class Seen(WithoutClock):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            return sqlite3.Connection.execute(self, "select 1.5" if statement == store.CLOCK else statement, *arguments)

    connection = sqlite3.connect(":memory:", factory=Seen)
    store._prepared(connection, None)
    assert connection.ours is None
    assert connection.isolation_level == "IMMEDIATE"
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert connection.execute("PRAGMA busy_timeout").fetchone() == (30_000,)
    connection.close()


def test_a_journal_is_made_where_sqlite_has_no_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a library without it, as Debian 12 brings it to Python 3.12, the tables of a journal are made and read."""
    for module in (driver(BeforeIt), sqlean.dbapi2):
        folder = tmp_path / module.__name__
        folder.mkdir()
        monkeypatch.setattr(
            "useapi_runwayml.batch.places.open_store",
            lambda *given, module=module: store.open_store(*given, module=module),
        )
        journal = Journal(folder)
        journal.prepare()
        journal.add([], Settings(max_jobs=3))
        assert journal.options()["max_jobs"] == 3
        journal.close()


def test_a_database_that_cannot_hold_a_journal_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the library said, which library it is, what to install, and that nothing was sent."""

    class Refusing(sqlite3.Cursor):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            if "application_versions" in statement:
                raise sqlite3.IntegrityError("NOT NULL constraint failed: application_versions.version_timestamp")
            return super().execute(statement, *arguments)

    class Broken(sqlite3.Connection):
        def cursor(self, factory: Any = Refusing) -> Any:
            return super().cursor(factory)

    monkeypatch.setattr(
        "useapi_runwayml.batch.places.open_store", lambda *given: store.open_store(*given, module=driver(Broken))
    )
    journal = Journal(tmp_path)
    with pytest.raises(
        OSError, match=r"nothing was sent .*version_timestamp.*SQLite 3\.\d+.*use one with 3\.42"
    ) as info:
        journal.prepare()
    assert info.value.filename == str(tmp_path)
    journal.close()


def test_a_file_that_another_program_holds_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup, a browser of databases: after half a minute the process ends by that, without a line of SQL."""
    assert store.BUSY_MILLISECONDS == 30_000
    monkeypatch.setattr(store, "BUSY_MILLISECONDS", 10)
    failed = list[store.StoreFailed]()
    engine = store.open_store(tmp_path / "j.sqlite", failed.append)
    with engine.begin() as connection:
        connection.exec_driver_sql("create table t (x)")
    other = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None)
    other.execute("begin exclusive")
    with pytest.raises(store.StoreFailed) as caught, engine.begin() as connection:
        connection.exec_driver_sql("insert into t values (1)")
    assert (
        str(caught.value.strerror)
        == "the journal cannot be used: database is locked; another program holds it: end that one"
    )
    assert failed == [caught.value]
    other.close()
    engine.dispose()


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (5, "another program holds it: end that one"),
        (8, "may it be written to?"),
        (10, "is the disk full?"),
        (10 | 2 << 8, "is the disk full?"),
        (11, "the file is broken"),
        (13, "make room"),
        (14, "may it be written to?"),
        (26, "the file is no journal"),
        (1, None),
        (19, None),
        (None, None),
    ],
)
def test_what_ails_the_file_is_told_by_its_code(code: int | None, told: str | None, tmp_path: Path) -> None:
    """In all of its forms; a mistake of ours is none of the file's."""

    class Failing(sqlite3.Cursor):
        def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
            if "now broken" in statement:
                error = sqlite3.OperationalError("it failed")
                if code is not None:
                    error.sqlite_errorcode = code
                raise error
            return super().execute(statement, *arguments)

    class Broken(sqlite3.Connection):
        def cursor(self, factory: Any = Failing) -> Any:
            return super().cursor(factory)

    failed = list[store.StoreFailed]()
    engine = store.open_store(tmp_path / "j.sqlite", failed.append, driver(Broken))
    with pytest.raises(OSError if told else sqlalchemy.exc.OperationalError) as caught, engine.begin() as connection:
        connection.exec_driver_sql("select 1 -- now broken")
    assert failed == ([caught.value] if told else [])
    if told:
        assert str(caught.value).endswith(f"it failed; {told}: {str(tmp_path / 'j.sqlite')!r}")
    engine.dispose()
