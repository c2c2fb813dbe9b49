"""The simulator as an ASGI app: who is answered, how bodies are read, and how answers go out, whole, late or broken."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

from . import admin, links, live, page
from .clock import Clock
from .hosts import Hosts
from .service import Seen, Simulator
from .wire import SPOOL_LIMIT, Answer, Blob, Request, error_answer, full, too_large

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
log: logging.Logger = logging.getLogger("useapi_runwayml.simulator")
EVENTS = f"{admin.PREFIX}events"
PATIENCE = 20.0
SLOWEST = 1000.0
"""Seconds that any body may take, and bytes a second beyond."""


class SimulatorApp:
    """The ASGI side of a simulator. Latency and slow bodies take real seconds here, whatever the speed of the clock."""

    def __init__(
        self,
        simulator: Simulator,
        clock: Clock,
        hosts: Hosts | None = None,
        origin: str = "",
        chores: Callable[[asyncio.Event], Coroutine[Any, Any, None]] | None = None,
        is_ending: Callable[[], bool] = lambda: False,
    ) -> None:
        self.simulator = simulator
        self.clock = clock
        self._chores = chores
        self._hosts = hosts or Hosts()
        self._origin = origin
        self._is_ending = is_ending
        self._bodies: list[Blob] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            await send({"type": "websocket.close"})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Beside the answers it sends the callbacks that are due, and keeps the state file up to date."""
        await receive()
        stop = asyncio.Event()
        chores = asyncio.create_task(self._chores(stop)) if self._chores else None
        await send({"type": "lifespan.startup.complete"})
        await receive()
        stop.set()
        if chores is not None:
            await chores
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        request = _head(scope, self._origin)
        seen: Seen | None = None
        answer = (
            self._turned_away(request)
            or self._of_ours(request)
            or self.simulator.before_reading(request, self.clock.now())
        )
        if answer is None and (request.method, request.path) == ("GET", EVENTS):
            await self._stream(receive, send)
            return
        if answer is None:
            try:
                self._bodies.append(request.body)
                if not await self._read(request, receive):
                    return
                answer = self._steering(request)
                if answer is None:
                    with self.simulator.lock:
                        answer = self.simulator.handle(request, self.clock.now())
                        seen = self.simulator.requests[-1]
            except OSError as error:
                answer = error_answer(507, f"The simulator cannot keep this: {error.strerror or error}")
            finally:
                self._bodies.remove(request.body)
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.breaks in ("before_read", "before_answer", "unreachable"):
            _hang_up(receive)
        else:
            await self._send(answer, request, receive, send)
        told, took = answer.breaks.replace("_", " ") or str(answer.status), (time.perf_counter() - begun) * 1000
        if seen is not None:
            seen.milliseconds = round(took, 2)
        log.info("%s %s -> %s in %.0f ms", request.method, request.path, told, took)

    async def _stream(self, receive: Receive, send: Send) -> None:
        """What happens, to whoever looks on, until they go away or the server ends."""
        headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await receive()  # the request, which has no body
        gone = asyncio.ensure_future(receive())
        told = live.events(self.simulator, self.clock, lambda: self._is_ending() or gone.done())
        async for each in told:
            await send({"type": "http.response.body", "body": each, "more_body": True})
        gone.cancel()
        await send({"type": "http.response.body", "body": b""})

    def _turned_away(self, request: Request) -> Answer | None:
        """By a name that leads here all the same, or across from its own, a page on another site could read and steer everything."""
        refused = None
        if not self._hosts.allows(request.headers.get("host", "")):
            told = "This simulator is not served under that name: ask for localhost, or begin it with --allow-host NAME"
            refused = error_answer(421, told)
        elif _is_steering(request) and request.headers.get("origin", request.site) != request.site:
            refused = error_answer(403, "Other web pages may not steer the simulator")
        request.unread = refused
        return refused

    def _of_ours(self, request: Request) -> Answer | None:
        if request.method not in ("GET", "HEAD"):
            return None
        return links.view(self.simulator, request) if request.path.startswith(links.VIEW) else page.serve(request.path)

    def _steering(self, request: Request) -> Answer | None:
        if not _is_steering(request):
            return None
        return request.unread or admin.handle(self.simulator, self.clock, request)

    async def _read(self, request: Request, receive: Receive) -> bool:
        """Whether the whole body came; a client that goes away in the middle of it has sent nothing."""
        if not request.headers.keys() & {"content-length", "transfer-encoding"}:
            return True  # without either there is no body
        limit, begun = self.simulator.limit_for(request), time.monotonic()
        while True:
            patience = begun + PATIENCE + request.body.size / SLOWEST - time.monotonic()
            try:
                async with asyncio.timeout(max(0.0, patience)):
                    message = await receive()
            except TimeoutError:
                request.unread = error_answer(408, "The body came too slowly")
                return True
            if message["type"] == "http.disconnect":
                return False
            if request.body.size + len(message.get("body", b"")) > limit:
                request.unread = too_large()
                return True
            request.body.append(message.get("body", b""))
            if request.body.size > SPOOL_LIMIT and sum(body.size for body in self._bodies) > self.simulator.room():
                request.unread = full()
                return True
            if not message.get("more_body", False):
                return True

    async def _send(self, answer: Answer, request: Request, receive: Receive, send: Send) -> None:
        headers = {**answer.headers, "content-length": str(answer.length)}
        if request.unread is not None:
            headers["connection"] = "close"
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        if request.method == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        if answer.is_plain:  # in one piece, which costs half as much
            await send({"type": "http.response.body", "body": answer.body})
            return
        chunks = list(answer.chunks()) if answer.drip else answer.chunks()
        pause = answer.drip / max(1, len(chunks)) if isinstance(chunks, list) else 0.0
        for chunk in chunks:
            await asyncio.sleep(pause)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if answer.breaks == "cut_body":
            _hang_up(receive)
        else:
            await send({"type": "http.response.body", "body": b""})


def _is_steering(request: Request) -> bool:
    return request.path.startswith(admin.PREFIX) and not request.path.startswith(links.PREFIX)


def _head(scope: Scope, origin: str) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    raw_path = scope.get("raw_path") or scope["path"].encode()
    site = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    return Request(scope["method"], raw_path.decode("latin-1"), query, headers, Blob(), origin or site, site)


def _hang_up(receive: Receive) -> None:
    """Closes the connection without a word, which ASGI has no message for: uvicorn's own transport does it."""
    cycle: Any = getattr(receive, "__self__", None)
    cycle.transport.close()
    cycle.disconnected = True
