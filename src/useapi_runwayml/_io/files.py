"""The disk: where downloads go, and how they become files."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import threading
from pathlib import Path
from typing import BinaryIO

from useapi_runwayml_api.creations.base import FileSource

from .._core import surroundings
from ..errors import ParameterError, Problem

LONGEST = 60
NO_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
NO_LINKS = {errno.EPERM, errno.EACCES, errno.EMLINK, errno.EXDEV, *NO_SYNC}


class Disk:
    """What a core asks of the disk."""

    def open_source(self, given: FileSource) -> surroundings.Source:
        from .sources import Source

        return Source(given)

    def check_destination(self, destination: str | os.PathLike[str], *, overwrite: bool) -> Path:
        return check_destination(destination, overwrite=overwrite)

    def partial(self, path: Path) -> Partial:
        return Partial(path)


def check_destination(destination: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """The path, if a file can be put there: ParameterError or FileExistsError otherwise."""
    path = Path(destination)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.lstat(path)
        if path.is_dir():
            folder = path
        elif os.path.lexists(path) and not overwrite:
            raise FileExistsError(17, "It exists already, and overwrite is not set", str(path))
        else:
            folder = path.parent
        if not folder.is_dir():
            raise ParameterError([Problem("destination", str(path), "its folder does not exist")])
        if not os.access(folder, os.W_OK):
            raise ParameterError([Problem("destination", str(path), "its folder cannot be written to")])
    except ValueError as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError([Problem("destination", str(path), "it is no path")]) from None
    except FileExistsError:
        raise
    except OSError as error:
        rule = f"no file can be put there ({error.strerror or error})"
        raise ParameterError([Problem("destination", str(path), rule)]) from None
    return path


def partial_prefix(path: Path) -> str:
    """How the names of its temporary files begin, and those of no other file: of a long name the end is told by a digest."""
    name = path.name
    if len(name) > LONGEST:
        name = f"{name[: LONGEST - 12]}~{hashlib.sha256(os.fsencode(name)).hexdigest()[:11]}"
    return f".{name}."


def take_name(file: Path, name: Path) -> None:
    """Gives a whole file its name in one step, if nobody has that; FileExistsError if somebody has. The file may keep its own as well."""
    try:
        try:
            os.link(file, name)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            _take_name_without_links(file, name)
    except FileExistsError:
        told = "It came into being meanwhile, and overwrite is not set"
        raise FileExistsError(17, told, str(name)) from None


def _take_name_without_links(file: Path, name: Path) -> None:
    os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        os.replace(file, name)
    except BaseException:
        name.unlink(missing_ok=True)  # the empty one that held the name
        raise


class Partial:
    """The temporary file of a download, beside its destination. `open` comes first."""

    file: BinaryIO

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(f"{partial_prefix(path)}{secrets.token_hex(4)}.part")
        self._lock = threading.Lock()
        self._opened = self._over = False

    def open(self) -> None:
        """Makes the file; if nobody waits for it any more by then, it goes again."""
        file = self.partial.open("xb")
        with self._lock:
            self.file, self._opened = file, True
            over = self._over
        if over:
            self.discard()

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()

    def write(self, chunk: bytes) -> None:
        self.file.write(chunk)

    def publish(self, *, overwrite: bool) -> Path:
        """Gives the whole file its name; nothing at all once it was discarded, which may happen in another thread."""
        self.file.flush()
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            if error.errno not in NO_SYNC:
                raise
        with self._lock:
            if self._over:
                raise OSError(errno.ECANCELED, "It was given up")
            self.file.close()
            if overwrite:
                os.replace(self.partial, self.path)
            else:
                take_name(self.partial, self.path)
        return self.path

    def discard(self) -> None:
        with self._lock:
            self._over = True
            if self._opened:
                with contextlib.suppress(OSError):  # a full disk is told of where it was met
                    self.file.close()
                with contextlib.suppress(OSError):
                    self.partial.unlink()
