"""`useapi-runwayml batch resolve`: what a person decides of a create of which nobody knows whether it started a paid task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ..errors import ParameterError
from . import output
from .batch_asking import Yes, ask
from .batch_folder import ANYWHERE, Begun, Options, Where
from .exits import OK, USAGE, Stop

if TYPE_CHECKING:
    from ..batch import Batch, BatchRow
    from ..batch.changes import Decision


def resolve_command(
    *which: Annotated[
        str, Parameter(help="The jobs file, unless --project or --name tells the batch, and the number of a row.")
    ],
    adopt: str | None = None,
    send_again: bool = False,
    give_up: bool = False,
    where: Options = ANYWHERE,
    yes: Yes = False,
) -> int:
    """Decides uncertain rows: creates of which nobody knows whether they started a paid task. Without a row, lists them.

    Parameters
    ----------
    adopt
        It did: this is its task's id.
    send_again
        It did not: send it again at the next `batch resume`. If it did all the same, it is paid twice.
    give_up
        Leave it.
    """
    choices: dict[Decision, bool] = {"adopt": bool(adopt), "send again": send_again, "give up": give_up}
    chosen = [name for name, is_chosen in choices.items() if is_chosen]
    begun, row = _which(which, where)
    batch = begun.begun()
    if row is None and chosen:
        raise Stop(f"which row? Give its number after {begun}", USAGE)
    if row is None:
        return _list(batch)
    if len(chosen) != 1:
        raise Stop("give one of --adopt TASK_ID, --send-again, --give-up", USAGE)
    (decision,) = chosen
    known = next((each for each in batch.rows() if each.row == row), None)
    if known is not None and known.state == "uncertain" and send_again:
        _ask(known, yes=yes)
    try:
        batch.resolve(row, decision, adopt)
    except ParameterError as error:
        raise Stop(error.problems[0].rule, USAGE) from None
    after = begun.again("resume")
    output.show(
        {"row": row, "decision": decision, "next": [after]},
        lambda: output.put(f"row {row}: {decision}. Go on with: {after}"),
    )
    return OK


def _which(which: tuple[str, ...], where: Where) -> tuple[Begun, int | None]:
    """The batch, and the row if one is meant."""
    words, is_known = list(which), bool(where.project or (where.database and where.name))
    if not words and not is_known:
        raise Stop("which batch? Give its jobs file, its --project, or its --name in a --database", USAGE)
    jobs = None if is_known and (not words or words[0].isdecimal()) else Path(words.pop(0))
    if len(words) > 1 or not all(map(str.isdecimal, words)):
        raise Stop(f"{words[-1]}: give the jobs file and, to decide, the number of one row", USAGE)
    return Begun(jobs, where), next(map(int, words), None)


def _ask(row: BatchRow, *, yes: bool) -> None:
    from ..batch.checks import Estimate

    unknown = [int(each is None) for each in (row.video_seconds, row.credits)]
    price = Estimate(1, row.video_seconds or 0, row.credits or 0, *unknown)
    ask(str(price), row.credits, yes=yes)


def _list(batch: Batch) -> int:
    uncertain = [each for each in batch.rows() if each.state == "uncertain"]
    output.show(
        [each.to_dict() for each in uncertain],
        lambda: output.table(
            ("row", "line", "replyRef", "why"),
            ((each.row, each.line, each.reply_ref, each.why) for each in uncertain),
        ),
    )
    return OK
