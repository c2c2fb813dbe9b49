"""A receiver on a port of its own: for commands, and for programs that have no web server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn

from .asgi import CallbackApp


class CallbackServer:
    """Serves a CallbackApp, in a thread for as long as a `with` block lasts, or in this one with `run`.

    Args:
        app: what receives the callbacks.
        port: where it listens; 0 takes a free one, `port` tells which.
        host: the address it listens on: the loopback alone, unless given.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, app: CallbackApp, port: int, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, port))
            self._socket.listen(1024)
        except BaseException:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            ws="none",
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.run, name="useapi-runwayml-callback-server", daemon=True)

    def run(self) -> None:
        """Serves until it is stopped."""
        with contextlib.closing(self._socket):
            self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Takes nothing more, and ends once all that was taken is told."""
        self._server.should_exit = True

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the receiver did not start")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join(20)
