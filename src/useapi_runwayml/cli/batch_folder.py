"""Where a batch is kept, as its commands are told, and how it is opened."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .exits import USAGE, Stop, command
from .needs import extra, there

if TYPE_CHECKING:
    from ..batch.journal import Journal
    from ..batch.places import Place
    from ..batch.records import Records

DATABASE = "USEAPI_RUNWAYML_DATABASE"
"""A PostgreSQL database for batches on several machines, as `postgresql://user:password@host/name`; `--database` goes before it."""
Jobs = Annotated[Path, Parameter(help="The jobs file that `batch run` was given.")]


@dataclass(frozen=True)
class Where:
    """Options of all commands of a batch."""

    project: Annotated[
        Path | None,
        Parameter(help="The folder for the journal; `.useapi-runwayml/` beside the jobs file unless given."),
    ] = None
    database: Annotated[
        str | None,
        Parameter(
            env_var=DATABASE,
            help="A PostgreSQL database in place of the folder, for several machines: postgresql://USER:PASSWORD@HOST/NAME.",
        ),
    ] = field(default=None, repr=False)  # it may have a password
    name: Annotated[
        str | None,
        Parameter(
            help="What the batch is called in the database; that of the jobs file, without its ending, unless given."
        ),
    ] = None
    root: Annotated[
        Path | None,
        Parameter(
            help="The folder below which this machine has the clips and puts the results; that of the jobs file unless given."
        ),
    ] = None

    @property
    def needs_secret(self) -> str:
        """Why callbacks need a secret that all share."""
        return "the workers of a database receive each other's callbacks" if self.database else ""


Options = Annotated[Where, Parameter(name="*")]
ANYWHERE = Where()


@dataclass(frozen=True)
class Begun:
    """A batch, by its jobs file and by where it is kept."""

    jobs: Path | None
    where: Where

    @property
    def root(self) -> Path:
        return (self.where.root or (self.jobs.parent if self.jobs else Path.cwd())).resolve()

    @property
    def name(self) -> str:
        found = self.where.name or (self.jobs or Path()).stem
        if "/" in found:
            raise Stop("--name takes no /", USAGE)
        if found:
            return found
        raise Stop("which batch? Give its --name, or its jobs file", USAGE)

    def __str__(self) -> str:
        """As a person knows it."""
        return str(self.jobs or self.where.name)

    def again(self, name: str, *more: object) -> str:
        """A batch command for this batch, as it is typed; without a password."""
        where, options = self.where, list[object]()
        if where.project and not where.database:
            options += ["--project", where.project]
        options += self._database()
        if where.database and (where.name or not self.jobs):
            options += ["--name", self.name]
        if where.root:
            options += ["--root", where.root]
        return command("batch", name, *([self.jobs] if self.jobs else []), *more, *options)

    def worker(self) -> str:
        """How to work on it from another machine."""
        return command("batch", "worker", *self._database(), "--root", "FOLDER")

    def _database(self) -> list[object]:
        """The option, unless the environment says it already."""
        database = self.where.database
        return ["--database", database_of(database)] if database and database != os.environ.get(DATABASE) else []

    def place(self) -> Place:
        """The folder of the journal, beside the jobs file, with its name, unless given; or the database."""
        if self.where.database and self.where.project:
            raise Stop("a batch is kept in a --project or in a --database: give one of them", USAGE)
        if self.where.database:
            return database_of(self.where.database, self.name)
        with extra("batch"):
            from ..batch.places import HIDDEN, Folder
        if self.jobs is None:
            raise Stop("which batch? Give its jobs file", USAGE)
        return Folder(self.where.project or self.jobs.parent / HIDDEN / self.jobs.name)


def database_of(url: str, batch: str | None = None) -> Place:
    """The database of a URL; Stop when it is none that can be used."""
    with extra("postgres"):
        from ..batch.places import Database, Unusable

        there("psycopg", "dbos", "filelock")
    try:
        return Database.of(url, batch)
    except Unusable as error:
        raise Stop(f"--database: {error.strerror}", USAGE) from None


@contextlib.contextmanager
def looked_into(begun: Begun) -> Iterator[Records]:
    """What the journal of a batch has; nothing is written."""
    with _looked_for(begun) as records:
        if records is None:
            raise _no_batch(begun)
        yield records


@contextlib.contextmanager
def opened(begun: Begun, *, new: bool = False) -> Iterator[Journal]:
    """The journal of a batch that is there, or a new one; for this process alone where it is a folder."""
    place = begun.place()
    with extra("batch"):
        from ..batch.journal import Journal
    if new:
        place.make()
    elif not place.is_there():
        raise _no_batch(begun)
    with contextlib.ExitStack() as stack:
        stack.enter_context(place.alone())
        journal = Journal(place, begun.root)
        stack.callback(journal.close)
        is_begun = bool(journal.options())
        if new and is_begun:
            raise _begun(begun)
        if new:
            journal.prepare()
        elif not is_begun:
            raise _no_batch(begun)
        yield journal


@contextlib.contextmanager
def refused(begun: Begun) -> Iterator[Records | None]:
    """Stop when the place has a batch already; before that, what it has is given."""
    with _looked_for(begun) as records:
        yield records
        if records is not None:
            raise _begun(begun)


@contextlib.contextmanager
def _looked_for(begun: Begun) -> Iterator[Records | None]:
    """What the place has of the batch; None when it has none of it."""
    place = begun.place()
    with extra("batch"):
        from ..batch.records import Records
    if not place.is_there():
        yield None
        return
    with contextlib.closing(Records(place, begun.root)) as records:
        yield records if records.options() else None


def _begun(begun: Begun) -> Stop:
    return Stop(f"{begun.place()} has a batch already: go on with {begun.again('resume')}", USAGE)


def _no_batch(begun: Begun) -> Stop:
    return Stop(f"there is no batch in {begun.place()}: begin one with {begun.again('run')}", USAGE)
