"""Which batch, and where it is kept, as its commands are told."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from ..errors import ParameterError
from .exits import USAGE, Stop, command
from .needs import extra, there

if TYPE_CHECKING:
    from ..batch import Batch
    from ..batch.places import Database

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

    def __post_init__(self) -> None:
        where = self.where
        if where.project and where.database == os.environ.get(DATABASE):  # what is typed goes before the environment
            object.__setattr__(self, "where", replace(where, database=None))

    @property
    def name(self) -> str:
        found = self.where.name or (self.jobs or Path()).stem
        if found:
            return found
        raise Stop("which batch? Give its --name, or its jobs file", USAGE)

    def __str__(self) -> str:
        """As a person knows it."""
        return str(self.jobs or self.where.name or self.where.project)

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

    def batch(self, **settings: Any) -> Batch:
        """The batch itself; Stop for what is no option of one."""
        where = self.where
        if where.database and where.project:
            raise Stop("a batch is kept in a --project or in a --database: give one of them", USAGE)
        if not where.database and not where.project and self.jobs is None:
            raise Stop("which batch? Give its jobs file", USAGE)
        if where.name and not where.database:
            raise Stop("--name needs a --database, where it names the batch", USAGE)
        with extra("batch"):
            from ..batch import Batch
        kept = {"database": where.database, "name": self.name} if where.database else {"project": where.project}
        with extra("postgres"), as_options():
            return Batch(self.jobs, **kept, root=where.root, **settings)

    def begun(self) -> Batch:
        """The batch that is there; Stop when there is none."""
        batch = self.batch()
        if not batch.is_begun():
            begin = f": begin one with {self.again('run')}" if self.jobs else ""
            raise Stop(f"there is no batch in {batch.place}{begin}", USAGE)
        return batch


@contextlib.contextmanager
def as_options() -> Iterator[None]:
    """What is wrong with an argument is told of its option."""
    try:
        yield
    except ParameterError as error:
        name, _, rule = error.problems[0]
        between = " " if rule.startswith(("must ", "takes ")) else ": "
        raise Stop(f"--{name.replace('_', '-')}{between}{rule}", USAGE) from None


def database_of(url: str, batch: str | None = None) -> Database:
    """The database of a URL; Stop when it is none that can be used."""
    with extra("postgres"):
        from ..batch.places import Unusable
        from ..batch.whereabouts import database_of

        there("dbos", "filelock")
        try:
            return database_of(url, batch)
        except Unusable as error:
            raise Stop(f"--database: {error.strerror}", USAGE) from None
