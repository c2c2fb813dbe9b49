#!/usr/bin/env python3
"""The same calls by one client in a process of its own, for bench.py: scripts/bench_peers.py serve | WHO WHAT URL [COUNT | FILE].

WHO is ours, httpx, or an official package of the field, runwayml or openai; WHAT is client, get, create or upload. `serve` answers each in
its own form, and prints its port. The others print their seconds, and the most megabytes that their process had.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from _venv import beside
from bench_transfers import ASSET, TASK, TOKEN, Files, memory, served

ID = TASK.rpartition(":")[2]
OURS = {"taskId": TASK, "status": "RUNNING", "progressRatio": "0.5", "createdAt": "2026-01-01T00:00:00Z"}
START = b"\x00\x00\x00\x18ftypmp42"
RUNWAY = {"id": ID, "createdAt": "2026-01-01T00:00:00Z", "status": "RUNNING", "progress": 0.5}
VIDEO = {
    "id": ID, "object": "video", "model": "sora-2", "status": "in_progress", "progress": 50, "created_at": 1767225600,
    "size": "720x1280", "seconds": "4", "prompt": "x",
}  # fmt: skip
FILE = {
    "id": "f",
    "object": "file",
    "bytes": 1,
    "created_at": 1,
    "filename": "x",
    "purpose": "vision",
    "status": "processed",
}


class Service(Files):
    """Each of the services, as far as these calls go."""

    def do_POST(self) -> None:
        self.take()
        here = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.answer({"uploadUrl": f"{here}/put", "fields": {}, "runwayUri": "runway://x"})

    def do_GET(self) -> None:
        self.answer({})

    def answer(self, otherwise: dict[str, Any]) -> None:
        path = unquote(self.path.partition("?")[0]).rstrip("/")
        end = path.removesuffix(f"/{ID}").removesuffix(f"/{TASK}").rpartition("/")[2]
        known = {"assets": json.loads(ASSET), "video": OURS, "files": FILE, "videos": VIDEO, "video_to_video": RUNWAY}
        task = RUNWAY if path.endswith(f"v1/tasks/{ID}") else OURS
        body = json.dumps(task if end == "tasks" else known.get(end, otherwise)).encode()
        self.head("application/json", len(body))
        self.wfile.write(body)
        self.wfile.flush()


def ours(url: str, file: Path) -> dict[str, Callable[[], Any]]:
    from useapi_runwayml import RunwayClient

    runway = RunwayClient(TOKEN, base_url=url)
    asset = json.loads(ASSET)["assetId"]
    return {
        "client": lambda: RunwayClient(TOKEN, base_url=url).close(),
        "get": lambda: runway.tasks.retrieve(TASK),
        "create": lambda: runway.video_to_video.create(asset_id=asset, text_prompt="x", seconds=5),
        "upload": lambda: runway.assets.upload(file, duration=5, width=1280, height=768),
    }


def httpx(url: str, file: Path) -> dict[str, Callable[[], Any]]:
    import httpx

    client = httpx.Client(base_url=url, headers={"Authorization": TOKEN}, timeout=60)
    body = {"assetId": json.loads(ASSET)["assetId"], "text_prompt": "x", "seconds": 5}

    def upload() -> None:
        with file.open("rb") as opened:
            client.post("/assets", content=opened, headers={"Content-Length": str(file.stat().st_size)})

    return {
        "client": lambda: httpx.Client(base_url=url).close(),
        "get": lambda: client.get(f"/tasks/{TASK}").json(),
        "create": lambda: client.post("/gen3turbo/video", json=body).json(),
        "upload": upload,
    }


def runwayml(url: str, file: Path) -> dict[str, Callable[[], Any]]:
    from runwayml import RunwayML

    client: Any = RunwayML(api_key="k", base_url=url)
    words = {"model": "gen4_aleph", "video_uri": "https://example.com/a.mp4", "prompt_text": "x"}
    return {
        "client": lambda: RunwayML(api_key="k", base_url=url).close(),
        "get": lambda: client.tasks.retrieve(ID),
        "create": lambda: client.video_to_video.create(**words),
        "upload": lambda: client.uploads.create_ephemeral(file=file),
    }


def openai(url: str, file: Path) -> dict[str, Callable[[], Any]]:
    from openai import OpenAI

    client: Any = OpenAI(api_key="k", base_url=url)
    return {
        "client": lambda: OpenAI(api_key="k", base_url=url).close(),
        "get": lambda: client.videos.retrieve(ID),
        "create": lambda: client.videos.create(prompt="x", model="sora-2", seconds="4"),
        "upload": lambda: client.files.create(file=file, purpose="vision"),
    }


IMPORTS = {
    "ours": "from useapi_runwayml import RunwayClient",
    "httpx": "import httpx",
    "runwayml": "from runwayml import RunwayML",
    "openai": "from openai import OpenAI",
}
MOST = {("create", "httpx"): 1.5, ("client", "runwayml"): 1.05, ("client", "openai"): 1.05}
"""Where it is not 1: a create of ours looks at what it was given and at what came back, and a client of any is the TLS context, nearly all of it."""
CALLS = {"client": 20, "get": 300, "create": 200}
NAMES = {
    "import": "import, and name the client",
    "client": "create a client",
    "get": "GET of a task",
    "create": "a create",
    "upload": "upload 200 MB",
}
ROUNDS = 5


def figures() -> list[tuple[str, float, float]]:
    """Each call by ours and by the others in turn, each in a process of its own, and the official packages in environments of their own."""
    pythons = {"ours": sys.executable, "httpx": sys.executable}
    pythons |= {name: str(beside(name)) for name in ("runwayml", "openai")}
    script = str(Path(__file__).resolve())

    def taken(who: str, what: str, url: str, last: str) -> dict[str, float]:
        timed = f"import time; t = time.perf_counter(); {IMPORTS[who]}; print('{{\"seconds\":', time.perf_counter() - t, '}}')"
        command = ["-c", timed] if what == "import" else [script, who, what, url, last]
        done = subprocess.run([pythons[who], *command], capture_output=True, text=True, check=True)
        found: dict[str, float] = json.loads(done.stdout)
        return found

    found: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as name, served(script) as url:
        file = Path(name) / "clip.mp4"
        with file.open("wb") as opened:
            opened.write(START)
            opened.truncate(200 << 20)
        for what, told in NAMES.items():
            last = str(CALLS.get(what, file))
            rounds = [{who: taken(who, what, url, last) for who in pythons} for _ in range(ROUNDS + 1)][1:]
            for who in ("runwayml", "openai", *(("httpx",) if what == "create" else ())):
                ratio = statistics.median(each["ours"]["seconds"] / each[who]["seconds"] for each in rounds)
                found.append((f"{told} / {who}", ratio, MOST.get((what, who), 1.0)))
                if what == "upload":
                    memory = statistics.median(each["ours"]["megabytes"] / each[who]["megabytes"] for each in rounds)
                    found.append((f"{told}, megabytes / {who}", memory, 1.0))
    return found


def main(arguments: list[str]) -> None:
    if arguments == ["serve"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
        print(server.server_port, flush=True)
        server.serve_forever()
    who, what, url, last = arguments
    count, file = (1, Path(last)) if what == "upload" else (int(last), Path())
    make, small = globals()[who], file.parent / "small.mp4"
    if what == "upload":
        small.write_bytes(START)
    make(url, small)[what]()  # once, so that everything is loaded
    do = make(url, file)[what]
    begun = time.perf_counter()
    for _ in range(count):
        do()
    print(json.dumps({"seconds": time.perf_counter() - begun, "megabytes": memory()}))


if __name__ == "__main__":
    main(sys.argv[1:])
