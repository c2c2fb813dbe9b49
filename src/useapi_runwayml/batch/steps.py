"""The steps of a row: each does one thing with the service and gives plain data, whatever happens.

The POST of a create is sent only by the process that recorded its intent, once. Whoever finds an intent without an outcome looks
for its task instead.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import AsyncRunwayClient, errors
from .._seam import TASKS_PAGE, email_of, is_transient, wish_of
from . import results
from .accounts import Account
from .clock import BatchClock, ServiceClock
from .endings import CLOSING, LONGEST_PAUSE, PATIENCE, Endings, stage_of, told
from .identity import reference_of
from .ledger import Ledger, Row
from .ledger import Settings as Settings
from .limits import Held
from .posting import Posting
from .pulse import LONG, lasting
from .records import about_account, until_resume
from .settling import judge
from .transactions import Transactions
from .uploads import Uploads

log = logging.getLogger("useapi_runwayml.batch")
BUSY_PAUSE = (10.0, 30.0)
OF_SETTLE = 0.75
"""A POST is over well before anybody may say that it came to nothing."""
LONGEST_POST = 60.0
"""Seconds of the machine's: beside a simulator whose time runs faster, a POST has no less."""
UNSURE = "nothing is sent until this worker has its lock in the database again"
CHANGED = "it is not the file any more that its batch began with"


