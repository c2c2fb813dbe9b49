"""Standard streams that are closed, broken, full or gone: the paid work is finished, and the exit code tells of it."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from useapi_runwayml.cli import streams
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN, spawn
from .test_cli import Run, folder, run, server

__all__ = ["folder", "run", "server"]

COMMAND = [sys.executable, "-W", "error", "-m", "useapi_runwayml"]
posix = pytest.mark.skipif(os.name == "nt", reason="it takes a shell of POSIX")


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A service of short tasks for processes of their own, and a folder to work in."""
    simulator = Simulator(task_seconds=0)
    with SimulatorServer(simulator, clock=RunningClock(50)) as running:
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", running.base_url)
        monkeypatch.setenv("PYTHONUNBUFFERED", "")
        monkeypatch.chdir(tmp_path)
        (tmp_path / "c.mp4").write_bytes(MP4)
        yield simulator


def shell(text: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell, in which `runway` is the command and `code` its exit code, written to a file."""
    command = " ".join(f"'{each}'" for each in COMMAND)
    script = f'runway() {{ {command} "$@"; echo $? > code; }}\n{text}'
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120)


WORK = "runway run c.mp4 x -o out.mp4 --seconds 5"
STREAMS = {
    "stdout into a reader that quits": f"{WORK} | true",
    "stdout and stderr into a reader that quits": f"{WORK} 2>&1 | true",
    "a reader that takes a line": f"{WORK} | head -1",
    "a pager that quits": f"{WORK} | (read -r line; exit 1)",
    "stdout closed": f"{WORK} >&-",
    "stderr closed": f"{WORK} 2>&-",
    "all closed": f"{WORK} <&- >&- 2>&-",
    "stdin closed": f"{WORK} <&-",
    "JSON into a reader that quits": f"{WORK} --json | true",
    "stdout full": f"{WORK} > /dev/full",
    "stderr full": f"{WORK} --debug 2> /dev/full",
}


@posix
@pytest.mark.parametrize("name", STREAMS)
def test_the_work_is_finished(quick: Simulator, tmp_path: Path, name: str) -> None:
    """One paid task, the file saved whole, exit code 0, and no traceback anywhere."""
    done = shell(STREAMS[name])
    assert (tmp_path / "code").read_text() == "0\n", done
    assert (tmp_path / "out.mp4").read_bytes() == MP4
    assert sum(seen.operation == "createVideoToVideo" for seen in quick.requests) == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stdout + done.stderr
    assert "BrokenPipe" not in done.stdout + done.stderr
    assert ("the output cannot be written: No space left" in done.stderr) == (name == "stdout full")


@posix
@pytest.mark.parametrize("redirected", ["| true", ">&-", "2>&-", "<&- >&- 2>&-", "> /dev/full"])
@pytest.mark.slow
def test_a_failure_keeps_its_exit_code(quick: Simulator, tmp_path: Path, redirected: str) -> None:
    """Whoever reads it or not: a refused value is 3, a moderated prompt 6, a mistake on the line 2."""
    for arguments, code in (
        ("run c.mp4 x -o out.mp4 --seconds 7", 3),
        ("run c.mp4 '[moderate]' -o out.mp4", 6),
        ("run c.mp4", 2),
    ):
        done = shell(f"runway {arguments} {redirected}")
        assert (tmp_path / "code").read_text() == f"{code}\n", (arguments, done)
        assert "Traceback" not in done.stdout + done.stderr


@posix
def test_a_result_is_never_written_over_by_words(quick: Simulator, tmp_path: Path) -> None:
    """With stdout closed, the next file that is opened would be number 1, and get what is printed."""
    shell("runway tasks list >&-; runway run c.mp4 x -o a.mp4 --seconds 5 >&- 2>&-")
    assert (tmp_path / "a.mp4").read_bytes() == MP4
    assert (tmp_path / "c.mp4").read_bytes() == MP4


@posix
@pytest.mark.slow
def test_a_batch_survives_its_pager(quick: Simulator, tmp_path: Path) -> None:
    """All rows are run, the report is there, and the exit code is that of the rows."""
    (tmp_path / "jobs.csv").write_text("video,prompt\nc.mp4,one\nc.mp4,two\n")
    done = shell("runway batch run jobs.csv --yes 2>&1 | head -1")
    assert (tmp_path / "code").read_text() == "0\n", done
    assert len(list((tmp_path / "results" / "jobs").glob("*.mp4"))) == 2
    assert "Traceback" not in done.stdout + done.stderr


@posix
def test_a_terminal_that_goes_away_ends_nothing(quick: Simulator, tmp_path: Path) -> None:
    """Output to a terminal whose other end is closed fails with EIO."""
    main, other = os.openpty()
    process = spawn([*COMMAND, "run", "c.mp4", "x", "-o", "out.mp4", "--seconds", "5"], stdout=other, stderr=other)
    os.close(other)
    os.close(main)
    assert process.wait(60) == 0
    assert (tmp_path / "out.mp4").read_bytes() == MP4


def test_streams_that_are_fine_are_left_as_they_are(quick: Simulator) -> None:
    """What is written comes out, in order, in UTF-8 where the terminal has it, escaped where not."""
    for encoding, shown in (("utf-8", "é"), ("ascii", "\\xe9")):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run([*COMMAND, "tasks", "find", "é"], capture_output=True, env=environment)
        assert done.returncode == 1
        assert shown in done.stderr.decode(encoding)


class Broken(io.StringIO):
    """A stream on a file, whose reader is gone when it is written to, or when it is flushed."""

    def __init__(self, file: Any, fails: str, error: Exception) -> None:
        super().__init__()
        self.file, self.fails, self.error, self.asked = file, fails, error, list[str]()

    def _do(self, name: str) -> None:
        self.asked.append(name)
        if name == self.fails:
            raise self.error

    def write(self, text: str) -> int:
        self._do("write")
        return len(text)

    def flush(self) -> None:
        self._do("flush")

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self.file.fileno())


@posix
@pytest.mark.parametrize("fails", ["write", "flush"])
@pytest.mark.parametrize("is_stdout", [True, False])
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BrokenPipeError(), ""),
        (ValueError("closed"), ""),
        (OSError(errno.ENOSPC, "No space left"), "useapi-runwayml: the output cannot be written: No space left\n"),
        (OSError("odd"), "useapi-runwayml: the output cannot be written: odd\n"),
    ],
)
def test_a_stream_that_is_lost_takes_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str, is_stdout: bool, error: Exception, told: str
) -> None:
    """It goes nowhere from then on, its file too, and only what nobody expects of standard output is told, once; no file is left open."""
    with (tmp_path / "out").open("w") as file:
        broken = Broken(file, fails, error)
        monkeypatch.setattr(sys, "__stdout__", broken if is_stdout else None)
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        lasting = streams.Lasting(broken)
        assert (lasting.isatty(), lasting.writable(), lasting.fileno()) == (True, True, file.fileno())
        free = os.dup(0)
        os.close(free)
        for _ in range(2):
            assert lasting.write("text") == 4
            lasting.flush()
        assert broken.asked == (["write"] if fails == "write" else ["write", "flush"])
        assert not lasting.isatty()
        assert os.path.samestat(os.fstat(file.fileno()), os.stat(os.devnull))
        assert sys.stderr.getvalue() == (told if is_stdout else "")  # type: ignore[attr-defined]
        again = os.dup(0)
        os.close(again)
        assert again == free


def test_streams_that_are_not_there_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each on its own number, which what is begun has as well; letters that a terminal has not are escaped."""
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    opened, opening = list[int](), os.open

    def closed(number: int) -> Any:
        raise OSError(errno.EBADF, "closed")

    def noting(*given: Any) -> int:
        opened.append(opening(*given))
        return opened[-1]

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", closed)
        patched.setattr(os, "open", noting)
        streams.hold()
    assert [each.fileno() for each in (sys.stdin, sys.stdout, sys.stderr)] == [0, 1, 2]
    assert [os.get_inheritable(each) for each in opened] == [True] * 3
    for each in opened:
        os.close(each)
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding="ascii"))
    streams.hold()
    sys.stdout.write("é")
    sys.stdout.flush()
    assert kept.getvalue() == b"\\xe9"


