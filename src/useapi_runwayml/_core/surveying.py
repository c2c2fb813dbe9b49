"""What the lists and the scheduler tell of many tasks at once, so that only the rest needs reads of its own."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import (
    AccountSessionError,
    APIStatusError,
    AuthenticationError,
    DownloadError,
    SubscriptionError,
    UseapiError,
)
from . import polling
from .answers import read
from .calls import call
from .effects import Answer, Core, Options, Send
from .ids import email_of
from .paging import LAST_OFFSET
from .retry import is_transient
from .surroundings import Context

if TYPE_CHECKING:
    from useapi_runwayml_api.models.task import Task

PAGE = 1000
FEW = 2
REFUSED_PAUSE = 60.0
SCHEDULER = "/scheduler/"
ACCOUNT_ERRORS = (AuthenticationError, SubscriptionError, AccountSessionError)
ENDED = tuple(sorted(polling.FINAL))


class Survey:
    """One round's questions about many tasks. `refused` is kept from round to round: until when a list is left alone, by its account."""

    def __init__(
        self,
        context: Context,
        refused: dict[str | None, float],
        options: Callable[[], Options | None],
        tell: Callable[[str, Any], None],
    ) -> None:
        self._context = context
        self._refused = refused
        self._options = options
        self._tell = tell
        self.wish = 0.0
        self.tracked: frozenset[str] = frozenset()
        self.has_tracked = False

    def ask(self, open_ids: Sequence[str]) -> Core[list[str]]:
        """Tells what is known; gives the ids of which nothing is, none of an account that asked to wait."""
        accounts: dict[str | None, set[str]] = {}
        for task_id in open_ids:
            accounts.setdefault(email_of(task_id), set()).add(task_id)
        for email, wanted in accounts.items():
            yield from self._account(email, wanted)
        left = [task_id for task_id in open_ids if task_id in accounts[email_of(task_id)]]
        if len(left) > FEW:
            yield from self._scheduler()
        return left

    def _account(self, email: str | None, wanted: set[str]) -> Core[None]:
        """Those that go on, then all; beyond a page of either, those that have ended, as far back as the lists reach."""
        full = len(wanted) > 1 and (yield from self._page(email, polling.ACTIVE, 0, wanted))
        if not full and len(wanted) > FEW:
            full = yield from self._page(email, None, 0, wanted)
        for offset in (0, LAST_OFFSET):
            if full and len(wanted) > FEW:
                full = yield from self._page(email, ENDED, offset, wanted)

    def _page(self, email: str | None, statuses: Sequence[str] | None, offset: int, wanted: set[str]) -> Core[bool]:
        """Tells what one page knows; gives whether there is more behind it."""
        from useapi_runwayml_api.api.tasks import list_tasks

        chosen = None if statuses is None else list(statuses)
        more: dict[str, Any] = {"offset": offset, "limit": PAGE, "email": email, "statuses": chosen}
        try:
            entries: list[Task] | None = yield from self._list(email, list_tasks, more)
        except UseapiError as error:
            if isinstance(error, ACCOUNT_ERRORS):
                for task_id in sorted(wanted):
                    self._tell(task_id, about(error, task_id))
                wanted.clear()
            elif wish_of(error):
                wanted.clear()
            return False
        for task in entries or ():
            if task.task_id in wanted and is_whole(task):
                wanted.discard(task.task_id)
                self._tell(task.task_id, task)
        return len(entries or ()) >= PAGE

    def _scheduler(self) -> Core[None]:
        """Notes which tasks the service still runs."""
        from useapi_runwayml_api.api.scheduler import list_scheduler

        with suppress(UseapiError):
            entries = yield from self._list(SCHEDULER, list_scheduler, {})
            if entries is not None:
                self.has_tracked = True
                self.tracked = frozenset(entry.task_id for entry in entries if entry.task_id)

    def _list(self, key: str | None, operation: Any, more: dict[str, Any]) -> Core[list[Any] | None]:
        """A list, once; None if it was refused a moment ago, or if there is no time."""
        options = self._options()
        now = self._context.clock.monotonic()
        if options is None or self._refused.get(key, -math.inf) > now:
            return None
        request = call(operation, options, **more)
        try:
            answer: Answer = yield Send(request)
            entries: list[Any] = read(answer, request)
        except UseapiError as error:
            if not is_transient(error):
                self._refused[key] = self._context.clock.monotonic() + REFUSED_PAUSE
            self.wish = max(self.wish, wish_of(error))
            raise
        return entries


def wish_of(error: UseapiError) -> float:
    """The seconds that the service, or a result's host, asks to wait."""
    return (error.retry_after or 0.0) if isinstance(error, (APIStatusError, DownloadError)) else 0.0


def is_whole(task: Task) -> bool:
    """Whether a list's entry says all that a wait needs: an ended success without `artifacts` is read again by its id."""
    return bool(task.status) and (task.status != "SUCCEEDED" or "artifacts" in (task.raw or {}))


def about(error: UseapiError, task_id: str) -> UseapiError:
    """The same error, about this task."""
    found = copy.copy(error)
    found.task_id = task_id
    return found
