"""All that is wrong with the jobs, before anything is sent; and what they will cost."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from useapi_runwayml_api.creations.base import Creation
from useapi_runwayml_api.creations.registry import CREATIONS

from .._seam import DEFAULT_CREATION, amount, as_on_disk, as_problems, counted, is_asset_id, media_type_of
from ..errors import ParameterError
from .rows import OWN_COLUMNS, Jobs, Row, parameters

EXISTS = "it exists already"
LONGEST_REFERENCE = 960  # of the 1024 that the service takes; the rest makes it unique


PATHS = ("video", "image", "output")


def _below(path: str, root: Path) -> str:
    """Relative to the root, as all systems read it, if it lies there."""
    folder, name = os.path.split(path)
    below = None if is_asset_id(path) else _folder_below(folder, root)
    return path if below is None else f"{below}{name}"


@lru_cache(256)
def _folder_below(folder: str, root: Path) -> str | None:
    """What stands before the name of a file there, if it lies below the root; a batch of many thousand rows has few folders."""
    try:
        found = Path(folder).relative_to(root).as_posix()
    except ValueError:
        return None
    return "" if found == "." else f"{found}/"


@dataclass(frozen=True)
class Job:
    """One row, ready to run: paths are absolute, `endpoint` names the creation, `parameters` are its own by their Python names.

    `key` is what the row is known by at the service: the beginning of all its replyRefs. `sha256` is that of its clip. A further attempt may begin with a task, with what a person decided, or with an earlier intent whose outcome is to be settled.
    """

    row: int
    line: int
    video: str
    prompt: str
    output: str
    email: str | None = None
    endpoint: str = DEFAULT_CREATION
    parameters: Mapping[str, Any] = field(default_factory=dict)
    image: str | None = None
    credits_if_unknown: float | None = None
    key: str = ""
    sha256: str = ""
    image_sha256: str = ""
    attempt: int = 1
    task_id: str | None = None
    reply_ref: str | None = None
    decision: str | None = None
    intent: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        """What its workflow is called in its batch."""
        return f"row-{self.row}-{self.attempt}"

    def write(self, root: Path) -> str:
        """The job as text, for whoever has the same files below a root of its own: paths below this one are relative to it."""
        values = {name: value for name, value in vars(self).items() if value is not None}
        return json.dumps(values | {name: _below(values[name], root) for name in PATHS if name in values})

    @classmethod
    def read(cls, text: str, root: Path) -> Job:
        """The job of such a text, with its paths below this root."""
        values = json.loads(text)
        places = {name: values[name] for name in PATHS if name in values and not is_asset_id(values[name])}
        return cls(**values | {name: str(root / place) for name, place in places.items()})

    @property
    def creation(self) -> Creation:
        """What its endpoint is."""
        return CREATIONS[self.endpoint]

    def credits(self) -> float | None:
        """What its create costs, or what a person says where the price is not documented; None where nobody knows."""
        known = self.creation.credits(self.parameters)
        return self.credits_if_unknown if known is None else known

    def seconds(self) -> float | None:
        """Seconds of the video that it makes; None where that is not known."""
        return self.creation.seconds(self.parameters)


class Estimate(NamedTuple):
    """What jobs come to: seconds of video, credits, and how many have no known length or price and are in neither sum."""

    jobs: int
    seconds: float
    credits: float
    unmeasured: int
    unpriced: int

    def __str__(self) -> str:
        video = f"{amount(self.seconds)} seconds of video" + (
            f", {self.unmeasured} of unknown length" if self.unmeasured else ""
        )
        price = f"about {amount(self.credits)} credits" if self.credits or not self.unpriced else ""
        unknown = f"{self.unpriced} of unknown price" if self.unpriced else ""
        return f"{counted(self.jobs, 'job')}, {video}, {' and '.join(filter(None, (price, unknown)))}"


def check(
    jobs: Jobs,
    base: Path,
    output_dir: Path,
    defaults: Mapping[str, Any],
    credits_if_unknown: float | None = None,
    begun: Sequence[Job] = (),
) -> tuple[list[Job], list[str]]:
    """The jobs, and every problem with its line. Paths of videos are relative to `base`, those of results to `output_dir`.

    `begun` are the rows of the batch that these are added to: they are numbered on from those.
    """
    problems = list(jobs.problems)
    found: list[Job] = []
    taken = Taken()
    for job in begun:
        taken.put(job.output, f"row {job.row} of the batch")
    look_at_file = cache(lambda file, kind: [*_file_problems(file, kind)])  # many rows name one file
    cached = cache(lambda given: file_of(given, base))

    def place_of(given: Any) -> str | Path | None:
        return cached(given) if isinstance(given, str) else None

    for number, row in enumerate(jobs.rows, 1 + max((job.row for job in begun), default=0)):
        creation, values = CREATIONS[row.endpoint], values_of(row, defaults)
        said = [f"{row}: {each}" for each in _problems(values, creation)]
        video = place_of(values.get("video"))
        said += (f"{row}: {each}" for each in look_at_file(video, "video"))
        image = place_of(values.get("image"))
        if values.get("image") is not None:
            said += (f"{row}: {each}" for each in look_at_file(image, "image"))
        output = output_of(values.get("output"), video, number, output_dir)
        said += (f"{row}: {each}" for each in _output_problems(output, row, taken))
        problems += said
        if all(each.endswith(EXISTS) for each in said):  # which may be its own, of a journal that was lost
            more = {name: value for name, value in values.items() if name not in OWN_COLUMNS}
            texts = str(video), values["prompt"], str(output), values.get("email"), row.endpoint
            found.append(Job(number, row.line, *texts, more, None if image is None else str(image), credits_if_unknown))
    return found, problems


def values_of(row: Row, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says by column. A default that its endpoint does not know is not for it."""
    known = _columns(row.endpoint)
    return {**{name: value for name, value in defaults.items() if name in known}, **row.values}


