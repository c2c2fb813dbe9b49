"""Callbacks over the loopback, on ASGI and on WSGI: what is refused, what is heard, what is tried again, and what an end leaves."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from useapi_runwayml import AsyncRunwayClient, NotFoundError, ParameterError, RunwayClient, Task
from useapi_runwayml.callbacks import CallbackApp, CallbackWsgiApp, ReplyUrlSigner, receiver
from useapi_runwayml.callbacks.deliveries import Deliveries
from useapi_runwayml.callbacks.inbox import Known
from useapi_runwayml.callbacks.serving import CallbackServer
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN

SECRET = "a secret of the tests"
T = "user:1-runwayml:a@b.c-task:t"


def task(status: str = "RUNNING", *, task_id: str = T, **more: Any) -> dict[str, Any]:
    return {"taskId": task_id, "status": status, **more}


class Service:
    """Tasks as the service has them; counts who asks."""

    def __init__(self) -> None:
        self.states: dict[str, str] = {}
        self.reads: Counter[str] = Counter()
        self.failures = 0
        self.tasks = self

    def retrieve(self, task_id: str) -> Task:
        self.reads[task_id] += 1
        if self.failures:
            self.failures -= 1
            raise OSError("the service is away")
        if task_id not in self.states:
            raise NotFoundError(f"no {task_id}", status=404)
        return Task.from_dict(task(self.states[task_id], task_id=task_id))


class AsyncService(Service):
    async def retrieve(self, task_id: str) -> Task:  # type: ignore[override]
        return super().retrieve(task_id)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


class Served:
    """A receiver on a port of its own, who hears of what, and how it is told."""

    def __init__(self, kind: str, **terms: Any) -> None:
        self.kind = kind
        self.service = AsyncService() if kind == "asgi" else Service()
        self.heard: list[tuple[str, str | None]] = []
        self.failures = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        make = CallbackApp if kind == "asgi" else CallbackWsgiApp
        self.signer = ReplyUrlSigner(SECRET, "http://127.0.0.1:1/hook")
        self.app: Any = make(self.signer, self.on_change, self.service, **{"first_pause": 0.001, **terms})
        self.woken: list[str] = []
        self.app.listen(self.woken.append)
        self.server: Any = None

    def on_change(self, found: Task) -> None:
        self.may_go_on.wait(20)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("a handler that fails")
        self.heard.append((str(found.task_id), found.status))

    def __enter__(self) -> Served:
        if self.kind == "asgi":
            self.server = CallbackServer(self.app, 0).__enter__()
            self.port = self.server.port
        else:
            self.server = make_server("127.0.0.1", 0, self.app, WSGIServer, Quiet)
            self.port = self.server.server_port
            self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
            self.thread.start()
        self.http = httpx.Client(trust_env=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.may_go_on.set()
        self.http.close()
        if self.kind == "asgi":
            self.server.__exit__(None, None, None)
        else:
            self.app.close()
            self.server.shutdown()
            self.server.server_close()
            self.thread.join(10)

    def address(self, reply_ref: str = "row-1", signer: ReplyUrlSigner | None = None) -> str:
        """As it is reached from here: only the query counts."""
        query = (signer or self.signer).url_for(reply_ref).partition("?")[2]
        return f"http://127.0.0.1:{self.port}/any/path?{query}"

    def post(self, body: Any, reply_ref: str = "row-1", *, url: str = "", **more: Any) -> int:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json", **more.pop("headers", {})}
        answer = self.http.request(
            more.pop("method", "POST"), url or self.address(reply_ref), content=content, headers=headers
        )
        return answer.status_code

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(2000):
            if condition():
                return
            time.sleep(0.005)
        pytest.fail(f"it never came to that: {self.heard}")

    def settled(self) -> list[str | None]:
        """The states of the task that were heard by the time that all that was taken is told."""
        side = self.app if self.kind == "asgi" else self.app._side
        deliveries = getattr(side, "_deliveries" if self.kind == "asgi" else "deliveries", None)
        self.until(lambda: deliveries is None or not (deliveries._waiting or deliveries._busy))
        return [status for task_id, status in self.heard if task_id == T]


@pytest.fixture(params=["asgi", "wsgi"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def served(kind: str) -> Iterator[Served]:
    with Served(kind) as found:
        yield found


# -- addresses ---------------------------------------------------------------------------------------------------------
@given(st.text(min_size=1, max_size=100))
def test_an_address_gives_back_its_reference(reply_ref: str) -> None:
    """Whatever the reference has in it, and wherever a proxy puts the address."""
    signer = ReplyUrlSigner(SECRET, "https://hooks.example.com/runway?account=7")
    url = signer.url_for(reply_ref)
    assert url.isascii()
    assert url.startswith("https://hooks.example.com/runway?account=7&")
    assert signer.check(url) == reply_ref
    assert signer.check("http://10.0.0.7/other/path?" + url.partition("?")[2]) == reply_ref


@given(st.integers(0, 90), st.characters(codec="ascii"))
def test_no_other_address_is_taken(place: int, letter: str) -> None:
    """One letter of the signed part changed, and it is nobody's."""
    signer = ReplyUrlSigner(SECRET, "https://h/x")
    before, _, signed = signer.url_for("row-1").partition("signed=")
    place %= len(signed)
    changed = f"{before}signed={signed[:place]}{letter}{signed[place + 1 :]}"
    if letter != signed[place]:
        try:
            assert signer.check(changed) == "row-1"  # the last letter of base64 has bits that do not count
            assert place == len(signed) - 1
        except ParameterError:
            pass


