"""What became of the mutants, zone by zone, and whether that is enough."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import mutation_page
from code_mutants import Mutant

GOALS = {"_core": 0.95, "_io": 0.95, "callbacks": 0.95, "batch": 0.95}
OTHERS = 0.85
FLOOR = 0.6


def reason_of(mutant: Mutant, reasons: Sequence[dict[str, str]]) -> str:
    """Why nothing can notice it, or need not."""
    for each in reasons:
        if re.search(each["where"], mutant.file) and re.search(each["change"], mutant.change):
            return each["reason"]
    return ""


@dataclass
class Zone:
    """What became of the mutants of one zone: those that nothing noticed, with a reason or without."""

    name: str
    noticed: int = 0
    survivors: list[tuple[str, Mutant]] = field(default_factory=list)

    @property
    def explained(self) -> int:
        return sum(bool(reason) for reason, _ in self.survivors)

    @property
    def goal(self) -> float:
        return GOALS.get(self.name, OTHERS)

    @property
    def share(self) -> float:
        """Of those that something could notice."""
        return self.noticed / max(1, self.noticed + len(self.survivors) - self.explained)

    def told(self) -> str:
        """The paragraph and the list of the page."""
        count, today = self.noticed + len(self.survivors), time.strftime("%Y-%m-%d")
        words = (
            f"{count} mutants, tried on {today}: {self.noticed} are noticed, {self.explained} have a reason why nothing does. "
            f"Of those without one {self.share:.1%} are noticed (goal {self.goal:.0%})."
        )
        lines = [
            f"- `{mutant.file}`: `{mutant.change}`: {reason or mutation_page.UNKNOWN}"
            for reason, mutant in sorted(self.survivors, key=lambda each: (each[0], each[1].file, each[1].line))
        ]
        return "\n".join([words, "", *lines])


def by_zone(results: Sequence[tuple[Mutant, str]], reasons: Sequence[dict[str, str]]) -> list[Zone]:
    """What became of them, zone by zone."""
    zones: dict[str, Zone] = {}
    for mutant, found in results:
        zone = zones.setdefault(mutant.zone, Zone(mutant.zone))
        if found:
            zone.noticed += 1
        else:
            zone.survivors.append((reason_of(mutant, reasons), mutant))
    return [zones[name] for name in sorted(zones)]


def is_enough(zones: Sequence[Zone], *, is_sample: bool) -> bool:
    """Whether as many are noticed as should be: a sample says little of a zone."""
    if not is_sample:
        return all(zone.share >= zone.goal for zone in zones)
    noticed = sum(zone.noticed for zone in zones)
    return noticed >= FLOOR * (noticed + sum(len(zone.survivors) - zone.explained for zone in zones))
