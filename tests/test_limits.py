"""A timeout in seconds is that of the whole call, however slowly a line drips; a file has to move at a smallest pace."""

from __future__ import annotations

import contextlib
import json
import math
import socket
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpcore
import httpx
import pytest

from useapi_runwayml import RunwayClient, errors
from useapi_runwayml._io import network
from useapi_runwayml._io.limits import Limits

from .conftest import MP4, World
from .lines import AsyncLine, Network, Said, SyncLine, answer, connect_by, runway
from .test_downloading import TASK, task_json

ASSET = "user:4242-runwayml:maker@example.com-asset:a1"
RUNNING = json.dumps({"taskId": TASK, "status": "RUNNING", "options": {"text_prompt": "x" * 500}}).encode()
DRIP = 0.3


def drip(status: int, body: bytes) -> Said:
    """Byte by byte, from the status line on: each byte comes long before any timeout."""
    return Said(answer(status, body), at_once=1, pause=DRIP)


READS = {
    "retrieve": lambda client, more: client.tasks.retrieve(TASK, **more),
    "find": lambda client, more: client.tasks.find("mine", **more),
    "list": lambda client, more: list(client.tasks.list(**more)),
    "delete": lambda client, more: client.tasks.delete(TASK, **more),
    "features": lambda client, more: client.features.retrieve(**more),
}


@pytest.mark.parametrize("by", ["call", "client"])
@pytest.mark.parametrize("name", READS)
def test_a_dripping_answer_ends_with_the_whole_call(world: World, name: str, by: str) -> None:
    """Retries included, nothing lasts longer than the seconds that were given."""
    network = Network(world.clock, lambda method, path: drip(200, RUNNING))
    client = runway(world, network, **({"timeout": 2} if by == "client" else {}))
    begun = world.clock.now()
    with pytest.raises(errors.APITimeoutError, match="timed out"):
        READS[name](client, {"timeout": 2} if by == "call" else {})
    assert world.clock.now() - begun == pytest.approx(2)


def test_retries_are_part_of_the_whole_call(world: World) -> None:
    """Answers that fail one after the other leave less and less time to the next try."""
    network = Network(world.clock, lambda method, path: Said(answer(502, b"no"), pause=0.9))
    begun = world.clock.now()
    with pytest.raises(errors.UseapiError):
        runway(world, network).tasks.retrieve(TASK, timeout=3)
    assert world.clock.now() - begun <= 3.001
    assert len(network.requests) > 1


def test_connecting_is_part_of_the_whole_call(world: World) -> None:
    """What is spent on the connection is not there for the answer."""
    network = Network(world.clock, lambda method, path: Said(answer(200, RUNNING), pause=1.0))
    network.connects_in = 1.5
    begun = world.clock.now()
    with pytest.raises(errors.APITimeoutError):
        runway(world, network).tasks.retrieve(TASK, timeout=2)
    assert world.clock.now() - begun == pytest.approx(2)


def test_parts_stay_parts(world: World) -> None:
    """Who gives an httpx.Timeout bounds each read, as httpx does."""
    network = Network(world.clock, lambda method, path: drip(200, RUNNING))
    assert runway(world, network).tasks.retrieve(TASK, timeout=httpx.Timeout(2)).task_id == TASK
    assert runway(world, network, timeout=httpx.Timeout(2)).tasks.retrieve(TASK).task_id == TASK


def test_seconds_without_an_end_have_none(world: World) -> None:
    """`inf` waits for any answer."""
    network = Network(world.clock, lambda method, path: drip(200, RUNNING))
    assert runway(world, network).tasks.retrieve(TASK, timeout=float("inf")).task_id == TASK


@pytest.mark.parametrize("many", [1, 5])
def test_a_wait_ends_in_time(world: World, many: int) -> None:
    """Whether a task or many are waited for, and by which requests."""
    network = Network(world.clock, lambda method, path: drip(200, RUNNING))
    begun = world.clock.now()
    with pytest.raises(errors.WaitTimeoutError):
        list(runway(world, network).tasks.as_completed([f"{TASK}{each}" for each in range(many)], timeout=2))
    assert world.clock.now() - begun == pytest.approx(2)


