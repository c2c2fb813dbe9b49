"""Keeps the state in a file, and the uploaded files in a folder beside it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .clock import Clock
from .plan import Plan
from .state import Account, Asset, State, Task
from .wire import Blob

if TYPE_CHECKING:
    from .service import Simulator

VERSION = 3


class StateFile:
    """A file that a simulator's state is written to whenever it has changed, and read from at the start."""

    def __init__(self, path: Path) -> None:
        try:
            if not path.name or path.is_dir():
                raise ValueError("state must be the name of a file, and no folder")
        except OSError as error:
            raise ValueError(f"state cannot be read: {error.strerror or error}") from None
        self.path = path
        self.media: Path = path.with_name(f"{path.name}.media")
        self._last: tuple[int, int] | None = None
        self._written: dict[str, Blob] = {}

    def load(self, sim: Simulator, clock: Clock) -> None:
        """Fills the simulator; ValueError tells why a file is none of ours."""
        if not self.path.exists():
            return
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            if found["version"] != VERSION:
                raise ValueError(f"it has version {found['version']}, this package reads {VERSION}")
            state = State(0, [Account(**each) for each in found["accounts"]])
            kind, numbers, rest = found["chance"]
            state.chance.setstate((kind, tuple(numbers), rest))
            state.created = found["created"]
            state.paid = [(reply_ref, cost) for reply_ref, cost in found["paid"]]
            state.has_web_tasks = True
            for each in found["tasks"]:
                state.keep(Task(**{**each, "plan": Plan(**each["plan"])}))
            for key, (name, media_type) in found["files"].items():
                state.blobs[key] = (Blob([(self.media / name).read_bytes()]), media_type)
            for each in found["assets"]:
                state.assets[each["asset_id"]] = Asset(**each, blob=state.blobs[each["asset_id"]][0])
            ahead = max(0.0, found["now"] - clock.now())  # time goes on where it was, and never back
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OSError) as error:
            raise ValueError(f"{self.path} is no state of the simulator: {error}") from None
        sim.state = state
        self._written = {found["files"][key][0]: blob for key, (blob, _) in state.blobs.items()}
        clock.advance(ahead)

    def save(self, sim: Simulator, clock: Clock, *, always: bool = False) -> None:
        """Writes the state if there have been requests since the last time."""
        with sim.lock:
            if not always and self._last == (sim.handled, sim.lives):
                return
            seen, state = (sim.handled, sim.lives), sim.state
            files = {key: (key.rpartition(":")[2], media_type) for key, (_, media_type) in state.blobs.items()}
            self.media.mkdir(parents=True, exist_ok=True)
            for key, (name, _) in files.items():
                blob = state.blobs[key][0]
                if self._written.get(name) is not blob:
                    _write(self.media / name, blob.read())
                    self._written[name] = blob
            found: dict[str, Any] = {
                "version": VERSION,
                "now": clock.now(),
                "chance": state.chance.getstate(),
                "created": state.created,
                "paid": state.paid,
                "accounts": [asdict(each) for each in state.accounts.values()],
                "tasks": [asdict(each) for each in state.tasks.values()],
                "assets": [_without_blob(each) for each in state.assets.values()],
                "files": files,
            }
        _write(self.path, json.dumps(found).encode())
        self._last = seen
        kept = {name for name, _ in files.values()}
        for name in self._written.keys() - kept:
            (self.media / name).unlink(missing_ok=True)
            del self._written[name]


def _without_blob(asset: Asset) -> dict[str, Any]:
    return {name: value for name, value in vars(asset).items() if name != "blob"}


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.part")
    partial.write_bytes(content)
    os.replace(partial, path)
