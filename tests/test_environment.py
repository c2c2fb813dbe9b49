"""Odd surroundings: what cannot be followed is told when the client is made, by the name of the variable, and without its secrets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import useapi_runwayml
from useapi_runwayml import errors

from .conftest import BASE_URL, TOKEN, World
from .lines import Network, Said, answer, runway

KINDS = (useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient)
NAMES = [
    spelled
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
    for spelled in (name, name.lower())
]
PASSWORD = "s3cr3t-of-the-proxy"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def refused(**settings: Any) -> errors.ParameterError:
    """The error that both clients raise."""
    settings = {"token": TOKEN, **settings}
    found = []
    for kind in KINDS:
        with pytest.raises(errors.ParameterError) as caught:
            kind(**settings)
        found.append(caught.value)
    assert str(found[0]) == str(found[1])
    assert PASSWORD not in repr(found) + str(found[0])
    return found[0]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("NO_PROXY", "::1/128", "without a range"),
        ("no_proxy", "localhost,10.0.0.1,::1/128", "without a range"),
        ("HTTPS_PROXY", f"socks5://user:{PASSWORD}@127.0.0.1:1080", "socksio"),
        ("ALL_PROXY", "socks5h://127.0.0.1:1080", "socksio"),
        ("HTTP_PROXY", f"http://user:{PASSWORD}@proxy.test:port", "its port is no number"),
        ("https_proxy", "http://proxy.test:99999999", "its port is no number"),
        ("https_proxy", f"ftp://user:{PASSWORD}@proxy.test", "no URL of a proxy"),
        ("all_proxy", "http://[half", "no URL of a proxy"),
        ("HTTP_PROXY", "http://:8080", "no URL of a proxy"),
        ("http_proxy", "proxy.test:0", "its port is no number"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "no file of certificates: No such file"),
        ("SSL_CERT_FILE", __file__, "no file of certificates"),
    ],
)
def test_a_variable_that_cannot_be_followed_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    """Not a bare exception of httpx, ssl or an import."""
    monkeypatch.setenv(name, value)
    (problem,) = refused(base_url="https://api.test").problems
    assert problem.field == name
    assert told in str(problem)


def test_what_nobody_can_explain_is_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of httpx in whose variables nothing is wrong is one of ours, with its text."""

    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError("some setting")

    for kind in ("Client", "AsyncClient"):
        monkeypatch.setattr(f"useapi_runwayml._io.drivers.httpx.{kind}.__init__", fail)
    for make in KINDS:
        with pytest.raises(errors.UseapiError, match="some setting"):
            make(TOKEN, base_url=BASE_URL)


class Elsewhere(BaseHTTPRequestHandler):
    """A proxy that nobody should ask."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_: object) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]


@pytest.fixture
def servers() -> Iterator[list[Any]]:
    found = []
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        server: Any = ThreadingHTTPServer((address, 0), Elsewhere)
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found.append(server)
    yield found
    for server in found:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("name", ["HTTP_PROXY", "ALL_PROXY"])
def test_this_machine_is_never_asked_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, servers: list[Any], name: str, number: int
) -> None:
    """A simulator on the loopback answers itself, whatever the environment says of proxies."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{servers[2].server_port}")
    address, port = servers[number].server_address
    with useapi_runwayml.RunwayClient(TOKEN, base_url=f"http://{address}:{port}") as client:
        assert client.scheduler.list() == []
    assert len(servers[number].asked) == 1
    assert not servers[2].asked