def create(client: Any, **more: Any) -> Any:
    return client.video_to_video.create(asset_id=ASSET, text_prompt="x", **more)


def test_a_look_up_ends_in_time(world: World) -> None:
    """The POST has its timeout, the look-up `lookup_timeout`, and neither is overrun; one POST is sent."""
    network = Network(world.clock, lambda method, path: drip(200, RUNNING))
    begun = world.clock.now()
    with pytest.raises(errors.SubmissionUnknownError):
        create(runway(world, network, lookup_timeout=4), timeout=2)
    assert world.clock.now() - begun == pytest.approx(2 + 4)
    assert [method for method, _ in network.requests].count("POST") == 1


def test_a_look_up_confirms_in_time(world: World) -> None:
    """The list comes at once, the candidate drips: the look-up ends in time all the same."""

    def handler(method: str, path: str) -> Said:
        shown = {"taskId": TASK, "replyRef": "mine", "status": "RUNNING"}
        listed = json.dumps({"tasks": [shown]} if "/tasks/?" in path else [shown]).encode()
        return Said(answer(200, listed)) if path.endswith("/scheduler/") else drip(200, RUNNING)

    network = Network(world.clock, handler)
    begun = world.clock.now()
    with pytest.raises(errors.SubmissionUnknownError):
        create(runway(world, network, lookup_timeout=4), timeout=2, reply_ref="mine")
    assert world.clock.now() - begun == pytest.approx(2 + 4)


def test_a_create_that_was_never_sent_is_tried_in_its_time(world: World) -> None:
    """Connections that fail slowly are not tried over and over."""
    network = Network(world.clock, lambda method, path: Said(b""))
    network.connects_in, network.refuses = 0.9, True
    begun = world.clock.now()
    with pytest.raises(errors.APIConnectionError) as caught:
        create(runway(world, network), timeout=3)
    assert not caught.value.maybe_sent
    assert world.clock.now() - begun <= 3.001


# -- files --------------------------------------------------------------------------------------------------------------
UPLOADED = json.dumps({"assetId": ASSET}).encode()


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big.mp4"
    path.write_bytes(b"m" * 3_000_000)
    return path


def test_a_slow_upload_goes_on(world: World, big: Path) -> None:
    """A large file over a slow line takes as long as it takes: ten minutes, with a timeout of twenty seconds."""
    network = Network(world.clock, lambda method, path: Said(answer(200, UPLOADED), pause=15), taken_a_second=5_000)
    begun = world.clock.now()
    assert runway(world, network, timeout=20).assets.upload(big).asset_id == ASSET
    assert 600 < world.clock.now() - begun < 620
    assert network.bodies == [big.read_bytes()]


@pytest.mark.parametrize("taken_a_second", [10, 900])
def test_an_upload_that_hardly_moves_ends(world: World, big: Path, taken_a_second: float) -> None:
    """Fewer than a thousand bytes a second are no upload, even if each piece is taken in time."""
    network = Network(world.clock, lambda method, path: Said(b""), taken_a_second=taken_a_second)
    begun = world.clock.now()
    with pytest.raises(errors.APITimeoutError):
        runway(world, network, timeout=httpx.Timeout(1), max_retries=0).assets.upload(big, timeout=70)
    assert world.clock.now() - begun < 75


def test_the_answer_of_an_upload_has_the_whole_timeout(world: World, big: Path) -> None:
    """What was sent slowly may be answered late, and an answer that drips ends."""
    said = [drip(200, UPLOADED)]
    network = Network(world.clock, lambda method, path: said[0], taken_a_second=5_000)
    begun = world.clock.now()
    with pytest.raises(errors.APITimeoutError):
        runway(world, network, timeout=20, max_retries=0).assets.upload(big)
    assert world.clock.now() - begun == pytest.approx(600 + 20, abs=2)


