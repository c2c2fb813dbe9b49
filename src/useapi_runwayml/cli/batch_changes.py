"""What a person hears of a jobs file that is not as it was when its batch began."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import output

if TYPE_CHECKING:
    from ..batch import Batch
    from .batch_folder import Begun

SHOWN = 10
AS_IT_WAS = ("changed", "gone")
AS_BEFORE = "; the batch goes on with it as it was"
JOINS = "; it joins as a new row"


def tell_changes(batch: Batch, begun: Begun, *, add: bool = False) -> None:
    """Each row that is changed, added or gone, and what the batch makes of that; nothing when the file is the same."""
    changes = batch.changes()
    if not changes:
        return
    output.remark(f"{begun} is not as it was when its batch began:")
    for each in changes[:SHOWN]:
        joins = add and each.kind != "gone"
        output.remark(f"  {each}{JOINS if joins else AS_BEFORE if each.kind in AS_IT_WAS else ''}")
    if len(changes) > SHOWN:
        output.remark(f"  and {len(changes) - SHOWN} more")
    if not add and {each.kind for each in changes} & {"changed", "added"}:
        output.remark(f"New rows: {begun.again('resume')} --add")
