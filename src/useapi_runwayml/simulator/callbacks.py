"""Callbacks that are due, in the order in which they would be sent, with the faults that befall them."""

from __future__ import annotations

import ipaddress
import json
from urllib.parse import urlsplit

from .faults import CALLBACK_KINDS
from .state import Task
from .world import Callback, World


def is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        if host == "localhost":
            return True
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def due(sim: World, origin: str, now: float) -> list[Callback]:
    """What is to be sent now; each change of a tracked task is told once."""
    found: list[Callback] = []
    for task in sim.state.calling():
        moments = task.plan.moments()
        while task.has_callbacks() and now - task.created >= moments[task.told]:
            at = min(now, task.created + moments[task.told] + 1e-3)
            task.told += 1
            found += _with_faults(sim, _callback(sim, task, origin, at))
    if sim.held_callbacks and _nothing_follows(sim):
        found, sim.held_callbacks = [*found, *sim.held_callbacks], []
    return found


def _callback(sim: World, task: Task, origin: str, at: float) -> Callback:
    url = task.request["replyUrl"]
    body = json.dumps(sim.task_view(task, origin, at)).encode()
    return Callback(url, body, task.task_id, sim.allow_remote_callbacks or is_loopback(url))


def _with_faults(sim: World, callback: Callback) -> list[Callback]:
    kinds = {fault.kind for fault in sim.faults.hits("callback", CALLBACK_KINDS)}
    sent = [callback, callback] if "duplicate_callback" in kinds else [callback]
    if "reorder_callbacks" in kinds:
        sim.held_callbacks += sent
        return []
    held, sim.held_callbacks = sim.held_callbacks, []
    return [*sent, *held]


def _nothing_follows(sim: World) -> bool:
    """Whether no later callback will come that a held one could be sent after."""
    return not sim.state.calling()
