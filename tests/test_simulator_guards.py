"""A simulator that people leave running: nobody else steers it, and no request of any shape breaks it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import math
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from useapi_runwayml.simulator import ManualClock, RunningClock, Simulator, SimulatorServer
from useapi_runwayml.simulator.asgi import SimulatorApp
from useapi_runwayml.simulator.hosts import Hosts

from .conftest import MP4, STRICT, spawn

TOKEN = "user:4242-abcdef"
AUTH = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(clock=RunningClock()) as running:
        yield running


# -- who may ask -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("host", "more", "header", "is_allowed"),
    [
        ("127.0.0.1", [], "localhost:8787", True),
        ("127.0.0.1", [], "LOCALHOST", True),
        ("127.0.0.1", [], "localhost.:8787", True),
        ("127.0.0.1", [], "127.0.0.1:8787", True),
        ("127.0.0.1", [], "127.9.9.9", True),
        ("127.0.0.1", [], "[::1]:8787", True),
        ("127.0.0.1", [], "", True),
        ("127.0.0.1", [], "evil.test", False),
        ("127.0.0.1", [], "evil.test:8787", False),
        ("127.0.0.1", [], "localhost.evil.test", False),
        ("127.0.0.1", [], "127.0.0.1.evil.test", False),
        ("127.0.0.1", [], "localhost@evil.test", False),
        ("127.0.0.1", [], "10.0.0.7", False),
        ("127.0.0.1", [], "[::1", False),
        ("127.0.0.1", ["sim.test"], "sim.test:80", True),
        ("127.0.0.1", ["sim.test"], "a.sim.test", False),
        ("10.0.0.7", [], "10.0.0.7:8787", True),
        ("10.0.0.7", [], "10.0.0.8:8787", False),
        ("box.test", [], "box.test", True),
        ("0.0.0.0", [], "192.168.1.5:9000", True),
        ("::", [], "[fd00::5]:9000", True),
        ("0.0.0.0", [], "evil.test", False),
    ],
)
def test_only_who_names_its_address_is_answered(host: str, more: list[str], header: str, is_allowed: bool) -> None:
    """The loopback, what it listens on, and what was allowed by name."""
    assert Hosts(host, more).allows(header) is is_allowed


def test_a_page_of_another_site_reads_and_steers_nothing(server: SimulatorServer) -> None:
    """Its name leads here, by DNS: reset, state, page, tasks and uploads answer 421 in words, and nothing is done."""
    evil = {"Host": "evil.test", "Origin": "http://evil.test"}
    assert httpx.post(f"{server.base_url}/assets/?name=x", content=MP4, headers={**AUTH, "Content-Type": "video/mp4"})
    with httpx.Client(headers={**AUTH, **evil}) as client:
        for method, path in (
            ("POST", "/_simulator/reset"),
            ("GET", "/_simulator/state"),
            ("GET", "/_simulator/health"),
            ("GET", "/"),
            ("GET", f"{server.simulator.contract.prefix}/tasks/"),
            ("POST", f"{server.simulator.contract.prefix}/assets/?name=y"),
        ):
            answer = client.request(method, server.origin + path)
            assert answer.status_code == 421, path
            assert "--allow-host" in answer.text
    assert len(server.simulator.state.assets) == 1


@pytest.mark.parametrize(
    "origin", ["https://{}", "http://evil.test", "null", "http://{}.evil.test", "http://localhost"]
)
def test_a_form_of_another_site_is_refused(server: SimulatorServer, origin: str) -> None:
    """Also of the same host over https, which is another site; the simulator's own page may steer."""
    host = server.origin.removeprefix("http://")
    headers = {"Origin": origin.format(host)}
    assert httpx.post(f"{server.origin}/_simulator/reset", headers=headers).status_code == 403
    assert httpx.post(f"{server.origin}/_simulator/reset", headers={"Origin": server.origin}).status_code == 200


def test_links_lead_to_where_it_is_bound(server: SimulatorServer) -> None:
    """Whatever the Host header says; only a simulator that listens everywhere goes by where it was asked."""
    headers = {**AUTH, "Content-Type": "video/mp4", "Host": "localhost:1"}
    made = httpx.post(f"{server.base_url}/assets/?name=x", content=MP4, headers=headers).json()
    assert made["url"].startswith(f"{server.origin}/")
    with SimulatorServer(host="0.0.0.0") as everywhere:
        port = everywhere.origin.rpartition(":")[2]
        base = f"http://127.0.0.1:{port}{everywhere.simulator.contract.prefix}"
        made = httpx.post(f"{base}/assets/?name=x", content=MP4, headers={**headers, "Host": "10.0.0.7:99"}).json()
        assert made["url"].startswith("http://10.0.0.7:99/")


