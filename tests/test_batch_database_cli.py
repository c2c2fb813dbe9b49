"""The commands of a batch that is kept in PostgreSQL, as a person types them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, update

from useapi_runwayml.batch.places import Database
from useapi_runwayml.batch.tables import ROWS
from useapi_runwayml.cli.app import run as command
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN
from .postgres import Postgres

SECRET = "s3cr3t-of-the-database"


class Shell:
    """Commands, and what they said."""

    def __init__(self, folder: Path, url: str, sim: Simulator, capsys: Any) -> None:
        self.folder, self.url, self.sim = folder, url, sim
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = command(["batch", *arguments])
        found = self._capsys.readouterr()
        assert SECRET not in found.out + found.err
        return code, found.out, found.err


@pytest.fixture
def shell(tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    url, sim = postgres.new(), Simulator(max_jobs=5, credits=10_000, task_seconds=0.2)
    (tmp_path / "c.mp4").write_bytes(MP4)
    lines = "".join(f"c.mp4,row {row},5,{row}.mp4\n" for row in range(1, 4))
    (tmp_path / "jobs.csv").write_text(f"video,prompt,seconds,output\n{lines}", encoding="utf-8")
    with SimulatorServer(sim, clock=RunningClock(5)) as server:
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        monkeypatch.delenv("USEAPI_RUNWAYML_DATABASE", raising=False)
        yield Shell(tmp_path, url, sim, capsys)


QUICK = ["--yes", "--poll-interval", "0.2"]


def test_a_project_that_is_typed_goes_before_the_database_of_the_environment(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both typed are one too many."""
    monkeypatch.setenv("USEAPI_RUNWAYML_DATABASE", shell.url)
    code, _, told = shell("status", "jobs.csv", "--project", "nowhere")
    assert (code, "there is no batch in" in told, "batch run jobs.csv --project nowhere" in told) == (2, True, True)
    code, _, told = shell("status", "jobs.csv", "--project", "nowhere", "--database", f"{shell.url}x")
    assert (code, "give one of them" in told) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["run", "jobs.csv", "--yes"],
        ["resume", "jobs.csv", "--yes"],
        ["status", "jobs.csv"],
        ["report", "--name", "jobs"],
        ["resolve", "jobs.csv", "2", "--give-up"],
        ["worker", "--until-done"],
        ["worker", "--gone", "1a"],
    ],
)
def test_a_database_that_goes_away_is_no_defect(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    """It was there a moment ago: it is said what is missing, and to go on later."""
    monkeypatch.setattr(Database, "is_there", lambda self: True)
    code, _, told = shell(*words, "--database", f"postgresql://user:{SECRET}@127.0.0.1:1/b")
    assert code == 1
    assert "the database went away (connection failed: " in told
    assert "go on once it is there again" in told


@pytest.mark.slow
def test_a_batch_in_a_database_from_its_beginning_to_its_report(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put there, run by a worker with files of its own, told by every command, by its name alone on another machine."""
    code, out, _ = shell("run", "jobs.csv", "--database", shell.url, "--no-work", *QUICK)
    assert code == 0
    assert "jobs: 3 rows in the database. On each machine: useapi-runwayml batch worker --database" in out
    assert "postgres:***@" in out
    monkeypatch.setenv("USEAPI_RUNWAYML_DATABASE", shell.url)
    code, out, _ = shell("status", "--name", "jobs")
    assert (code, "3 rows: 3 queued" in out) == (0, True)
    elsewhere = shell.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "c.mp4").write_bytes(MP4)
    code, _, told = shell("worker", "--root", str(elsewhere), "--until-done")
    assert code == 0, told
    assert [(elsewhere / "results" / "jobs" / f"{row}.mp4").read_bytes() for row in (1, 2, 3)] == [MP4] * 3
    code, out, _ = shell("report", "--name", "jobs")
    assert (code, "3 rows: 3 done" in out) == (0, True)
    for words in (["resume", "jobs.csv"], ["retry-failed", "--name", "jobs"], ["resolve", "--name", "jobs"]):
        assert shell(*words, "--yes")[0] == 0
    assert len(shell.sim.state.tasks) == 3
    code, _, told = shell("run", "jobs.csv", *QUICK)
    assert code == 2
    assert "has a batch already: go on with useapi-runwayml batch resume jobs.csv" in told
    assert shell("run", "jobs.csv", "--name", "again", "--output-dir", "again", "--anew", *QUICK)[0] == 0
    assert len(shell.sim.state.tasks) == 6, "one database has many batches"


def test_rows_are_decided_by_name_and_number(shell: Shell) -> None:
    """Where there is no jobs file, the number alone is said."""
    shell("run", "jobs.csv", "--database", shell.url, "--no-work", *QUICK)
    assert shell("resolve", "--database", shell.url)[2] == (
        "useapi-runwayml: which batch? Give its jobs file, its --project, or its --name in a --database\n"
    )
    for words in (["jobs.csv", "2"], ["2", "--name", "jobs"]):
        code, _, told = shell("resolve", *words, "--give-up", "--database", shell.url)
        assert code == 2
        assert "row 2 is not uncertain, it is queued" in told
    code, _, told = shell("resolve", "jobs.csv", "two", "--give-up", "--database", shell.url)
    assert (code, "the number of one row" in told) == (2, True)


def test_a_decision_is_written_and_tells_how_to_go_on(shell: Shell) -> None:
    """One decision for one row that is there; a row that is not, or no decision, is refused with words."""
    shell("run", "jobs.csv", "--database", shell.url, "--no-work", *QUICK)
    engine = create_engine(Database.of(shell.url).url)
    with engine.begin() as connection:
        connection.execute(update(ROWS).where(ROWS.c.row == 2).values(state="uncertain"))
    engine.dispose()
    code, _, told = shell("resolve", "jobs.csv", "2", "--database", shell.url)
    assert (code, "give one of --adopt TASK_ID, --send-again, --give-up" in told) == (2, True)
    code, _, told = shell("resolve", "jobs.csv", "--give-up", "--database", shell.url)
    assert (code, "which row? Give its number after" in told) == (2, True)
    code, _, told = shell("resolve", "jobs.csv", "9", "--give-up", "--database", shell.url)
    assert (code, "there is no row 9" in told) == (2, True)
    code, out, told = shell("resolve", "jobs.csv", "2", "--give-up", "--database", shell.url)
    assert (code, "row 2: give up. Go on with: useapi-runwayml batch resume" in out) == (0, True), told
    assert "given up" in shell("status", "jobs.csv", "--database", shell.url)[1]


def test_files_that_other_machines_could_not_find_are_refused(shell: Shell, tmp_path_factory: Any) -> None:
    """What does not lie below the root, with its line; nothing is sent."""
    away = tmp_path_factory.mktemp("away")
    code, _, told = shell("run", "jobs.csv", "--database", shell.url, "--output-dir", str(away), *QUICK)
    assert code == 3
    assert f"line 2: output {away}/1.mp4 does not lie below the root {shell.folder}" in told
    assert not shell.sim.requests


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["worker"], "which database? Give its --database"),
        (["run", "jobs.csv", "--no-work", "--yes"], "--no-work needs a --database"),
        (["status", "--database", "mysql://u:s3cr3t-of-the-database@h/d", "--name", "x"], "mysql cannot be used"),
        (["status", "--name", "x"], "which batch? Give its jobs file"),
        (["status", "jobs.csv", "--project", "p", "--database", "postgresql://h/d"], "give one of them"),
        (
            ["status", "--name", "x", "--database", f"postgresql://u:{SECRET}@127.0.0.1:1/d"],
            "the database cannot be used: connection failed",
        ),
        (["worker", "--database", f"postgresql://u:{SECRET}@127.0.0.1:1/d"], "the database cannot be used"),
    ],
)
def test_what_cannot_be_is_said_in_words(shell: Shell, words: list[str], told: str) -> None:
    """No traceback, no password, nothing sent."""
    code, _, error = shell(*words)
    assert code in (1, 2)
    assert told in error
    assert "defect" not in error
    assert not shell.sim.requests


def test_what_is_not_in_a_database_is_told(shell: Shell) -> None:
    """A database without batches, and a name that it has not."""
    code, _, told = shell("worker", "--database", shell.url)
    assert (code, "there is no batch in postgresql://postgres:***@" in told) == (2, True)
    shell("run", "jobs.csv", "--database", shell.url, "--no-work", *QUICK)
    code, _, told = shell("worker", "--name", "other", "--database", shell.url)
    assert (code, "there is no batch other" in told) == (2, True)
    code, _, told = shell("worker", "--root", "nowhere", "--database", shell.url)
    assert (code, "it is no folder" in told) == (2, True)
    code, _, told = shell("status", "--name", "a/b", "--database", shell.url)
    assert (code, "--name takes no /" in told) == (2, True)
    code, _, told = shell("status", "--name", "other", "--database", shell.url)
    assert (code, "there is no batch" in told) == (2, True)


def test_a_machine_without_the_clip_leaves_its_rows_to_others(shell: Shell, capsys: Any) -> None:
    """It says so; where nobody has the file, the row fails, and a file with other bytes is none."""
    elsewhere = shell.folder / "elsewhere"
    elsewhere.mkdir()
    shell("run", "jobs.csv", "--database", shell.url, "--no-work", *QUICK)
    (elsewhere / "c.mp4").write_bytes(MP4 + b"other")
    assert shell("worker", "--root", str(elsewhere), "--until-done", "--database", shell.url)[0] == 0
    rows = json.loads(shell("status", "--name", "jobs", "--database", shell.url, "--json")[1])
    assert {row["state"] for row in rows} == {"failed"}
    assert all("it is not the file any more that its batch began with" in row["why"] for row in rows)
    assert len(shell.sim.state.tasks) == 0


@pytest.mark.slow
def test_rows_go_to_the_machine_that_has_the_clip(shell: Shell) -> None:
    """Two workers, of which one has nothing: the other uploads, and all rows are done."""
    from .conftest import spawn

    shell("run", "jobs.csv", "--database", shell.url, "--no-work", *QUICK)
    empty = shell.folder / "empty"
    empty.mkdir()
    environment = {**os.environ, "USEAPI_RUNWAYML_DATABASE": shell.url}
    words = ["-W", "error", "-m", "useapi_runwayml", "batch", "worker", "--until-done", "--root"]
    import sys

    without = spawn([sys.executable, *words, str(empty)], env=environment)
    having = spawn([sys.executable, *words, str(shell.folder)], env=environment)
    told = [each.communicate(timeout=100)[1] for each in (without, having)]
    assert [without.returncode, having.returncode] == [0, 0], told
    rows = json.loads(shell("status", "--name", "jobs", "--database", shell.url, "--json")[1])
    assert {row["state"] for row in rows} == {"done"}, rows
    assert len(shell.sim.state.tasks) == 3
    assert not (empty / "c.mp4").exists()
