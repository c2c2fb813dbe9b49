"""What `batch run` was given, checked and agreed to, before anything is sent."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from useapi_runwayml_api.creations.registry import CREATIONS

from .._seam import is_asset_id
from . import output
from .exits import REFUSED, USAGE, Stop, json_object

if TYPE_CHECKING:
    from ..batch.checks import Estimate, Job


Yes = Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask before spending credits.")]


def positive(**values: float | None) -> None:
    for name, value in values.items():
        least = 1 if name == "max_jobs" else 0
        if value is not None and not value >= least:
            raise Stop(f"--{name.replace('_', '-')} must be at least {least}", USAGE)


def either(**flags: bool) -> None:
    if all(flags.values()):
        raise Stop(f"give one of {', '.join(f'--{name}' for name in flags)}", USAGE)


def defaults_of(text: str) -> dict[str, Any]:
    found = json_object("--defaults", text)
    from ..batch.rows import OWN_COLUMNS, parameters

    if unknown := found.keys() - {*OWN_COLUMNS, *(name for each in CREATIONS for name in parameters(each))}:
        raise Stop(f"--defaults: there is no column {', '.join(sorted(unknown))}", USAGE)
    return found


def outside(jobs: Sequence[Job], root: Path) -> Iterator[str]:
    """Files that other machines could not find: each has its own folder for the root."""
    for job in jobs:
        for name, file in (("video", job.video), ("image", job.image), ("output", job.output)):
            if file is not None and not is_asset_id(file) and not Path(file).is_relative_to(root):
                yield f"line {job.line}: {name} {file} does not lie below --root {root}, where other machines have theirs"


def refuse(jobs: object, problems: list[str]) -> int:
    """Every problem with its line; nothing was sent."""
    message = f"{jobs}: {len(problems)} problems, nothing was sent"
    if output.is_json():
        output.emit(
            {"error": "ParameterError", "message": message, "exit_code": REFUSED, "next": [], "problems": problems}
        )
    else:
        told = "\n".join(f"  {each}" for each in problems)
        print(f"useapi-runwayml: {message}\n{told}", file=sys.stderr)
    return REFUSED


def ask(jobs: Sequence[Job], *, yes: bool) -> None:
    """Tells what these rows may cost, and asks a person at a terminal whether to spend it; Stop when nobody agrees."""
    from ..batch.checks import estimate

    plan = estimate(jobs)
    output.say(str(plan))
    if not yes and not agreed(plan):
        raise Stop("nothing was sent: say --yes to spend these credits", USAGE)


def not_paid_twice(jobs: list[Job], *, adopt: bool, anew: bool) -> list[Job]:
    """The jobs of a new journal; Stop when the service has tasks of them already, and nobody said what to do with those."""
    from ..batch import identity

    known = identity.known_to_service(jobs)
    if not known:
        return jobs
    lines = {job.row: job.line for job in jobs}
    output.say(
        f"{len(known)} of {len(jobs)} rows have a task at the service already, of a batch whose journal is not this one:"
    )
    for row, task_id in list(known.items())[:10]:
        output.say(f"  row {row} (line {lines[row]}): {task_id}")
    if not adopt and not anew:
        told = (
            f"{len(known)} rows have a task already: --adopt takes them, --anew pays for them again. Nothing was sent"
        )
        raise Stop(told, USAGE)
    return identity.adopted(jobs, known) if adopt else identity.anew(jobs, known)


def agreed(plan: Estimate) -> bool:
    """Whether a person at a terminal agrees."""
    if output.is_json() or not sys.stdin.isatty():
        return False
    try:
        credits = f"about {plan.credits:g} credits" if not plan.unpriced else "credits, how many is not known"
        return input(f"Spend {credits}? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
