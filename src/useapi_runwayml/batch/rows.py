"""Jobs files: CSV as spreadsheets write it, JSON Lines, JSON; and jobs that come from Python. Every problem is told with its line, or its number."""

from __future__ import annotations

import csv
import difflib
import io
import json
import operator
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

from useapi_runwayml_api.creations.registry import CREATIONS

from .._seam import DEFAULT_CREATION, counted

OWN_COLUMNS = ("video", "image", "prompt", "output", "email", "endpoint")
EXTRA_PARAMETERS = ("extra_body", "encoding")
WORDS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Row:
    """One job as the file has it: its line, the creation that it is for, and what it says by column. Without a file the line is its number."""

    line: int
    endpoint: str
    values: Mapping[str, Any]
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.unit} {self.line}"


@dataclass
class Jobs:
    """All jobs of a file, and what is wrong with its form. `endpoint` is that of rows that name none, `unit` what its jobs are counted by."""

    endpoint: str
    rows: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unit: str = "line"


def parameters(endpoint: str) -> dict[str, str]:
    """The columns of a creation besides our own, with their JSON types."""
    own = {each.name: each.type for each in CREATIONS[endpoint].options}
    return {**own, **dict.fromkeys(EXTRA_PARAMETERS, "")}


def read_jobs(path: Path, endpoint: str = DEFAULT_CREATION) -> Jobs:
    """The jobs of a file, by its ending: .json, .jsonl (or .ndjson), anything else is CSV. OSError when it cannot be read."""
    jobs = Jobs(endpoint)
    text = _decoded(path.read_bytes(), jobs)
    readers = {".json": _json, ".jsonl": _json_lines, ".ndjson": _json_lines}
    for line, values in readers.get(path.suffix.lower(), _csv)(text, jobs):
        _add(line, values, jobs)
    if not jobs.rows and not jobs.problems:
        jobs.problems.append(f"{path.name} has no jobs")
    return jobs


def given_jobs(given: Iterable[object], endpoint: str = DEFAULT_CREATION) -> Jobs:
    """The jobs that mappings, dataclasses or named tuples say, by the names that a file's columns have."""
    jobs = Jobs(endpoint, unit="job")
    for number, each in enumerate(given, 1):
        for line, values in _object(number, as_mapping(each), jobs):
            plain = {name: _plain(value) for name, value in values.items()}
            odd = [name for name, value in plain.items() if not _is_json(value)]
            jobs.problems += (
                f"job {number}: {name}: a {type(plain[name]).__name__} is no value of a job" for name in odd
            )
            _add(line, {name: value for name, value in plain.items() if name not in odd}, jobs)
    if not jobs.rows and not jobs.problems:
        jobs.problems.append("there are no jobs")
    return jobs


def as_mapping(given: object) -> object:
    """A job as names and values; what says none stays as it is, and is refused by who reads it."""
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    if is_dataclass(given) and not isinstance(given, type):
        return {each.name: getattr(given, each.name) for each in fields(given)}
    return given._asdict() if hasattr(given, "_asdict") else given


