"""The mutants of the code are measured by what their change does, and by nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

if not hasattr(os, "fork"):
    pytest.skip("mutants need a system that can fork", allow_module_level=True)

import failures  # noqa: E402
import warm  # noqa: E402

SOURCE = """
LIMIT = 3


class Counter:
    most = LIMIT

    def add(self, *numbers):
        def small(number):
            return number < self.most

        return sum(
            number for number in numbers if small(number)
        )


def twice(number):
    return number * 2
"""


def made_of(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(source, "counting.py", "exec", dont_inherit=True), names)
    return names


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ("number * 2", "number * 3", ["twice"]),
        ("number < self.most", "number > self.most", ["add", "small"]),
        ("if small(number)", "if not small(number)", ["add"]),
    ],
)
def test_a_change_of_functions_is_found_in_each_that_holds_it(before: str, after: str, names: list[str]) -> None:
    """What differs is the function with the line, and those around it."""
    found = [new.co_name for _, new in warm.changed_functions("counting.py", SOURCE, SOURCE.replace(before, after))]
    assert [name for name in found if name.isidentifier()] == names


@pytest.mark.parametrize(
    ("before", "after"),
    [("LIMIT = 3", "LIMIT = 4"), ("most = LIMIT", "most = 4"), ("def twice", "@staticmethod\ndef twice")],
)
def test_what_runs_as_it_is_imported_is_not_one_of_functions(before: str, after: str) -> None:
    """A constant of a module or of a class has been read by the time that functions could be changed."""
    with pytest.raises(warm.Unchangeable):
        warm.changed_functions("counting.py", SOURCE, SOURCE.replace(before, after))


def test_functions_that_are_there_do_as_with_the_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who holds a function or an instance already gets the change, and it is told whether it had been called."""
    names = made_of(SOURCE)
    counter, twice = names["Counter"](), names["twice"]
    functions = [each for each in (names["Counter"].add, twice) if isinstance(each, FunctionType)]
    for each in functions:
        monkeypatch.setattr(each, "__module__", "counting")
    collected = warm.Collected("counting", [], failures.First(), {twice.__code__})
    assert not collected.change(warm.changed_functions("counting.py", SOURCE, SOURCE.replace("< self", "> self")))
    assert counter.add(1, 2, 4) == 4
    assert collected.change(warm.changed_functions("counting.py", SOURCE, SOURCE.replace("* 2", "* 3")))
    assert twice(2) == 6


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a process with threads, as the tests have
def test_what_another_process_tells_is_complete() -> None:
    """Each word of it comes, and where it ended in the midst that is said."""
    assert [*failures.told_by(lambda tell: [*map(tell, ("one", None, 3))].clear())] == ["one", None, 3]

    def fail(tell: Any) -> None:
        tell("one")
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # in that process alone
        raise ValueError

    with pytest.raises(SystemExit, match="not complete"):
        [*failures.told_by(fail)]


def test_who_tries_mutants_has_not_imported_what_they_are_of() -> None:
    """Else the tests would look at the package as it is, and each change that is imported anew would seem to be noticed by none."""
    code = "import sys; sys.path[:0] = ['.', 'scripts']; import code_trying; sys.exit('useapi_runwayml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
