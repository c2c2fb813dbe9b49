"""One process that has collected all tests, of which a process for each mutant is forked: its functions are given the code of the change.

So neither the package nor a test is imported again. What runs as they are imported needs the slow way, and what was called then may.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import pkgutil
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from failures import FIXED, NOTHING, First

LIMIT_SECONDS, PATIENCE = 10, 10  # a test without an end uses a processor as long

UNTRIED = "untried"


class Unchangeable(Exception):
    """The change is not one of functions alone."""


def changed_functions(file: str, before: str, after: str) -> list[tuple[CodeType, CodeType]]:
    """The functions that differ, each as it was and as it is, the outer before the inner."""
    old, new = (compile(source, file, "exec", dont_inherit=True) for source in (before, after))
    return [*_differing(old, new, within=False)]


def _differing(old: CodeType, new: CodeType, *, within: bool) -> Iterator[tuple[CodeType, CodeType]]:
    is_function = within or bool(old.co_flags & inspect.CO_OPTIMIZED)
    if not is_function and _of_its_own(old) != _of_its_own(new):
        raise Unchangeable
    if is_function and old != new:
        if old.co_freevars != new.co_freevars:
            raise Unchangeable
        yield old, new
    for one, other in zip(_inner(old), _inner(new), strict=False):
        yield from _differing(one, other, within=is_function)


def _inner(code: CodeType) -> list[CodeType]:
    return [each for each in code.co_consts if isinstance(each, CodeType)]


def _of_its_own(code: CodeType) -> tuple[Any, ...]:
    """What a module or a class does when it is imported, but for the functions that it makes."""
    constants = [repr(each) for each in code.co_consts if not isinstance(each, CodeType)]
    return code.co_code, code.co_names, constants, len(_inner(code))


class Collected:
    """The tests by their names, and the package's functions by their code."""

    def __init__(self, package: str, items: Sequence[pytest.Item], first: First, called: Set[CodeType]) -> None:
        self._items = {item.nodeid: item for item in items}
        self._first = first
        self._called = called
        self._functions = defaultdict[CodeType, list[FunctionType]](list)
        for each in gc.get_objects():
            if type(each) is FunctionType and each.__module__ and each.__module__.startswith(package):
                self._functions[each.__code__].append(each)

    def change(self, functions: Sequence[tuple[CodeType, CodeType]]) -> bool:
        """From now on they are as they are with the change; true where one was called already, so that what it gave may be in use."""
        for old, new in functions:
            for each in self._functions[old]:
                each.__code__ = new
        return any(old in self._called for old, _ in functions)

    def first_failure_of(self, tests: Sequence[tuple[str, float]]) -> str:
        """The first that fails, in their order; those that are not there any more are nobody's. One that takes far longer than its seconds ends the process."""
        items = [(self._items[test], seconds) for test, seconds in tests if test in self._items]
        for (item, seconds), (following, _) in zip(items, [*items[1:], (None, 0)], strict=True):
            signal.alarm(LIMIT_SECONDS + int(PATIENCE * seconds))
            item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._first.failed:
                break
        return self._first.failed


def collect(package: Path, then: Callable[[Collected], None]) -> None:
    """All modules and all tests are imported, and then this is called, within pytest."""
    called: set[CodeType] = set()

    def note(frame: Any, event: str, _: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(package)):
            called.add(frame.f_code)

    class Then:
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            sys.setprofile(None)
            collected = Collected(package.name, session.items, first, called)
            gc.collect()
            gc.freeze()  # what a forked process does not look at is not copied
            then(collected)
            return True

    first = First()
    sys.setprofile(note)
    for module in pkgutil.walk_packages([str(package)], f"{package.name}."):
        if "_frozen" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    code = pytest.main(["-s", *FIXED], plugins=[first, Then()])
    if first.failed or code not in NOTHING:
        raise SystemExit(f"the tests cannot be collected: {first.failed or code}")
