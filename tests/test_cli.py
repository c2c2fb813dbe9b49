"""The command line as people and machines use it."""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from useapi_runwayml.batch import Batch, BatchError
from useapi_runwayml.cli import app as cli
from useapi_runwayml.cli import exits
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, STRICT, TOKEN, spawn

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatorServer]:
    simulator = Simulator(task_seconds=40)
    with SimulatorServer(simulator, clock=RunningClock(SPEED)) as running:
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", running.base_url)
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.mp4").write_bytes(MP4)
    return tmp_path


@pytest.fixture
def run(
    server: SimulatorServer,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    monkeypatch.setattr("useapi_runwayml._core.polling.SHORTEST", 0.05)
    monkeypatch.setattr("useapi_runwayml._core.polling.LONGEST", 0.05)
    monkeypatch.setattr("useapi_runwayml._core.polling.THROTTLED_PAUSE", 0.05)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(arguments)
        out, told = capsys.readouterr()
        assert TOKEN not in out + told
        assert "\x1b[" not in out + told, "no colours where there is no terminal"
        return code, out, told

    return call


def a_task(run: Run, prompt: str = "x", output: str = "out.mp4") -> dict[str, Any]:
    code, out, told = run("run", "c.mp4", prompt, "-o", output, "--seconds", "5", "--json")
    assert code == 0, told
    found: dict[str, Any] = json.loads(out)
    return found


def test_run_goes_the_whole_way(run: Run, folder: Path) -> None:
    """Upload, create with all options, wait, download; the result is told, and the asset deleted when asked."""
    options = ["--seconds", "5", "--aspect-ratio", "portrait", "--structure-transformation", "0", "--seed", "7"]
    more = ["--no-explore-mode", "--reply-ref", "mine", "--max-jobs", "2", "--resolution", "720p", "--delete-asset"]
    more += ["--encoding", "multipart", "--extra-body", '{"zz": 1}', "--reply-url", "http://127.0.0.1:9/x"]
    code, out, told = run("run", "c.mp4", "a b", "-o", "out.mp4", *options, *more)
    assert code == 0, told
    assert (folder / "out.mp4").read_bytes() == MP4
    task = re.search(r"^Task: (user:.*-task:.*)", out, re.M)
    assert task
    said = [
        line for line in told.splitlines() if not line.startswith(("PENDING", "RUNNING", "Uploaded: user:", "Done in "))
    ]
    assert said == ["Uploading 3.6 kB", "Creating the task", f"Created: {task[1]}", "SUCCEEDED", "Downloading"]
    assert len(set(told.splitlines())) == len(told.splitlines()), "each state is told once"
    assert out.endswith(f"Result: out.mp4 ({len(MP4)} bytes)\n")
    assert json.loads(run("assets", "list", "--json")[1]) == []
    found = json.loads(run("tasks", "find", "mine", "--json")[1])
    assert found["options"] == {**found["options"], "seed": 7, "seconds": 5, "exploreMode": False, "height": 1280}


@pytest.mark.slow
def test_tasks_are_read_waited_for_fetched_and_deleted(run: Run, folder: Path) -> None:
    """Each command of tasks, for people and as JSON."""
    task = a_task(run)["task_id"]
    code, out, _ = run("tasks", "list")
    assert code == 0
    assert "SUCCEEDED" in out
    assert len(out.splitlines()) == 2
    assert [
        each["taskId"] for each in json.loads(run("tasks", "list", "--json", "--statuses", "SUCCEEDED,FAILED")[1])
    ] == [task]
    assert run("tasks", "list", "--statuses", "RUNNING")[1] == "Nothing.\n"
    assert f"task:     {task}" in run("tasks", "get", task)[1]
    assert run("tasks", "wait", task, "-o", "again.mp4")[0] == 0
    assert (folder / "again.mp4").read_bytes() == MP4
    assert run("tasks", "download", task)[0] == 0
    assert run("tasks", "download", task, "-o", "again.mp4")[0] == 1
    assert run("tasks", "download", task, "-o", "again.mp4", "--overwrite")[0] == 0
    assert run("tasks", "delete", task)[1] == f"Deleted {task}\n"
    code, _, told = run("tasks", "get", task)
    assert (code, told.count("\n")) == (1, 1)
    assert run("tasks", "find", "nobody")[0] == 1


@pytest.mark.slow
def test_assets_scheduler_and_features(run: Run, folder: Path) -> None:
    """Each of their commands, for people and as JSON."""
    asset = json.loads(run("assets", "upload", "c.mp4", "--name", "named.mp4", "--json")[1])["assetId"]
    assert "named.mp4" in run("assets", "list", "--media-type", "video")[1]
    assert run("assets", "list", "--media-type", "audio")[1] == "Nothing.\n"
    assert json.loads(run("assets", "get", asset, "--json")[1])["name"] == "named.mp4"
    code, out, _ = run("run", asset, "x [throttle]", "-o", "o.mp4", "--timeout", "0", "--json")
    assert code == 7
    task = json.loads(out)["task_id"]
    assert json.loads(run("scheduler", "list", "--json")[1])[0]["taskId"] == task
    assert task.rpartition(":")[2][:8] in run("scheduler", "list")[1]
    assert "still costs" in run("scheduler", "release", task)[1]
    assert run("scheduler", "list")[1] == "Nothing.\n"
    assert run("assets", "delete", asset)[0] == 0
    assert run("features")[1].startswith("credits:    2250\nused:       50\nleft:       2200\n")
    assert json.loads(run("features", "--json")[1])["used"] == {"numPlanCredits": 50}


def test_a_timeout_tells_how_to_resume_and_that_works(run: Run, folder: Path) -> None:
    """Code 7, the task's id, and a command that can be typed as it stands."""
    code, _, told = run("run", "c.mp4", "x", "-o", "my out.mp4", "--timeout", "0")
    assert code == 7
    (line,) = [line for line in told.splitlines() if line.startswith("Resume with: useapi-runwayml ")]
    assert run(*shlex.split(line)[3:])[0] == 0
    assert (folder / "my out.mp4").read_bytes() == MP4
    assert len(json.loads(run("tasks", "list", "--json")[1])) == 1


def test_lists_end_where_they_are_told_to(run: Run) -> None:
    """--limit is how many are shown at the most, of assets and of tasks."""
    assets = [json.loads(run("assets", "upload", "c.mp4", "--json")[1])["assetId"] for _ in range(3)]
    for asset in assets:
        run("run", asset, "x", "-o", f"{asset[-4:]}.mp4")
    for kind in ("assets", "tasks"):
        assert len(json.loads(run(kind, "list", "--json")[1])) >= 3
        assert len(json.loads(run(kind, "list", "--limit", "2", "--json")[1])) == 2


@pytest.mark.parametrize("word", ["[fail]", "[moderate-later]", "[cancel]", "[no-output]"])
def test_what_has_ended_for_nothing_is_not_to_be_resumed(run: Run, word: str) -> None:
    """A script that follows the hint would fail for ever: there is none, and the task's id is told all the same."""
    code, out, _ = run("run", "c.mp4", f"x {word}", "-o", "o.mp4", "--json")
    assert code not in (0, 7)
    told = json.loads(out)
    assert told["next"] == []
    assert told["task_id"].startswith("user:4242-runwayml:")
    assert "Resume" not in run("run", "c.mp4", f"x {word}", "-o", "o.mp4")[2]


def test_an_unknown_outcome_tells_how_to_find_it(
    run: Run, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code 8 with the replyRef, and the command that finds the task later."""
    server.simulator.faults.add("close_after_action", "createVideoToVideo")
    server.simulator.faults.add("status", "listScheduler", status=503)
    server.simulator.faults.add("status", "listTasks", status=503)
    from useapi_runwayml import RunwayClient

    monkeypatch.setattr("useapi_runwayml.cli.run.RunwayClient", lambda **more: RunwayClient(lookup_timeout=0, **more))
    code, out, _ = run("run", "c.mp4", "x", "-o", "o.mp4", "--reply-ref", "row-1", "--json")
    assert code == 8
    found = json.loads(out)
    assert (found["error"], found["reply_ref"]) == ("SubmissionUnknownError", "row-1")
    server.simulator.faults.clear()
    assert run(*shlex.split(found["next"][0].partition(": ")[2])[1:])[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["run", "c.mp4"], 2, "prompt"),
        (["bogus"], 2, "bogus"),
        (["simulate", "--storage", "0"], 2, "--storage must be gigabytes, more than 0"),
        (["simulate", "--storage", "1e-10"], 2, "--storage must be gigabytes, more than 0"),
        (["simulate", "--speed", "0"], 2, "--speed must be more than 0, and 10000 at the most"),
        (["simulate", "--speed", "nan"], 2, "--speed must be more than 0, and 10000 at the most"),
        (["simulate", "--speed", "10001"], 2, "--speed must be more than 0, and 10000 at the most"),
        (["simulate", "--max-jobs", "0"], 2, "--max-jobs must be at least 1"),
        (["simulate", "--credits", "-1"], 2, "--credits must be at least 0"),
        (["simulate", "--web-tasks", "-1"], 2, "--web-tasks must be at least 0"),
        (["tasks", "list", "--limit", "0"], 2, "--limit must be at least 1"),
        (["assets", "list", "--limit", "-1"], 2, "--limit must be at least 1"),
        (["simulate", "--fault", "*:latency:self=1"], 2, "a fault has no self; it has after, "),
        (["simulate", "--fault", "*:status:status=99999"], 2, "the fault's status cannot be 99999"),
        (["batch", "status", "--project", "nowhere"], 2, "there is no batch in "),
        (["simulate", "--fault", "nothing"], 2, "'nothing' is no fault"),
        (["batch", "run", "jobs.csv", "--endpoint", "nothing", "--dry-run"], 2, "there is no 'nothing'"),
        (["run", "c.mp4", "x", "-o", "o.mp4", "--seed", "many"], 2, "many"),
        (["run", "c.mp4", "x", "-o", "o.mp4", "--seed", "0", "--seconds", "7"], 3, "seconds: 7 is refused"),
        (["run", "none.mp4", "x", "-o", "o.mp4"], 3, "no such file"),
        (["run", "c.mp4", "", "-o", "o.mp4"], 3, "text_prompt"),
        (["run", "c.mp4", "x", "-o", "no/o.mp4"], 3, "its folder does not exist"),
        (["run", "c.mp4", "x", "-o", "c.mp4"], 1, "exists already"),
        (["run", "c.mp4", "x [moderate]", "-o", "o.mp4"], 6, "moderation"),
        (["run", "c.mp4", "x [moderate-later]", "-o", "o.mp4"], 6, "SAFETY"),
        (["run", "c.mp4", "x [fail]", "-o", "o.mp4"], 1, "INTERNAL"),
        (["run", "c.mp4", "x", "-o", "o.mp4", "--extra-body", "["], 2, "--extra-body is no JSON"),
        (["run", "c.mp4", "x", "-o", "o.mp4", "--extra-body", '{"seed": 7}'], 3, "its own name"),
        (["tasks", "get", "a/b"], 3, "task_id"),
        (["tasks", "get", "nothing"], 1, "404"),
        (["assets", "upload", "none.mp4"], 3, "no such file"),
        (["assets", "list", "--media-type", "text"], 3, "media_type"),
        (["batch", "status", "none.csv"], 2, "there is no batch"),
        (["batch", "run", "none.csv"], 1, "No such file"),
    ],
)
def test_bad_input_is_a_line_and_a_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, told: str
) -> None:
    """For people on stderr, for machines on stdout, without a traceback; --debug adds one."""
    monkeypatch.setattr(SimulatorServer, "run", lambda self: self._socket.close())  # where one is taken all the same
    found, out, error = run(*arguments)
    assert (found, told in error) == (code, True), error
    assert "Traceback" not in error
    *stages, last = error.splitlines()
    assert last.startswith("useapi-runwayml: ")
    assert not stages or arguments[0] == "run"
    if code != 2:
        found, out, error = run(*arguments, "--json")
        assert found == json.loads(out.splitlines()[-1])["exit_code"] == code
        assert "Traceback" in run(*arguments, "--debug")[2]


@pytest.mark.parametrize(("status", "code"), [(401, 4), (402, 4), (403, 4), (596, 4), (412, 5), (500, 1)])
def test_refusals_of_the_service_have_their_codes(run: Run, server: SimulatorServer, status: int, code: int) -> None:
    """Authentication 4, credits 5, anything else 1."""
    server.simulator.faults.add("status", "deleteTask", status=status, content_type="application/json", times=9)
    assert run("tasks", "delete", "t")[0] == code


def test_no_token_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to set."""
    monkeypatch.delenv("USEAPI_TOKEN")
    code, _, told = run("features")
    assert (code, "set USEAPI_TOKEN" in told) == (3, True)


SPEED = 200
# the command line with a clock for batches that is as fast as the simulator's
FAST = (
    "import functools, sys; from useapi_runwayml.batch import runner; from useapi_runwayml.cli.app import run;"
    f"runner.BatchClock = functools.partial(runner.BatchClock, {SPEED}); sys.exit(run(sys.argv[1:]))"
)


def child(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    code = ["-c", FAST] if arguments[0] == "batch" else ["-m", "useapi_runwayml"]
    command = [sys.executable, *STRICT, *code, *arguments]
    return spawn(command, **more)


def interrupt(process: subprocess.Popen[str], server: SimulatorServer, tasks: int) -> tuple[int, str, str]:
    """Ctrl-C once the service has so many tasks."""
    until = time.monotonic() + 60
    while len(server.simulator.state.tasks) < tasks:
        assert time.monotonic() < until, process.communicate(timeout=5)
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, told = process.communicate(timeout=60)
    return process.returncode, out, told


def test_only_the_file_of_a_module_is_let_pass(tmp_path: Path) -> None:
    """Ctrl-C as Python reads one leaves it open: that is no fault of ours, and a clip that is left open is."""
    (tmp_path / "c.mp4").write_bytes(MP4)
    for path, is_told in ((pytest.__file__, False), (os.__file__, False), (tmp_path / "c.mp4", True)):
        command = [sys.executable, *STRICT, "-c", "import sys; open(sys.argv[1], 'rb')", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert ("unclosed file" in done.stderr) == is_told


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for another process")
@pytest.mark.slow
def test_ctrl_c_tells_how_to_resume(run: Run, server: SimulatorServer, folder: Path) -> None:
    """130, and a command that goes on with the same task."""
    code, _, told = interrupt(child("run", "c.mp4", "x [throttle]", "-o", "o.mp4"), server, 1)
    assert code == 130, told
    *_, interrupted, line = told.splitlines()
    assert interrupted == "useapi-runwayml: interrupted"
    assert "Traceback" not in told
    assert re.match(r"(Resume with|If the task was created, this finds it): useapi-runwayml tasks", line)
    assert run(*shlex.split(line.partition(": ")[2])[1:])[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGINT for another process")
def test_ctrl_c_in_a_batch_loses_nothing(run: Run, server: SimulatorServer, folder: Path) -> None:
    """130 with the command to go on, which finishes all rows; each is created once."""
    (folder / "jobs.csv").write_text(
        "video,prompt,output\n" + "".join(f"c.mp4,row {row},{row}.mp4\n" for row in range(1, 13))
    )
    code, _, told = interrupt(
        child("batch", "run", "jobs.csv", "--yes", "--max-jobs", "3", "--poll-interval", "5"),
        server,
        4,
    )
    assert code == 130, told
    assert (
        told.splitlines()[-1]
        == "Tasks that were started go on at the service. Resume with: useapi-runwayml batch resume jobs.csv"
    )
    assert "Traceback" not in told
    rows = json.loads(run("batch", "status", "jobs.csv", "--json")[1])
    assert {row["state"] for row in rows} - {"done"}
    again = child("batch", "resume", "jobs.csv", "--yes")
    out, told = again.communicate(timeout=120)
    assert again.returncode == 0, out + told
    prompts = sorted(task.request["text_prompt"] for task in server.simulator.state.tasks.values())
    assert prompts == sorted(f"row {row}" for row in range(1, 13))
    assert len(list((folder / "results" / "jobs").iterdir())) == 12


@pytest.mark.slow
def test_a_batch_from_its_checks_to_its_report(server: SimulatorServer, folder: Path) -> None:
    """Dry run, run, status, report, page, retry: with codes, as JSON and as tables."""

    def call(*arguments: str) -> tuple[int, str, str]:
        process = child("batch", *arguments, env={**os.environ, "COLUMNS": "80"})
        out, told = process.communicate(timeout=120)
        return process.returncode, out, told

    (folder / "jobs.csv").write_text(
        'video,prompt,output\nc.mp4,"a ""quoted"", 😀",one.mp4\nc.mp4,<b>late</b> [fail],\nc.mp4,now [moderate],\n',
        encoding="utf-8",
    )
    code, out, _ = call("run", "jobs.csv", "--dry-run", "--json", "--defaults", '{"seconds": 5}')
    assert (code, json.loads(out)) == (0, {"jobs": 3, "seconds": 15, "credits": 75, "warnings": []})
    assert call("run", "jobs.csv")[0] == 2, "credits are spent only by --yes, or by a person who agrees"
    assert not (folder / ".useapi-runwayml").exists()
    code, out, told = call("run", "jobs.csv", "--yes", "--poll-interval", "5", "--defaults", '{"seconds": 5}')
    assert (code, told) == (1, "")
    assert "row 1 (line 2): done\n" in out
    assert "3 rows: 2 failed, 1 done\nfailed: useapi-runwayml batch retry-failed jobs.csv\n" in out
    assert call("run", "jobs.csv", "--yes")[0] == 2, "there is a batch already"
    assert call("run", "jobs.csv", "--yes", "--project", "other")[0] == 3, "the result is there already"
    code, out, _ = call("status", "jobs.csv", "--json")
    assert [row["state"] for row in json.loads(out)] == ["done", "failed", "failed"]
    for name in ("status", "report"):
        code, out, told = call(name, "jobs.csv")
        assert (code, told) == (0, "")
        assert len(out.splitlines()) == 1 + 3 + 1, "a line for each row, whatever its width"
    assert call("resolve", "jobs.csv")[1] == "Nothing.\n"
    assert call("resolve", "jobs.csv", "2", "--give-up")[0] == 2
    assert call("report", "jobs.csv", "--html", "report.html")[0] == 0
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;late&lt;/b&gt;" in page
    assert 'src="results/jobs/one.mp4"' in page
    assert "<b>late" not in page
    assert call("retry-failed", "jobs.csv", "--yes")[0] == 1
    assert len(server.simulator.state.tasks) == 3
    (folder / "other.csv").write_text("video,prompt,seed\nnone.mp4,,0\n")
    code, _, told = call("run", "other.csv", "--yes")
    assert (code, told.count("\n  line 2: ")) == (3, 3)
    code, out, _ = call("run", "other.csv", "--yes", "--json")
    assert len(json.loads(out)["problems"]) == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--max-jobs", "0"], "--max-jobs must be at least 1"),
        (["--max-jobs", "1001"], "--max-jobs must be at most 1000"),
        (["--settle", "0.9"], "--settle must be at least 1"),
        (["--settle", "nan"], "--settle must be at least 1"),
        (["--poll-interval", "0"], "--poll-interval must be at least 0.1"),
        (["--credits-per-job", "-1"], "--credits-per-job must be at least 0"),
        (["--credits-per-job", "inf"], "--credits-per-job must be at most 1000000000"),
        (["--defaults", '{"video":' * 100_000], "--defaults is no JSON"),
        (["--defaults", "{"], "--defaults is no JSON"),
        (["--defaults", "[]"], "--defaults must be a JSON object"),
        (["--defaults", '{"promt": 1}'], "--defaults: there is no column promt"),
    ],
)
def test_options_of_a_batch_are_checked(run: Run, folder: Path, options: list[str], told: str) -> None:
    """Before anything else."""
    (folder / "jobs.csv").write_text("video,prompt\nc.mp4,x\n")
    code, _, error = run("batch", "run", "jobs.csv", "--yes", *options)
    assert (code, told in error) == (2, True), error


def test_doctor_tells_what_is_in_order(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token's shape, versions, reachability, credits; a bad token and a service that is away are said."""
    code, out, _ = run("doctor")
    assert code == 0
    assert "token:     has the usual shape\n" in out
    assert "credits:   credits 2250, used 0, left 2250" in out
    monkeypatch.setenv("USEAPI_TOKEN", "wrong")
    code, out, _ = run("doctor")
    assert (code, "has not the usual shape" in out, "401" in out) == (4, True, True)
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", "http://127.0.0.1:9")
    code, out, _ = run("doctor", "--json")
    assert code == 1
    assert "ConnectError" in json.loads(out)["answer"]


def test_doctor_live_reports_drift_and_no_value(
    run: Run, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown fields, other types, envelopes, the order of the list and its replyRefs; nothing that belongs to anybody."""
    for number in range(3):
        a_task(run, f"secret prompt {number}", f"{number}.mp4")
    view = Simulator.task_view

    def drifted(self: Simulator, *given: Any) -> dict[str, Any]:
        found = view(self, *given)
        found["options"] = {**found["options"], "newSetting": "secret value", "width": "secret"}
        return {**found, "user:1-secret@example.com": 1, "features": ["secret"]}

    monkeypatch.setattr(Simulator, "task_view", drifted)
    code, out, _ = run("doctor", "--live")
    assert code == 0
    report = out.partition("### useapi-runwayml doctor --live")[2]
    for line in (
        "- getFeatures: as documented",
        "- listTasks: 200 application/json, array of 3, not wrapped",
        "- listTasks: [].options.newSetting: string, not in the document",
        "- listTasks: [].features: array, the document says object or null",
        "- listTasks: [].options.width: string, the document says integer or null",
        "- listTasks: [].(a key): integer, not in the document",
        "- listTasks: newest first, by createdAt of 3 entries",
        "- listTasks: 3 of 3 entries show a replyRef",
        "- getTask: options.newSetting: string, not in the document",
        "- getAsset: as documented",
    ):
        assert line in report.splitlines(), report
    assert "secret" not in report
    assert "@" not in report
    assert {
        seen.method for seen in server.simulator.requests if seen.at > 0 and seen.operation.startswith(("get", "list"))
    } == {"GET"}
    lines = json.loads(run("doctor", "--live", "--json")[1])["live"]
    assert "listTasks: [].options.newSetting: string, not in the document" in lines


def test_simulate_speaks_to_machines_too(folder: Path) -> None:
    """One JSON value says where it is."""
    process = child("simulate", "--port", "0", "--json", "--quiet")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    process.terminate()
    process.communicate(timeout=30)
    assert json.loads("".join(lines))["base_url"].endswith("/v1/runwayml")


@pytest.mark.slow
def test_nothing_is_spent_unasked(run: Run, server: SimulatorServer, folder: Path) -> None:
    """retry-failed and resume tell rows, seconds and credits first, and without a terminal need --yes."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one [fail],5\n")
    first = child("batch", "run", "jobs.csv", "--yes", "--max-credits", "25", "--poll-interval", "5")
    assert first.communicate(timeout=60)
    assert first.returncode == 1
    creates = len(server.simulator.state.tasks)
    for command in (["retry-failed", "jobs.csv"], ["retry-failed", "jobs.csv", "--max-credits", "50"]):
        code, out, told = run("batch", *command)
        assert (code, out) == (2, "1 job, 5 seconds of video, about 25 credits\n")
        assert told == "useapi-runwayml: nothing was sent: say --yes to spend these credits\n"
    assert len(server.simulator.state.tasks) == creates
    again = child("batch", "retry-failed", "jobs.csv", "--yes", "--max-credits", "25")
    out, told = again.communicate(timeout=60)
    assert again.returncode == 5, out + told
    assert len(server.simulator.state.tasks) == creates, "it keeps to the limit"
    assert run("batch", "resume", "jobs.csv")[0] == 2, "the row is left, and would be paid"


@pytest.mark.slow
def test_the_journal_is_not_the_only_memory(run: Run, server: SimulatorServer, folder: Path) -> None:
    """The same jobs under another project, or after the journal was lost: what the service has is shown, adopted or paid again as told."""
    import shutil

    (folder / "jobs.csv").write_text("video,prompt,seconds\n" + "c.mp4,same,5\n" * 3 + "c.mp4,other,5\n")
    (folder / "more.csv").write_text("video,prompt,seconds\nc.mp4,same,5\nc.mp4,third,5\n")

    def call(*arguments: str) -> tuple[int, str, str]:
        process = child("batch", "run", *arguments, "--yes", "--poll-interval", "5")
        out, told = process.communicate(timeout=120)
        return process.returncode, out, told

    def tasks() -> int:
        return len(server.simulator.state.tasks)

    code, out, told = call("jobs.csv")
    assert (code, tasks()) == (0, 4), out + told
    shutil.rmtree(folder / "results")
    code, out, told = call("jobs.csv", "--project", "elsewhere")
    assert (code, tasks()) == (2, 4)
    assert "4 of 4 rows have a task at the service already" in out
    assert "4 rows have a task already: --adopt takes them, --anew pays for them again. Nothing was sent" in told
    assert not (folder / "elsewhere").exists()
    code, out, told = call("jobs.csv", "--project", "elsewhere", "--adopt")
    assert (code, tasks()) == (0, 4), out + told
    assert len(list((folder / "results" / "jobs").iterdir())) == 4
    shutil.rmtree(folder / ".useapi-runwayml")
    shutil.rmtree(folder / "results")
    code, out, told = call("jobs.csv", "--anew")
    assert (code, tasks()) == (0, 8), out + told
    assert call("jobs.csv", "--anew", "--project", "third")[0] == 3, "its results are there"
    shutil.rmtree(folder / "results")
    code, out, told = call("jobs.csv", "--anew")
    assert (code, tasks()) == (2, 8)
    assert "has a batch already" in told
    assert "1 of 2 rows" in call("more.csv")[1], "a row of another file is a row"
    assert call("more.csv", "--adopt")[0] == 0
    assert tasks() == 9
    assert call("more.csv", "--adopt", "--anew")[0] == 2


@pytest.mark.slow
def test_what_costs_nothing_is_not_asked_for(run: Run, server: SimulatorServer, folder: Path) -> None:
    """A batch whose rows all have their task goes on without a question."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one [no-output],5\n")
    child("batch", "run", "jobs.csv", "--yes", "--poll-interval", "5").communicate(timeout=60)
    for command in ("retry-failed", "resume"):
        process = child("batch", command, "jobs.csv")
        out, told = process.communicate(timeout=60)
        assert process.returncode == 1, out + told
        assert "credits" not in out
    assert len(server.simulator.state.tasks) == 1


def test_a_broken_journal_is_a_line(run: Run, folder: Path) -> None:
    """A journal that is none is said, without a traceback, and not written over."""
    journal = folder / ".useapi-runwayml" / "jobs.csv" / "journal.sqlite"
    journal.parent.mkdir(parents=True)
    journal.write_text("this is no database " * 100)
    (folder / "jobs.csv").write_text("video,prompt\nc.mp4,x\n")
    for arguments in (["status", "jobs.csv"], ["resume", "jobs.csv", "--yes"], ["run", "jobs.csv", "--yes"]):
        code, out, told = run("batch", *arguments)
        assert code in (1, 2), out + told
        assert "Traceback" not in told
        assert "journal" in told or "no batch" in told
    assert journal.read_text().startswith("this is no database")


@pytest.mark.slow
def test_a_budget_is_raised_by_resume(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held by --max-credits (5), taken up with another limit."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\nc.mp4,two,5\n")
    first = child("batch", "run", "jobs.csv", "--yes", "--max-credits", "25", "--poll-interval", "5")
    out, told = first.communicate(timeout=60)
    assert first.returncode == 5, out + told
    again = child("batch", "resume", "jobs.csv", "--yes", "--max-credits", "50")
    out, told = again.communicate(timeout=60)
    assert again.returncode == 0, out + told


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM for another process")
def test_an_end_from_outside_leaves_the_receipt(run: Run, server: SimulatorServer, folder: Path) -> None:
    """SIGTERM is told as Ctrl-C is, to machines too."""
    process = child("run", "c.mp4", "x [throttle]", "-o", "o.mp4", "--json", "--reply-ref", "mine")
    until = time.monotonic() + 60
    while not server.simulator.state.tasks:
        assert time.monotonic() < until
        time.sleep(0.02)
    process.terminate()
    out, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    found = json.loads(out)
    assert found["reply_ref"] == "mine"
    assert found["stage"] in ("create", "created", "waiting")
    assert json.loads(told.splitlines()[-1])["stage"] == found["stage"], "what looks on is told the same"
    assert json.loads(out)["next"][0].partition(": ")[2].startswith("useapi-runwayml tasks ")


@pytest.mark.slow
def test_a_terminal_with_few_letters(run: Run, server: SimulatorServer, folder: Path) -> None:
    """What the encoding lacks is escaped; JSON stays JSON."""
    a_task(run, "a 😀 Ю", "one.mp4")
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    for options in (["--json"], []):
        process = child("tasks", "list", *options, env=environment)
        out, told = process.communicate(timeout=60)
        assert (process.returncode, told) == (0, "")
        if options:
            assert json.loads(out)[0]["options"]["text_prompt"] == "a 😀 Ю"


def test_a_defect_of_ours_is_a_line_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is raised, people and machines get what they always get."""
    monkeypatch.setattr("useapi_runwayml.cli.output.fields", lambda values: [][0])
    code, _, told = run("features")
    assert (code, told.count("\n"), "please report it" in told) == (1, 1, True)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (exits.Stop("not so", 7), 7, "not so"),
        (OSError(28, "full", "a.mp4"), 1, "a.mp4: full"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            LookupError(f"of {TOKEN}"),
            1,
            "a defect of useapi-runwayml: LookupError: of user:…. --debug shows where; please report it",
        ),
    ],
)
def test_where_it_was_raised_is_told_to_whoever_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, line: str
) -> None:
    """The traceback comes before the line, without a token; without --debug there is none."""

    def broken() -> Any:
        raise error

    monkeypatch.setattr("useapi_runwayml.cli.features.RunwayClient", broken)
    for words in (["features"], ["features", "--debug"]):
        assert cli.run(words) == code
        assert logging.getLogger("useapi_runwayml").level == (logging.DEBUG if "--debug" in words else logging.ERROR)
        out, told = capsys.readouterr()
        *lines, last = told.splitlines()
        assert (out, last) == ("", f"useapi-runwayml: {line}")
        assert TOKEN not in told
        assert bool(lines) == ("--debug" in words)
        assert not lines or (lines[0].startswith("Traceback"), "broken" in told) == (True, True)


def test_doctor_shows_no_password_and_rides_out_a_broken_read(
    run: Run, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address with a password is shown without; a read without an answer is a line of the report."""
    server.simulator.faults.add("close_before_action", "listAssets")
    code, out, _ = run("doctor", "--live")
    assert code == 0
    assert "- listAssets: no answer (RemoteProtocolError)" in out
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url.replace("://", "://me:hidden@"))
    assert "hidden" not in run("doctor")[1]


@pytest.mark.slow
def test_help_and_completion_name_all_commands(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command has a line of help and every shell a completion."""
    out = run("--help")[1]
    for name in ("run", "batch", "tasks", "assets", "scheduler", "features", "simulate", "demo", "doctor"):
        assert re.search(rf"^│ {name} +\w", out, re.M), name
    out = run("batch", "--help")[1]
    for name in ("run", "status", "resume", "retry-failed", "resolve", "report"):
        assert re.search(rf"^│ {name} +\w", out, re.M), name
    for shell in ("bash", "zsh", "fish"):
        script = cli.app.generate_completion(shell=shell)  # type: ignore[arg-type]
        assert "retry-failed" in script


@pytest.mark.skipif(os.name == "nt", reason="pty is not there")
@pytest.mark.slow
def test_a_terminal_gets_a_bar_and_no_color_is_heard(server: SimulatorServer, folder: Path) -> None:
    """On a terminal a bar is drawn, in colours unless NO_COLOR is set."""
    import pty

    for colours in (True, False):
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"} | ({} if colours else {"NO_COLOR": "1"})
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "useapi_runwayml", "run", "c.mp4", "x", "-o", f"{colours}.mp4"]
        process = subprocess.Popen(command, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        shown = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
        os.close(master)
        assert process.wait(60) == 0
        assert "━".encode() in shown
        assert bool(re.search(rb"\x1b\[[0-9;]*3[0-9]", shown)) == colours


@pytest.mark.slow
def test_what_ctrl_c_came_before_is_not_told_of() -> None:
    """A coroutine of a library that was never begun, since the process ends, is no warning and no traceback of ours."""
    program = (
        "from useapi_runwayml.cli import app\n"
        "code = app.run(['scheduler', 'list'])\n"
        "async def never(): pass\n"
        "never()\n"
        "raise SystemExit(code)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "USEAPI_TOKEN"}
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_thousands_of_rows_are_told_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each, in columns, letters of two cells among them; as JSON a line for each too, and one value."""
    from useapi_runwayml.cli import output

    rows = [{"row": number, "prompt": "文 x" if number % 2 else "plain\ttext"} for number in range(1, 1500)]
    output.table(("row", "prompt"), [(each["row"], f"{each['prompt']}") for each in rows])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["row   prompt", "1     文 x", "2     plain text"]
    assert len(lines) == 1500
    output.table(("prompt", "row"), [(each["prompt"], each["row"]) for each in rows])
    assert capsys.readouterr().out.splitlines()[1:3] == ["文 x        1", "plain text  2"]
    output.emit(rows, indent=1)
    told = capsys.readouterr().out
    assert json.loads(told) == rows
    assert len(told.splitlines()) == 1501
    output.emit(rows[:2], indent=1)
    assert json.loads(capsys.readouterr().out) == rows[:2]


@pytest.mark.parametrize(
    "words",
    [
        ("run", "c.mp4", "x", "-o", ""),
        ("run", "c.mp4", "x", "--output="),
        ("run", "c.mp4", "x", "-o", "o.mp4", "--reply-ref", ""),
        ("demo", "--output", ""),
    ],
)
def test_an_option_is_never_given_nothing(
    run: Run, server: SimulatorServer, folder: Path, words: tuple[str, ...]
) -> None:
    """It is a variable that is not set, and an empty path would be this folder: nothing is sent, and nothing paid."""
    code, _, told = run(*words)
    assert code == 2
    assert re.fullmatch(
        r"useapi-runwayml: (-o|--output|--reply-ref) is given nothing: is a variable not set\? .*", told.strip()
    )
    assert not server.simulator.requests
    assert sorted(each.name for each in folder.iterdir()) == ["c.mp4"]


@pytest.mark.parametrize("word", ["--prompt=E=", "--prompt=a = b =", "--url=https://h/cb?key=s3cr3t="])
def test_a_value_may_end_as_an_option_that_is_given_nothing(word: str) -> None:
    """It is one; and what begins with a dash may be a value."""
    exits.refuse_empty(["run", word])
    exits.refuse_empty(["run", "--seed", "-1", ""])
    exits.refuse_empty(["run", "--prompt", "-", ""])
    with pytest.raises(exits.Stop):
        exits.refuse_empty(["run", word, "--output="])


def test_an_empty_text_may_stand_behind_two_dashes(run: Run) -> None:
    """There is no option: it is a clip, which is refused for what it is."""
    code, _, told = run("run", "-o", "o.mp4", "--", "", "x")
    assert code == 3
    assert "file: " in told


def test_a_batch_that_has_not_begun_has_nothing_to_resume(
    run: Run, folder: Path, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before its journal was there: it can be run again, and nothing was paid."""

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    (folder / "jobs.csv").write_text("video,prompt\nc.mp4,one\n")
    monkeypatch.setattr("useapi_runwayml.batch.Batch.run", interrupted)
    code, _, told = run("batch", "run", "jobs.csv", "--yes")
    assert code == 130
    assert told.splitlines()[-1] == "Nothing was sent, and nothing is paid for: run it again."
    assert server.simulator.paid.creates == 0

    def unreadable(batch: Any) -> bool:
        raise BatchError("the database cannot be used")

    def seen(batch: Any, plan: Any, *, on_progress: Any, **_: Any) -> Any:
        on_progress(SimpleNamespace(state="waiting", why="", row=1, line=2, rows=1, rows_over=0))
        raise KeyboardInterrupt

    def broken(*_: Any, **__: Any) -> Any:
        raise BatchError("the disk is full", maybe_sent=True)

    def first_not(then: Callable[[Any], bool]) -> Callable[[Any], bool]:
        asked = list[Any]()
        return lambda batch: bool(asked.append(batch) or (len(asked) > 1 and then(batch)))  # type: ignore[func-returns-value]

    for running, then, ends_with in (
        (interrupted, unreadable, 130),
        (seen, Batch.is_begun, 130),
        (broken, Batch.is_begun, 1),
    ):
        monkeypatch.setattr(Batch, "run", running)
        monkeypatch.setattr(Batch, "is_begun", first_not(then))
        code, _, told = run("batch", "run", "jobs.csv", "--yes")
        assert code == ends_with
        assert told.splitlines()[-1].endswith("Resume with: useapi-runwayml batch resume jobs.csv")


@pytest.mark.parametrize(
    "words",
    [
        ("--json", "--json", "features"),
        ("--json", "features", "--json"),
        ("--json", "--debug", "--debug", "features"),
        ("--json", "nonsense"),
        ("features", "--json", "--nonsense"),
    ],
)
def test_a_wrong_line_is_told_in_json_where_that_is_asked_for(run: Run, words: tuple[str, ...]) -> None:
    """One value on standard output, as of every other error; behind two dashes it is no option."""
    code, out, _ = run(*words)
    assert code == 2
    assert json.loads(out)["exit_code"] == 2
    assert run("nonsense", "--", "--json")[1] == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "c.mp4", "x", "-o", "o.mp4", "--callback-port", "1234"), "--callback-host need --callback-url"),
        (("run", "c.mp4", "x", "-o", "o.mp4", "--callback-url", "no"), "--callback-url: it must be an address"),
        (("callbacks", "url", "x", "--url", "no"), "--url: it must be an address"),
        (
            ("run", "c.mp4", "x", "-o", "o.mp4", "--callback-url", "https://h", "--callback-port", "99999"),
            "--callback-port: 99999 is no port",
        ),
        (("callbacks", "serve", "--url", "https://h", "--port", "65536"), "--port: 65536 is no port"),
    ],
)
def test_options_of_callbacks_are_told_by_their_names(
    run: Run, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    """And before anything is sent."""
    monkeypatch.setenv("USEAPI_RUNWAYML_CALLBACK_SECRET", "a secret of the tests")
    code, _, said = run(*words)
    assert (code, told in said) == (2, True), said
    assert server.simulator.paid.creates == 0
    monkeypatch.setenv("USEAPI_RUNWAYML_CALLBACK_SECRET", "short")
    code, _, said = run("callbacks", "url", "x", "--url", "https://h")
    assert (code, "USEAPI_RUNWAYML_CALLBACK_SECRET: each must be a text of 16" in said) == (2, True), said


def test_a_simulator_keeps_its_state_in_a_file(run: Run, folder: Path) -> None:
    """A folder is none, and is told as what it is."""
    (folder / "s").mkdir()
    for given in (".", "s", "/"):
        code, _, told = run("simulate", "--port", "0", "--state", given)
        assert (code, told) == (2, "useapi-runwayml: --state must be the name of a file, and no folder\n")


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_a_command_line_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """In a line, with no traceback."""
    from useapi_runwayml.__main__ import main

    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    told = "useapi-runwayml: the command line needs more: pip install 'useapi-runwayml[cli]'"
    assert ended.value.code == told


def test_ctrl_c_before_a_command_has_begun_is_an_interruption(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """While the command line is still being loaded."""

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    from useapi_runwayml.__main__ import main

    monkeypatch.setattr("useapi_runwayml.cli.app.run", interrupted)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "useapi-runwayml: interrupted\n"
