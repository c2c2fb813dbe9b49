"""Connections that idle between two requests: used again while they live, and never once the other side has closed them."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from useapi_runwayml import AsyncRunwayClient, RunwayClient
from useapi_runwayml._io.network import _has_news

from .conftest import TOKEN
from .listening import Listening

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"


class Host(Listening):
    """Answers so many requests on each connection, then closes it without a word, or resets it."""

    def __init__(self, most: int, resets: bool) -> None:
        self.most, self.resets, self.asked = most, resets, list[int]()
        self.closed = threading.Event()
        super().__init__()

    def take(self, connection: socket.socket) -> None:
        self.asked.append(0)
        with connection:
            for _ in range(self.most):
                if not connection.recv(65_536):
                    break
                # before the answer: whoever has that may look at once
                self.asked[-1] += 1
                connection.sendall(ANSWER)
            if self.resets:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.closed.set()


@pytest.fixture(params=[(1, False), (1, True), (3, False)], ids=["closed", "reset", "kept"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    made = Host(*request.param)
    yield made
    made.close()


def test_a_connection_that_was_closed_meanwhile_is_not_used(host: Host) -> None:
    """What is sent next goes over a new one, at the first try; over the same one as long as it is there."""
    with RunwayClient(TOKEN, base_url=host.url, max_retries=0) as client:
        for _ in range(3):
            host.closed.clear()
            assert client.scheduler.list() == []
            assert host.most > 1 or host.closed.wait(10)
    assert host.asked == ([3] if host.most > 1 else [1, 1, 1])


def test_a_connection_that_was_closed_meanwhile_is_not_used_by_those_who_await(host: Host) -> None:
    """The same, also where the event loop has had the time to notice, and where it has not."""

    async def scene(pause: float) -> None:
        async with AsyncRunwayClient(TOKEN, base_url=host.url, max_retries=0) as client:
            for _ in range(3):
                host.closed.clear()
                assert await client.scheduler.list() == []
                assert host.most > 1 or host.closed.wait(10)
                await asyncio.sleep(pause)

    for pause in (0, 0.02):
        host.asked.clear()
        asyncio.run(scene(pause))
        assert host.asked == ([3] if host.most > 1 else [1, 1, 1])


@pytest.mark.skipif(not hasattr(select, "poll"), reason="this system has none, and is asked by anyio")
def test_a_socket_that_is_gone_has_news() -> None:
    """Its end: whoever would write into it must not."""
    here, there = socket.socketpair()
    assert not _has_news(here)
    there.close()
    assert _has_news(here)
    here.close()
    assert _has_news(here)
