"""The world of the simulated service: its settings, its state and how it is seen. It knows no operation and no request."""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .clock import ManualClock
from .contract import Contract, load_contract
from .creations import Model
from .faults import Faults
from .shapes import Links, Shapes, task_view
from .state import Account, Asset, State, Task

FILE_LIMIT = 2 << 30
STORAGE = 4 << 30


@dataclass(frozen=True)
class Callback:
    """One POST to a replyUrl."""

    url: str
    body: bytes
    task_id: str
    allowed: bool


class Paid(NamedTuple):
    """Accepted creates: how many, the credits of all, and how many by their replyRef. `assert runway_simulator.paid.creates == 1`."""

    creates: int
    credits: float
    by_reply_ref: Counter[str | None]


class World:
    """All that the operations work on. `lock` guards it.

    `clock` is None, or the clock that the in-process transports go by unless they are given another.
    """

    def __init__(
        self,
        *,
        accounts: Sequence[str] = ("maker@example.com",),
        max_jobs: int = 5,
        credits: int = 2250,
        seed: int = 0,
        token: str | None = None,
        strict: bool = False,
        shapes: Shapes | None = None,
        task_seconds: float | None = None,
        link_seconds: float = 3600.0,
        upload_limit: int = FILE_LIMIT,
        storage: int = STORAGE,
        allow_remote_callbacks: bool = False,
        web_tasks: int = 0,
    ) -> None:
        least = {
            "max_jobs": (max_jobs, 1),
            "credits": (credits, 0),
            "web_tasks": (web_tasks, 0),
            "storage": (storage, 1),
        }
        for name, (value, bound) in least.items():
            if not value >= bound or value % 1:
                raise ValueError(f"{name} must be at least {bound}, and whole")
        for name, seconds in {"task_seconds": task_seconds or 0, "link_seconds": link_seconds}.items():
            if not 0 <= seconds < math.inf:
                raise ValueError(f"{name} must be seconds, at least 0")
        if not accounts or isinstance(accounts, str):
            raise ValueError("accounts must be a list of one email at least")
        self.contract: Contract = load_contract()
        self.models: dict[str, Model] = {
            operation.id: Model(self.contract, operation)
            for operation in self.contract.operations.values()
            if "x-creation" in operation.data
        }
        self._seed = seed
        self._fresh = [(email, credits, max_jobs) for email in accounts]
        self.token = token
        self.strict = strict
        self.shapes: Shapes = shapes or Shapes()
        self.task_seconds = task_seconds
        self.link_seconds = link_seconds
        self.upload_limit = upload_limit
        self.storage = storage
        self.allow_remote_callbacks = allow_remote_callbacks
        self.web_tasks = web_tasks
        self.clock: ManualClock | None = None
        self.lock: threading.RLock = threading.RLock()
        self.lives: int = 0
        self.faults: Faults = Faults(seed, self.contract.operations)
        self.reset()

    def reset(self) -> None:
        """Empties everything but the faults and the settings."""
        self.state: State = State(self._seed, [Account(*each) for each in self._fresh])
        self.links: Links = Links(f"{self._seed}", self.link_seconds)
        self.notes: deque[str] = deque(maxlen=200)
        self.held_callbacks: list[Callback] = []
        self.late_callbacks: list[tuple[float, Callback]] = []
        self.token_leaks = 0
        self.lives += 1

    def task_view(self, task: Task, origin: str, now: float) -> dict[str, Any]:
        """A task as the API tells it at this moment."""
        blob, media_type = self.state.blobs.get(task.asset_id, (None, ""))
        asset = self.state.assets.get(task.asset_id)
        if asset is None and blob is not None:
            asset = Asset(task.asset_id, task.email, "", media_type, task.created, blob)
        account = self.state.accounts[task.email]
        return task_view(task, self.models[task.operation], asset, account, self.shapes, self.links, origin, now)

    @property
    def paid(self) -> Paid:
        """What was paid since it began, or since the last reset; tasks that were deleted among it."""
        with self.lock:
            found = [*self.state.paid]
        return Paid(len(found), sum(cost for _, cost in found), Counter(reference for reference, _ in found))

    def room(self) -> int:
        """How many bytes of files can still be kept."""
        with self.lock:
            return max(0, self.storage - sum({id(blob): blob.size for blob, _ in self.state.blobs.values()}.values()))

    def busy_slots(self, email: str, now: float) -> int:
        """How many slots of an account are taken."""
        with self.lock:
            return len(self.state.tracked(email, now))
