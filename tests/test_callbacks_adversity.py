"""Callbacks where something is amiss: loops and servers that end, states that fail, ids that are none, listeners that raise."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import socket
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from useapi_runwayml import ParameterError, Task
from useapi_runwayml.callbacks import CallbackApp, CallbackWsgiApp, ReplyUrlSigner
from useapi_runwayml.callbacks import deliveries as deliveries_module
from useapi_runwayml.callbacks.serving import CallbackServer
from useapi_runwayml.simulator import Simulator, SimulatorServer

from .conftest import TOKEN
from .test_callbacks_receiving import SECRET, AsyncService, Served, Service, T, close, kind, served, task
from .test_deliveries import turns

__all__ = ["kind", "served"]  # fixtures


def signer() -> ReplyUrlSigner:
    return ReplyUrlSigner(SECRET, "http://h")


async def posted(app: Any, body: dict[str, Any]) -> int:
    """The status of the answer to a callback that comes by ASGI."""
    sent, query = list[Any](), app.signer.url_for("r").partition("?")[2].encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode()}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": "POST", "query_string": query, "headers": []}, receive, send)
    return int(sent[0]["status"])


def hearing(*, takes: int = 1) -> tuple[CallbackApp, list[str]]:
    """An app whose handler takes so many turns of its loop, and the tasks that it heard of."""
    heard = list[str]()

    async def on_change(found: Task) -> None:
        await turns(takes)
        heard.append(str(found.task_id))

    return CallbackApp(signer(), on_change, AsyncService()), heard


def put(app: Any, stream: Any, length: str = "") -> str:
    """The status of the answer to a callback that comes by WSGI."""
    query = app.signer.url_for("r").partition("?")[2]
    environ = {"REQUEST_METHOD": "POST", "QUERY_STRING": query, "CONTENT_LENGTH": length, "wsgi.input": stream}
    found = list[str]()
    app(environ, lambda status, headers: found.append(status))
    return found[0]


BODY = json.dumps(task()).encode()


# -- what fails --------------------------------------------------------------------------------------------------------
def test_a_newer_state_has_tries_of_its_own(kind: str) -> None:
    """The state before has failed seven times when the end comes: the end is tried eight times too."""
    with Served(kind, attempts=8) as served:
        served.service.states[T] = "SUCCEEDED"
        served.failures = 7 + 7
        assert served.post(task("RUNNING")) == 202
        served.until(lambda: served.failures <= 7)
        assert served.post(task("SUCCEEDED")) == 202
        served.until(lambda: (T, "SUCCEEDED") in served.heard)


def test_a_newer_state_that_comes_in_the_midst_of_the_last_try_is_told(kind: str) -> None:
    """It was not tried yet, however often the one before was."""
    with Served(kind, attempts=1) as served:
        served.may_go_on.clear()
        served.failures = 1
        assert served.post(task("PENDING")) == 202
        assert served.post(task("RUNNING")) == 202
        served.may_go_on.set()
        served.until(lambda: (T, "RUNNING") in served.heard)


def test_an_end_that_cannot_be_read_yet_is_read_again(kind: str) -> None:
    """The callback is ahead of what a read tells: that it goes on is told, and then that it has ended."""
    with Served(kind) as served:
        states = ["RUNNING", "RUNNING", "SUCCEEDED"]
        served.service.retrieve = _reading(kind, lambda: states.pop(0))  # type: ignore[method-assign]
        assert served.post(task("SUCCEEDED")) == 202
        served.until(lambda: not states)
        assert served.settled() == ["RUNNING", "SUCCEEDED"]


def test_an_end_that_never_shows_is_given_up(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Who forges one costs as many reads as a state has tries."""
    reads = list[str]()

    def still() -> str:
        reads.append(T)
        return "RUNNING"

    with Served(kind, attempts=3) as served:
        served.service.retrieve = _reading(kind, still)  # type: ignore[method-assign]
        assert served.post(task("SUCCEEDED")) == 202
        served.until(lambda: len(reads) == 3)
        assert served.settled() == ["RUNNING"]
        assert close(served, 5) == []
    assert len(reads) == 3
    assert f"nobody was told that {T} is SUCCEEDED, try 3 was the last" in caplog.text