# -- what is shown -----------------------------------------------------------------------------------------------------
ODD = ["[bold]x[/bold]", ":smile: :+1:", "[link=http://x]y", "\\[x]", "a" * 150, "x [/] y"]


def test_tables_that_are_piped_are_not_folded(run: Run) -> None:
    """A line for each row, whatever its length, with the texts as they are: no markup, no emoji codes."""
    for number, reference in enumerate(ODD):
        assert run("run", "c.mp4", "x", "-o", f"{number}.mp4", "--seconds", "5", "--reply-ref", reference)[0] == 0
    lines = run("tasks", "list")[1].splitlines()
    assert len(lines) == 1 + len(ODD)
    for line, reference in zip(lines[1:], reversed(ODD), strict=True):
        assert reference in line
    found = run("tasks", "find", ODD[0])[1]
    assert ODD[0] in found


def test_what_the_service_says_moves_no_cursor(run: Run) -> None:
    """Control characters of a reference are shown as spaces, in tables and in fields."""
    reference = "a\x1b[2Jb\rc"
    assert run("run", "c.mp4", "x", "-o", "o.mp4", "--seconds", "5", "--reply-ref", reference)[0] == 0
    for command in (["tasks", "list"], ["tasks", "find", reference]):
        out = run(*command)[1]
        assert "a [2Jb c" in out
        assert "\x1b" not in out


