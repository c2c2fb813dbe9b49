"""The life of one row: upload, intent and create, wait, download. What a step did is in the ledger before the next one begins.

A create follows the table in the design: the intent, with a replyRef that nobody else has, is recorded before the POST.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy.exc import DBAPIError

from .._seam import email_of, is_asset_id
from .accounts import CALM, Account, Order
from .endings import PATIENCE
from .ledger import Lost, Row
from .limits import Held
from .pulse import LONG, lasting
from .steps import Steps
from .store import StoreFailed
from .transactions import LOOK_SECONDS

MOST_SENDS = 3


class Unseen(Exception):
    """The clip that is to be uploaded is not on this machine, or is another one."""


class Engine:
    """Takes rows through their steps."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps
        self.on_event: Callable[[Row | None, str, str], None] = lambda row, state, why: None
        self.give_back: Callable[[Row], Awaitable[None]] = nowhere
        self.is_over = False
        self.defect: Exception | None = None
        self.present: Counter[str] = Counter()
        self._here: set[str] = set()
        steps.tell = self.tell

    @property
    def is_busy(self) -> bool:
        """Whether there are rows in this process, so that nobody need ask the store for open ones."""
        return self.present.total() > 0

    async def process(self, workflow: str, number: int, email: str) -> dict[str, Any]:
        """What became of the row with this number: a state, and why. Never raises but to be interrupted, as it is once this process ends."""
        if self.is_over:
            raise asyncio.CancelledError
        account, order = self.steps.account(email), (number, workflow)
        self.present[workflow] += 1
        try:
            row = await self._taken(workflow, account, order)
            try:
                if not row.facts.is_over:
                    await self._to_its_end(row)
            finally:
                self._here.discard(workflow)
            return {"state": row.facts.state, "why": row.facts.why}
        except (Lost, StoreFailed):  # the row is another's, and stays as it is; or the process ends
            raise asyncio.CancelledError from None
        except Exception as error:  # a row without an end would never let the batch end
            self.defect = error
            raise asyncio.CancelledError from error
        finally:
            self.present[workflow] -= 1
            await account.expect_no_more(order)

    async def _taken(self, workflow: str, account: Account, order: Order) -> Row:
        """The row, once no other worker that may live has it. That one waits for its slot: here nobody waits for it meanwhile."""
        while True:
            if workflow not in self._here:
                self._here.add(workflow)
                account.expect(order)
                try:
                    row = await self.steps.ledger.take(workflow)
                except BaseException:
                    self._here.discard(workflow)
                    raise
                if row is not None:
                    return row
                self._here.discard(workflow)
                await account.expect_no_more(order)
            await asyncio.sleep(LOOK_SECONDS)

    async def _to_its_end(self, row: Row) -> None:
        try:
            result = await self._process(row)
        except Unseen as unseen:
            if await self.steps.ledger.give_back(row):
                self.tell(row, "queued", f"{unseen}: left to other workers")
                await asyncio.sleep(LOOK_SECONDS)
                await self.give_back(row)
                raise asyncio.CancelledError from None
            result = {"state": "failed", "stage": "upload", "why": str(unseen)}
        except Held as held:
            result = {"state": "held", "stage": "account", "why": str(held), "error": held.error}
        except (StoreFailed, Lost, DBAPIError):
            raise
        except Exception as error:  # noqa: BLE001  # one row's failure, foreseen or not, never stops the others
            if self.is_over:
                raise asyncio.CancelledError from None
            result = {"state": "failed", "stage": "batch", "why": f"{type(error).__name__}: {error}"}
        row.facts.end(result)
        await self.steps.ledger.leave(row, self.steps.clock.real(CALM))
        self.tell(row, row.facts.state, row.facts.why)

    def tell(self, row: Row | None, state: str, why: str = "") -> None:
        """Whoever looks on, a terminal that went away too, can do nothing to a row."""
        with contextlib.suppress(Exception):
            self.on_event(row, state, why)

    async def _process(self, row: Row) -> dict[str, Any]:
        job = row.job
        assets = list[str]()
        if row.facts.task_id is None:
            for file, sha256 in ((job.video, job.sha256), (job.image, job.image_sha256)):
                email = email_of(assets[0]) if assets and job.email is None else job.email
                uploaded = await self._uploaded(row, file, sha256, email)
                if uploaded.get("kind") == "unseen":
                    raise Unseen(uploaded["why"])
                if "why" in uploaded:
                    return ended_as(uploaded["kind"], "upload", uploaded)
                assets += [uploaded["asset_id"]] if file is not None else []
            row.facts.asset_id, row.facts.image_id = assets[0], assets[1] if len(assets) > 1 else None
        if row.facts.fetched is None:
            account = self.steps.account(email_of(row.facts.task_id or assets[0]) or job.email)
            await account.take(row, force=row.facts.has_begun)
            ended = await self._in_slot(row, assets, account)
            if ended is not None:
                await account.give(row)
                return ended
        self.tell(row, "downloading")
        found = {"kind": "lost"}
        while found["kind"] in ("lost", "fetched"):
            step = self.steps.fetch(row) if row.facts.fetched is None else self.steps.publish(row)
            found = await step
        return {"state": "done"} if found["kind"] == "saved" else ended_as("failed", "download", found)

    async def _in_slot(self, row: Row, assets: list[str], account: Account) -> dict[str, Any] | None:
        """Until the row's task has succeeded, and its slot is given back; else how the row ended. A row that is left keeps its slot: its task goes on."""
        if row.facts.task_id is None:
            created = await self._create(row, assets, account)
            if created["kind"] != "created":
                state = created["kind"] if created["kind"] in ("held", "uncertain") else "failed"
                return ended_as(state, "create", created)
            row.facts.task_id = created["task_id"]
        self.tell(row, "waiting")
        waited = await self.steps.wait(row, account)
        if waited["kind"] != "succeeded":
            return ended_as("held" if waited["kind"] == "held" else "failed", "wait", waited)
        return None

    async def _uploaded(self, row: Row, file: str | None, sha256: str, email: str | None) -> dict[str, Any]:
        """The asset of a file; that of an asset's id is the asset, that of no file none."""
        if file is None or is_asset_id(file):
            return {"asset_id": file}
        self.tell(row, "uploading")
        return await self.steps.upload(row, file, sha256, email)

    async def _create(self, row: Row, assets: list[str], account: Account) -> dict[str, Any]:
        """Creates in turn, until one has an outcome that is no "try again"."""
        unsent_since: float | None = None
        while True:
            outcome = await self.steps.create(row, assets, account)
            if outcome["kind"] == "absent" and outcome["times"] >= MOST_SENDS:
                told = f"{outcome['times']} creates came to nothing, the last so: {outcome['why']}"
                return {"kind": "refused", "why": told}
            if outcome["kind"] not in ("busy", "unsent", "absent"):
                return outcome
            if not row.facts.has_begun:
                await account.check_open()
            if outcome["kind"] == "unsent":
                now = self.steps.clock.monotonic()
                unsent_since = now if unsent_since is None else unsent_since
                if now - unsent_since > PATIENCE:
                    raise Held(outcome["why"], outcome["error"])
            if "pause" in outcome:
                again = f"{outcome['why']}; again in {lasting(outcome['pause'])}" if outcome["pause"] >= LONG else ""
                self.tell(row, "waiting for a slot", again)
                await account.give(row)
                await self.steps.clock.asleep(outcome["pause"])
                await account.take(row)


async def nowhere(row: Row) -> None:
    """There is nobody else."""


def ended_as(state: str, stage: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a row, from the step that ended it."""
    return {
        "state": state,
        "stage": outcome.get("stage", stage),
        "why": outcome["why"],
        "error": outcome.get("error", ""),
    }
