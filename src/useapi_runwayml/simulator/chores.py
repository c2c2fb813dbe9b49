"""What a served simulator does beside its answers: it sends the callbacks that are due, and keeps its state in a file."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque

import httpx

from .clock import Clock
from .persist import StateFile
from .service import Simulator
from .world import Callback

log: logging.Logger = logging.getLogger("useapi_runwayml.simulator")
CALLBACK_PAUSE = 0.1
CALLBACK_TIMEOUT = 5.0
END_SECONDS = 1.0


class Receivers:
    """Those who get callbacks: each in order, in a task of its own, so that a slow one holds up nobody else."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._waiting: dict[str, deque[Callback]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def put(self, callback: Callback) -> None:
        self._waiting.setdefault(callback.url, deque()).append(callback)
        if callback.url not in self._tasks:
            self._tasks[callback.url] = asyncio.create_task(self._tell(callback.url))

    async def _tell(self, url: str) -> None:
        while waiting := self._waiting[url]:
            await _post(self._client, waiting.popleft())
        del self._waiting[url], self._tasks[url]

    async def end(self) -> None:
        """Those that are slow hear no more."""
        if tasks := [*self._tasks.values()]:
            _, late = await asyncio.wait(tasks, timeout=END_SECONDS)
            for each in late:
                each.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def do_chores(
    simulator: Simulator, clock: Clock, state_file: StateFile | None, origin: str, stop: asyncio.Event
) -> None:
    """Until `stop` is set. A receiver that is slow holds up no other, and one that fails is not asked again."""
    trouble = ""
    async with httpx.AsyncClient(timeout=CALLBACK_TIMEOUT, trust_env=False) as client:
        receivers = Receivers(client)
        while not stop.is_set():
            for callback in simulator.due_callbacks(origin, clock.now()):
                receivers.put(callback)
            if state_file is not None:
                trouble = await _save(state_file, simulator, clock, trouble)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALLBACK_PAUSE):
                    await stop.wait()
        await receivers.end()
    if state_file is not None:
        await _save(state_file, simulator, clock, always=True)


async def _save(
    state_file: StateFile, simulator: Simulator, clock: Clock, trouble: str = "", *, always: bool = False
) -> str:
    """A state that cannot be written is told once, and tried until it can; serving goes on. Gives why it cannot."""
    try:
        await asyncio.to_thread(state_file.save, simulator, clock, always=always)
    except OSError as error:
        why = error.strerror or str(error)
        if why != trouble:
            log.warning("the state cannot be kept in %s: %s", state_file.path, why)
        return why
    return ""


async def _post(client: httpx.AsyncClient, callback: Callback) -> None:
    place = callback.url.partition("?")[0]
    if not callback.allowed:
        log.warning("no callback to %s: only the loopback is allowed", place)
        return
    try:
        async with asyncio.timeout(CALLBACK_TIMEOUT):
            answer = await client.post(
                callback.url, content=callback.body, headers={"Content-Type": "application/json"}
            )
        log.info("callback to %s -> %s", place, answer.status_code)
    except Exception as error:  # noqa: BLE001  # an address may be whatever was given
        log.warning("callback to %s failed: %s", place, type(error).__name__)
