"""A wheel in empty environments: what each extra alone is good for, run as README and docs give it, against the simulator."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uv

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / "src" / "useapi_runwayml" / "cli" / "clip.mp4"
JOBS = "video,prompt,seconds,output\nclip.mp4,with [{extra}] alone,5,batch.mp4\n"  # a batch knows its rows by their content
SECRET = {"USEAPI_RUNWAYML_CALLBACK_SECRET": "a secret of sixteen characters or more"}
LEFT_OUT = ("PYTHON", "USEAPI", "COVERAGE", "COV_CORE")
CALLED = "https://example.com/runway"

COMMANDS: dict[str, list[list[str]]] = {
    "cli": [
        ["run", "clip.mp4", "as a watercolour", "-o", "cli.mp4", "--seconds", "5"],
        ["tasks", "list"],
        ["assets", "list"],
        ["scheduler", "list"],
        ["features"],
        ["doctor"],
        ["document"],
    ],
    "batch": [
        ["batch", "run", "jobs.csv", "--dry-run"],
        ["batch", "run", "jobs.csv", "--yes"],
        ["batch", "status", "jobs.csv"],
        ["batch", "resume", "jobs.csv", "--yes"],
        ["batch", "report", "jobs.csv"],
    ],
    "postgres": [["batch", "worker", "--database", "postgresql://nobody@127.0.0.1:9/none"]],
    "simulator": [["demo", "--output", "demo"]],
    "callbacks": [
        ["callbacks", "url", "order-17", "--url", CALLED],
        ["run", "clip.mp4", "x", "-o", "called.mp4", "--callback-url", "http://127.0.0.1:PORT/x", "--callback-port", "PORT"],
    ],
    "media": [
        ["assets", "inspect", "clip.mp4"],
        ["aleph", "run", "clip.mp4", "at night", "-o", "aleph.mp4"],
    ],
    "http2": [],
    "all": [],
}  # fmt: skip
COMMANDS["all"] = [commands[0] for commands in COMMANDS.values() if commands]
LEAVES = ("cli.mp4", "batch.mp4", "called.mp4", "aleph.mp4", "demo")
NO_DATABASE = "the database cannot be used"  # what is right to say where there is none: the extra is there


class Failed(Exception):
    """The message says which command of which extra, and what came of it."""


class Environment:
    """An environment with one extra of a wheel, or with the wheel alone, and a folder to work in."""

    def __init__(self, folder: Path, wheel: Path, extra: str, constraints: Path | None) -> None:
        self.extra, self.work, self._venv = extra, folder / "work", folder / "venv"
        _uv("venv", "--quiet", "--python", sys.executable, str(self._venv))
        pins = ["-c", str(constraints)] if constraints else []
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        _uv("pip", "install", "--quiet", "--python", str(self.python), *pins, wanted)
        self.work.mkdir()
        shutil.copy(CLIP, self.work)
        (self.work / "jobs.csv").write_text(JOBS.format(extra=extra), encoding="utf-8")

    def program(self, name: str) -> Path:
        return self._venv / (f"Scripts/{name}.exe" if os.name == "nt" else f"bin/{name}")

    @property
    def python(self) -> Path:
        return self.program("python")

    def run(self, command: list[str], service: str = "") -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
        environment = {**kept, **SECRET, "USEAPI_TOKEN": "user:1-release"}
        environment |= dict.fromkeys(("XDG_CACHE_HOME", "LOCALAPPDATA"), str(self.work / "cache"))
        environment |= {"USEAPI_RUNWAYML_BASE_URL": service} if service else {}
        return subprocess.run(
            command,
            cwd=self.work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            stdin=subprocess.DEVNULL,
        )


def smoke(wheel: Path, extras: list[str], constraints: Path | None = None) -> Iterator[str]:
    """Runs all commands of each extra in an environment of its own and gives its name; Failed for the first that does not do what it should."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "service").mkdir()
        serving = Environment(folder / "service", wheel, "simulator", constraints)
        service = stack.enter_context(simulator(serving))
        for extra in extras:
            (folder / extra).mkdir()
            made = Environment(folder / extra, wheel, extra, constraints)
            for command in COMMANDS[extra]:
                check(made, command, service)
            missing = [
                each
                for each in LEAVES
                if any(each in words for words in COMMANDS[extra]) and not (made.work / each).exists()
            ]
            if missing:
                raise Failed(f"[{extra}] left no {', '.join(missing)}")
            yield extra


def check(made: Environment, command: list[str], service: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    done = made.run([str(made.program("useapi-runwayml")), *(each.replace("PORT", port) for each in command)], service)
    right = done.returncode == 1 and NO_DATABASE in done.stderr if "--database" in command else done.returncode == 0
    if not right or "Traceback" in done.stderr or "pip install" in done.stderr:
        raise Failed(
            f"[{made.extra}] useapi-runwayml {' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        )


def bare(wheel: Path, constraints: Path | None = None) -> None:
    """Without an extra: all that is public can be imported, warnings being errors, and the command line asks for its extra in a line."""
    with tempfile.TemporaryDirectory() as folder:
        made = Environment(Path(folder), wheel, "", constraints)
        code = (
            "import useapi_runwayml as u; [getattr(u, n) for n in u.__all__]; u.RunwayClient().tasks; print(u.__file__)"
        )
        done = made.run([str(made.python), "-W", "error", "-c", code])
        if done.returncode or folder not in done.stdout:
            raise Failed(f"without an extra: {done.stdout}{done.stderr}")
        done = made.run([str(made.program("useapi-runwayml")), "run"])
        if (
            done.returncode != 1
            or "pip install 'useapi-runwayml[cli]'" not in done.stderr
            or done.stderr.count("\n") != 1
        ):
            raise Failed(f"without an extra the command line says: {done.stdout}{done.stderr}")


@contextlib.contextmanager
def simulator(made: Environment) -> Iterator[str]:
    """Serves it for as long as the block lasts; gives its address."""
    command = [
        str(made.program("useapi-runwayml")),
        "simulate",
        "--port",
        "0",
        "--speed",
        "600",
        "--quiet",
        "--print-env",
    ]
    with subprocess.Popen(
        command, cwd=made.work, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as serving:
        try:
            assert serving.stdout is not None
            told = dict(
                line.strip().split("=", 1)
                for line in (serving.stdout.readline(), serving.stdout.readline())
                if "=" in line
            )
            if "USEAPI_RUNWAYML_BASE_URL" not in told:
                raise Failed(f"[simulator] simulate says: {told}")
            yield told["USEAPI_RUNWAYML_BASE_URL"]
        finally:
            serving.terminate()


def _uv(*arguments: str) -> None:
    done = subprocess.run([uv.find_uv_bin(), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"uv {' '.join(arguments[:2])}: {done.stderr}")