def test_any_number_of_attempts_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of those whose pauses, doubled each time, are no number any more."""
    monkeypatch.setattr(deliveries_module, "LONGEST_PAUSE", 0.0)
    with Served("asgi", attempts=2000) as served:
        served.failures = 1100
        assert served.post(task()) == 202
        served.until(lambda: served.heard != [])


def test_a_listener_that_fails_costs_nobody_else_the_callback(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """The others are woken, on_change hears of it, and the log says what failed."""

    def broken(task_id: str) -> None:
        raise RuntimeError("mine")

    served.app._wakes.insert(0, broken)
    served.service.states[T] = "SUCCEEDED"
    assert served.post(task("SUCCEEDED")) == 202
    served.until(lambda: (T, "SUCCEEDED") in served.heard)
    assert served.woken == [T]
    assert "who listens for the end" in caplog.text


# -- loops, servers and ends -------------------------------------------------------------------------------------------
def test_a_loop_that_is_gone_loses_nothing() -> None:
    """Each request in a loop of its own, as test clients of web frameworks make them: all is told, and nothing twice."""
    heard = list[float | None]()

    async def on_change(found: Task) -> None:
        heard.append(found.progress_ratio)

    app = CallbackApp(signer(), on_change, AsyncService())

    async def once(ratio: float) -> int:
        status = await posted(app, task(progressRatio=ratio))
        await turns(20)
        return status

    assert [asyncio.run(once(ratio)) for ratio in (0.1, 0.2, 0.2, 0.3)] == [202] * 4
    assert heard == [0.1, 0.2, 0.3]


def test_what_a_loop_that_is_gone_had_not_told_is_told_in_the_next() -> None:
    """It was taken."""
    app, heard = hearing()
    assert asyncio.run(posted(app, task(task_id="one"))) == 202
    assert heard == []

    async def later() -> None:
        assert await posted(app, task(task_id="two")) == 202
        await turns(20)

    asyncio.run(later())
    assert sorted(heard) == ["one", "two"]


def test_two_loops_at_once_tell_in_one() -> None:
    """The one of the first callback, which is woken for it."""
    with Served("asgi") as served:
        assert served.post(task("PENDING")) == 202
        served.until(lambda: (T, "PENDING") in served.heard)
        assert asyncio.run(posted(served.app, task("RUNNING"))) == 202
        served.until(lambda: (T, "RUNNING") in served.heard)


def test_an_app_can_be_served_again() -> None:
    """After its server has ended another one takes callbacks with it, and tells nothing twice."""
    heard = list[str | None]()
    app = CallbackApp(signer(), lambda found: heard.append(found.status), AsyncService())
    served = Served("asgi")
    served.app = app
    for status in ("PENDING", "RUNNING"):
        with served:
            assert served.post(task("PENDING"), url=served.address(signer=app.signer)) == 202
            assert served.post(task(status), url=served.address(signer=app.signer)) == 202
    assert heard == ["PENDING", "RUNNING"]


def test_who_closes_in_the_midst_of_a_body_takes_it_no_more() -> None:
    """It is refused, and no thread is begun for it."""
    app = CallbackWsgiApp(signer(), print, Service())

    class Closing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            assert app.close() == []
            return super().read(size)

    assert put(app, Closing(BODY), str(len(BODY))).startswith("503")
    assert app._side is None


def test_who_closes_in_the_midst_of_a_body_of_asgi_takes_it_no_more() -> None:
    """The same, in the loop."""
    app, sent = CallbackApp(signer(), print, AsyncService()), list[Any]()
    scope = {"type": "http", "method": "POST", "headers": []}

    async def receive() -> dict[str, Any]:
        assert await app.aclose() == []
        return {"type": "http.request", "body": BODY}

    async def send(message: Any) -> None:
        sent.append(message)

    query = app.signer.url_for("r").partition("?")[2].encode()
    asyncio.run(app({**scope, "query_string": query}, receive, send))
    assert sent[0]["status"] == 503


def test_who_closes_before_it_is_put_down_takes_it_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that would tell of it has ended."""
    app = CallbackWsgiApp(signer(), print, Service())
    make = app._make_side

    def making() -> Any:
        side = make()
        app.close()
        return side

    monkeypatch.setattr(app, "_make_side", making)
    assert put(app, io.BytesIO(BODY), str(len(BODY))).startswith("503")


