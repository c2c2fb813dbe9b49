"""A WSGI app that receives callbacks."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from . import inbox
from .deliveries import Deliveries
from .inbox import Head, Refused
from .receiver import CLOSING, Receiver

if TYPE_CHECKING:
    from ..client import RunwayClient

log: logging.Logger = logging.getLogger("useapi_runwayml.callbacks")


class CallbackWsgiApp(Receiver):
    """The same as CallbackApp for WSGI: to mount in Flask, or in Django without ASGI. Its work is done in a thread of its own, which
    the first callback starts in each process.

    How long a slow sender may take is the server's to bound; `client` is a RunwayClient, or made from the environment.
    """

    _side: _Side | None = None

    def _make_client(self) -> RunwayClient:
        from ..client import RunwayClient

        return RunwayClient()

    def close(self, timeout: float = 10) -> list[str]:
        """Takes nothing more (503), and waits until all that was taken is told; gives the ids of the tasks of which it was not, within `timeout` seconds."""
        with self._lock:
            self._is_closed = True
            side, self._side = self._side, None
        left = self._tell_left([] if side is None or side.process != os.getpid() else side.end(timeout))
        if (own := self._own_client()) is not None:
            own.close()
        return left

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        named = (
            environ.get(name) or "" for name in ("REQUEST_METHOD", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH")
        )
        head = Head(*named)
        status, why, more = 202, "taken", dict[str, str]()
        try:
            self._check_open()
            reply_ref = inbox.admit(self.signer, head)
            task = inbox.read(reply_ref, _body(environ, head))
            side = self._make_side()
            if side is None:
                self._take(task, None)
            else:
                side.do(lambda: self._take(task, side.deliveries))
        except Refused as refused:
            status, why, more = refused.status, str(refused), refused.headers
            log.warning("a callback was refused: %s", why)
        names = {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(why)), **more}
        start_response(f"{status} {HTTPStatus(status).phrase}", [*names.items()])
        return [why.encode()]

    def _make_side(self) -> _Side | None:
        """One in each process: a server may have forked since the app was made."""
        if self._on_change is None:
            return None
        with self._lock:
            self._check_open()
            if self._side is None or self._side.process != os.getpid():
                self._side = _Side(self._make_deliveries)
            return self._side


class _Side:
    """An event loop in a thread of its own, with the deliveries of this process."""

    def __init__(self, make: Callable[[], Deliveries | None]) -> None:
        self.process = os.getpid()
        self._guard = threading.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="useapi-runwayml-callbacks", daemon=True)
        self._thread.start()
        self.deliveries = self.do(make)

    def do(self, function: Callable[[], Any]) -> Any:
        """Calls a function there, and gives what it gives."""

        async def there() -> Any:
            return function()

        with self._guard:
            if self._loop.is_closed():
                raise Refused(503, CLOSING)
            return asyncio.run_coroutine_threadsafe(there(), self._loop).result()

    def end(self, timeout: float) -> list[str]:
        left: list[str] = asyncio.run_coroutine_threadsafe(self.deliveries.drain(timeout), self._loop).result()
        with self._guard:  # whoever comes to put something down has done so, or comes too late
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        return left


def _body(environ: dict[str, Any], head: Head) -> bytes:
    """The whole body, in bounded memory. Without a length a server ends the stream itself, or there is no body."""
    size = head.size
    has_end = size is not None or environ.get("wsgi.input_terminated", False)
    body = environ["wsgi.input"].read(inbox.LARGEST + 1 if size is None else size) if has_end else b""
    inbox.check_size(len(body))
    return bytes(body)
