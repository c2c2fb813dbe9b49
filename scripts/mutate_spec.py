#!/usr/bin/env python3
"""Changes one thing in the OpenAPI document or in the constraints' templates, and looks whether the contract suite notices.

scripts/mutate_spec.py                  all mutants, on two processes; the table goes to docs/mutation.md
scripts/mutate_spec.py --sample 40      40 of them, the same each time; writes nothing
scripts/mutate_spec.py --only WORD      those whose name has the word; writes nothing

Each mutant is generated into a folder of its own, and the contract tests run there, those first that can tell. The first score is of
the tests of behaviour alone, the second one of all tests, the table test among them. Fails when fewer than 90 % are noticed by
behaviour, or when a survivor has no reason in scripts/mutants.py. Needs a system that can fork.
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import generate  # noqa: E402
import mutation_page  # noqa: E402
from failures import first_failure, in_processes  # noqa: E402
from mutants import Mutant, all_mutants, reason_of  # noqa: E402

QUICK, SLOW, TABLE = ("operations", "models"), ("schemathesis", "machine"), ("facts",)
FILES = sorted(each.stem.removeprefix("test_") for each in (ROOT / "contract_tests").glob("test_*.py"))
BEHAVIOUR = (QUICK, tuple(each for each in FILES if each not in (*QUICK, *SLOW, *TABLE)), SLOW)
LIMIT_SECONDS = 180
GOAL = 0.9
PRELOADED = (
    "hypothesis.stateful",
    "respx",
    "anyio",
    "schemathesis",
    "jsonschema_rs",
    "starlette.applications",
    "uvicorn",
)


@dataclass
class Result:
    """What became of a mutant: by which test it was noticed, and by which tests of the table."""

    mutant: Mutant
    behaviour: str = ""
    table: str = ""


def preload() -> None:
    """What every child needs, and what no mutant changes."""
    for name in PRELOADED:
        __import__(name)


def make(mutant: Mutant, folder: Path, document: dict[str, Any]) -> None:
    """The mutant's generated package."""
    data, templates = copy.deepcopy(document), generate.TEMPLATES
    if mutant.template:
        templates = folder / "templates"
        shutil.copytree(generate.TEMPLATES, templates)
        file = templates / mutant.template
        file.write_text(mutant.change(file.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        mutant.change(data)
    generate.generate(folder / generate.TARGET.name, data, json.dumps(data), templates, tidy=False)


def run_tests(mutant: Mutant, folder: Path, files: Sequence[str]) -> str:
    """The first test that fails, or nothing. In a process of its own."""
    sys.path.insert(0, str(folder))
    os.chdir(ROOT)
    options: list[str] = []
    if mutant.operations:
        others = [each for each in OPERATIONS if each not in mutant.operations]
        options += ["-k", f"not ({' or '.join(others)})"]
    return first_failure([*options, *(f"contract_tests/test_{each}.py" for each in files)])


OPERATIONS = [
    each["operationId"]
    for path in generate.load_document()["paths"].values()
    for method, each in path.items()
    if method != "parameters"
]


def look(mutant: Mutant, folder: Path, document: dict[str, Any]) -> dict[str, str]:
    """What notices it: the generator, the tests of behaviour, or else the table. In a process of its own."""
    try:
        make(mutant, folder, document)
    except BaseException as error:  # noqa: BLE001  # whatever the generator says of it, it was noticed
        return dict.fromkeys(("behaviour", "table"), f"generator: {type(error).__name__}")
    behaviour = next(filter(None, (run_tests(mutant, folder, files) for files in BEHAVIOUR)), "")
    return {"behaviour": behaviour, "table": "" if behaviour else run_tests(mutant, folder, TABLE)}


def run_all(mutants: Sequence[Mutant], processes: int, document: dict[str, Any]) -> list[Result]:
    """Each mutant in a forked process."""
    results: list[Result] = []
    looking = functools.partial(look, document=document)
    for mutant, found in in_processes(mutants, processes, LIMIT_SECONDS, looking):
        results.append(Result(mutant, **(found or {"behaviour": f"no end within {LIMIT_SECONDS} s"})))
        told = results[-1].behaviour or results[-1].table or "SURVIVED"
        print(f"{len(results):4}/{len(mutants)}  {mutant.kind}: {mutant.name}  ->  {told}", flush=True)
    return results


def table_of(results: Sequence[Result], seconds: float) -> str:
    """The page for docs/."""
    kinds = Counter(each.mutant.kind for each in results)
    by_behaviour = Counter(each.mutant.kind for each in results if each.behaviour)
    by_any = Counter(each.mutant.kind for each in results if each.behaviour or each.table)
    lines = [
        "# Mutants of the document",
        "",
        "Made by `scripts/mutate_spec.py`, which says how it is done. Each mutant changes one thing in the OpenAPI document, or in the",
        "templates' constraint code; *behaviour* counts those that the contract tests notice without the table test, *all* those",
        "that any contract test notices.",
        "",
        f"{len(results)} mutants in {seconds / 60:.0f} minutes on two processes.",
        "",
        "| kind | mutants | behaviour | all |",
        "|---|---:|---:|---:|",
    ]
    lines += [f"| {kind} | {count} | {by_behaviour[kind]} | {by_any[kind]} |" for kind, count in sorted(kinds.items())]
    total = len(results)
    shares = [f"{sum(each.values()) / total:.1%}" for each in (by_behaviour, by_any)]
    lines += [f"| **all kinds** | {total} | **{shares[0]}** | **{shares[1]}** |", "", "## Not noticed by behaviour", ""]
    survivors = [each for each in results if not each.behaviour]
    lines += [f"- {each.mutant.kind}, `{each.mutant.name}`: {_fate(each)}" for each in survivors] or ["None."]
    return "\n".join(lines) + "\n"


def _fate(result: Result) -> str:
    told = f"noticed by the table test alone. {reason_of(result.mutant)}" if result.table else reason_of(result.mutant)
    return told.strip() or "no reason is known."


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="how many, spread evenly over all")
    parser.add_argument("--only", help="a word in the kind or the name")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="only list them")
    options = parser.parse_args(arguments)
    document = generate.load_document()
    mutants = all_mutants(document, generate.TEMPLATES)
    if options.only:
        mutants = [each for each in mutants if options.only in f"{each.kind} {each.name}"]
    if options.sample:
        mutants = mutants[:: max(1, len(mutants) // options.sample)][: options.sample]
    if options.list:
        print("\n".join(f"{each.kind}: {each.name}" for each in mutants), f"\n{len(mutants)} mutants")
        return 0
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    preload()
    begun = time.monotonic()
    results = run_all(mutants, options.processes, document)
    page = table_of(results, time.monotonic() - begun)
    print(page)
    if not options.only and not options.sample:
        mutation_page.write_document(page)
    unexplained = [each for each in results if not each.behaviour and not each.table and not reason_of(each.mutant)]
    for each in unexplained:
        print(f"survived without a reason: {each.mutant.kind}: {each.mutant.name}", file=sys.stderr)
    share = sum(bool(each.behaviour) for each in results) / len(results)
    if share < GOAL:
        print(f"behaviour notices only {share:.1%}, at least {GOAL:.0%} are wanted", file=sys.stderr)
    return 1 if unexplained or share < GOAL else 0


if __name__ == "__main__":
    sys.exit(main())
