"""What all tests share: no network but the loopback, and one client that is the blocking or the awaiting one in turn."""

from __future__ import annotations

import asyncio
import functools
import inspect
import ipaddress
import logging
import os
import signal
import socket
import ssl
import subprocess
import sys
import sysconfig
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from httpx._transports import default

import useapi_runwayml
from useapi_runwayml.simulator import ManualClock, Simulator, SimulatorTransport

from .media import clip

if TYPE_CHECKING:
    from useapi_runwayml.batch.journal import Journal

    from .postgres import Postgres

TOKEN = "user:4242-s3cr3tT0k3n"
BASE_URL = "http://runway.simulator/v1/runwayml"
MP4 = clip()
ROOT = Path(__file__).resolve().parent.parent
MODULES = (ROOT / "src", ROOT / "generated", *map(sysconfig.get_path, ("stdlib", "purelib")))
"""Below which Python finds all that is imported."""
STRICT = (
    "-W",
    "error",
    *(
        word
        for each in MODULES
        for word in ("-W", f"ignore:unclosed file <_io.BufferedReader name='{each}:ResourceWarning")
    ),
)
"""For a process that is to hear signals: warnings are errors, but for the file of a module that Python is reading as one comes."""
_make_context = default.create_ssl_context


@functools.cache
def _context_of(trust_env: bool, *environment: str | None) -> ssl.SSLContext:
    return _make_context(trust_env=trust_env)


def shared_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
    """One for all clients of the tests: to read what a system trusts takes longer than most of them."""
    if verify is not True or cert is not None:
        return _make_context(verify, cert, trust_env)
    return _context_of(trust_env, *map(os.environ.get, ("SSL_CERT_FILE", "SSL_CERT_DIR")))


default.create_ssl_context = shared_context


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0]).is_loopback:
            raise RuntimeError(f"a test wanted to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in ("USEAPI_TOKEN", "USEAPI_RUNWAYML_BASE_URL", "USEAPI_RUNWAYML_LOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def own_logs() -> Iterator[None]:
    """The command line and USEAPI_RUNWAYML_LOG set logging up for a process of their own; here other tests come after."""
    loggers = [logging.getLogger(), logging.getLogger("useapi_runwayml")]
    before = [(each.level, [*each.handlers]) for each in loggers]
    yield
    for each, (level, handlers) in zip(loggers, before, strict=True):
        each.setLevel(level)
        each.handlers[:] = handlers
    if output := sys.modules.get("useapi_runwayml.cli.output"):
        output.use_json(False)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """No test finds what another has uploaded, or what whoever runs the tests has."""
    folder = tmp_path_factory.getbasetemp() / "caches" / uuid.uuid4().hex
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(folder))
    return folder


_spawned: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def own_processes() -> Iterator[None]:
    """A test that fails leaves none of its processes, and none of their pipes, to those that come after it."""
    yield
    while _spawned:
        with _spawned.pop() as process:
            process.kill()


def hear() -> None:
    """In a process that begins: it hears Ctrl-C and SIGHUP also where the tests do not, in a shell's background, under nohup."""
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


def spawn(command: Sequence[str], **more: Any) -> subprocess.Popen[str]:
    """A process whose output is read as text, that hears as a user's does, and that ends with its test."""
    hears: dict[str, Any] = {} if os.name == "nt" else {"preexec_fn": hear}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process: subprocess.Popen[str] = subprocess.Popen(command, text=True, **{**pipes, **hears, **more})
    _spawned.append(process)
    return process


