"""The network under a client of ours: each read and write lasts no longer than the whole request may, however slowly a line drips."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import httpcore
import httpx

from . import environment
from .limits import current
from .timeouts import LONGEST

PIECE = 1 << 16
MANY, FEW = 1 << 18, 1 << 14
"""Bytes of one read once FEW of them were there: a file comes in fewer pieces, and an answer costs no more than it has. It stays so as
long as FEW are there: to ask for a little after each read that was not full lets the system hold the window of a fast line small."""


C = TypeVar("C", bound=httpx.Client | httpx.AsyncClient)


class _NoCookies(httpx.Cookies):
    """Keeps none: our requests are told apart by their token, and send none."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


def client_of_ours(kind: Callable[..., C], base_url: str, connecting: Mapping[str, Any]) -> C:
    """A client that keeps no cookies, and whose requests are held to their limits."""
    past_proxies = {}
    if (
        "proxy" not in connecting
    ):  # a proxy that was asked for is asked for everything, and the environment's for nothing
        environment.check()
        past_proxies = environment.past_proxies(base_url)
    try:
        made = kind(mounts=past_proxies, **connecting)
    except (OSError, ValueError, ImportError, httpx.InvalidURL) as error:
        raise environment.blame(error) from None
    make_ours(made)
    return made


def make_ours(client: Any) -> None:
    """From now on a new client keeps no cookies, and its transports, those through proxies among them, hold the limits of their requests."""
    client._cookies = _NoCookies()
    wrap = _Backend if isinstance(client, httpx.Client) else _AsyncBackend
    for transport in (client._transport, *client._mounts.values()):
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = wrap(pool._network_backend)


class _Piece:
    """One operation: the seconds that it may take, and a count of what it moved. One that comes too late gets its own error, with the reason."""

    __slots__ = ("_begun", "_is_cut", "_late", "_limits", "timeout")

    def __init__(self, timeout: float | None, late: type[Exception], *, writes: bool) -> None:
        self._limits = limits = current()
        self._late = late
        self._is_cut = False
        self.timeout = timeout
        if limits is not None:
            left = limits.left(writes=writes)
            if left <= 0:
                raise late(limits.reason())
            self._begun = limits.now()
            if left < LONGEST and (timeout is None or left < timeout):
                self._is_cut, self.timeout = True, left

    def moved(self, size: int) -> None:
        if self._limits is not None:
            self._limits.took(self._begun, size)

    def __enter__(self) -> _Piece:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_cut and self._limits is not None and isinstance(error, self._late):
            raise self._late(self._limits.reason()) from None


class _Stream(httpcore.NetworkStream):
    """A connection."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._most = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _Piece(timeout, httpcore.ReadTimeout, writes=False) as piece:
            found = self._stream.read(max(max_bytes, self._most), piece.timeout)
            piece.moved(len(found))
            self._most = MANY if len(found) >= FEW else 0
            return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            with _Piece(timeout, httpcore.WriteTimeout, writes=True) as piece:
                part = buffer[start : start + PIECE]
                self._stream.write(part, piece.timeout)
                piece.moved(len(part))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        with _Piece(timeout, httpcore.ConnectTimeout, writes=True) as piece:
            return _Stream(self._stream.start_tls(ssl_context, server_hostname, piece.timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _AsyncStream(httpcore.AsyncNetworkStream):
    """A connection, awaited."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._socket: Any = stream.get_extra_info("socket") if hasattr(select, "poll") else None
        self._most = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _Piece(timeout, httpcore.ReadTimeout, writes=False) as piece:
            found = await self._stream.read(max(max_bytes, self._most), piece.timeout)
            piece.moved(len(found))
            self._most = MANY if len(found) >= FEW else 0
            return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            with _Piece(timeout, httpcore.WriteTimeout, writes=True) as piece:
                part = buffer[start : start + PIECE]
                await self._stream.write(part, piece.timeout)
                piece.moved(len(part))

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        with _Piece(timeout, httpcore.ConnectTimeout, writes=True) as piece:
            return _AsyncStream(await self._stream.start_tls(ssl_context, server_hostname, piece.timeout))

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable" and self._socket is not None:
            return _has_news(self._socket)
        return self._stream.get_extra_info(info)


def _has_news(socket: Any) -> bool:
    """Whether there is something to read, or the end. Each request asks that of each idle connection, and anyio looks for its socket anew each time."""
    if socket.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(socket.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _addresses(host: str, port: int) -> list[str]:
    """Those of a name, looked up once. ConnectError where it has none, and for what is no name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: a label of it is empty, or too long
        raise httpcore.ConnectError(str(error)) from None
    return list(dict.fromkeys(_text(address) for *_, address in found)) or [host]


def _text(address: Sequence[Any]) -> str:
    """Of IPv6 with its scope, if it has one: without it an address of the same link cannot be reached."""
    scope = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in str(address[0]) else str(address[0])


class _Backend(httpcore.NetworkBackend):
    """Makes connections."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend
        self._look_up = _addresses

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        with _Piece(timeout, httpcore.ConnectTimeout, writes=True) as piece:
            until = None if piece.timeout is None else time.monotonic() + piece.timeout
            addresses = self._look_up(host, port)
            while True:
                if until is not None and time.monotonic() >= until:
                    raise httpcore.ConnectTimeout(f"{host} was looked up for as long as it all may take")
                # each has its share of what is left: the socket module would give the whole to each in turn
                share = None if until is None else max(0.0, until - time.monotonic()) / len(addresses)
                try:
                    return _Stream(
                        self._backend.connect_tcp(addresses.pop(0), port, share, local_address, socket_options)
                    )
                except (httpcore.ConnectError, httpcore.ConnectTimeout):
                    if not addresses:
                        raise


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    """Makes connections, awaited."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        with _Piece(timeout, httpcore.ConnectTimeout, writes=True) as piece:
            return _AsyncStream(
                await self._backend.connect_tcp(host, port, piece.timeout, local_address, socket_options)
            )

    async def sleep(self, seconds: float) -> None:  # pragma: no cover  # for retries of httpcore's own, which are off
        await self._backend.sleep(seconds)
