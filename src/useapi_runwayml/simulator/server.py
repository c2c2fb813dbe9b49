"""The simulator over HTTP: its ASGI app on uvicorn, on the loopback unless told otherwise."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import uvicorn

from .asgi import SimulatorApp
from .chores import do_chores
from .clock import Clock, RunningClock
from .hosts import Hosts
from .persist import StateFile
from .service import Simulator


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
        self.simulator: Simulator = simulator or Simulator()
        self.clock: Clock | RunningClock = clock or RunningClock()
        self._state_file = StateFile(state) if state is not None else None
        if self._state_file is not None:
            self._state_file.load(self.simulator, self.clock)
        self._socket = bind(host, port)
        shown = f"[{host}]" if ":" in host else host
        self.origin: str = f"http://{shown}:{self._socket.getsockname()[1]}"
        self.base_url: str = self.origin + self.simulator.contract.prefix
        hosts = Hosts(host, allow_hosts)
        app = SimulatorApp(
            self.simulator,
            self.clock,
            hosts,
            "" if hosts.is_everywhere else self.origin,
            partial(do_chores, self.simulator, self.clock, self._state_file, self.origin),
            lambda: self._server.should_exit,
        )
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,  # longer than clients keep idle connections, so that none is closed under a request
            backlog=1024,
            lifespan="on",
            ws="none",  # and no library for it that warns
            date_header=False,  # the simulated date is the one that counts
            server_header=False,
            proxy_headers=False,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.run, name="runway-simulator", daemon=True)

    def run(self) -> None:
        """Serves until stopped, in this thread."""
        with contextlib.closing(self._socket):  # an old uvicorn leaves it open where it is stopped before it serves
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