@cache
def _columns(endpoint: str) -> frozenset[str]:
    names = (*OWN_COLUMNS, *parameters(endpoint))
    return frozenset(each for each in names if each != "image" or CREATIONS[endpoint].image)


def _problems(values: Mapping[str, Any], creation: Creation) -> Iterator[str]:
    """What the generated client would refuse, and what the batch itself needs."""
    given = {name: value for name, value in values.items() if name not in (*OWN_COLUMNS, "extra_body", "encoding")}
    given |= {creation.source.name: "asset"} | ({creation.prompt.name: values["prompt"]} if "prompt" in values else {})
    for problem in as_problems(creation.request_model.find_problems(given, values.get("extra_body", {}))):
        yield str(problem).replace(creation.prompt.name, "prompt")
    if values.get("encoding", "json") not in tuple(creation.encodings):
        yield f"encoding must be {' or '.join(creation.encodings)}"
    if isinstance(reference := values.get("reply_ref"), str) and len(reference) > LONGEST_REFERENCE:
        yield f"reply_ref must have at most {LONGEST_REFERENCE} characters here: the batch adds to it what makes it unique"
    email = values.get("email")
    if email is not None and (not isinstance(email, str) or "@" not in email):
        yield f"email {email!r} is none"
    yield from (
        f"{name} must be text" for name in ("video", "image", "output") if not isinstance(values.get(name, ""), str)
    )


def file_of(given: Any, base: Path) -> str | Path | None:
    """An asset id, or a path; one with backslashes may have been written on Windows."""
    if not isinstance(given, str) or not given:
        return None
    if is_asset_id(given):
        return given
    path = base / given
    if os.name != "nt" and "\\" in given and not path.exists():
        path = base / Path(*PureWindowsPath(given).parts)
    return as_on_disk(path)


def _file_problems(file: str | Path | None, kind: str) -> Iterator[str]:
    if file is None:
        yield f"{kind} is missing: a path, or the id of an asset"
    elif isinstance(file, Path):
        try:
            if not file.is_file():
                yield f"{kind} {file}: no such file" if not file.is_dir() else f"{kind} {file}: it is a folder"
            elif file.stat().st_size == 0:
                yield f"{kind} {file}: it is empty"
            elif not os.access(file, os.R_OK):
                yield f"{kind} {file}: it cannot be read"
            elif not media_type_of(file.name, None).startswith(f"{kind}/"):
                yield f"{kind} {file}: it is no {kind}"
        except ParameterError:
            yield f"{kind} {file}: its ending tells no media type that the service takes"
        except OSError:
            yield f"{kind} {str(file)!r}: it is no path"


def output_of(given: Any, video: str | Path | None, number: int, output_dir: Path) -> Path:
    if isinstance(given, str) and given:
        path = output_dir / given
        return output_dir / Path(*PureWindowsPath(given).parts) if os.name != "nt" and "\\" in given else path
    stem = video.stem if isinstance(video, Path) else "result"
    return output_dir / f"{number:04}-{stem}.mp4"


@dataclass
class Taken:
    """Where results go by now, and the folders that they need, each with the first that goes there."""

    files: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    _refusing: dict[Path, Path | None] = field(default_factory=dict)

    def put(self, output: str | Path, who: str) -> list[str]:
        """Takes it for somebody, and gives what stands in the way."""
        place, name = os.path.split(output)
        if place not in self._seen:  # many results lie in one folder
            real = _folded(os.path.realpath(place))
            self._seen[place] = real, [real, *_above(real)]
        real, folders = self._seen[place]
        key = os.path.join(real, _folded(name))
        other = self.files.get(key)
        found = [f"{other} has the same"] if other else []
        for other in dict.fromkeys(filter(None, (self.folders.get(key), *map(self.files.get, folders)))):
            found.append(f"{other} has a file where one of the two needs a folder")
        self.files.setdefault(key, who)
        for each in folders:
            self.folders.setdefault(each, who)
        return found

    def refusing(self, folder: Path) -> Path | None:
        """The folder, or the nearest above it that is there, if it cannot be written to."""
        if folder not in self._refusing:
            there = folder
            while not there.exists() and there != there.parent:
                there = there.parent
            self._refusing[folder] = None if there.is_dir() and os.access(there, os.W_OK) else there
        return self._refusing[folder]


def _folded(path: str) -> str:
    """As a file system may see it that tells neither case nor forms of Unicode apart."""
    return unicodedata.normalize("NFC", path).casefold()


def _above(path: str) -> Iterator[str]:
    """All folders that a path lies in."""
    while (folder := os.path.dirname(path)) != path:
        yield folder
        path = folder


def _output_problems(output: Path, row: Row, taken: Taken) -> Iterator[str]:
    try:
        yield from (f"output {output}: {each}" for each in taken.put(output, str(row)))
        os.lstat(output)
        yield f"output {output}: {EXISTS}"
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        yield f"output {str(output)!r}: no file can be put there ({getattr(error, 'strerror', '') or 'it is no path'})"
        return
    if folder := taken.refusing(output.parent):
        yield f"output {output}: {folder} cannot be written to"


def estimate(jobs: Sequence[Job]) -> Estimate:
    """What these jobs come to."""
    seconds, credits = [job.seconds() for job in jobs], [job.credits() for job in jobs]
    sums = sum(filter(None, seconds)), sum(filter(None, credits))
    return Estimate(len(jobs), *sums, seconds.count(None), credits.count(None))
