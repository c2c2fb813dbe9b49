"""Makes the checkout's own environment. Standard library alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure(name: str) -> Path:
    """The environment with the pins of requirements/NAME.txt, made or brought up to date; gives its Python."""
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever types the command may have an older one
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: run it with python3.11")
    pins = ROOT / "requirements" / f"{name}.txt"
    stamp = VENV / f"{name}.stamp"
    wanted = hashlib.sha256(
        pins.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode() + sys.version.encode()
    ).hexdigest()
    if PYTHON.exists() and any(_holds(VENV / f"{each}.stamp", each, wanted, name) for each in (name, "dev")):
        return PYTHON
    print(f"Setting up .venv with requirements/{name}.txt (once) …", file=sys.stderr, flush=True)
    if not PYTHON.exists() or not (VENV / f"{name}.stamp").exists():
        _run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    uv = shutil.which("uv")
    install = (
        [uv, "pip", "install", "--quiet", "--python", str(PYTHON)]
        if uv
        else [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    )
    _run([*install, "--require-hashes", "-r", str(pins)])
    _run([*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    stamp.write_text(wanted)
    return PYTHON


def _holds(stamp: Path, each: str, wanted: str, name: str) -> bool:
    """Whether the environment has these pins; the developer's has all that a smaller one has."""
    if not stamp.exists():
        return False
    return each != name or stamp.read_text() == wanted


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT)
    if done.returncode:
        sys.exit(f"Setting up failed: {' '.join(command[:4])} … ended with {done.returncode}")
