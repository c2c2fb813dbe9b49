"""The options of clients: views under other settings, headers, connections; none of them sends a paid request twice."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import h2.connection
import h2.exceptions
import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import errors

from .conftest import MP4, TOKEN, Proxy, World
from .lines import Network, Said, answer, runway
from .secure import Http2Server, answered, context_of_clients
from .test_exactly_once import BREAKS, Peer

TASK = "user:4242-runwayml:maker@example.com-task:t1"
KINDS = (useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient)


def view(client: Any, **settings: Any) -> Any:
    """A view of a client of the tests, which is made without awaiting."""
    return Proxy(client._target.with_options(**settings), client._runner)


def test_a_view_has_settings_of_its_own(world: World) -> None:
    """How often and how long it tries is its own; what is left out stays, and the first client is as it was."""
    sent: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.extensions["timeout"]["read"])
        return httpx.Response(503)

    client = world.scripted(handler, max_retries=2, timeout=30)
    for each, tries, seconds in (
        (view(client, max_retries=0), 1, 30),
        (view(client, timeout=7), 3, 7),
        (view(view(client, timeout=7), max_retries=1), 2, 7),
        (client, 3, 30),
    ):
        sent.clear()
        with pytest.raises(errors.ServerError):
            each.features.retrieve()
        assert len(sent) == tries
        assert sent[0] == pytest.approx(seconds)


def test_the_requests_of_a_views_wait_have_its_timeout(world: World) -> None:
    """Whoever leads the waits asks under its own settings."""
    sent: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json={"taskId": TASK, "status": "SUCCEEDED"})

    client = world.scripted(handler, timeout=7)
    view(client, timeout=50).tasks.wait(TASK)
    assert sent == [50]


def test_the_look_up_of_a_view_lasts_as_long_as_it_says(world: World) -> None:
    """Twenty seconds where nobody says; and its create is sent once, as every other."""
    posts: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            posts.append(request)
            return httpx.Response(502)
        return httpx.Response(200, json=[])

    client = world.scripted(handler)
    for seconds, each in ((0, view(client, lookup_timeout=0)), (90, view(client, lookup_timeout=90)), (20, client)):
        posts.clear()
        begun = world.clock.now()
        with pytest.raises(errors.SubmissionUnknownError):
            each.video_to_video.create(asset_id="a", text_prompt="x")
        assert world.clock.now() - begun == pytest.approx(seconds, abs=0.1)
        assert len(posts) == 1


def test_views_know_each_others_creates_and_share_waits(world: World) -> None:
    """A task that one has given out is adopted by none of them, and all wait in one group."""
    client = world.client()
    other = view(client, timeout=5)
    task = client.video_to_video.create(asset_id=world.asset(), text_prompt="x", reply_ref="mine")
    assert task.task_id in other._target._context.given_out
    assert other._target._group is client._target._group
    world.faults.add("status", "createVideoToVideo", status=502, nth=1)
    with pytest.raises(errors.SubmissionUnknownError):
        other.video_to_video.create(asset_id=world.asset(), text_prompt="x", reply_ref="mine")


@pytest.mark.parametrize("settings", [{"timeout": -1}, {"max_retries": True}, {"lookup_timeout": "x"}])
def test_settings_of_a_view_that_cannot_be_are_refused(world: World, settings: dict[str, Any]) -> None:
    """By their names, as those of a client."""
    with pytest.raises(errors.ParameterError) as caught:
        view(world.client(), **settings)
    assert [each.field for each in caught.value.problems] == list(settings)


def test_a_closed_view_leaves_the_connections_open(world: World) -> None:
    """They are the first client's; once that is closed, the view is too. Both names close an awaiting one."""
    network = Network(world.clock, lambda method, path: Said(answer(200, b"[]")))
    client = runway(world, network)
    other = view(client)
    for each in (other, client):
        assert each.scheduler.list() == []
    other.close()
    assert client.scheduler.list() == []
    assert other.scheduler.list() == []
    client.close()
    for each in (other, client):
        with pytest.raises(errors.UseapiError, match="closed"):
            each.scheduler.list()


def of_its_own(world: World, **settings: Any) -> Any:
    """A client that is given no http_client, over real connections."""
    make = useapi_runwayml.AsyncRunwayClient if world.runner else useapi_runwayml.RunwayClient
    return Proxy(make(TOKEN, **settings), world.runner)


