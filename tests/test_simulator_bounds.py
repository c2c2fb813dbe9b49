"""The simulator at its edges: odd input, full disks, many readers, restarts."""

from __future__ import annotations

import errno
import json
import math
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml.simulator import ManualClock, RunningClock, Shapes, Simulator, SimulatorServer
from useapi_runwayml.simulator.persist import StateFile
from useapi_runwayml.simulator.wire import Blob

from .conftest import MP4
from .test_simulator import CREATE, HEADERS, Service

VIDEO = {**HEADERS, "Content-Type": "video/mp4"}


def test_a_state_keeps_the_bytes_of_this_life(tmp_path: Path) -> None:
    """After a reset the ids come again, and with them the new files, not the old ones; files of nobody are removed."""
    service, state = Service(), StateFile(tmp_path / "s.json")
    first = service.asset(content=b"old" + MP4)
    state.save(service.sim, service.clock)
    service.sim.reset()
    assert service.asset(content=b"new" + MP4) == first
    state.save(service.sim, service.clock)
    again = Simulator()
    StateFile(tmp_path / "s.json").load(again, ManualClock())
    assert again.state.assets[first].blob.read() == b"new" + MP4
    service.sim.reset()
    state.save(service.sim, service.clock, always=True)
    assert list((tmp_path / "s.json.media").iterdir()) == []


def test_a_state_is_written_when_something_happened_or_at_the_end(tmp_path: Path) -> None:
    """Time alone writes nothing while the simulator serves; at its end the moment is kept all the same."""
    service, path = Service(), tmp_path / "s.json"
    state = StateFile(path)
    service.create()
    state.save(service.sim, service.clock)
    before = path.read_bytes()
    service.clock.advance(100)
    state.save(service.sim, service.clock)
    assert path.read_bytes() == before
    state.save(service.sim, service.clock, always=True)
    assert json.loads(path.read_bytes())["now"] == json.loads(before)["now"] + 100


