"""Runs the examples of the pages against a simulator: Python in this process, commands in a shell.

`python` blocks are run as they stand, those of a page in their order and in one namespace; tests among them by pytest, and a block whose
first line is `# NAME.py` is that file as well. `sh` blocks are run by bash, which ends at the first command that fails, with someone
at the terminal who agrees to every question. `console` blocks show what needs more than a simulator: each command in them has to be
one that there is.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import math
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from useapi_runwayml.simulator import ManualClock, RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN
from .media import image

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
DATABASE = "postgresql://user:password@host/name"
PORTS = ("8787", "8080")  # of the pages; others here
OTHERS = {"docker", "cloudflared", "ngrok"}  # commands that nothing here can try
LONGEST = 300
HASTY = """
import time
_sleep = time.sleep
time.sleep = lambda seconds: _sleep(seconds / 30)
"""
DJANGO = """
ROOT_URLCONF, ALLOWED_HOSTS, SECRET_KEY = "tests.test_callbacks_docs", ["here"], "x"
"""
PIP = f"""#!{sys.executable}
import sys
from tests.documents import installable
installable(sys.argv[2:])
"""


def parse(page: Path) -> Document:
    """The page, with what evaluates its blocks."""
    kinds = {"python": run_python, "sh": run_shell, "sh serves": run_server, "console": check_console}
    return Sybil([CodeBlockParser(language, run) for language, run in kinds.items()]).parse(page)


class Stage:
    """Where the examples of a page run: a folder with clips, and a simulator whose address the environment has."""

    def __init__(self, folder: Path, monkeypatch: Any, database: str) -> None:
        self.folder, self.database, self.monkeypatch = folder, database, monkeypatch
        self.open = contextlib.ExitStack()
        self.names: dict[str, Any] = {}
        self.ports = {each: str(free_port()) for each in PORTS}
        for name in ("clip.mp4", "clips/one.mp4", "clips/two.mp4"):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(MP4)
        (folder / "ref.png").write_bytes(image())
        (folder / "jobs.csv").write_text("video,prompt\nclips/one.mp4,as a watercolour\nclips/two.mp4,at night\n")
        (folder / "bin").mkdir()
        self._put("bin/pip", PIP)
        self._put("site_settings.py", DJANGO)
        self._put("hasty/sitecustomize.py", HASTY)

    def set_up(self) -> None:
        """What the Python of a page shares: a service, the variables that lead to it, and a clock that passes when somebody waits."""
        if self.names:
            return
        self.names["__name__"] = "example"
        clock = ManualClock()
        server = self.open.enter_context(SimulatorServer(Simulator(strict=True), clock=clock))
        self.loop = self.open.enter_context(asyncio.Runner())
        self.monkeypatch.setattr("useapi_runwayml._io.drivers.SystemClock", lambda: clock)
        self.monkeypatch.setattr(clock, "real", lambda seconds: 0.0, raising=False)
        self.monkeypatch.setattr(clock, "of_the_machine", lambda seconds: math.inf, raising=False)
        self.monkeypatch.setattr("useapi_runwayml.batch.runner.BatchClock", lambda: clock)
        self.monkeypatch.chdir(self.folder)
        self.monkeypatch.syspath_prepend(self.folder)
        prepare(server)
        for name, value in self.environment(server).items():
            self.monkeypatch.setenv(name, value)

    def _put(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def environment(self, server: SimulatorServer) -> dict[str, str]:
        """What both kinds of examples find: where the simulator is, and what is there already."""
        sim = server.simulator
        return {
            "USEAPI_TOKEN": TOKEN,
            "USEAPI_RUNWAYML_BASE_URL": server.base_url,
            "USEAPI_RUNWAYML_CALLBACK_SECRET": "a secret of the tests",
            "CALLBACK_SECRET": "a secret of the tests",
            "DJANGO_SETTINGS_MODULE": "site_settings",
            "HOME": str(self.folder),
            "TASK_ID": next(iter(sim.state.tasks), ""),
            "ASSET_ID": next(iter(sim.state.assets), ""),
            "PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def text(self, written: str) -> str:
        """A block with what cannot be the same everywhere."""
        for port, other in self.ports.items():
            written = written.replace(port, other)
        return written.replace(DATABASE, self.database)

    def sweep(self) -> None:
        """Takes away what an example has made, as if each were the first."""
        for each in (*self.folder.glob("*.mp4"), *self.folder.glob("results"), *self.folder.glob(".useapi-runwayml")):
            if each.name != "clip.mp4":
                shutil.rmtree(each) if each.is_dir() else each.unlink()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def run_python(example: Example) -> None:
    """In this process, where a wait takes no time."""
    stage: Stage = example.document.namespace["stage"]
    code = stage.text(example.parsed)
    if name := re.match(r"# (\w+\.py)\n", code):
        (stage.folder / name[1]).write_text(code)
    if "def test_" in code:
        (stage.folder / f"test_line_{example.line}.py").write_text(code)  # for run_tests, at the end of the page
        return
    stage.set_up()
    compiled = compile(code, f"{Path(example.path).name}:{example.line}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(compiled, stage.names)  # an example of ours
    if inspect.iscoroutine(made):  # as a notebook does
        stage.loop.run(made)
    stage.sweep()


def run_tests(folder: Path) -> None:
    """The tests of a page, each block a file, as whoever pastes them runs them."""
    found = sorted(each.name for each in folder.glob("test_line_*.py"))
    if not found:
        return
    words = ["-q", "-W", "error", "-W", "ignore::useapi_runwayml.MediaWarning", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *words, *found]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=LONGEST)
    assert done.returncode == 0, done.stdout + done.stderr


def prepare(server: SimulatorServer) -> None:
    """A clip that is there, and a task of it, as yesterday's work may have left them."""
    from useapi_runwayml import RunwayClient

    with RunwayClient(TOKEN, base_url=server.base_url) as runway:
        asset = runway.assets.upload(_clip(), name="clip.mp4", duration=5.0, width=1280, height=768)
        assert asset.asset_id is not None
        runway.video_to_video.create(asset_id=asset.asset_id, text_prompt="as a watercolour", reply_ref="order-17")