# -- dashes ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "c.mp4", "-a man walks", "-o", "o.mp4"],
        ["run", "-c.mp4", "x", "-o", "o.mp4"],
        ["run", "c.mp4", "x", "-o", "-o.mp4"],
        ["tasks", "find", "-mine"],
        ["assets", "upload", "-c.mp4"],
        ["batch", "run", "-jobs.csv"],
    ],
)
def test_a_value_that_begins_with_a_dash_gets_a_hint(run: Run, arguments: list[str]) -> None:
    """It was taken for an option; the hint says how to give it."""
    code, _, told = run(*arguments)
    assert code == 2
    assert "A value that begins with a dash: --prompt=-…, or -- before it" in told


def test_the_hint_works(run: Run, folder: Path) -> None:
    """Each way that it names."""
    (folder / "-c.mp4").write_bytes(MP4)
    assert run("run", "./-c.mp4", "--prompt=-x", "-o", "1.mp4", "--reply-ref=-mine")[0] == 0
    assert run("run", "-o", "2.mp4", "--", "-c.mp4", "-x")[0] == 0
    assert run("run", "c.mp4", "x", "--output=-3.mp4")[0] == 0
    assert "-mine" in run("tasks", "find", "--", "-mine")[1]
    assert (folder / "-3.mp4").exists()


def test_other_mistakes_get_no_hint_at_dashes(run: Run) -> None:
    """A missing word or a misspelt option is told as it is."""
    for arguments in (["run", "c.mp4"], ["run", "c.mp4", "x", "--outptu", "o.mp4"], ["tasks", "find"]):
        assert "begins with a dash" not in run(*arguments)[2]


def test_the_command_to_go_on_with_tells_dashes_from_options() -> None:
    """It can be pasted as it is."""
    from useapi_runwayml.cli.exits import command, find_command

    assert command("tasks", "wait", "id", "-o", Path("-o.mp4")) == "useapi-runwayml tasks wait id -o ./-o.mp4"
    assert find_command("-mine") == "useapi-runwayml tasks find -- -mine"
    assert find_command("mine") == "useapi-runwayml tasks find mine"


# -- Unicode -----------------------------------------------------------------------------------------------------------
FORMS = [("NFC", "NFD"), ("NFD", "NFC")]