def test_the_pace_of_a_file_is_that_of_a_timeout() -> None:
    """With one of twenty seconds: twenty thousand bytes in each twenty, one way or the other; the answer has twenty of its own."""
    now = [5.0]
    limits = Limits(lambda: now[0], math.inf, 20)

    def move(seconds: float, size: int) -> None:
        begun = now[0]
        now[0] += seconds
        limits.took(begun, size)

    for _ in range(2):
        assert limits.left(writes=True) == 20
        move(4, 19_999)
        assert limits.left(writes=True) == 16
        move(1, 1)
    move(7, 19_000)
    now[0] += 1000
    assert limits.left() == limits.left(writes=True) == 13
    assert limits.left(writes=False) == 20
    move(8, 19_999)
    assert limits.left(writes=False) == 12
    move(1, 1)
    assert limits.left(writes=False) == 20
    move(21, 0)
    assert limits.left(writes=False) == -1
    assert limits.reason() == "fewer than 1000 bytes a second come through"


def test_what_ends_first_is_the_reason() -> None:
    """The whole call, or, for a file, its pace; the call, where both are over."""
    now = [10.0]
    limits = Limits(lambda: now[0], 30, 20)
    assert limits.reason() == "the whole call takes longer than its timeout"
    limits.took(0, 0)
    now[0] = 15
    assert limits.reason() == "fewer than 1000 bytes a second come through"
    now[0] = 25
    assert limits.reason() == "the whole call takes longer than its timeout"


def test_the_answer_of_an_upload_does_not_pay_for_its_sending(world: World, tmp_path: Path) -> None:
    """A file that took half of the timeout leaves all of it to the answer."""
    path = tmp_path / "c.mp4"
    path.write_bytes(b"m" * 50_000)
    network = Network(world.clock, lambda method, path: Said(answer(200, UPLOADED), pause=80), taken_a_second=1_000)
    begun = world.clock.now()
    assert runway(world, network, timeout=100, max_retries=0).assets.upload(path).asset_id == ASSET
    assert world.clock.now() - begun == pytest.approx(50 + 80, abs=2)


class Slow:
    """A source that thinks before each piece."""

    def __init__(self, world: World, pieces: int) -> None:
        self._world = world
        self._left = pieces

    def read(self, size: int = -1) -> bytes:
        if not size or not self._left:
            return b""
        self._left -= 1
        self._world.clock.advance(100)
        return b"m" * 1000


def test_time_in_the_users_own_file_is_not_counted(world: World) -> None:
    """A source that is rendered while it is sent is slow, not its line."""
    network = Network(world.clock, lambda method, path: Said(answer(200, UPLOADED)))
    assert runway(world, network, timeout=20).assets.upload(Slow(world, 5), name="a.mp4").asset_id == ASSET


def serving(said: Said) -> Any:
    task = json.dumps(task_json("http://cdn.test/result.mp4?signature=s1gn")).encode()
    return lambda method, path: said if "result.mp4" in path else Said(answer(200, task))


def test_a_slow_download_goes_on(world: World, tmp_path: Path) -> None:
    """At five thousand bytes a second a large file is fetched to its end."""
    content = MP4 + b"m" * 500_000
    network = Network(world.clock, serving(Said(answer(200, content), at_once=5_000, pause=1)))
    saved = runway(world, network, timeout=20).tasks.download(TASK, tmp_path / "a.mp4")
    assert Path(saved).read_bytes() == content


def test_a_download_that_drips_ends(world: World, tmp_path: Path) -> None:
    """A byte now and then is no download: each try ends after the timeout, and says so."""
    network = Network(world.clock, serving(Said(answer(200, MP4 + b"m" * 50_000), at_once=1, pause=DRIP)))
    begun = world.clock.now()
    with pytest.raises(errors.DownloadError, match="bytes a second"):
        runway(world, network, timeout=20, max_retries=1).tasks.download(TASK, tmp_path / "a.mp4")
    assert 40 <= world.clock.now() - begun < 45
    assert not list(tmp_path.iterdir())


def test_the_time_of_a_run_ends_its_download(world: World, tmp_path: Path, clip: Path) -> None:
    """`timeout` of run covers what follows the create, and the error bears the task's id."""

    def handler(method: str, path: str) -> Said:
        if "result.mp4" in path:
            return Said(answer(200, MP4 + b"m" * 5_000_000), at_once=5_000, pause=1)
        told = json.dumps({"assetId": ASSET, **task_json("http://cdn.test/result.mp4")}).encode()
        return Said(answer(200, told))

    network = Network(world.clock, handler)
    begun = world.clock.now()
    with pytest.raises(errors.DownloadError, match="The time for task") as caught:
        runway(world, network).video_to_video.run(ASSET, "x", destination=tmp_path / "a.mp4", timeout=30)
    assert caught.value.task_id == TASK
    assert world.clock.now() - begun == pytest.approx(30, abs=1)


