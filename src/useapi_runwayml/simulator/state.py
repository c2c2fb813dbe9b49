"""What the simulated service keeps: accounts with credits and slots, assets, tasks."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .plan import Plan
from .wire import Blob

USER = "user:4242"
KEPT_SECONDS = 7 * 24 * 3600.0
MOST_TASKS = 10_000


@dataclass
class Account:
    """A linked Runway account."""

    email: str
    credits: int
    max_jobs: int
    spent: float = 0


@dataclass
class Asset:
    """An uploaded file."""

    asset_id: str
    email: str
    name: str
    media_type: str
    created: float
    blob: Blob
    measures: dict[str, Any] = field(default_factory=dict)


@dataclass
class Task:
    """One generation."""

    task_id: str
    email: str
    created: float
    plan: Plan
    request: dict[str, Any]
    seed: int
    asset_id: str
    cost: float | None
    operation: str
    released: bool = False
    in_scheduler_from: float = 0.0
    in_list: bool = True
    told: int = 0

    @property
    def uuid(self) -> str:
        return self.task_id.rpartition(":")[2]

    def status(self, now: float) -> str:
        return self.plan.status(now - self.created)

    def is_final(self, now: float) -> bool:
        return now - self.created >= self.plan.ends

    def has_callbacks(self) -> bool:
        """Whether a callback is still to come."""
        return bool(self.request.get("replyUrl")) and not self.released and self.told < len(self.plan.moments())

    def is_tracked(self, now: float) -> bool:
        """Whether it holds a slot."""
        return not self.released and not self.is_final(now)


class State:
    """All of it, made deterministic by the seed."""

    def __init__(self, seed: int, accounts: list[Account]) -> None:
        self.chance: random.Random = random.Random(seed)
        self.accounts: dict[str, Account] = {account.email: account for account in accounts}
        self.assets: dict[str, Asset] = {}
        self.tasks: dict[str, Task] = {}
        self.blobs: dict[str, tuple[Blob, str]] = {}
        self.created: int = 0
        self.has_web_tasks = False
        self.paid: list[tuple[str | None, float]] = []
        self._open: dict[str, Task] = {}
        self._calling: dict[str, Task] = {}

    def new_uuid(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def new_id(self, email: str, kind: str) -> str:
        return f"{USER}-runwayml:{email}-{kind}:{self.new_uuid()}"

    def tracked(self, email: str, now: float) -> list[Task]:
        """The tasks that hold a slot of the account; looks at no task that has ended before."""
        self._open = {key: task for key, task in self._open.items() if task.is_tracked(now)}
        return [task for task in self._open.values() if task.email == email]

    def calling(self) -> list[Task]:
        """The tasks that still have callbacks to come."""
        self._calling = {key: task for key, task in self._calling.items() if task.has_callbacks()}
        return list(self._calling.values())

    def keep(self, task: Task) -> None:
        """Puts a task where it is found."""
        self.tasks[task.task_id] = self._open[task.task_id] = task
        if task.has_callbacks():
            self._calling[task.task_id] = task

    def drop(self, task: Task) -> None:
        for where in (self.tasks, self._open, self._calling):
            where.pop(task.task_id, None)
        self.free(task.asset_id)

    def free(self, asset_id: str) -> None:
        """Lets go of a file that no asset and no task needs any more; a download under way still reads it to its end."""
        if asset_id not in self.assets and not any(task.asset_id == asset_id for task in self.tasks.values()):
            self.blobs.pop(asset_id, None)

    def add_task(self, task: Task, now: float) -> None:
        """Keeps a new task; beyond the limit the oldest that has ended makes room."""
        self.created += 1
        self.keep(task)
        if len(self.tasks) > MOST_TASKS:
            oldest = next((each for each in self.tasks.values() if each.is_final(now)), None)
            if oldest is not None:
                self.drop(oldest)

    def newest_first(self, email: str, now: float) -> Iterator[Task]:
        for task in reversed(self.tasks.values()):
            if task.email == email and task.in_list and now - task.created < KEPT_SECONDS:
                yield task

    def close(self) -> None:
        for blob, _ in self.blobs.values():
            blob.close()
