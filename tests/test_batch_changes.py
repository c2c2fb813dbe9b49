"""A jobs file that changed since its batch began: each row is told, and new ones may join."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from useapi_runwayml.batch.comparing import Reading, compare
from useapi_runwayml.batch.identity import with_keys
from useapi_runwayml.batch.rows import read_jobs
from useapi_runwayml.simulator import SimulatorServer

from .conftest import MP4
from .test_cli import Run, child, folder, run, server

__all__ = ["folder", "run", "server"]

HEADER = "video,prompt,seconds,output\n"
FIVE = [f"c.mp4,row {row},5,{row}.mp4" for row in range(1, 6)]


def told(tmp_path: Path, before: list[str], after: list[str], **reading: Any) -> tuple[list[str], int]:
    """What is told of a file that had some lines and has others now, and how many rows are new."""
    (tmp_path / "c.mp4").write_bytes(MP4)
    jobs = tmp_path / "jobs.csv"
    read = Reading("", str(tmp_path / "results"), **reading)
    jobs.write_text(HEADER + "\n".join(before), encoding="utf-8")
    begun, problems = read.check(read_jobs(jobs), tmp_path)
    assert not problems
    jobs.write_text(HEADER + "\n".join(after), encoding="utf-8")
    differences, new = compare(read_jobs(jobs).rows, begun, read, tmp_path)
    return [str(each) for each in differences], len(new)


def begun() -> bool:
    """A batch that is done."""
    process = child("batch", "run", "jobs.csv", "--yes", "--poll-interval", "5")
    _, error = process.communicate(timeout=60)
    return process.returncode == 0 and not error


@pytest.mark.parametrize(
    ("after", "said", "new"),
    [
        (FIVE, [], 0),
        (FIVE[::-1], [], 0),
        ([*FIVE, "c.mp4,row 6,5,6.mp4"], ["line 7: added"], 1),
        (["c.mp4,row 0,5,0.mp4", *FIVE], ["line 2: added"], 1),
        (FIVE[1:], ["row 1: gone"], 0),
        ([], ["row 1: gone", "row 2: gone", "row 3: gone", "row 4: gone", "row 5: gone"], 0),
        ([*FIVE[:2], "c.mp4,other,5,3.mp4", *FIVE[3:]], ["line 4 is row 3: changed (prompt)"], 1),
        ([*FIVE[:2], "c.mp4,row 3,10,3.mp4", *FIVE[3:]], ["line 4 is row 3: changed (seconds)"], 1),
        ([*FIVE[:4], "d.mp4,other,5,5.mp4"], ["line 6 is row 5: changed (video, prompt)"], 1),
        ([*FIVE[:4], "c.mp4,row 5,5,other.mp4"], ["line 6 is row 5: changed (output)"], 1),
        ([*FIVE[:4], "c.mp4,row 5,5,"], [], 0),
        (
            ["c.mp4,new,5,0.mp4", "c.mp4,other,5,1.mp4", *FIVE[1:]],
            ["line 2 is row 1: changed (prompt)", "line 3: added"],
            2,
        ),
        ([FIVE[0], FIVE[0], *FIVE[1:]], ["line 3: added"], 1),
    ],
)
def test_each_row_that_differs_is_told(tmp_path: Path, after: list[str], said: list[str], new: int) -> None:
    """Changed (with the columns), added, gone; a row that stands elsewhere is the same, and an output that is not named is none."""
    assert told(tmp_path, FIVE, after) == (said, new)


def test_defaults_are_those_of_the_beginning(tmp_path: Path) -> None:
    """A row that says what was a default says nothing new."""
    before, same, other = "c.mp4,x,,1.mp4", "c.mp4,x,10,1.mp4", "c.mp4,x,5,1.mp4"
    assert told(tmp_path, [before], [same], defaults={"seconds": 10}) == ([], 0)
    assert told(tmp_path, [before], [other], defaults={"seconds": 10}) == (["line 2 is row 1: changed (seconds)"], 1)


def test_rows_that_join_are_numbered_on_and_spare_the_files_of_the_others(tmp_path: Path) -> None:
    """A file that a row of the batch is to have is no other's, though it is not there yet."""
    (tmp_path / "c.mp4").write_bytes(MP4)
    jobs = tmp_path / "jobs.csv"
    reading = Reading("", str(tmp_path / "results"))
    jobs.write_text(HEADER + "\n".join(FIVE), encoding="utf-8")
    begun, _ = reading.check(read_jobs(jobs), tmp_path)
    jobs.write_text(HEADER + "c.mp4,x,5,3.mp4\nc.mp4,y,5,\n", encoding="utf-8")
    found, problems = reading.check(read_jobs(jobs), tmp_path, begun)
    assert problems == [f"line 2: output {tmp_path / 'results' / '3.mp4'}: row 3 of the batch has the same"]
    assert [(job.row, Path(job.output).name) for job in found] == [(7, "0007-c.mp4")]