def test_an_address_has_one_form() -> None:
    """What others read as the same letter of base64 is another letter."""
    signer = ReplyUrlSigner(SECRET, "https://h/x")
    for number in range(200):
        before, _, signed = signer.url_for(f"row-{number}").partition("signed=")
        if "_" in signed:
            with pytest.raises(ParameterError):
                signer.check(f"{before}signed={signed.replace('_', '/')}")
            return
    pytest.fail("no address had a _")


def test_an_address_expires() -> None:
    """After eight days, unless another age was chosen; a clock that is behind makes it valid for longer, none makes it invalid sooner than that."""
    signer = ReplyUrlSigner(SECRET, "https://h/x")
    signer._now = lambda: 1_000_000.0
    url = signer.url_for("r")
    for after, is_valid in ((-3600, True), (8 * 86400, True), (8 * 86400 + 1, False)):
        signer._now = lambda after=after: 1_000_000.0 + after  # type: ignore[misc]
        if is_valid:
            assert signer.check(url) == "r"
        else:
            with pytest.raises(ParameterError, match="expired"):
                signer.check(url)


@pytest.mark.parametrize("age", [1, timedelta(seconds=1)])
def test_an_age_may_be_short(age: float | timedelta) -> None:
    """A second is one: the address is taken until that has passed."""
    signer = ReplyUrlSigner(SECRET, "https://h/x", age)
    signer._now = lambda: 100.0
    url = signer.url_for("r")
    signer._now = lambda: 101.0
    assert signer.check(url) == "r"
    signer._now = lambda: 102.0
    with pytest.raises(ParameterError, match="expired"):
        signer.check(url)


def test_secrets_rotate() -> None:
    """The first signs, all are accepted; one that is dropped is accepted no more."""
    old, both, new = (
        ReplyUrlSigner(secrets, "https://h/x") for secrets in (["o" * 16], ["n" * 16, "o" * 16], "n" * 16)
    )
    assert both.check(old.url_for("r")) == "r"
    assert new.check(both.url_for("r")) == "r"
    with pytest.raises(ParameterError):
        new.check(old.url_for("r"))
    with pytest.raises(ParameterError):
        old.check(both.url_for("r"))