class Host(BaseHTTPRequestHandler):
    """A host that keeps what it is asked, and says what it is told to."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        server: Any = self.server
        server.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        body: bytes = server.says(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if body[:1] in b"[{" else "video/mp4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def host(says: Callable[[str], bytes] = lambda path: b"[]") -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    server.seen, server.says = [], says
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_default_headers_go_to_the_service_alone(world: World, tmp_path: Path) -> None:
    """With every request there, under those of a call; with none to the host of a result."""
    with host(lambda path: MP4) as results:
        task = {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": f"{results.url}/x.mp4?signature=s"}]}

        def says(path: str) -> bytes:
            if "/assets/" in path:
                return b'{"assetId": "user:1-runwayml:a@b.c-asset:x"}'
            return json.dumps([task] if path.startswith("/tasks/?") else task).encode()

        with host(says) as service:
            client = of_its_own(
                world, base_url=service.url, default_headers={"X-Team": "film", "USER-AGENT": "ours", "X-Call": "none"}
            )
            file = tmp_path / "c.mp4"
            file.write_bytes(MP4)
            asset = client.assets.upload(file)
            client.video_to_video.create(
                asset_id=asset.asset_id, text_prompt="x", reply_ref=None, extra_headers={"x-call": "one"}
            )
            client.tasks.retrieve(TASK)
            assert client.tasks.download(TASK, tmp_path / "out.mp4").read_bytes() == MP4
            client.tasks.delete(TASK)
    assert [command for command, _, _ in service.seen] == ["POST", "POST", "GET", "GET", "DELETE"]
    for number, (_, _, headers) in enumerate(service.seen):
        assert (headers["x-team"], headers["user-agent"]) == ("film", "ours")
        assert headers["x-call"] == ("one" if number == 1 else "none")
        assert headers["authorization"] == f"Bearer {TOKEN}"
        assert headers["accept"] == "application/json"
    ((_, _, headers),) = results.seen
    assert not {"x-team", "x-call", "authorization"} & set(headers)
    assert headers["user-agent"] != "ours"


REFUSED: list[tuple[dict[str, Any], str]] = [
    *(
        ({"default_headers": {name: "x"}}, "sets this header itself")
        for name in ("authorization", "Host", "CONTENT-TYPE", "content-length", "Transfer-Encoding", "Accept-Encoding")
    ),
    ({"default_headers": {"X-A": "b\r\nX-B: c"}}, "printable ASCII"),
    ({"default_headers": ["X-A"]}, "a mapping"),
    ({"limits": 7}, "an httpx.Limits"),
    ({"proxy": 7}, "an httpx.URL"),
    ({"proxy": "http://user:s3cr3t@proxy.test:99999999"}, "its port is no number"),
    ({"proxy": "ftp://user:s3cr3t@proxy.test"}, "no URL of a proxy"),
    ({"proxy": "socks5://127.0.0.1:1"}, "socksio"),
    ({"verify": "/etc/ssl/ca.pem"}, "ssl.SSLContext"),
    ({"verify": None}, "ssl.SSLContext"),
    ({"http2": 1}, "True or False"),
]


@pytest.mark.parametrize(("settings", "told"), REFUSED)
def test_options_that_cannot_be_are_refused(settings: dict[str, Any], told: str) -> None:
    """By their names, in both clients, without a password."""
    for kind in KINDS:
        with pytest.raises(errors.ParameterError, match=told) as caught:
            kind(TOKEN, **settings)
        assert caught.value.problems[0].field.startswith(next(iter(settings)))
        assert "s3cr3t" not in str(caught.value) + repr(caught.value.problems)


def test_a_given_client_has_options_of_its_own(world: World) -> None:
    """None is taken together with it, rather than passed over."""
    settings = {
        "default_headers": {"X-A": "b"},
        "limits": httpx.Limits(max_connections=3),
        "proxy": "http://127.0.0.1:1",
        "verify": False,
        "http2": True,
    }
    for name, value in settings.items():
        with pytest.raises(errors.ParameterError, match="http_client") as caught:
            world.client(**{name: value})
        assert [each.field for each in caught.value.problems] == [name]


def test_http2_without_its_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what brings it."""
    monkeypatch.setitem(sys.modules, "h2", None)
    for kind in KINDS:
        with pytest.raises(errors.ParameterError, match=r"pip install 'useapi-runwayml\[http2\]'"):
            kind(TOKEN, http2=True)


def test_limits_are_those_of_the_connections() -> None:
    """As httpx takes them."""
    for kind in KINDS:
        client: Any = kind(TOKEN, limits=httpx.Limits(max_connections=3, max_keepalive_connections=2))
        pool = client._driver._client._transport._pool
        assert (pool._max_connections, pool._max_keepalive_connections) == (3, 2)


