"""Makes the checkout's own environments, one for each Python. Standard library alone."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Interpreter:
    """A Python to make an environment with, and the folder that the environment has in the checkout."""

    executable: str
    version: str
    folder: str

    @property
    def short(self) -> str:
        """Such as 3.11."""
        return ".".join(self.version.split(".")[:2])

    @property
    def venv(self) -> Path:
        return ROOT / self.folder

    @property
    def python(self) -> Path:
        """The environment's own Python."""
        return self.venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


HERE = Interpreter(sys.executable, sys.version, ".venv")


def ensure(name: str, on: Interpreter = HERE) -> Path:
    """The environment with the pins of requirements/NAME.txt, made or brought up to date; gives its Python."""
    if sys.version_info < (3, 11):  # noqa: UP036  # whoever types the command may have an older one
        sys.exit(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: run it with python3.11")
    pins = ROOT / "requirements" / f"{name}.txt"
    stamp = on.venv / f"{name}.stamp"
    wanted = hashlib.sha256(
        pins.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode() + on.version.encode()
    ).hexdigest()
    if on.python.exists() and any(_holds(on.venv / f"{each}.stamp", each, wanted, name) for each in (name, "dev")):
        return on.python
    install = _filled(name, on, anew=not stamp.exists())
    _run([*install, "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    stamp.write_text(wanted)
    return on.python


def beside(name: str) -> Path:
    """An environment of its own with the pins of requirements/NAME.txt, and nothing of ours; gives its Python."""
    on = Interpreter(sys.executable, sys.version, f".venv-{name}")
    stamp, wanted = on.venv / f"{name}.stamp", (ROOT / "requirements" / f"{name}.txt").read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        _filled(name, on, anew=True)
        stamp.write_text(wanted)
    return on.python


def _filled(name: str, on: Interpreter, *, anew: bool) -> list[str]:
    """Installs the pins of requirements/NAME.txt; gives the command that installs more."""
    print(f"Setting up {on.folder} with requirements/{name}.txt (once) …", file=sys.stderr, flush=True)
    if anew or not on.python.exists():
        _run([on.executable, "-m", "venv", "--clear", str(on.venv)])
    pins = ROOT / "requirements" / f"{name}.txt"
    by_pip = [str(on.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if uv := _uv(pins, on, by_pip):
        by_uv = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(on.python)]
        if not subprocess.run([*by_uv, "--require-hashes", "-r", str(pins)], cwd=ROOT).returncode:
            return by_uv
        print("uv could not, perhaps as it does not know pip's index: pip tries …", file=sys.stderr, flush=True)
    _run([*by_pip, "--require-hashes", "-r", str(pins)])
    return by_pip


def _uv(pins: Path, on: Interpreter, by_pip: list[str]) -> str | None:
    """The quicker installer by minutes: of the PATH, else of the pins, if they have it."""
    its = re.search(r"^uv==(?:.*\\\n)*.*", pins.read_text(encoding="utf-8"), re.MULTILINE)
    if (found := shutil.which("uv")) or its is None:
        return found
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "uv.txt"
        alone.write_text(its[0], encoding="utf-8")
        _run([*by_pip, "--require-hashes", "-r", str(alone)])
    return shutil.which("uv", path=on.python.parent)


def _holds(stamp: Path, each: str, wanted: str, name: str) -> bool:
    """Whether the environment has these pins; the developer's has all that a smaller one has."""
    if not stamp.exists():
        return False
    return each != name or stamp.read_text() == wanted


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT)
    if done.returncode:
        sys.exit(f"Setting up failed: {' '.join(command[:4])} … ended with {done.returncode}")
