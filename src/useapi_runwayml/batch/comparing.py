"""Pure but for paths: what of a jobs file has changed since its batch began, row by row. The batch itself goes on as it was."""

from __future__ import annotations

import json
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from .._seam import DEFAULT_CREATION
from .checks import Job, check, file_of, output_of, values_of
from .rows import Jobs, Row


@dataclass(frozen=True)
class Reading:
    """How a jobs file was read when its batch began, and the digest that it had; kept in the journal."""

    sha256: str
    output_dir: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    endpoint: str = DEFAULT_CREATION
    credits_if_unknown: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def check(self, jobs: Jobs, base: Path, begun: Sequence[Job] = ()) -> tuple[list[Job], list[str]]:
        """The rows of a file as jobs, and what is wrong with them."""
        return check(jobs, base, Path(self.output_dir), self.defaults, self.credits_if_unknown, begun)


class Difference(NamedTuple):
    """A row that is `changed` or `added` has its line in the file as it is now; one that is `changed` or `gone` its row in the batch.

    `broken` is what cannot be read any more, or compared; `what` tells the columns that differ, or why.
    """

    kind: Literal["changed", "added", "gone", "broken"]
    row: int | None
    line: int | None
    what: str = ""
    unit: str = "line"

    def __str__(self) -> str:
        if self.kind == "broken":
            return self.what
        where = f"{self.unit} {self.line}" if self.line is not None else ""
        row = f"row {self.row}" if self.row is not None else ""
        return f"{' is '.join(filter(None, (where, row)))}: {self.kind}{f' ({self.what})' if self.what else ''}"


def compare(
    rows: Sequence[Row], begun: Sequence[Job], reading: Reading, base: Path
) -> tuple[list[Difference], list[Row]]:
    """What differs, in the order of the file and then of the batch, and the rows of the file that the batch has not.

    A row that stands elsewhere now is the same row. One that comes where another was, and is no other's, is that one, changed.
    """
    asked = [_asked(row, reading, base) for row in rows]
    waiting: dict[str, deque[Job]] = defaultdict(deque)
    for job in begun:
        waiting[_key(_asked_of(job))].append(job)
    same = [waiting[_key(each)].popleft() if waiting[_key(each)] else None for each in asked]
    left = {job.row: job for jobs in waiting.values() for job in jobs}
    found: list[Difference] = []
    new: list[Row] = []
    before = 0
    for row, mine, known in zip(rows, asked, same, strict=True):
        given = row.values.get("output", reading.defaults.get("output"))
        if known is not None and given and str(output_of(given, None, 0, Path(reading.output_dir))) == known.output:
            given = None
        if known is not None and not given:
            before = known.row
            continue
        old = known or left.pop(before + 1, None)
        before = old.row if old else before
        new.append(row)
        if old is None:
            found.append(Difference("added", None, row.line, unit=row.unit))
        else:
            columns = _different(mine, _asked_of(old)) or "output"
            found.append(Difference("changed", old.row, row.line, columns, row.unit))
    return [*found, *(Difference("gone", number, None) for number in sorted(left))], new


def _asked(row: Row, reading: Reading, base: Path) -> dict[str, Any]:
    values = values_of(row, reading.defaults)
    files = {name: str(file) for name in ("video", "image") if (file := file_of(values.get(name), base)) is not None}
    return {**values, **files, "endpoint": row.endpoint, "output": None}


def _asked_of(job: Job) -> dict[str, Any]:
    own = {"video": job.video, "image": job.image, "prompt": job.prompt, "email": job.email, "endpoint": job.endpoint}
    return {**job.parameters, **own}


def _key(asked: Mapping[str, Any]) -> str:
    told = {name: value for name, value in asked.items() if value is not None}
    return json.dumps(told, sort_keys=True, default=str)


def _different(new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    names = dict.fromkeys([*new, *old])
    return ", ".join(name for name in names if _key({name: new.get(name)}) != _key({name: old.get(name)}))
