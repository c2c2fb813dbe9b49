"""What faults do to answers: which come instead of one, and how one that there is gets bent."""

from __future__ import annotations

import json

from .faults import Fault
from .wire import Answer

INSTEAD = frozenset({"status", "busy", "close_before_action"})
ANSWER_KINDS = INSTEAD | {"latency", "close_after_action", "cut_body", "slow_body", "bad_json"}


def as_object(answer: Answer) -> None:
    """An error's text as the object that Runway gives, passed through."""
    if answer.status < 400 or answer.headers.get("content-type") != "application/json":
        return
    body = answer.json()
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        body["error"] = {
            "code": answer.status,
            "message": body["error"],
            "status": "FAILED_PRECONDITION",
            "details": [],
        }
        answer.body = json.dumps(body).encode()


def status_answer(fault: Fault) -> Answer:
    answer = Answer(fault.status, {"content-type": fault.content_type}, fault.text().encode())
    if fault.retry_after is not None:
        answer.headers["retry-after"] = str(fault.retry_after)
    return answer


def bend(answer: Answer, fault: Fault) -> None:
    """What a fault does to an answer that there is."""
    if fault.kind == "latency":
        answer.delay += fault.seconds
    elif fault.kind == "slow_body":
        answer.drip += fault.seconds
    elif fault.kind == "close_after_action":
        answer.breaks = "before_answer"
    elif fault.kind == "cut_body":
        answer.breaks, answer.cut_at = "cut_body", min(fault.bytes, max(0, answer.length - 1))
    elif fault.kind == "bad_json" and answer.blob is None:
        answer.body = answer.body[: max(1, len(answer.body) // 2)]
    elif fault.kind == "status" and fault.after:
        bent = status_answer(fault)
        answer.status, answer.headers, answer.body, answer.blob = bent.status, bent.headers, bent.body, None
