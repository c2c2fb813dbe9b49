"""What the batch commands show: rows as they end, the sum, tables, and what to do next."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from .._seam import counted
from . import output
from .exits import AUTHENTICATION, CODES, CREDITS, FAILED, MODERATION, OK, UNKNOWN

if TYPE_CHECKING:
    from ..batch import BatchProgress, BatchRow, Plan, Remark
    from .batch_folder import Begun

HELD = {"Budget": CREDITS, **{kind.__name__: code for kinds, code in CODES for kind in kinds}}
"""The exit code of a batch with held rows, by the name of the error that they are held for."""


@contextlib.contextmanager
def watching() -> Iterator[Callable[[BatchProgress], None]]:
    """A bar on a terminal; elsewhere a line for each row that is over, and everywhere one for what is waited for, and why."""
    from ..batch.facts import ENDS

    with output.bar() as bar:
        line = bar.add_task("rows", total=None)

        def say(told: str, plain: Callable[[str], None]) -> None:
            (bar.console.print(told, markup=False) if not bar.disable else plain(told))

        def on_progress(now: BatchProgress) -> None:
            about = now.state if now.row is None else f"row {now.row} (line {now.line}): {now.state}"
            is_over = now.row is not None and now.state in ENDS
            bar.update(line, completed=now.rows_over, total=now.rows)
            if now.why or (is_over and bar.disable) or (is_over and now.state != "done"):
                say(about + (f": {now.why}" if now.why else ""), output.say if is_over else output.remark)

        def told(now: BatchProgress) -> None:
            with contextlib.suppress(Exception):  # a terminal that went away ends no batch
                on_progress(now)

        yield told


def tell(rows: list[BatchRow], begun: Begun) -> int:
    """The sum, what to do next, and the exit code that fits the worst of it."""
    from ..batch.report import counts

    states = {each.state for each in rows}
    if is_moderated := {each.stage for each in rows if each.state == "failed"} == {"moderation"}:
        states.discard("failed")  # to try them again would come to the same
    # with the same limit it would come to the same
    has_no_room = any(each.state == "held" and each.error == "Budget" for each in rows)
    steps = [
        ("uncertain", begun.again("resume")),  # which looks once more, for nothing
        ("uncertain", begun.again("resolve")),
        ("held", begun.again("resume") + (" --max-credits N" if has_no_room else "")),
        ("failed", begun.again("retry-failed")),
    ]
    hints = [f"{state}: {next_step}" for state, next_step in steps if state in states]

    def lines() -> None:
        output.put(f"{counted(len(rows), 'row')}: {counts(rows)}", *hints)

    output.show({"rows": [each.to_dict() for each in rows], "next": hints}, lines)
    if "uncertain" in states:
        return UNKNOWN
    if "held" in states:
        codes = {HELD.get(each.error, FAILED) for each in rows if each.state == "held"}
        return next((code for code in (CREDITS, AUTHENTICATION) if code in codes), FAILED)
    return FAILED if "failed" in states else MODERATION if is_moderated else OK


def show_rows(rows: list[BatchRow], columns: tuple[str, ...]) -> int:
    """All rows as a table, or as JSON."""
    from ..batch.report import counts

    values = [each.to_dict() for each in rows]

    def lines() -> None:
        shown = ({**each, "task": each["task_id"]} for each in values)
        output.table(columns, ([each[column] for column in columns] for each in shown))
        output.put(f"{counted(len(rows), 'row')}: {counts(rows)}")

    output.show(values, lines)
    return OK


def tell_remarks(remarks: Sequence[Remark]) -> None:
    """The column of a plan for what may be a mistake; machines get it with the plan."""
    if remarks and not output.is_json():
        output.table(("line", "video", "warning"), remarks)


def tell_price(plan: Plan) -> int:
    """What a dry run found."""
    output.say(str(plan))
    warnings = [each._asdict() for each in plan.warnings]
    output.show(
        {"jobs": plan.jobs, "seconds": plan.seconds, "credits": plan.credits, "warnings": warnings},
        lambda: output.put("Nothing was sent (--dry-run)."),
    )
    return OK
