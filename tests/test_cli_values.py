"""What is typed is taken as it is meant, or refused in words: numbers, folders, files that options name."""

from __future__ import annotations

import errno
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from useapi_runwayml import Progress, Task, errors
from useapi_runwayml.batch import Batch
from useapi_runwayml.cli import app, receiving, reuse
from useapi_runwayml.cli import run as runs
from useapi_runwayml.cli.exits import Stop
from useapi_runwayml.simulator import Simulator, SimulatorServer

from .media import clip
from .test_cli import Run, folder, run, server

__all__ = ["folder", "run", "server"]


@pytest.mark.parametrize(
    "words",
    [
        ["batch", "run", "jobs.csv", "--max-credits", "49.6", "--yes"],
        ["batch", "run", "jobs.csv", "--max-jobs", "1.5", "--yes"],
        ["batch", "resume", "jobs.csv", "--max-credits", "0.4", "--yes"],
        ["run", "c.mp4", "x", "-o", "o.mp4", "--seconds", "5.4"],
        ["run", "c.mp4", "x", "-o", "o.mp4", "--seed", "1e-3"],
        ["tasks", "list", "--limit", "1.4"],
        ["assets", "upload", "c.mp4", "--width", "64.5"],
        ["callbacks", "serve", "--url", "https://h.example", "--port", "80.5"],
        ["simulate", "--credits", "2.5"],
    ],
)
def test_a_part_of_a_number_is_no_number(run: Run, server: SimulatorServer, folder: Path, words: list[str]) -> None:
    """Rounded, 49.6 credits would be spent as 50: it is refused, and nothing is sent."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\n")
    code, out, told = run(*words)
    assert code == 2
    assert "it takes a whole number" in told
    assert out == ""
    assert not server.simulator.requests


def test_a_whole_number_may_be_written_as_one_with_a_point(run: Run) -> None:
    """As spreadsheets and scripts print them."""
    assert run("tasks", "list", "--limit", "7.0", "--json")[0] == 0
    assert run("tasks", "list", "--limit", "seven")[0] == 2


def test_a_slash_at_the_end_means_a_folder(run: Run, server: SimulatorServer, folder: Path) -> None:
    """One that is not there is refused before anything is paid, and no file of that name is made."""
    code, _, told = run("run", "c.mp4", "x", "-o", "results/")
    assert (code, not server.simulator.state.tasks) == (2, True)
    assert "there is no folder results/" in told
    (folder / "results").mkdir()
    assert run("run", "c.mp4", "x", "-o", "results/")[0] == 0
    (made,) = (folder / "results").iterdir()
    assert made.suffix == ".mp4"


def test_where_a_result_goes_is_looked_at_before_the_wait(run: Run, server: SimulatorServer, folder: Path) -> None:
    """An hour of waiting would end in the same refusal."""
    (folder / "taken.mp4").write_bytes(b"mine")
    for place, told in (("taken.mp4", "It exists already"), ("nowhere/x.mp4", "its folder does not exist")):
        code, _, said = run("tasks", "wait", "user:1-runwayml:a@b.test-task:1", "-o", place)
        assert code != 0
        assert told in said
        assert "Resume with" not in said
    assert not server.simulator.requests
    assert (folder / "taken.mp4").read_bytes() == b"mine"


def test_a_file_that_an_option_names_and_is_not_there_is_told_with_it(run: Run, folder: Path) -> None:
    """Which option, which file, and why."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\n")
    for words in (["run", "c.mp4", "x", "-o", "o.mp4", "--extra-body"], ["batch", "run", "jobs.csv", "--defaults"]):
        code, _, told = run(*words, "@nofile")
        assert code == 2
        assert f"{words[-1]} @nofile: No such file or directory" in told


def test_no_option_stands_behind_two_dashes(run: Run) -> None:
    """A reference may be any text: no traceback is asked for by one."""
    code, _, told = run("tasks", "find", "--", "--debug")
    assert code == 1
    assert "Traceback" not in told


def test_a_price_is_told_to_machines_as_well(run: Run, folder: Path) -> None:
    """Aside, where the answer is JSON: before it is refused, and before it is spent."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\n")
    code, out, told = run("batch", "run", "jobs.csv", "--json")
    assert (code, json.loads(out)["exit_code"]) == (2, 2)
    assert "1 job, 5 seconds of video, about 25 credits" in told


@pytest.mark.slow
def test_an_uncertain_row_is_decided_where_its_batch_is_named_by_its_folder(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As each other command: the printed one can be typed."""
    asked: list[object] = []
    jobs = [{"video": "c.mp4", "prompt": "x", "seconds": 5}]
    batch = Batch(jobs, project="p")
    batch.run(batch.plan())
    monkeypatch.setattr("useapi_runwayml.batch.Batch.resolve", lambda self, *given: asked.append(given))
    assert run("batch", "resolve", "--project", "p", "--json")[:2] == (0, "[]\n")
    code, out, told = run("batch", "resolve", "--project", "p", "1", "--give-up")
    assert (code, asked) == (0, [(1, "give up", None)]), out + told
    assert run("batch", "resolve", "--project", "p", "--give-up")[0] == 2
    assert "its --project" in run("batch", "resolve")[2]


