"""Which test goes through which line, and how long it takes, as the last run with coverage has left it."""

from __future__ import annotations

import ast
import json
import keyword
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import coverage
from coverage.config import CoverageConfig

TIMES = ".coverage-times.json"
PROCESS = "COVERAGE_PROCESS_CONFIG"
"""By which coverage tells the processes that are begun how to measure."""
FEW = 6
SPREAD = 0.02
"""Seconds by which the second test of a file stands behind the first, for those of other files."""


class Function(NamedTuple):
    """Where a function begins, its decorators among it, where its body does, and where it ends."""

    begins: int
    body: int
    ends: int


class Evidence:
    """Tests by file and line."""

    def __init__(
        self, by_file: dict[str, dict[int, list[str]]], times: dict[str, float], sources: dict[str, list[str]]
    ) -> None:
        self._by_file = by_file
        self._times = times
        self._sources = sources
        self._heads: dict[str, list[Function]] = {}
        self._noticed = defaultdict[str, Counter[str]](Counter)
        self.budget = 40.0
        """Seconds."""
        self.named: Sequence[dict[str, str]] = ()
        """Tests that are tried first, each by the file and the change that it is known to notice."""

    @classmethod
    def load(cls, root: Path) -> Evidence | None:
        """None where no run has left anything."""
        if not (root / ".coverage").exists() or not (root / TIMES).exists():
            return None
        data = coverage.CoverageData(str(root / ".coverage"))
        data.read()
        by_file, sources = {}, {}
        for measured in data.measured_files():
            name = measured.rpartition("/useapi_runwayml/")[2]
            by_file[name] = {line: _tests(contexts) for line, contexts in data.contexts_by_lineno(measured).items()}
            sources[name] = Path(measured).read_text(encoding="utf-8").splitlines()
        return cls(by_file, json.loads((root / TIMES).read_text(encoding="utf-8")), sources)

    def tests_of(self, file: str, line: int, change: str = "") -> list[str]:
        """The test that is named for the change, and as many as end within the budget, one at least, if there is any: a few that noticed another
        change of this file, then the quickest, and of each file of tests some.

        Through a line of every request thousands go, and those that look at it may be of any file.
        """
        found = self._through(file, line) or self._of(file) or self._of(f"{file.rpartition('/')[0]}/")
        by_file = defaultdict[str, list[str]](list)
        for test in sorted({*found}, key=self._cost):
            by_file[test.partition("::")[0]].append(test)
        ranked = {test: rank * SPREAD for tests in by_file.values() for rank, test in enumerate(tests)}
        noticed = self._noticed[file]
        known = sorted(noticed.keys() & ranked.keys(), key=lambda each: (self.seconds_of(each) / noticed[each], each))
        others = sorted(ranked, key=lambda each: (ranked[each] + self.seconds_of(each), each))
        chosen, spent = self._named(file, change), 0.0
        for test in dict.fromkeys((*known[:FEW], *others)):
            spent += self.seconds_of(test) + 0.02
            if chosen and spent > self.budget:
                break
            chosen.append(test)
        return [*dict.fromkeys(chosen)]

    def note(self, file: str, test: str) -> None:
        """This test has noticed a change of that file."""
        self._noticed[file][test] += 1

    def seconds_of(self, test: str) -> float:
        """How long it took."""
        return self._times.get(test, 1.0)

    def _named(self, file: str, change: str) -> list[str]:
        names = {
            each["test"] for each in self.named if re.search(each["where"], file) and re.search(each["change"], change)
        }
        return sorted(test for test in self._times if test.partition("[")[0] in names or test in names)

    def _cost(self, test: str) -> tuple[float, str]:
        return self.seconds_of(test), test

    def _through(self, file: str, line: int) -> Sequence[str]:
        """In a function: through that statement, or, of its head, through any; nothing where no test goes. Elsewhere: who uses what it gives."""
        lines = self._by_file.get(file, {})
        around = [each for each in self._functions(file) if each.begins <= line <= each.ends]
        if not around:
            return self._users(file, line)
        function = around[-1]
        if line < function.body:
            return [test for number in range(function.body, function.ends + 1) for test in lines.get(number, ())]
        return next((lines[near] for near in range(line, function.body - 1, -1) if lines.get(near)), [])

    def _of(self, begin: str) -> list[str]:
        """Of what is run but once: who goes through that file, or through that folder."""
        found = (lines for name, lines in self._by_file.items() if name.startswith(begin))
        return [test for lines in found for tests in lines.values() for test in tests]

    def _functions(self, file: str) -> list[Function]:
        """All of a file, the outer before the inner."""
        if file not in self._heads:
            tree = ast.parse("\n".join(self._sources.get(file, [])))
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
            found = [each for each in ast.walk(tree) if isinstance(each, kinds)]
            self._heads[file] = sorted(
                Function(
                    min([each.lineno, *(decorator.lineno for decorator in each.decorator_list)]),
                    each.body[0].lineno,
                    each.end_lineno or each.lineno,
                )
                for each in found
            )
        return self._heads[file]

    def _users(self, file: str, line: int) -> Sequence[str]:
        """Of a line that is run when the module is imported: who uses the name that it gives, here or elsewhere; else who uses the module."""
        names: list[str] = []
        for number in range(line, max(0, line - 40), -1):
            names = re.findall(r"^(?:class |def |async def )?(\w+)", self._sources[file][number - 1])
            if names and self._sources[file][number - 1][:1] not in (" ", ")", "]", "}", "@"):
                break
        word = re.compile(rf"\b{names[0]}\b") if names and not keyword.iskeyword(names[0]) else None
        found = [
            test
            for name, lines in self._by_file.items()
            for number, tests in lines.items()
            if word is not None and (word.search(" ".join(self._sources[name][number - 1 : number])))
            for test in tests
        ]
        return found or [test for tests in self._by_file.get(file, {}).values() for test in tests]


def _tests(contexts: Iterable[str]) -> list[str]:
    """The tests of coverage's contexts: without their phase or that it was another process, and without the group that xdist writes behind."""
    return [_plain(each.rpartition("|")[0]) for each in contexts if "|" in each]


def _plain(name: str) -> str:
    return re.sub(r"@[a-z-]+$", "", name)


_seconds: dict[str, float] = defaultdict(float)


def pytest_runtest_logstart(nodeid: str) -> None:
    """What a process goes through that a test begins is told as that test's."""
    if data := os.environ.get(PROCESS):
        config = CoverageConfig.deserialize(data)
        config.context = f"{nodeid}|process"
        os.environ[PROCESS] = config.serialize()


def pytest_runtest_logreport(report: Any) -> None:
    """As a plugin of pytest it keeps how long each test took."""
    _seconds[_plain(report.nodeid)] += report.duration


def pytest_sessionfinish(session: Any) -> None:
    if not hasattr(session.config, "workerinput"):  # xdist's workers are told of by the one that began them
        (session.config.rootpath / TIMES).write_text(json.dumps(_seconds), encoding="utf-8")
