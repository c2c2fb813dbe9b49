"""What is known of one attempt of a row: written to its store as it becomes known, and told to whoever asks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .checks import Job

ENDS = ("done", "failed", "uncertain", "held", "given up")
KEPT = (
    "stage",
    "why",
    "error",
    "asset_id",
    "image_id",
    "reply_ref",
    "intent",
    "task_id",
    "paid",
    "seconds",
    "seed",
    "bytes",
    "fetched",
    "sends",
    "absent",
    "unseen_by",
)


@dataclass
class Facts:
    """One attempt of a row: its job, its state, and what is known of asset, create, task and file.

    `intent` is a create that may have left and of which nobody knows yet; `sends` counts the creates that were intended, so that no replyRef
    is used again, and `absent` those that left and came to nothing. `fetched` is what its file is known by before it takes its name. `unseen_by` are the
    workers that have not the clip that the batch has seen.
    """

    job: Job
    state: str = "queued"
    stage: str = ""
    why: str = ""
    error: str = ""
    asset_id: str | None = None
    image_id: str | None = None
    reply_ref: str | None = None
    intent: Mapping[str, Any] | None = None
    task_id: str | None = None
    paid: bool = False
    seconds: float | None = None
    seed: int | None = None
    bytes: int | None = None
    fetched: Mapping[str, Any] | None = None
    sends: int = 0
    absent: int = 0
    unseen_by: Sequence[str] = ()

    @classmethod
    def of(cls, job: Job) -> Facts:
        """What a new attempt begins with; one that a person gave up is over."""
        found = cls(job, task_id=job.task_id, intent=job.intent, reply_ref=job.reply_ref)
        if job.decision == "give up":
            found.end({"state": "given up", "why": "by batch resolve"})
        return found

    @classmethod
    def read(cls, job: Job, state: str, kept: str) -> Facts:
        """What was written of it."""
        return cls(job, state, **json.loads(kept))

    def kept(self) -> str:
        """What is to be written of it: all that is not as it was at the beginning. A seed of zero is one."""
        return json.dumps({name: value for name in KEPT if (value := getattr(self, name)) != getattr(Facts, name)})

    @property
    def is_over(self) -> bool:
        return self.state in ENDS

    @property
    def has_begun(self) -> bool:
        """Whether there is a task, or a create that may have left: these go on, whatever the gate."""
        return self.task_id is not None or self.intent is not None

    def take_back(self) -> None:
        """Its create came to nothing, or never left."""
        self.intent, self.state = None, "uploaded" if self.asset_id else "queued"

    def end(self, result: Mapping[str, Any]) -> None:
        """It is over; but whatever ended it, a create that may have left makes it uncertain, and a task that is there is fetched, not made anew."""
        self.state, self.stage = result["state"], result.get("stage", "")
        self.why, self.error = result.get("why", ""), result.get("error", "")
        if self.intent is not None and self.state not in ("done", "given up"):
            self.state = "uncertain"
        elif self.state == "failed" and self.job.decision == "adopt" and self.error == "NotFoundError":
            self.state, self.why = "uncertain", f"there is no task {self.job.task_id}"
        if self.stage == "batch" and self.task_id:
            self.stage = "wait"


def latest(all_facts: Iterable[Facts]) -> list[Facts]:
    """The last attempt of each row, in the order of the rows, with what earlier ones knew of the task."""
    found: dict[int, Facts] = {}
    for each in sorted(all_facts, key=lambda each: (each.job.row, each.job.attempt)):
        earlier = found.get(each.job.row)
        if earlier is not None:
            each.paid = each.paid or (earlier.paid and earlier.task_id == each.task_id)
            each.seconds = each.seconds if each.seconds is not None else earlier.seconds
            each.seed = each.seed if each.seed is not None else earlier.seed
        found[each.job.row] = each
    return [found[row] for row in sorted(found)]
