#!/usr/bin/env python3
"""scripts/compat.py [--against TAG]: fails for a break since the last release that has no version and no entry in CHANGELOG.md of its own.

A break is what may stop working for somebody who upgrades: in Python's public names, or in the OpenAPI document. It needs a new major version
(below 1.0: a minor one), and each name that broke has to stand under `### Changed` or `### Removed` of that version in CHANGELOG.md.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

import compat_document
import compat_python
from compat_document import Change
from packaging.version import Version
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = "openapi/useapi-runwayml.yaml"
READ = ("src", "generated", DOCUMENT, "pyproject.toml")


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", metavar="TAG", help="the release to compare with; the last one before this commit")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout")
    arguments = parser.parse_args(words)
    tag = arguments.against or last_release(arguments.root)
    if tag is None:
        print("no release is tagged yet (v1.2.3): nothing to compare with")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        archive = git(arguments.root, "archive", "--format=tar", tag, "--", *READ)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        breaks = changes(Path(folder), arguments.root)
        before, now = version(Path(folder)), version(arguments.root)
    told = (arguments.root / "CHANGELOG.md").read_text(encoding="utf-8")
    problems = judge(breaks, before, now, told)
    print(f"{len(breaks)} breaks since {tag}", *(f"  {each}" for each in breaks), sep="\n", flush=True)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def changes(old: Path, new: Path) -> list[Change]:
    """The breaks between two checkouts."""
    yaml = YAML(typ="safe")
    documents = [yaml.load((each / DOCUMENT).read_bytes()) for each in (old, new)]
    return [*compat_python.changes(old, new), *compat_document.changes(*documents)]


def judge(breaks: list[Change], before: Version, now: Version, changelog: str) -> list[str]:
    """What is missing for these breaks."""
    if not breaks:
        return []
    problems = []
    if now.release[:2] <= before.release[:2] if before.major == 0 == now.major else now.major <= before.major:
        needed = f"0.{before.minor + 1}.0" if before.major == 0 else f"{before.major + 1}.0.0"
        problems.append(f"what broke needs version {needed}, and this is {now} (after {before})")
    entries = "\n".join(sections(changelog, now))
    problems += [
        f"CHANGELOG.md does not name {each.name} under ### Changed or ### Removed of {now}: {each}"
        for each in breaks
        if not re.search(rf"\b{re.escape(each.name)}\b", entries)
    ]
    return problems


def sections(changelog: str, of: Version) -> list[str]:
    """What stands under Changed and Removed of a version."""
    versions = re.split(r"^## ", changelog, flags=re.MULTILINE)
    own = next((each for each in versions if each.split()[:1] == [str(of)]), "")
    return [each for each in re.split(r"^### ", own, flags=re.MULTILINE) if each.startswith(("Changed", "Removed"))]


def version(checkout: Path) -> Version:
    return Version(tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])


def last_release(root: Path) -> str | None:
    """The nearest tag such as v1.2.3 before this commit; None where there is none, or no git."""
    if not (root / ".git").exists():
        return None
    told = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*"], cwd=root, capture_output=True, text=True
    )
    return told.stdout.strip() or None


def git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, stdout=subprocess.PIPE).stdout


if __name__ == "__main__":
    sys.exit(main())
