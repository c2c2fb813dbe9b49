"""What notices a mutant of the code: the import of its module, or a test that goes through its line."""

from __future__ import annotations

import functools
import importlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType

import warm
from code_mutants import PACKAGE, ROOT, Mutant, read
from evidence import Evidence
from failures import first_failure_of, in_processes, told_by

from tests import postgres

LIMIT_SECONDS = 150
FIRST = 20
PRELOADED = (
    "hypothesis.stateful",
    "respx",
    "anyio",
    "httpx",
    "uvicorn",
    "cyclopts",
    "rich.progress",
    "yaml",
    "sqlalchemy",
    "av",
    "dbos",
    "psycopg",
    "schemathesis.pytest.plugin",
    "django",
    "sybil",
    "trustme",
)


def put(mutant: Mutant, folder: Path) -> None:
    """The package with its change, for this process and those that a test starts."""
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / PACKAGE.name / mutant.file).write_text(mutant.source, encoding="utf-8")
    os.chdir(ROOT)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH", ""))))
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(folder)


def look_anew(mutant: Mutant, folder: Path, evidence: Evidence) -> str:
    """What notices the package with its change: the import of the module, or a test. In a process of its own."""
    put(mutant, folder)
    name = ".".join((PACKAGE.name, *Path(mutant.file).with_suffix("").parts)).removesuffix(".__init__")
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001  # with its change it cannot even be imported
        return f"importing {name}: {type(error).__name__}"
    tests = evidence.tests_of(mutant.file, mutant.line, mutant.change)
    stages = (first_failure_of(each) for each in (tests[:FIRST], tests[FIRST:]) if each)
    return next(filter(None, stages), "")


def look_quickly(mutant: Mutant, folder: Path, evidence: Evidence, collected: warm.Collected) -> str:
    """Which test notices the change of a function, where all is imported already. In a process of its own."""
    put(mutant, folder)
    has_run = collected.change(functions_of(mutant))
    tests = evidence.tests_of(mutant.file, mutant.line, mutant.change)
    found = collected.first_failure_of([(test, evidence.seconds_of(test)) for test in tests])
    postgres.shared[0].clear()
    return found or (warm.UNTRIED if has_run else "")


def functions_of(mutant: Mutant) -> list[tuple[CodeType, CodeType]]:
    return warm.changed_functions(str(PACKAGE / mutant.file), read(mutant.file), mutant.source_in_place)


def try_all(mutants: Sequence[Mutant], processes: int, evidence: Evidence) -> list[tuple[Mutant, str]]:
    """What notices each of them: quickly, if the change is one of functions, and anew where that says nothing."""
    if PACKAGE.name in sys.modules:
        raise SystemExit(f"mutate_code: {PACKAGE.name} is imported already, so that no mutant of it would be")
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    for name in PRELOADED:
        __import__(name)
    results: dict[Mutant, str] = {}

    def keep(mutant: Mutant, answer: object) -> None:
        found = results[mutant] = "no end in time" if answer is None else str(answer)
        print(f"{len(results):4}/{len(mutants)}  {mutant.name}  ->  {found or 'SURVIVED'}", flush=True)

    quick, anew = [], []
    for mutant in mutants:
        try:
            functions_of(mutant)
            quick.append(mutant)
        except (warm.Unchangeable, SyntaxError):
            anew.append(mutant)
    for number, answer in told_by(functools.partial(try_quickly, quick, processes, evidence)):
        if answer == warm.UNTRIED:
            anew.append(quick[number])
        else:
            keep(quick[number], answer)
    for mutant, answer in in_processes(anew, processes, LIMIT_SECONDS, functools.partial(look_anew, evidence=evidence)):
        keep(mutant, answer)
    return [*results.items()]


def try_quickly(mutants: Sequence[Mutant], processes: int, evidence: Evidence, tell: Callable[[object], None]) -> None:
    """In a process that has imported everything."""
    numbers = {mutant: number for number, mutant in enumerate(mutants)}

    def then(collected: warm.Collected) -> None:
        looking = functools.partial(look_quickly, evidence=evidence, collected=collected)
        with postgres.running() as server:
            postgres.shared.append(server)
            for mutant, answer in in_processes(mutants, processes, LIMIT_SECONDS, looking):
                if answer:
                    evidence.note(mutant.file, answer)
                tell((numbers[mutant], answer))

    warm.collect(PACKAGE, then)
