"""What commands show of what they have in hand: rows while they run, one task, a result, a simulator's address."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from useapi_runwayml import Task
from useapi_runwayml.cli import app, batch_view, callbacks, output, tasks
from useapi_runwayml.simulator import SimulatorServer


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
