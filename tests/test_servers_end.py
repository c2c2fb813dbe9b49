"""What serves, or tells of what it was told, goes on beside whoever hangs or fails, and ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from useapi_runwayml import Task, __main__
from useapi_runwayml.cli import callbacks, serving
from useapi_runwayml.cli.app import run
from useapi_runwayml.simulator import ManualClock, Simulator, chores
from useapi_runwayml.simulator.persist import StateFile
from useapi_runwayml.simulator.world import Callback

from .conftest import soon, spawn

BAD = ["http://127.0.0.1:80800/x", "http://[::1/x", "http://127.0.0.1:9/\0", "//", "http:///x"]


class Told:
    """A client whose receivers do as they are told, by their address."""

    def __init__(self, behaviour: Callable[[str], Any]) -> None:
        self.urls: list[str] = []
        self._behaviour = behaviour

    async def post(self, url: str, **more: Any) -> httpx.Response:
        self.urls.append(url)
        await self._behaviour(url)
        return httpx.Response(200)


def callback(url: str) -> Callback:
    return Callback(url, b"{}", "t", allowed=True)


async def hangs(url: str) -> None:
    if "slow" in url:
        await asyncio.sleep(60)


async def raises(url: str) -> None:
    raise ExceptionGroup("several", [OverflowError("port must be 0-65535")])


@pytest.mark.parametrize("url", BAD)
def test_an_address_that_is_none_ends_no_chores(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A typing error in a replyUrl: it is said, and the others go on being called."""

    async def main() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            await chores._post(client, callback(url))
        told = Told(raises)
        await chores._post(told, callback("http://h/one"))  # type: ignore[arg-type]

    with caplog.at_level(logging.WARNING, "useapi_runwayml.simulator"):
        asyncio.run(main())
    assert [record.getMessage().split(" failed")[0] for record in caplog.records] == [
        f"callback to {url}",
        "callback to http://h/one",
    ]


def test_a_receiver_that_hangs_holds_up_no_other_and_no_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither in that round nor in the next; the state is kept meanwhile, and the end cuts it off."""
    assert 0.05 <= chores.CALLBACK_PAUSE <= 0.5, "often, but with a rest"
    monkeypatch.setattr(chores, "CALLBACK_PAUSE", 0.01)
    monkeypatch.setattr(chores, "END_SECONDS", 0.05)
    told, by = Told(hangs), list[Any]()
    monkeypatch.setattr(chores.httpx, "AsyncClient", lambda **more: contextlib.nullcontext(by.append(more) or told))
    rounds = [[callback("http://h/slow"), callback("http://h/slow"), callback("http://h/a")], [callback("http://h/b")]]
    saved = list[bool]()

    async def main() -> None:
        stop = asyncio.Event()
        simulator = SimpleNamespace(due_callbacks=lambda origin, now: rounds.pop(0) if rounds else [])
        keeper = SimpleNamespace(path=tmp_path, save=lambda *given, always=False: saved.append(always))
        running = asyncio.create_task(chores.do_chores(simulator, ManualClock(), keeper, "", stop))  # type: ignore[arg-type]
        await soon(lambda: len(told.urls) == 3 and len(saved) > 2)
        before = len(saved)
        stop.set()
        async with asyncio.timeout(10):
            await running
        assert len(saved) == before + 1 or len(saved) == before + 2

    asyncio.run(main())
    assert told.urls == ["http://h/slow", "http://h/a", "http://h/b"], "in order for one, and at once for the others"
    assert saved == [False] * (len(saved) - 1) + [True], "the moment of the end is kept, too"
    assert by == [{"timeout": 5.0, "trust_env": False}], "by no proxy of the environment"


def test_a_receiver_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit holds for the whole of a callback: the next one of the same receiver is sent after it."""
    monkeypatch.setattr(chores, "CALLBACK_TIMEOUT", 0.05)
    told = Told(hangs)

    async def main() -> None:
        receivers = chores.Receivers(told)  # type: ignore[arg-type]
        for _ in range(2):
            receivers.put(callback("http://h/slow"))
        await soon(lambda: not receivers._tasks)

    asyncio.run(main())
    assert told.urls == ["http://h/slow"] * 2


