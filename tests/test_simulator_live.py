"""What the pages of the simulator are told, and how they steer it, over HTTP; a real browser looks at them in test_page.py."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from useapi_runwayml.simulator import ManualClock, RunningClock, SimulatorServer
from useapi_runwayml.simulator.faults import KINDS

from .conftest import MP4

TOKEN = "user:4242-abcdef"


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(clock=RunningClock(1)) as running:
        yield running


def told(server: SimulatorServer, most: int) -> list[tuple[str, Any]]:
    """So many of the events that the page gets."""
    found: list[tuple[str, Any]] = []
    with httpx.stream("GET", f"{server.origin}/_simulator/events", timeout=20) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        lines = stream.iter_lines()
        while len(found) < most:
            name, data, end = next(lines), next(lines), next(lines)
            assert (name[:7], data[:6], end) == ("event: ", "data: ", "")
            found.append((name[7:], json.loads(data[6:])))
    return found


def test_what_happens_is_told(server: SimulatorServer) -> None:
    """What there is to choose, then accounts, tasks with their videos, faults, time and requests; again when it changes; no token."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    asset = httpx.post(
        f"{server.base_url}/assets/?name=x", content=MP4, headers={**headers, "Content-Type": "video/mp4"}
    )
    body = {"assetId": asset.json()["assetId"], "text_prompt": "<script>alert(1)</script>", "replyRef": '"><b>'}
    httpx.post(f"{server.base_url}/gen3turbo/video", json=body, headers=headers)
    server.simulator.faults.add("latency", "download", seconds=0)
    (first, choices), (second, state) = told(server, 2)
    assert (first, second) == ("begin", "state")
    assert {"*", "createVideoToVideo", "download", "callback"} <= set(choices["operations"])
    assert choices["kinds"].keys() == KINDS.keys()
    assert state["accounts"] == [
        {"email": "maker@example.com", "slots": {"busy": 1, "all": 5}, "credits": {"spent": 50, "all": 2250}}
    ]
    [task] = state["tasks"]
    assert (task["status"], task["prompt"], task["replyRef"]) == ("PENDING", "<script>alert(1)</script>", '"><b>')
    assert (task["result"], state["created"]) == (None, 1)
    assert [(seen["operation"], seen["status"]) for seen in state["requests"]] == [
        ("createVideoToVideo", 200),
        ("uploadAsset", 200),
    ]
    assert all(seen["milliseconds"] > 0 for seen in state["requests"])
    assert [fault["kind"] for fault in state["faults"]] == ["latency"]
    assert "abcdef" not in json.dumps(state)
    server.clock.advance(100)
    state = told(server, 2)[1][1]
    [task] = state["tasks"]
    assert (task["status"], task["progress"]) == ("SUCCEEDED", 1)
    handled = server.simulator.handled
    for video in (task["source"], task["result"]):
        assert httpx.get(server.origin + video).content == MP4
    assert httpx.get(server.origin + task["result"], headers={"Range": "bytes=1-2"}).content == MP4[1:3]
    assert (server.simulator.handled, server.simulator.faults.listed()[0]["hits"]) == (handled, 0), "whoever looks on"
    assert httpx.get(f"{server.origin}/_simulator/view/nothing").status_code == 404


def test_it_is_told_again_when_it_has_changed(server: SimulatorServer) -> None:
    """A fault, a request, a reset, a pause: each is news; a page that goes away is forgotten, and one from elsewhere refused."""
    assert isinstance(server.clock, RunningClock)
    server.clock.go(paused=True)
    with httpx.stream("GET", f"{server.origin}/_simulator/events", timeout=20) as stream:
        news = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        next(news)
        assert next(news)["clock"] == {"speed": 1.0, "paused": True}
        server.simulator.faults.add("latency", "*")
        assert len(next(news)["faults"]) == 1
        server.simulator.faults.remove(0)
        assert next(news)["faults"] == []
        httpx.get(f"{server.base_url}/nothing")
        assert len(next(news)["requests"]) == 1
        httpx.post(f"{server.origin}/_simulator/reset")
        assert next(news)["requests"] == []
        server.clock.go(speed=2)
        assert next(news)["clock"]["speed"] == 2
        server.clock.advance(1)
        next(news)
    elsewhere = {"Origin": "http://evil.test"}
    assert httpx.get(f"{server.origin}/_simulator/events", headers=elsewhere).status_code == 403