# -- each piece ---------------------------------------------------------------------------------------------------------
class Piece:
    """One read, or one write, of this client's kind, under these limits, over a line that takes ten seconds for each."""

    def __init__(self, world: World, name: str, left: float) -> None:
        self.name = name
        self.network = Network(world.clock, lambda method, path: Said(b"x", pause=10), taken_a_second=0.1)
        self._limits = Limits(world.clock.monotonic, world.clock.monotonic() + left)
        self._runner = world.runner

    def do(self, timeout: float | None) -> None:
        with self._limits:
            if self._runner is None:
                stream: Any = network._Stream(SyncLine(self.network))
                self._of(stream)(timeout=timeout)
            else:
                self._runner.run(self._do(timeout))

    async def _do(self, timeout: float | None) -> None:
        stream: Any = network._AsyncStream(AsyncLine(self.network))
        await self._of(stream)(timeout=timeout)

    def _of(self, stream: Any) -> Any:
        if self.name == "write":
            return partial(stream.write, b"x")
        stream._stream._said = Said(b"x", pause=10)
        return partial(stream.read, 9)


PIECES = {"read": httpcore.ReadTimeout, "write": httpcore.WriteTimeout}


@pytest.mark.parametrize(
    ("timeout", "left", "given"),
    [
        (None, 30, 30),
        (12, 30, 12),
        (60, 30, 30),
        (None, 1e9, None),
        (60, 1e9, 60),
    ],
)
@pytest.mark.parametrize("name", PIECES)
def test_a_piece_may_take_what_is_left_and_no_more_than_its_own_timeout(
    world: World, name: str, timeout: float | None, left: float, given: float | None
) -> None:
    """The shorter of the two; what no socket can wait for is no bound."""
    piece = Piece(world, name, left)
    piece.do(timeout)
    assert piece.network.timeouts == [given]


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize(
    ("timeout", "left", "told"),
    [(5, 30, "timed out"), (60, 5, "the whole call takes longer than its timeout")],
)
def test_a_piece_that_comes_too_late_tells_which_time_was_over(
    world: World, name: str, timeout: float, left: float, told: str
) -> None:
    """Its own, or that of all."""
    with pytest.raises(PIECES[name], match=f"^{told}$"):
        Piece(world, name, left).do(timeout)


@pytest.mark.parametrize("name", PIECES)
@pytest.mark.parametrize("left", [0, -0.5, -2])
def test_where_no_time_is_left_nothing_is_read_or_written(world: World, name: str, left: float) -> None:
    """A socket could not be asked to wait for less than nothing."""
    piece = Piece(world, name, left)
    with pytest.raises(PIECES[name], match="the whole call takes longer than its timeout"):
        piece.do(60)
    assert piece.network.timeouts == []


# -- other networks -----------------------------------------------------------------------------------------------------
def test_a_proxys_network_is_held_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever way a request takes."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    network = Network(world.clock, lambda method, path: drip(200, RUNNING))
    client = runway(world, network)
    inner: Any = client._driver._target._client
    for transport in inner._mounts.values():
        if transport is not None:
            connect_by(transport._pool._network_backend, inner._transport._pool._network_backend._backend)
    begun = world.clock.now()
    with pytest.raises(errors.APITimeoutError):
        client.tasks.retrieve(TASK, timeout=2)
    assert world.clock.now() - begun == pytest.approx(2)
    assert network.requests[0][1].startswith("http://runway.simulator/")