def test_an_address_that_the_service_would_not_take_is_refused() -> None:
    """Above 1024 characters, in words; one of 1024 is made."""
    made = ReplyUrlSigner(SECRET, "https://h/x").url_for("r")
    signer = ReplyUrlSigner(SECRET, "https://h/x" + "y" * (1024 - len(made)))
    assert len(signer.url_for("r")) == 1024
    with pytest.raises(ParameterError, match="1025 characters, and the service takes 1024"):
        ReplyUrlSigner(SECRET, "https://h/x" + "y" * (1025 - len(made))).url_for("r")
    for nothing in ("", None, 7):
        with pytest.raises(ParameterError, match="reply_ref"):
            signer.url_for(nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("secrets", "base_url", "max_age", "told"),
    [
        ("", "https://h", 9, "secrets"),
        ([], "https://h", 9, "secrets"),
        ("s3cr3t-too-short"[:15], "https://h", 9, "16 characters"),
        ([SECRET, "s3cr3t"], "https://h", 9, "secrets"),
        (SECRET, "ftp://h", 9, "base_url"),
        (SECRET, "https://", 9, "base_url"),
        (SECRET, "https://h/#f", 9, "base_url"),
        (SECRET, "https://h/a b", 9, "base_url"),
        (SECRET, "https://[h", 9, "base_url"),
        (SECRET, None, 9, "base_url"),
        (SECRET, "https://h", 0, "max_age"),
        (SECRET, "https://h", "x", "max_age"),
    ],
)
def test_what_cannot_sign_is_refused(secrets: Any, base_url: Any, max_age: Any, told: str) -> None:
    """With all that is wrong, and without a secret."""
    with pytest.raises(ParameterError, match=told) as info:
        ReplyUrlSigner(secrets, base_url, max_age)
    assert "s3cr3t" not in str(info.value)


def test_secrets_do_not_show() -> None:
    """In no repr."""
    signer = ReplyUrlSigner(SECRET, "https://h/x?key=s3cr3t")
    shown = f"{signer!r} {signer} {signer.__dict__}"
    assert SECRET not in shown
    assert "s3cr3t" not in repr(signer)


