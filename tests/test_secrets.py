"""The token goes to the API and nowhere else; signatures of links show nowhere."""

from __future__ import annotations

import io
import logging
import traceback
from pathlib import Path
from typing import Any

import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import errors
from useapi_runwayml.batch import Batch
from useapi_runwayml.callbacks import ReplyUrlSigner

from .conftest import BASE_URL, TOKEN, Proxy, World

SECRET = TOKEN.partition("-")[2]
SIGNATURE = "s1gn4ture"
TASK = "user:4242-runwayml:maker@example.com-task:t1"


def everything(value: Any, depth: int = 6, seen: set[int] | None = None) -> str:
    """The reprs of a value and of all that its attributes reach."""
    seen = set() if seen is None else seen
    if depth == 0 or id(value) in seen:
        return ""
    seen.add(id(value))
    text = repr(value)
    inner = list(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []
    inner += [getattr(value, name, None) for name in getattr(type(value), "__slots__", ()) if isinstance(name, str)]
    if isinstance(value, dict):
        inner += list(value.values())
    if isinstance(value, (list, tuple, set)):
        inner += list(value)
    return text + "".join(everything(each, depth - 1, seen) for each in inner if not callable(each))


def test_a_client_does_not_show_its_token() -> None:
    """Neither repr nor vars, at any depth, nor those of its resources."""
    with useapi_runwayml.RunwayClient(TOKEN, base_url=BASE_URL) as client:
        found = everything(client) + everything(client.tasks) + everything(client.video_to_video)
    assert "RunwayClient(base_url=" in found
    assert SECRET not in found


STEPS: list[Any] = [
    *((lambda status=status: httpx.Response(status, json={"error": "bad"})) for status in (401, 404, 429, 500, 596)),
    lambda: httpx.Response(200, text="<html>"),
    httpx.ReadTimeout("late"),
    httpx.ConnectError("no"),
]
ECHOES: list[Any] = [
    lambda: httpx.Response(401, json={"error": f"bad {TOKEN}"}),
    lambda: httpx.Response(200, text=f"<html>{TOKEN}</html>"),
    httpx.ReadTimeout(f"to {TOKEN}"),
]


def errors_of(world: World, steps: list[Any]) -> list[errors.UseapiError]:
    """Errors of all kinds, raised by calls that carried the token."""
    caught: list[errors.UseapiError] = []
    for step in steps:

        def handler(request: httpx.Request, step: Any = step) -> httpx.Response:
            assert request.headers["authorization"].endswith(SECRET)
            if isinstance(step, Exception):
                raise step
            answer: httpx.Response = step()
            return answer

        client = world.scripted(handler, max_retries=0)
        for act in (
            lambda client=client: client.tasks.retrieve(TASK),
            lambda client=client: client.tasks.wait(TASK, timeout=20),
            lambda client=client: client.video_to_video.create(asset_id="a", text_prompt="x", busy_timeout=0),
            lambda client=client: client.assets.upload(Path(__file__), name="a.mp4"),
        ):
            with pytest.raises(errors.UseapiError) as raised:
                act()
            caught.append(raised.value)
    return caught


def test_no_error_shows_the_token(world: World) -> None:
    """Neither str, repr nor notes, not even when the service itself echoes the token."""
    caught = errors_of(world, STEPS + ECHOES)
    assert len(caught) == 44
    for error in caught:
        assert SECRET not in str(error) + repr(error) + "".join(getattr(error, "__notes__", ()))


def test_no_traceback_with_locals_shows_the_token(world: World) -> None:
    """Tracebacks formatted with all local variables, causes included, as crash reporters do it."""
    for error in errors_of(world, STEPS):
        assert error.__context__ is None or isinstance(error.__context__, errors.UseapiError)
        formatted = traceback.TracebackException.from_exception(error, capture_locals=True).format()
        frames = "".join(formatted)
        assert "drivers.py" in frames
        assert "    self = <" in frames
        assert SECRET not in frames


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_shows_no_token(world: World, interruption: type[BaseException]) -> None:
    """Ctrl-C in the middle of a request: httpx's frames, which hold the token, are not in the traceback."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise interruption

    with pytest.raises(interruption) as caught:
        world.scripted(handler).tasks.retrieve(TASK)
    frames = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert SECRET not in frames


def test_an_interruption_brings_no_other_error_along(world: World) -> None:
    """One that comes while another error is handled within httpx: that one's frames hold the token."""

    def handler(request: httpx.Request) -> httpx.Response:
        try:
            raise ValueError(request.headers["authorization"])
        except ValueError:
            raise KeyboardInterrupt from None

    with pytest.raises(KeyboardInterrupt) as caught:
        world.scripted(handler).tasks.retrieve(TASK)
    found = caught.value.__context__
    while found is not None:
        assert SECRET not in str(found)
        found = found.__context__


def test_no_log_shows_the_token_or_a_signature(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """DEBUG lines of httpx, of httpcore and of the SDK."""
    caplog.set_level(logging.DEBUG)
    link = f"https://cdn.test/result.mp4?signature={SIGNATURE}"
    task = {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": link}]}

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "cdn.test" and request.url.path == "/result.mp4":
            return httpx.Response(302, headers={"Location": f"https://cdn.test/moved?signature={SIGNATURE}"})
        return (
            httpx.Response(200, content=b"video") if request.url.host == "cdn.test" else httpx.Response(200, json=task)
        )

    client = world.scripted(handler)
    client.tasks.download(TASK, tmp_path / "a.mp4")
    assert "cdn.test/result.mp4" in caplog.text
    assert "GET /tasks/" in caplog.text
    assert SECRET not in caplog.text
    assert SIGNATURE not in caplog.text


def test_httpx_logs_of_others_are_left_alone(world: World, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """Queries are hidden only while a signed link is fetched: other users of httpx keep their logs."""
    test_no_log_shows_the_token_or_a_signature(world, tmp_path, caplog)
    httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200))).get("http://mine.test/?page=2")
    assert "http://mine.test/?page=2" in caplog.text


def test_httpx_logs_of_ours_tell_what_was_asked(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """A list's query and an upload's have no secret in them, and are what somebody who looks for a fault wants to see."""
    caplog.set_level(logging.INFO, "httpx")
    made = {"assetId": "user:1-runwayml:a@b.test-asset:1"}
    client = world.scripted(lambda request: httpx.Response(200, json=[] if request.method == "GET" else made))
    assert list(client.assets.list(email="a@b.test")) == []
    client.assets.upload(io.BytesIO(b"x"), name="a.mp4")
    lines = [each.getMessage() for each in caplog.records if each.name == "httpx"]
    assert "email=" in lines[0]
    assert "name=a.mp4" in lines[-1]


def test_one_debug_line_a_request(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Method, path, status, milliseconds and attempt; retries at INFO."""
    caplog.set_level(logging.DEBUG, "useapi_runwayml")
    steps = [httpx.Response(503), httpx.Response(200, json={"taskId": TASK})]
    world.scripted(lambda request: steps.pop(0)).tasks.retrieve(TASK)
    lines = [(each.levelname, each.getMessage()) for each in caplog.records if each.name == "useapi_runwayml"]
    assert [level for level, _ in lines] == ["DEBUG", "INFO", "DEBUG"]
    assert lines[0][1].startswith(f"GET /tasks/{TASK} -> 503 in ")
    assert lines[2][1].endswith("attempt 2")


@pytest.mark.parametrize(
    "token", ["", " ", "\n", "user:1-ä", "user:1-a\x00b", "user:1-a\r\nX: y", "Bearer user:1-abc", 7, b"user:1-abc"]
)
def test_a_token_that_is_none_is_refused_unseen(token: Any) -> None:
    """Blank, non-ASCII, control characters, a space, no string: refused, and not shown."""
    with pytest.raises(errors.ParameterError) as caught:
        useapi_runwayml.RunwayClient(token)
    assert caught.value.problems[0].field == "token"
    assert caught.value.problems[0].value is None
    frames = "".join(traceback.TracebackException.from_exception(caught.value).format())
    assert "1-a" not in str(caught.value)
    assert frames


def test_tokens_are_trimmed_and_may_come_from_a_function(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trailing newline goes; a callable is asked for each request; USEAPI_TOKEN serves when none is given."""
    sent: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["authorization"])
        return httpx.Response(200, json=[])

    world.scripted(handler, token=f" {TOKEN}\n").scheduler.list()
    tokens = iter(["user:1-first", "user:1-second\n"])
    client = world.scripted(handler, token=lambda: next(tokens))
    client.scheduler.list()
    client.scheduler.list()
    assert sent == [f"Bearer {TOKEN}", "Bearer user:1-first", "Bearer user:1-second"]
    with pytest.raises(errors.ParameterError, match="USEAPI_TOKEN"):
        useapi_runwayml.RunwayClient()
    monkeypatch.setenv("USEAPI_TOKEN", f"{TOKEN}\n")
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", "http://127.0.0.1:1/v1/")
    assert repr(useapi_runwayml.RunwayClient()) == "RunwayClient(base_url='http://127.0.0.1:1/v1')"


def test_a_bad_token_from_a_function_sends_nothing(world: World) -> None:
    """What the function gives is checked each time, and a create with it is not "unknown"."""
    sent: list[int] = []
    client = world.scripted(lambda request: sent.append(1) or httpx.Response(200), token=lambda: "bad\x00")  # type: ignore[func-returns-value]
    with pytest.raises(errors.ParameterError):
        client.video_to_video.create(asset_id="a", text_prompt="x")
    assert sent == []


def frames_of(error: BaseException) -> str:
    """A traceback with all local variables, as crash reporters send it; the test's own frames are left out."""
    formatted = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(line for line in formatted.format() if "test_secrets.py" not in line)


LINK = f"https://who:{SIGNATURE}@cdn.test/result.mp4?signature={SIGNATURE}#{SIGNATURE}"


@pytest.mark.parametrize("status", [200, 400, 403, 404, 500])
def test_an_error_of_a_download_shows_no_secret_of_its_link(world: World, tmp_path: Path, status: int) -> None:
    """Neither the user in it, nor query or fragment: in its words, its frames, and the models that they hold."""
    task = {
        "taskId": TASK,
        "status": "SUCCEEDED",
        "artifacts": [{"url": LINK, "previewUrls": [LINK]}],
        "replyUrl": LINK,
    }

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=task) if request.url.host != "cdn.test" else httpx.Response(status, text="<a>")

    client = world.scripted(handler, max_retries=0)
    with pytest.raises(errors.DownloadError, match=r"https://cdn\.test/result\.mp4 of") as caught:
        client.tasks.download(TASK, tmp_path / "a.mp4")
    assert SIGNATURE not in str(caught.value) + repr(caught.value) + repr(client.tasks.retrieve(TASK))
    frames = frames_of(caught.value)
    assert "downloading.py" in frames
    assert SIGNATURE not in frames


@pytest.mark.parametrize("status", [200, 400, 500])
def test_no_frame_holds_the_body_of_an_answer(world: World, status: int) -> None:
    """What the service answers may bear links and tokens: errors keep it as `body`, tracebacks do not show it."""
    body = {"error": "no", "artifacts": [{"url": LINK}], "replyUrl": LINK}
    client = world.scripted(lambda request: httpx.Response(status, json=body), max_retries=0)
    for act in (
        lambda: client.tasks.retrieve(TASK),
        lambda: client.video_to_video.create(asset_id="a", text_prompt="x"),
        lambda: client.assets.upload(Path(__file__), name="a.mp4"),
    ):
        try:
            act()  # a task that shows no id is a task
        except errors.UseapiError as error:
            frames = frames_of(error)
            assert "drivers.py" in frames
            assert SIGNATURE not in frames


def test_a_proxy_that_cannot_be_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """In no frame of the error either."""
    for value in (f"http://user:{SIGNATURE}@proxy.test:port", f"socks5://user:{SIGNATURE}@proxy.test:1"):
        monkeypatch.setenv("HTTPS_PROXY", value)
        for kind in (useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient):
            with pytest.raises(errors.ParameterError) as caught:
                kind(TOKEN)
            assert SIGNATURE not in frames_of(caught.value) + str(caught.value)


LOGGERS = ["httpx", "httpcore.http11", "httpcore.http2", "httpcore.connection", "httpcore.proxy", "httpcore.socks"]
SILENT = ["hpack.hpack", "hpack.table", "h2.connection"]


@pytest.mark.parametrize("name", [*LOGGERS, *SILENT])
def test_what_other_libraries_log_of_our_requests_has_no_secret(
    world: World, caplog: pytest.LogCaptureFixture, name: str, tmp_path: Path
) -> None:
    """Headers that an HTTP/2 library or a proxy's connection prints: the token and passwords are left out, or the whole record."""
    caplog.set_level(logging.DEBUG)
    task = {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": LINK}]}

    def handler(request: httpx.Request) -> httpx.Response:
        headers = [*request.headers.raw, (b"Proxy-Authorization", b"Basic " + SIGNATURE.encode())]
        logging.getLogger(name).debug("Adding %s for %s", headers, request.url)
        return httpx.Response(200, json=task) if request.url.host != "cdn.test" else httpx.Response(200, content=b"v")

    world.scripted(handler).tasks.download(TASK, tmp_path / "a.mp4")
    assert SECRET not in caplog.text
    assert SIGNATURE not in caplog.text
    assert ("Adding" in caplog.text) == (name in LOGGERS)
    logging.getLogger(name).debug("mine: Bearer %s", SECRET)
    assert f"mine: Bearer {SECRET}" in caplog.text


def test_nothing_of_a_real_connection_is_logged(world: World, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """With every logger at DEBUG, over real sockets, through the whole way."""
    from useapi_runwayml.simulator import Simulator, SimulatorServer

    caplog.set_level(logging.DEBUG)
    with SimulatorServer(Simulator(token=TOKEN)) as server:
        make: Any = useapi_runwayml.AsyncRunwayClient if world.runner else useapi_runwayml.RunwayClient
        client = Proxy(make(TOKEN, base_url=server.base_url), world.runner)
        with pytest.raises(errors.NotFoundError):
            client.tasks.retrieve(TASK)
        (client.aclose if world.runner else client.close)()
    assert "receive_response_headers" in caplog.text
    assert SECRET not in caplog.text


class Enough(BaseException):
    """Ctrl-C, wherever it comes."""


def test_an_interrupted_download_shows_no_secret_of_its_link(world: World, tmp_path: Path) -> None:
    """Crash reporters send the frames of what ended it too."""
    task = {"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": LINK}]}

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.host == "cdn.test":
            raise Enough
        return httpx.Response(200, json=task)

    with pytest.raises(Enough) as caught:
        world.scripted(handler).tasks.download(TASK, tmp_path / "a.mp4")
    frames = frames_of(caught.value)
    assert "drivers.py" in frames
    assert SIGNATURE not in frames


def test_an_error_of_a_batch_shows_neither_token_nor_password(tmp_path: Path) -> None:
    """In the frames of what is wrong with its arguments, and of a plan that makes a client."""
    password = f"p%40{SIGNATURE}"
    url = f"postgresql://user:{password}@host/name"
    makes: list[Any] = [
        lambda: Batch([], project=tmp_path / "p", token=TOKEN, max_jobs=0),
        lambda: Batch([], project=tmp_path / "p", token=TOKEN, database=url),
        lambda: Batch(
            [{"video": "user:1-runwayml:a@b.test-asset:1", "prompt": "x"}],
            project=tmp_path / "p",
            token=TOKEN,
            base_url="ftp://x",
        ).plan(),
    ]
    for make in makes:
        with pytest.raises(errors.ParameterError) as caught:
            make()
        frames = frames_of(caught.value)
        assert "batches.py" in frames
        assert SECRET not in frames
        assert SIGNATURE not in frames


def test_an_error_of_a_signer_shows_no_secret() -> None:
    """Whoever has one can forge callbacks."""
    with pytest.raises(errors.ParameterError) as caught:
        ReplyUrlSigner([SIGNATURE * 3, SIGNATURE * 4], "no-address")
    assert "signing.py" in frames_of(caught.value)
    assert SIGNATURE not in frames_of(caught.value)


def test_an_error_of_a_token_function_shows_no_secret(world: World) -> None:
    """Its frames have what it knows, and so have those of what was raised before it."""

    def vault() -> str:
        known = {"token": TOKEN}
        try:
            return known[TOKEN]
        except KeyError as error:
            raise LookupError("it is not there") from error

    with pytest.raises(errors.APIConnectionError) as caught:
        world.scripted(lambda request: httpx.Response(200), token=vault, max_retries=0).tasks.retrieve(TASK)
    assert isinstance(caught.value.__cause__, LookupError)
    assert SECRET not in frames_of(caught.value)


def test_a_token_function_that_fails_is_an_outage(world: World) -> None:
    """Nothing is sent, and it is asked again; a create whose answer was lost stays unknown, and is no connection error of somebody's."""
    asked: list[str] = []
    posts: list[str] = []

    def vault() -> str:
        asked.append("x")
        if len(asked) in (1, 3):
            raise ConnectionError(f"the vault is away: {TOKEN}")
        return TOKEN

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            posts.append(request.url.path)
            raise httpx.ReadError("broken", request=request)
        return httpx.Response(200, json=[])

    client = world.scripted(handler, token=vault)
    with pytest.raises(errors.SubmissionUnknownError):
        client.video_to_video.create(asset_id="user:1-runwayml:a@b.test-asset:1", text_prompt="x")
    assert len(posts) == 1
    assert len(asked) > 3
    away = world.scripted(handler, token=lambda: {}["no such key"], max_retries=0)  # type: ignore[arg-type]
    with pytest.raises(
        errors.APIConnectionError, match=r"the token's function failed \(KeyError: 'no such key'\); nothing was sent"
    ) as caught:
        away.tasks.retrieve(TASK)
    assert not caught.value.maybe_sent
    assert caught.value.task_id == TASK
    assert isinstance(caught.value.__cause__, KeyError)
