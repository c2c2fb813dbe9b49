"""The steps of a row: each does one thing with the service and gives plain data, whatever happens.

The POST of a create is sent only by the process that recorded its intent, once. Whoever finds an intent without an outcome looks
for its task instead.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import AsyncRunwayClient, errors
from .._seam import TASKS_PAGE, email_of, is_transient, wish_of
from . import results
from .accounts import Account, Budget, Held
from .checks import Job
from .clock import BatchClock, ServiceClock
from .endings import CLOSING, LONGEST_PAUSE, Endings, stage_of, told
from .endings import Settings as Settings
from .identity import reference_of
from .posting import Posting
from .pulse import lasting
from .settling import judge

BUSY_PAUSE = (10.0, 30.0)


class Uploads:
    """The same file is uploaded once for all rows and accounts that name it: by the hash of its content."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str | None], str] = {}
        self._locks: dict[tuple[str, str | None], asyncio.Lock] = {}

    def lock(self, key: tuple[str, str | None]) -> asyncio.Lock:
        return self._locks.setdefault(key, asyncio.Lock())


class Steps(Endings):
    """What the steps of all rows do, with one client."""

    def __init__(
        self,
        runway: AsyncRunwayClient,
        settings: Settings,
        clock: BatchClock,
        budget: Budget,
        service: ServiceClock,
    ) -> None:
        super().__init__(runway, settings, clock, service)
        self.budget = budget
        self.uploads = Uploads()
        self.posting = Posting()
        self.handled: set[str] = set()
        self._accounts: dict[str, Account] = {}
        self._homes: dict[str | None, str] = {}
        self._intended: set[str] = set()
        self.taken_back: set[str] = set()

    def never_sent(self) -> list[str]:
        """Intents of this process whose POST has not begun to leave."""
        return [reference for reference in self._intended if not self.posting.was_sent(reference)]

    def learn_home(self, email: str | None, asset_id: str) -> None:
        """Remembers which account the uploads of an email, or of none, belong to: what was known of it without a name, it keeps."""
        home = self._homes[email] = email_of(asset_id) or ""
        if email is None and "" in self._accounts:
            self._accounts.setdefault(home, self._accounts[""])

    def account(self, email: str | None) -> Account:
        """The account of an email; that of rows that name none is known once something of theirs was uploaded."""
        email = email or self._homes.get(email)

        def on_close(why: str) -> None:
            name = email or self._homes.get(None)
            self.tell(
                None, f"account {name}" if name else "the account", f"no more creates until `batch resume`: {why}"
            )

        return self._accounts.setdefault(email or "", Account(self.settings.max_jobs, self.clock.monotonic, on_close))

    async def upload(self, job: Job, path: str, email: str | None) -> dict[str, Any]:
        """The asset of a row's file."""
        try:
            digest = await asyncio.to_thread(results.digest_of, Path(path))
        except OSError as error:
            return {"kind": "failed", "why": f"{path}: {error.strerror or error}"}
        key = digest, email
        async with self.uploads.lock(key):
            if key not in self.uploads.known:
                try:
                    asset = await self._patiently(
                        job, "uploading", lambda: self.runway.assets.upload(path, email=email)
                    )
                except CLOSING as error:
                    await self.account(email).close(error)
                    return told("held", error)
                except (errors.UseapiError, OSError) as error:
                    return told("failed", error)
                self.uploads.known[key] = str(asset.asset_id)
        self.learn_home(email, self.uploads.known[key])
        return {"kind": "uploaded", "asset_id": self.uploads.known[key], "sha256": digest}

    async def intend(self, job: Job, number: int) -> dict[str, Any]:
        """The replyRef of a POST that is about to be sent, and when: by the service's clock."""
        names = (reference_of(job, number, taken) for taken in itertools.count())
        reference = next(each for each in names if each not in self.taken_back)
        self._intended.add(reference)
        return {"reply_ref": reference, "service_at": self._service.now()}

    async def create(
        self, job: Job, assets: Sequence[str], intent: Mapping[str, Any], account: Account
    ) -> dict[str, Any]:
        """The one POST of an intent, or, when it may have left already, the look for its task."""
        reference, cost = intent["reply_ref"], job.credits()
        is_fresh = reference in self._intended and reference not in self.handled
        self.handled.add(reference)
        if is_fresh:
            try:
                self.budget.reserve(cost)
            except Held as held:
                return told("held", held, error=held.error)
            outcome = await self._post(job, assets, reference, account)
            since, more = self._service.now(), {"was_sent": True}  # until now it may have been on its way
        elif reference in self.taken_back:  # an earlier process has said that it did not send it: it is in no budget
            return {"kind": "taken back"}
        else:  # an earlier process may have sent it; the budget counts it already
            outcome, since, more = {"kind": "unknown"}, intent["service_at"], {}
        if outcome["kind"] == "unknown":
            outcome = {**more, **await self.settle(job, intent, since, account, email_of(assets[0]))}
        if outcome["kind"] not in ("created", "uncertain"):
            self.budget.release(cost)
        return outcome

    async def _post(self, job: Job, assets: Sequence[str], reference: str, account: Account) -> dict[str, Any]:
        creation = job.creation
        parameters: dict[str, Any] = {**job.parameters, "reply_ref": reference}
        parameters |= {creation.source.name: assets[0], creation.prompt.name: job.prompt}
        if creation.image is not None and len(assets) > 1:
            parameters[creation.image.name] = assets[1]
        try:
            with self.posting.of(reference):
                task = await getattr(self.runway, job.endpoint).create(busy_timeout=0, **parameters)
        except errors.RateLimitError as error:
            account.lower()
            pause = error.retry_after if error.retry_after is not None else random.uniform(*BUSY_PAUSE)
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
            return told("refused", error, stage=stage_of(error, "create"))
        return {"kind": "created", "task_id": task.task_id}

    async def settle(
        self, job: Job, intent: Mapping[str, Any], since: float | None, account: Account, email: str | None
    ) -> dict[str, Any]:
        """Finds the task of an intent, proves that there is none, or says that it is uncertain. Time is the service's; a process of ours may be new."""
        tries, begun = 0, self.clock.monotonic()
        self.tell(
            job,
            "submitting",
            f"whether its create arrived is not known: its task is looked for, up to {lasting(self.settings.settle)}",
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
                if self.clock.monotonic() - begun >= self.settings.settle and tries > 3:
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
                settle=self.settings.settle,
                is_whole=len(listed) < TASKS_PAGE,  # a first page that is shorter than its limit is all
            )
            if verdict.kind == "found":
                return {"kind": "created", "task_id": verdict.task_id}
            if verdict.kind != "early":
                return {**intent, "kind": verdict.kind, "why": verdict.why}
            if elapsed is None and self.clock.monotonic() - begun >= self.settings.settle:
                return {
                    **intent,
                    "kind": "uncertain",
                    "why": "the service's answers tell no date, so that nothing is proved",
                }
            if elapsed is None:
                self.tell(
                    job,
                    "submitting",
                    "its task is looked for, but the answers tell no date: without one its absence is not proved",
                )
            await self.clock.asleep(min(10.0, max(1.0, self.settings.settle - (elapsed or 0.0))))
