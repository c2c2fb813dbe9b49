"""What the clips of a batch are, before anything is sent: each file is looked at once, however many rows name it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from .._seam import Clip, check_needs, is_asset_id, is_no_video, look_at, remarks, told
from ..errors import ParameterError
from .checks import Job


class Remark(NamedTuple):
    """What may be a mistake about a row's clip."""

    line: int
    video: str
    warning: str


def look(jobs: Iterable[Job], unit: str = "line") -> tuple[list[Remark], list[str]]:
    """Remarks about rows, and what is wrong with rows, with their lines."""
    clips: dict[str, Clip | None] = {}
    found: list[Remark] = []
    problems: list[str] = []
    for job in jobs:
        if is_asset_id(job.video):
            continue
        try:
            if job.video not in clips:
                clips[job.video] = look_at(job.video)
            clip = clips[job.video]
            if rule := is_no_video(clip):
                problems.append(f"{unit} {job.line}: video {job.video}: {rule}")
                continue
            check_needs(job.creation, clip.measures if clip else {}, "video", job.video)
        except ParameterError as error:
            problems += (f"{unit} {job.line}: {each}" for each in error.problems)
            continue
        if line := told(Path(job.video).name, remarks(clip, job.creation, job.parameters)):
            found.append(Remark(job.line, job.video, line))
    return found, problems
