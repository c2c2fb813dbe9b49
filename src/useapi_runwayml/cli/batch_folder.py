"""Where a batch's journal lies, and how it is opened."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .batch_changes import tell_changes
from .batch_view import again
from .exits import USAGE, Stop, command
from .needs import extra

if TYPE_CHECKING:
    from ..batch.journal import Journal
    from ..batch.records import Records

FOLDER = ".useapi-runwayml"
Project = Annotated[
    Path | None,
    Parameter(
        name="--project", help="The folder for the journal; `.useapi-runwayml/` beside the jobs file unless given."
    ),
]
Begun = Annotated[Path, Parameter(help="The jobs file that `batch run` was given.")]


def project_of(jobs: Path, project: Path | None) -> Path:
    """The folder of the journal: beside the jobs file, with its name, unless given."""
    return project or jobs.parent / FOLDER / jobs.name


@contextlib.contextmanager
def looked_into(jobs: Path, project: Path | None) -> Iterator[Records]:
    """What the journal of a batch has; nothing is written."""
    folder = project_of(jobs, project)
    with extra("batch"):
        from ..batch.records import FILE, Records
    if not (folder / FILE).exists():
        raise _no_batch(folder, jobs)
    with contextlib.closing(Records(folder)) as records:
        if not records.options():
            raise _no_batch(folder, jobs)
        yield records


@contextlib.contextmanager
def opened(jobs: Path, project: Path | None, *, new: bool = False) -> Iterator[Journal]:
    """The journal of a batch that is there, or a new one, for this process alone."""
    folder = project_of(jobs, project)
    with extra("batch"):
        from ..batch.journal import FILE, Journal, locked
    if new:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.parent.name == FOLDER and not (folder.parent / ".gitignore").exists():
            (folder.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    if not new and not (folder / FILE).exists():
        raise _no_batch(folder, jobs)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(folder))
        journal = Journal(folder)
        stack.callback(journal.close)
        there = bool(journal.options())
        if new and there:
            raise _begun(folder, jobs, project)
        if new:
            journal.prepare()
        elif not there:
            raise _no_batch(folder, jobs)
        yield journal


def refuse_a_second(jobs: Path, project: Path | None) -> None:
    """Stop when the folder has a batch already; what has changed in the file since it began is told."""
    folder = project_of(jobs, project)
    with extra("batch"):
        from ..batch.records import FILE, Records
    if (folder / FILE).exists():
        with contextlib.closing(Records(folder)) as records:
            if records.options():
                tell_changes(records, jobs, project)
                raise _begun(folder, jobs, project)


def _begun(folder: Path, jobs: Path, project: Path | None) -> Stop:
    return Stop(f"{folder} has a batch already: go on with {again('resume', jobs, project)}", USAGE)


def _no_batch(folder: Path, jobs: Path) -> Stop:
    return Stop(f"there is no batch in {folder}: begin one with {command('batch', 'run', jobs)}", USAGE)