# -- what is refused ---------------------------------------------------------------------------------------------------
def test_what_comes_from_elsewhere_is_refused(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Forged, expired, signed with another secret, of another reference, by another method, of another type, too long, or no callback."""
    expired = ReplyUrlSigner(SECRET, "http://h")
    expired._now = lambda: time.time() - 9 * 86400
    foreign = ReplyUrlSigner("another secret of somebody", "http://h")
    served.service.states[T] = "SUCCEEDED"
    end = task("SUCCEEDED")
    with caplog.at_level(logging.CRITICAL):
        assert served.post(end, url=f"http://127.0.0.1:{served.port}/x") == 403
        assert served.post(end, url=f"http://127.0.0.1:{served.port}/x?signed=abc") == 403
        assert served.post(end, url=f"http://127.0.0.1:{served.port}/x?" + "&".join("abcdefghij" * 20)) == 403
        assert served.post(end, url=served.address(signer=expired)) == 403
        assert served.post(end, url=served.address(signer=foreign)) == 403
        assert served.post({**end, "replyRef": "row-2"}, "row-1") == 403
        assert served.post(end, method="GET") == 405
        assert served.post(end, method="PUT") == 405
        assert served.post(end, headers={"content-type": "text/html"}) == 415
        assert served.post(b"[]") == 400
        assert served.post(b"") == 400
        assert served.post(b" " * (1 << 20) + b"x") == 413
        assert served.post(b"{" * 10_000) == 400
    assert served.heard == []
    assert served.woken == []
    assert served.service.reads == {}
    assert served.settled() == []


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/vnd.x+json", ""])
def test_what_is_json_is_taken(served: Served, content_type: str) -> None:
    """Whatever else its type says, also where none is said: which one the service sends is not known."""
    assert served.post({**task(), "replyRef": "row-1"}, headers={"content-type": content_type}) == 202
    assert served.post(json.dumps(task()).encode().ljust(1 << 20)) == 202
    assert served.settled() == ["RUNNING"]


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten seconds, and the next one is served meanwhile."""
    monkeypatch.setattr("useapi_runwayml.callbacks.asgi.READ_SECONDS", 1.0)
    assert receiver.READ_SECONDS == 10
    with Served("asgi") as served, socket.create_connection(("127.0.0.1", served.port)) as slow:
        path = served.address().partition(str(served.port))[2]
        slow.sendall(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert served.post(task()) == 202
        slow.settimeout(10)
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_a_body_of_unknown_length_is_bounded() -> None:
    """In parts, without a length: it ends at a mebibyte."""
    with Served("asgi") as served:
        parts = (b" " * 65536 for _ in range(17))
        try:
            code = served.http.post(served.address(), content=parts).status_code
        except httpx.TransportError:  # it was refused while it was still being sent
            code = 413
        assert code == 413
        assert served.http.post(served.address(), content=iter([b"{", b'"taskId": "t"}'])).status_code == 202


def test_a_sender_that_goes_away_is_no_trouble() -> None:
    """Amid its body: nothing is heard of it, and the next one is served."""
    with Served("asgi") as served:
        path = served.address().partition(str(served.port))[2]
        with socket.create_connection(("127.0.0.1", served.port)) as gone:
            gone.sendall(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert served.settled() == []


def test_an_address_from_before_a_rotation_is_taken(kind: str) -> None:
    """A create bears an address that the old secret has signed; its callback comes when a new one is in front."""
    before = ReplyUrlSigner("an older secret here", "http://h")
    with Served(kind) as served:
        served.app.signer = ReplyUrlSigner([SECRET, "an older secret here"], "http://h")
        assert served.post(task(), url=served.address(signer=before)) == 202
        served.app.signer = served.signer
        assert served.post(task(), url=served.address(signer=before)) == 403
        assert served.settled() == ["RUNNING"]


# -- what is heard -----------------------------------------------------------------------------------------------------
def test_what_repeats_or_is_older_is_dropped(served: Served) -> None:
    """And an end is never taken back."""
    first, second = "2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"
    for body, times in (
        (task(updatedAt=second, progressRatio="0.5"), 1),
        (task(updatedAt=second, progressRatio="0.5"), 1),
        (task(updatedAt=first, progressRatio="0.2"), 1),
        (task(updatedAt=second, progressRatio="0.7"), 2),
    ):
        assert served.post(body) == 202
        assert served.settled() == ["RUNNING"] * times
    served.service.states[T] = "SUCCEEDED"
    for body in (task("SUCCEEDED"), task("SUCCEEDED"), task(updatedAt=second), task("FAILED")):
        assert served.post(body) == 202
        served.until(lambda: (T, "SUCCEEDED") in served.heard)
    assert [status for task_id, status in served.heard if task_id == T] == ["RUNNING", "RUNNING", "SUCCEEDED"]
    assert served.service.reads[T] == 1


def test_a_forged_end_changes_nothing(served: Served) -> None:
    """Who knows the address says that it has succeeded: it is read first, what it is now is told, and the true end later."""
    served.service.states[T] = "RUNNING"
    assert served.post(task("SUCCEEDED", artifacts=[{"url": "http://evil/x"}])) == 202
    served.until(lambda: (T, "RUNNING") in served.heard)
    served.service.states[T] = "FAILED"
    assert served.post(task("FAILED")) == 202
    served.until(lambda: (T, "FAILED") in served.heard)
    assert served.post(task("SUCCEEDED", task_id="of-nobody")) == 202
    assert served.settled() == ["RUNNING", "FAILED"]
    assert ("of-nobody", "SUCCEEDED") not in served.heard


def test_a_handler_that_fails_is_asked_again(served: Served) -> None:
    """Three times here, with the task read anew; others are told meanwhile, and nothing is told twice."""
    served.failures, served.service.failures = 3, 2
    served.service.states[T] = "SUCCEEDED"
    assert served.post(task("SUCCEEDED")) == 202
    served.until(lambda: (T, "SUCCEEDED") in served.heard)
    assert served.settled() == ["SUCCEEDED"]
    assert served.service.reads[T] == 2 + 3 + 1


def test_what_fails_too_often_is_given_up(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Said with the task's id; the next callback of the task is tried again."""
    with Served(kind, attempts=3) as served, caplog.at_level(logging.ERROR):
        served.failures = 3
        assert served.post(task()) == 202
        served.until(lambda: served.failures == 0)
        served.until(lambda: T in caplog.text)
        assert served.post(task()) == 202
        assert served.settled() == ["RUNNING"]


def test_a_newer_state_takes_the_place_of_one_that_fails(served: Served) -> None:
    """Of what is tried again, the newest state is told."""
    served.may_go_on.clear()
    served.failures = 1
    served.service.states[T] = "SUCCEEDED"
    assert served.post(task("PENDING")) == 202
    for _ in range(3):
        assert served.post(task("RUNNING")) == 202
    assert served.post(task("SUCCEEDED")) == 202
    assert served.post(task("RUNNING")) == 202
    served.may_go_on.set()
    served.until(lambda: (T, "SUCCEEDED") in served.heard)
    assert served.settled() == ["SUCCEEDED"]


def test_a_full_queue_is_said(kind: str) -> None:
    """503, so that nothing is lost in silence; what waits is heard in the end, and waits are woken all the same."""
    with Served(kind, queue_size=2) as served:
        served.may_go_on.clear()
        codes = [served.post(task(task_id=f"t{number}"), f"row-{number}") for number in range(30)]
        taken = codes.count(202)
        assert codes == [202] * taken + [503] * (30 - taken)
        assert taken == 8 + 2  # eight at once, and two that wait
        assert served.post(task("RUNNING", progressRatio="0.5", task_id=f"t{taken - 1}")) == 202, "it has a place"
        assert served.post(task("SUCCEEDED", task_id="t29")) == 503
        assert served.woken == ["t29"]
        served.may_go_on.set()
        served.until(lambda: len({task_id for task_id, _ in served.heard}) == taken)


def test_an_end_waits_for_what_was_taken(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """With a full queue: all is told, also what would have waited for its next attempt; nothing more is taken."""
    with Served(kind, first_pause=1000) as served:
        served.failures = 5
        for number in range(20):
            assert served.post(task(task_id=f"t{number}")) == 202
        served.until(lambda: len(served.heard) == 15)
        assert close(served, 10) == []
        assert {task_id for task_id, _ in served.heard} == {f"t{number}" for number in range(20)}
        assert served.post(task()) == 503


def test_what_fails_at_the_end_is_told_at_once_again(kind: str) -> None:
    """Also what fails for the first time then: nobody waits for its pause."""
    with Served(kind, first_pause=1000) as served:
        served.may_go_on.clear()
        for number in range(3):
            assert served.post(task(task_id=f"t{number}")) == 202
        served.failures = 3
        threading.Timer(0.05, served.may_go_on.set).start()
        assert close(served, 10) == []
        assert len(served.heard) == 3


def test_a_success_begins_the_count_anew(kind: str) -> None:
    """Two failures, a success, and two failures of the next state: with three attempts both are told."""
    with Served(kind, attempts=3) as served:
        for status in ("PENDING", "RUNNING"):
            served.failures = 2
            assert served.post(task(status)) == 202
            served.until(lambda: (T, status) in served.heard)  # noqa: B023
        assert served.settled() == ["PENDING", "RUNNING"]


def test_a_stream_without_a_length_is_bounded() -> None:
    """WSGI servers that end a stream themselves say so; without that nothing is read that might never end."""
    app = CallbackWsgiApp(ReplyUrlSigner(SECRET, "http://h"))
    query, found = app.url_for("r").partition("?")[2], list[str]()

    def post(body: bytes, **more: Any) -> str:
        environ = {"REQUEST_METHOD": "POST", "QUERY_STRING": query, "wsgi.input": io.BytesIO(body), **more}
        app(environ, lambda status, headers: found.append(status))
        return found[-1]

    ended = {"wsgi.input_terminated": True}
    assert post(json.dumps(task()).encode(), **ended).startswith("202")
    assert post(b" " * (1 << 20) + b"{}", **ended).startswith("413")
    assert post(json.dumps(task()).encode()).startswith("400")


def test_an_end_says_what_it_leaves(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be told in time is named."""
    with Served(kind) as served, caplog.at_level(logging.ERROR):
        served.may_go_on.clear()
        for number in range(12):
            assert served.post(task(task_id=f"t{number}")) == 202
        assert sorted(close(served, 0.05)) == sorted(f"t{number}" for number in range(12))
        assert "t11" in caplog.text
        assert close(served, 10) == [], "it is over"
        served.may_go_on.set()


def close(served: Served, timeout: float) -> list[str]:
    if served.kind == "wsgi":
        return list(served.app.close(timeout))
    loop = served.app._deliveries.loop
    return list(asyncio.run_coroutine_threadsafe(served.app.aclose(timeout), loop).result())


def test_a_server_that_stops_waits_for_what_was_taken() -> None:
    """By ASGI's lifespan."""
    with Served("asgi") as served:
        served.may_go_on.clear()
        assert served.post(task()) == 202
        threading.Timer(0.05, served.may_go_on.set).start()
        served.server.__exit__(None, None, None)
        assert served.heard == [(T, "RUNNING")]


def test_an_async_handler_is_awaited() -> None:
    """And tells of a task in order, one state at a time."""
    heard, running = list[str | None](), [0]

    async def handler(found: Task) -> None:
        running[0] += 1
        assert running[0] == 1
        await asyncio.sleep(0.001)
        heard.append(found.status)
        running[0] -= 1

    async def main() -> None:
        deliveries = Deliveries(handler, AsyncService(), CallbackApp(ReplyUrlSigner(SECRET, "http://h"))._terms)
        for status in ("PENDING", "RUNNING"):
            assert deliveries.put(Task.from_dict(task(status)))
            await asyncio.sleep(0)
        assert await deliveries.drain(10) == []

    asyncio.run(main())
    assert heard == ["PENDING", "RUNNING"]


def test_without_a_handler_nothing_is_read(kind: str) -> None:
    """Waits are woken by an end, and by nothing else; there is no queue that could be full."""
    signer = ReplyUrlSigner(SECRET, "http://h")
    woken = list[str]()
    with Served(kind) as served:
        app: Any = type(served.app)(signer)
        app.listen(woken.append)
        served.app.__class__ = type(app)
        served.app.__dict__.update(app.__dict__)
        for status in ("PENDING", "RUNNING", "SUCCEEDED", "SUCCEEDED", "HALTED"):
            assert served.post(task(status)) == 202
    assert woken == [T, T]
    assert served.service.reads == {}


def test_who_is_gone_is_not_woken() -> None:
    """A client that nobody has any more is not kept alive by its receiver."""

    class Waits:
        def wake(self, task_id: str) -> None:
            heard.append(task_id)

    heard, app, waits = list[str](), CallbackApp(ReplyUrlSigner(SECRET, "http://h")), Waits()
    app.listen(waits.wake)
    app.wake("a")
    del waits
    app.wake("b")
    assert heard == ["a"]
    assert app._wakes == []


def test_each_process_of_a_wsgi_server_tells_by_itself() -> None:
    """A server forks after its application was made: the thread that tells is made anew in each child."""
    with Served("wsgi") as served:
        assert served.post(task()) == 202
        assert served.settled() == ["RUNNING"]
        first = served.app._side
        first.process = -1  # as it looks to a child
        assert served.post(task(task_id="of-the-child")) == 202
        assert served.app._side is not first
        served.until(lambda: ("of-the-child", "RUNNING") in served.heard)
        first.end(1)


@pytest.mark.parametrize("kind_of_client", ["sync", "async"])
def test_a_client_waits_over_real_sockets(kind: str, kind_of_client: str) -> None:
    """The service, the receiver and the client on the loopback: an end is known at once, by one read."""
    sim = Simulator(task_seconds=60, max_jobs=9)
    with Served(kind) as served, SimulatorServer(sim, clock=RunningClock(120)) as server:
        served.app.signer = ReplyUrlSigner(SECRET, f"http://127.0.0.1:{served.port}/x")
        served.service.states.clear()
        settings: dict[str, Any] = {"base_url": server.base_url, "callbacks": served.app}
        if kind_of_client == "sync":
            with RunwayClient(TOKEN, **settings) as runway:
                asset = runway.assets.upload(io.BytesIO(MP4), name="c.mp4")
                done = runway.tasks.wait(
                    runway.video_to_video.create(asset_id=str(asset.asset_id), text_prompt="x"), timeout=14
                )
        else:

            async def main() -> Task:
                async with AsyncRunwayClient(TOKEN, **settings) as runway:
                    asset = await runway.assets.upload(io.BytesIO(MP4), name="c.mp4")
                    made = await runway.video_to_video.create(asset_id=str(asset.asset_id), text_prompt="x")
                    return await runway.tasks.wait(made, timeout=14)  # it would ask by itself after fifteen seconds

            done = asyncio.run(main())
    assert done.status == "SUCCEEDED"
    assert sum(seen.operation == "getTask" for seen in sim.requests) == 1


def test_the_simulator_sends_nothing_twice_by_itself() -> None:
    """An answer of 500 is no reason: each change is told once, as the service promises no more."""
    calls = list[tuple[str, str]]()

    class Broken(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["content-length"])))
            calls.append((told["replyRef"], told["status"]))
            self.send_error(500)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    hook = HTTPServer(("127.0.0.1", 0), Broken)
    threading.Thread(target=hook.serve_forever, args=(0.01,), daemon=True).start()
    sim = Simulator(task_seconds=60)
    with SimulatorServer(sim, clock=RunningClock()) as server, RunwayClient(TOKEN, base_url=server.base_url) as runway:
        asset = str(runway.assets.upload(io.BytesIO(MP4), name="c.mp4").asset_id)
        for reference in ("first", "second"):
            url = f"http://127.0.0.1:{hook.server_port}/"
            runway.video_to_video.create(asset_id=asset, text_prompt="x", reply_url=url, reply_ref=reference)
            server.clock.advance(3600)
            for _ in range(1000):
                if (reference, "SUCCEEDED") in calls:
                    break
                time.sleep(0.01)
    hook.shutdown()
    hook.server_close()
    assert [reference for reference, _ in calls] == ["first"] * 3 + ["second"] * 3
    assert calls[-1] == ("second", "SUCCEEDED")


@pytest.mark.parametrize("make", [CallbackApp, CallbackWsgiApp])
def test_a_handler_needs_a_token(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An end is read before anybody hears of it: without a client, one is made from the environment, or refused at once."""
    signer = ReplyUrlSigner(SECRET, "http://h")
    with pytest.raises(ParameterError, match="USEAPI_TOKEN"):
        make(signer, print)
    monkeypatch.setenv("USEAPI_TOKEN", "user:1-abc")
    assert make(signer, print)._client is not None
    assert make(signer)._client is None


def test_what_is_known_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The states that were heard of longest ago are forgotten."""
    monkeypatch.setattr("useapi_runwayml.callbacks.inbox.REMEMBERED", 3)
    known = Known()
    states = [Task.from_dict(task(task_id=f"t{number}")) for number in range(5)]
    for state in states:
        known.add(state)
    assert [known.is_news(state) for state in states] == [True, True, False, False, False]
    known.add(states[2])  # it was heard of again
    known.add(states[0])
    assert [known.is_news(state) for state in states] == [False, True, False, True, False]


def test_other_protocols_are_turned_away() -> None:
    """A web socket is closed."""
    sent = list[Any]()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(CallbackApp(ReplyUrlSigner(SECRET, "http://h"))({"type": "websocket"}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close"}]
