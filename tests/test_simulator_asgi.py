"""The simulator's ASGI app, driven as a server drives it: what is read, for how long, and what is sent, told and broken off."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from useapi_runwayml.simulator import ManualClock, Simulator, asgi
from useapi_runwayml.simulator.asgi import SimulatorApp

from .conftest import MP4, soon
from .test_simulator import HEADERS, Service

PREFIX = Simulator().contract.prefix
SCHEDULER = f"{PREFIX}/scheduler/"
UPLOAD = f"{PREFIX}/assets/?name=x"
STEP = asyncio.sleep


class Connection:
    """One connection as a server has it: what comes (or is made to come), what was sent, and how it ended."""

    def __init__(self, *coming: Any) -> None:
        self.coming = [*coming]
        self.sent: list[Any] = []
        self.is_waited_for = False
        self.is_closed = self.disconnected = False
        self.transport = self

    def close(self) -> None:
        self.is_closed = True

    async def receive(self) -> Any:
        assert self.coming, "nothing more is to come"
        each = self.coming.pop(0)
        return await each() if callable(each) else each

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(each["body"] for each in self.sent[1:])

    def is_whole(self) -> bool:
        """Whether an answer begins, goes on and ends as ASGI wants it."""
        start, *parts = self.sent
        more = [each.get("more_body", False) for each in parts]
        return start["type"] == "http.response.start" and more == [True] * (len(parts) - 1) + [False]


def part(body: bytes, **more: Any) -> dict[str, Any]:
    return {"type": "http.request", "body": body, **more}


def ask(app: SimulatorApp, method: str, url: str, *coming: Any, **headers: str) -> Connection:
    """One request and its answer."""
    path, _, query = url.partition("?")
    given = {"host": "localhost", "authorization": HEADERS["Authorization"]}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    encoded = [(name.encode(), value.encode()) for name, value in given.items() if value]
    scope = {"type": "http", "method": method, "path": path, "query_string": query.encode(), "scheme": "http"}
    return serve(app, {**scope, "headers": encoded}, *coming)


def serve(app: SimulatorApp, scope: dict[str, Any], *coming: Any) -> Connection:
    connection = Connection(*coming)

    async def main() -> None:
        await app(scope, connection.receive, connection.send)
        await STEP(0)
        connection.is_waited_for = len(asyncio.all_tasks()) > 1

    asyncio.run(main())
    return connection


def upload(app: SimulatorApp, body: bytes, kind: str = "video/mp4") -> Connection:
    return ask(app, "POST", UPLOAD, part(body), content_type=kind, content_length=str(len(body)))


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def app(service: Service) -> SimulatorApp:
    return SimulatorApp(service.sim, service.clock)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is slept, in no time; the clock that requests are measured by goes by it alone."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)
        await STEP(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(time, "perf_counter", lambda: 1000 + sum(found))
    return found


# -- its life -----------------------------------------------------------------------------------------------------------------
def test_chores_are_done_while_it_lives() -> None:
    """They begin once the server has, are told to stop when it ends, and are waited for."""
    happened: list[str] = []

    async def chores(stop: asyncio.Event) -> None:
        happened.append("begin")
        await stop.wait()
        await STEP(0)
        happened.append("end")

    def comes(kind: str) -> Callable[[], Any]:
        async def come() -> Any:
            await STEP(0)
            happened.append(kind)
            return {"type": kind}

        return come

    class Life(Connection):
        async def send(self, message: Any) -> None:
            happened.append(message["type"])

    async def main() -> None:
        life = Life(comes("lifespan.startup"), comes("lifespan.shutdown"))
        app = SimulatorApp(Simulator(), ManualClock(), chores=chores)
        async with asyncio.timeout(5):
            await app({"type": "lifespan"}, life.receive, life.send)

    asyncio.run(main())
    assert happened == [
        "lifespan.startup",
        "lifespan.startup.complete",
        "begin",
        "lifespan.shutdown",
        "end",
        "lifespan.shutdown.complete",
    ]


def test_it_lives_without_chores(app: SimulatorApp) -> None:
    """As a part of another application; and it speaks HTTP alone."""
    life = serve(app, {"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [each["type"] for each in life.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert serve(app, {"type": "websocket"}).sent == [{"type": "websocket.close"}]


def events(connection: Connection) -> list[bytes]:
    return [each["body"].partition(b"\n")[0] for each in connection.sent[1:-1]]


def test_whoever_looks_on_hears_until_it_ends(slept: list[float], service: Service) -> None:
    """Then nothing more of them is waited for."""
    app = SimulatorApp(service.sim, service.clock, is_ending=lambda: len(slept) > 2)
    found = ask(app, "GET", asgi.EVENTS, part(b""), asyncio.Event().wait)
    assert (found.status, found.is_whole()) == (200, True)
    assert events(found) == [b"event: begin", b"event: state"]
    assert not found.is_waited_for


def test_whoever_looks_on_hears_until_they_go(slept: list[float], app: SimulatorApp) -> None:
    """An application that is told of no end has none."""

    async def leave() -> Any:
        await soon(lambda: len(slept) > 9)
        return {"type": "http.disconnect"}

    assert events(ask(app, "GET", asgi.EVENTS, part(b""), leave)) == [b"event: begin", b"event: state"]


# -- what is read -------------------------------------------------------------------------------------------------------------
def test_no_body_is_waited_for_where_none_was_told_of(app: SimulatorApp) -> None:
    """And of one only what is to come: a part that does not say so is the last."""
    assert ask(app, "GET", SCHEDULER).status == 200
    assert upload(app, MP4).status == 200


def test_what_breaks_off_is_not_answered(app: SimulatorApp, service: Service) -> None:
    """Nothing of it is kept."""
    found = ask(app, "POST", UPLOAD, part(MP4, more_body=True), {"type": "http.disconnect"}, content_length="9999")
    assert (found.sent, service.sim.state.assets) == ([], {})


@pytest.mark.parametrize(
    ("coming", "status"),
    [
        ([(19.9, 1), (0, 1)], 200),
        ([(20.1, 1), (0, 1)], 408),
        ([(0, 500_000), (519.8, 1)], 200),
        ([(0, 500_000), (520.2, 1)], 408),
        ([(10, 5000), (14.9, 1)], 200),
        ([(10, 5000), (15.2, 1)], 408),
        ([(19.7, 1), (0.6, 1)], 408),
    ],
)
def test_a_body_has_twenty_seconds_and_a_second_for_each_thousand_bytes(
    app: SimulatorApp, monkeypatch: pytest.MonkeyPatch, coming: list[tuple[float, int]], status: int
) -> None:
    """From its beginning; what is slower is answered without it."""
    later, real = [0.0], time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + later[0])

    def comes(after: float, size: int, more: bool) -> Callable[[], Any]:
        async def come() -> Any:
            later[0] += after
            # a few turns, in which whoever has no patience gives up
            for _ in range(3):
                await STEP(0)
            return part(b"x" * size, more_body=more)

        return come

    parts = [comes(after, size, at + 1 < len(coming)) for at, (after, size) in enumerate(coming)]
    assert ask(app, "POST", UPLOAD, *parts, content_type="video/mp4", transfer_encoding="chunked").status == status


@pytest.mark.parametrize(
    ("storage", "size", "kind", "status"),
    [
        (1_200_000, 1_400_000, "text/plain", 413),
        (1_200_000, 1_200_001, "text/plain", 413),
        (1_200_000, 1_200_000, "video/mp4", 200),
        (1000, 1 << 20, "text/plain", 400),
        (1000, 1001, "text/plain", 400),
    ],
)
def test_only_what_lies_on_the_disk_counts_while_it_comes(storage: int, size: int, kind: str, status: int) -> None:
    """To the last byte, also of a kind that is refused once it has come."""
    app = SimulatorApp(Simulator(storage=storage), ManualClock())
    assert upload(app, b"x" * size, kind).status == status


def test_what_was_refused_needs_no_room() -> None:
    """One by one each is answered alike."""
    app = SimulatorApp(Simulator(storage=2_000_000), ManualClock())
    assert [upload(app, b"x" * 1_400_000, kind).status for kind in ("text/plain", "text/plain", "video/mp4")] == [
        400,
        400,
        200,
    ]


@pytest.mark.parametrize("error", [OSError(28, "No room"), OSError("No room")])
def test_why_a_file_cannot_be_kept_is_told(app: SimulatorApp, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """In the words of the system alone."""

    def fails() -> None:
        raise error

    monkeypatch.setattr("tempfile.TemporaryFile", fails)
    found = upload(app, b"x" * 1_400_000)
    assert (found.status, json.loads(found.body)["error"]) == (507, "The simulator cannot keep this: No room")


# -- what is sent -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("headers", "status", "closes"),
    [
        ({}, 200, False),
        ({"host": "evil.test"}, 421, True),
        ({"origin": "http://evil.test"}, 403, True),
        ({"content_length": "9999999"}, 413, True),
    ],
)
def test_a_connection_is_closed_where_a_body_was_not_read(
    app: SimulatorApp, headers: dict[str, str], status: int, closes: bool
) -> None:
    """It would be taken for the next request; any other stays open."""
    found = ask(app, "POST", "/_simulator/reset", part(b" " * 1_100_000 if status == 413 else b""), **headers)
    assert (found.status, found.headers.get("connection")) == (status, "close" if closes else None)


def test_a_head_has_no_body(app: SimulatorApp) -> None:
    """But the measure of one, and an end."""
    found, whole = ask(app, "HEAD", "/docs"), ask(app, "GET", "/docs")
    assert (found.status, found.body, found.is_whole(), whole.is_whole()) == (200, b"", True, True)
    assert int(found.headers["content-length"]) == len(whole.body) > 0


def file_of(service: Service, content: bytes) -> str:
    """Where a result lies."""
    task_id = service.create(service.asset(content=content)).json()["taskId"]
    service.clock.advance(100)
    return str(service.task(task_id)["artifacts"][0]["url"]).removeprefix("http://runway.simulator")


@pytest.mark.parametrize(("size", "pauses"), [(150_000, [1, 1, 1]), (60_000, [3])])
def test_a_slow_file_takes_its_time_in_all(
    app: SimulatorApp, service: Service, slept: list[float], size: int, pauses: list[float]
) -> None:
    """Evenly; any other is sent at once, as it was."""
    url, content = file_of(service, MP4 + bytes(size)), MP4 + bytes(size)
    assert ask(app, "GET", url, authorization="").body == content
    assert sum(slept) == 0
    slept.clear()
    service.sim.faults.add("slow_body", "download", seconds=3)
    found = ask(app, "GET", url, authorization="")
    assert (slept, found.body, found.is_whole(), found.is_closed) == (pauses, content, True, False)


@pytest.mark.parametrize(
    ("kind", "settings", "parts", "told"),
    [
        ("close_before_read", {}, 0, "before read"),
        ("unreachable", {}, 0, "unreachable"),
        ("close_before_action", {}, 0, "before answer"),
        ("close_after_action", {}, 0, "before answer"),
        ("cut_body", {"bytes": 1}, 2, "cut body"),
        ("cut_body", {"bytes": 0}, 1, "cut body"),
    ],
)
def test_a_connection_breaks_where_it_is_told_to(
    app: SimulatorApp,
    service: Service,
    slept: list[float],
    caplog: pytest.LogCaptureFixture,
    kind: str,
    settings: dict[str, Any],
    parts: int,
    told: str,
) -> None:
    """Closed without an end, however slow it was to be, and told by what befell it."""
    service.sim.faults.add(kind, "listScheduler", **settings)
    service.sim.faults.add("slow_body", "listScheduler", seconds=2)
    with caplog.at_level(logging.INFO, "useapi_runwayml.simulator"):
        found = ask(app, "GET", SCHEDULER)
    assert (len(found.sent), found.is_closed, found.disconnected) == (parts, True, True)
    assert all(each["more_body"] for each in found.sent[1:])
    assert caplog.messages == [f"GET {SCHEDULER} -> {told} in {1000 * sum(slept):.0f} ms"]
    assert sum(slept) == (2 if parts == 2 else 0)


def test_an_answer_is_told_with_the_time_that_it_took(
    app: SimulatorApp, service: Service, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """In a log, and to whoever looks on; it comes as late as it is told to."""
    service.sim.faults.add("latency", "listScheduler", seconds=0.123456)
    with caplog.at_level(logging.INFO, "useapi_runwayml.simulator"):
        assert ask(app, "GET", SCHEDULER).status == 200
    assert slept == [0.123456]
    assert service.sim.requests[-1].milliseconds == 123.46
    assert caplog.messages == [f"GET {SCHEDULER} -> 200 in 123 ms"]
