#!/usr/bin/env python3
"""Changes one thing in the hand-written code, and looks whether the tests that go through that line notice.

scripts/mutate_code.py                  all mutants; what became of them goes to docs/mutation.md (hours)
scripts/mutate_code.py --zone _core     all of one zone, whose part of that page is written anew; the top level's is "the rest"
scripts/mutate_code.py --sample 60      60 of them, others for each --seed; writes nothing
scripts/mutate_code.py --changed        those in lines that differ from --base (the commit before, when it is not given); writes nothing
scripts/mutate_code.py --again          those that docs/mutation.md names and that have no reason now; the zones' parts are written anew, in which all
                                        others count as they did; with --changed also those of what was written since
scripts/mutate_code.py --only WORD      those whose file or change has the word; writes nothing

Which test goes through which line, and how long it takes, is read from the last `scripts/test --all`, or `scripts/test --coverage`.
The quickest run first (scripts/code_trying.py). Fails when fewer are noticed than should be: of all mutants by zone (GOALS in scripts/code_zones.py), of a sample, which says little of
a zone, together (FLOOR); those aside that have a reason in scripts/code_reasons.toml. Needs a system that can fork.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import mutation_page  # noqa: E402
from code_mutants import PACKAGE, Mutant, all_mutants  # noqa: E402
from code_trying import try_all  # noqa: E402
from code_zones import by_zone, is_enough, reason_of  # noqa: E402
from evidence import Evidence  # noqa: E402

REASONS = ROOT / "scripts" / "code_reasons.toml"


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
    if options.again:
        chosen |= dict.fromkeys(of_page(mutants))
    if options.changed:
        lines = changed_lines(options.base)
        touched = [each for each in mutants if each.line in lines[each.file]]
        chosen |= dict.fromkeys(touched if options.again else thinned(touched, options.most))
    if options.sample:
        chosen |= dict.fromkeys(random.Random(options.seed).sample(mutants, min(options.sample, len(mutants))))
    return list(chosen) if options.again or options.changed or options.sample else mutants


def of_page(mutants: Sequence[Mutant]) -> list[Mutant]:
    """Those that the page has. What a change begins with is compared first: to make each takes minutes."""
    left = {each for found in mutation_page.survivors().values() for each in found}
    begun = defaultdict[str, set[str]](set)
    for file, change in left:
        begun[file].add(change.partition("  ->  ")[0])
    likely = (each for each in mutants if any(text.startswith(each.begins) for text in begun[each.file]))
    found = [each for each in likely if (each.file, each.change) in left]
    if gone := len(left - {(each.file, each.change) for each in found}):
        print(f"of {len(left)} that the page names {gone} are not in the code any more", flush=True)
    return found


def thinned(mutants: Sequence[Mutant], most: int) -> list[Mutant]:
    """As many as there is time for, spread evenly; says so."""
    if len(mutants) > most:
        print(f"of {len(mutants)} mutants in changed lines {most} are tried (--most)", flush=True)
        return [mutants[number * len(mutants) // most] for number in range(most)]
    return list(mutants)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="how many, by chance")
    parser.add_argument("--seed", type=int, default=1, help="makes the chance")
    parser.add_argument("--changed", action="store_true", help="those that the last change touches")
    parser.add_argument("--base", default="HEAD~1", help="the commit before that change")
    parser.add_argument("--most", type=int, default=300, help="how many of a change at most")
    parser.add_argument("--again", action="store_true", help="those that the page names without a reason")
    parser.add_argument("--zone", action="append", help='a folder of the package, or "the rest"; may be given again')
    parser.add_argument("--only", help="a word in the file or the line")
    parser.add_argument("--budget", type=float, default=40.0, help="seconds of tests that a mutant is given")
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
    evidence.budget = options.budget
    begun = time.monotonic()
    known = tomllib.loads(REASONS.read_text(encoding="utf-8"))
    reasons, evidence.named = known["survivor"], known["noticed"]
    explained = [each for each in mutants if reason_of(each, reasons)]
    results = [(each, "") for each in explained]
    results += try_all([each for each in mutants if each not in {*explained}], options.processes, evidence)
    if options.again:
        others = (each for each in all_mutants() if each.zone in mutation_page.survivors())
        results = [*{**dict.fromkeys(others, "before"), **dict(results)}.items()]
    is_sample = bool(options.sample or options.changed) and not options.again
    zones = by_zone(results, reasons)
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
