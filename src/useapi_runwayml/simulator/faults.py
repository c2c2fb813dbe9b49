"""Faults by rule: what goes wrong, for which operation, at which call."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

KINDS = {
    "latency": "the answer comes `seconds` late",
    "status": "answers `status` with `body`; with `after`, the operation is done all the same",
    "busy": "answers 429: `shape` account (with runningTasks) or upstream",
    "unreachable": "no connection can be made (in-process only)",
    "close_before_read": "the connection closes before the request is read",
    "close_before_action": "the connection closes after the request was read; nothing is done",
    "close_after_action": "the connection closes after the operation was done, before the answer",
    "cut_body": "the answer's body ends after `bytes` bytes",
    "slow_body": "the answer's body takes `seconds`",
    "bad_json": "the operation is done, the answer's JSON is broken",
    "hide_in_scheduler": "a created task shows up in the scheduler `seconds` late",
    "hide_in_list": "a created task never shows up in the list",
    "duplicate_callback": "a callback is sent twice",
    "reorder_callbacks": "a callback is held back and sent after the next one",
    "late_callback": "a callback is sent `seconds` late",
    "drop_callback": "a callback is never sent",
    "forge_callback": "somebody else sends one first: it says that the task has succeeded, with a result that is not its own",
}
CALLBACK_KINDS = frozenset(
    {"duplicate_callback", "reorder_callbacks", "late_callback", "drop_callback", "forge_callback"}
)
CREATE_KINDS = frozenset({"hide_in_scheduler", "hide_in_list"})
HTML = "<html><head><title>{0}</title></head><body><h1>{0} Bad Gateway</h1></body></html>"


@dataclass
class Fault:
    """One rule. Of the calls of `operation` (an operationId, download, callback, or * for all) it takes the `nth` ones
    (counted from 1), or each with `probability`; at most `times` in all."""

    kind: str
    operation: str = "*"
    nth: list[int] | None = None
    probability: float = 1.0
    times: int | None = None
    seconds: float = 0.0
    status: int = 503
    body: str | None = None
    content_type: str = "text/html"
    retry_after: str | None = None
    shape: str = "upstream"
    bytes: int = 100
    after: bool = False
    calls: int = field(default=0, compare=False)
    hits: int = field(default=0, compare=False)

    def takes(self, operation: str, chance: random.Random) -> bool:
        """Whether this call is hit; counts it."""
        if self.operation not in ("*", operation):
            return False
        self.calls += 1
        if self.times is not None and self.hits >= self.times:
            return False
        hit = self.calls in self.nth if self.nth is not None else chance.random() < self.probability
        self.hits += hit
        return hit

    def text(self) -> str:
        """The body of a `status` fault."""
        if self.body is not None:
            return self.body
        if self.content_type == "application/json":
            return json.dumps({"error": f"simulated {self.status}", "code": self.status})
        return HTML.format(self.status) if self.content_type == "text/html" else f"error code: {self.status}"


TYPES: dict[str, tuple[type, ...]] = {
    "nth": (list, type(None)),
    "probability": (int, float),
    "times": (int, type(None)),
    "seconds": (int, float),
    "status": (int,),
    "body": (str, type(None)),
    "content_type": (str,),
    "retry_after": (str, int, type(None)),
    "shape": (str,),
    "bytes": (int,),
    "after": (bool,),
}


def _fits(name: str, value: Any) -> bool:
    """Whether a setting has its type: numbers are no booleans, and `nth` is a list of integers."""
    if isinstance(value, bool) and name != "after":
        return False
    if name == "nth" and isinstance(value, list):
        return all(isinstance(each, int) and not isinstance(each, bool) and each > 0 for each in value)
    if name == "shape":
        return value in ("account", "upstream")
    if name == "status" and isinstance(value, int):
        return 200 <= value <= 999
    if name in ("seconds", "bytes", "times") and isinstance(value, (int, float)):
        return math.isfinite(value) and value >= 0 and isinstance(value, TYPES[name])
    return isinstance(value, TYPES[name])


class Faults:
    """All rules, and the chance that decides where they only may hit."""

    def __init__(self, seed: int, known: Iterable[str]) -> None:
        self._chance = random.Random(f"faults {seed}")
        self._known = {*known, "download", "callback", "*"}
        self.rules: list[Fault] = []
        self.changes: int = 0

    def add(self, kind: str, operation: str = "*", **settings: Any) -> Fault:
        """Adds a rule; ValueError says what is wrong with it."""
        if kind not in KINDS:
            raise ValueError(f"there is no fault {kind!r}; there are {', '.join(KINDS)}")
        if operation not in self._known:
            raise ValueError(f"there is no operation {operation!r}; there are {', '.join(sorted(self._known))}")
        names = {each.name for each in fields(Fault)} - {"kind", "operation", "calls", "hits"}
        if unknown := settings.keys() - names:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(names))}")
        nth = settings.get("nth")
        if isinstance(nth, int):
            settings["nth"] = [nth]
        for name, value in settings.items():
            if not _fits(name, value):
                raise ValueError(f"the fault's {name} cannot be {value!r}")
        if not 0 <= settings.get("probability", 1.0) <= 1:
            raise ValueError("probability goes from 0 to 1")
        rule = Fault(kind, operation, **settings)
        self.rules.append(rule)
        self.changes += 1
        return rule

    def clear(self) -> None:
        self.rules.clear()
        self.changes += 1

    def remove(self, place: int) -> None:
        """Takes one rule back, by its place among those that are listed; IndexError when there is none."""
        del self.rules[place]
        self.changes += 1

    def hits(self, operation: str, kinds: frozenset[str]) -> list[Fault]:
        """The rules of these kinds that hit this call."""
        return [rule for rule in self.rules if rule.kind in kinds and rule.takes(operation, self._chance)]

    def listed(self) -> list[Mapping[str, Any]]:
        return [asdict(rule) for rule in self.rules]


def parse_fault(text: str) -> dict[str, Any]:
    """`operation:kind:key=value,…` from a command line; ValueError says what is wrong."""
    operation, _, rest = text.partition(":")
    kind, _, settings = rest.partition(":")
    if not kind:
        raise ValueError(f"{text!r} is no fault: write OPERATION:KIND or OPERATION:KIND:key=value,key=value")
    found: dict[str, Any] = {"kind": kind, "operation": operation}
    for part in filter(None, settings.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"{part!r} in {text!r} is not key=value")
        if key.strip() not in TYPES:
            raise ValueError(f"a fault has no {key.strip()}; it has {', '.join(sorted(TYPES))}")
        try:
            found[key.strip()] = json.loads(value)
        except ValueError:
            found[key.strip()] = value
    return found
