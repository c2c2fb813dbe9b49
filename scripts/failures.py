"""A process for each mutant, and the first test that fails there, for the scripts that look whether anybody notices."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

M = TypeVar("M")

NOTHING = (0, 5)  # all passed; there is none
FIXED = ("-x", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--assert=plain")


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


class Chosen:
    """The pytest plugin that leaves these tests, in this order. Named on its command line, one that is not there any more would end it."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._ranks = {test: rank for rank, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        there = [item for item in items if item.nodeid in self._ranks]
        items[:] = sorted(there, key=lambda item: self._ranks[item.nodeid])


def first_failure(arguments: Sequence[str], *plugins: object) -> str:
    """The first of these tests that fails, or nothing. In a process that is used for nothing else."""
    import pytest

    first = First()
    code = pytest.main([*FIXED, *arguments], plugins=[first, *plugins])
    return first.failed or ("" if code in NOTHING else f"pytest ended with {int(code)}")


def first_failure_of(tests: Sequence[str]) -> str:
    """The first of these that fails, in their order; those that are not there any more are nobody's."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    return first_failure([file for file in files if Path(file).exists()], Chosen(tests))


def in_processes(
    mutants: Sequence[M], processes: int, limit: int, look: Callable[[M, Path], Any]
) -> Iterator[tuple[M, Any]]:
    """Each mutant in a forked process with a folder of its own, and what `look` found there; None when it had no end within so many seconds."""
    running: dict[int, tuple[M, Path]] = {}
    waiting = list(reversed(mutants))
    with tempfile.TemporaryDirectory() as name:
        while waiting or running:
            while waiting and len(running) < processes:
                mutant, folder = waiting.pop(), Path(tempfile.mkdtemp(dir=name))
                pid = os.fork()
                if pid == 0:
                    try:
                        _child(mutant, folder, limit, look)
                    finally:
                        os._exit(0)
                running[pid] = mutant, folder
            pid, _ = os.wait()
            mutant, folder = running.pop(pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # what its tests had begun
            file = folder / "found.json"
            yield mutant, json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
            shutil.rmtree(folder)


def _child(mutant: M, folder: Path, limit: int, look: Callable[[M, Path], Any]) -> None:
    os.setsid()
    signal.alarm(limit)
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
        found = look(mutant, folder)
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")


def told_by(work: Callable[[Callable[[object], None]], None]) -> Iterator[Any]:
    """What a process of its own tells, as it does."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        try:
            with os.fdopen(writing, "w") as out:
                work(lambda each: print(json.dumps(each), file=out, flush=True))
            os._exit(0)
        except BaseException:  # noqa: BLE001  # whichever: a forked process is not to go on as the one that it was made of
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as lines:
        yield from map(json.loads, lines)
    if os.waitpid(pid, 0)[1]:
        raise SystemExit("what the other process was to tell is not complete")