def test_other_machines_are_asked_through_the_proxy(monkeypatch: pytest.MonkeyPatch, servers: list[Any]) -> None:
    """As the environment says."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{servers[2].server_port}")
    with useapi_runwayml.RunwayClient(TOKEN, base_url="http://api.test/v1") as client:
        assert client.scheduler.list() == []
    assert servers[2].asked == ["http://api.test/v1/scheduler/"]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://host.test:port", "port"),
        ("http://host.test:0", "port"),
        ("http://host.test:70000", "port"),
        ("http://user:pw@host.test", "user or a password"),
        ("http://user@host.test", "user or a password"),
        ("http://:pw@host.test:port", "port"),
        ("http://", "http or https"),
        ("//host.test", "http or https"),
        ("file:///etc/passwd", "http or https"),
        ("http://host.test/?", "query"),
        ("http://host.test/#", "query"),
        ("http://host.test/a b", "space"),
        ("http://host.test\\\\x", "backslash|no URL"),
        ("http://[::1", "no URL"),
        ("http://a\u0000b", "no URL|space"),
        ("http://xn--\u00fc.test", "no URL"),
        (b"http://host.test", "must be a string"),
        (7, "must be a string"),
    ],
)
@pytest.mark.parametrize("place", ["base_url", "USEAPI_RUNWAYML_BASE_URL"])
def test_an_odd_base_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: Any, told: str, place: str) -> None:
    """By its name, and without the user and the password that stand in it."""
    if place == "base_url":
        error = refused(base_url=url)
    elif isinstance(url, str) and "\u0000" not in url:
        monkeypatch.setenv(place, url)
        error = refused()
    else:
        return
    (problem,) = error.problems
    assert problem.field == place
    assert any(each in problem.rule for each in told.split("|")), problem.rule
    assert "pw" not in str(error)


@pytest.mark.parametrize(
    "url", ["http://host.test:8080/v1/", " https://host.test ", "http://[::1]:80", "http://127.0.0.1"]
)
def test_a_base_url_as_people_write_it_is_taken(url: str) -> None:
    """With a port, an address, spaces around it, or a slash at its end."""
    useapi_runwayml.RunwayClient(TOKEN, base_url=url).close()


@pytest.mark.parametrize("timeout", ["5", -1, float("nan"), True, (1, 2), [1], 10**400, object()])
def test_an_odd_timeout_is_refused(timeout: Any) -> None:
    """Of the client, of its look-up, and of a call."""
    assert refused(timeout=timeout).problems[0].field == "timeout"
    assert refused(lookup_timeout=timeout).problems[0].field == "lookup_timeout"
    with pytest.raises(errors.ParameterError):
        useapi_runwayml.RunwayClient(TOKEN).tasks.retrieve("x", timeout=timeout)


@pytest.mark.parametrize("timeout", [1e7, 10**12, 1e300, float("inf")])
def test_a_very_long_timeout_is_none(world: World, timeout: float) -> None:
    """Longer than a socket can wait at once is no error."""
    network = Network(world.clock, lambda method, path: Said(answer(200, b"[]")))
    for settings in ({"timeout": timeout}, {}):
        client = runway(world, network, **settings)
        assert client.scheduler.list(timeout=None if settings else timeout) == []


def test_a_very_long_timeout_reaches_a_real_socket(servers: list[Any]) -> None:
    """Where the system says what it can wait."""
    url = f"http://127.0.0.1:{servers[0].server_port}"
    for timeout in (1e7, 1e300, float("inf")):
        with useapi_runwayml.RunwayClient(TOKEN, base_url=url, timeout=timeout) as client:
            assert client.scheduler.list() == []


TOKENS = {
    "it has quotes": [
        f'"{TOKEN}"',
        f"'{TOKEN}'",
        f"\u201c{TOKEN}\u201d",
        f"`{TOKEN}`",
        f' "{TOKEN}" ',
        f'"{TOKEN}',
        f'{TOKEN}"',
    ],
    "it begins with USEAPI_TOKEN=": [f"USEAPI_TOKEN={TOKEN}", f"export USEAPI_TOKEN={TOKEN}", f"useapi_token: {TOKEN}"],
    "it is empty": ["", "  ", "\n"],
    "it has a space": [f"Bearer {TOKEN}", f"{TOKEN} {TOKEN}"],
    "no token has": [f"{TOKEN}\u200b", f"\ufeff{TOKEN}", f"{TOKEN}\x00", "user:1\n2"],
}


@pytest.mark.parametrize(("told", "token"), [(told, each) for told, found in TOKENS.items() for each in found])
def test_what_is_no_token_is_told_by_its_place(monkeypatch: pytest.MonkeyPatch, told: str, token: str) -> None:
    """An argument, the variable, or what a function gives: the words say which, and never show it."""
    error = refused(token=token)
    assert [(each.field, told in each.rule) for each in error.problems] == [("token", True)]
    assert TOKEN not in str(error)
    if "\x00" not in token:
        monkeypatch.setenv("USEAPI_TOKEN", token)
        (problem,) = refused(token=None).problems
        assert (problem.field, told in problem.rule) == ("USEAPI_TOKEN", True)
    client = useapi_runwayml.RunwayClient(lambda: token, base_url=BASE_URL)
    with pytest.raises(errors.ParameterError, match="what its function gives") as caught:
        client.scheduler.list()
    assert told in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_file_of_certificates_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that can be followed is."""
    import certifi

    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    monkeypatch.setenv("SSL_CERT_DIR", str(Path(certifi.where()).parent))
    for kind in KINDS:
        kind(TOKEN)


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(
    "url", ["http://api..useapi.net/v1", "https://.useapi.net", f"http://{'a' * 64}.com", "http://xn--zz.example"]
)
def test_a_host_that_is_none_is_refused(make: Any, url: str) -> None:
    """When the client is made: a label is empty, too long, or no name."""
    with pytest.raises(errors.ParameterError, match=r"base_url: .*it is no URL"):
        make(TOKEN, base_url=url)


@pytest.mark.parametrize(
    "url", [f"http://{'a' * 63}.com", "http://useapi.net./v1", "http://[::1]:8/v1", "http://localhost"]
)
def test_a_host_that_may_be_one_is_taken(url: str) -> None:
    """Of the longest label, with a dot at its end, or of numbers."""
    useapi_runwayml.RunwayClient(TOKEN, base_url=url).close()


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("value", ["", " ", "\n", "/", " / "])
def test_an_address_that_is_set_to_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, make: Any, value: str) -> None:
    """It was meant to be a simulator's, and its variable was not set: the service itself would be paid."""
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", value)
    with pytest.raises(errors.ParameterError, match=r"USEAPI_RUNWAYML_BASE_URL: .*it is empty"):
        make(TOKEN)
    with pytest.raises(errors.ParameterError, match=r"^Nothing was sent. base_url: .*it is empty: leave it out"):
        make(TOKEN, base_url=value)
    assert make(TOKEN, base_url=BASE_URL) is not None
