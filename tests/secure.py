"""A server over TLS that speaks HTTP/2, frame by frame, as a test tells it to."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import h2.config
import h2.connection
import h2.events
import trustme

AUTHORITY = trustme.CA()


def context_of_clients() -> ssl.SSLContext:
    """What trusts the server's certificate."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


class Http2Server:
    """Each request that it reads whole is noted, and `act` says what becomes of it: given the connection, its number and the socket."""

    def __init__(self, act: Callable[[h2.connection.H2Connection, int, ssl.SSLSocket], None]) -> None:
        self.act = act
        self.seen: list[dict[str, str]] = []
        self.connections = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        AUTHORITY.issue_cert("localhost").configure_cert(self._context)
        self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(accepted,), daemon=True).start()

    def _speak(self, accepted: socket.socket) -> None:
        try:
            with self._context.wrap_socket(accepted, server_side=True) as line:
                self.connections += 1
                self._listen(line)
        except OSError:
            pass

    def _listen(self, line: ssl.SSLSocket) -> None:
        talk = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        talk.initiate_connection()
        line.sendall(talk.data_to_send())
        while data := line.recv(65536):
            for event in talk.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.seen.append(dict(event.headers))  # type: ignore[arg-type]
                if isinstance(event, h2.events.StreamEnded):
                    self.act(talk, event.stream_id, line)
            line.sendall(talk.data_to_send())

    def close(self) -> None:
        self._listener.close()


def answered(status: int, body: bytes) -> Callable[[Any, int, Any], None]:
    """Answers each request so."""

    def act(talk: Any, number: int, line: Any) -> None:
        talk.send_headers(number, [(":status", str(status)), ("content-type", "application/json")])
        talk.send_data(number, body, end_stream=True)

    return act
