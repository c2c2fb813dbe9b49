"""The first test that fails, for the scripts that look whether anybody notices a mutant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NOTHING = (0, 4, 5)  # all passed; a test is not there any more; there is none


class First:
    """The pytest plugin that keeps the name of the first failure."""

    def __init__(self) -> None:
        self.failed = ""

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.failed:
            self.failed = f"importing {report.nodeid}"


def first_failure(arguments: Sequence[str]) -> str:
    """The first of these tests that fails, or nothing. In a process that is used for nothing else."""
    import pytest

    first = First()
    fixed = ["-x", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--assert=plain"]
    code = pytest.main([*fixed, *arguments], plugins=[first])
    return first.failed or ("" if code in NOTHING else f"pytest ended with {int(code)}")
