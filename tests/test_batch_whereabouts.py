"""Where a batch is kept and its files are, as a caller says it, and what is told where there is none."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from useapi_runwayml.batch import BatchError
from useapi_runwayml.batch.checks import Job
from useapi_runwayml.batch.comparing import Reading
from useapi_runwayml.batch.ledger import Settings
from useapi_runwayml.batch.places import HIDDEN
from useapi_runwayml.batch.sources import JobsFile, compared
from useapi_runwayml.batch.whereabouts import Whereabouts

JOBS, PROJECT, ROOT = Path("/a/jobs.csv"), Path("/b"), Path("/c")
DATABASE = "postgresql://host/name"


@pytest.mark.parametrize(
    ("where", "files"),
    [
        (Whereabouts(), Path()),
        (Whereabouts(jobs=JOBS), Path("/a")),
        (Whereabouts(jobs=JOBS, project=PROJECT), Path("/a")),
        (Whereabouts(jobs=JOBS, database=DATABASE), Path("/a")),
        (Whereabouts(project=PROJECT), PROJECT),
        (Whereabouts(project=PROJECT, database=DATABASE), Path()),
        (Whereabouts(database=DATABASE), Path()),
        (Whereabouts(jobs=JOBS, project=PROJECT, root=ROOT), ROOT),
        (Whereabouts(root=ROOT), ROOT),
    ],
)
def test_the_files_of_rows_lie_beside_their_jobs(where: Whereabouts, files: Path) -> None:
    """Or in the folder of the batch, or here; unless somebody says where."""
    assert where.files == files.resolve()


def test_a_batch_is_called_as_its_jobs_file_is() -> None:
    """Unless it has a name; and a password is in no text."""
    names = Whereabouts(JOBS, name="n").batch, Whereabouts(JOBS).batch, Whereabouts(name="n").batch, Whereabouts().batch
    assert names == ("n", "jobs", "n", "")
    assert "s3cr3t" not in repr(Whereabouts(database="postgresql://u:s3cr3t@host/name"))


def test_a_new_batch_beside_its_jobs_is_left_out_of_version_control(tmp_path: Path) -> None:
    """It is one process's at a time, and leaves no file open."""
    where = Whereabouts(tmp_path / "jobs.csv")
    with where.opened(new=True) as journal:
        assert (tmp_path / HIDDEN / ".gitignore").read_text() == "*\n"
        with pytest.raises(BlockingIOError), where.opened(new=True):
            pass
        assert journal.engine.pool.checkedin() > 0
    assert journal.engine.pool.checkedin() == 0


def test_a_database_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked of it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'useapi-runwayml\[postgres\]'") as caught:
        Whereabouts(database=DATABASE).place()
    assert caught.value.name == "psycopg"


def test_a_batch_that_is_not_there_is_told(tmp_path: Path) -> None:
    """No folder, and a folder with a journal of nothing; one that is there is no new one."""
    where = Whereabouts(project=tmp_path / "p")
    with where.looked_for() as records:
        assert records is None
    with pytest.raises(BatchError, match="there is no batch in"), where.opened():
        pass
    assert not (tmp_path / "p").exists(), "nothing is made of a wrong name"
    with where.opened(new=True):
        pass  # whoever wanted to begin has thought better of it
    with where.looked_for() as records:
        assert records is None
    with pytest.raises(BatchError, match="there is no batch in"), where.opened():
        pass
    with where.opened(new=True) as journal:
        journal.add([], Settings(max_jobs=3))
    with where.opened() as journal:
        assert journal.options()["max_jobs"] == 3
    with where.looked_for() as records:
        assert records is not None
    with pytest.raises(BatchError, match="has a batch already, begun meanwhile"), where.opened(new=True):
        pass


def test_jobs_are_compared_with_what_their_batch_began_with(tmp_path: Path) -> None:
    """Where that is known; a file that is away is told in words, and one that is the same is not read."""
    file = JobsFile(tmp_path / "jobs.csv")
    reading = Reading("", str(tmp_path))

    def have() -> list[Job]:
        return []

    assert compared(None, reading, have) == compared(file, None, have) == compared(None, None, have) == ([], [])
    (difference,), new = compared(file, reading, have)
    assert str(difference) == f"{file} cannot be compared with its batch: No such file or directory"
    assert (difference.kind, new) == ("broken", [])
    file.path.write_text("video,prompt\nc.mp4,x\n", encoding="utf-8")
    assert [each.kind for each in compared(file, reading, have)[0]] == ["added"]
    assert compared(file, Reading(file.digest(), str(tmp_path)), have) == ([], [])
