"""All that is wrong with the jobs, before anything is sent; and what they will cost."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

from .._core.calls import as_problems
from .._core.document import document
from .._core.running import ASSET_ID, ENCODINGS
from .._core.uploading import media_type_of
from ..errors import ParameterError
from .rows import OWN_COLUMNS, Jobs, Row

LONGEST_REFERENCE = 960  # of the 1024 that the service takes; the rest makes it unique


@dataclass(frozen=True)
class Job:
    """One row, ready to run: paths are absolute, `parameters` are those of a create by their Python names.

    A further attempt may begin with a task, with what a person decided, or with an earlier intent whose outcome is to be settled.
    """

    row: int
    line: int
    video: str
    prompt: str
    output: str
    email: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    task_id: str | None = None
    reply_ref: str | None = None
    decision: str | None = None
    intent: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        """The id of its workflow."""
        return f"row-{self.row}-{self.attempt}"

    def to_dict(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    def credits(self) -> int:
        """What its create costs."""
        return 0 if self.parameters.get("explore_mode") else self.seconds() * prices()[0]

    def seconds(self) -> int:
        """Seconds of the video that it makes."""
        return int(self.parameters.get("seconds", prices()[1]))


def prices() -> tuple[int, int]:
    """Credits of a second, and the seconds that the service takes when none are given: as the document says."""
    operation = document()["paths"]["/gen3turbo/video"]["post"]
    seconds = document()["components"]["schemas"]["VideoToVideoRequest"]["properties"]["seconds"]
    return operation["x-credits-per-second"], seconds["default"]


def check(jobs: Jobs, base: Path, output_dir: Path, defaults: Mapping[str, Any]) -> tuple[list[Job], list[str]]:
    """The jobs, and every problem with its line. Paths of videos are relative to `base`, those of results to `output_dir`."""
    problems = list(jobs.problems)
    found: list[Job] = []
    taken: dict[str, int] = {}
    for number, row in enumerate(jobs.rows, 1):
        values = {**defaults, **row.values}
        said = [f"line {row.line}: {each}" for each in _problems(values)]
        video = _video(values.get("video"), base)
        said += (f"line {row.line}: {each}" for each in _video_problems(video))
        output = _output(values.get("output"), video, number, output_dir)
        said += (f"line {row.line}: {each}" for each in _output_problems(output, row, taken))
        problems += said
        if not said:
            more = {name: value for name, value in values.items() if name not in OWN_COLUMNS}
            found.append(Job(number, row.line, str(video), values["prompt"], str(output), values.get("email"), more))
    return found, problems


def _problems(values: Mapping[str, Any]) -> Iterator[str]:
    """What the generated client would refuse, and what the batch itself needs."""
    from useapi_runwayml_api.models.video_to_video_request import VideoToVideoRequest

    given = {name: value for name, value in values.items() if name not in (*OWN_COLUMNS, "extra_body", "encoding")}
    given |= {"asset_id": "asset"} | ({"text_prompt": values["prompt"]} if "prompt" in values else {})
    for problem in as_problems(VideoToVideoRequest.find_problems(given, values.get("extra_body", {}))):
        yield str(problem).replace("text_prompt", "prompt")
    if str(values.get("encoding", "json")) not in ENCODINGS:
        yield "encoding must be json or multipart"
    if isinstance(reference := values.get("reply_ref"), str) and len(reference) > LONGEST_REFERENCE:
        yield f"reply_ref must have at most {LONGEST_REFERENCE} characters here: the batch adds to it what makes it unique"
    email = values.get("email")
    if email is not None and (not isinstance(email, str) or "@" not in email):
        yield f"email {email!r} is none"
    yield from (f"{name} must be text" for name in ("video", "output") if not isinstance(values.get(name, ""), str))


def _video(given: Any, base: Path) -> str | Path | None:
    """An asset id, or a path; one with backslashes may have been written on Windows."""
    if not isinstance(given, str) or not given:
        return None
    if ASSET_ID.fullmatch(given):
        return given
    path = base / given
    if os.name != "nt" and "\\" in given and not path.exists():
        path = base / Path(*PureWindowsPath(given).parts)
    return path


def _video_problems(video: str | Path | None) -> Iterator[str]:
    if video is None:
        yield "video is missing: a path, or the id of an asset"
    elif isinstance(video, Path):
        try:
            if not video.is_file():
                yield f"video {video}: no such file" if not video.is_dir() else f"video {video}: it is a folder"
            elif video.stat().st_size == 0:
                yield f"video {video}: it is empty"
            elif not os.access(video, os.R_OK):
                yield f"video {video}: it cannot be read"
            elif not media_type_of(video.name, None).startswith("video/"):
                yield f"video {video}: it is no video"
        except ParameterError:
            yield f"video {video}: its ending tells no media type that the service takes"
        except (OSError, ValueError):
            yield f"video {str(video)!r}: it is no path"


def _output(given: Any, video: str | Path | None, number: int, output_dir: Path) -> Path:
    if isinstance(given, str) and given:
        path = output_dir / given
        return output_dir / Path(*PureWindowsPath(given).parts) if os.name != "nt" and "\\" in given else path
    stem = video.stem if isinstance(video, Path) else "result"
    return output_dir / f"{number:04}-{stem}.mp4"


def _output_problems(output: Path, row: Row, taken: dict[str, int]) -> Iterator[str]:
    try:
        key = unicodedata.normalize("NFC", os.path.realpath(output)).casefold()
        if key in taken:
            yield f"output {output}: line {taken[key]} has the same"
        yield from (
            f"output {output}: line {line} has a file where one of the two needs a folder"
            for other, line in taken.items()
            if other.startswith(key + os.sep) or key.startswith(other + os.sep)
        )
        taken.setdefault(key, row.line)
        os.lstat(output)
        yield f"output {output}: it exists already"
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        yield f"output {str(output)!r}: no file can be put there ({getattr(error, 'strerror', '') or 'it is no path'})"
        return
    folder = output.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        yield f"output {output}: {folder} cannot be written to"


def estimate(jobs: list[Job]) -> tuple[int, int]:
    """Seconds of video, and credits, of all jobs."""
    return sum(job.seconds() for job in jobs), sum(job.credits() for job in jobs)