def test_a_given_proxy_is_asked_for_everything(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for this machine; what the environment says of proxies has no part in it, be it right or wrong."""
    with host() as proxy, host() as other:
        for elsewhere in (other.url, "http://host:port"):
            monkeypatch.setenv("ALL_PROXY", elsewhere)
            monkeypatch.setenv("HTTP_PROXY", elsewhere)
            for address in ("http://api.test/v1", "http://127.0.0.1:9/v1"):
                client = of_its_own(world, base_url=address, proxy=proxy.url, default_headers={"X-Team": "film"})
                assert client.scheduler.list() == []
                assert proxy.seen[-1][1] == f"{address}/scheduler/"
        assert other.seen == []


@contextlib.contextmanager
def tunnel(url: str) -> Iterator[str]:
    """The URL of a proxy that makes a way to this server, once."""
    goal = httpx.URL(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def pump(source: socket.socket, target: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

        def serve() -> None:
            asking, _ = listener.accept()
            with asking, socket.create_connection(("127.0.0.1", goal.port or 0)) as there:
                assert asking.recv(65536).startswith(b"CONNECT ")
                asking.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=pump, args=(there, asking), daemon=True)
                back.start()
                pump(asking, there)
                back.join(5)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def secure() -> Iterator[Callable[..., Http2Server]]:
    made: list[Http2Server] = []

    def make(act: Callable[..., None]) -> Http2Server:
        made.append(Http2Server(act))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_whom_to_trust_is_said_by_verify(world: World, secure: Callable[..., Http2Server]) -> None:
    """By default nobody whom httpx does not trust; False trusts anybody, a context those whom it says."""
    server = secure(answered(200, b"[]"))
    with pytest.raises(errors.APIConnectionError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        of_its_own(world, base_url=server.url, max_retries=0).scheduler.list()
    assert caught.value.maybe_sent is False
    for verify in (False, context_of_clients()):
        client = of_its_own(world, base_url=server.url, verify=verify, http2=True, default_headers={"X-Team": "film"})
        assert client.scheduler.list() == []
        assert client.scheduler.list() == []
        assert (server.seen[-1]["x-team"], server.seen[-1]["authorization"]) == ("film", f"Bearer {TOKEN}")
        client.close()
    assert len(server.seen) == 4


OPTIONS: dict[str, dict[str, Any]] = {
    "default_headers": {"default_headers": {"X-Team": "film", "Expect": "100-continue"}},
    "limits": {"limits": httpx.Limits(max_connections=1, max_keepalive_connections=0)},
    "verify": {"verify": False},
    "http2": {"http2": True},
    "proxy": {"proxy": "the broken one"},
    "view": {},
}


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", ["closes without an answer", "half a body", "a redirect"])
def test_a_broken_wire_sees_one_post_under_each_option(name: str, option: str, world: World) -> None:
    """Whatever was said of the connections, the paid POST goes out once, and its outcome is unknown."""
    broken = Peer(BREAKS[name])
    settings = {"base_url": broken.url, "lookup_timeout": 0, "timeout": 2, **OPTIONS[option]}
    if option == "proxy":
        settings |= {"base_url": "http://api.test", "proxy": broken.url}
    client = of_its_own(world, **settings)
    if option == "view":
        client = view(client, timeout=3, max_retries=9)
    with pytest.raises(errors.SubmissionUnknownError):
        client.video_to_video.create(asset_id="a", text_prompt="x")
    client.close()
    broken.close()
    assert sum(line.startswith(b"POST") for line in broken.seen) == 1


def refuses(talk: h2.connection.H2Connection, number: int, line: ssl.SSLSocket) -> None:
    """Says that it has taken the first stream alone: httpcore would send the others again."""
    talk.close_connection(last_stream_id=1)


def resets(talk: h2.connection.H2Connection, number: int, line: ssl.SSLSocket) -> None:
    talk.reset_stream(number, error_code=7)  # REFUSED_STREAM


def speaks_nonsense(talk: h2.connection.H2Connection, number: int, line: ssl.SSLSocket) -> None:
    line.sendall(b"\x00\x00\x04\x01\x04" + number.to_bytes(4, "big") + b"\xff\xff\xff\xff")


def half_an_answer(talk: h2.connection.H2Connection, number: int, line: ssl.SSLSocket) -> None:
    talk.send_headers(number, [(":status", "200"), ("content-type", "video/mp4")])
    talk.send_data(number, b'{"taskId": "user:1-ru')
    line.sendall(talk.data_to_send())
    line.sendall(b"\x00\x00\x04\x08\x00" + number.to_bytes(4, "big") + b"\x00\x00\x00\x00")  # a window of nothing


HTTP2_BREAKS = (refuses, resets, speaks_nonsense, half_an_answer, lambda talk, number, line: line.close())


@pytest.mark.parametrize("breaks", HTTP2_BREAKS)
def test_a_broken_http2_connection_sees_one_post(
    breaks: Callable[..., None], world: World, secure: Callable[..., Http2Server]
) -> None:
    """Also where the protocol would allow a second one, on a connection that has worked before."""
    good = answered(200, b"[]")
    server = secure(
        lambda talk, number, line: (good if number == 1 or len(server.seen) > 2 else breaks)(talk, number, line)
    )
    client = of_its_own(
        world, base_url=server.url, verify=context_of_clients(), http2=True, lookup_timeout=0, timeout=3
    )
    assert client.scheduler.list() == []
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        client.video_to_video.create(asset_id="a", text_prompt="x")
    assert isinstance(caught.value.__cause__, errors.APIConnectionError)
    assert sum(each[":method"] == "POST" for each in server.seen) == 1
    assert TOKEN not in repr(caught.value) + str(caught.value.__cause__)
    client.close()


def test_a_given_client_that_speaks_http2_sends_one_post(world: World, secure: Callable[..., Http2Server]) -> None:
    """What it would send again it does not, as a client of ours."""
    good = answered(200, b"[]")
    server = secure(lambda talk, number, line: (refuses if len(server.seen) == 2 else good)(talk, number, line))
    kind: Any = httpx.AsyncClient if world.runner else httpx.Client
    given = kind(http2=True, verify=context_of_clients())
    client = of_its_own(world, base_url=server.url, http_client=given, lookup_timeout=0, timeout=3)
    assert client.scheduler.list() == []
    with pytest.raises(errors.SubmissionUnknownError):
        client.video_to_video.create(asset_id="a", text_prompt="x")
    assert sum(each[":method"] == "POST" for each in server.seen) == 1
    if world.runner:
        world.runner.run(given.aclose())
    else:
        given.close()


class Retrying(httpx.HTTPTransport):
    """What nobody should give to a client: it sends again what broke."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except httpx.TransportError:
            return super().handle_request(request)


def test_a_transport_that_sends_again_sends_no_second_create() -> None:
    """As far as it sends the request that it was given, over httpx's own connections."""
    broken = Peer(BREAKS["closes without an answer"])
    with (
        httpx.Client(transport=Retrying()) as given,
        useapi_runwayml.RunwayClient(TOKEN, base_url=broken.url, http_client=given, lookup_timeout=0) as client,
        pytest.raises(errors.SubmissionUnknownError),
    ):
        client.video_to_video.create(asset_id="a", text_prompt="x")
    broken.close()
    assert sum(line.startswith(b"POST") for line in broken.seen) == 1


def test_a_download_that_breaks_over_http2_can_be_tried_again(
    world: World, secure: Callable[..., Http2Server], tmp_path: Path
) -> None:
    """It is a DownloadError, and nothing is left behind."""
    server = secure(half_an_answer)
    task = {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": f"{server.url}/x.mp4"}]}
    client = of_its_own(world, verify=context_of_clients(), http2=True, max_retries=0)
    with pytest.raises(errors.DownloadError):
        client.tasks.download(useapi_runwayml.Task.from_dict(task), tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []
    client.close()


def test_what_the_library_of_http2_raises_is_no_answer(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """httpx lets it through; of a client that does not speak HTTP/2 nothing but httpx's own errors is one of a connection."""

    def fails(self: Any, request: httpx.Request) -> httpx.Response:
        raise h2.exceptions.ProtocolError("nonsense")

    async def awaited(self: Any, request: httpx.Request) -> httpx.Response:
        return fails(self, request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", fails)
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", awaited)
    task = useapi_runwayml.Task.from_dict(
        {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": "http://cdn.test/x.mp4"}]}
    )
    for speaks, of_a_read, of_a_link in (
        (True, errors.APIConnectionError, errors.DownloadError),
        (False, h2.exceptions.ProtocolError, h2.exceptions.ProtocolError),
    ):
        client = of_its_own(world, http2=speaks, max_retries=0)
        with pytest.raises(of_a_read):
            client.scheduler.list()
        with pytest.raises(of_a_link):
            client.tasks.download(task, tmp_path / "out.mp4")
        client.close()


def test_a_read_that_was_refused_is_asked_again(world: World, secure: Callable[..., Http2Server]) -> None:
    """What costs nothing goes on as the protocol allows."""
    good = answered(200, b"[]")
    server = secure(lambda talk, number, line: (refuses if len(server.seen) == 2 else good)(talk, number, line))
    client = of_its_own(world, base_url=server.url, verify=context_of_clients(), http2=True, max_retries=0)
    assert client.scheduler.list() == client.scheduler.list(extra_headers={"X-Row": "1"}) == []
    assert (len(server.seen), server.connections) == (3, 2)
    client.close()


def test_a_create_goes_through_a_proxy_over_http2(world: World, secure: Callable[..., Http2Server]) -> None:
    """The way is asked for first, and that is no second create."""
    server = secure(answered(200, json.dumps({"taskId": TASK}).encode()))
    with tunnel(server.url) as proxy:
        client = of_its_own(world, base_url=server.url, verify=context_of_clients(), http2=True, proxy=proxy)
        assert client.video_to_video.create(asset_id="a", text_prompt="x").task_id == TASK
        client.close()
    assert [each[":method"] for each in server.seen] == ["POST"]


@pytest.fixture
def our_logger() -> logging.Logger:
    """As it is before anybody has asked for anything."""
    return logging.getLogger("useapi_runwayml")


@pytest.mark.parametrize(("value", "lines"), [("debug", 2), (" INFO ", 1), (None, 0), ("", 0)])
def test_the_log_goes_to_stderr_if_the_variable_says_so(
    value: str | None,
    lines: int,
    world: World,
    our_logger: logging.Logger,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each line once, however many clients there are; nothing is touched without it."""
    if value is not None:
        monkeypatch.setenv("USEAPI_RUNWAYML_LOG", value)
    answers = iter([httpx.Response(503), httpx.Response(200, json=[])])
    world.scripted(lambda request: httpx.Response(404))
    client = world.scripted(lambda request: next(answers))
    if lines == 1:
        assert client.scheduler.list() == []
    else:
        with pytest.raises(errors.ServerError):
            view(client, max_retries=0).scheduler.list()
        assert client.scheduler.list() == []
    told = capsys.readouterr().err.splitlines()
    assert len(told) == lines
    assert all("useapi_runwayml: GET /scheduler/" in line and TOKEN not in line for line in told)
    assert our_logger.handlers == [] or lines
    assert our_logger.level == {2: logging.DEBUG, 1: logging.INFO, 0: logging.NOTSET}[lines]


def test_a_log_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, our_logger: logging.Logger) -> None:
    """When the client is made, by the name of the variable."""
    monkeypatch.setenv("USEAPI_RUNWAYML_LOG", "loud")
    for kind in KINDS:
        with pytest.raises(errors.ParameterError, match="USEAPI_RUNWAYML_LOG: 'loud' is refused") as caught:
            kind(TOKEN)
        assert "debug or info" in str(caught.value)
    assert our_logger.handlers == []


def test_a_log_that_cannot_be_written_breaks_nothing(
    monkeypatch: pytest.MonkeyPatch, our_logger: logging.Logger, world: World
) -> None:
    """A paid create goes on."""
    monkeypatch.setenv("USEAPI_RUNWAYML_LOG", "debug")
    monkeypatch.setattr(logging, "raiseExceptions", False)
    client = world.client()
    asset_id = world.asset()
    closed = open(__file__)  # noqa: SIM115
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr(sys, "stderr", stream)
        assert client.video_to_video.create(asset_id=asset_id, text_prompt="x").task_id
    assert world.calls("createVideoToVideo") == 2


def test_the_log_can_be_read_at_once(monkeypatch: pytest.MonkeyPatch, our_logger: logging.Logger, world: World) -> None:
    """Whoever follows stderr through a file sees each line when it is said, however the program keeps its output back."""
    monkeypatch.setenv("USEAPI_RUNWAYML_LOG", "info")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(written))
    world.client()
    our_logger.info("a line")
    assert written.getvalue().endswith(b" INFO useapi_runwayml: a line\n")


def test_a_line_that_cannot_be_formed_is_told_as_python_does(
    monkeypatch: pytest.MonkeyPatch, our_logger: logging.Logger, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """As for any handler of logging: it is a fault of whoever logs, and breaks nothing."""
    monkeypatch.setenv("USEAPI_RUNWAYML_LOG", "info")
    world.client()
    monkeypatch.setattr(our_logger, "propagate", False)
    our_logger.info("%d", "x")
    assert "--- Logging error ---" in capsys.readouterr().err
