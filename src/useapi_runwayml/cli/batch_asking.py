"""What a person is told of a plan, and agrees to, before anything is sent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from .._seam import amount, counted
from . import output
from .exits import REFUSED, USAGE, Stop

if TYPE_CHECKING:
    from ..batch import Plan

Yes = Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask before spending credits.")]
SHOWN = 10


def either(**flags: bool) -> None:
    if all(flags.values()):
        raise Stop(f"give one of {', '.join(f'--{name}' for name in flags)}", USAGE)


def problems_of(plan: Plan, max_credits: float | None = None) -> list[str]:
    """All that stands in the way of a plan; a limit too that cannot hold."""
    unpriced = [row for row in plan.rows if row.credits is None] if max_credits is not None else []
    return [
        *(each.rule if each.field == "jobs" else str(each) for each in plan.problems),
        *(
            f"line {row.line}: --max-credits cannot hold: the price of {row.endpoint} is not known; say --credits-per-job"
            for row in unpriced
        ),
    ]


def refuse(jobs: object, problems: list[str]) -> int:
    """Every problem with its line; nothing was sent."""
    message = f"{jobs}: {counted(len(problems), 'problem')}, nothing was sent"
    if output.is_json():
        output.emit(
            {"error": "ParameterError", "message": message, "exit_code": REFUSED, "next": [], "problems": problems}
        )
    else:
        output.put(f"useapi-runwayml: {message}", *(f"  {each}" for each in problems), aside=True)
    return REFUSED


def ask(told: str, credits: float | None, *, yes: bool) -> None:
    """Tells what is to be paid, and asks a person at a terminal whether to spend it; Stop when nobody agrees."""
    _tell(told)
    if not yes and not _agrees(told, credits):
        raise Stop("nothing was sent: say --yes to spend these credits", USAGE)


def decided(plan: Plan, *, adopt: bool, anew: bool) -> None:
    """Tells which rows the service has a task of already; Stop when nobody said what to do with those."""
    if not plan.known:
        return
    known, lines = len(plan.known), {row.row: row.line for row in plan.rows}
    has, takes = ("has", "takes it, --anew pays for it") if known == 1 else ("have", "takes them, --anew pays for them")
    _tell(
        f"{known} of {counted(len(lines), 'row')} {has} a task at the service already, of a batch whose journal is not this one:"
    )
    for row, task_id in list(plan.known.items())[:SHOWN]:
        _tell(f"  row {row} (line {lines[row]}): {task_id}")
    if known > SHOWN:
        _tell(f"  and {known - SHOWN} more")
    if not adopt and not anew:
        told = f"{counted(known, 'row')} {has} a task already: --adopt {takes} again. Nothing was sent"
        raise Stop(told, USAGE)


def _tell(line: str) -> None:
    """What is to be paid is told to machines too, aside."""
    (output.remark if output.is_json() else output.say)(line)


def _agrees(told: str, credits: float | None) -> bool:
    """Whether a person at a terminal agrees, who sees the question there though the output, or what is said aside, goes elsewhere."""
    shown = next((stream for stream in (sys.stderr, sys.stdout) if stream.isatty()), None)
    if output.is_json() or not sys.stdin.isatty() or shown is None:
        return False
    if not sys.stdout.isatty():
        output.remark(told)
    try:
        about = f"about {amount(credits)} credits" if credits is not None else "credits, how many is not known"
        shown.write(f"Spend {about}? [y/N] ")
        shown.flush()
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        return False
