"""The simulated service: `handle(request, now)` gives the answer. No I/O, no clock of its own."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import unquote

from . import bodies, callbacks, links, operations
from .bending import ANSWER_KINDS, INSTEAD, as_object, bend, status_answer
from .contract import MULTIPART, Operation
from .faults import Fault
from .operations import account_busy, handler
from .shapes import moment
from .state import Account
from .wire import Answer, Blob, Request, error_answer, json_answer
from .world import Callback, World

TOKEN = re.compile(r"Bearer user:\d+-[A-Za-z0-9]+")
JSON_LIMIT = 1 << 20


@dataclass
class Seen:
    """A request that was handled: no header and no query of it is kept. `milliseconds` is what a server took for it."""

    at: float
    method: str
    path: str
    operation: str
    status: int
    note: str = ""
    milliseconds: float = 0.0


class Simulator(World):
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
        storage: bytes of all files that are kept; an upload beyond is answered 413.
        allow_remote_callbacks: also POST callbacks to hosts other than the loopback.
        web_tasks: how many tasks of each account were started in Runway's web application: listed, but not tracked here.

    `clock` is None, or the clock that the in-process transports go by unless they are given another.

    Raises:
        ValueError: fewer than one slot or byte of storage, or fewer than no credits or tasks.
    """

    handled: int = 0

    def reset(self) -> None:
        """Empties everything but the faults and the settings."""
        with self.lock:  # a request that is under way ends before, or comes after
            super().reset()
            self.requests: deque[Seen] = deque(maxlen=1000)

    # -- the two questions of an adapter --------------------------------------------------------------------------------
    def limit_for(self, request: Request) -> int:
        """How many bytes of a body an adapter has to read; it sets `unread` beyond."""
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
            operations.add_web_tasks(self, now)
            if request.path.startswith(links.PREFIX):
                name, answer = (
                    "download",
                    self._with_faults("download", request, now, lambda: links.serve(self, request, now)),
                )
            else:
                name, answer = self._operation(request, now)
            if self.shapes.http_errors == "object":
                as_object(answer)
            answer.headers.setdefault("date", formatdate(now, usegmt=True))
            self._log(now, request, name, answer.status, answer.breaks)
            return answer

    def due_callbacks(self, origin: str, now: float) -> list[Callback]:
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
        if request.unread is not None:
            return request.unread
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
        return handler(self, operation.id)(self, request, parameters, body, now)

    def _body(self, operation: Operation, request: Request) -> tuple[Any, list[str], list[str]]:
        given = bodies.media_type(request)
        kind = next((each for each in operation.bodies if each.lower() == given), "")
        if not kind:
            return None, [f"Content-Type {given or '(none)'} is not supported: {', '.join(operation.bodies)}"], []
        if operation.bodies[kind] is None:
            return kind, [], []
        try:
            request = bodies.unpacked(request, JSON_LIMIT)
            value = bodies.read(request, operation.properties if kind == MULTIPART else {})
        except bodies.Unreadable as error:
            return None, [str(error)], []
        return value, *self.contract.read_body(operation, kind, value)

    def _accepts(self, header: str) -> bool:
        return header == f"Bearer {self.token}" if self.token is not None else TOKEN.fullmatch(header) is not None

    def _with_faults(self, name: str, request: Request, now: float, do: Any) -> Answer:
        hits = self.faults.hits(name, ANSWER_KINDS)
        instead = next((fault for fault in hits if fault.kind in INSTEAD and not fault.after), None)
        answer = do() if instead is None else self._instead(name, instead, request, now)
        for fault in hits:
            bend(answer, fault)
        return answer

    def _instead(self, name: str, fault: Fault, request: Request, now: float) -> Answer:
        if fault.kind == "close_before_action":
            return Answer(0, breaks="before_answer")
        if fault.kind == "status":
            return status_answer(fault)
        if fault.shape == "account":
            account = self._account_of(name, request)
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

    def _account_of(self, name: str, request: Request) -> Account:
        """The account of the asset that a creation names, else the first."""
        try:
            asset_id = bodies.read_json(request)[self.models[name].source]
            return self.state.accounts[self.state.assets[asset_id].email]
        except (ValueError, TypeError, KeyError):
            return next(iter(self.state.accounts.values()))


def _no_operation(methods: list[str]) -> Answer:
    if not methods:
        return error_answer(404, "No such path")
    answer = error_answer(405, "Method not allowed")
    answer.headers["allow"] = ", ".join(methods)
    return answer


__all__ = ["Answer", "Blob", "Request", "Seen", "Simulator", "json_answer"]
