"""The results of rows: fetched beside their place, known by their digest before they take their name, and never taken for another's."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from .._seam import partial_prefix, take_name

Found = Literal["saved", "lost"]


def place_of(path: Path, workflow: str) -> Path:
    """Where the result of a row lies until it has its name: in the same folder, hidden, by the row's own name."""
    return path.with_name(f"{partial_prefix(path)}{workflow}.part")


def make_room(path: Path, place: Path, *, sweeps: bool) -> None:
    """The folder, if wanted without what a killed download of this very file left there: to look for that, all of the folder is read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in (path, place) if sweeps else ():  # it is downloaded to its place, and has a temporary file there
        for left in path.parent.glob(f"{glob.escape(partial_prefix(file))}*.part"):
            left.unlink(missing_ok=True)


def measure(path: Path) -> dict[str, Any]:
    """What a file is known by."""
    return {"bytes": path.stat().st_size, "sha256": digest_of(path)}


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def publish(path: Path, place: Path, known: Mapping[str, Any]) -> Found:
    """Gives the result its name. A file that is there is ours if it has the digest that was recorded before; FileExistsError if not.

    `lost` when there is neither: it has to be fetched again.
    """
    is_whole = place.is_file() and measure(place) == {name: known[name] for name in ("bytes", "sha256")}
    if is_whole:
        try:
            take_name(place, path)
        except FileExistsError:
            if not _is_ours(path, known):
                raise
    elif path.is_file() and not _is_ours(path, known):
        raise FileExistsError(17, "it is not this row's", str(path))
    elif not path.is_file():
        return "lost"
    place.unlink(missing_ok=True)
    return "saved"


def _is_ours(path: Path, known: Mapping[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == known["bytes"] and digest_of(path) == known["sha256"]