@pytest.mark.parametrize(("stored", "typed"), FORMS)
def test_paths_meet_in_either_form(run: Run, folder: Path, stored: Any, typed: Any) -> None:
    """A clip whose name was stored in one form of Unicode is found by the other: by run, by assets, by a jobs file."""
    name = "Café Größe.mp4"
    (folder / unicodedata.normalize(stored, name)).write_bytes(MP4)
    wanted = unicodedata.normalize(typed, name)
    assert run("assets", "inspect", wanted)[0] == 0
    assert run("assets", "upload", wanted)[0] == 0
    assert run("run", wanted, "x", "-o", "o.mp4", "--seconds", "5")[0] == 0
    (folder / "jobs.csv").write_text(f"video,prompt\n{wanted},x\n", encoding="utf-8")
    code, _, told = run("batch", "run", "jobs.csv", "--dry-run")
    assert (code, told) == (0, "")


@pytest.mark.parametrize(("stored", "typed"), FORMS)
def test_references_meet_in_either_form(run: Run, stored: Any, typed: Any) -> None:
    """`tasks find` finds what was typed on another system."""
    reference = "Größe-é"
    given = unicodedata.normalize(stored, reference)
    assert run("run", "c.mp4", "x", "-o", "o.mp4", "--seconds", "5", "--reply-ref", given)[0] == 0
    code, out, _ = run("tasks", "find", unicodedata.normalize(typed, reference))
    assert (code, given in out) == (0, True)


def test_a_file_of_the_very_name_comes_first(run: Run, folder: Path) -> None:
    """Where both forms are there, each is itself."""
    name = "é.mp4"
    for form in ("NFC", "NFD"):
        (folder / unicodedata.normalize(form, name)).write_bytes(MP4)
    assert run("assets", "upload", unicodedata.normalize("NFD", name))[0] == 0
    listed = a_list(run)
    assert listed[0]["name"] == unicodedata.normalize("NFD", name)


def a_list(run: Run) -> list[dict[str, Any]]:
    import json

    found: list[dict[str, Any]] = json.loads(run("assets", "list", "--json")[1])
    return found


# -- frozen ------------------------------------------------------------------------------------------------------------
@pytest.mark.proof
@posix
def test_a_frozen_build_has_all_commands(quick: Simulator, tmp_path: Path) -> None:
    """PyInstaller finds, without a setting of the user's, what is imported by name: each command runs."""
    (tmp_path / "start.py").write_text("from useapi_runwayml.__main__ import main\nmain()\n")
    tools = ("django", "hypothesis", "mypy", "setuptools", "sphinx")  # ours, not a user's: they would be half of it
    without = [word for name in tools for word in ("--exclude-module", name)]
    build = [sys.executable, "-m", "PyInstaller", "--onedir", "-y", "--log-level", "ERROR", *without, "start.py"]
    made = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert made.returncode == 0, made.stderr
    program = str(tmp_path / "dist" / "start" / "start")
    for arguments in (
        ["tasks", "list"],
        ["assets", "list"],
        ["scheduler", "list"],
        ["features"],
        ["run", "c.mp4", "x", "-o", "out.mp4", "--seconds", "5"],
        ["aleph", "run", "--help"],
        ["demo", "--output", "demo"],
        ["batch", "run", "jobs.csv", "--yes"],
        ["batch", "report", "jobs.csv", "--html", "report.html"],
        ["simulate", "--help"],
    ):
        (tmp_path / "jobs.csv").write_text("video,prompt\nc.mp4,one\n")
        done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    assert (tmp_path / "out.mp4").read_bytes() == MP4


@pytest.mark.parametrize("ctrl_c", ["as ever", "ignored", "a loop's"])
def test_whoever_ends_the_process_is_heard(monkeypatch: pytest.MonkeyPatch, ctrl_c: str) -> None:
    """SIGTERM and SIGHUP are as Ctrl-C: a loop ends its tasks first, and behind nohup, where Ctrl-C is ignored, the process ends too."""
    import signal

    from useapi_runwayml import __main__

    heard: list[int] = []
    handlers: dict[str, Any] = {
        "as ever": signal.default_int_handler,
        "ignored": signal.SIG_IGN,
        "a loop's": lambda number, frame: heard.append(number),
    }
    monkeypatch.setattr(signal, "getsignal", lambda number: handlers[ctrl_c])
    if ctrl_c == "a loop's":
        __main__._interrupt(15, None)
        assert heard == [signal.SIGINT]
    else:
        with pytest.raises(KeyboardInterrupt):
            __main__._interrupt(15, None)