def test_a_file_of_more_than_a_mebibyte_lies_on_the_disk() -> None:
    """One of just so much is in memory; each reads as it was, whole and in parts."""
    for size, on_disk in ((1 << 20, False), ((1 << 20) + 1, True)):
        content = bytes(range(256)) * (size // 256) + bytes(size % 256)
        blob = Blob([content[:1000], content[1000:]])
        assert (blob._file is not None) == on_disk
        assert (blob.size, blob.read()) == (size, content)
        assert blob.read(999, 3) == content[999:1002]
        blob.append(b"more")
        assert blob.read(size) == b"more"
        blob.close()


def test_time_goes_on_after_a_restart(tmp_path: Path) -> None:
    """What had ended has ended, however far the clock had been moved."""
    service, path = Service(), tmp_path / "s.json"
    task_id = service.create().json()["taskId"]
    service.clock.advance(10**6)
    service.clock.advance(-5)
    StateFile(path).save(service.sim, service.clock)
    with SimulatorServer(clock=ManualClock(), state=path) as server:
        assert server.clock.now() >= service.clock.now()
        assert httpx.get(f"{server.base_url}/tasks/{task_id}", headers=HEADERS).status_code == 410


def test_a_malformed_reply_url_harms_nobody() -> None:
    """It is never called, and other requests go on."""
    service = Service()
    service.create(replyUrl="http://[oops")
    service.clock.advance(100)
    assert service("GET", "/scheduler/").status_code == 200
    assert [each.allowed for each in service.transport.callbacks] == [False] * 3


def test_a_lone_surrogate_does_not_break_the_list() -> None:
    """A prompt and a reference with one can be stored and read again."""
    service = Service()
    body = json.dumps({"assetId": service.asset(), "text_prompt": "\ud800", "replyRef": "\ud801"}).encode()
    assert service("POST", CREATE, content=body, headers={"Content-Type": "application/json"}).status_code == 200
    assert service("GET", "/tasks/?offset=0&limit=9").status_code == 200


def test_many_read_one_large_result_at_once() -> None:
    """Threads that download the same spilled file all get its bytes."""
    content = os.urandom(4 << 20)
    service = Service()
    task_id = service.create(service.asset(content=content)).json()["taskId"]
    service.clock.advance(100)
    url = service.task(task_id)["artifacts"][0]["url"]
    files = httpx.Client(transport=service.transport)
    with ThreadPoolExecutor(8) as pool:
        assert all(found.content == content for found in pool.map(lambda _: files.get(url), range(24)))


def test_a_slow_body_times_out_in_process_too() -> None:
    """As over a socket: a pause that is longer than the client's patience is a ReadTimeout."""
    for seconds, patience, late in [(2.0, 0.3, True), (0.1, 5.0, False)]:
        service = Service()
        service.sim.faults.add("slow_body", "listScheduler", seconds=seconds)
        by_process = meets_timeout(
            lambda service=service, patience=patience: service("GET", "/scheduler/", timeout=patience)
        )
        sim = Simulator()
        sim.faults.add("slow_body", "listScheduler", seconds=seconds)
        with SimulatorServer(sim) as server:
            url = f"{server.base_url}/scheduler/"
            by_socket = meets_timeout(
                lambda url=url, patience=patience: httpx.get(url, headers=HEADERS, timeout=patience)
            )
        assert by_process is by_socket is late


def meets_timeout(ask: Any) -> bool:
    try:
        ask()
    except httpx.ReadTimeout:
        return True
    return False


def test_a_held_callback_comes_in_the_end() -> None:
    """Even the last one, when no other follows that it could be sent after."""
    for settings in ({"nth": [3]}, {"probability": 1.0}):
        service = Service()
        service.sim.faults.add("reorder_callbacks", "callback", **settings)
        service.create(replyUrl="http://127.0.0.1:9/")
        service.clock.advance(100)
        service("GET", "/scheduler/")
        assert sorted(json.loads(each.body)["status"] for each in service.transport.callbacks) == [
            "RUNNING",
            "RUNNING",
            "SUCCEEDED",
        ]


@pytest.mark.parametrize(
    "wrong",
    [{"nth": "1"}, {"nth": ["1"]}, {"nth": [True]}, {"seconds": "2"}, {"seconds": -1}, {"status": "503"}, {"times": 1.5}, {"probability": "0.5"}, {"probability": True}, {"after": 1}, {"shape": "round"}, {"bytes": -1}, {"body": 7}, {"nth": [0]}, {"times": -1}, {"seconds": math.nan}, {"seconds": math.inf}, {"status": 199}, {"status": 1000}],
)  # fmt: skip
def test_a_fault_with_odd_settings_is_refused(wrong: dict[str, Any]) -> None:
    """When it is added, not when it strikes."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Simulator().faults.add("status", "listScheduler", **wrong)


def test_a_fault_at_the_bounds_is_taken() -> None:
    """No time, never, the first call, and every status that an answer can have."""
    faults = Simulator().faults
    for settings in ({"seconds": 0}, {"times": 0}, {"nth": [1]}, {"bytes": 0}, {"status": 200}, {"status": 999}):
        faults.add("status", "listScheduler", **settings)


def test_errors_may_come_as_runways_object() -> None:
    """`http_errors` gives an object instead of a text; the account of a busy fault is the asset's; retryAfter stands in the body."""
    service = Service(accounts=["a@x.test", "b@x.test"], shapes=Shapes(http_errors="object"))
    asset_id = service.asset(email="b@x.test")
    assert service("GET", "/tasks/none").json()["error"]["message"].startswith("Unable to retrieve")
    service.sim.faults.add("busy", "createVideoToVideo", shape="account", retry_after="20")
    busy = service.create(asset_id)
    assert list(busy.json()["runningTasks"]) == ["b@x.test"]
    assert busy.json()["retryAfter"] == "2026-01-02T03:00:20.000Z"
    assert busy.headers["retry-after"] == "20"


def test_files_of_nobody_are_let_go() -> None:
    """A deleted asset's bytes go with it, unless a task still shows them; then they go with the task."""
    service = Service()
    for _ in range(5):
        service("DELETE", f"/assets/{service.asset(content=b'x' * 2_000_000)}")
    assert service.sim.state.blobs == {}
    asset_id = service.asset()
    task_id = service.create(asset_id).json()["taskId"]
    service("DELETE", f"/assets/{asset_id}")
    service.clock.advance(100)
    assert httpx.Client(transport=service.transport).get(service.task(task_id)["artifacts"][0]["url"]).content == MP4
    service("DELETE", f"/tasks/{task_id}")
    assert service.sim.state.blobs == {}


def test_a_client_that_goes_away_has_uploaded_nothing() -> None:
    """300 of 1,000 bytes and a close: no asset."""
    with SimulatorServer(clock=RunningClock()) as server:
        host, port = server.origin.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = "POST /v1/runwayml/assets/?name=x HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\nContent-Length: 1000\r\n"
            connection.sendall(f"{head}Authorization: Bearer user:1-a\r\n\r\n".encode() + b"x" * 300)
            time.sleep(0.05)  # the server has to see the beginning before the end
        assert httpx.get(f"{server.base_url}/scheduler/", headers=HEADERS).status_code == 200
        assert not server.simulator.state.assets


def test_a_full_disk_is_told_in_an_answer(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A spilled upload that cannot be kept is 507 with the reason, without a traceback; a state that cannot be kept is a warning."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with SimulatorServer(clock=RunningClock()) as server:
        monkeypatch.setattr("tempfile.TemporaryFile", full)
        answer = httpx.post(f"{server.base_url}/assets/?name=x", content=b"x" * 2_000_000, headers=VIDEO)
        monkeypatch.undo()
        assert answer.status_code == 507
        assert "No space left" in answer.json()["error"]
        assert httpx.get(f"{server.base_url}/scheduler/", headers=HEADERS).status_code == 200
    assert "Traceback" not in caplog.text
