"""The checkout's environments: which installer fills them with the pins, and what is tried where one cannot."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
UV = "uv==9.9 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb"


class Commands:
    """What is run, and how each ends."""

    def __init__(self, folder: Path, pins: str) -> None:
        self.folder = folder
        self.run_: list[list[str]] = []
        self.pins_of_uv = ""
        self.fails: str | None = None
        (folder / "requirements").mkdir()
        (folder / "requirements" / "dev.txt").write_text(pins)
        (folder / "pyproject.toml").write_text("")

    def run(self, command: list[str], **_: Any) -> Any:
        self.run_.append(command)
        if command[-1].endswith("uv.txt"):
            self.pins_of_uv = Path(command[-1]).read_text()
        return SimpleNamespace(returncode=int(self.fails == command[0]))

    def installers(self) -> list[str]:
        """Of all pins, and of the package."""
        return [each[0] for each in self.run_ if each[-1].endswith("dev.txt") or "-e" in each]


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "scripts" / "_venv.py"))


@pytest.mark.parametrize(
    ("on_path", "pins", "fails", "installers"),
    [
        ("/bin/uv", f"a==1\n{UV}\nb==2\n", None, ["/bin/uv", "/bin/uv"]),
        (None, f"a==1\n{UV}\nb==2\n", None, ["its/uv", "its/uv"]),
        (None, "a==1\nb==2\n", None, ["python", "python"]),
        (None, f"a==1\n{UV}\nb==2\n", "its/uv", ["its/uv", "python", "python"]),
        ("/bin/uv", "a==1\n", "/bin/uv", ["/bin/uv", "python", "python"]),
    ],
    ids=["of the path", "of the pins", "none", "of the pins, that cannot", "of the path, that cannot"],
)
def test_the_quick_installer_is_taken_where_there_is_one(
    setup: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    on_path: str | None,
    pins: str,
    fails: str | None,
    installers: list[str],
) -> None:
    """uv of the PATH, else of the pins, which pip installs by its own pin alone; pip itself where there is none, and where it cannot: it knows not each index of pip's."""
    monkeypatch.setitem(setup["ensure"].__globals__, "ROOT", tmp_path)
    there = setup["Interpreter"]("python3", "3.11.7", ".venv")
    commands = Commands(tmp_path, pins)
    commands.fails = fails
    monkeypatch.setattr(subprocess, "run", commands.run)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: on_path if path is None else "its/uv")
    (tmp_path / ".venv").mkdir()
    assert setup["ensure"]("dev", there) == there.python
    python = str(there.python)
    assert commands.installers() == [python if each == "python" else each for each in installers]
    assert commands.pins_of_uv == (UV if on_path is None and UV in pins else "")
    assert all("--require-hashes" in each for each in commands.run_ if each[-1].endswith(".txt"))


def test_where_no_installer_can_it_is_said(
    setup: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the environment does not count as made."""
    monkeypatch.setitem(setup["ensure"].__globals__, "ROOT", tmp_path)
    there = setup["Interpreter"]("python3", "3.11.7", ".venv")
    commands = Commands(tmp_path, "a==1\n")
    commands.fails = str(there.python)
    monkeypatch.setattr(subprocess, "run", commands.run)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    (tmp_path / ".venv").mkdir()
    with pytest.raises(SystemExit, match="Setting up failed"):
        setup["ensure"]("dev", there)
    assert not (tmp_path / ".venv" / "dev.stamp").exists()
