#!/usr/bin/env python3
"""One transfer in a process of its own, for bench.py: scripts/bench_transfers.py serve | WHO upload|download URL FILE MEGABYTES, WHO being ours, httpx, or curl.

`serve` answers every POST with an asset once it has read it, and every GET with so many megabytes as its path says; it prints its port. A
transfer prints its seconds, and the most megabytes that its process had.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

TOKEN = "user:4242-abcdef"
ASSET = json.dumps(
    {"assetId": "user:4242-runwayml:maker@example.com-asset:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"}
).encode()
TASK = "user:4242-runwayml:maker@example.com-task:7c0e4f1e-3f58-4d4a-9d92-2a40f7f4f8f1"
MIB = 1 << 20


class Files(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.take()
        self.head("application/json", len(ASSET))
        self.wfile.write(ASSET)
        self.wfile.flush()

    def do_GET(self) -> None:
        megabytes = int(self.path.rpartition("/")[2])
        self.head("video/mp4", megabytes * MIB)
        chunk = bytes(MIB)
        for _ in range(megabytes):
            self.wfile.write(chunk)
        self.wfile.flush()

    def take(self) -> None:
        """The whole body, and no more of it at once than a piece; in chunks where it has no length."""
        if "Content-Length" not in self.headers:
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
            return
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, MIB)))

    def head(self, kind: str, length: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def served(script: str) -> Iterator[str]:
    """The address of what `script serve` answers, as long as the block lasts."""
    with subprocess.Popen([sys.executable, script, "serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.kill()


def upload_ours(url: str, file: Path) -> Callable[[], object]:
    from useapi_runwayml import RunwayClient

    runway = RunwayClient(TOKEN, base_url=url)
    measures: dict[str, float] = {
        "duration": 5,
        "width": 1280,
        "height": 768,
    }  # known, so that nobody looks for them in a file of zeros
    return lambda: runway.assets.upload(file, **measures)  # type: ignore[arg-type]


def upload_httpx(url: str, file: Path) -> Callable[[], object]:
    import httpx

    client = httpx.Client(timeout=60)

    def send() -> None:
        with file.open("rb") as opened:
            client.post(f"{url}/assets", content=opened, headers={"Content-Length": str(file.stat().st_size)})

    return send


def download_ours(url: str, file: Path) -> Callable[[], object]:
    from useapi_runwayml_api.models.task import Task

    from useapi_runwayml import RunwayClient

    task = Task.from_dict({"taskId": TASK, "status": "SUCCEEDED", "artifacts": [{"url": url}]})
    runway = RunwayClient(TOKEN, base_url=url.rpartition("/")[0])
    return lambda: runway.tasks.download(task, file, overwrite=True)


def download_httpx(url: str, file: Path) -> Callable[[], object]:
    import httpx

    client = httpx.Client(timeout=60)

    def fetch() -> None:
        with client.stream("GET", url) as response, file.open("wb") as opened:
            for chunk in response.iter_bytes():
                opened.write(chunk)
            on_disk(opened)

    return fetch


def download_curl(url: str, file: Path) -> Callable[[], object]:
    def fetch() -> None:
        subprocess.run(["curl", "-s", "-o", str(file), url], check=True)
        with file.open("rb+") as opened:
            on_disk(opened)

    return fetch


def on_disk(opened: IO[bytes]) -> None:
    """As ours does: what was paid for outlives a power cut."""
    opened.flush()
    os.fsync(opened.fileno())


def main(arguments: list[str]) -> None:
    if arguments == ["serve"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
        print(server.server_port, flush=True)
        server.serve_forever()
    who, what, url, path = arguments
    file, make = Path(path), globals()[f"{what}_{who}"]
    small = file.with_name("small.mp4")  # once, so that everything is loaded
    small.write_bytes(b"\x00\x00\x00\x18ftypmp42")
    make(f"{url.rpartition('/')[0]}/1" if what == "download" else url, small)()
    do = make(url, file)
    if what == "download":  # of a file that is not there yet, for all alike: to free an old one takes its time
        file.unlink(missing_ok=True)
    begun = time.perf_counter()
    do()
    print(json.dumps({"seconds": time.perf_counter() - begun, "megabytes": memory()}))


def memory() -> float:
    """The most megabytes that this process had since it was begun; of what it was forked from, too, where the system does not tell that apart."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1:])
