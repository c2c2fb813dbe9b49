"""In-process transports for httpx: the simulator without a socket, with the exceptions that a socket would cause."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl

import httpx

from .clock import Clock, ManualClock
from .service import Simulator
from .wire import Answer, Blob, Request, too_large
from .world import Callback

BUFFERED = 1 << 16
"""A body up to about this size has left before the other side closes: the client then misses only the answer."""


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The body of an answer, cut off where the answer says so."""

    def __init__(self, answer: Answer, clock: Clock, patience: float | None) -> None:
        self._answer = answer
        self._clock = clock
        self._patience = patience

    def __iter__(self) -> Iterator[bytes]:
        chunks = self._answer.chunks() if not self._answer.drip else list(self._answer.chunks())
        pause = self._answer.drip / max(1, len(chunks)) if isinstance(chunks, list) else 0.0
        for chunk in chunks:
            if self._patience is not None and pause > self._patience:
                self._clock.advance(self._patience)
                raise httpx.ReadTimeout("timed out")
            self._clock.advance(pause)
            yield chunk
        if self._answer.breaks == "cut_body":
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body "
                f"(received {self._answer.cut_at} bytes, expected {self._answer.length})"
            )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


class SimulatorTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Hands requests of an httpx.Client or an httpx.AsyncClient to a simulator, on a clock that tests move.

    Callbacks are not posted: `callbacks` has those that became due, in order, until somebody clears it.
    """

    def __init__(self, simulator: Simulator, clock: Clock | None = None) -> None:
        self.simulator = simulator
        self.clock: Clock | ManualClock = clock or simulator.clock or ManualClock()
        self.callbacks: list[Callback] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if broken := self._before(request):
            raise broken
        body = Blob(request.stream)  # type: ignore[arg-type]  # httpx has checked that it is a sync stream
        return self._answer(request, body)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if broken := self._before(request):
            raise broken
        body = Blob()
        async for chunk in request.stream:  # type: ignore[union-attr]  # httpx has checked that it is an async stream
            body.append(chunk)
        return self._answer(request, body)

    def _before(self, request: httpx.Request) -> httpx.TransportError | None:
        answer = self.simulator.before_reading(as_request(request, Blob()), self.clock.now())
        if answer is None:
            return None
        if answer.breaks == "unreachable":
            return httpx.ConnectError("All connection attempts failed", request=request)
        if int(request.headers.get("content-length", "0")) <= BUFFERED:
            return httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        return httpx.ReadError("[Errno 104] Connection reset by peer", request=request)

    def _answer(self, request: httpx.Request, body: Blob) -> httpx.Response:
        given = as_request(request, body)
        given.unread = too_large() if body.size > self.simulator.limit_for(given) else None
        answer = self.simulator.handle(given, self.clock.now())
        self.callbacks += self.simulator.due_callbacks(given.origin, self.clock.now())
        patience = (request.extensions.get("timeout") or {}).get("read")
        if patience is not None and answer.delay > patience:
            self.clock.advance(patience)
            raise httpx.ReadTimeout("timed out", request=request)
        self.clock.advance(answer.delay)
        if answer.breaks == "before_answer":
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)
        headers = {**answer.headers, "content-length": str(answer.length)}
        return httpx.Response(answer.status, headers=headers, stream=_Body(answer, self.clock, patience))


def as_request(request: httpx.Request, body: Blob) -> Request:
    """httpx's request as the core's."""
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    headers: dict[str, Any] = {name.lower(): value for name, value in request.headers.items()}
    origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
    return Request(request.method, path, parse_qsl(query, keep_blank_values=True), headers, body, origin)
