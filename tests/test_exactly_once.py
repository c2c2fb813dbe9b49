"""What the product is for: thousands of creates under faults, and real sockets that break: none doubled, none lost."""

from __future__ import annotations

import io
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from useapi_runwayml import RunwayClient, errors
from useapi_runwayml.simulator import ManualClock

from .conftest import MP4, TOKEN, World
from .listening import Listening

CREATE = "createVideoToVideo"
CREATES = 2000
ASSET = "user:1-runwayml:a@b.test-asset:1"


@pytest.mark.proof
def test_two_thousand_faulted_creates(world: World) -> None:
    """Lost answers, half answers, 5xx before and after, 429s, late schedulers: one task at most for each replyRef, every
    task that exists is either given or found later, and none is called unknown that a look-up could have found."""
    world.sim.state.accounts["maker@example.com"].credits = 10**9
    world.sim.state.accounts["maker@example.com"].max_jobs = 10
    world.sim.task_seconds = 5.0
    for kind, settings in [
        ("close_before_read", {}),
        ("close_before_action", {}),
        ("close_after_action", {}),
        ("bad_json", {}),
        ("cut_body", {"bytes": 40}),
        ("latency", {"seconds": 100.0}),
        ("status", {"status": 502}),
        ("status", {"status": 522, "content_type": "text/plain", "after": True}),
        ("status", {"status": 200, "body": "{}", "content_type": "application/json", "after": True}),
        ("busy", {"shape": "upstream"}),
        ("unreachable", {}),
        ("hide_in_scheduler", {"seconds": 4.0}),
    ]:
        world.faults.add(kind, CREATE, probability=0.05, **settings)
    for operation in ("listScheduler", "listTasks", "getTask"):
        world.faults.add("status", operation, status=503, probability=0.05)
        world.faults.add("close_before_action", operation, probability=0.05)
    client, asset_id, chance = world.client(), world.asset(), random.Random(1)
    given: dict[str, str] = {}
    unknown: list[str] = []
    for number in range(CREATES):
        mine = {"reply_ref": f"row-{number}"} if chance.random() < 0.5 else {}
        try:
            task = client.video_to_video.create(asset_id=asset_id, text_prompt=f"prompt {number}", **mine)
            given[task.task_id] = task.task_id
            assert task.options is None or task.options.text_prompt in (None, f"prompt {number}")
        except errors.SubmissionUnknownError as error:
            unknown.append(error.reply_ref)
        world.clock.advance(2)
    made = {task.task_id: task.request["replyRef"] for task in world.sim.state.tasks.values()}
    assert max(Counter(made.values()).values()) == 1
    assert len(made) == len({task.request["text_prompt"] for task in world.sim.state.tasks.values()})
    assert set(made) == set(given)
    assert not set(unknown) & set(made.values())
    assert len(given) + len(unknown) == CREATES
    assert len(unknown) < CREATES / 4


