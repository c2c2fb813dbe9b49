"""What commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

MANY = 1000
IDS = ("task", "asset", "replyRef")
"""Columns of what is copied, and is of no use in pieces."""
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
        put("[", ",\n".join(map(dumped, data)), "]")
    else:
        put(dumped(data, indent))


def emit_aside(data: Mapping[str, Any]) -> None:
    """A line of JSON beside what the command gives, on standard error: where it is, for whoever looks on."""
    remark(json.dumps(data, default=str))


def is_terminal() -> bool:
    """Whether somebody looks on who sees a line redrawn."""
    return sys.stderr.isatty()


def put(*lines: str, aside: bool = False) -> None:
    """Whole lines, in one piece: who interrupts finds them before its own, or not at all. `aside` is standard error."""
    stream = sys.stderr if aside else sys.stdout
    stream.write("".join(f"{line}\n" for line in lines))
    stream.flush()


def say(line: str) -> None:
    """A line for people; nothing for machines."""
    if not is_json():
        put(line)


def remark(line: str) -> None:
    """A line for whoever looks on, beside what the command gives: on standard error, also where machines read."""
    put(line, aside=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table in which nothing is cut off, and no id broken: a line for each row, or, where the terminal is too narrow, also one for each id."""
    cells = [["" if cell is None else _plain(cell) for cell in row] for row in rows]
    if not cells:
        put("Nothing.")
        return
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else math.inf
    lines = [columns, *cells]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    if sum(widths) + 2 * (len(widths) - 1) <= room:
        put(*(_joined(line, widths) for line in lines))
    else:
        put(*_narrow(lines, widths, room))


def _joined(line: Sequence[str], widths: Sequence[int]) -> str:
    padded = (f"{cell}{' ' * (width - _width(cell))}" for cell, width in zip(line, widths, strict=True))
    return "  ".join(padded).rstrip()


def _narrow(lines: Sequence[Sequence[str]], widths: Sequence[int], room: float) -> Iterator[str]:
    """An id that comes first on a line of its own, that it can be copied; then what is short, in columns; then what is long, by its name."""
    columns = lines[0]
    short = [place for place, name in enumerate(columns) if name not in IDS]
    while len(short) > 1 and sum(widths[place] + 2 for place in short) > room:
        short.remove(max(short, key=widths.__getitem__))
    for line in lines:
        begins_with_id = columns[0] in IDS
        if begins_with_id:
            yield line[0]
        yield ("  " if begins_with_id else "") + _joined(
            [line[each] for each in short], [widths[each] for each in short]
        )
        for place in range(begins_with_id, len(columns)):
            if place not in short and line[place] and line is not columns:
                yield f"  {columns[place]}: {line[place]}"


def _width(cell: str) -> int:
    """Letters of two cells count as two."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)


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
    width = max(map(len, values))
    put(*(f"{name + ':':{width + 1}} {'' if value is None else _plain(value)}" for name, value in values.items()))


def show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as a line on stderr."""
    remark(f"useapi-runwayml: {message}")


def bar() -> Progress:
    """A bar on a terminal, nothing elsewhere and nothing for machines."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    return Progress(
        TextColumn("           {task.description:<10}", markup=False),
        BarColumn(bar_width=40),
        TaskProgressColumn(),
        console=Console(file=sys.stderr),
        disable=is_json() or not is_terminal(),
    )