# -- what breaks nothing -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "advance", ["NaN", "Infinity", "-Infinity", "-1e9", "-1", "1e300", '"7"', "true", "null", "[]"]
)
def test_the_clock_takes_seconds_alone(server: SimulatorServer, advance: str) -> None:
    """What is none is refused, and the clock goes on; it stops at the year 2100."""
    steer = f"{server.origin}/_simulator/clock"
    assert httpx.post(steer, content=f'{{"advance": {advance}}}').status_code == 400
    before = httpx.post(steer, json={"advance": 0}).json()["now"]
    assert httpx.post(steer, json={"advance": 60}).json()["now"] - before >= 60
    assert httpx.post(steer, json={"advance": 4_102_444_801 - before}).status_code == 400
    assert httpx.get(server.origin).status_code == 200
    for wrong in (math.nan, math.inf, -1.0):
        with pytest.raises(ValueError, match="advances by seconds"):
            server.clock.advance(wrong)


@pytest.mark.parametrize("expires", ["²", "٣", "", "-1", "1.0", "1" * 5000, " 1"])
def test_a_link_with_an_odd_expiry_is_refused(server: SimulatorServer, expires: str) -> None:
    """As one that has expired: digits are those of ASCII."""
    found = httpx.get(f"{server.origin}/_simulator/files/x", params={"expires": expires, "signature": "x"})
    assert found.status_code == 403


class Many(bytes):
    """Ten thousand times the same, and shown in short."""

    def __new__(cls, part: bytes) -> Many:
        return super().__new__(cls, part * 10_000)

    def __repr__(self) -> str:
        return f"{bytes(self[:5])!r}…"


METHODS = st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "QUERY"])
IDS = st.sampled_from(
    ["user:4242-runwayml:maker@example.com-task:x", "%00", "..", "%2e%2e", "²", "a/b", "", "%ff", "x" * 3000]
)
PREFIX = Simulator().contract.prefix
PATHS = st.one_of(
    st.sampled_from(
        [
            f"{PREFIX}{path}"
            for path in ("/tasks/", "/tasks", "/scheduler/", "/features", "/assets/", "/gen3turbo/video", "/gen4/video")
        ]
        + [
            "/",
            "/docs",
            "/_simulator/state",
            "/_simulator/faults",
            "/_simulator/clock",
            "/_simulator/reset",
            "/_simulator/health",
            "/_simulator/",
        ]
    ),
    st.builds(lambda kind, name: f"{PREFIX}/{kind}/{name}", st.sampled_from(["tasks", "assets", "scheduler"]), IDS),
    st.builds(lambda name: f"/_simulator/files/{name}", IDS),
    st.text(st.characters(codec="latin-1"), max_size=30).map(lambda text: f"/{text}"),
)
QUERIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"offset=-1&limit=x",
            b"limit=99999999999999999999999999",
            b"statuses=,,&email=%ff",
            b"expires=%C2%B2&signature=x",
            b"name=x&duration=1e999&width=-1",
            b"mediaType=video&mediaType=image",
            b"&".join([b"a=b"] * 50),
        ]
    ),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMED = st.dictionaries(
    st.sampled_from(
        [
            "assetId",
            "text_prompt",
            "seconds",
            "seed",
            "replyUrl",
            "kind",
            "operation",
            "nth",
            "seconds",
            "probability",
            "times",
            "advance",
            "shape",
            "body",
            "status",
            "bytes",
            "retry_after",
        ]
    ),
    VALUES | st.sampled_from(["status", "latency", "cut_body", "createVideoToVideo", "*", 0, 1e308, -1]),
)
BODIES = st.one_of(
    st.binary(max_size=200),
    (VALUES | NAMED).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")),
    st.sampled_from([Many(b"["), Many(b'{"a":'), b"\xff\xfe", b"--x\r\n\r\n", b'{"advance": NaN}']),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [b"content-type", b"range", b"if-range", b"origin", b"authorization", b"content-encoding", b"expect"]
    ),
    st.binary(max_size=30).filter(lambda value: not set(value) & {0, 10, 13})
    | st.sampled_from(
        [
            b"application/json",
            b"Application/JSON; charset=utf-8",
            b"multipart/form-data; boundary=x",
            b"multipart/form-data; boundary=" + b"y" * 300,
            b"multipart/form-data",
            b"video/mp4",
            b"bytes=0-99999999999999999999999",
            b"bytes=\xb2-",
            b"gzip",
            f"Bearer {TOKEN}".encode(),
        ]
    ),
)
REQUESTS = st.tuples(METHODS, PATHS, QUERIES, HEADERS, BODIES)


