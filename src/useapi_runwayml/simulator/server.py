"""The simulator over HTTP: an ASGI app on uvicorn, on the loopback unless told otherwise."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import uvicorn

from . import admin, links, page
from .chores import do_chores
from .clock import Clock, RunningClock
from .hosts import Hosts
from .persist import StateFile
from .service import Simulator
from .wire import Answer, Blob, Request, error_answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
log = logging.getLogger("useapi_runwayml.simulator")
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
    ) -> None:
        self.simulator = simulator
        self.clock = clock
        self._chores = chores
        self._hosts = hosts or Hosts()
        self._origin = origin

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
        answer = (
            self._turned_away(request)
            or self._of_ours(request)
            or self.simulator.before_reading(request, self.clock.now())
        )
        if answer is None:
            try:
                if not await self._read(request, receive):
                    return
                answer = _late(request) or self._steering(request) or self.simulator.handle(request, self.clock.now())
            except OSError as error:
                answer = error_answer(507, f"The simulator cannot keep this: {error.strerror or error}")
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.breaks in ("before_read", "before_answer", "unreachable"):
            await _hang_up(receive)
        else:
            await self._send(answer, request, receive, send)
        told = answer.breaks.replace("_", " ") or str(answer.status)
        log.info("%s %s -> %s in %.0f ms", request.method, request.path, told, (time.perf_counter() - begun) * 1000)

    def _turned_away(self, request: Request) -> Answer | None:
        """By a name that leads here all the same, a page on another site could read and steer everything."""
        if self._hosts.allows(request.headers.get("host", "")):
            return None
        request.too_large = True  # none of it is read
        told = "This simulator is not served under that name: ask for localhost, or begin it with --allow-host NAME"
        return error_answer(421, told)

    def _of_ours(self, request: Request) -> Answer | None:
        if request.path == "/" and request.method in ("GET", "HEAD"):
            return page.render(self.simulator, self.clock.now())
        return None

    def _steering(self, request: Request) -> Answer | None:
        if request.path.startswith(admin.PREFIX) and not request.path.startswith(links.PREFIX):
            return admin.handle(self.simulator, self.clock, request)
        return None

    async def _read(self, request: Request, receive: Receive) -> bool:
        """Whether the whole body came; a client that goes away in the middle of it has sent nothing."""
        if not request.headers.keys() & {"content-length", "transfer-encoding"}:
            return True  # without either there is no body
        limit, begun = self.simulator.limit_for(request), time.monotonic()
        while True:
            patience = begun + PATIENCE + request.body.size / SLOWEST - time.monotonic()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, patience))
            except TimeoutError:
                request.too_slow = True
                return True
            if message["type"] == "http.disconnect":
                return False
            if request.body.size + len(message.get("body", b"")) > limit:
                request.too_large = True
                return True
            request.body.append(message.get("body", b""))
            if not message.get("more_body", False):
                return True

    async def _send(self, answer: Answer, request: Request, receive: Receive, send: Send) -> None:
        headers = {**answer.headers, "content-length": str(answer.length)}
        if request.too_large or request.too_slow:
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
            await _hang_up(receive)
        else:
            await send({"type": "http.response.body", "body": b""})


def _late(request: Request) -> Answer | None:
    return error_answer(408, "The body came too slowly") if request.too_slow else None


def _head(scope: Scope, origin: str) -> Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    raw_path = scope.get("raw_path") or scope["path"].encode()
    site = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    return Request(scope["method"], raw_path.decode("latin-1"), query, headers, Blob(), origin or site, site)


async def _hang_up(receive: Receive) -> None:
    """Closes the connection without a word, which ASGI has no message for: uvicorn's own transport does it."""
    cycle: Any = getattr(receive, "__self__", None)
    cycle.transport.close()
    for _ in range(5):
        await asyncio.sleep(0)
    cycle.disconnected = True


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; OSError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # without the protocol asyncio sets no TCP_NODELAY, and answers wait for an ACK
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(1024)
    except OSError:
        found.close()
        raise
    return found


class SimulatorServer:
    """A simulator on a port of its own, in a thread, for as long as a `with` block lasts."""

    def __init__(
        self,
        simulator: Simulator | None = None,
        *,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        state: Path | None = None,
        allow_hosts: Sequence[str] = (),
    ) -> None:
        self.simulator = simulator or Simulator()
        self.clock = clock or RunningClock()
        self._state_file = StateFile(state) if state is not None else None
        if self._state_file is not None:
            self._state_file.load(self.simulator, self.clock)
        self._socket = bind(host, port)
        shown = f"[{host}]" if ":" in host else host
        self.origin = f"http://{shown}:{self._socket.getsockname()[1]}"
        self.base_url = self.origin + self.simulator.contract.prefix
        hosts = Hosts(host, allow_hosts)
        app = SimulatorApp(
            self.simulator,
            self.clock,
            hosts,
            "" if hosts.is_everywhere else self.origin,
            partial(do_chores, self.simulator, self.clock, self._state_file, self.origin),
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,  # longer than clients keep idle connections, so that none is closed under a request
            backlog=1024,
            lifespan="on",
            date_header=False,  # the simulated date is the one that counts
            server_header=False,
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.run, name="runway-simulator", daemon=True)

    def run(self) -> None:
        """Serves until stopped, in this thread."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        self._server.should_exit = True

    def __enter__(self) -> SimulatorServer:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the simulator did not start")
            time.sleep(0.005)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._thread.join(10)
        self._socket.close()
