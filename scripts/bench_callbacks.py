#!/usr/bin/env python3
"""A receiver in a process of its own, for bench.py: says its port, takes callbacks until its input ends, and tells what it has heard and used."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from useapi_runwayml import Task
from useapi_runwayml.callbacks import CallbackApp, ReplyUrlSigner
from useapi_runwayml.callbacks.serving import CallbackServer

SECRET = "a secret of the bench"


class Service:
    """Whose tasks have all succeeded."""

    def __init__(self) -> None:
        self.tasks = self

    async def retrieve(self, task_id: str) -> Task:
        await asyncio.sleep(0.01)
        return Task.from_dict({"taskId": task_id, "status": "SUCCEEDED"})


def megabytes(name: str) -> float:
    """Memory of this process now (VmRSS), or the most since `clear` (VmHWM)."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith(name)]
    return int(line.split()[1]) / 1024


def main() -> None:
    heard: list[str | None] = []

    async def on_change(task: Task) -> None:
        await asyncio.sleep(0.01)
        heard.append(task.task_id)

    app = CallbackApp(ReplyUrlSigner(SECRET, "http://127.0.0.1/x"), on_change, Service())
    with CallbackServer(app, 0) as server:
        print(server.port, flush=True)
        sys.stdin.readline()  # the first few have come: what is loaded by them is no matter of many
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = megabytes("VmRSS")
        print("go", flush=True)
        sys.stdin.readline()
    print(json.dumps({"heard": len(set(heard)), "more": megabytes("VmHWM") - before}), flush=True)


if __name__ == "__main__":
    main()
