#!/usr/bin/env python3
"""For bench.py. `--serve simulator|bare` serves a simulator with 10,000 tasks, or a Starlette route that returns a constant, and says its port;
`--ask PORT PATH CONNECTIONS SECONDS` reads from it over that many connections, and tells how many answers came, and how long they took."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from pathlib import Path

TOKEN = "user:4242-abcdef"
TASKS = 10_000


def serve_simulator() -> None:
    from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer
    from useapi_runwayml.simulator.wire import Blob, Request

    simulator = Simulator(max_jobs=TASKS, credits=10**9)
    clock = RunningClock()
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "video/mp4"}
    prefix = simulator.contract.prefix
    made = simulator.handle(
        Request("POST", f"{prefix}/assets/", [("name", "x")], headers, Blob([b"x" * 100])), clock.now()
    )
    asset, task_id = made.json()["assetId"], ""
    for _ in range(TASKS):
        body = json.dumps({"assetId": asset, "text_prompt": "x", "maxJobs": 10}).encode()
        json_headers = {**headers, "content-type": "application/json"}
        request = Request("POST", f"{prefix}/gen3turbo/video", [], json_headers, Blob([body]))
        task_id = simulator.handle(request, clock.now()).json()["taskId"]
        clock.advance(60)  # ten at once are all that the service takes
    with SimulatorServer(simulator, clock=clock) as server:
        print(
            json.dumps({"port": int(server.origin.rpartition(":")[2]), "path": f"{prefix}/tasks/{task_id}"}), flush=True
        )
        sys.stdin.readline()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    print(int(peak.split()[1]) / 1024, flush=True)


def serve_bare() -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    from useapi_runwayml.simulator.server import bind

    content = b"x" * 1200  # as long as a task

    async def constant(request: object) -> Response:
        return Response(content, media_type="application/json")

    app = Starlette(routes=[Route("/constant", constant)])
    config = uvicorn.Config(app, log_config=None, access_log=False, date_header=False, server_header=False)
    server, found = uvicorn.Server(config), bind("127.0.0.1", 0)
    threading.Thread(target=server.run, args=([found],), daemon=True).start()
    print(json.dumps({"port": found.getsockname()[1], "path": "/constant"}), flush=True)
    sys.stdin.readline()


class Asking(asyncio.Protocol):
    """One connection: the next request leaves when the last answer is whole."""

    def __init__(self, request: bytes, times: list[float]) -> None:
        self._request = request
        self._times = times
        self._left = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._begun = time.perf_counter()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._left += data
        head, _, body = self._left.partition(b"\r\n\r\n")
        if b"\r\n\r\n" not in self._left:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            assert head.startswith(b"HTTP/1.1 200"), head
            self._left = b""
            self._times.append(time.perf_counter() - self._begun)
            self._ask()


async def ask(port: int, path: str, connections: int, seconds: float) -> list[float]:
    times: list[float] = []
    request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: Asking(request, times), "127.0.0.1", port) for _ in range(connections)]
    await asyncio.sleep(seconds / 5)
    times.clear()
    begun = time.perf_counter()
    await asyncio.sleep(seconds)
    found, spent = [*times], time.perf_counter() - begun
    for transport, _ in made:
        transport.abort()
    return [len(found) / spent, sorted(found)[int(len(found) * 0.99)] * 1000]


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        {"simulator": serve_simulator, "bare": serve_bare}[sys.argv[2]]()
    else:
        print(json.dumps(asyncio.run(ask(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))))
