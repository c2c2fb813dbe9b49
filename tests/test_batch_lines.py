"""The lines of a batch: no answer that drips holds it up for longer than a call may take."""

from __future__ import annotations

import functools
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from useapi_runwayml import AsyncRunwayClient
from useapi_runwayml.batch import runner
from useapi_runwayml.batch.clock import BatchClock
from useapi_runwayml.batch.ledger import Settings
from useapi_runwayml.simulator import SimulatorTransport

from .listening import Listening
from .test_batch_run import SPEED, make

__all__ = ["make"]

MOST = 300
PAUSE = 0.02


class Dripping(Listening):
    """Its answers come byte by byte, each long before any timeout; it notes how many bytes each connection took."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.over = threading.Event()
        super().__init__()

    def take(self, connection: socket.socket) -> None:
        self.taken.append(0)
        connection.recv(65_536)
        for byte in b"HTTP/1.1 200 OK\r\nX-Dripping: " + b"x" * MOST:
            if self.over.wait(PAUSE):
                return
            connection.send(bytes([byte]))
            self.taken[-1] += 1

    def close(self) -> None:
        self.over.set()
        super().close()


@pytest.fixture
def dripping() -> Iterator[Dripping]:
    server = Dripping()
    yield server
    server.close()


class Stop(Exception):
    """The batch came so far."""


def test_a_head_that_drips_ends_with_its_call(make: Any, monkeypatch: pytest.MonkeyPatch, dripping: Dripping) -> None:
    """The first read of a batch, for whose end all rows wait, lasts no longer than its timeout."""
    batch = make()
    batch.journal.add([batch.job(1)])
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", dripping.url)

    def stop() -> None:
        raise Stop

    def quick(**how: Any) -> AsyncRunwayClient:
        return AsyncRunwayClient(**{**how, "timeout": 0.3, "max_retries": 0})

    with pytest.raises(Stop):
        runner.run(batch.journal, Settings(), client=quick, go_on=stop)
    assert 1 < dripping.taken[0] < MOST / 4


@pytest.mark.slow
def test_a_delete_that_drips_ends_with_its_call(make: Any, monkeypatch: pytest.MonkeyPatch, dripping: Dripping) -> None:
    """What deletes the uploads once all rows are done is held to its time as well; the batch is done all the same."""

    class Led(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_with(host="127.0.0.1", port=httpx.URL(dripping.url).port)
            return await super().handle_async_request(request)

    batch = make()
    batch.journal.add([batch.job(1)])
    monkeypatch.setattr(runner, "TIMEOUT", 0.3)
    transports = iter([SimulatorTransport(batch.sim, batch.clock), Led()])
    (ended,) = runner.run(
        batch.journal,
        Settings(delete_assets=True, poll_interval=2.0),
        clock=BatchClock(SPEED),
        http_client=lambda **how: httpx.AsyncClient(transport=next(transports), **how),
        client=functools.partial(AsyncRunwayClient, max_retries=0),
    )
    assert (ended.state, len(dripping.taken)) == ("done", 1)
    assert 1 < dripping.taken[0] < MOST / 4


def test_a_batch_keeps_no_cookies(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the service wants to be kept goes to no other call."""
    batch = make()
    batch.journal.add([batch.job(1)])
    sent: list[str | None] = []

    class Baking(SimulatorTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            sent.append(request.headers.get("cookie"))
            found = await super().handle_async_request(request)
            found.headers["set-cookie"] = "a=b; Path=/"
            return found

    runner.run(
        batch.journal,
        Settings(poll_interval=2.0),
        clock=BatchClock(SPEED),
        http_client=lambda **how: httpx.AsyncClient(transport=Baking(batch.sim, batch.clock), **how),
    )
    assert len(sent) > 3
    assert set(sent) == {None}


def test_a_call_has_its_time_by_the_machine(make: Any) -> None:
    """Where a batch's clock runs faster, beside a simulator, an answer has a minute of the machine's all the same."""
    batch, timeouts = make(), list[float]()

    def noting(**how: Any) -> AsyncRunwayClient:
        timeouts.append(how["timeout"])
        raise Stop

    for speed in (1, 200):
        with pytest.raises(Stop):
            runner.run(batch.journal, Settings(), clock=BatchClock(speed), client=noting)
    assert timeouts == [60, 12_000]