def _clip() -> Any:
    import io

    return io.BytesIO(MP4)


def run_shell(example: Example) -> None:
    """By bash, with a terminal at which somebody agrees; what it leaves running is ended."""
    code, said = in_a_shell(example)
    assert code == 0, f"{Path(example.path).name}:{example.line} ended with {code}:\n{example.parsed}\n{said}"


def run_server(example: Example) -> None:
    """The same of a command that serves until Ctrl-C: it says where, and ends in order."""
    code, said = in_a_shell(example, "timeout", "--signal=INT", "--preserve-status", "5")
    assert code in (0, 130), f"{Path(example.path).name}:{example.line} ended with {code}:\n{said}"
    assert "http://" in said, said


def in_a_shell(example: Example, *before: str) -> tuple[int, str]:
    """How a block ended, and what it said."""
    stage: Stage = example.document.namespace["stage"]
    with SimulatorServer(Simulator(strict=True), clock=RunningClock(60)) as server:
        prepare(server)
        paths = os.pathsep.join([str(stage.folder / "hasty"), str(ROOT)])
        surroundings = {**os.environ, **stage.environment(server), "PYTHONPATH": paths, "COLUMNS": "100"}
        command = [*before, "bash", "-euo", "pipefail", "-c", stage.text(example.parsed)]
        ended = at_a_terminal(command, stage.folder, surroundings)
    stage.sweep()
    return ended


def at_a_terminal(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """How the command ended, and what it said."""
    import pty  # not on every system

    ours, theirs = pty.openpty()
    os.write(ours, b"y\n" * 20)
    pieces: list[bytes] = []

    def listen() -> None:
        with open(ours, "rb", buffering=0, closefd=False) as terminal:
            try:
                while piece := terminal.read(4096):
                    pieces.append(piece)
            except OSError:  # nobody has the other end any more
                return

    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            code = process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            for name in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(process.pid, name)
                except ProcessLookupError:
                    break
                listener.join(10)
    listener.join(10)
    os.close(ours)
    return code, b"".join(pieces).decode(errors="replace")


def check_console(example: Example) -> None:
    """Each command is one that there is, with options that it has."""
    for command in commands(example.parsed):
        check_command(command)


def commands(text: str) -> Iterator[list[str]]:
    """What stands after a prompt, without what a shell does with its output."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            words = shlex.split(line[2:], comments=True)
            ends = [at for at, word in enumerate(words) if word in ("|", ">", "&&", "&", ";", "<")]
            yield words[: min(ends, default=len(words))]


def check_command(words: list[str]) -> None:
    """One command."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words or words[0] in ("export", *OTHERS):
        return
    if words[0] == "useapi-runwayml":
        from useapi_runwayml.cli.app import app

        app.parse_args(
            [each for each in words[1:] if each not in ("--json", "--debug")], exit_on_error=False, print_error=False
        )
    elif words[0] == "pip":
        installable(words[2:])
    else:
        path = next(each for each in words if "/" in each)
        assert (ROOT / path).exists(), f"{path} is not there"


def installable(words: list[str]) -> None:
    """Packages that pip would find: this one with extras that it has, and others that are here."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        if word.startswith("-"):
            continue
        name, _, extras = word.removesuffix("]").partition("[")
        if name == told["name"]:
            unknown = {*extras.split(",")} - {*told["optional-dependencies"], ""}
            assert not unknown, f"there is no extra {', '.join(unknown)}"
        else:
            assert version(name)
