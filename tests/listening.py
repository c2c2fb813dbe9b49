"""A server of raw sockets, for what no HTTP server does to a connection."""

from __future__ import annotations

import contextlib
import socket
import threading


class Listening:
    """On the loopback; takes one connection after the other, and closes each when `take` is done with it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self.take(connection)

    def take(self, connection: socket.socket) -> None:
        """What becomes of a connection."""
        raise NotImplementedError

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(1)