def test_the_end_waits_for_whoever_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until they have heard, or have been cut off."""
    happened: list[str] = []

    async def hears(url: str) -> None:
        try:
            await hangs(url)
            for _ in range(3):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            happened.append("cut off")
            raise
        happened.append(url)

    async def main() -> None:
        receivers = chores.Receivers(Told(hears))  # type: ignore[arg-type]
        receivers.put(callback("http://h/slow"))
        receivers.put(callback("http://h/a"))
        with monkeypatch.context() as patched:
            patched.setattr(chores, "END_SECONDS", 0.05)
            await receivers.end()
        assert happened == ["http://h/a", "cut off"]
        stop, rounds = asyncio.Event(), [[callback("http://h/b")]]
        simulator = SimpleNamespace(due_callbacks=lambda origin, now: [stop.set(), *rounds.pop()][1:])
        monkeypatch.setattr(chores.httpx, "AsyncClient", lambda **more: contextlib.nullcontext(Told(hears)))
        await chores.do_chores(simulator, ManualClock(), None, "", stop)  # type: ignore[arg-type]
        assert happened[2:] == ["http://h/b"]

    asyncio.run(main())


@pytest.mark.parametrize("error", [OSError(28, "No room"), OSError("No room")])
def test_why_a_state_cannot_be_kept_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture, error: OSError) -> None:
    """Once, in the words of the system alone."""

    def fails(*given: Any, always: bool) -> None:
        raise error

    async def main() -> None:
        keeper: Any = SimpleNamespace(path=tmp_path, save=fails)
        trouble = await chores._save(keeper, Simulator(), ManualClock())
        assert await chores._save(keeper, Simulator(), ManualClock(), trouble) == "No room"

    asyncio.run(main())
    assert caplog.messages == [f"the state cannot be kept in {tmp_path}: No room"]


def test_a_reset_waits_for_the_request_that_is_under_way() -> None:
    """From another thread: else half of a create would be in the state before, and half in the new one."""
    sim = Simulator()
    with sim.lock:
        resetting = threading.Thread(target=sim.reset)
        resetting.start()
        resetting.join(0.05)
        assert resetting.is_alive()
        assert sim.lives == 1
    resetting.join(10)
    assert sim.lives == 2


def test_a_state_file_that_cannot_be_looked_at_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As such, and not as a port that is taken."""

    def denied(self: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", denied)
    with pytest.raises(ValueError, match="state cannot be read: Permission denied"):
        StateFile(tmp_path / "s.json")


def test_requests_that_an_end_cuts_off_leave_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """An interruption is nobody's fault; what is one is told."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    log, stopped = logging.getLogger("uvicorn.error"), list[int]()

    class Server:
        def run(self) -> None:
            for error in (asyncio.CancelledError(), ValueError("a fault")):
                log.error("Exception in ASGI application", exc_info=error)
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)

        def stop(self) -> None:
            stopped.append(1)

    try:
        serving.serve(Server())
    finally:
        log.removeFilter(serving._is_news)
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert len(caplog.records) == 1
    assert "a fault" in caplog.text
    assert stopped == [1, 1]


# -- the command that a receiver runs ----------------------------------------------------------------------------------------
def processes_of(folder: Path) -> list[str]:
    """Those that name it; one that has ended names nothing."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(each.read_text(errors="replace").replace("\0", " "))
    return [each for each in found if str(folder) in each]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked for there")
@pytest.mark.parametrize("moment", ["at once", "as it begins", "later"])
def test_a_command_that_hangs_ends_with_the_receiver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """It, and what it has begun, also in the midst of that: else the receiver would never end."""
    script = f"sh -c ': {tmp_path}; sleep 1000; :' & touch {tmp_path}/begun; wait"

    begin = asyncio.create_subprocess_exec

    async def slowly(*words: str, **more: Any) -> Any:
        process = await begin(*words, **more)
        await asyncio.sleep(0.3)
        return process

    if moment == "as it begins":
        monkeypatch.setattr(asyncio, "create_subprocess_exec", slowly)

    async def main() -> None:
        task = asyncio.create_task(callbacks._run(["sh", "-c", script], Task.from_dict({"taskId": "t"})))
        if moment != "at once":
            await soon((tmp_path / "begun").exists)
        task.cancel()
        await asyncio.wait([task], timeout=20)
        assert task.cancelled()

    asyncio.run(main())
    begun = time.monotonic()
    while processes_of(tmp_path) and time.monotonic() < begun + 10:
        time.sleep(0.01)
    assert processes_of(tmp_path) == []


def test_a_command_gets_the_task_and_fails_by_its_code(tmp_path: Path) -> None:
    """As JSON on its standard input; one that does not read it is no worse off."""
    task = Task.from_dict({"taskId": "t", "status": "RUNNING", "x": "y" * 300_000})

    async def main() -> None:
        await callbacks._run(["sh", "-c", f"cat > {tmp_path}/got"], task)
        await callbacks._run(["true"], task)
        with pytest.raises(RuntimeError, match=r"^sh ended with 3$"):
            await callbacks._run(["sh", "-c", "exit 3"], task)
        with pytest.raises(RuntimeError, match=f"^{tmp_path}: "):
            await callbacks._run([str(tmp_path)], task)

    asyncio.run(main())
    assert json.loads((tmp_path / "got").read_text()) == task.to_dict()


def test_a_command_that_is_not_there_is_said_at_once(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not after the first callback, which nobody hears of then."""
    monkeypatch.setenv("USEAPI_RUNWAYML_CALLBACK_SECRET", "a secret of the tests")
    monkeypatch.setenv("USEAPI_TOKEN", "user:4242-abcdef")
    code = run(["callbacks", "serve", "--url", "https://h.example", "--port", "0", "--exec", "no-such-command-here x"])
    assert code == 2
    assert "--exec: there is no command no-such-command-here" in capsys.readouterr().err


def test_what_is_refused_is_said_where_callbacks_are_received(tmp_path: Path) -> None:
    """Two machines with two secrets: else the one that receives would stay silent for ever."""
    environment = {
        **os.environ,
        "USEAPI_RUNWAYML_CALLBACK_SECRET": "a secret of the tests",
        "USEAPI_TOKEN": "user:4242-abcdef",
    }
    command = [
        sys.executable,
        "-m",
        "useapi_runwayml",
        "callbacks",
        "serve",
        "--url",
        "https://h.example",
        "--port",
        "0",
    ]
    with spawn(command, env=environment) as process:
        try:
            assert process.stderr is not None
            port = int(process.stderr.readline().split("port ")[1].split(".")[0])
            httpx.post(f"http://127.0.0.1:{port}/x?ref=r&sig=forged", json={}, trust_env=False)
            assert "callback was refused" in process.stderr.readline()
        finally:
            process.terminate()
            process.communicate(timeout=20)
    assert process.returncode == 0


# -- signals -----------------------------------------------------------------------------------------------------------------
@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is none")
@pytest.mark.parametrize(("before", "is_left"), [(signal.SIG_IGN, True), (signal.SIG_DFL, False)])
def test_nohup_means_what_it_says(monkeypatch: pytest.MonkeyPatch, before: Any, is_left: bool) -> None:
    """Where SIGHUP is ignored from the start, the end of a terminal ends nothing; else it is as Ctrl-C."""
    asked: dict[int, Any] = {}
    monkeypatch.setattr(signal, "getsignal", lambda number: before if number == signal.SIGHUP else signal.SIG_DFL)
    monkeypatch.setattr(signal, "signal", asked.__setitem__)
    monkeypatch.setattr(sys, "argv", ["useapi-runwayml", "--version"])
    with pytest.raises(SystemExit):
        __main__._main()
    assert (signal.SIGHUP not in asked) is is_left
    assert asked[signal.SIGTERM] is __main__._interrupt
