"""What a person hears of a jobs file that is not as it was when its batch began, and how its new rows join the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from . import output
from .batch_view import tell_remarks

if TYPE_CHECKING:
    from ..batch.checks import Job
    from ..batch.facts import Facts
    from ..batch.records import Records
    from ..batch.rows import Jobs
    from .batch_folder import Begun

SHOWN = 10


def tell_changes(records: Records, begun: Begun, known: list[Facts] | None = None) -> None:
    """Each row that is changed, added or gone, and that the batch goes on without that; nothing when the file is the same."""
    from ..batch.comparing import compare
    from ..batch.facts import latest
    from ..batch.results import digest_of
    from ..batch.rows import read_jobs

    reading, jobs = records.reading(), begun.jobs
    if reading is None or jobs is None:
        return
    try:
        if digest_of(jobs) == reading.sha256:
            return
        now = read_jobs(jobs, reading.endpoint)
    except OSError as error:
        output.remark(f"{jobs} cannot be compared with its batch: {error.strerror or error}")
        return
    have = [each.job for each in known or latest(records.facts())]
    differences, new = compare(now.rows, have, reading, jobs.parent.resolve())
    told = [
        *(f"{each}; the batch goes on with it as it was" if each.kind != "added" else str(each) for each in differences)
    ]
    told += now.problems
    if not told:
        return
    output.remark(f"{jobs} is not as it was when its batch began:")
    for each in told[:SHOWN]:
        output.remark(f"  {each}")
    if len(told) > SHOWN:
        output.remark(f"  and {len(told) - SHOWN} more")
    if new:
        output.remark(f"New rows: {begun.again('resume')} --add")


def added_rows(records: Records, begun: Begun, known: list[Facts]) -> tuple[list[Job], list[str]]:
    """The rows of the file that the batch has not, numbered on from its own, each with a key; and what is wrong with them."""
    from ..batch import clips, identity
    from ..batch.comparing import compare
    from ..batch.rows import read_jobs

    reading, jobs = records.reading(), begun.jobs
    if reading is None or jobs is None:
        return [], [f"{begun}: how its batch read it is not known: begin another batch for new rows"]
    base = jobs.parent.resolve()
    now: Jobs = read_jobs(jobs, reading.endpoint)
    have = [each.job for each in known]
    _, new = compare(now.rows, have, reading, base)
    found, problems = reading.check(replace(now, rows=new), base, have)
    remarks, more = clips.look(found)
    tell_remarks(remarks)
    problems += more
    return ([] if problems else identity.with_keys(found, {job.key for job in have})), problems
