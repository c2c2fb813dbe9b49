"""What commands show of what they have in hand: rows while they run, one task, a result, a simulator's address."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from useapi_runwayml import Features, Task
from useapi_runwayml.cli import app, batch_view, callbacks, demo, exits, needs, output, tasks
from useapi_runwayml.cli.features import credits_of
from useapi_runwayml.simulator import Simulator, SimulatorServer

from .conftest import MP4
from .test_cli import Run, a_task, folder, run, server

__all__ = ["folder", "run", "server"]


class Bar:
    """A bar on a terminal, or none where there is no terminal; keeps what it is told."""

    def __init__(self, *, disable: bool) -> None:
        self.disable = disable
        self.console = self
        self.printed: list[str] = []
        self.updates: list[tuple[int, int]] = []

    def add_task(self, name: str, total: int | None) -> str:
        return name

    def print(self, told: str, *, markup: bool) -> None:
        assert not markup
        self.printed.append(told)

    def update(self, line: str, *, completed: int, total: int) -> None:
        self.updates.append((completed, total))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is told in lines of their own."""
    lines = list[str]()
    monkeypatch.setattr(output, "say", lines.append)
    monkeypatch.setattr(output, "remark", lambda line: lines.append(f"({line})"))
    monkeypatch.setattr(output, "put", lambda *more: lines.extend(more))
    return lines


@pytest.mark.parametrize(
    ("state", "why", "on_terminal", "elsewhere"),
    [
        ("done", "", "", "row 7 (line 8): done"),
        ("failed", "", "row 7 (line 8): failed", "row 7 (line 8): failed"),
        ("failed", "because", "row 7 (line 8): failed: because", "row 7 (line 8): failed: because"),
        ("waiting", "", "", ""),
        ("waiting", "again in 2 h", "row 7 (line 8): waiting: again in 2 h", "(row 7 (line 8): waiting: again in 2 h)"),
    ],
)
@pytest.mark.parametrize("has_terminal", [True, False])
def test_rows_are_told_as_they_end(
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    state: str,
    why: str,
    on_terminal: str,
    elsewhere: str,
    has_terminal: bool,
) -> None:
    """On a terminal beside a bar those that are not done, elsewhere all; what only waits when it says why."""
    bar = Bar(disable=not has_terminal)
    monkeypatch.setattr(output, "bar", lambda: contextlib.nullcontext(bar))
    now: Any = SimpleNamespace(state=state, why=why, row=7, line=8, rows=9, rows_over=3)
    with batch_view.watching() as on_progress:
        on_progress(now)
    told = on_terminal if has_terminal else elsewhere
    assert (bar.printed if has_terminal else said) == ([told] if told else [])
    assert (said if has_terminal else bar.printed) == []
    assert bar.updates == [(3, 9)]


def test_what_is_waited_for_by_all_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    """It is of no row."""
    monkeypatch.setattr(output, "bar", lambda: contextlib.nullcontext(Bar(disable=True)))
    now: Any = SimpleNamespace(state="the service", why="no answer", row=None, line=None, rows=9, rows_over=3)
    with batch_view.watching() as on_progress:
        on_progress(now)
    assert said == ["(the service: no answer)"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "t PENDING"),
        ({"progressRatio": 0.426}, "t PENDING 43%"),
        ({"progressRatio": "0"}, "t PENDING"),
    ],
)
def test_a_state_that_was_received_is_a_line(said: list[str], body: dict[str, Any], told: str) -> None:
    """With how far it is, where that is told."""
    callbacks._show(Task.from_dict({"taskId": "t", "status": "PENDING", **body}))
    assert said == [told]


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ({"errorMessage": "a", "message": "b", "reason": "c"}, "a"),
        ({"message": "b", "reason": "c"}, "b"),
        ({"reason": "c"}, "c"),
    ],
)
def test_a_failed_task_says_why(monkeypatch: pytest.MonkeyPatch, why: dict[str, str], told: str) -> None:
    """In the best of the words that there are."""
    shown = dict[str, object]()
    monkeypatch.setattr(output, "fields", shown.update)
    tasks.show(Task.from_dict({"taskId": "t", "status": "FAILED", "error": why}))
    assert shown["error"] == told


@pytest.mark.parametrize(
    ("task", "done", "results"),
    [
        ({"status": "RUNNING", "progressRatio": 0.426}, "43%", ""),
        ({"status": "FAILED", "progressRatio": 1}, "", ""),
        ({"status": "CANCELLED", "progressRatio": 0.4}, "", ""),
        ({"status": "PENDING"}, "", ""),
        ({"status": "SUCCEEDED", "artifacts": [{"filename": "a.mp4"}, {"id": "1"}]}, "", "a.mp4, (no name)"),
    ],
)
def test_a_task_is_shown_with_what_came_of_it(
    monkeypatch: pytest.MonkeyPatch, task: dict[str, Any], done: str, results: str
) -> None:
    """Of one that came to nothing no share is done."""
    shown = dict[str, object]()
    monkeypatch.setattr(output, "fields", shown.update)
    tasks.show(Task.from_dict(task))
    assert (shown["status"], shown["done"], shown["results"]) == (task["status"], done, results)