def test_a_name_names_nothing_without_a_database(run: Run, folder: Path) -> None:
    """It is told as such, and not left out."""
    (folder / "jobs.csv").write_text("video,prompt,seconds\nc.mp4,one,5\n")
    for words in (["run", "jobs.csv", "--dry-run"], ["status", "jobs.csv"], ["run", "jobs.csv", "--yes"]):
        code, _, told = run("batch", *words, "--name", "n")
        assert (code, "--name needs a --database" in told) == (2, True)


# -- what a run is given -----------------------------------------------------------------------------------------------
TASK = "user:1-runwayml:a@b.test-task:0f2b6a52-9a6e-4a53-8f0d-65b0a3a2c001"
ASSET = TASK.replace("task", "asset")
RUN = ["run", "c.mp4", "x", "-o", "o.mp4"]


class Service:
    """Takes what a run is asked to do, and sends nothing; a run that has no time ends with what is known of its task."""

    def __init__(self, **_: Any) -> None:
        self.video_to_video = self.aleph = self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, *clip_and_prompt: Any, **given: Any) -> tuple[Task, Path]:
        self.asked.append((*clip_and_prompt, given))
        given["on_progress"](Progress(TASK, None, None, None, 0.0, "created"))
        if not given["timeout"]:
            raise errors.WaitTimeoutError("later", task_ids=[TASK])
        Path("o.mp4").write_bytes(bytes(7))
        return Task.from_dict({"taskId": TASK}), Path("o.mp4")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[Any]:
    """What runs ask of the service."""
    found = list[Any]()
    monkeypatch.setattr(Service, "asked", found, raising=False)
    monkeypatch.setattr(runs, "RunwayClient", Service)
    return found


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ([], {}),
        (["--no-reuse"], {"reuses": False}),
        (["--delete-asset"], {"keep_asset": False, "reuses": False}),
        (
            ["--overwrite", "--timeout", "7", "--busy-timeout", "8"],
            {"overwrite": True, "timeout": 7, "busy_timeout": 8},
        ),
    ],
)
def test_a_run_does_what_its_options_say(asked: list[Any], words: list[str], changed: dict[str, Any]) -> None:
    """And what the page says where nothing is said."""
    usual = {"overwrite": False, "timeout": 3600, "keep_asset": True}
    assert app.run([*RUN, *words]) == 0
    ((clip, prompt, given),) = asked
    assert (clip, prompt) == (Path("c.mp4"), "x")
    told = {**given, "reuses": isinstance(given["on_progress"], reuse.Reuse)}
    wanted = {**usual, "reuses": True, **changed}
    assert {name: told[name] for name in wanted} == wanted


@pytest.mark.parametrize("more", [[], ["--no-reuse"]])
def test_an_id_is_an_asset_and_anything_else_a_path(asked: list[Any], more: list[str]) -> None:
    """Of the clip and of the image, whether uploads are used again or not."""
    (Path("i.png")).write_bytes(b"no image")
    for image in ("i.png", ASSET):
        assert app.run(["aleph", "run", ASSET, "x", "-o", "o.mp4", "--image", image, *more]) == 0
    assert [(clip, given["image"]) for clip, _, given in asked] == [(ASSET, Path("i.png")), (ASSET, ASSET)]


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_how_a_run_goes_on_has_its_options(asked: list[Any], capsys: Any, more: list[str]) -> None:
    """What was allowed to be replaced still is."""
    assert app.run([*RUN, "--timeout", "0", *more]) == 7
    told = " ".join(["Resume with: useapi-runwayml tasks wait", TASK, "-o o.mp4", *more])
    assert capsys.readouterr().err.splitlines()[-1] == told


def test_there_are_the_commands_of_creations_alone() -> None:
    """A module has what it has."""
    assert callable(runs.aleph)
    assert not hasattr(runs, "no_such_creation")


