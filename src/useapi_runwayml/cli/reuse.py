"""Files that a run has uploaded before, found by their content: an index of this user's own, which helps where it can and stops nothing."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import Progress, RunwayClient
from .._seam import (
    BASE_URL,
    as_on_disk,
    check_needs,
    email_of,
    is_asset_id,
    is_no_video,
    look_at,
    measures_of,
    media_type_of,
    remarks,
    told,
)
from ..errors import UseapiError
from . import output
from .telling import Story

if TYPE_CHECKING:
    import sqlite3

    from useapi_runwayml_api.creations.base import Creation

TABLE = "CREATE TABLE IF NOT EXISTS uploads (key TEXT PRIMARY KEY, asset TEXT NOT NULL) WITHOUT ROWID"


def index_path() -> Path:
    """Where the index lies: in the folder that the system has for what may be lost."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local", "useapi-runwayml", "Cache")
    elif os.path.isabs(given := os.environ.get("XDG_CACHE_HOME", "")):
        folder = Path(given, "useapi-runwayml")
    else:
        folder = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "useapi-runwayml"
    return folder / "uploads.sqlite"


def ask_index(work: Callable[[sqlite3.Connection], Any]) -> Any:
    """What a step in the index gives; None where there is none, or none that can be used. One that is broken is begun anew."""
    try:
        import sqlite3
    except ImportError:
        return None
    try:
        path = index_path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.closing(sqlite3.connect(path, timeout=2)) as index, index:
            index.execute(TABLE)
            return work(index)
    except (OSError, RuntimeError, sqlite3.OperationalError):  # no home, no right, no room, or busy
        return None
    except sqlite3.Error:
        with contextlib.suppress(OSError):
            path.unlink()
        return None


class File(NamedTuple):
    """A file as it was when it was looked at."""

    path: Path
    key: str
    state: tuple[int, int, int]


def looked_at(given: str, kind: str) -> File | None:
    """A file by its content; None for what an upload would refuse, or could not read twice."""
    with contextlib.suppress(OSError, ValueError):
        path = as_on_disk(Path(given))
        media_type = media_type_of(path.name, None)
        if media_type.startswith(f"{kind}/") and stat.S_ISREG(path.stat().st_mode):
            state = state_of(path)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            service = os.environ.get("USEAPI_RUNWAYML_BASE_URL") or BASE_URL
            account = hashlib.sha256((os.environ.get("USEAPI_TOKEN") or "").strip().encode()).hexdigest()[:16]
            return File(path, " ".join((service.strip().rstrip("/"), account, media_type, digest)), state)
    return None


def state_of(path: Path) -> tuple[int, int, int]:
    """What changes when a file does."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


class Reuse:
    """What a run is given instead of files that are assets already; hears the run, and keeps what it uploads."""

    def __init__(self, runway: RunwayClient, creation: Creation, values: dict[str, Any], story: Story) -> None:
        self._runway = runway
        self._creation = creation
        self._values = values
        self._story = story
        self._sent: list[File | None] = []

    def source(self, given: str) -> str | Path:
        """The clip: an asset of before that has what the creation needs of it, or the path."""
        if is_asset_id(given):
            return given
        file = looked_at(given, "video")
        if file is not None and (asset_id := self._found(file, self._creation)):
            clip = look_at(file.path)
            if not is_no_video(clip):
                if line := told(file.path.name, remarks(clip, self._creation, self._values)):
                    output.show_warning(line)
                return self._reused(file, asset_id)
        self._sent.append(file)
        return Path(given)

    def image(self, given: str, source: str | Path) -> str | Path:
        """The image: an asset of before in the account of the clip's, or the path."""
        if is_asset_id(given):
            return given
        file = looked_at(given, "image")
        same_account = isinstance(source, str) and email_of(source)
        if (
            file is not None
            and (asset_id := self._found(file) if same_account else "")
            and email_of(asset_id) == same_account
        ):
            return self._reused(file, asset_id)
        self._sent.append(file)
        return Path(given)

    def __call__(self, progress: Progress) -> None:
        if progress.asset_id and self._sent and (file := self._sent.pop(0)):
            with contextlib.suppress(OSError):
                if state_of(file.path) == file.state:
                    values = file.key, progress.asset_id
                    ask_index(
                        lambda index: index.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?)", values).rowcount
                    )
        self._story(progress)

    def _found(self, file: File, creation: Creation | None = None) -> str:
        """The asset, if it still exists and will do: that is read, which costs nothing."""
        row = ask_index(lambda index: index.execute("SELECT asset FROM uploads WHERE key = ?", (file.key,)).fetchone())
        if not row or not is_asset_id(row[0]):
            return ""
        try:
            asset = self._runway.assets.retrieve(row[0])
            if creation is not None:
                check_needs(creation, measures_of(asset), creation.source.name, row[0])
        except UseapiError:
            return ""
        return str(row[0])

    def _reused(self, file: File, asset_id: str) -> str:
        self._story.remark(
            f"Reused upload: {asset_id} of {file.path.name}", stage="reused", asset_id=asset_id, file=file.path.name
        )
        return asset_id
