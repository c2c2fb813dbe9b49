"""Steering over HTTP: faults, the clock and a look at the state, under /_simulator/."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .bodies import read_json
from .clock import Clock, RunningClock
from .state import Task
from .wire import Answer, Request, error_answer, json_answer

if TYPE_CHECKING:
    from .service import Simulator

PREFIX = "/_simulator/"
LATEST = 4_102_444_800.0  # 2100-01-01


def handle(sim: Simulator, clock: Clock, request: Request) -> Answer:
    """GET health; GET document; GET state; GET, POST, DELETE faults; DELETE faults/PLACE; POST clock {"advance", "speed", "paused"}; POST reset."""
    what = request.path.removeprefix(PREFIX)
    with sim.lock:
        match request.method, what:
            case "GET", "health":
                return json_answer(200, {"status": "ok"})
            case "GET", "document":
                return json_answer(200, sim.contract.data)
            case "GET", "state":
                return json_answer(200, state(sim, clock.now()))
            case "GET", "faults":
                return json_answer(200, sim.faults.listed())
            case "DELETE", "faults":
                sim.faults.clear()
                return json_answer(200, [])
            case "DELETE", place if re.fullmatch(r"faults/[0-9]{1,4}", place):
                return _remove(sim, int(place.removeprefix("faults/")))
            case "POST", "reset":
                sim.reset()
                return json_answer(200, state(sim, clock.now()))
            case "POST", "faults" | "clock":
                return _post(sim, clock, what, request)
    return error_answer(404, "There are GET health; GET state; GET, POST and DELETE faults; POST clock; POST reset")


def _remove(sim: Simulator, place: int) -> Answer:
    try:
        sim.faults.remove(place)
    except IndexError:
        return error_answer(404, f"There is no fault {place}")
    return json_answer(200, sim.faults.listed())


def _post(sim: Simulator, clock: Clock, what: str, request: Request) -> Answer:
    try:
        given: dict[str, Any] = read_json(request)
        if what == "clock":
            _move(clock, given)
            return json_answer(200, {"now": clock.now()})
        if not isinstance(given, dict) or not all(
            isinstance(given.get(each, ""), str) for each in ("kind", "operation")
        ):
            raise ValueError("a fault is an object with a kind, and with the operation that it is of")
        sim.faults.add(given.pop("kind", ""), **given)
    except (ValueError, TypeError) as error:
        return error_answer(400, str(error))
    return json_answer(200, sim.faults.listed())


def _move(clock: Clock, given: dict[str, Any]) -> None:
    if not isinstance(given, dict) or not given or given.keys() - {"advance", "speed", "paused"}:
        raise ValueError("the clock takes advance, speed and paused")
    if given.keys() & {"speed", "paused"}:
        if not isinstance(clock, RunningClock):
            raise ValueError("this clock is moved by hand: it has no speed")
        speed, paused = given.get("speed"), given.get("paused")
        is_speed = isinstance(speed, (int, float)) and not isinstance(speed, bool)
        if not (speed is None or is_speed) or not isinstance(paused, bool | None):
            raise ValueError("speed is a number, paused is true or false")
        clock.go(speed=speed, paused=paused)
    if "advance" in given:
        clock.advance(_seconds(given["advance"], clock.now()))


def _seconds(given: Any, now: float) -> float:
    """By how much the clock is moved: never back, and not beyond the dates that all can write."""
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= LATEST - now:
        raise ValueError("advance must be seconds, 0 or more, up to the year 2100")
    return float(given)


def state(sim: Simulator, now: float) -> dict[str, Any]:
    """The whole state, for a person or a test."""
    return {
        "now": now,
        "accounts": account_lines(sim, now),
        "tasks": [task_line(sim, task, now) for task in reversed(sim.state.tasks.values())],
        "assets": len(sim.state.assets),
        "created": sim.state.created,
        "tokenLeaks": sim.token_leaks,
        "notes": list(sim.notes),
    }


def account_lines(sim: Simulator, now: float) -> list[dict[str, Any]]:
    return [
        {
            "email": account.email,
            "slots": {"busy": sim.busy_slots(account.email, now), "all": account.max_jobs},
            "credits": {"spent": account.spent, "all": account.credits},
        }
        for account in sim.state.accounts.values()
    ]


def task_line(sim: Simulator, task: Task, now: float) -> dict[str, Any]:
    return {
        "taskId": task.task_id,
        "status": task.status(now),
        "progress": task.plan.ratio(now - task.created),
        "cost": task.cost,
        "prompt": task.request.get(sim.models[task.operation].prompt, ""),
        "replyRef": task.request.get("replyRef"),
    }
