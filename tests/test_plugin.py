"""The pytest plugin, as a team meets it, and the examples of the documentation."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from useapi_runwayml import AsyncRunwayClient, RunwayClient
from useapi_runwayml.simulator import ManualClock, RunningClock, Simulator, SimulatorServer

from .conftest import MP4

ROOT = Path(__file__).resolve().parent.parent


def blocks(name: str) -> list[str]:
    """The Python examples of a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)


def run(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_team.py").write_text(code)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        *arguments,
        "test_team.py",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def lose_the_answer(sim: Simulator) -> None:
    """The create is accepted, its answer is lost, and as long as the look-up has time nobody can be asked."""
    sim.faults.add("close_after_action", "createVideoToVideo")
    for operation in ("listScheduler", "listTasks"):
        sim.faults.add("status", operation, status=503, times=11)


def take_long(sim: Simulator) -> None:
    """Longer than a run waits."""
    sim.task_seconds = 4000


@pytest.mark.parametrize("trouble", [None, take_long, lose_the_answer])
def test_the_readmes_program_runs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: Callable[[Simulator], None] | None,
) -> None:
    """The first example, pasted as it is, against the simulator over HTTP: whichever way it goes, what was paid for is saved."""
    (program,) = [each for each in blocks("README.md") if "SubmissionUnknownError" in each]
    clock = ManualClock()
    monkeypatch.setattr("useapi_runwayml._io.drivers.SystemClock", lambda: clock)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(MP4)
    with SimulatorServer(Simulator(strict=True), clock=clock) as server:
        if trouble is not None:
            trouble(server.simulator)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", server.base_url)
        monkeypatch.setenv("USEAPI_TOKEN", "user:4242-simulated")
        exec(compile(program, "README.md", "exec"), {})
        assert server.simulator.paid.creates == 1
    assert (tmp_path / "out.mp4").stat().st_size == len(MP4)
    assert ("out.mp4 user:4242-runwayml:" in capsys.readouterr().out) is (trouble is None)


TEAM = """
import asyncio

def test_three_lines(runway_client, runway_simulator):
    task = runway_client.video_to_video.create(asset_id=upload(runway_client), text_prompt="x")
    assert runway_client.tasks.wait(task).status == "SUCCEEDED"

def test_awaited(async_runway_client):
    async def main():
        asset = await async_runway_client.assets.upload(clip(), name="a.mp4")
        task = await async_runway_client.video_to_video.create(asset_id=asset.asset_id, text_prompt="x")
        return await async_runway_client.tasks.wait(task)
    assert asyncio.run(main()).status == "SUCCEEDED"

def test_starts_empty(runway_simulator, runway_client, runway_faults):
    assert not runway_simulator.state.tasks and not runway_faults.rules
    assert list(runway_client.tasks.list()) == []

def clip():
    import io
    return io.BytesIO(b"0000ftyp")

def upload(client):
    return client.assets.upload(clip(), name="a.mp4").asset_id

import pytest
@pytest.mark.parametrize("number", range(100))
def test_many(number, runway_client):
    task = runway_client.video_to_video.create(asset_id=upload(runway_client), text_prompt="x")
    assert runway_client.tasks.wait(task).status == "SUCCEEDED"
"""


@pytest.mark.slow
def test_a_teams_tests_are_short_and_quick(tmp_path: Path) -> None:
    """A whole job a test, without sleeping: a hundred of them in a few seconds, each starting empty."""
    done = run(tmp_path, TEAM, "--durations", "0")
    assert "103 passed" in done.stdout, done.stdout + done.stderr
    seconds = float(re.search(r"103 passed in ([\d.]+)s", done.stdout)[1])  # type: ignore[index]
    assert seconds < 30


def test_it_costs_the_other_tests_nothing(tmp_path: Path) -> None:
    """Without a fixture of it, the plugin imports neither httpx nor the simulator."""
    code = (
        "import sys\n"
        "def test_it():\n"
        "    assert 'useapi_runwayml.pytest_plugin' in sys.modules\n"
        "    for name in ('httpx', 'jsonschema_rs', 'attrs', 'useapi_runwayml.simulator', 'useapi_runwayml.client'):\n"
        "        assert name not in sys.modules, name\n"
    )
    others = [
        "-p",
        "no:hypothesispytest",
        "-p",
        "no:schemathesis",
        "-p",
        "no:respx",
        "-p",
        "no:xdist",
        "-p",
        "no:anyio",
    ]
    done = run(tmp_path, code, *others)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.slow
