"""Where a batch is kept, as a caller says it, and how it is opened."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .places import HIDDEN, Database, Folder, Place
from .records import Records
from .refusals import BatchError

if TYPE_CHECKING:
    from .journal import Journal

DATABASE = "USEAPI_RUNWAYML_DATABASE"


@dataclass(frozen=True)
class Whereabouts:
    """A batch by its jobs file, if it has one, and by where it is kept: a folder, or a database and its name there."""

    jobs: Path | None = None
    project: Path | None = None
    database: str | None = field(default=None, repr=False)  # it may have a password
    name: str | None = None
    root: Path | None = None

    @property
    def files(self) -> Path:
        """The folder below which this machine has the files of the rows."""
        beside = self.jobs.parent if self.jobs else self.project if self.project and not self.database else Path()
        return (self.root or beside).resolve()

    @property
    def batch(self) -> str:
        """What it is called in a database; empty where nobody said it."""
        return self.name or (self.jobs.stem if self.jobs else "")

    def place(self) -> Place:
        """The folder of the journal, beside the jobs file, with its name, unless given; or the database.

        ModuleNotFoundError when the driver is missing, Unusable for a URL that names no database that can be used.
        """
        if self.database:
            return database_of(self.database, self.batch)
        beside = self.jobs.parent / HIDDEN / self.jobs.name if self.jobs else Path(HIDDEN)
        return Folder(self.project or beside)

    @contextlib.contextmanager
    def looked_for(self) -> Iterator[Records | None]:
        """What the place has of the batch; None when it has none of it. Nothing is written."""
        place = self.place()
        if not place.is_there():
            yield None
            return
        with contextlib.closing(Records(place, self.files)) as records:
            yield records if records.options() else None

    @contextlib.contextmanager
    def opened(self, *, new: bool = False) -> Iterator[Journal]:
        """The journal of a batch that is there, or a new one; for this process alone where it is a folder."""
        from .journal import Journal

        place = self.place()
        if new:
            place.make()
        elif not place.is_there():
            raise BatchError(f"there is no batch in {place}")
        with contextlib.ExitStack() as stack:
            stack.enter_context(place.alone())
            journal = Journal(place, self.files)
            stack.callback(journal.close)
            is_begun = bool(journal.options())
            if new and is_begun:
                raise BatchError(f"{place} has a batch already, begun meanwhile: plan again")
            if new:
                journal.prepare()
            elif not is_begun:
                raise BatchError(f"there is no batch in {place}")
            yield journal


def database_of(url: str, batch: str | None = None) -> Database:
    """The database of a URL; ModuleNotFoundError when its driver is not installed, Unusable when it is none that can be used."""
    if importlib.util.find_spec("psycopg") is None:
        told = "a database needs more (psycopg is missing): pip install 'useapi-runwayml[postgres]'"
        raise ModuleNotFoundError(told, name="psycopg")
    return Database.of(url, batch)
