"""The life of one row: upload, intent, create, wait, download. Each step is recorded before the next one begins.

A create follows the table in the design: the intent, with a replyRef that nobody else has, is recorded before the POST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .._creating import email_of
from .._running import ASSET_ID
from .accounts import Account, Held, Slot
from .checks import Job
from .steps import Steps


class Engine:
    """Takes rows through their steps. `record` does a step and records what it gives, or gives what it gave before.

    `with_task` and `with_intent` are the rows of which an earlier process left a task, or an intent without an outcome.
    """

    def __init__(self, steps: Steps, record: Callable[..., Awaitable[Any]]) -> None:
        self.steps = steps
        self.with_task: set[str] = set()
        self.with_intent: set[str] = set()
        self.on_event: Callable[[Job, str, str], None] = lambda job, state, why: None
        self._record = record

    async def process(self, job: Job) -> dict[str, Any]:
        """What became of the row: a state, and why. Never raises but to be interrupted."""
        try:
            result = await self._process(job)
        except Held as held:
            result = {"state": "held", "stage": "account", "why": str(held)}
        except Exception as error:  # noqa: BLE001  # one row's failure, foreseen or not, never stops the others
            result = {"state": "failed", "stage": "batch", "why": f"{type(error).__name__}: {error}"}
        self.on_event(job, result["state"], result.get("why", ""))
        return result

    async def _process(self, job: Job) -> dict[str, Any]:
        if job.decision == "give up":
            return {"state": "given up", "why": "by batch resolve"}
        task_id = job.task_id
        if task_id is None:
            asset_id = job.asset_id or (job.video if ASSET_ID.fullmatch(job.video) else None)
            if asset_id is None:
                if not self._has_begun(job):
                    check_open(self.steps.account(job.email))
                self.on_event(job, "uploading", "")
                uploaded = await self._record("upload", self.steps.upload, job)
                if uploaded["kind"] != "uploaded":
                    return {"state": uploaded["kind"], "stage": "upload", "why": uploaded["why"]}
                asset_id = uploaded["asset_id"]
        account = self.steps.account(email_of(task_id or asset_id) or job.email)
        slot = Slot(account)
        await slot.take(force=task_id is not None or self._has_begun(job))
        try:
            if task_id is None:
                created = await self._create(job, str(asset_id), account, slot)
                if created["kind"] != "created":
                    state = created["kind"] if created["kind"] in ("held", "uncertain") else "failed"
                    return {"state": state, "stage": created.get("stage", "create"), "why": created["why"]}
                task_id = created["task_id"]
            self.on_event(job, "waiting", "")
            ended = await self._record("wait", self.steps.wait, job, task_id, account)
        finally:
            await slot.give()
        if ended["kind"] != "succeeded":
            state = "held" if ended["kind"] == "held" else "failed"
            return {"state": state, "stage": ended["stage"], "why": ended["why"]}
        self.on_event(job, "downloading", "")
        saved = await self._record("download", self.steps.download, job, task_id)
        if saved["kind"] != "saved":
            return {"state": "failed", "stage": "download", "why": saved["why"]}
        return {"state": "done"}

    def _has_begun(self, job: Job) -> bool:
        """Whether an earlier process left a task, or a create that may have left: these go on, whatever the gate."""
        return job.id in self.with_task or job.id in self.with_intent

    async def _create(self, job: Job, asset_id: str, account: Account, slot: Slot) -> dict[str, Any]:
        """Intents and creates in turn, until one has an outcome that is no "try again"."""
        number = 0
        while True:
            number += 1
            if not self._has_begun(job):
                check_open(account)
            self.on_event(job, "submitting", "")
            intent = await self._record(f"intent-{number}", self.steps.intend, job)
            outcome: dict[str, Any] = await self._record(
                f"create-{number}", self.steps.create, job, asset_id, intent, account
            )
            if outcome["kind"] not in ("busy", "absent"):
                return outcome
            if intent["reply_ref"] not in self.steps.handled:
                continue  # an earlier process has had this outcome, and its pause
            self.with_intent.discard(job.id)
            if outcome["kind"] == "busy":
                self.on_event(job, "waiting for a slot", outcome["why"])
                await slot.give()
                await self.steps.clock.asleep(outcome["pause"])
                await slot.take()


def check_open(account: Account) -> None:
    """Held when the account's gate is closed."""
    if account.closed:
        raise Held(account.closed)