def test_a_missing_extra_is_told_in_a_line(tmp_path: Path) -> None:
    """Without jsonschema-rs the test fails with what to install, and no traceback."""
    (tmp_path / "conftest.py").write_text("import sys\nsys.modules['jsonschema_rs'] = None\n")
    done = run(tmp_path, "def test_it(runway_client):\n    pass\n", "-p", "no:schemathesis")
    told = "runway_simulator needs more (jsonschema_rs is missing): pip install 'useapi-runwayml[simulator]'"
    assert told in done.stdout
    assert "pytest_plugin.py" not in done.stdout
    assert "1 error" in done.stdout


def test_the_fixtures_are_there(runway_client: RunwayClient, runway_simulator: Simulator) -> None:
    """The plugin is found by its entry point."""
    assert list(runway_client.tasks.list()) == []
    assert runway_simulator.requests


def test_waits_of_either_client_pass_on_the_simulators_clock(
    runway_client: RunwayClient, async_runway_client: AsyncRunwayClient, runway_simulator: Simulator
) -> None:
    """Each ends at once, however long the task takes by the clock that the simulator shows."""
    clock = runway_simulator.clock
    assert clock is not None
    runway_simulator.task_seconds = 600
    asset_id = runway_client.assets.upload(io.BytesIO(MP4), name="a.mp4").asset_id
    for wait in (runway_client.tasks.wait, lambda task: asyncio.run(async_runway_client.tasks.wait(task))):
        before = clock.now()
        task = runway_client.video_to_video.create(asset_id=str(asset_id), text_prompt="x")
        assert wait(task).status == "SUCCEEDED"
        assert 600 <= clock.now() - before < 700


def test_a_minute_of_the_plugins_server_is_a_second(runway_server: SimulatorServer) -> None:
    """As its documentation says."""
    assert isinstance(runway_server.clock, RunningClock)
    assert runway_server.clock.speed == 60


@pytest.mark.slow
def test_a_server_of_the_plugin_is_for_any_code(tmp_path: Path) -> None:
    """Over HTTP, at the address in the environment, with what was paid."""
    (tmp_path / "clip.mp4").write_bytes(MP4)
    done = run(
        tmp_path,
        """
import os
import urllib.request


def test_it(runway_server, runway_simulator):
    from useapi_runwayml import RunwayClient

    assert os.environ["USEAPI_RUNWAYML_BASE_URL"] == runway_server.base_url
    health = runway_server.origin + "/_simulator/health"
    assert urllib.request.urlopen(health).status == 200
    with RunwayClient() as runway:
        task = runway.video_to_video.create(
            asset_id=runway.assets.upload("clip.mp4").asset_id, text_prompt="x", reply_ref="row-1", seconds=5
        )
        runway_server.clock.advance(100)
        assert runway.tasks.wait(task).status == "SUCCEEDED"
    assert runway_simulator.paid == (1, 25, {"row-1": 1})
""",
        "-W",
        "ignore::useapi_runwayml.MediaWarning",
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "name", "missing", "extra"),
    [
        ("simulator", "SimulatorServer", "uvicorn", "simulator"),
        ("simulator", "Simulator", "jsonschema_rs", "simulator"),
        ("callbacks", "ReplyUrlSigner", "itsdangerous", "callbacks"),
    ],
)
def test_what_an_extra_lacks_is_named_where_it_is_imported(module: str, name: str, missing: str, extra: str) -> None:
    """One line with what to install, also in Python; what is none is an AttributeError still."""
    code = f"""
import sys
sys.modules[{missing!r}] = None
import useapi_runwayml.{module} as module
assert {name!r} in dir(module)
try:
    module.Nothing
except AttributeError:
    print("no such name")
module.{name}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "no such name\n"
    assert done.stderr.splitlines()[-1].endswith(f"({missing} is missing): pip install 'useapi-runwayml[{extra}]'")