def test_its_own_client_is_closed(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """The one that was made from the environment, with its connections; a given one is its owner's."""
    with SimulatorServer(Simulator()) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        if kind == "asgi":
            app = CallbackApp(signer(), print)
            own: Any = app._client

            async def main() -> None:
                assert await posted(app, task("SUCCEEDED")) == 202
                assert await app.aclose() == []

            asyncio.run(main())
        else:
            wsgi = CallbackWsgiApp(signer(), print)
            own = wsgi._client
            assert put(wsgi, io.BytesIO(BODY), str(len(BODY))).startswith("202")
            assert wsgi.close() == []
        assert own._driver._client.is_closed
        gc.collect()


def test_a_given_client_stays_open() -> None:
    """Who made it closes it."""

    class Given(AsyncService):
        async def aclose(self) -> None:
            pytest.fail("it is not ours")

    async def main() -> None:
        app = CallbackApp(signer(), print, Given())
        assert await posted(app, task()) == 202
        assert await app.aclose() == []

    asyncio.run(main())


def test_a_client_of_its_own_stays_in_its_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections are of no use in another one: the next loop has a client of its own."""
    loops, heard = list[list[object]](), list[str | None]()

    class Bound(AsyncService):
        def __init__(self) -> None:
            super().__init__()
            self.states[T] = "SUCCEEDED" if loops else "RUNNING"
            self.used = list[object]()
            loops.append(self.used)

        async def retrieve(self, task_id: str) -> Task:  # type: ignore[override]
            self.used.append(asyncio.get_running_loop())
            return Service.retrieve(self, task_id)

    async def on_change(found: Task) -> None:
        heard.append(found.status)

    monkeypatch.setattr(CallbackApp, "_make_client", lambda self: Bound())
    app = CallbackApp(signer(), on_change)

    async def once() -> None:
        assert await posted(app, task("SUCCEEDED")) == 202
        await turns(20)

    asyncio.run(once())
    asyncio.run(once())
    assert heard == ["RUNNING", "SUCCEEDED"]
    assert [len({*used}) for used in loops] == [1, 1]


def test_a_server_begins_and_ends_by_lifespan() -> None:
    """It serves once it is told that all is ready; at its end all is told before it says so, and until it begins again nothing is taken."""
    app, heard = hearing(takes=9)
    asked, said = asyncio.Queue[Any](), list[Any]()

    async def say(message: Any) -> None:
        said.append((message["type"], [*heard]))

    async def main() -> None:
        for number in "12":
            assert number == "1" or await posted(app, task()) == 503
            living = asyncio.ensure_future(app({"type": "lifespan"}, asked.get, say))
            asked.put_nowait({"type": "lifespan.startup"})
            await turns(5)
            assert said[-1][0] == "lifespan.startup.complete"
            assert await posted(app, task(task_id=number)) == 202
            asked.put_nowait({"type": "lifespan.shutdown"})
            await asyncio.wait_for(living, 10)
            assert said[-1] == ("lifespan.shutdown.complete", [*"12"][: int(number)])

    asyncio.run(main())
    assert len(said) == 4


def test_what_an_end_has_named_is_told_to_nobody() -> None:
    """Whoever closed it knows; a receiver that is begun again tells of what comes then."""
    may_go_on, heard = asyncio.Event(), list[str]()

    async def on_change(found: Task) -> None:
        await may_go_on.wait()
        heard.append(str(found.task_id))

    app = CallbackApp(signer(), on_change, AsyncService())

    async def main() -> None:
        for number in range(12):
            assert await posted(app, task(task_id=f"t{number}")) == 202
        await turns(5)
        assert len(await app.aclose(0)) == 12
        app._is_closed = False
        may_go_on.set()
        assert await posted(app, task(task_id="new")) == 202
        assert await app.aclose() == []

    asyncio.run(main())
    assert heard == ["new"]


@pytest.mark.parametrize(("version", "told"), [(None, "close"), ("1.0", "close"), ("1.1", "close"), ("2", None)])
def test_a_refusal_ends_its_connection(version: str | None, told: str | None) -> None:
    """What was not read of the body is of no use; HTTP/2 has no such word, and needs none."""
    scope = {"type": "http", "method": "GET", "headers": [], **({"http_version": version} if version else {})}
    sent = list[Any]()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(CallbackApp(signer())(scope, None, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 405
    assert dict(sent[0]["headers"]).get(b"connection", b"").decode() == (told or "")


def test_who_is_closed_reads_nothing(kind: str) -> None:
    """It refuses what comes before any of its body."""

    class Unread(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            pytest.fail("it was read")

    if kind == "wsgi":
        wsgi = CallbackWsgiApp(signer())
        assert wsgi.close() == []
        assert put(wsgi, Unread(BODY), str(len(BODY))).startswith("503")
    else:
        sent, app = list[Any](), CallbackApp(signer())

        async def send(message: Any) -> None:
            sent.append(message)

        async def main() -> None:
            assert await app.aclose() == []
            await app({"type": "http", "method": "POST", "headers": []}, None, send)  # type: ignore[arg-type]

        asyncio.run(main())
        assert sent[0]["status"] == 503


def test_who_calls_before_it_serves_is_heard() -> None:
    """The port listens as soon as the receiver is made, so that an address can be given away before its thread has begun."""
    served = Served("asgi")
    server = CallbackServer(served.app, 0)
    served.port = server.port
    with socket.create_connection(("127.0.0.1", server.port)) as early:
        early.sendall(f"GET {served.address().partition(str(server.port))[2]} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        with server:
            early.settimeout(10)
            assert early.recv(100).startswith(b"HTTP/1.1 405")


def test_a_receiver_tells_nobody_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Neither senders which server it runs on, nor a log the addresses, whose signatures let anybody call."""
    with caplog.at_level(logging.INFO), Served("asgi") as served:
        answer = served.http.post(served.address(), json=task())
    assert answer.status_code == 202
    assert "server" not in answer.headers
    assert not [each for each in caplog.records if "signed=" in each.getMessage() and not each.name.startswith("http")]


# the thread ends as a process would
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_server_that_cannot_begin_is_said() -> None:
    """Whoever waits for it hears of it."""

    class Broken(CallbackApp):
        async def _live(self, receive: Any, send: Any) -> None:
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="the receiver did not start"), CallbackServer(Broken(signer()), 0):
        pytest.fail("it has not begun")


