"""The bar of a run, on a terminal. Nothing else of the command line loads what draws it."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Shown

from .. import Progress
from . import output

LONGEST = "downloading"


class Bar(Shown):
    """One line, which is redrawn: what is going on, how much of it is done, and what is known besides."""

    def __init__(self) -> None:
        super().__init__(
            TextColumn(f"{{task.description:<{len(LONGEST)}}}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[details]}", markup=False),
            console=Console(file=sys.stderr),
            redirect_stdout=False,
        )
        self.add_task("looking", total=None, details="", visible=False)

    def show(self, progress: Progress, name: str, share: float | None, details: str) -> None:
        """What was told last. What is not known to a share moves to and fro; what failed has no bar, since the error tells it."""
        (line,) = self.tasks
        # by itself, since an update to None leaves the total as it was
        line.total = None if share is None else 1.0
        self.update(
            line.id,
            description=name,
            completed=share,
            details=details,
            visible=progress.stage != "failed",
        )

    def say(self, line: str) -> None:
        """A line above it, in one piece, that an id can be copied."""
        self.console.print(line, soft_wrap=True, markup=False, highlight=False)

    def give(self, line: str) -> None:
        """A line on standard output; where both are the terminal, above the bar."""
        if sys.stdout.isatty():
            self.say(line)
        else:
            output.put(line)
