"""The life of one row: upload, intent, create, wait, download. Each step is recorded before the next one begins.

A create follows the table in the design: the intent, with a replyRef that nobody else has, is recorded before the POST.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from .._seam import email_of, is_asset_id
from .accounts import Account, Held, Slot
from .checks import Job
from .endings import PATIENCE
from .pulse import LONG, lasting
from .steps import Steps
from .store import StoreFailed

MOST_SENDS = 3


class Engine:
    """Takes rows through their steps. `record` does a step and records what it gives, or gives what it gave before.

    `with_task` and `with_intent` are the rows of which an earlier process left a task, or an intent without an outcome.
    """

    def __init__(self, steps: Steps, record: Callable[..., Awaitable[Any]]) -> None:
        self.steps = steps
        self.with_task: set[str] = set()
        self.with_intent: set[str] = set()
        self.on_event: Callable[[Job | None, str, str], None] = lambda job, state, why: None
        self.is_over = False
        self._record = record
        steps.tell = self.tell

    async def process(self, job: Job) -> dict[str, Any]:
        """What became of the row: a state, and why. Never raises but to be interrupted, as it is once this process ends."""
        if self.is_over:
            raise asyncio.CancelledError
        account = self.steps.account(job.email or email_of(job.video))
        if job.task_id is None:
            account.expect(job.row)
        try:
            result = await self._process(job)
        except Held as held:
            result = {"state": "held", "stage": "account", "why": str(held), "error": held.error}
        except StoreFailed:
            raise asyncio.CancelledError from None  # nothing more can be recorded: the process ends, and the row stays as it is
        except Exception as error:  # noqa: BLE001  # one row's failure, foreseen or not, never stops the others
            if self.is_over:
                raise asyncio.CancelledError from None
            result = {"state": "failed", "stage": "batch", "why": f"{type(error).__name__}: {error}"}
        finally:
            await account.expect_no_more(job.row)
        self.tell(job, result["state"], result.get("why", ""))
        return result

    def tell(self, job: Job | None, state: str, why: str = "") -> None:
        """Whoever looks on, a terminal that went away too, can do nothing to a row."""
        with contextlib.suppress(Exception):
            self.on_event(job, state, why)

    async def _process(self, job: Job) -> dict[str, Any]:
        if job.decision == "give up":
            return {"state": "given up", "why": "by batch resolve"}
        task_id, assets = job.task_id, list[str]()
        if task_id is None:
            if not is_asset_id(job.video) and not self._has_begun(job):
                self.steps.account(job.email).check_open()
                self.steps.budget.check(job.credits())
            for step, file in (("upload", job.video), ("upload-image", job.image)):
                email = email_of(assets[0]) if assets and job.email is None else job.email
                uploaded = await self._uploaded(job, step, file, email)
                if "why" in uploaded:
                    return ended_as(uploaded["kind"], "upload", uploaded)
                assets += [uploaded["asset_id"]] if file is not None else []
        account = self.steps.account(email_of(task_id or assets[0]) or job.email)
        slot = Slot(account, job.row)
        await slot.take(force=task_id is not None or self._has_begun(job))
        try:
            if task_id is None:
                created = await self._create(job, assets, account, slot)
                if created["kind"] != "created":
                    state = created["kind"] if created["kind"] in ("held", "uncertain") else "failed"
                    return ended_as(state, "create", created)
                task_id = created["task_id"]
            self.tell(job, "waiting")
            ended = await self._record("wait", self.steps.wait, job, task_id, account)
        finally:
            await slot.give()
        if ended["kind"] != "succeeded":
            return ended_as("held" if ended["kind"] == "held" else "failed", "wait", ended)
        self.tell(job, "downloading")
        for number in itertools.count(1):
            fetched = await self._record(f"fetch-{number}", self.steps.fetch, job, task_id)
            if fetched["kind"] != "fetched":
                return ended_as("failed", "download", fetched)
            saved = await self._record(f"download-{number}", self.steps.publish, job, fetched)
            if saved["kind"] != "lost":
                break
        return {"state": "done"} if saved["kind"] == "saved" else ended_as("failed", "download", saved)

    async def _uploaded(self, job: Job, step: str, file: str | None, email: str | None) -> dict[str, Any]:
        """The asset of a file; that of an asset's id is the asset, that of no file none."""
        if file is None or is_asset_id(file):
            return {"asset_id": file}
        self.tell(job, "uploading")
        found: dict[str, Any] = await self._record(step, self.steps.upload, job, file, email)
        return found

    def _has_begun(self, job: Job) -> bool:
        """Whether an earlier process left a task, or a create that may have left: these go on, whatever the gate."""
        return job.id in self.with_task or job.id in self.with_intent

    async def _create(self, job: Job, assets: list[str], account: Account, slot: Slot) -> dict[str, Any]:
        """Intents and creates in turn, until one has an outcome that is no "try again"."""
        number = absent = 0
        unsent_since: float | None = None
        while True:
            number += 1
            if number == 1 and job.intent is not None:  # an earlier attempt's, whose outcome nobody knows
                intent = job.intent
            else:
                if not self._has_begun(job):
                    account.check_open()
                self.tell(job, "submitting")
                intent = await self._record(f"intent-{number}", self.steps.intend, job, number)
            outcome: dict[str, Any] = await self._record(
                f"create-{number}", self.steps.create, job, assets, intent, account
            )
            absent += outcome["kind"] == "absent" and outcome.get("was_sent", False)
            if absent >= MOST_SENDS:
                return {"kind": "refused", "why": f"{absent} creates came to nothing, the last so: {outcome['why']}"}
            if outcome["kind"] not in ("busy", "unsent", "absent", "taken back"):
                return outcome
            if intent["reply_ref"] not in self.steps.handled:
                continue  # an earlier process has had this outcome, and its pause
            self.with_intent.discard(job.id)
            if outcome["kind"] == "unsent":
                now = self.steps.clock.monotonic()
                unsent_since = now if unsent_since is None else unsent_since
                if now - unsent_since > PATIENCE:
                    raise Held(outcome["why"], outcome["error"])
            if "pause" in outcome:
                again = f"{outcome['why']}; again in {lasting(outcome['pause'])}" if outcome["pause"] >= LONG else ""
                self.tell(job, "waiting for a slot", again)
                await slot.give()
                await self.steps.clock.asleep(outcome["pause"])
                await slot.take()


def ended_as(state: str, stage: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a row, from the step that ended it."""
    return {
        "state": state,
        "stage": outcome.get("stage", stage),
        "why": outcome["why"],
        "error": outcome.get("error", ""),
    }
