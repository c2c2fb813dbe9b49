"""The simulator over HTTP and from the command line, driven by clients that nobody here wrote."""

from __future__ import annotations

import asyncio
import http.server
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml.simulator import ManualClock, RunningClock, Simulator, SimulatorServer
from useapi_runwayml.simulator.server import bind

from .conftest import MP4, spawn

TOKEN = "user:4242-abcdef"


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(clock=ManualClock()) as running:
        yield running


def curl(*arguments: str) -> Any:
    done = subprocess.run(["curl", "-sS", "--max-time", "20", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_curl_goes_the_whole_way(server: SimulatorServer, clip: Path, tmp_path: Path) -> None:
    """The vendor's own curl example, with an upload before and a download after."""
    auth = ["-H", f"Authorization: Bearer {TOKEN}"]
    url = server.base_url
    asset = curl(*auth, "-H", "Content-Type: video/mp4", "--data-binary", f"@{clip}", f"{url}/assets/?name=a%26b.mp4")
    accept, kind = ["-H", "Accept: application/json"], ["-H", "Content-Type: application/json"]
    body = json.dumps({"assetId": asset["assetId"], "text_prompt": "text prompt"})
    task = curl(*accept, *kind, *auth, "-X", "POST", f"{url}/gen3turbo/video", "-d", body)
    assert task["status"] == "PENDING"
    form = curl(
        *auth, "-F", f"assetId={asset['assetId']}", "-F", "text_prompt=x", "-F", "seed=7", f"{url}/gen3turbo/video"
    )
    assert form["options"]["seed"] == 7
    curl("-X", "POST", "-d", '{"advance": 100}', f"{server.origin}/_simulator/clock")
    done = curl(*auth, f"{url}/tasks/{task['taskId']}")
    assert done["status"] == "SUCCEEDED"
    subprocess.run(["curl", "-sSf", "-o", str(tmp_path / "out.mp4"), done["artifacts"][0]["url"]], check=True)
    assert (tmp_path / "out.mp4").read_bytes() == MP4
    listed = curl(*auth, f"{url}/tasks/?offset=0&limit=10&statuses=SUCCEEDED")
    assert {each["taskId"] for each in listed} == {task["taskId"], form["taskId"]}


def test_the_standard_library_goes_the_whole_way(server: SimulatorServer) -> None:
    """urllib alone, along the vendor's Python example."""

    def ask(method: str, path: str, data: bytes | None = None, kind: str = "application/json") -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
        request = urllib.request.Request(server.base_url + path, data=data, headers=headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())

    asset = ask("POST", "/assets/?name=clip.mp4", MP4, "video/mp4")
    body = {"assetId": asset["assetId"], "text_prompt": "text prompt", "replyRef": "mine"}
    task = ask("POST", "/gen3turbo/video", json.dumps(body).encode())
    assert [each["replyRef"] for each in ask("GET", "/scheduler/")] == ["mine"]
    server.clock.advance(100)
    done = ask("GET", f"/tasks/{task['taskId']}")
    with urllib.request.urlopen(done["artifacts"][0]["url"], timeout=20) as answer:
        assert answer.read() == MP4
    assert ask("DELETE", f"/tasks/{task['taskId']}") == {"success": True}


def test_it_is_steered_over_http(server: SimulatorServer) -> None:
    """Faults are added, listed and cleared; wrong ones, and other web pages, are refused; reset empties it."""
    with httpx.Client(base_url=f"{server.origin}/_simulator/") as steer:
        check_steering(server, steer)


def check_steering(server: SimulatorServer, steer: httpx.Client) -> None:
    assert steer.post("faults", json={"kind": "status", "operation": "listScheduler", "status": 503}).status_code == 200
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{server.base_url}/scheduler/", headers=headers).status_code == 503
    assert [each["hits"] for each in steer.get("faults").json()] == [1]
    assert steer.delete("faults").json() == []
    assert httpx.get(f"{server.base_url}/scheduler/", headers=headers).status_code == 200
    for wrong in ({"kind": "x"}, {}, [], {"kind": "status", "operation": "x"}, {"kind": "status", "nonsense": 1}):
        assert steer.post("faults", json=wrong).status_code == 400
    assert steer.post("clock", json={"advance": "x"}).status_code == 400
    assert steer.post("faults", json={"kind": "bad_json"}, headers={"Origin": "http://evil.test"}).status_code == 403
    assert steer.get("nothing").status_code == 404
    assert steer.get("state").json()["accounts"][0]["slots"] == {"busy": 0, "all": 5}
    assert steer.post("reset").json()["tasks"] == []


def test_callbacks_are_posted(tmp_path: Path) -> None:
    """To the loopback, in order, without the token; progress and the end."""
    got: list[tuple[Any, Any]] = []
    enough = threading.Event()

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((json.loads(body)["status"], self.headers.get("Authorization")))
            self.send_response(200)
            self.end_headers()
            if len(got) == 3:
                enough.set()

        def log_message(self, *_: object) -> None:
            pass

    hook = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    with SimulatorServer(clock=ManualClock()) as server:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        asset = httpx.post(
            f"{server.base_url}/assets/?name=x", content=MP4, headers={**headers, "Content-Type": "video/mp4"}
        )
        url = f"http://127.0.0.1:{hook.server_port}/?secret=1"
        body = {"assetId": asset.json()["assetId"], "text_prompt": "x", "replyUrl": url}
        httpx.post(f"{server.base_url}/gen3turbo/video", json=body, headers=headers)
        server.clock.advance(100)
        assert enough.wait(10)
    hook.shutdown()
    hook.server_close()
    assert got == [("RUNNING", None), ("RUNNING", None), ("SUCCEEDED", None)]


def test_the_state_is_kept_in_a_file(tmp_path: Path) -> None:
    """A second server with the same file goes on where the first ended, files included; a file of another kind is refused."""
    path = tmp_path / "state.json"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    clock = ManualClock()
    with SimulatorServer(Simulator(seed=3), clock=clock, state=path) as server:
        asset = httpx.post(
            f"{server.base_url}/assets/?name=x", content=MP4, headers={**headers, "Content-Type": "video/mp4"}
        )
        body = {"assetId": asset.json()["assetId"], "text_prompt": "x"}
        task = httpx.post(f"{server.base_url}/gen3turbo/video", json=body, headers=headers).json()
    clock.advance(100)
    with SimulatorServer(Simulator(seed=3), clock=clock, state=path) as server:
        done = httpx.get(f"{server.base_url}/tasks/{task['taskId']}", headers=headers).json()
        assert httpx.get(done["artifacts"][0]["url"]).content == MP4
        again = httpx.post(f"{server.base_url}/gen3turbo/video", json=body, headers=headers).json()
        assert again["taskId"] != task["taskId"]
        assert again["features"]["numPlanCredits_used"] == 100
    path.write_text('{"version": 99}')
    with pytest.raises(ValueError, match="no state of the simulator"):
        SimulatorServer(state=path)


def test_a_port_is_listened_on_at_once() -> None:
    """Where it was asked for, so that nobody who is told of it is refused; also while an old connection of it lingers."""
    with bind("127.0.0.1", 0) as first:
        host, port = first.getsockname()
        socket.create_connection((host, port)).close()
        assert host == "127.0.0.1"
        assert first.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    with bind("127.0.0.1", port) as again:
        assert again.getsockname() == (host, port)


def test_a_port_that_is_taken_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as the system tells it."""
    made: list[socket.socket] = []

    class Made(socket.socket):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            made.append(self)

    with bind("127.0.0.1", 0) as taken:
        monkeypatch.setattr(socket, "socket", Made)
        with pytest.raises(OSError, match="in use"):
            bind("127.0.0.1", taken.getsockname()[1])
    assert [each.fileno() for each in made] == [-1]


def test_a_server_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of waiting for it; it is looked for often, but others are let on."""
    slept, woken, pause = list[float](), threading.Event(), time.sleep

    def run(server: SimulatorServer) -> None:
        woken.wait(5)
        server._socket.close()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        woken.set()
        assert len(slept) < 3000, "it is waited for without an end"
        pause(0.001)

    monkeypatch.setattr(SimulatorServer, "run", run)
    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(RuntimeError, match="did not start"):
        SimulatorServer().__enter__()
    assert 0 < max(slept, default=0) < 0.1


def test_an_answer_is_the_simulators_alone(server: SimulatorServer) -> None:
    """No second date, no name of a server; no header of a proxy is believed; a program ends in spite of it."""
    found = httpx.get(f"{server.base_url}/scheduler/", headers={"Authorization": f"Bearer {TOKEN}"})
    assert (found.headers.get_list("date"), "server" in found.headers) == (["Fri, 02 Jan 2026 03:00:00 GMT"], False)
    own = {"Origin": server.origin, "X-Forwarded-Proto": "https"}
    assert httpx.post(f"{server.origin}/_simulator/reset", headers=own).status_code == 200
    assert [each.daemon for each in threading.enumerate() if each.name == "runway-simulator"] == [True]


def test_a_request_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the simulator, and not by what serves it as well; with the block its server has ended, and its port was a free one."""
    access = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(access, "propagate", True)
    monkeypatch.setattr(access, "handlers", [])
    with SimulatorServer() as server:
        assert httpx.get(server.origin).status_code == 200
        assert not access.hasHandlers()
        assert int(server.origin.rpartition(":")[2]) > 1023
    assert "runway-simulator" not in {each.name for each in threading.enumerate()}


class Command:
    """`useapi-runwayml simulate` as a process."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "useapi_runwayml", "simulate", "--port", "0", *arguments]
        self.process = spawn(command)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+/v1/runwayml", line)
        assert found, line + (self.process.stderr.read() if self.process.stderr else "")
        self.base_url = found[0]

    def end(self, how: int = signal.SIGINT) -> tuple[str, str, int]:
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=20)
        return out, err, self.process.returncode


def test_the_command_serves_and_ends_cleanly(tmp_path: Path) -> None:
    """Options reach the service, logs have no token, Ctrl-C ends it with code 0 and no traceback, the state is kept."""
    state = tmp_path / "s.json"
    fault = "listScheduler:status:status=503,nth=[1]"
    running = Command(
        "--speed",
        "60",
        "--max-jobs",
        "1",
        "--credits",
        "50",
        "--token",
        TOKEN,
        "--state",
        str(state),
        "--fault",
        fault,
        "--accounts",
        "a@x.test",
        "b@x.test",
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = running.base_url
    assert httpx.get(f"{url}/scheduler/", headers=headers).status_code == 503
    assert httpx.get(f"{url}/scheduler/", headers=headers).status_code == 200
    assert httpx.get(f"{url}/scheduler/", headers={"Authorization": "Bearer user:1-other"}).status_code == 401
    features = httpx.get(f"{url}/features/", params={"email": "b@x.test"}, headers=headers).json()
    assert features["permitted"]["numPlanCredits"] == 50
    out, err, code = running.end()
    assert code == 0, err
    assert "has ended" in out
    assert "GET /v1/runwayml/scheduler/ -> 503" in err
    assert "Traceback" not in err
    assert TOKEN not in out + err
    assert state.exists()


@pytest.mark.slow
def test_a_port_in_use_is_one_clear_line() -> None:
    """And so are a port, a speed, a fault and a state that cannot be."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, told, code in [
            (["--port", port], "in use", 1),
            (["--port", "70000"], "65535", 2),
            (["--speed", "0"], "--speed", 2),
            (["--fault", "nonsense"], "no fault", 2),
            (["--fault", "x:status"], "no operation", 2),
            (["--port", "abc"], "abc", 2),
            (["--nonsense"], "nonsense", 2),
            (["--host", "203.0.113.7"], "cannot listen", 1),
        ]:
            command = [sys.executable, "-m", "useapi_runwayml", "simulate", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30)
            assert done.returncode == code, (arguments, done.stderr)
            assert done.stderr.count("\n") == 1, done.stderr
            assert told in done.stderr


@pytest.mark.slow
def test_it_warns_when_others_can_reach_it() -> None:
    """Bound to all addresses it says so; on the loopback it does not."""
    _, err, _ = Command("--host", "0.0.0.0").end(signal.SIGTERM)
    assert "WARNING: other machines" in err
    _, err, _ = Command().end()
    assert "WARNING" not in err


@pytest.mark.proof
def test_five_hundred_clients_at_once(tmp_path: Path) -> None:
    """500 connections in flight on the loopback, each with several requests, and not one error."""
    with SimulatorServer(Simulator(max_jobs=10), clock=RunningClock(1)) as server:

        async def main() -> list[int]:
            limits = httpx.Limits(max_connections=500, max_keepalive_connections=500)
            async with httpx.AsyncClient(
                limits=limits, timeout=60, headers={"Authorization": f"Bearer {TOKEN}"}
            ) as client:

                async def one() -> list[int]:
                    return [(await client.get(f"{server.base_url}/scheduler/")).status_code for _ in range(4)]

                return [status for each in await asyncio.gather(*(one() for _ in range(500))) for status in each]

        assert asyncio.run(main()) == [200] * 2000


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_a_large_upload_over_http_takes_little_memory(tmp_path: Path) -> None:
    """200 MB go to disk as they come."""
    running = Command("--quiet")

    def resident() -> int:
        return int(Path(f"/proc/{running.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "video/mp4"}
    assert httpx.post(f"{running.base_url}/assets/?name=x", content=b"x", headers=headers).status_code == 200
    before = resident()
    chunks = (b"x" * (1 << 20) for _ in range(200))
    answer = httpx.post(f"{running.base_url}/assets/?name=x", content=chunks, headers=headers, timeout=60)
    assert answer.json()["size"] == 200 << 20
    assert resident() - before < 40 << 20
    running.end()