def test_who_looks_on_does_not_keep_it_alive() -> None:
    """The simulator ends at once, though a page is open."""
    with SimulatorServer() as server, httpx.Client() as client:
        with client.stream("GET", f"{server.origin}/_simulator/events", timeout=20) as stream:
            lines = stream.iter_lines()
            next(lines)
            server.stop()
            assert list(lines)[-1] == ""
        server._thread.join(1.5)  # uvicorn would cut it off after two
        assert not server._thread.is_alive()


@pytest.mark.parametrize("path", ["/", "/docs", "/_simulator/web/page.js", "/_simulator/web/common.js"])
def test_a_page_is_strict(server: SimulatorServer, path: str) -> None:
    """Nothing inline, nothing from elsewhere, in no frame; of ours alone."""
    page = httpx.get(server.origin + path)
    assert page.headers["content-type"].partition(";")[0] in ("text/html", "text/javascript")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"https?://|<script>|<style>|style=|innerHTML|document\.write", page.text)
    assert httpx.head(server.origin + path).content == b""
    assert httpx.get(f"{server.origin}/_simulator/web/..%2fpage.py").status_code == 404
    assert httpx.get(f"{server.origin}/_simulator/web/page.py").status_code == 404


def test_the_clock_is_steered(server: SimulatorServer) -> None:
    """Its speed, a pause, and on; what is none is refused; one that a test moves has none."""
    steer = f"{server.origin}/_simulator/clock"
    before = httpx.post(steer, json={"paused": True}).json()["now"]
    assert httpx.post(steer, json={"advance": 60}).json()["now"] == before + 60
    assert httpx.post(steer, json={"speed": 10_000}).json()["now"] == before + 60
    after = httpx.post(steer, json={"paused": False}).json()["now"]
    assert before + 60 <= after
    while server.clock.now() < after + 100:
        pass
    wrong = [{"speed": 0}, {"speed": 10_001}, {"speed": True}, {"speed": "x"}, {"paused": 1}, {"paused": "x"}, {}, []]
    for each in [*wrong, {"advance": 1, "x": 1}]:
        assert httpx.post(steer, json=each).status_code == 400, each
    with SimulatorServer(clock=ManualClock()) as by_hand:
        told = httpx.post(f"{by_hand.origin}/_simulator/clock", json={"paused": True})
        assert (told.status_code, "moved by hand" in told.text) == (400, True)


@pytest.mark.parametrize(
    "given", [{}, [1], [], "x", {"kind": []}, {"kind": "latency", "operation": ["x"]}, {"kind": "none"}]
)
def test_what_is_no_fault_is_refused_in_words(server: SimulatorServer, given: Any) -> None:
    """Without a word of Python's, and none is added."""
    answer = httpx.post(f"{server.origin}/_simulator/faults", json=given)
    assert (answer.status_code, server.simulator.faults.rules) == (400, [])
    assert not {"argument", "add()", "unhashable", "mapping"} & {*answer.json()["error"].split()}


def test_one_fault_is_taken_back(server: SimulatorServer) -> None:
    """By its place in the list; a place where there is none is told."""
    for kind in ("latency", "bad_json"):
        server.simulator.faults.add(kind, "*")
    steer = f"{server.origin}/_simulator/faults"
    assert [each["kind"] for each in httpx.delete(f"{steer}/0").json()] == ["bad_json"]
    for wrong in ("1", "-1", "x", "99999"):
        assert httpx.delete(f"{steer}/{wrong}").status_code == 404
    assert len(server.simulator.faults.rules) == 1
