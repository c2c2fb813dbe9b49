"""The Pythons that the package declares, and where this machine has them. Standard library alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from _venv import ROOT, Interpreter

CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")


def declared() -> list[str]:
    """The versions of the classifiers, oldest first, such as 3.11."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [match[1] for each in project["classifiers"] if (match := CLASSIFIER.fullmatch(each))]
    return sorted(found, key=_key)


def find(version: str) -> Interpreter | None:
    """A Python of this version that runs, from PATH, from pyenv's versions or from the launcher of Windows."""
    for command in _candidates(version):
        told = "import sys; print(sys.version.split()[0], sys.executable, sep='\\n')"
        try:
            done = subprocess.run([*command, "-c", told], capture_output=True, text=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired):
            continue
        lines = done.stdout.splitlines()
        if not done.returncode and len(lines) == 2 and lines[0].startswith(f"{version}."):
            return Interpreter(lines[1], lines[0], f".venv-{version}")
    return None


def _candidates(version: str) -> Iterator[list[str]]:
    if found := shutil.which(f"python{version}"):  # a shim of pyenv's may stand there, and refuse
        yield [found]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    yield from ([str(each / "bin" / "python")] for each in sorted(root.glob(f"{version}.*"), reverse=True))
    if launcher := shutil.which("py"):
        yield [launcher, f"-{version}"]


def _key(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))
