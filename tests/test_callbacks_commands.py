"""Callbacks on the command line: received, told, run with, and for clips and batches."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from useapi_runwayml.batch.calls import Calls
from useapi_runwayml.batch.journal import Journal
from useapi_runwayml.batch.tables import CALLS
from useapi_runwayml.callbacks import CallbackApp, ReplyUrlSigner
from useapi_runwayml.cli import callbacks
from useapi_runwayml.cli.app import run as command
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, STRICT, TOKEN, spawn
from .conftest import soon as until
from .postgres import Postgres

SECRET = "a secret of the tests"
VARIABLE = "USEAPI_RUNWAYML_CALLBACK_SECRET"
URL = "https://example.com/runway"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SimulatorServer]:
    """A minute of it is a second here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "c.mp4").write_bytes(MP4)
    sim = Simulator(max_jobs=10, credits=10_000, task_seconds=60)
    with SimulatorServer(sim, clock=RunningClock(60)) as server:
        monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        yield server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def reads(service: SimulatorServer) -> int:
    """Reads of tasks, one by one or in lists."""
    return sum(seen.operation in ("getTask", "listTasks") for seen in service.simulator.requests)


def soon(condition: Callable[[], Any]) -> Any:
    for _ in range(2000):
        if found := condition():
            return found
        time.sleep(0.01)
    return pytest.fail("it never came to that")