async def soon(condition: Callable[[], bool]) -> None:
    """Waits until it is so."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    pytest.fail("it never came to that")


class Proxy:
    """Calls the methods of a client or a resource, and waits for what has to be awaited."""

    def __init__(self, target: Any, runner: asyncio.Runner | None) -> None:
        self._target = target
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if inspect.ismethod(found):
            return lambda *args, **kwargs: self._settle(found, args, kwargs)
        return Proxy(found, self._runner)

    def _settle(self, method: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if self._runner is None:
            return method(*args, **kwargs)

        async def call() -> Any:
            result = method(*args, **kwargs)
            return await result if inspect.isawaitable(result) else result

        result = self._runner.run(call())
        return self._drain(result) if isinstance(result, AsyncIterator) else result

    def _drain(self, source: AsyncIterator[Any]) -> Iterator[Any]:
        return Drained(source, self._runner)


class Drained:
    """An async iterator as a plain one."""

    def __init__(self, source: AsyncIterator[Any], runner: Any) -> None:
        self._source = source
        self._runner = runner

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        async def step() -> Any:
            try:
                return await anext(self._source), False
            except StopAsyncIteration:
                return None, True

        value, over = self._runner.run(step())
        if over:
            raise StopIteration
        return value


class World:
    """A simulated service, its clock, and clients of it: blocking ones, or awaiting ones that are made to look so."""

    def __init__(self, kind: str, clock: ManualClock) -> None:
        self.kind = kind
        self.clock = clock
        self.sim = Simulator()
        self.sim.clock = clock
        self.faults = self.sim.faults
        self.runner = asyncio.Runner() if kind == "async" else None

    def transport(self) -> SimulatorTransport:
        return SimulatorTransport(self.sim)

    def http_client(self, transport: Any, **settings: Any) -> Any:
        return (httpx.AsyncClient if self.runner else httpx.Client)(transport=transport, **settings)

    def client(self, transport: Any = None, *, http_client: Any = None, **settings: Any) -> Any:
        """A client of the simulated service, or of another transport."""
        if http_client is None:
            http_client = self.http_client(transport or self.transport())
        make = useapi_runwayml.AsyncRunwayClient if self.runner else useapi_runwayml.RunwayClient
        client = make(settings.pop("token", TOKEN), base_url=BASE_URL, http_client=http_client, **settings)
        client._use_clock(self.clock)
        return Proxy(client, self.runner)

    def scripted(self, handler: Callable[[httpx.Request], httpx.Response], **settings: Any) -> Any:
        """A client whose requests a function answers."""
        return self.client(httpx.MockTransport(handler), **settings)

    def asset(self, *, content: bytes = MP4, email: str = "maker@example.com", media_type: str = "video/mp4") -> str:
        """An asset that is there without a request."""
        from useapi_runwayml.simulator.state import Asset
        from useapi_runwayml.simulator.wire import Blob

        asset = Asset(
            self.sim.state.new_id(email, "asset"), email, "clip.mp4", media_type, self.clock.now(), Blob([content])
        )
        self.sim.state.assets[asset.asset_id] = asset
        self.sim.state.blobs[asset.asset_id] = (asset.blob, media_type)
        return asset.asset_id

    def calls(self, operation: str) -> int:
        """How many requests of an operation reached the service."""
        return sum(seen.operation == operation for seen in self.sim.requests)

    def close(self) -> None:
        if self.runner:
            self.runner.close()


@pytest.fixture(params=["sync", "async"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The same scenario for the blocking and for the awaiting client."""
    made = World(request.param, ManualClock())
    yield made
    made.close()


@pytest.fixture
def clip(tmp_path: Any) -> Any:
    """A file that begins as an MP4 does."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(MP4)
    return path


@pytest.fixture
def unreadable_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulator in this process whose tasks answer 404 for their first minute, to whoever asks for one alone."""
    from useapi_runwayml.simulator import operations

    found = operations._task

    def late(sim: Any, task_id: str, now: float) -> Any:
        task = found(sim, task_id, now)
        is_new = getattr(task, "created", now - 60) > now - 60
        return operations.error_answer(404, "Not found.") if is_new else task

    monkeypatch.setattr(operations, "_task", late)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL of the tests' own."""
    from .postgres import running

    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """A journal without a batch, in a folder, and in a database."""
    from useapi_runwayml.batch.journal import Journal
    from useapi_runwayml.batch.places import Database, Folder

    if request.param == "sqlite":
        made = Journal(Folder(tmp_path), tmp_path)
        made.prepare()
    else:
        made = Journal(Database.of(request.getfixturevalue("postgres").prepared(), "b"), tmp_path)
    yield made
    made.close()
