"""A network that is only pretended: each answer comes over the line in pieces, and each piece takes its time on the test's clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpcore
import httpx

from useapi_runwayml.simulator import ManualClock

from .conftest import BASE_URL, TOKEN, Proxy, World


class Said(NamedTuple):
    """What comes over the line: bytes, so many at once, each piece after so many seconds."""

    content: bytes
    at_once: int = 1 << 20
    pause: float = 0.0


def answer(status: int, body: bytes, *more: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *more, "", ""]
    return "\r\n".join(lines).encode() + body


Handler = Callable[[str, str], Said]


class Line:
    """One connection, for both kinds of clients."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._sent = b""
        self._said = Said(b"")

    def _wait(self, seconds: float, timeout: float | None, late: type[Exception]) -> None:
        clock = self._network.clock
        self._network.timeouts.append(timeout)
        if timeout is not None and seconds > timeout:
            clock.advance(timeout)
            raise late("timed out")
        clock.advance(seconds)

    def _read(self, most: int, timeout: float | None) -> bytes:
        if self._sent:
            head, _, body = self._sent.partition(b"\r\n\r\n")
            method, path, _ = head.decode().split(" ", 2)
            self._network.requests.append((method, path))
            self._network.bodies.append(body)
            self._sent, self._said = b"", self._network.handler(method, path)
        said = self._said
        self._wait(said.pause, timeout, httpcore.ReadTimeout)
        size = min(most, said.at_once)
        self._said = said._replace(content=said.content[size:])
        return said.content[:size]

    def _write(self, buffer: bytes, timeout: float | None) -> None:
        self._wait(len(buffer) / self._network.taken_a_second, timeout, httpcore.WriteTimeout)
        self._sent += buffer

    def get_extra_info(self, info: str) -> Any:
        return None


class SyncLine(Line, httpcore.NetworkStream):
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._read(max_bytes, timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._write(buffer, timeout)

    def close(self) -> None:
        pass


class AsyncLine(Line, httpcore.AsyncNetworkStream):
    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._write(buffer, timeout)

    async def aclose(self) -> None:
        pass


class Network(httpcore.NetworkBackend):
    """What connects."""

    def __init__(self, clock: ManualClock, handler: Handler, *, taken_a_second: float = 1e9) -> None:
        self.clock, self.handler, self.taken_a_second = clock, handler, taken_a_second
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.timeouts: list[float | None] = []
        self.connects_in, self.refuses = 0.0, False

    def connect(self, timeout: float | None) -> None:
        if timeout is not None and self.connects_in > timeout:
            self.clock.advance(timeout)
            raise httpcore.ConnectTimeout("timed out")
        self.clock.advance(self.connects_in)
        if self.refuses:
            raise httpcore.ConnectError("refused")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        self.connect(timeout)
        return SyncLine(self)


class AsyncNetwork(httpcore.AsyncNetworkBackend):
    def __init__(self, network: Network) -> None:
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.AsyncNetworkStream:
        self._network.connect(timeout)
        return AsyncLine(self._network)


def runway(world: World, network: Network, **settings: Any) -> Any:
    """A client with an http client of its own, whose network is the pretended one."""
    import useapi_runwayml

    make = useapi_runwayml.AsyncRunwayClient if world.runner else useapi_runwayml.RunwayClient
    client = make(TOKEN, base_url=BASE_URL, **settings)
    client._use_clock(world.clock)
    found: Any = client._driver._client
    assert isinstance(found, (httpx.Client, httpx.AsyncClient))
    connect_by(found._transport._pool._network_backend, AsyncNetwork(network) if world.runner else network)
    return Proxy(client, world.runner)


def connect_by(backend: Any, network: Any) -> None:
    """Of ours, by this one, which knows each name."""
    backend._backend = network
    backend._look_up = lambda host, port: [host]
