"""Steering over HTTP: faults, the clock and a look at the state, under /_simulator/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .bodies import read_json
from .clock import Clock
from .wire import Answer, Request, error_answer, json_answer

if TYPE_CHECKING:
    from .service import Simulator

PREFIX = "/_simulator/"
LATEST = 4_102_444_800.0  # 2100-01-01


def handle(sim: Simulator, clock: Clock, request: Request) -> Answer:
    """GET health; GET state; GET, POST, DELETE faults; POST clock {"advance": seconds}; POST reset."""
    if request.headers.get("origin", request.site) != request.site:
        return error_answer(403, "Other web pages may not steer the simulator")
    what = request.path.removeprefix(PREFIX)
    with sim.lock:
        match request.method, what:
            case "GET", "health":
                return json_answer(200, {"status": "ok"})
            case "GET", "state":
                return json_answer(200, state(sim, clock.now()))
            case "GET", "faults":
                return json_answer(200, sim.faults.listed())
            case "DELETE", "faults":
                sim.faults.clear()
                return json_answer(200, [])
            case "POST", "reset":
                sim.reset()
                return json_answer(200, state(sim, clock.now()))
            case "POST", "faults" | "clock":
                return _post(sim, clock, what, request)
    return error_answer(404, "There are GET health; GET state; GET, POST and DELETE faults; POST clock; POST reset")


def _post(sim: Simulator, clock: Clock, what: str, request: Request) -> Answer:
    try:
        given: dict[str, Any] = read_json(request)
        if what == "clock":
            clock.advance(_seconds(given["advance"], clock.now()))
            return json_answer(200, {"now": clock.now()})
        sim.faults.add(**given)
    except KeyError as error:
        return error_answer(400, f"{error} is missing")
    except (ValueError, TypeError) as error:
        return error_answer(400, str(error))
    return json_answer(200, sim.faults.listed())


def _seconds(given: Any, now: float) -> float:
    """By how much the clock is moved: never back, and not beyond the dates that all can write."""
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= LATEST - now:
        raise ValueError("advance must be seconds, 0 or more, up to the year 2100")
    return float(given)


def state(sim: Simulator, now: float) -> dict[str, Any]:
    """The whole state, for a person or a test."""
    accounts = [
        {
            "email": account.email,
            "slots": {"busy": sim.busy_slots(account.email, now), "all": account.max_jobs},
            "credits": {"spent": account.spent, "all": account.credits},
        }
        for account in sim.state.accounts.values()
    ]
    tasks = [
        {
            "taskId": task.task_id,
            "status": task.status(now),
            "progress": task.plan.ratio(now - task.created),
            "cost": task.cost,
            "prompt": task.request[sim.models[task.operation].prompt],
            "replyRef": task.request.get("replyRef"),
        }
        for task in reversed(sim.state.tasks.values())
    ]
    return {
        "now": now,
        "accounts": accounts,
        "tasks": tasks,
        "assets": len(sim.state.assets),
        "created": sim.state.created,
        "tokenLeaks": sim.token_leaks,
        "notes": list(sim.notes),
    }