async def ask(app: SimulatorApp, request: Any) -> int:
    """One request, as a server hands it on; its faults may break it off."""
    method, path, query, headers, body = request
    authorized = {b"authorization": f"Bearer {TOKEN}".encode(), **headers, b"host": b"localhost"}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query,
        "scheme": "http",
        "headers": [*authorized.items(), (b"content-length", str(len(body)).encode())],
    }
    found: list[Any] = []
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        found.append(message)

    await app(scope, receive, send)
    return int(found[0]["status"]) if found else 0


@given(st.lists(REQUESTS, min_size=20, max_size=20))
@settings(max_examples=500, deadline=None)
@pytest.mark.slow
def test_no_request_gives_a_500(requests: list[Any]) -> None:
    """Ten thousand of any shape, to every path, steering included: each has an answer, and the page still shows."""
    simulator, clock = Simulator(), ManualClock()
    app = SimulatorApp(simulator, clock)

    async def main() -> None:
        for request in requests:
            status = await ask(app, request)
            assert status < 500, request
            simulator.faults.clear()  # they would do what they are told to
        assert await ask(app, ("GET", "/", b"", {}, b"")) == 200

    asyncio.run(main())
    simulator.state.close()


def test_a_body_that_drips_is_given_up(server: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slower than a thousand bytes a second, after twenty seconds of patience; others are served meanwhile."""
    from useapi_runwayml.simulator import asgi as served

    assert (served.PATIENCE, served.SLOWEST) == (20, 1000)
    monkeypatch.setattr(served, "PATIENCE", 1.0)
    with socket.create_connection(("127.0.0.1", int(server.origin.rpartition(":")[2]))) as slow:
        slow.sendall(
            f"POST {PREFIX}/assets/?name=x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: video/mp4\r\nContent-Length: 100000\r\n\r\nx".encode()
        )
        assert httpx.get(f"{server.origin}/_simulator/health").json() == {"status": "ok"}
        slow.settimeout(10)
        assert slow.recv(200).startswith(b"HTTP/1.1 408")
    assert not server.simulator.state.assets


def test_storage_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """All files together: an upload beyond is refused in words, and one fits again when another is deleted."""
    with (
        caplog.at_level(logging.ERROR),
        SimulatorServer(Simulator(storage=2 * len(MP4) + 10, task_seconds=0)) as server,
    ):
        headers = {**AUTH, "Content-Type": "video/mp4"}

        def upload() -> httpx.Response:
            return httpx.post(f"{server.base_url}/assets/?name=x", content=MP4, headers=headers)

        first = upload().json()
        assert upload().status_code == 200
        full = upload()
        assert full.status_code == 413
        assert "--storage" in full.text
        assert httpx.delete(f"{server.base_url}/assets/{first['assetId']}", headers=AUTH).status_code == 200
        assert upload().status_code == 200


def test_what_is_on_its_way_counts_as_stored(caplog: pytest.LogCaptureFixture) -> None:
    """Uploads at the same moment cannot fill the disk together; one that breaks off makes room again."""
    part = b"x" * 1_400_000
    head = f"POST {PREFIX}/assets/?name=x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    with (
        caplog.at_level(logging.ERROR),
        SimulatorServer(Simulator(storage=2_000_000)) as server,
        contextlib.ExitStack() as stack,
    ):

        def begin() -> socket.socket:
            begun = socket.create_connection(("127.0.0.1", int(server.origin.rpartition(":")[2])))
            stack.callback(begun.close)
            begun.sendall(f"{head}Content-Type: video/mp4\r\nContent-Length: 1900000\r\n\r\n".encode() + part)
            return begun

        def upload(kind: str) -> httpx.Response:
            more = {**AUTH, "Content-Type": kind}
            return httpx.post(f"{server.base_url}/assets/?name=x", content=part, headers=more)

        slow = begin()

        def is_refused() -> bool:
            """Answered, before it is whole: what was asked with was there before it."""
            return bool(select.select([slow], [], [], 0)[0])

        def ask() -> httpx.Response:
            """Nothing of that kind is kept, so that it is by what is on its way that it is too much."""
            nonlocal slow
            slow = begin() if is_refused() else slow
            return upload("text/plain")

        refused = until(ask, lambda answer: answer.status_code == 413 and not is_refused())
        assert "--storage" in refused.text
        assert upload("video/mp4").status_code == 413
        slow.close()
        until(lambda: upload("video/mp4"), lambda answer: answer.status_code == 200)


def until(ask: Callable[[], httpx.Response], is_so: Callable[[httpx.Response], bool]) -> httpx.Response:
    """The first answer of which it is true."""
    for _ in range(200):
        if is_so(answer := ask()):
            return answer
    pytest.fail("it never came to that")


def test_what_was_paid_is_told(server: SimulatorServer) -> None:
    """Accepted creates, credits and replyRefs; refused ones are none, deleted ones stay, a reset begins anew."""
    sim = server.simulator
    headers = {**AUTH, "Content-Type": "video/mp4"}
    asset = httpx.post(f"{server.base_url}/assets/?name=x", content=MP4, headers=headers).json()["assetId"]

    def create(**more: Any) -> httpx.Response:
        body = {"assetId": asset, "text_prompt": "x", "seconds": 5, **more}
        return httpx.post(f"{server.base_url}/gen3turbo/video", json=body, headers=AUTH)

    assert sim.paid == (0, 0, {})
    made = create(replyRef="row-1").json()["taskId"]
    create(replyRef="row-1")
    create(seconds=10)
    create(text_prompt="[moderate]")
    create(seconds=7)
    httpx.delete(f"{server.base_url}/tasks/{made}", headers=AUTH)
    assert sim.paid.creates == 3
    assert sim.paid.credits == 25 + 25 + 50
    assert sim.paid.by_reply_ref == {"row-1": 2, None: 1}
    sim.reset()
    assert sim.paid.creates == 0


# -- true to the service -----------------------------------------------------------------------------------------------
def test_headers_and_paths_are_taken_as_http_has_them(server: SimulatorServer) -> None:
    """A media type in any case, a path with and without its last slash."""
    headers = {**AUTH, "Content-Type": "Video/MP4"}
    asset = httpx.post(f"{server.base_url}/assets?name=x", content=MP4, headers=headers).json()["assetId"]
    for kind_of_file in ("video/MP2T", "video/mp2t", "VIDEO/MP2T"):
        made = httpx.post(
            f"{server.base_url}/assets?name=x", content=MP4, headers={**AUTH, "Content-Type": kind_of_file}
        )
        assert made.status_code == 200
    body = json.dumps({"assetId": asset, "text_prompt": "x"})
    for path in ("/gen3turbo/video", "/gen3turbo/video/"):
        kind = {**AUTH, "Content-Type": "Application/JSON; Charset=UTF-8"}
        assert httpx.post(server.base_url + path, content=body, headers=kind).status_code == 200
    for path in (
        "/tasks",
        "/tasks/",
        "/scheduler",
        "/scheduler/",
        "/assets",
        f"/assets/{asset}/",
        "/features",
        "/features/",
    ):
        assert httpx.get(server.base_url + path, headers=AUTH).status_code == 200, path
    assert httpx.get(f"{server.base_url}/tasks//", headers=AUTH).status_code == 404


def test_packed_bodies_are_unpacked(server: SimulatorServer) -> None:
    """By gzip, up to a mebibyte; what is none, is cut or would be too large is refused in words."""
    headers = {**AUTH, "Content-Type": "video/mp4"}
    asset = httpx.post(f"{server.base_url}/assets/?name=x", content=MP4, headers=headers).json()["assetId"]
    body = json.dumps({"assetId": asset, "text_prompt": "x"}).encode()
    url, packed = f"{server.base_url}/gen3turbo/video", gzip.compress(body)
    kind = {**AUTH, "Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert httpx.post(url, content=packed, headers=kind).status_code == 200
    for wrong in (body, packed[:-9], gzip.compress(b" " * (1 << 20) + b"{}")):
        assert httpx.post(url, content=wrong, headers=kind).status_code == 400
    assert "br is not supported" in httpx.post(url, content=body, headers={**kind, "Content-Encoding": "br"}).text
    assert server.simulator.paid.creates == 1


# -- for others --------------------------------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_variables_and_the_document_are_printed(tmp_path: Path) -> None:
    """As lines that a shell or a workflow reads; the rest goes to standard error."""
    base = [sys.executable, *STRICT, "-m", "useapi_runwayml"]
    serving = spawn([*base, "simulate", "--port", "0", "--print-env"], cwd=tmp_path)
    assert serving.stdout
    found = dict(serving.stdout.readline().strip().split("=", 1) for _ in range(2))
    assert httpx.get(f"{found['USEAPI_RUNWAYML_BASE_URL'].partition('/v1')[0]}/_simulator/health").status_code == 200
    serving.send_signal(signal.SIGTERM)
    out, err = serving.communicate(timeout=20)
    assert serving.returncode == 0
    assert out == ""
    assert "Ctrl-C ends it" in err
    assert found.keys() == {"USEAPI_RUNWAYML_BASE_URL", "USEAPI_TOKEN"}
    done = subprocess.run([*base, "document"], capture_output=True, text=True, encoding="utf-8", cwd=tmp_path)
    assert json.loads(done.stdout)["openapi"].startswith("3.1")
