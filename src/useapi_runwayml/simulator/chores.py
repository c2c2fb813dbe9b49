"""What a served simulator does beside its answers: it sends the callbacks that are due, and keeps its state in a file."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import httpx

from .clock import Clock
from .persist import StateFile
from .service import Simulator
from .world import Callback

log: logging.Logger = logging.getLogger("useapi_runwayml.simulator")
CALLBACK_PAUSE = 0.1


async def do_chores(
    simulator: Simulator, clock: Clock, state_file: StateFile | None, origin: str, stop: asyncio.Event
) -> None:
    """Until `stop` is set. A receiver that is slow holds up no other, and one that fails is not asked again."""
    trouble = ""
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        while not stop.is_set():
            by_url: dict[str, list[Callback]] = {}
            for callback in simulator.due_callbacks(origin, clock.now()):
                by_url.setdefault(callback.url, []).append(callback)
            await asyncio.gather(*(_post_all(client, each) for each in by_url.values()))
            if state_file is not None:
                trouble = await _save(state_file, simulator, clock, trouble)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CALLBACK_PAUSE):
                    await stop.wait()
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


async def _post_all(client: httpx.AsyncClient, found: list[Callback]) -> None:
    """In order for one receiver, so that a slow one holds up no other."""
    for callback in found:
        await _post(client, callback)


async def _post(client: httpx.AsyncClient, callback: Callback) -> None:
    place = callback.url.partition("?")[0]
    if not callback.allowed:
        log.warning("no callback to %s: only the loopback is allowed", place)
        return
    try:
        answer = await client.post(callback.url, content=callback.body, headers={"Content-Type": "application/json"})
        log.info("callback to %s -> %s", place, answer.status_code)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        log.warning("callback to %s failed: %s", place, type(error).__name__)