def test_a_result_is_told_with_its_size(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As a line, and for machines."""
    path = tmp_path / "o.mp4"
    path.write_bytes(bytes(7))
    tasks.show_file(path)
    assert said == [f"Result: {path} (7 bytes)"]


@pytest.mark.parametrize(
    ("words", "token"),
    [([], "user:4242-simulated"), (["--token", "user:1-another-token"], "<your --token>")],
)
def test_a_simulator_says_how_it_is_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, words: list[str], token: str
) -> None:
    """In words to paste, as variables, and as JSON; a token that was given is not shown. Once it has ended, its port is free."""
    serve = SimulatorServer.run
    monkeypatch.setattr(SimulatorServer, "run", lambda self: (self.stop(), serve(self)))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for more in ([], ["--print-env"], ["--json"]):
        assert app.run(["simulate", "--port", "0", *words, *more]) == 0
        out, told = capsys.readouterr()
        assert "user:1-another-token" not in out + told
        base_url = (out + told).partition("/v1/runwayml")[0].rpartition("http://")[2]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", int(base_url.rpartition(":")[2])))
        address = f"http://{base_url}/v1/runwayml"
        line = f"Try it: export USEAPI_RUNWAYML_BASE_URL={address} USEAPI_TOKEN={token}"
        if more == ["--json"]:
            assert json.loads(out) == {"base_url": address, "page": f"http://{base_url}/", "token": token}
        elif more:
            assert out == f"USEAPI_RUNWAYML_BASE_URL={address}\nUSEAPI_TOKEN={token}\n"
            assert line in told
        else:
            assert out.splitlines()[1] == line


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize("json_wanted", [True, False])
def test_a_bar_is_drawn_where_somebody_sees_it(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, json_wanted: bool
) -> None:
    """On a terminal, and not for machines."""
    monkeypatch.setattr(output, "is_terminal", lambda: is_terminal)
    output.use_json(json_wanted)
    assert output.bar().disable == (not is_terminal or json_wanted)


def test_a_table_of_nothing_says_so(capsys: Any) -> None:
    """Rather than a head alone."""
    output.table(("one", "two"), [])
    assert capsys.readouterr().out == "Nothing.\n"


def test_json_is_indented_until_there_are_many(capsys: Any) -> None:
    """More than a thousand things have a line each; whatever else is long is one value as ever."""
    output.use_json(True)
    values: list[Any] = [[[7]] * 1000, {str(number): 7 for number in range(1001)}, "x" * 1001]
    for value, second in zip(values, (" [", ' "0": 7,', None), strict=True):
        output.show(value, lambda: pytest.fail("it is not for people"))
        out = capsys.readouterr().out
        assert json.loads(out) == value
        assert second is None or out.splitlines()[1] == second
    output.show([[7]] * 1001, lambda: None)
    assert capsys.readouterr().out.splitlines()[:2] == ["[", "[7],"]


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8", '"é"'), ("UTF8", '"é"'), ("cp1252", '"\\u00e9"')])
def test_json_has_the_letters_that_everybody_reads(monkeypatch: pytest.MonkeyPatch, encoding: str, shown: str) -> None:
    """In UTF-8 as they are; escaped in any other encoding, which nobody expects of JSON."""
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding=encoding))
    output.emit("é")
    assert kept.getvalue().decode(encoding) == f"{shown}\n"


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ({}, [None, None, None, None]),
        ({"permitted": {"numPlanCredits": 9, "storageGB": 2.5}}, ["9", None, None, "2.5"]),
        ({"used": {"numPlanCredits": 4}}, [None, "4", None, None]),
        ({"permitted": {"numPlanCredits": 9}, "used": {"numPlanCredits": 4}}, ["9", "4", "5", None]),
    ],
)
def test_credits_are_told_as_far_as_they_are_known(plan: dict[str, Any], told: list[str | None]) -> None:
    """What is left needs both numbers."""
    found = credits_of(Features.from_dict(plan))
    assert [*found] == ["credits", "used", "left", "storage GB"]
    assert [value if value is None else str(value) for value in found.values()] == told


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(2, "No such file", "a.csv"), "a.csv: No such file"),
        (OSError(28, "No space left"), "No space left"),
        (OSError("odd"), "odd"),
        (ValueError("two\nlines"), "two lines"),
        (ValueError(), "ValueError"),
    ],
)
def test_an_error_is_a_line(error: Exception, told: str) -> None:
    """With the file that it is of."""
    assert exits.line_of(error) == told


def test_what_is_missing_is_named_with_what_brings_it() -> None:
    """The first module that is not there; those that are there are not in the way."""
    with pytest.raises(exits.Stop) as stopped, needs.extra("batch"):
        needs.there("json", "no_such_module", "nor_this_one")
    assert str(stopped.value) == "this needs more (no_such_module is missing): pip install 'useapi-runwayml[batch]'"
    with needs.extra("batch"):
        needs.there("json")


def test_the_demo_tells_each_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    """With its own clip or a given one, into a folder that it makes, as often as it is wanted; the task is a short one, and as JSON there is the result alone."""
    made = list[Simulator]()

    def make(**settings: Any) -> Simulator:
        made.append(Simulator(**settings))
        return made[-1]

    monkeypatch.setattr("useapi_runwayml.simulator.Simulator", make)
    monkeypatch.setattr(demo, "SPEED", 5000.0)
    for name in ("SHORTEST", "LONGEST", "THROTTLED_PAUSE"):
        monkeypatch.setattr(f"useapi_runwayml._core.polling.{name}", 0.01)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert app.run(["demo", "--output", "new/folder"]) == 0
        lines = capsys.readouterr().out.splitlines()
        result = tmp_path / "new" / "folder" / "clip-restyled.mp4"
        size = result.stat().st_size
        assert [line for line in lines if not line.startswith(" ")] == [
            f"Simulator: {lines[0].split()[1]} (nothing here costs credits)",
            f"Uploaded:  clip.mp4 ({size} bytes)",
            f"Task:      {next(iter(made[-1].state.tasks))}",
            f"Result:    {result} ({size} bytes)",
        ]
        assert "           SUCCEEDED" in lines
        (task,) = made[-1].state.tasks.values()
        assert task.request["seconds"] == 5
    (tmp_path / "c.mp4").write_bytes(MP4)
    assert app.run(["demo", "c.mp4", "--output", "new/folder", "--json"]) == 0
    given = Path("new", "folder", "c-restyled.mp4")
    assert json.loads(capsys.readouterr().out) == {"path": str(given), "bytes": len(MP4)}
    assert given.read_bytes() == MP4
    (tmp_path / "fake.mp4").write_text("this is no video")
    assert app.run(["demo", "fake.mp4"]) == exits.REFUSED


def test_a_task_is_waited_for_and_fetched(run: Run, folder: Path) -> None:
    """Shown where no file is asked for; each way tells machines whose bytes come in, and people where they are."""
    task = a_task(run)["task_id"]
    shown = [f"task:     {task}", "status:   SUCCEEDED", "done:     100%"]
    for words in (["wait", task], ["get", task]):
        assert run("tasks", *words)[1].splitlines()[:3] == shown
    for number, word in enumerate(("wait", "download")):
        assert run("tasks", word, task, "-o", f"{number}.mp4")[1] == f"Result: {number}.mp4 ({len(MP4)} bytes)\n"
        code, out, told = run("tasks", word, task, "-o", f"{number}.mp4", "--overwrite", "--json")
        assert (code, json.loads(out)) == (0, {"path": f"{number}.mp4", "bytes": len(MP4)})
        aside = [json.loads(line) for line in told.splitlines()]
        assert aside[-1]["stage"] == "download"
        assert {each["task_id"] for each in aside} == {task}
        assert 0 <= aside[-1]["elapsed_seconds"] < 60
    assert run("tasks", "delete", task)[1] == f"Deleted {task}\n"


def test_what_the_scheduler_has_is_let_go(run: Run, server: SimulatorServer, folder: Path) -> None:
    """Shown by its id and reference, and gone once it is released."""
    server.simulator.task_seconds = 1e6
    words = ["run", "c.mp4", "x", "-o", "o.mp4", "--timeout", "0", "--reply-ref", "mine", "--json"]
    code, out, _ = run(*words)
    task = json.loads(out)["task_id"]
    assert code == 7
    assert [each["taskId"] for each in json.loads(run("scheduler", "list", "--json")[1])] == [task]
    head, row = run("scheduler", "list")[1].splitlines()
    assert (head.split(), row.split()) == (["task", "replyRef"], [task, "mine"])
    for more in ([], ["-o", "o.mp4"], ["-o", "o.mp4", "--overwrite"]):
        code, _, told = run("tasks", "wait", task, "--timeout", "0", *more)
        assert code == 7
        assert told.splitlines()[-1] == " ".join(["Resume with: useapi-runwayml tasks wait", task, *more])
    assert run("scheduler", "release", task)[1] == f"Released {task}; the job itself still runs and still costs\n"
    assert run("scheduler", "list")[1] == "Nothing.\n"


def test_no_more_is_listed_than_is_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Further pages are not read."""

    def endless(*_: Any, **__: Any) -> Any:
        yield from (Task.from_dict({"taskId": f"t{number}"}) for number in range(3))
        pytest.fail("the next page is asked for")

    monkeypatch.setattr("useapi_runwayml.resources.tasks.Tasks.list", endless)
    assert [each["taskId"] for each in json.loads(run("tasks", "list", "--limit", "2", "--json")[1])] == ["t0", "t1"]
