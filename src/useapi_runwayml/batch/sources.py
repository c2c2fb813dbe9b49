"""Where jobs come from: a file, or Python."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .checks import Job
from .comparing import Difference, Reading, compare
from .results import digest_of
from .rows import Jobs, Row, as_mapping, given_jobs, read_jobs


@dataclass(frozen=True)
class JobsFile:
    """A file, beside which its clips lie. OSError when it cannot be read."""

    path: Path
    unit = "line"

    def __str__(self) -> str:
        return str(self.path)

    @property
    def base(self) -> Path:
        """What paths of clips are relative to."""
        return self.path.parent.resolve()

    def digest(self) -> str:
        return digest_of(self.path)

    def read(self, endpoint: str) -> Jobs:
        return read_jobs(self.path, endpoint)


@dataclass(frozen=True)
class GivenJobs:
    """Mappings, dataclasses or named tuples, whose clips lie below `base`."""

    given: Sequence[object]
    base: Path
    unit = "job"

    def __str__(self) -> str:
        return "the jobs"

    def digest(self) -> str:
        told = json.dumps([as_mapping(each) for each in self.given], default=str)
        return hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()

    def read(self, endpoint: str) -> Jobs:
        return given_jobs(self.given, endpoint)


Source = JobsFile | GivenJobs


def compared(
    source: Source | None, reading: Reading | None, have: Callable[[], Sequence[Job]]
) -> tuple[list[Difference], list[Row]]:
    """What of the jobs differs from the batch that began with them, and those that it has not; nothing where that was never known."""
    if source is None or reading is None:
        return [], []
    try:
        if source.digest() == reading.sha256:
            return [], []
        now = source.read(reading.endpoint)
    except OSError as error:
        return [_broken(f"{source} cannot be compared with its batch: {error.strerror or error}")], []
    differences, new = compare(now.rows, have(), reading, source.base)
    return [*differences, *map(_broken, now.problems)], new


def _broken(why: str) -> Difference:
    return Difference("broken", None, None, why)
