"""What the journal knows of each row: read from the steps and results that DBOS keeps, and stored nowhere else."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .checks import Job

ENDS = ("done", "failed", "uncertain", "held", "given up")
OVER = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")


@dataclass
class Facts:
    """One attempt of a row: its job, its state, and what is known of asset, create, task and file."""

    job: Job
    state: str = "queued"
    stage: str = ""
    why: str = ""
    error: str = ""
    asset_id: str | None = None
    sha256: str | None = None
    image_id: str | None = None
    image_sha256: str | None = None
    reply_ref: str | None = None
    intent: Mapping[str, Any] | None = None
    task_id: str | None = None
    paid: bool = False
    seconds: float | None = None
    seed: int | None = None
    bytes: int | None = None
    steps: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For machines."""
        return {
            "row": self.job.row,
            "line": self.job.line,
            "attempt": self.job.attempt,
            "state": self.state,
            "stage": self.stage,
            "why": self.why,
            "error": self.error,
            "endpoint": self.job.endpoint,
            "video": self.job.video,
            "prompt": self.job.prompt,
            "output": self.job.output,
            "asset_id": self.asset_id,
            "task_id": self.task_id,
            "reply_ref": self.reply_ref,
            "seed": self.seed,
            "seconds": self.seconds,
            "bytes": self.bytes,
        }


def facts_of(job: Job, status: str, result: Any, steps: Mapping[str, Any], taken_back: Container[str] = ()) -> Facts:
    """What one workflow says: its steps by name, and its result once it is over. An intent that was taken back is none."""
    found = Facts(job, task_id=job.task_id, intent=job.intent, reply_ref=job.reply_ref, steps=steps)
    for name, step in steps.items():
        if isinstance(step, Mapping) and not (name.startswith("intent") and step["reply_ref"] in taken_back):
            _take(found, name if name.startswith("upload") else name.partition("-")[0], step)
    if job.decision == "give up":
        found.state, found.why = "given up", "by batch resolve"
    elif status == "SUCCESS" and isinstance(result, Mapping):
        found.state, found.stage = result["state"], result.get("stage", "")
        found.why, found.error = result.get("why", ""), result.get("error", "")
        if found.intent is not None and found.state != "done":  # whatever ended it: a create may have left
            found.state = "uncertain"
        elif found.state == "failed" and job.decision == "adopt" and found.error == "NotFoundError":
            found.state, found.why = "uncertain", f"there is no task {job.task_id}"
    elif status in OVER:
        # nothing of ours raises out of a workflow: whatever did, an intent without an outcome is uncertain
        found.state = "uncertain" if found.intent is not None else "failed"
        found.stage, found.why = "batch", "the batch itself failed at this row"
    if found.stage == "batch" and found.task_id:  # its task is there: it is fetched, not made anew
        found.stage = "wait"
    return found


def _take(found: Facts, kind: str, step: Mapping[str, Any]) -> None:
    if kind == "upload" and step.get("asset_id"):
        found.asset_id, found.sha256, found.state = step["asset_id"], step.get("sha256"), "uploaded"
    elif kind == "upload-image" and step.get("asset_id"):
        found.image_id, found.image_sha256 = step["asset_id"], step.get("sha256")
    elif kind == "intent":
        found.intent, found.reply_ref, found.state = step, step["reply_ref"], "submitting"
    elif kind == "create":
        found.intent = step if step["kind"] == "uncertain" else None
        if step["kind"] == "created":
            found.task_id, found.paid, found.state = step["task_id"], True, "waiting"
    elif kind == "wait":
        found.seconds, found.seed = step.get("seconds"), step.get("seed")
        if step["kind"] == "succeeded":
            found.state = "downloading"
    elif kind == "download" and step["kind"] == "saved":
        found.bytes = step["bytes"]


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
