"""What commands print: tables and bars for people, JSON for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.table import Table
from rich.text import Text

from .. import Progress as TaskProgress

MANY = 1000
LOST = ("FAILED", "CANCELLED")  # ends of which nothing is done
WIDEST = 1_000_000
_state = {"json": False}


def use_json(wanted: bool) -> None:
    _state["json"] = wanted


def is_json() -> bool:
    return _state["json"]


def show(data: Any, lines: Callable[[], None]) -> None:
    """The data as JSON, or what `lines` prints."""
    if is_json():
        emit(data, indent=1)
    else:
        lines()


def emit(data: Any, *, indent: int | None = None) -> None:
    """One JSON value; escaped where the terminal's encoding has not all letters. Of many things each has a line."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") != "utf8"

    def dumped(value: Any, indent: int | None = None) -> str:
        return json.dumps(value, ensure_ascii=plain, indent=indent, default=str)

    if isinstance(data, list) and len(data) > MANY:
        print("[", ",\n".join(map(dumped, data)), "]", sep="\n", flush=True)
    else:
        print(dumped(data, indent), flush=True)


def say(line: str) -> None:
    """A line for people; nothing for machines."""
    if not is_json():
        print(line, flush=True)


def remark(line: str) -> None:
    """A line for whoever looks on, beside what the command gives: on standard error, also where machines read."""
    print(line, file=sys.stderr, flush=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table as wide as the terminal, in which nothing is cut off; a line for each row elsewhere. Colours where NO_COLOR and the terminal allow."""
    cells = [["" if cell is None else _plain(cell) for cell in row] for row in rows]
    if not cells and not title:
        print("Nothing.")
    elif len(cells) > MANY:
        _plain_table(columns, cells)
    else:
        made = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False)
        for column in made.columns:
            column.overflow = "fold"
        for row in cells:
            made.add_row(*map(Text, row))
        Console(width=None if sys.stdout.isatty() else WIDEST).print(made)


def _plain_table(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """The same without colours, and a line for each row everywhere: a table of thousands takes a minute to lay out."""
    lines = [columns, *cells]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (f"{cell}{' ' * (width - _width(cell))}" for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())
    sys.stdout.flush()


def _width(cell: str) -> int:
    return len(cell) if cell.isascii() else cell_len(cell)


def _plain(cell: object) -> str:
    """Text of the service as text, without control characters."""
    if isinstance(cell, datetime):
        return _moment(cell)
    text = str(cell)
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)


def _moment(told: datetime) -> str:
    """In one form, and of one zone, which it names; the service's is UTC where it names none."""
    try:
        return f"{(told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except OverflowError:  # at the ends of the calendar
        return told.isoformat()


def fields(values: Mapping[str, object]) -> None:
    """Names and values, a line each."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        print(f"{name + ':':{width + 1}} {'' if value is None else _plain(value)}")


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as a line on stderr."""
    print(f"useapi-runwayml: {message}", file=sys.stderr)


def bar() -> Progress:
    """A bar on a terminal, nothing elsewhere and nothing for machines."""
    return Progress(
        TextColumn("           {task.description:<10}", markup=False),
        BarColumn(bar_width=40),
        TaskProgressColumn(),
        console=Console(file=sys.stderr),
        disable=is_json() or not sys.stderr.isatty(),
    )


def task_progress(shown: Progress) -> Callable[[TaskProgress], None]:
    """What feeds a task's progress to a bar; without a terminal each new state is a line."""
    line = shown.add_task("PENDING", total=1.0)
    told: list[str | None] = []

    def update(progress: TaskProgress) -> None:
        shown.update(line, completed=progress.ratio or 0.0, description=str(progress.status))
        if shown.disable and told[-1:] != [progress.status]:
            told.append(progress.status)
            share = "" if progress.status in LOST else f" {progress.ratio or 0:.0%}"
            say(f"           {progress.status}{share}")

    return update