def test_a_given_client_is_held_between_the_pieces_of_a_body(world: World) -> None:
    """Its network is its own: it is asked for a timeout of what is left, and its answer is dropped when it is too slow."""

    class Dripping(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            for each in RUNNING:
                world.clock.advance(DRIP)
                yield bytes([each])

        async def __aiter__(self) -> Any:
            for each in self:
                yield each

    timeouts: list[Any] = []

    def handler(request: httpx.Request) -> httpx.Response:
        timeouts.append(request.extensions["timeout"])
        return httpx.Response(200, stream=Dripping())

    begun = world.clock.now()
    with pytest.raises(errors.APITimeoutError):
        world.scripted(handler).tasks.retrieve(TASK, timeout=2)
    assert world.clock.now() - begun == pytest.approx(2, abs=DRIP)
    assert timeouts[0] == {"connect": 2, "read": 2, "write": 2, "pool": 2}


def test_a_call_inside_a_download_has_a_time_of_its_own(world: World, tmp_path: Path) -> None:
    """A caller's on_progress may ask for something; the download goes on under its own limits after that."""
    content = MP4 + b"m" * 60_000
    network = Network(world.clock, serving(Said(answer(200, content), at_once=1, pause=DRIP)))
    if world.runner is not None:
        pytest.skip("on_progress of an async client cannot await")
    client = runway(world, network, timeout=20, max_retries=0)
    asked: list[Any] = []

    def ask(done: int, total: int | None) -> None:
        if not asked:
            asked.append(client.tasks.retrieve(TASK, timeout=1))

    with pytest.raises(errors.DownloadError, match="bytes a second"):
        client.tasks.download(TASK, tmp_path / "a.mp4", on_progress=ask)
    assert len(asked) == 1


def test_no_cookie_is_kept(world: World) -> None:
    """Requests are told apart by their token; what a service wants to be kept is not kept."""
    network = Network(world.clock, lambda method, path: Said(answer(200, RUNNING, "Set-Cookie: a=b; Path=/")))
    client = runway(world, network)
    client.tasks.retrieve(TASK)
    client.tasks.retrieve(TASK)
    assert not client._driver._target._client.cookies


def test_a_timeout_holds_for_a_host_of_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which the first says nothing: each has its share of the time, and all are tried."""
    with contextlib.ExitStack() as held:
        silent = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = silent.getsockname()[1]
        for _ in range(4):  # its queue is full
            each = held.enter_context(socket.socket())
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in range(1, 5)]
        monkeypatch.setattr(socket, "getaddrinfo", _only("many.example", found))
        with RunwayClient("t" * 20, base_url=f"http://many.example:{port}", timeout=1, max_retries=0) as client:
            tried = list[Any]()
            create = socket.create_connection
            monkeypatch.setattr(socket, "create_connection", lambda *a, **m: tried.append(a[:2]) or create(*a, **m))
            with pytest.raises(errors.APIConnectionError):
                client.features.retrieve()
    assert [address for address, _ in tried] == [(f"127.0.0.{last}", port) for last in range(1, 5)]
    assert 0.2 < tried[0][1] <= 0.25
    assert all(share <= 1 for _, share in tried)


def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that does not answer takes its own time: not twice of it, and what it took counts."""
    looked: list[str] = []

    def fails(host: str, *given: Any, **more: Any) -> Any:
        looked.append(host)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with RunwayClient("t" * 20, base_url="http://many.example", timeout=1, max_retries=0) as client:
        with pytest.raises(errors.APIConnectionError, match="Temporary failure in name resolution") as caught:
            client.features.retrieve()
        assert not caught.value.maybe_sent
        assert looked == ["many.example"]
        now = [network.time.monotonic()]
        monkeypatch.setattr(network, "time", SimpleNamespace(monotonic=lambda: now[0]))

        def late(host: str, *given: Any, **more: Any) -> Any:
            now[0] += 2
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]

        monkeypatch.setattr(socket, "getaddrinfo", late)
        with pytest.raises(errors.APITimeoutError, match="ConnectTimeout") as slow:
            client.features.retrieve()
        assert not slow.value.maybe_sent


def _only(name: str, found: list[Any]) -> Any:
    """What tells the addresses of one name, and of all others as ever."""
    told = socket.getaddrinfo
    return lambda host, *given, **more: found if host == name else told(host, *given, **more)


def test_an_address_of_the_link_keeps_its_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it nobody knows by which line it is reached."""
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 9, 0, 3)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::2%eth0", 9, 0, 3)),
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 9, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 9)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", _only("here.local", found))
    assert network._addresses("here.local", 9) == ["fe80::1%3", "fe80::2%eth0", "2001:db8::1", "192.0.2.1"]