class Steps(Endings):
    """What the steps of all rows do, with one client."""

    def __init__(
        self,
        runway: AsyncRunwayClient,
        clock: BatchClock,
        service: ServiceClock,
        ledger: Ledger,
        transactions: Transactions,
    ) -> None:
        super().__init__(runway, clock, service, ledger)
        self.uploads = Uploads(transactions, ledger.worker)
        self.posting = Posting()
        self._transactions = transactions
        self._accounts: dict[str, Account] = {}
        self._home = ""
        self._ends: dict[str, float] = {}
        self._intended: dict[str, Row] = {}

    def never_sent(self) -> list[Row]:
        """Rows of this process whose intended create has not begun to leave."""
        return [
            row
            for reference, row in self._intended.items()
            if not self.posting.was_sent(reference) and (row.facts.intent or {}).get("reply_ref") == reference
        ]

    def _done_with(self, row: Row) -> None:
        """What became of its create is written down: twenty thousand rows would be remembered for nothing."""
        self._intended.pop(row.facts.reply_ref or "", None)
        self.posting.forget(row.facts.reply_ref or "")

    async def learn(self) -> None:
        """What earlier workers have found out of the account of rows without an email."""
        asset_id = await self.uploads.any_without_email()
        if asset_id is not None:
            self.learn_home(asset_id)

    def learn_home(self, asset_id: str) -> None:
        """Remembers which account the uploads of rows without an email belong to: who waits for it goes on waiting, by its name."""
        self._home = email_of(asset_id) or ""
        if self._home and "" in self._accounts:
            self._waits("", 0.0)
            nameless = self._accounts.pop("")
            nameless.rename(self._home)
            self._accounts.setdefault(self._home, nameless)

    def account(self, email: str | None) -> Account:
        """The account of an email; that of rows that name none is known once something of theirs was uploaded."""
        name = email or self._home

        if name not in self._accounts:
            self._accounts[name] = Account(
                name, self._transactions, self.clock.real, self._closed, self._waits, self.ledger.hold
            )
        return self._accounts[name]

    def _closed(self, account: str, why: str) -> None:
        self.tell(None, about_account(account), until_resume(why))

    def _waits(self, account: str, seconds: float) -> None:
        """The service has asked to wait, another process perhaps: rows that come to no slot for long say why."""
        end = self.clock.monotonic() + seconds
        if seconds >= LONG and abs(end - self._ends.get(account, -math.inf)) >= LONG:
            self._ends[account] = end
            self.tell(
                None, about_account(account), f"the service asked to wait: nothing is begun for {lasting(seconds)}"
            )
        elif seconds < LONG and self._ends.pop(account, None) is not None:
            self.tell(None, about_account(account), "")

    async def upload(self, row: Row, path: str, sha256: str, email: str | None) -> dict[str, Any]:
        """The asset of a row's file, which is the one that its batch has seen: `unseen` when it is to be uploaded, and this machine has it not."""
        try:
            digest = sha256 or await asyncio.to_thread(results.digest_of, Path(path))
        except OSError as error:
            return {"kind": "unseen", "why": f"{path}: {error.strerror or error}"}

        async def send() -> str:
            if digest != await asyncio.to_thread(results.digest_of, Path(path)):
                raise FileNotFoundError(2, CHANGED, path)
            if not row.facts.has_begun:
                await self.account(email).check_open()
                await self.ledger.check(row, row.job.credits())
            asset = await self._patiently(row, "uploading", lambda: self.runway.assets.upload(path, email=email))
            return str(asset.asset_id)

        try:
            asset_id = await self.uploads.get(digest, email, send)
        except CLOSING as error:
            await self.account(email).close(error)
            return told("held", error)
        except FileNotFoundError as error:
            return {"kind": "unseen", "why": f"{path}: {error.strerror or error}"}
        except (errors.UseapiError, OSError) as error:
            return told("failed", error)
        if email is None:
            self.learn_home(asset_id)
        return {"kind": "uploaded", "asset_id": asset_id}

    async def create(self, row: Row, assets: Sequence[str], account: Account) -> dict[str, Any]:
        """One intent and its one POST, or, when an earlier worker may have sent one, the look for its task."""
        facts, intent, more = row.facts, row.facts.intent, dict[str, Any]()
        if intent is None:
            reference = reference_of(row.job, facts.sends + 1)
            self._intended[reference] = row
            try:
                self.tell(row, "submitting", "")
                intent = {"reply_ref": reference, "service_at": self._service.now()}
                await self.ledger.intend(row, intent, row.job.credits())
            except Held as held:
                return told("held", held, error=held.error)
            outcome = await self._post(row, assets, reference, account)
            more = {"was_sent": True}
        else:
            outcome = {"kind": "unknown"}
        if outcome["kind"] == "unknown":  # until now it may have been on its way
            outcome = {
                **more,
                **await self.settle(row, intent, self._service.now(), account, email_of(assets[0])),
            }
        if outcome["kind"] == "created":
            facts.task_id, facts.intent, facts.paid, facts.state = outcome["task_id"], None, True, "waiting"
            try:
                await self.ledger.save(row)
                self._done_with(row)
            except BaseException:
                words = f"its task is {facts.task_id} (replyRef {facts.reply_ref}), which could not be recorded"
                log.warning("row %s: %s", row.job.row, words)
                self.tell(row, "waiting", words)
                raise
        elif outcome["kind"] != "uncertain":
            facts.absent += outcome["kind"] == "absent" and outcome.get("was_sent", False)
            await self.ledger.drop(row)
            self._done_with(row)
        return {**outcome, "times": facts.absent} if outcome["kind"] == "absent" else outcome

    async def _post(self, row: Row, assets: Sequence[str], reference: str, account: Account) -> dict[str, Any]:
        """The POST, once this worker is sure of its lock: until then nobody takes the row, since its intent is open, and no failure is the service's."""
        job = row.job
        creation = job.creation
        parameters: dict[str, Any] = {**job.parameters, "reply_ref": reference}
        parameters |= {creation.source.name: assets[0], creation.prompt.name: job.prompt}
        if creation.image is not None and len(assets) > 1:
            parameters[creation.image.name] = assets[1]
        timeout = min(self.clock.of_the_machine(LONGEST_POST), OF_SETTLE * row.settings.settle)
        while True:
            with self.posting.of(reference):
                outcome = await self._send(job.endpoint, {"timeout": timeout, **parameters}, assets, account)
            if outcome["kind"] != "unsent" or not self.posting.take_refused(reference):
                return outcome
            self.tell(row, "submitting", UNSURE)
            await self.posting.until_sure()
            self.tell(row, "submitting", "")

    async def _send(
        self, endpoint: str, parameters: Mapping[str, Any], assets: Sequence[str], account: Account
    ) -> dict[str, Any]:
        try:
            task = await getattr(self.runway, endpoint).create(busy_timeout=0, **parameters)
        except errors.RateLimitError as error:
            pause = error.retry_after if error.retry_after is not None else random.uniform(*BUSY_PAUSE)
            await account.lower(max(1.0, pause))
            return told("busy", error, pause=max(1.0, pause))
        except errors.SubmissionUnknownError as error:
            return told("unknown", error)
        except CLOSING as error:
            await account.close(error)
            return told("held", error)
        except errors.APIConnectionError as error:  # never sent, after all tries
            return told("unsent", error, pause=LONGEST_PAUSE)
        except errors.UseapiError as error:
            if is_transient(error):  # of a read before the POST: what leaves a POST open is unknown
                return told("unsent", error, pause=LONGEST_PAUSE)
            if isinstance(error, errors.NotFoundError):
                for each in assets:
                    await self.uploads.forget(each)
            return told("refused", error, stage=stage_of(error, "create"))
        return {"kind": "created", "task_id": task.task_id}

    async def settle(
        self, row: Row, intent: Mapping[str, Any], since: float | None, account: Account, email: str | None
    ) -> dict[str, Any]:
        """Finds the task of an intent, proves that there is none, or says that it is uncertain. Time is the service's; a process of ours may be new."""
        settle = row.settings.settle
        tries, begun = 0, self.clock.monotonic()
        self.tell(
            row,
            "submitting",
            f"whether its create arrived is not known: its task is looked for, up to {lasting(settle)}",
        )
        while True:
            try:
                tracked = await self.runway.scheduler.list()
                listed = [task async for task in self.runway.tasks.list(email=email)]
            except CLOSING as error:
                await account.close(error)
                return {**intent, **told("uncertain", error)}
            except errors.UseapiError as error:
                tries += 1
                if self.clock.monotonic() - begun >= max(PATIENCE, settle) and tries > 3:
                    return {**intent, "kind": "uncertain", "why": f"the service cannot be read: {error}"}
                await self.clock.asleep(max(min(5.0 * tries, LONGEST_PAUSE), wish_of(error)))
                continue
            now = self._service.now()
            since = now if since is None else since
            elapsed = None if now is None or since is None else now - since
            verdict = judge(
                intent["reply_ref"],
                tracked,
                listed,
                intended_at=intent["service_at"],
                elapsed=elapsed,
                settle=settle,
                is_whole=len(listed) < TASKS_PAGE,  # a first page that is shorter than its limit is all
            )
            if verdict.kind == "found":
                return {"kind": "created", "task_id": verdict.task_id}
            if verdict.kind != "early":
                return {**intent, "kind": verdict.kind, "why": verdict.why}
            if elapsed is None and self.clock.monotonic() - begun >= settle:
                return {
                    **intent,
                    "kind": "uncertain",
                    "why": "the service's answers tell no date, so that nothing is proved",
                }
            if elapsed is None:
                self.tell(
                    row,
                    "submitting",
                    "its task is looked for, but the answers tell no date: without one its absence is not proved",
                )
            await self.clock.asleep(min(10.0, max(1.0, settle - (elapsed or 0.0))))
