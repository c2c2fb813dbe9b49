"""What the page shows while it happens: the state, told anew whenever it has changed, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from . import admin, links
from .clock import Clock, RunningClock
from .faults import KINDS
from .state import Task

if TYPE_CHECKING:
    from .service import Simulator

PAUSE = 0.25
TASKS = 60
REQUESTS = 100


async def events(sim: Simulator, clock: Clock, is_over: Callable[[], bool]) -> AsyncIterator[bytes]:
    """First what there is to choose from, then the state, and again when it has changed."""
    yield event("begin", {"kinds": KINDS, "operations": ["*", *sim.contract.operations, "download", "callback"]})
    known: object = None
    while not is_over():
        now = clock.now()
        mark = (sim.handled, sim.lives, sim.faults.changes, int(now), _pace(clock))
        if mark != known:
            known = mark
            yield event("state", snapshot(sim, clock, now))
        await asyncio.sleep(PAUSE)


def event(name: str, data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def snapshot(sim: Simulator, clock: Clock, now: float) -> dict[str, Any]:
    """The state as a person looks at it: the newest tasks, with what they were made of and what came of them."""
    speed, paused = _pace(clock)
    with sim.lock:
        newest = islice(reversed(sim.state.tasks.values()), TASKS)
        return {
            "now": now,
            "clock": {"speed": speed, "paused": paused},
            "accounts": admin.account_lines(sim, now),
            "faults": sim.faults.listed(),
            "tasks": [{**admin.task_line(sim, task, now), **_videos(sim, task, now)} for task in newest],
            "created": len(sim.state.tasks),
            "requests": [vars(seen) for seen in list(sim.requests)[-REQUESTS:][::-1]],
        }


def _pace(clock: Clock) -> tuple[float | None, bool]:
    return (clock.speed, clock.paused) if isinstance(clock, RunningClock) else (None, False)


def _videos(sim: Simulator, task: Task, now: float) -> dict[str, str | None]:
    source = links.viewed(task.asset_id) if task.asset_id in sim.state.blobs else None
    is_made = task.status(now) == "SUCCEEDED" and task.plan.outcome != "empty"
    return {"source": source, "result": source if is_made else None}
