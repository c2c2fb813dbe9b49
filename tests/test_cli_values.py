"""What is typed is taken as it is meant, or refused in words: numbers, folders, files that options name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from useapi_runwayml.batch import Batch
from useapi_runwayml.simulator import SimulatorServer

from .test_cli import Run, folder, run, server

__all__ = ["folder", "run", "server"]


@pytest.mark.parametrize(
    "words",
    [
        ["batch", "run", "jobs.csv", "--max-credits", "49.6", "--yes"],
        ["batch", "run", "jobs.csv", "--max-jobs", "1.5", "--yes"],
        ["batch", "resume", "jobs.csv", "--max-credits", "0.4", "--yes"],
        ["run", "c.mp4", "x", "-o", "o.mp4", "--seconds", "5.4"],
        ["run", "c.mp4", "x", "-o", "o.mp4", "--seed", "1e-3"],
        ["tasks", "list", "--limit", "1.4"],
        ["assets", "upload", "c.mp4", "--width", "64.5"],
        ["callbacks", "serve", "--url", "https://h.example", "--port", "80.5"],
        ["simulate", "--credits", "2.5"],
    ],
)
def test_a_part_of_a_number_is_no_number(run: Run, server: SimulatorServer, folder: Path, words: list[str]) -> None:
    """Rounded, 49.6 credits would be spent as 50: it is refused, and nothing is sent."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\n")
    code, out, told = run(*words)
    assert code == 2
    assert "it takes a whole number" in told
    assert out == ""
    assert not server.simulator.requests


def test_a_whole_number_may_be_written_as_one_with_a_point(run: Run) -> None:
    """As spreadsheets and scripts print them."""
    assert run("tasks", "list", "--limit", "7.0", "--json")[0] == 0
    assert run("tasks", "list", "--limit", "seven")[0] == 2


def test_a_slash_at_the_end_means_a_folder(run: Run, server: SimulatorServer, folder: Path) -> None:
    """One that is not there is refused before anything is paid, and no file of that name is made."""
    code, _, told = run("run", "c.mp4", "x", "-o", "results/")
    assert (code, not server.simulator.state.tasks) == (2, True)
    assert "there is no folder results/" in told
    (folder / "results").mkdir()
    assert run("run", "c.mp4", "x", "-o", "results/")[0] == 0
    (made,) = (folder / "results").iterdir()
    assert made.suffix == ".mp4"


def test_where_a_result_goes_is_looked_at_before_the_wait(run: Run, server: SimulatorServer, folder: Path) -> None:
    """An hour of waiting would end in the same refusal."""
    (folder / "taken.mp4").write_bytes(b"mine")
    for place, told in (("taken.mp4", "It exists already"), ("nowhere/x.mp4", "its folder does not exist")):
        code, _, said = run("tasks", "wait", "user:1-runwayml:a@b.test-task:1", "-o", place)
        assert code != 0
        assert told in said
        assert "Resume with" not in said
    assert not server.simulator.requests
    assert (folder / "taken.mp4").read_bytes() == b"mine"


def test_a_file_that_an_option_names_and_is_not_there_is_told_with_it(run: Run, folder: Path) -> None:
    """Which option, which file, and why."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\n")
    for words in (["run", "c.mp4", "x", "-o", "o.mp4", "--extra-body"], ["batch", "run", "jobs.csv", "--defaults"]):
        code, _, told = run(*words, "@nofile")
        assert code == 2
        assert f"{words[-1]} @nofile: No such file or directory" in told


def test_no_option_stands_behind_two_dashes(run: Run) -> None:
    """A reference may be any text: no traceback is asked for by one."""
    code, _, told = run("tasks", "find", "--", "--debug")
    assert code == 1
    assert "Traceback" not in told


def test_a_price_is_told_to_machines_as_well(run: Run, folder: Path) -> None:
    """Aside, where the answer is JSON: before it is refused, and before it is spent."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\n")
    code, out, told = run("batch", "run", "jobs.csv", "--json")
    assert (code, json.loads(out)["exit_code"]) == (2, 2)
    assert "1 job, 5 seconds of video, about 25 credits" in told


@pytest.mark.slow
def test_an_uncertain_row_is_decided_where_its_batch_is_named_by_its_folder(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As each other command: the printed one can be typed."""
    asked: list[object] = []
    jobs = [{"video": "c.mp4", "prompt": "x", "seconds": 5}]
    batch = Batch(jobs, project="p")
    batch.run(batch.plan())
    monkeypatch.setattr("useapi_runwayml.batch.Batch.resolve", lambda self, *given: asked.append(given))
    assert run("batch", "resolve", "--project", "p", "--json")[:2] == (0, "[]\n")
    code, out, told = run("batch", "resolve", "--project", "p", "1", "--give-up")
    assert (code, asked) == (0, [(1, "give up", None)]), out + told
    assert run("batch", "resolve", "--project", "p", "--give-up")[0] == 2
    assert "its --project" in run("batch", "resolve")[2]


def test_a_name_names_nothing_without_a_database(run: Run, folder: Path) -> None:
    """It is told as such, and not left out."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\n")
    for words in (["run", "jobs.csv", "--dry-run"], ["status", "jobs.csv"], ["run", "jobs.csv", "--yes"]):
        code, _, told = run("batch", *words, "--name", "n")
        assert (code, "--name needs a --database" in told) == (2, True)