def test_a_thread_of_a_receiver_holds_up_no_end_of_the_program(served: Served) -> None:
    """Whether or not the receiver was closed."""
    assert served.post(task()) == 202
    threads = [each for each in threading.enumerate() if each.name.startswith("useapi-runwayml-callback")]
    assert [each.daemon for each in threads] == [True]


# -- what is none ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("wrong", ["a\nb", "a\x1b[2J", "../assets/7", "x" * 2000, "."])
def test_an_id_that_is_none_is_refused(served: Served, wrong: str) -> None:
    """It would stand in logs and on terminals, and could be read by nobody."""
    assert served.post(task(task_id=wrong)) == 400


@pytest.mark.parametrize("wrong", ["R" * 1025, "RUNNING\nERROR: forged"])
def test_a_state_that_is_no_word_is_refused(served: Served, wrong: str) -> None:
    """One that nobody knows is taken."""
    assert served.post(task(wrong)) == 400
    assert served.post(task("R" * 1024)) == 202


def test_refusals_and_ends_say_what_they_are_of(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """A sender is not told that nothing was sent, and a state that is no end is not called one."""
    with Served(kind) as served:
        assert served.http.post(served.address(), json=[]).text.startswith("body: ")
        assert served.http.post(served.address() + "x", json=[]).text.startswith("url: ")
        served.may_go_on.clear()
        assert served.post(task("RUNNING")) == 202
        assert close(served, 0.05) == [T]
    assert f"closed before anybody was told what became of {T}" in caplog.text


@pytest.mark.parametrize(
    ("length", "status"), [("10000000", "413"), ("9" * 20, "413"), ("9" * 5000, "413"), ("0" * 5000, "400")]
)
def test_a_length_of_any_number_of_digits_is_a_length(length: str, status: str) -> None:
    """And none that Python gives up at."""
    assert put(CallbackWsgiApp(signer(), print, Service()), io.BytesIO(BODY), length).startswith(status)


@pytest.mark.parametrize(
    ("more", "name"),
    [
        *(({name: value}, name) for name in ("queue_size", "attempts") for value in (0, -1, 1.5, True, "8")),
        *(({"first_pause": value}, "first_pause") for value in (-1, float("nan"), "1", None)),
    ],
)
@pytest.mark.parametrize("make", [CallbackApp, CallbackWsgiApp])
def test_terms_that_cannot_be_kept_are_refused(make: Callable[..., Any], more: dict[str, Any], name: str) -> None:
    """When the app is made."""
    with pytest.raises(ParameterError, match=f"{name}: ") as caught:
        make(signer(), print, Service(), **more)
    assert [each.field for each in caught.value.problems] == [name]


@pytest.mark.parametrize("secrets", [None, (), "x" * 16 + "\udcff", ["x" * 16, "y" * 16 + "\ud800"]])
def test_secrets_that_cannot_sign_are_refused(secrets: Any) -> None:
    """Among them one that is not there, and one of bytes that are no text."""
    with pytest.raises(ParameterError, match="secrets: "):
        ReplyUrlSigner(secrets, "https://h")


def test_a_signer_shows_no_password() -> None:
    """That of its address."""
    assert (
        repr(ReplyUrlSigner(SECRET, "https://me:s3cr3t@h:8/x?key=s3cr3t")) == "ReplyUrlSigner(base_url='https://h:8/x')"
    )


def test_a_port_that_is_none_leaves_no_socket_open() -> None:
    """Whatever Python says of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(OverflowError):
            CallbackServer(CallbackApp(signer()), 70_000)
        gc.collect()


def _reading(kind: str, state: Callable[[], str]) -> Any:
    """A read of a task that tells this state."""

    def read(task_id: str) -> Task:
        return Task.from_dict(task(state()))

    async def awaited(task_id: str) -> Task:
        return read(task_id)

    return awaited if kind == "asgi" else read


def test_nothing_is_taken_once_all_is_told() -> None:
    """Nobody would tell of it: whoever comes between the last word and the end of the thread is refused."""

    async def main() -> bool:
        app = CallbackApp(signer(), print, AsyncService())
        assert await posted(app, task()) == 202
        made = app._deliveries
        assert made is not None
        assert await made.drain(5) == []
        return made.put(Task.from_dict(task(task_id="late")))

    assert asyncio.run(main()) is False


def test_an_app_whose_loop_has_ended_is_closed_from_another() -> None:
    """What it had not told is told there, or named."""
    app, heard = hearing()
    assert asyncio.run(posted(app, task(task_id="one"))) == 202
    assert asyncio.run(app.aclose()) == []
    assert heard == ["one"]
    assert asyncio.run(app.aclose()) == []


def test_a_loop_that_has_stopped_and_is_kept_holds_nobody_up() -> None:
    """It is not closed, and runs no more: the next one tells of what comes."""
    (app, heard), kept = hearing(takes=0), asyncio.new_event_loop()
    try:
        assert kept.run_until_complete(posted(app, task(task_id="one"))) == 202

        async def later() -> None:
            assert await asyncio.wait_for(posted(app, task(task_id="two")), 10) == 202
            await turns(20)

        asyncio.run(later())
    finally:
        kept.close()
    assert "two" in heard


def test_an_app_is_closed_from_another_loop_while_its_own_runs() -> None:
    """It waits there."""
    with Served("asgi") as served:
        assert served.post(task("PENDING")) == 202
        served.until(lambda: served.heard != [])
        assert asyncio.run(served.app.aclose()) == []
        assert served.post(task("RUNNING")) == 503
