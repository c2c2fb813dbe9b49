"""The Pythons that the package declares: the same everywhere, found where machines have them, and their Ctrl-C heard."""

from __future__ import annotations

import re
import runpy
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from .conftest import spawn

ROOT = Path(__file__).resolve().parent.parent
DECLARED = ["3.11", "3.12", "3.13", "3.14"]


@pytest.fixture
def pythons(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return runpy.run_path(str(ROOT / "scripts" / "_pythons.py"))


def test_every_place_declares_the_same_pythons(pythons: dict[str, Any]) -> None:
    """Classifiers, requires-python, the workflow's matrix and the README name the same versions."""
    assert pythons["declared"]() == DECLARED
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={DECLARED[0]}"
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (matrix,) = re.findall(r"python: \[(.*)\]", workflow)
    assert re.findall(r"[\d.]+", matrix) == DECLARED
    assert re.search(rf"Python\s+{DECLARED[0]} to {DECLARED[-1]}", (ROOT / "README.md").read_text())


def test_this_python_is_found_under_its_version(pythons: dict[str, Any]) -> None:
    """A Python is found by running it; one that is not there is None."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    found = pythons["find"](version)
    assert found.short == version
    assert found.folder == f".venv-{version}"
    assert subprocess.run([found.executable, "-c", ""]).returncode == 0
    assert pythons["find"]("3.99") is None


@pytest.mark.skipif(sys.platform == "win32", reason="shims are scripts of the shell")
def test_a_shim_that_refuses_is_passed_over(
    pythons: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyenv puts a python3.12 on PATH that ends with an error unless chosen; the one under `versions` is taken."""
    shim = tmp_path / "bin" / "python3.99"
    real = tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / "python"
    for path, text in ((shim, "exit 127"), (real, f"printf '3.99.1\\n{real}\\n'")):
        path.parent.mkdir(parents=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(shim.parent), prepend=":")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert pythons["find"]("3.99").executable == str(real)


def test_ci_wants_three_pythons(
    monkeypatch: pytest.MonkeyPatch, pythons: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing is named; with fewer than three, CI fails, and a person's machine does not."""
    script: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "test"))
    look, finder = script["look_for_pythons"], script["_pythons"]
    there = {"3.11": "3.11.7", "3.13": "3.13.0"}

    def find(version: str) -> Any:
        return finder.Interpreter("python", there[version], "f") if version in there else None

    monkeypatch.setattr(finder, "find", find)
    monkeypatch.delenv("CI", raising=False)
    assert look().version == "3.11.7"
    assert "3.11.7, 3.13.0; declared, but not on this machine: 3.12, 3.14" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert look() is None
    there["3.12"] = "3.12.1"
    assert look().version == "3.11.7"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT for another process")
def test_children_hear_ctrl_c_where_the_tests_do_not() -> None:
    """Started in a shell's background or under nohup, SIGINT is ignored, and children would inherit that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code = "import time; print('up', flush=True); time.sleep(60)"
        child = spawn([sys.executable, "-c", code])
    finally:
        signal.signal(signal.SIGINT, before)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=30)
    assert "KeyboardInterrupt" in told