class Peer(Listening):
    """A raw socket server that does to each connection what it is told, and counts the requests that it read."""

    def __init__(self, act: Callable[[socket.socket, bytes], None]) -> None:
        self.act = act
        self.seen: list[bytes] = []
        super().__init__()

    def take(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            if not (part := connection.recv(65536)):
                break
            request += part
        if request:
            self.seen.append(request.partition(b"\r\n")[0])
            self.act(connection, request)


@pytest.fixture
def peer() -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def make(act: Callable[[socket.socket, bytes], None]) -> Peer:
        made.append(Peer(act))
        return made[-1]

    yield make
    for each in made:
        each.close()


BREAKS: dict[str, Callable[[socket.socket, bytes], None]] = {
    "closes without an answer": lambda connection, request: None,
    "resets": lambda connection, request: connection.setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
    ),
    "half a status line": lambda connection, request: connection.sendall(b"HTTP/1.1 2"),
    "half a body": lambda connection, request: connection.sendall(
        b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"taskId'
    ),
    "no HTTP": lambda connection, request: connection.sendall(b"\x00\x01\x02 nonsense\r\n\r\n"),
    "bad gzip": lambda connection, request: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"
    ),
    "a status beyond all": lambda connection, request: connection.sendall(
        b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"
    ),
    "only 103": lambda connection, request: connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "a redirect": lambda connection, request: connection.sendall(
        b"HTTP/1.1 307 Elsewhere\r\nLocation: /gen3turbo/video\r\nContent-Length: 0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_socket_that_breaks_sees_one_post(name: str, peer: Callable[..., Peer]) -> None:
    """However the connection ends, the paid POST is on the wire once, and the outcome is unknown, not an untyped error."""
    broken = peer(BREAKS[name])
    with (
        RunwayClient(TOKEN, base_url=broken.url, lookup_timeout=0, timeout=2) as client,
        pytest.raises(errors.SubmissionUnknownError) as caught,
    ):
        client.video_to_video.create(asset_id="a", text_prompt="x")
    assert sum(line.startswith(b"POST") for line in broken.seen) == 1
    assert isinstance(caught.value.__cause__, errors.UseapiError)


def test_a_silent_socket_times_out_once(peer: Callable[..., Peer]) -> None:
    """No answer at all: one POST, APITimeoutError as the cause."""
    hold = threading.Event()
    silent = peer(lambda connection, request: hold.wait(5) and None)
    with (
        RunwayClient(TOKEN, base_url=silent.url, lookup_timeout=0, timeout=0.2) as client,
        pytest.raises(errors.SubmissionUnknownError) as caught,
    ):
        client.video_to_video.create(asset_id="a", text_prompt="x")
    hold.set()
    assert isinstance(caught.value.__cause__, errors.APITimeoutError)
    assert sum(line.startswith(b"POST") for line in silent.seen) == 1


def test_a_refused_port_is_never_sent() -> None:
    """Nothing listens: no look-up, maybe_sent is False, and the error says what to check."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        RunwayClient(TOKEN, base_url=f"http://127.0.0.1:{port}", max_retries=0) as client,
        pytest.raises(errors.APIConnectionError, match="nothing was sent") as caught,
    ):
        client.video_to_video.create(asset_id="a", text_prompt="x")
    assert caught.value.maybe_sent is False


def test_an_unusual_status_on_a_socket_is_read(peer: Callable[..., Peer]) -> None:
    """596 over a real connection is its typed error."""
    body = b'{"error":"session rejected","code":596}'
    answer = b"HTTP/1.1 596 \r\nContent-Length: " + str(len(body)).encode() + b"\r\nConnection: close\r\n\r\n" + body
    odd = peer(lambda connection, request: connection.sendall(answer))
    with RunwayClient(TOKEN, base_url=odd.url) as client, pytest.raises(errors.AccountSessionError) as caught:
        client.tasks.retrieve("user:1-runwayml:a@b.c-task:x")
    assert (caught.value.status, caught.value.message) == (596, "session rejected")


def test_a_crafted_list_cannot_take_the_place_of_ours(world: World) -> None:
    """Entries without ids, with odd types or with other references are passed over in a look-up."""
    import httpx

    def handler(request: httpx.Request) -> Any:
        if request.method == "POST":
            return httpx.Response(502)
        return httpx.Response(
            200, json=[{"replyRef": 7}, {"taskId": "t"}, 7, {"replyRef": None, "taskId": "t"}, {"taskId": 1}]
        )

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        world.scripted(handler).video_to_video.create(asset_id="a", text_prompt="x")
    assert caught.value.candidates == ()


def test_a_second_try_below_us_that_finds_nobody_leaves_it_open() -> None:
    """A transport sent the create, lost the connection, and could not make another: that is no create that never left."""
    sent: list[str] = []

    class Retries(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method != "POST":
                return httpx.Response(200, json=[])
            sent.append(request.url.path)
            request.extensions["trace"](
                "http2.send_request_headers.started", {"request": SimpleNamespace(method=b"POST")}
            )
            raise httpx.ConnectError("refused", request=request)

    with httpx.Client(transport=Retries()) as http:
        client = RunwayClient(TOKEN, http_client=http, lookup_timeout=0)
        client._use_clock(ManualClock())
        with pytest.raises(errors.SubmissionUnknownError):
            client.video_to_video.create(asset_id=ASSET, text_prompt="x")
    assert len(sent) == 1


def test_what_costs_nothing_may_be_repeated_below_us() -> None:
    """A transport that sends a read or an upload a second time, as HTTP/2 asks it to, is not kept from that; one that sends a create again is."""
    started = SimpleNamespace(method=b"POST")
    watched: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tell = request.extensions.get("trace", lambda *_: watched.append(f"{request.method} {request.url.path}"))
        tell("http2.send_request_headers.started", {"request": started})
        if request.method == "GET":
            return httpx.Response(200, json=[])
        return httpx.Response(200, json={"assetId": ASSET, "taskId": "user:1-runwayml:a@b.test-task:1"})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = RunwayClient(TOKEN, http_client=http)
        client.scheduler.list()
        client.assets.upload(io.BytesIO(MP4), name="c.mp4", media_type="video/mp4")
        client.video_to_video.create(asset_id=ASSET, text_prompt="x")
    assert watched == ["GET /v1/runwayml/scheduler/", "POST /v1/runwayml/assets/"]