def test_a_row_that_joins_has_a_key_of_its_own(tmp_path: Path) -> None:
    """Equal to one that the batch has: the next number among them, so that no two creates have one replyRef."""
    (tmp_path / "c.mp4").write_bytes(MP4)
    (tmp_path / "jobs.csv").write_text(HEADER + "c.mp4,x,5,\n" * 3, encoding="utf-8")
    three, _ = Reading("", str(tmp_path)).check(read_jobs(tmp_path / "jobs.csv"), tmp_path)
    keys = [job.key for job in with_keys(three)]
    assert len(set(keys)) == 3
    assert [job.key for job in with_keys(three[:1], set(keys[:2]))] == keys[2:]


@pytest.mark.slow
def test_nothing_is_ignored_without_a_word(server: SimulatorServer, folder: Path, run: Run) -> None:
    """Run, status and resume tell what changed; `resume --add` pays for what is new, once, and numbers it on from the others."""
    jobs = folder / "jobs.csv"
    (folder / "c.mp4").write_bytes(MP4)
    jobs.write_text(HEADER + "\n".join(FIVE[:2]), encoding="utf-8")
    assert begun()
    assert "not as it was" not in run("batch", "status", "jobs.csv")[2]
    jobs.write_text(HEADER + "\n".join([FIVE[0], "c.mp4,other,5,2b.mp4", "c.mp4,row 3,5,"]), encoding="utf-8")
    for command in (("run", "--yes"), ("status",), ("resume",)):
        code, _, error = run("batch", command[0], "jobs.csv", *command[1:])
        assert code == (2 if command[0] == "run" else 0)
        assert "jobs.csv is not as it was when its batch began:" in error
        assert "  line 3 is row 2: changed (prompt); the batch goes on with it as it was\n  line 4: added\n" in error
        assert "New rows: useapi-runwayml batch resume jobs.csv --add" in error
    code, out, error = run("batch", "resume", "jobs.csv", "--add")
    assert error.count("; it joins as a new row\n") == 2, error
    assert "New rows" not in error
    assert (code, "2 rows join the batch\n2 jobs, 10 seconds" in out) == (2, True), "they would be paid"
    process = child("batch", "resume", "jobs.csv", "--add", "--yes")
    out, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert "4 rows: 4 done" in out
    rows = json.loads(run("batch", "status", "jobs.csv", "--json")[1])
    assert [row["prompt"] for row in rows] == ["row 1", "row 2", "other", "row 3"]
    assert [Path(row["output"]).name for row in rows] == ["1.mp4", "2.mp4", "2b.mp4", "0004-c.mp4"]
    assert "row 2: gone" in run("batch", "status", "jobs.csv")[2], "the row that was changed is done as it was"
    assert len(server.simulator.state.tasks) == 4
    code, _, error = run("batch", "resume", "jobs.csv", "--add", "--yes")
    assert (code, len(server.simulator.state.tasks)) == (0, 4), error


@pytest.mark.slow
def test_what_joins_is_checked_as_at_the_beginning(server: SimulatorServer, folder: Path, run: Run) -> None:
    """A changed row that keeps its output, a wrong value: each with its line, and nothing is sent."""
    jobs = folder / "jobs.csv"
    (folder / "c.mp4").write_bytes(MP4)
    jobs.write_text(HEADER + FIVE[0], encoding="utf-8")
    assert begun()
    jobs.write_text(HEADER + "c.mp4,other,5,1.mp4\nc.mp4,x,7,9.mp4", encoding="utf-8")
    code, _, error = run("batch", "resume", "jobs.csv", "--add", "--yes")
    assert code == 3
    assert "row 1 of the batch has the same" in error
    assert "line 3: " in error
    assert len(server.simulator.state.tasks) == 1
    jobs.unlink()
    code, _, error = run("batch", "status", "jobs.csv")
    assert code == 0
    assert "cannot be compared with its batch: No such file" in error
