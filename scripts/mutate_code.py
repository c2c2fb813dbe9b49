#!/usr/bin/env python3
"""Changes one thing in the hand-written code, and looks whether the tests that go through that line notice.

scripts/mutate_code.py                  all mutants; what became of them goes to docs/mutation.md (hours)
scripts/mutate_code.py --zone _core     all of one zone, whose part of that page is written anew; the top level's is "the rest"
scripts/mutate_code.py --sample 60      60 of them, others for each --seed; writes nothing
scripts/mutate_code.py --changed        those in lines that differ from --base (the commit before, when it is not given); writes nothing
scripts/mutate_code.py --only WORD      those whose file or change has the word; writes nothing

Which test goes through which line, and how long it takes, is read from the last `scripts/test --all`, or `scripts/test --coverage`.
The quickest run first. Fails when fewer are noticed than should be: of all mutants by zone (GOALS), of a sample, which says little of
a zone, together (FLOOR); those aside that have a reason in scripts/code_reasons.toml. Needs a system that can fork.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import random
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import mutation_page  # noqa: E402
import warm  # noqa: E402
from code_mutants import PACKAGE, Mutant, all_mutants, read  # noqa: E402
from evidence import Evidence  # noqa: E402
from failures import first_failure_of, in_processes, told_by  # noqa: E402

LIMIT_SECONDS = 150
BUDGET_SECONDS = 40.0
FIRST = 20
GOALS = {"_core": 0.95, "_io": 0.95, "callbacks": 0.95, "batch": 0.95}
OTHERS = 0.85
FLOOR = 0.6
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
REASONS = ROOT / "scripts" / "code_reasons.toml"


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
    tests = evidence.tests_of(mutant.file, mutant.line, BUDGET_SECONDS)
    stages = (first_failure_of(each) for each in (tests[:FIRST], tests[FIRST:]) if each)
    return next(filter(None, stages), "")


def look_quickly(mutant: Mutant, folder: Path, evidence: Evidence, collected: warm.Collected) -> str:
    """Which test notices the change of a function, where all is imported already. In a process of its own."""
    put(mutant, folder)
    has_run = collected.change(functions_of(mutant))
    tests = evidence.tests_of(mutant.file, mutant.line, BUDGET_SECONDS)
    found = collected.first_failure_of([(test, evidence.seconds_of(test)) for test in tests])
    return found or (warm.UNTRIED if has_run else "")


def functions_of(mutant: Mutant) -> list[tuple[CodeType, CodeType]]:
    return warm.changed_functions(str(PACKAGE / mutant.file), read(mutant.file), mutant.source_in_place)


def try_all(mutants: Sequence[Mutant], processes: int, evidence: Evidence) -> list[tuple[Mutant, str]]:
    """What notices each of them: quickly, if the change is one of functions, and anew where that says nothing."""
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
        for mutant, answer in in_processes(mutants, processes, LIMIT_SECONDS, looking):
            tell((numbers[mutant], answer))

    warm.collect(PACKAGE, then)


def reason_of(mutant: Mutant, reasons: Sequence[dict[str, str]]) -> str:
    """Why nothing can notice it, or need not."""
    for each in reasons:
        if re.search(each["where"], mutant.file) and re.search(each["change"], mutant.change):
            return each["reason"]
    return ""


def changed_lines(base: str) -> dict[str, set[int]]:
    """Lines of the package that the commits since then have written."""
    command = ["git", "diff", "-U0", base, "--", str(PACKAGE)]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if told.returncode:  # a clone without its history
        print(f"mutate_code: no change is tried: {told.stderr.strip().splitlines()[0]}", flush=True)
    found: dict[str, set[int]] = defaultdict(set)
    file = ""
    for line in told.stdout.splitlines():
        if line.startswith("+++ "):
            file = line.removeprefix("+++ b/").removeprefix(f"{PACKAGE.relative_to(ROOT).as_posix()}/")
        elif at := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            found[file] |= set(range(int(at[1]), int(at[1]) + int(at[2] or 1)))
    return found


def choose(options: argparse.Namespace) -> list[Mutant]:
    """Those that are asked for: of a sample and of a change each once."""
    mutants = all_mutants()
    if unknown := {*(options.zone or ())} - {each.zone for each in mutants}:
        raise SystemExit(f"mutate_code: there is no zone {' and no zone '.join(sorted(unknown))}")
    if options.zone:
        mutants = [each for each in mutants if each.zone in options.zone]
    if options.only:
        mutants = [each for each in mutants if options.only in each.file or options.only in each.text]
    chosen: dict[Mutant, None] = {}
    if options.changed:
        lines = changed_lines(options.base)
        chosen |= dict.fromkeys(thinned([each for each in mutants if each.line in lines[each.file]], options.most))
    if options.sample:
        chosen |= dict.fromkeys(random.Random(options.seed).sample(mutants, min(options.sample, len(mutants))))
    return list(chosen) if options.changed or options.sample else mutants


def thinned(mutants: Sequence[Mutant], most: int) -> list[Mutant]:
    """As many as there is time for, spread evenly; says so."""
    if len(mutants) > most:
        print(f"of {len(mutants)} mutants in changed lines {most} are tried (--most)", flush=True)
        return [mutants[number * len(mutants) // most] for number in range(most)]
    return list(mutants)


@dataclass
class Zone:
    """What became of the mutants of one zone: those that nothing noticed, with a reason or without."""

    name: str
    noticed: int = 0
    survivors: list[tuple[str, Mutant]] = field(default_factory=list)

    @property
    def explained(self) -> int:
        return sum(bool(reason) for reason, _ in self.survivors)

    @property
    def goal(self) -> float:
        return GOALS.get(self.name, OTHERS)

    @property
    def share(self) -> float:
        """Of those that something could notice."""
        return self.noticed / max(1, self.noticed + len(self.survivors) - self.explained)

    def told(self) -> str:
        """The paragraph and the list of the page."""
        count, today = self.noticed + len(self.survivors), time.strftime("%Y-%m-%d")
        words = (
            f"{count} mutants, tried on {today}: {self.noticed} are noticed, {self.explained} have a reason why nothing does. "
            f"Of those without one {self.share:.1%} are noticed (goal {self.goal:.0%})."
        )
        lines = [
            f"- `{mutant.file}`: `{mutant.change}`: {reason or 'no reason is known.'}"
            for reason, mutant in sorted(self.survivors, key=lambda each: (each[0], each[1].file, each[1].line))
        ]
        return "\n".join([words, "", *lines])


def by_zone(results: Sequence[tuple[Mutant, str]], reasons: Sequence[dict[str, str]]) -> list[Zone]:
    """What became of them, zone by zone."""
    zones: dict[str, Zone] = {}
    for mutant, found in results:
        zone = zones.setdefault(mutant.zone, Zone(mutant.zone))
        if found:
            zone.noticed += 1
        else:
            zone.survivors.append((reason_of(mutant, reasons), mutant))
    return [zones[name] for name in sorted(zones)]


def is_enough(zones: Sequence[Zone], *, is_sample: bool) -> bool:
    """Whether as many are noticed as should be: a sample says little of a zone."""
    if not is_sample:
        return all(zone.share >= zone.goal for zone in zones)
    noticed = sum(zone.noticed for zone in zones)
    return noticed >= FLOOR * (noticed + sum(len(zone.survivors) - zone.explained for zone in zones))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="how many, by chance")
    parser.add_argument("--seed", type=int, default=1, help="makes the chance")
    parser.add_argument("--changed", action="store_true", help="those that the last change touches")
    parser.add_argument("--base", default="HEAD~1", help="the commit before that change")
    parser.add_argument("--most", type=int, default=60, help="how many of a change at most")
    parser.add_argument("--zone", action="append", help='a folder of the package, or "the rest"; may be given again')
    parser.add_argument("--only", help="a word in the file or the line")
    parser.add_argument("--processes", type=int, default=2 * (os.cpu_count() or 1), help="many tests wait")
    parser.add_argument("--list", action="store_true", help="only list them")
    options = parser.parse_args(arguments)
    mutants = choose(options)
    if options.list:
        print("\n".join(each.name for each in mutants), f"\n{len(mutants)} mutants")
        return 0
    evidence = Evidence.load(ROOT)
    if evidence is None:
        print(
            "mutate_code: nothing tells which test goes through which line; run scripts/test --coverage first",
            file=sys.stderr,
        )
        return 2
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    for name in PRELOADED:
        __import__(name)
    begun = time.monotonic()
    reasons = tomllib.loads(REASONS.read_text(encoding="utf-8"))["survivor"]
    explained = [each for each in mutants if reason_of(each, reasons)]
    results = [(each, "") for each in explained]
    results += try_all([each for each in mutants if each not in {*explained}], options.processes, evidence)
    is_sample, zones = bool(options.sample or options.changed), by_zone(results, reasons)
    for zone in zones:
        print(f"\n{zone.name}: {zone.told()}")
        if not is_sample and not options.only:
            mutation_page.write_zone(zone.name, zone.told())
    is_well = is_enough(zones, is_sample=is_sample)
    print(f"\n{len(results)} mutants in {(time.monotonic() - begun) / 60:.0f} minutes")
    if not is_well:
        print("mutate_code: fewer are noticed than should be", file=sys.stderr)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