def test_a_clip_is_called_back(service: SimulatorServer) -> None:
    """Of a task that lasts a minute no read but two is needed; the receiver is gone afterwards."""
    port = free_port()
    where = ["--callback-url", f"http://127.0.0.1:{port}/x", "--callback-port", str(port)]
    assert command(["run", "c.mp4", "x", "-o", "out.mp4", *where]) == 0
    assert Path("out.mp4").read_bytes() == MP4
    assert reads(service) <= 2
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.slow
def test_a_batch_is_called_back(service: SimulatorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read for each row, and a few: what the wait has read is what is downloaded. Nothing is waited for in the end."""
    port, waited_for = free_port(), list[set[str]]()

    class Watched(Calls):
        def __init__(self, transactions: Any, receiver: Any, mine: set[str]) -> None:
            super().__init__(transactions, receiver, mine)
            waited_for.append(mine)

    monkeypatch.setattr("useapi_runwayml.batch.runner.Calls", Watched)
    lines = "".join(f"c.mp4,row {row},5,{row}.mp4\n" for row in range(1, 11))
    Path("jobs.csv").write_text(f"video,prompt,seconds,output\n{lines}", encoding="utf-8")
    where = ["--callback-url", f"http://127.0.0.1:{port}/x", "--callback-port", str(port)]
    assert command(["batch", "run", "jobs.csv", "--yes", "--max-jobs", "10", *where]) == 0
    assert len({task.request["replyUrl"] for task in service.simulator.state.tasks.values()}) == 10
    assert reads(service) <= 10 + 3
    assert waited_for == [set()]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["callbacks", "url", "r", "--url", URL], VARIABLE),
        (["callbacks", "serve", "--url", URL], VARIABLE),
        (["run", "c.mp4", "x", "-o", "o.mp4", "--callback-url", "nowhere"], "--callback-url: it must be"),
        (["run", "c.mp4", "x", "-o", "o.mp4", "--callback-url", URL, "--callback-port", "70000"], "65535"),
        (["run", "c.mp4", "x", "-o", "o.mp4", "--callback-url", URL, "--callback-port", "TAKEN"], "cannot listen on"),
        (["batch", "worker", "--database", "DATABASE", "--callback-url", URL], VARIABLE),
        (["batch", "run", "jobs.csv", "--callback-url", URL, "--callback-port", "TAKEN"], "cannot listen on"),
        (["batch", "run", "jobs.csv", "--callback-port", "1"], "need --callback-url"),
    ],
)
def test_what_cannot_receive_is_said(
    service: SimulatorServer, postgres: Postgres, capsys: Any, words: list[str], told: str, tmp_path: Path
) -> None:
    """In a line, before anything is sent, and before a price is told."""
    database = postgres.new()
    Path("jobs.csv").write_text("video,prompt,output\nc.mp4,x,1.mp4\n", encoding="utf-8")
    if "DATABASE" in words:
        assert command(["batch", "run", "jobs.csv", "--yes", "--no-work", "--database", database]) == 0
        capsys.readouterr()
        service.simulator.reset()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        chosen = {"TAKEN": str(taken.getsockname()[1]), "DATABASE": database}
        assert command([chosen.get(word, word) for word in words]) in (1, 2, 3)
    out, found = capsys.readouterr()
    assert told in found
    assert "Traceback" not in found
    assert "credits" not in out + found
    assert not service.simulator.state.tasks


@pytest.mark.parametrize("words", [[], ["--json"], ["--exec"], ["--exec", "false"]])
@pytest.mark.slow
def test_what_is_received_is_told(service: SimulatorServer, tmp_path: Path, words: list[str]) -> None:
    """As lines, as JSON, or to a command, which is run again when it fails; SIGTERM ends it once all is told."""
    port, told = free_port(), tmp_path / "told"
    if words == ["--exec"]:
        script = tmp_path / "tell.py"
        script.write_text(
            "import pathlib, sys\n"
            f"found = pathlib.Path({str(told)!r})\n"
            "tries = found.with_suffix('.tries')\n"
            "tries.write_text(tries.read_text() + 'x' if tries.exists() else 'x')\n"
            "if len(tries.read_text()) == 1: sys.exit(3)\n"
            "found.write_text(sys.stdin.read())\n",
            encoding="utf-8",
        )
        words = ["--exec", f"{sys.executable} {script}"]
    base = [sys.executable, *STRICT, "-m", "useapi_runwayml", "callbacks", "serve"]
    serving = spawn(
        [*base, "--url", URL, "--port", str(port), *words],
        env={**os.environ, VARIABLE: f"{SECRET}, an older one of the tests"},
    )
    query = ReplyUrlSigner(SECRET, URL).url_for("row-1").partition("?")[2]
    body = {"taskId": "user:1-runwayml:a@b.c-task:t", "status": "RUNNING", "progressRatio": "0.5"}

    def post() -> int:
        try:
            return httpx.post(f"http://127.0.0.1:{port}/any?{query}", json=body, trust_env=False).status_code
        except httpx.TransportError:
            assert serving.poll() is None, "it has ended"
            return 0

    try:
        assert soon(post) == 202
        if words[:1] == ["--exec"] and "false" not in words:
            assert json.loads(soon(lambda: told.exists() and told.read_text()))["status"] == "RUNNING"
    finally:
        serving.send_signal(signal.SIGTERM)
        out, err = serving.communicate(timeout=30)
    assert serving.returncode == 0, err
    assert "Traceback" not in err
    assert f"port {port}" in err
    assert SECRET not in out + err
    if words == []:
        assert out == "user:1-runwayml:a@b.c-task:t RUNNING 50%\n"
    elif words == ["--json"]:
        assert json.loads(out)["taskId"] == "user:1-runwayml:a@b.c-task:t"
    elif "false" in words:
        assert "false ended with 1" in err


def test_an_address_is_made(service: SimulatorServer, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """For a create that is made elsewhere; the first of several secrets signs."""
    monkeypatch.setenv(VARIABLE, f"{SECRET},another secret of somebody")
    assert command(["callbacks", "url", "row-1", "--url", URL]) == 0
    assert ReplyUrlSigner(SECRET, URL).check(capsys.readouterr().out.strip()) == "row-1"
    assert command(["--json", "callbacks", "url", "row-1", "--url", URL]) == 0
    assert json.loads(capsys.readouterr().out)["reply_ref"] == "row-1"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("--exec='", "--exec: No closing quotation"),
        ("--exec= ", "--exec names no command"),
        ("--exec=no-such-command of ours", "--exec: there is no command no-such-command"),
    ],
)
def test_a_command_that_is_none_is_said(
    service: SimulatorServer, monkeypatch: pytest.MonkeyPatch, capsys: Any, given: str, told: str
) -> None:
    """Before it listens."""
    monkeypatch.setenv(VARIABLE, SECRET)
    assert command(["callbacks", "serve", "--url", URL, given]) == 2
    assert capsys.readouterr().err == f"useapi-runwayml: {told}\n"


class Receiver:
    """Is served one callback in this process, and then ends within some seconds."""

    seconds = 10.0
    port = 1234

    def __init__(self, app: CallbackApp, port: int, host: str) -> None:
        self.app = app

    def run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        transport = httpx.ASGITransport(self.app)
        body = {"taskId": "user:1-runwayml:a@b.c-task:t", "status": "RUNNING", "progressRatio": "0.5"}
        async with httpx.AsyncClient(transport=transport) as client:
            assert (await client.post(self.app.url_for("row-1"), json=body)).status_code == 202
        await self.before_the_end()
        await self.app.aclose(self.seconds)

    async def before_the_end(self) -> None:
        """Whatever is to happen first."""


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> type[Receiver]:
    """What `callbacks serve` serves, without a port."""
    caplog.set_level(logging.WARNING, "useapi_runwayml.callbacks")
    made = type("Made", (Receiver,), {})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, SECRET)
    monkeypatch.setenv("USEAPI_TOKEN", TOKEN)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(callbacks, "serve_at", made)
    return made


SERVE = ["callbacks", "serve", "--url", URL]
posix = pytest.mark.skipif(os.name == "nt", reason="it takes a shell of POSIX")


def test_a_callback_is_shown(receiver: type[Receiver], capsys: Any) -> None:
    """As a line, or as JSON; beside it is said where it listens, and that it has ended."""
    assert command(SERVE) == 0
    out, told = capsys.readouterr()
    assert out == "user:1-runwayml:a@b.c-task:t RUNNING 50%\n"
    assert told.splitlines() == [
        "Callbacks are taken on 127.0.0.1, port 1234. Ctrl-C ends it.",
        "The receiver has ended.",
    ]
    assert command([*SERVE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "RUNNING"


@posix
def test_a_callback_is_told_to_a_command(receiver: type[Receiver], tmp_path: Path, capsys: Any) -> None:
    """With its words, on its standard input."""
    assert command([*SERVE, "--exec", "sh -c 'cat > \"$0\"' told"]) == 0
    assert json.loads((tmp_path / "told").read_text())["status"] == "RUNNING"
    assert capsys.readouterr().out == ""


@posix
@pytest.mark.parametrize(
    ("given", "told"),
    [("false it does not read", "false ended with 1"), ("./gone now", "./gone: No such file or directory")],
)
def test_a_command_that_fails_is_named(
    receiver: type[Receiver], tmp_path: Path, caplog: pytest.LogCaptureFixture, given: str, told: str
) -> None:
    """Also one that is there no more."""
    (tmp_path / "gone").write_text("#!/bin/sh\n")
    (tmp_path / "gone").chmod(0o700)

    async def vanish(self: Receiver) -> None:
        (tmp_path / "gone").unlink()

    receiver.before_the_end = vanish  # type: ignore[method-assign]
    assert command([*SERVE, "--exec", given]) == 0
    assert f"{told}" in caplog.text
    assert "Errno" not in caplog.text


@posix
@pytest.mark.parametrize("has_groups", [True, False])
def test_a_command_that_goes_on_is_ended(
    receiver: type[Receiver], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_groups: bool
) -> None:
    """With its receiver, also where there are no groups of processes; nothing of it is left."""
    if not has_groups:
        monkeypatch.delattr(os, "killpg")

    async def begin(self: Receiver) -> None:
        await until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())

    receiver.seconds = 0.01
    receiver.before_the_end = begin  # type: ignore[method-assign]
    assert command([*SERVE, "--exec", "sh -c 'cat > told; echo $$ > pid; sleep 5; echo > late'"]) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert not (tmp_path / "late").exists()


# -- several machines --------------------------------------------------------------------------------------------------
def test_a_callback_finds_the_machine_that_waits(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is told, and has not the row: the one that has it looks, once; what nobody waits for is forgotten after a day."""
    monkeypatch.setattr(journal.transactions, "soon", journal.transactions.now)  # a thread may be late
    signer = ReplyUrlSigner(SECRET, URL)
    apps, waiting = [CallbackApp(signer), CallbackApp(signer)], [set[str](), {"t1"}]
    woken: list[list[str]] = [[], []]
    machines = [Calls(journal.transactions, app, mine) for app, mine in zip(apps, waiting, strict=True)]
    for app, heard in zip(apps, woken, strict=True):
        app.listen(heard.append)

    def left() -> list[str]:
        return journal.transactions.now(lambda connection: [*connection.execute(select(CALLS.c.task)).scalars()])

    for _ in range(2):
        apps[0].wake("t1")
    apps[0].wake("t2")
    assert sorted(left()) == ["t1", "t2"]
    machines[0].look()
    assert woken == [["t1", "t1", "t2"], []]
    machines[1].look()
    machines[1].look()
    assert woken == [["t1", "t1", "t2"], ["t1"]]
    assert left() == ["t2"]
    for age, expected in ((24 * 3600 - 20, ["t2", "t3"]), (24 * 3600 + 1, ["t3"])):
        change = update(CALLS).where(CALLS.c.task == "t2").values(at=time.time() - age)
        journal.transactions.now(lambda connection: connection.execute(change))  # noqa: B023
        journal.transactions.now(lambda connection: connection.execute(CALLS.delete().where(CALLS.c.task == "t3")))
        apps[0].wake("t3")
        assert sorted(left()) == expected
    apps[1].wake("t1")  # it waits for it itself
    asyncio.run(journal.transactions.do(lambda connection: None))
    assert left() == ["t3"]


WITHOUT_ASKING = """
import useapi_runwayml._core.polling as polling
polling.CALLED_BACK = (1e6, 1e6)  # without a callback nobody would ever ask
from useapi_runwayml.__main__ import main
main()
"""


@pytest.mark.proof
def test_two_machines_wake_each_other(service: SimulatorServer, postgres: Postgres, tmp_path: Path) -> None:
    """All callbacks come to one of them, as behind one address; the rows of both end by them alone, each with one task."""
    rows, port, database = 24, free_port(), postgres.new()
    lines = "".join(f"c.mp4,row {row},5,{row}.mp4\n" for row in range(1, rows + 1))
    Path("jobs.csv").write_text(f"video,prompt,seconds,output\n{lines}", encoding="utf-8")
    assert command(["batch", "run", "jobs.csv", "--yes", "--no-work", "--max-jobs", "10", "--database", database]) == 0
    environment = {**os.environ, VARIABLE: SECRET, "USEAPI_RUNWAYML_DATABASE": database}
    where = ["--callback-url", f"http://127.0.0.1:{port}/x", "--callback-port"]
    workers = [
        spawn(
            [sys.executable, "-W", "error", "-c", WITHOUT_ASKING, "batch", "worker", "--until-done", *where, str(each)],
            env=environment,
        )
        for each in (port, free_port())
    ]
    told = [each.communicate(timeout=100) for each in workers]
    assert [each.returncode for each in workers] == [0, 0], told
    done = [out.count(": done") for out, _ in told]
    assert sum(done) == rows, told
    assert min(done) > 0, "each has had rows"
    assert len(service.simulator.state.tasks) == rows
    assert all(task.request["replyUrl"].startswith(where[1]) for task in service.simulator.state.tasks.values())
    assert reads(service) <= 3 * rows
