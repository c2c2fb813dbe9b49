"""The life of a simulated task: planned once from the seed, then read off at any moment."""

from __future__ import annotations

import random
from dataclasses import dataclass

SHORTEST, LONGEST = 40.0, 90.0
TRIGGERS = {
    "[moderate]": "refused",
    "[moderate-later]": "moderated",
    "[fail]": "failed",
    "[cancel]": "cancelled",
    "[no-output]": "empty",
    "[throttle]": "throttled",
}
"""Words in a prompt that decide what becomes of a task."""


@dataclass(frozen=True)
class Plan:
    """When the phases begin, in seconds after the creation, and how it ends."""

    starts: float
    throttled_until: float
    ends: float
    outcome: str

    def status(self, age: float) -> str:
        if age >= self.ends:
            return {"failed": "FAILED", "moderated": "FAILED", "cancelled": "CANCELLED"}.get(self.outcome, "SUCCEEDED")
        if age < self.starts:
            return "PENDING"
        return "THROTTLED" if age < self.throttled_until else "RUNNING"

    def ratio(self, age: float) -> float | None:
        """The share that is done while running; None before."""
        begun = max(self.starts, self.throttled_until)
        if age >= self.ends:
            return 1.0
        return None if age < begun else round((age - begun) / (self.ends - begun), 4)

    def moments(self) -> list[float]:
        """The ages at which something changes that a callback tells of."""
        begun = max(self.starts, self.throttled_until)
        return [begun, begun + (self.ends - begun) / 2, self.ends]


def outcome_of(prompt: str) -> str:
    """What the words in a prompt ask for; empty for a plain success."""
    return next((outcome for word, outcome in TRIGGERS.items() if word in prompt), "")


def make_plan(chance: random.Random, outcome: str, duration: float | None) -> Plan:
    """Waits for a twelfth of its time, runs for the rest; a throttled one is held up for two minutes first."""
    whole = chance.uniform(SHORTEST, LONGEST) if duration is None else duration
    starts = whole * chance.uniform(0.04, 0.08)
    held = 120.0 if outcome == "throttled" else 0.0
    return Plan(starts, starts + held if held else 0.0, whole + held, outcome)
