"""The simulated service: `handle(request, now)` gives the answer. No I/O, no clock of its own."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

from . import bodies, callbacks, links
from .clock import ManualClock
from .contract import MULTIPART, Operation, load_contract
from .faults import Fault, Faults
from .operations import HANDLERS, account_busy
from .shapes import Links, Shapes, moment, task_view
from .state import Account, Asset, State, Task
from .wire import Answer, Blob, Request, error_answer, json_answer

TOKEN = re.compile(r"Bearer user:\d+-[A-Za-z0-9]+")
FILE_LIMIT = 2 << 30
JSON_LIMIT = 1 << 20


@dataclass(frozen=True)
class Seen:
    """A request that was handled: no header and no query of it is kept."""

    at: float
    method: str
    path: str
    operation: str
    status: int
    note: str = ""


class Simulator:
    """A stand-in for useapi.net's Runway API, driven by requests and by the time that they bring.

    Args:
        accounts: emails of the linked Runway accounts.
        max_jobs: slots of each account.
        credits: credits of each account.
        seed: makes ids, seeds and durations; the same seed and the same requests give the same answers.
        token: the only token that is accepted; any well-formed one when None.
        strict: refuses unknown fields, and uploads that are no media of their type.
        shapes: which of two shapes answers have where the facts allow two.
        task_seconds: how long each task takes; 40 to 90 simulated seconds when None.
        link_seconds: how long links to files hold.
        upload_limit: bytes; a larger upload is answered 413.
        allow_remote_callbacks: also POST callbacks to hosts other than the loopback.

    `clock` is None, or the clock that the in-process transports go by unless they are given another.
    """

    def __init__(
        self,
        *,
        accounts: Sequence[str] = ("maker@example.com",),
        max_jobs: int = 5,
        credits: int = 2250,
        seed: int = 0,
        token: str | None = None,
        strict: bool = False,
        shapes: Shapes | None = None,
        task_seconds: float | None = None,
        link_seconds: float = 3600.0,
        upload_limit: int = FILE_LIMIT,
        allow_remote_callbacks: bool = False,
    ) -> None:
        self.contract = load_contract()
        self._settings = {"accounts": tuple(accounts), "max_jobs": max_jobs, "credits": credits, "seed": seed}
        self.token = token
        self.strict = strict
        self.shapes = shapes or Shapes()
        self.task_seconds = task_seconds
        self.link_seconds = link_seconds
        self.upload_limit = upload_limit
        self.allow_remote_callbacks = allow_remote_callbacks
        self.clock: ManualClock | None = None
        self.lock = threading.RLock()
        self.handled = self.lives = 0
        self.faults = Faults(seed, self.contract.operations)
        self.reset()

    def reset(self) -> None:
        """Empties everything but the faults and the settings."""
        emails: Any = self._settings["accounts"]
        fresh = [Account(email, self._settings["credits"], self._settings["max_jobs"]) for email in emails]  # type: ignore[arg-type]
        self.state = State(self._settings["seed"], fresh)  # type: ignore[arg-type]
        self.links = Links(f"{self._settings['seed']}", self.link_seconds)
        self.requests: deque[Seen] = deque(maxlen=1000)
        self.notes: deque[str] = deque(maxlen=200)
        self.held_callbacks: list[callbacks.Callback] = []
        self.token_leaks = 0
        self.lives += 1

    # -- the two questions of an adapter --------------------------------------------------------------------------------
    def limit_for(self, request: Request) -> int:
        """How many bytes of a body an adapter has to read; it sets `too_large` beyond."""
        operation, _ = self.contract.route(request.method, request.path)
        return self.upload_limit if operation is not None and operation.id == "uploadAsset" else JSON_LIMIT

    def before_reading(self, request: Request, now: float) -> Answer | None:
        """An answer that is due before the body is read: the connection breaks."""
        with self.lock:
            operation, _ = self.contract.route(request.method, request.path)
            name = "download" if request.path.startswith(links.PREFIX) else operation.id if operation else ""
            for fault in self.faults.hits(name, frozenset({"unreachable", "close_before_read"})) if name else ():
                self._log(now, request, name, 0, fault.kind)
                return Answer(0, breaks="unreachable" if fault.kind == "unreachable" else "before_read")
        return None

    def handle(self, request: Request, now: float) -> Answer:
        """The answer, with all that it does to the state."""
        with self.lock:
            if request.path.startswith(links.PREFIX):
                name, answer = (
                    "download",
                    self._with_faults("download", request, now, lambda: links.serve(self, request, now)),
                )
            else:
                name, answer = self._operation(request, now)
            if self.shapes.http_errors == "object":
                _as_object(answer)
            answer.headers.setdefault("date", formatdate(now, usegmt=True))
            self._log(now, request, name, answer.status, answer.breaks)
            return answer

    def due_callbacks(self, origin: str, now: float) -> list[callbacks.Callback]:
        """What is to be POSTed now; each is given once."""
        with self.lock:
            return callbacks.due(self, origin, now)

    # -- inside -----------------------------------------------------------------------------------------------------------
    def _log(self, now: float, request: Request, name: str, status: int, note: str) -> None:
        self.handled += 1
        self.requests.append(Seen(now, request.method, request.path, name, status, note))

    def _operation(self, request: Request, now: float) -> tuple[str, Answer]:
        operation, in_path = self.contract.route(request.method, request.path)
        if operation is None:
            return "", _no_operation(self.contract.methods_of(request.path))
        return operation.id, self._with_faults(
            operation.id, request, now, lambda: self._do(operation, in_path, request, now)
        )

    def _do(self, operation: Operation, in_path: dict[str, str], request: Request, now: float) -> Answer:
        if operation.data["security"] and not self._accepts(request.headers.get("authorization", "")):
            return error_answer(401, "Unauthorized")
        if request.too_large:
            return error_answer(413, "The body is too large")
        in_path = {name: unquote(value) for name, value in in_path.items()}
        parameters, problems, unknown = self.contract.read_parameters(operation, in_path, request.query)
        body: Any = None
        if operation.bodies:
            body, more, extra = self._body(operation, request)
            problems += more
            unknown += extra
        for name in unknown:
            self.notes.append(f"{operation.id}: unknown field {name}")
        if self.strict:
            problems += (f"Unknown field {name}" for name in unknown)
        if problems:
            return error_answer(400, "; ".join(problems))
        return HANDLERS[operation.id](self, request, parameters, body, now)

    def _body(self, operation: Operation, request: Request) -> tuple[Any, list[str], list[str]]:
        kind = bodies.media_type(request)
        if kind not in operation.bodies:
            return None, [f"Content-Type {kind or '(none)'} is not supported: {', '.join(operation.bodies)}"], []
        if operation.bodies[kind] is None:
            return kind, [], []
        try:
            value = bodies.read(request, operation.properties if kind == MULTIPART else {})
        except bodies.Unreadable as error:
            return None, [str(error)], []
        return value, *self.contract.read_body(operation, kind, value)

    def _accepts(self, header: str) -> bool:
        return header == f"Bearer {self.token}" if self.token is not None else TOKEN.fullmatch(header) is not None

    def _with_faults(self, name: str, request: Request, now: float, do: Any) -> Answer:
        hits = self.faults.hits(name, ANSWER_KINDS)
        instead = next((fault for fault in hits if fault.kind in INSTEAD and not fault.after), None)
        answer = do() if instead is None else self._instead(instead, request, now)
        for fault in hits:
            _bend(answer, fault)
        return answer

    def _instead(self, fault: Fault, request: Request, now: float) -> Answer:
        if fault.kind == "close_before_action":
            return Answer(0, breaks="before_answer")
        if fault.kind == "status":
            return _status(fault)
        if fault.shape == "account":
            account = self._account_of(request)
            answer = account_busy(self, account, account.max_jobs, now)
        else:
            text = "You have too many tasks running or pending. Please wait for some of them to finish before starting more."
            answer = error_answer(429, text, code=False)
        if fault.retry_after is not None:
            answer.headers["retry-after"] = str(fault.retry_after)
            if str(fault.retry_after).isdigit():
                asked = moment(now + int(fault.retry_after))
                answer.body = json.dumps({**answer.json(), "retryAfter": asked}).encode()
        return answer

    def _account_of(self, request: Request) -> Account:
        """The account of the asset that a creation names, else the first."""
        try:
            asset_id = json.loads(request.body.read())["assetId"]
            return self.state.accounts[self.state.assets[asset_id].email]
        except (ValueError, TypeError, KeyError):
            return next(iter(self.state.accounts.values()))

    def task_view(self, task: Task, origin: str, now: float) -> dict[str, Any]:
        """A task as the API tells it at this moment."""
        blob, media_type = self.state.blobs.get(task.asset_id, (None, ""))
        asset = self.state.assets.get(task.asset_id)
        if asset is None and blob is not None:
            asset = Asset(task.asset_id, task.email, "", media_type, task.created, blob)
        whole = {**self.contract.operations["createVideoToVideo"].defaults, **task.request}
        task = replace(task, request=whole)
        return task_view(task, asset, self.state.accounts[task.email], self.shapes, self.links, origin, now)

    def busy_slots(self, email: str, now: float) -> int:
        """How many slots of an account are taken."""
        with self.lock:
            return len(self.state.tracked(email, now))


INSTEAD = frozenset({"status", "busy", "close_before_action"})
ANSWER_KINDS = INSTEAD | {"latency", "close_after_action", "cut_body", "slow_body", "bad_json"}


def _no_operation(methods: list[str]) -> Answer:
    if not methods:
        return error_answer(404, "No such path")
    answer = error_answer(405, "Method not allowed")
    answer.headers["allow"] = ", ".join(methods)
    return answer


def _as_object(answer: Answer) -> None:
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


def _status(fault: Fault) -> Answer:
    answer = Answer(fault.status, {"content-type": fault.content_type}, fault.text().encode())
    if fault.retry_after is not None:
        answer.headers["retry-after"] = str(fault.retry_after)
    return answer


def _bend(answer: Answer, fault: Fault) -> None:
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
        bent = _status(fault)
        answer.status, answer.headers, answer.body, answer.blob = bent.status, bent.headers, bent.body, None


__all__ = ["Answer", "Blob", "Request", "Seen", "Simulator", "json_answer"]