def _plain(value: Any) -> Any:
    """Paths as texts, and the integers of other libraries as integers."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return operator.index(value) if hasattr(value, "__index__") and not isinstance(value, bool) else value


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _decoded(content: bytes, jobs: Jobs) -> str:
    """UTF-8 with or without a BOM, or UTF-16 with one; spreadsheets write all three."""
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding).lstrip("\ufeff")  # two programs may each have put one there
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        jobs.problems.append(f"line {line}: it is not UTF-8; save the file as “CSV UTF-8”")
        return ""


def _csv(text: str, jobs: Jobs) -> Iterator[tuple[int, dict[str, Any]]]:
    first = next((line for line in text.split("\n") if line.strip()), "").rstrip("\r")
    skipped = 0
    delimiter = max(",;\t", key=first.count)
    if first.lower().startswith("sep=") and len(first) == 5:  # what Excel writes to name the delimiter
        skipped = text[: text.index(first)].count("\n") + 1
        delimiter, text = first[4], text.split("\n", skipped)[skipped]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    begins = skipped + 1
    try:
        for cells in reader:
            line, begins = begins, skipped + reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [_seen(cell) for cell in cells]
                jobs.problems += (
                    f"line {line}: column {name!r} stands there twice"
                    for name in dict.fromkeys(header)
                    if name and header.count(name) > 1
                )
            elif any(cells[len(header) :]):
                jobs.problems.append(
                    f"line {line}: {counted(len(cells), 'cell')} under {counted(len(header), 'column')}; quote a cell with a comma in it"
                )
            else:
                pairs = zip(header, cells, strict=False)
                yield line, {name: Cell(cell) for name, cell in pairs if name and cell.strip()}
    except csv.Error as error:
        jobs.problems.append(f"line {skipped + reader.line_num}: {error}; a quote may not be closed")


def _seen(name: str) -> str:
    """The name of a column as a person sees it: without the letters without a width that copying brings along."""
    return "".join(letter for letter in name if unicodedata.category(letter) != "Cf").strip()


class Cell(str):
    """A text of a CSV file, which is of the type of its column once that is known."""


def _typed(name: str, cell: Any, kinds: Mapping[str, str]) -> Any:
    """A value as the type that its column has; what is none of it stays as it is, and is refused by its column's rule."""
    kind = kinds.get(name, "string")
    if not isinstance(cell, Cell):
        return int(cell) if kind == "integer" and isinstance(cell, float) and cell.is_integer() else cell
    text = _seen(cell) if kind in ("integer", "number", "boolean") else cell.strip()
    if kind in ("integer", "number") and (whole := re.fullmatch(r"([+-]?[0-9]{1,29})(\.0{1,29})?", text)):
        return int(whole[1])  # 7.0 is how spreadsheets write 7
    if kind == "number" and re.fullmatch(r"-?[0-9]{1,29}\.[0-9]{1,29}", text):
        return float(text)
    if kind == "boolean" and text.lower() in WORDS:
        return WORDS[text.lower()]
    if name == "extra_body":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text if (name in OWN_COLUMNS and name != "prompt") or kind != "string" else str(cell)


def _json_lines(text: str, jobs: Jobs) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, each in enumerate(text.split("\n"), 1):
        if not each.strip():
            continue
        try:
            value = json.loads(each)
        except (ValueError, RecursionError) as error:
            jobs.problems.append(f"line {line}: no JSON: {error}")
            continue
        yield from _object(line, value, jobs)


def _json(text: str, jobs: Jobs) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        value = json.loads(text) if text.strip() else []
    except (ValueError, RecursionError) as error:
        jobs.problems.append(f"no JSON: {error}")
        return
    entries = value.get("jobs") if isinstance(value, dict) else value
    if not isinstance(entries, list):
        jobs.problems.append("it must be a list of jobs, bare or under “jobs”")
        return
    for number, each in enumerate(entries, 1):
        yield from _object(number, each, jobs)


def _object(line: int, value: Any, jobs: Jobs) -> Iterator[tuple[int, dict[str, Any]]]:
    if isinstance(value, dict):
        yield line, {_seen(name): each for name, each in value.items() if each is not None}
    else:
        jobs.problems.append(f"{jobs.unit} {line}: a job must be an object")


def _add(line: int, values: dict[str, Any], jobs: Jobs) -> None:
    """A row with its values by known columns; an unknown one is a problem, with the one that may be meant."""
    endpoint = values.get("endpoint", jobs.endpoint)
    endpoint = endpoint.strip() if isinstance(endpoint, str) else endpoint
    where = f"{jobs.unit} {line}"
    if endpoint not in tuple(CREATIONS):
        jobs.problems.append(f"{where}: there is no endpoint {endpoint!r}: {', '.join(CREATIONS)}")
        return
    kinds, prompt = parameters(endpoint), CREATIONS[endpoint].prompt.name
    if prompt != "prompt" and prompt in values:
        if "prompt" in values:
            jobs.problems.append(f"{where}: prompt and {prompt} are the same, give one")
        values["prompt"] = values.pop(prompt)
    known = tuple(each for each in (*OWN_COLUMNS, *kinds) if each != "image" or CREATIONS[endpoint].image)
    for name in [name for name in values if name not in known]:
        near = "".join(f"; is {each} meant?" for each in difflib.get_close_matches(name, known, 1))
        jobs.problems.append(f"{where}: there is no column {name!r} for {endpoint}{near}")
        del values[name]
    typed = {name: _typed(name, value, kinds) for name, value in values.items()}
    jobs.rows.append(Row(line, endpoint, typed, jobs.unit))
