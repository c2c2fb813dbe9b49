"""What `doctor` finds: of the surroundings, of the service, and of where its answers differ from the document."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from typing import Any

import httpx
import pytest

from useapi_runwayml._seam import BASE_URL
from useapi_runwayml.cli import doctor
from useapi_runwayml.cli.document import document
from useapi_runwayml.cli.drift import drifts
from useapi_runwayml.simulator import Simulator, SimulatorServer

from .test_cli import Run, a_task, folder, run, server

__all__ = ["folder", "run", "server"]


def asked(server: SimulatorServer) -> list[str]:
    return [seen.operation for seen in server.simulator.requests]


def test_it_tells_each_check(run: Run, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed, which service is asked and that it answers; no more is read than the credits."""

    def version(name: str) -> str:
        if name == "dbos":
            raise PackageNotFoundError(name)
        return "1.2"

    monkeypatch.setattr(doctor, "version", version)
    code, out, _ = run("doctor", "--json")
    found = json.loads(out)
    assert (code, found["service"], found["live"]) == (0, server.base_url, [])
    assert found["answer"] == "the service answers and takes the token"
    assert "httpx 1.2, " in found["libraries"]
    assert "dbos" not in found["libraries"]
    assert asked(server) == ["getFeatures"]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", BASE_URL),
        ("http://[::1", "no address that can be read"),
        ("http://me:hidden@127.0.0.1:9/v1?key=hidden#hidden", "http://127.0.0.1:9/v1"),
    ],
)
def test_an_address_is_told_without_secrets(
    run: Run, monkeypatch: pytest.MonkeyPatch, address: str, shown: str
) -> None:
    """Also one that is none, and the usual one where none is set."""
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", address)
    monkeypatch.delenv("USEAPI_TOKEN")
    code, out, _ = run("doctor", "--json")
    found = json.loads(out)
    assert (code, found["service"], found["token"]) == (3, shown, "USEAPI_TOKEN is not set")


def test_it_tries_twice_and_looks_no_further_where_there_is_no_answer(
    run: Run, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hiccup is no illness; of a service that is ill no report is made."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server.simulator.faults.add("status", "getFeatures", status=503, times=1)
    assert run("doctor")[0] == 0
    server.simulator.faults.add("status", "getFeatures", status=503, times=9)
    server.simulator.requests.clear()
    code, out, _ = run("doctor", "--live", "--json")
    assert (code, json.loads(out)["live"]) == (1, [])
    assert asked(server) == ["getFeatures"] * 2


def test_the_newest_are_read_by_themselves(run: Run, server: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of each list; one whose id is no text is not asked for, and that is said."""
    for number in range(2):
        a_task(run, f"{number}", f"{number}.mp4")
    newest = [*server.simulator.state.tasks][-1]
    server.simulator.requests.clear()
    lines = json.loads(run("doctor", "--live", "--json")[1])["live"]
    assert "listTasks: 200 application/json, array of 2, not wrapped" in lines
    assert "listAssets: 200 application/json, array of 1, not wrapped" in lines
    paths = [seen.path for seen in server.simulator.requests if seen.operation == "getTask"]
    assert [path.rpartition("/")[2].rpartition(":")[2] for path in paths] == [newest.rpartition(":")[2]]
    monkeypatch.setattr(Simulator, "task_view", lambda self, *given: {"taskId": 7})
    lines = json.loads(run("doctor", "--live", "--json")[1])["live"]
    assert "listTasks: [].taskId: integer, the document says string or null" in lines
    assert "getTask: not asked, the list shows no taskId" in lines


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"data": [], "tasks": [], "task": {}}, "object of 3, under 'tasks'"),
        ({"assets": [], "data": []}, "object of 2, under 'assets'"),
        ({"more": []}, "object of 1, not wrapped"),
        (["tasks"], "array of 1, not wrapped"),
        ("tasks", "string, not wrapped"),
    ],
)
def test_an_answer_is_told_by_its_envelope(value: Any, told: str) -> None:
    """The first that there is of those that are known."""
    kept: dict[str, Any] = {}
    first, *_ = doctor.look("listTasks", httpx.Response(200, json=value), kept)
    assert first == f"listTasks: 200 application/json, {told}"
    assert kept == {"listTasks": value}


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ([3, 2, 1], "newest first, by createdAt of 3 entries"),
        ([1, 2], "oldest first, by createdAt of 2 entries"),
        ([1, 3, 2], "neither newest nor oldest first, by createdAt of 3 entries"),
        ([1], "too few entries to tell the order"),
        ([], "too few entries to tell the order"),
    ],
)
def test_the_order_of_a_list_is_told(days: list[int], told: str) -> None:
    """From what has a time of its own; whatever else a list has is counted, and no more."""
    odd: list[Any] = ["createdAt", 7, None, {}, {"replyRef": ""}]
    entries = [*({"createdAt": f"2026-01-0{day}T00:00:00Z", "replyRef": "r"} for day in days), *odd]
    shown = f"{len(days)} of {len(days) + 5} entries show a replyRef"
    assert list(doctor.order(entries)) == [f"listTasks: {told}", f"listTasks: {shown}"]


NAME = "a" * 60


@pytest.mark.parametrize(
    ("operation", "status", "value", "told"),
    [
        ("getTask", 200, {"task": {"taskId": "t", "status": "NEW"}}, []),
        ("getTask", 200, {"taskId": 7}, ["taskId: integer, the document says string or null"]),
        ("getTask", 200, {"progressRatio": 1}, []),
        ("getTask", 200, {"progressRatio": []}, ["progressRatio: array, the document says number or string or null"]),
        ("listTasks", 200, [{}, {"new": 1}, {"new": 1}], ["[].new: integer, not in the document"]),
        ("getTask", 200, {NAME: 1}, [f"{NAME}: integer, not in the document"]),
        ("getTask", 200, {f"{NAME}a": 1}, ["(a key): integer, not in the document"]),
        ("getTask", 200, {"user@example": 1}, ["(a key): integer, not in the document"]),
        ("getTask", 200, {"user7": 1}, ["(a key): integer, not in the document"]),
        ("getTask", 500, {"error": 7}, ["error: integer, the document says object or string or null"]),
        ("getTask", 599, {"error": "x"}, []),
        ("getTask", 499, {"error": "x"}, ["status 499: not in the document"]),
    ],
)
def test_differences_are_names_and_types(operation: str, status: int, value: Any, told: list[str]) -> None:
    """Each once; a key that may be somebody's is not shown, and a status may be one of a hundred."""
    assert drifts(operation, status, value) == told


def test_the_document_is_printed(run: Run) -> None:
    """As JSON, whole, for people too: indented by one."""
    code, out, _ = run("document")
    assert (code, json.loads(out)) == (0, document())
    assert out.splitlines()[1].startswith(' "')