# -- where a simulator and a receiver listen -----------------------------------------------------------------------------
@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The settings of simulators that are made and not served."""
    made = list[dict[str, Any]]()

    def make(**settings: Any) -> Simulator:
        made.append(settings)
        return Simulator(**settings)

    def serve(sim: Simulator, **settings: Any) -> Any:
        made[-1] |= settings
        return SimpleNamespace(base_url="http://h/v1", origin="http://h", run=lambda: None, stop=lambda: None)

    monkeypatch.setattr("useapi_runwayml.simulator.Simulator", make)
    monkeypatch.setattr("useapi_runwayml.simulator.SimulatorServer", serve)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return made


LEAST, MOST = 2.0**-30, 1e15 * 2.0**-30


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (4.0, 4 << 30),
        (0.5, 1 << 29),
        (LEAST, 1),
        (LEAST / 2, None),
        (math.nextafter(MOST, 0), 10**15 - 1),
        (MOST, None),
    ],
)
def test_the_storage_of_a_simulator_is_gigabytes(
    simulated: list[dict[str, Any]], capsys: Any, given: float, stored: int | None
) -> None:
    """A byte at least, and less than a thousand terabytes."""
    assert app.run(["simulate", "--storage", repr(given)]) == (2 if stored is None else 0)
    assert [each["storage"] for each in simulated] == ([] if stored is None else [stored])
    refused = "useapi-runwayml: --storage must be gigabytes, more than 0\n"
    assert (capsys.readouterr().err == refused) == (stored is None)


@pytest.mark.parametrize(("port", "is_one"), [(0, True), (65535, True), (65536, False), (-1, False)])
def test_a_port_is_one_that_there_is(
    simulated: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: Any, port: int, is_one: bool
) -> None:
    """Of a simulator, and of a receiver of callbacks."""
    assert app.run(["simulate", f"--port={port}"]) == (0 if is_one else 2)
    assert [each["port"] for each in simulated] == ([port] if is_one else [])
    assert ("--port goes from 0 to 65535" in capsys.readouterr().err) == (not is_one)
    monkeypatch.setattr("useapi_runwayml.callbacks.serving.CallbackServer", lambda *given: given)
    unused: Any = None
    if is_one:
        assert receiving.serve_at(unused, port, "h") == (None, port, "h")
    else:
        with pytest.raises(Stop, match=f"--port: {port} is no port"):
            receiving.serve_at(unused, port, "h")


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.EADDRINUSE, "Address already in use"), "it is in use; take another with --port"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
        (OSError("odd"), "odd"),
    ],
)
def test_a_simulator_that_cannot_listen_says_why(
    simulated: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: Any, error: OSError, why: str
) -> None:
    """In a line; a receiver of callbacks too, in the words of the system."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr("useapi_runwayml.simulator.SimulatorServer", refuse)
    monkeypatch.setattr("useapi_runwayml.callbacks.serving.CallbackServer", refuse)
    unused: Any = None
    with pytest.raises(Stop, match=f"^cannot listen on h, port 99: {error.strerror or error}$"):
        receiving.serve_at(unused, 99, "h")
    assert app.run(["simulate", "--port", "99", "--host", "127.0.0.2"]) == 1
    assert capsys.readouterr().err == f"useapi-runwayml: cannot listen on 127.0.0.2, port 99: {why}\n"


@pytest.mark.parametrize(
    ("host", "is_open"),
    [("127.0.0.1", False), ("localhost", False), ("::1", False), ("0.0.0.0", True), ("runway.example", True)],
)
def test_a_simulator_that_others_reach_says_so(
    simulated: list[dict[str, Any]], capsys: Any, host: str, is_open: bool
) -> None:
    """By the address that it listens on."""
    assert app.run(["simulate", "--host", host]) == 0
    warning = f"WARNING: other machines can reach this simulator, since it listens on {host}.\n"
    assert capsys.readouterr().err == (warning if is_open else "")


# -- what was uploaded before ------------------------------------------------------------------------------------------
def test_a_file_is_known_by_service_account_and_content(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each makes another key; the usual service is the one that is asked where none is set."""
    (folder / "d.mp4").write_bytes(b"another")
    usual = reuse.BASE_URL

    def key(token: str = "t", service: str = "", name: str = "c.mp4") -> str:
        monkeypatch.setenv("USEAPI_TOKEN", token)
        monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", service)
        found = reuse.looked_at(name, "video")
        assert found
        return found.key

    assert len({key(), key(token="u"), key(token=""), key(service="http://h"), key(name="d.mp4")}) == 5
    assert key() == key(service=f"{usual}/") == key(token=" t ")


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such rights")
def test_the_index_is_for_this_user_alone(own_cache: Path) -> None:
    """With the folders that it needs."""
    assert reuse.ask_index(lambda index: index.execute("SELECT count(*) FROM uploads").fetchone()[0]) == 0
    assert (own_cache / "useapi-runwayml").stat().st_mode & 0o777 == 0o700


def test_of_a_clip_that_is_used_again_the_remarks_are_told_again(run: Run, folder: Path) -> None:
    """They are of this run, whose length may be another than before."""
    (folder / "c.mp4").write_bytes(clip(36, 36, 1))
    for expected in ("Uploading", "Reused upload"):
        _, _, told = run(*RUN[:-1], f"{expected[0]}.mp4", "--seconds", "10")
        assert expected in told
        (line,) = [line for line in told.splitlines() if line.startswith("useapi-runwayml: ")]
        assert "c.mp4: 44% of its picture is cut off above and below" in line
