"""Callbacks that are due, in the order in which they would be sent, with the faults that befall them."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import replace
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
            found += _with_faults(sim, _callback(sim, task, origin, at), now)
    found += [callback for at, callback in sim.late_callbacks if at <= now]
    sim.late_callbacks = [(at, callback) for at, callback in sim.late_callbacks if at > now]
    if sim.held_callbacks and _nothing_follows(sim):
        found, sim.held_callbacks = [*found, *sim.held_callbacks], []
    return found


def _callback(sim: World, task: Task, origin: str, at: float) -> Callback:
    url = task.request["replyUrl"]
    body = json.dumps(sim.task_view(task, origin, at)).encode()
    return Callback(url, body, task.task_id, sim.allow_remote_callbacks or is_loopback(url))


def _with_faults(sim: World, callback: Callback, now: float) -> list[Callback]:
    faults = {fault.kind: fault for fault in sim.faults.hits("callback", CALLBACK_KINDS)}
    kinds = faults.keys()
    sent = [callback, callback] if "duplicate_callback" in kinds else [callback]
    if "drop_callback" in kinds:
        sent = []
    if "late_callback" in kinds:
        sim.late_callbacks += [(now + faults["late_callback"].seconds, each) for each in sent]
        sent = []
    if "forge_callback" in kinds:
        sent = [_forged(callback), *sent]
    if "reorder_callbacks" in kinds:
        sim.held_callbacks += sent
        return []
    held, sim.held_callbacks = sim.held_callbacks, []
    return [*sent, *held]


def _forged(callback: Callback) -> Callback:
    """What anybody could send who has seen the address."""
    result = {"id": "forged", "url": "http://127.0.0.1:9/forged.mp4", "previewUrls": []}
    told = {**json.loads(callback.body), "status": "SUCCEEDED", "progressRatio": "1", "artifacts": [result]}
    return replace(callback, body=json.dumps(told).encode())


def _nothing_follows(sim: World) -> bool:
    """Whether no later callback will come that a held one could be sent after."""
    return not sim.state.calling()
