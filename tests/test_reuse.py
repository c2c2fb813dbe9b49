"""The same clip is uploaded once: the command line finds it by its content."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from useapi_runwayml.cli import reuse
from useapi_runwayml.simulator import SimulatorServer

from .conftest import MP4, TOKEN
from .media import image
from .test_cli import Run, folder, run, server

__all__ = ["folder", "run", "server"]


def uploads(server: SimulatorServer) -> int:
    return sum(seen.operation == "uploadAsset" for seen in server.simulator.requests)


def go(run: Run, video: str, output: str, *more: str, code: int = 0) -> str:
    """A run, and what it told aside."""
    found, out, told = run("run", video, "x", "-o", output, "--seconds", "5", *more)
    assert found == code, out + told
    return told


def test_the_same_content_is_uploaded_once(run: Run, server: SimulatorServer, folder: Path, own_cache: Path) -> None:
    """Under whatever name; it is said, and what the service would not use of the clip is said again."""
    first = go(run, "c.mp4", "1.mp4")
    (asset,) = server.simulator.state.assets
    (folder / "copy.mp4").write_bytes(MP4)
    told = go(run, "copy.mp4", "2.mp4")
    assert uploads(server) == 1
    assert f"Reused upload: {asset} of copy.mp4" in told.splitlines()
    assert "Uploading" in first
    assert "Uploading" not in told
    assert ("cut off" in first) == ("cut off" in told)
    (folder / "other.mp4").write_bytes(MP4 + b"\0")
    go(run, "other.mp4", "3.mp4")
    assert uploads(server) == 2
    kept = (own_cache / "useapi-runwayml" / "uploads.sqlite").read_bytes()
    assert TOKEN.encode() not in kept
    assert TOKEN.rpartition("-")[2].encode() not in kept


def test_machines_are_told_too(run: Run, server: SimulatorServer, folder: Path) -> None:
    """As a line of JSON."""
    go(run, "c.mp4", "1.mp4")
    (asset,) = server.simulator.state.assets
    told = go(run, "c.mp4", "2.mp4", "--json")
    assert {"stage": "reused", "asset_id": asset, "file": "c.mp4"} in [json.loads(line) for line in told.splitlines()]


@pytest.mark.parametrize("option", ["--no-reuse", "--delete-asset"])
def test_it_can_be_left(run: Run, server: SimulatorServer, folder: Path, option: str) -> None:
    """By an option of its own; and an upload that is to be deleted is a new one, of which nothing is kept."""
    go(run, "c.mp4", "1.mp4")
    assert "Reused" not in go(run, "c.mp4", "2.mp4", option)
    assert uploads(server) == 2
    assert "Reused" in go(run, "c.mp4", "3.mp4")
    assert uploads(server) == 2


def test_what_is_gone_is_uploaded_again(run: Run, server: SimulatorServer, folder: Path) -> None:
    """The asset is read first, and only then used."""
    go(run, "c.mp4", "1.mp4")
    (asset,) = server.simulator.state.assets
    assert run("assets", "delete", asset)[0] == 0
    assert "Reused" not in go(run, "c.mp4", "2.mp4")
    assert uploads(server) == 2
    assert "Reused" in go(run, "c.mp4", "3.mp4")


def test_an_asset_that_cannot_be_read_is_not_used(run: Run, server: SimulatorServer, folder: Path) -> None:
    """Nothing stops: the file is there to be uploaded. Once the asset can be read it is used again."""
    go(run, "c.mp4", "1.mp4")
    server.simulator.faults.add("status", "getAsset", status=403)
    assert "Reused" not in go(run, "c.mp4", "2.mp4")
    server.simulator.faults.clear()
    assert "Reused" in go(run, "c.mp4", "3.mp4")


def test_each_account_and_service_has_its_own(
    run: Run, server: SimulatorServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another token finds nothing of this one's."""
    go(run, "c.mp4", "1.mp4")
    monkeypatch.setenv("USEAPI_TOKEN", "user:4242-another")
    go(run, "c.mp4", "2.mp4")
    assert uploads(server) == 2
    here = reuse.looked_at("c.mp4", "video")
    monkeypatch.setenv("USEAPI_RUNWAYML_BASE_URL", "http://127.0.0.1:1/v1")
    there = reuse.looked_at("c.mp4", "video")
    assert here
    assert there
    assert here.key != there.key


def break_index(kind: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "text":
        path.write_text("this is no database " * 200)
    elif kind == "folder":
        path.mkdir()
    elif kind == "table":
        with sqlite3.connect(path) as index:
            index.execute("CREATE TABLE uploads (other TEXT)")
        index.close()
    elif kind == "row":
        file = reuse.looked_at("c.mp4", "video")
        assert file
        reuse.ask_index(lambda index: index.execute("INSERT INTO uploads VALUES (?, ?)", (file.key, "no asset")))
    elif kind == "file":
        path.parent.rmdir()
        path.parent.write_text("in the way")


@pytest.mark.parametrize("kind", ["text", "folder", "table", "row", "file"])
def test_a_broken_index_stops_nothing(
    run: Run, server: SimulatorServer, folder: Path, own_cache: Path, kind: str
) -> None:
    """The clip is uploaded; an index that is no database, and a row that is no asset, are mended by that."""
    break_index(kind, own_cache / "useapi-runwayml" / "uploads.sqlite")
    assert "Reused" not in go(run, "c.mp4", "1.mp4")
    mended = kind in ("text", "row")
    assert ("Reused" in go(run, "c.mp4", "2.mp4")) == mended
    assert uploads(server) == 2 - mended
    reads = [seen for seen in server.simulator.requests if seen.operation == "getAsset"]
    assert len(reads) == mended, "what is no asset is not asked for"


def test_no_home_and_no_sqlite_stop_nothing(
    run: Run, server: SimulatorServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no index then."""

    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(reuse, "index_path", nowhere)
    go(run, "c.mp4", "1.mp4")
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    go(run, "c.mp4", "2.mp4")
    assert uploads(server) == 2


def test_a_busy_index_stops_nothing(
    run: Run, server: SimulatorServer, folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process that holds it is not waited for much."""
    go(run, "c.mp4", "1.mp4")
    connect = sqlite3.connect

    def at_once(*given: Any, **more: Any) -> Any:
        """Others, such as what notes the coverage, connect as they like."""
        return connect(*given, **{name: 0 if name == "timeout" else value for name, value in more.items()})

    monkeypatch.setattr(sqlite3, "connect", at_once)
    index = connect(own_cache / "useapi-runwayml" / "uploads.sqlite", isolation_level=None)
    index.execute("BEGIN EXCLUSIVE")
    assert "Reused" not in go(run, "c.mp4", "2.mp4")
    index.close()
    assert "Reused" in go(run, "c.mp4", "3.mp4")


@pytest.mark.slow
def test_many_processes_share_the_index(folder: Path, own_cache: Path) -> None:
    """What each keeps is there for all."""
    program = (
        "import sys; from useapi_runwayml.cli import reuse\n"
        "for each in range(20):\n"
        "    row = (f'{sys.argv[1]} {each}', 'a')\n"
        "    assert reuse.ask_index(lambda index: index.execute('INSERT INTO uploads VALUES (?, ?)', row).rowcount) == 1"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(each)]) for each in range(4)]
    assert [each.wait(120) for each in running] == [0] * 4
    assert reuse.ask_index(lambda index: index.execute("SELECT count(*) FROM uploads").fetchone()) == (80,)


def test_a_file_that_changed_meanwhile_is_not_kept(
    run: Run, server: SimulatorServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was uploaded is not what was looked at, as far as anybody knows."""
    states = iter(range(9))
    monkeypatch.setattr(reuse, "state_of", lambda path: (next(states), 0, 0))
    go(run, "c.mp4", "1.mp4")
    assert "Reused" not in go(run, "c.mp4", "2.mp4")


def test_what_would_be_refused_is_refused(run: Run, server: SimulatorServer, folder: Path) -> None:
    """An image, a file that is not there, a folder, and an ending that tells nothing, whatever the index has."""
    for name in ("i.png", "nothing.mp4", ".", "c.bin"):
        if name.startswith(("i", "c")):
            (folder / name).write_bytes(image() if name == "i.png" else MP4)
        assert run("run", name, "x", "-o", "o.mp4")[0] == 3
    assert uploads(server) == 0


@pytest.mark.skipif(os.name == "nt", reason="there are no such pipes")
def test_a_pipe_is_read_once(run: Run, server: SimulatorServer, folder: Path) -> None:
    """It has no content to be found by."""
    os.mkfifo(folder / "p.mp4")
    assert reuse.looked_at("p.mp4", "video") is None


def test_aleph_takes_the_clip_and_then_the_image_of_its_account(
    run: Run, server: SimulatorServer, folder: Path
) -> None:
    """Both are found again; an image of another account is uploaded anew, and a clip whose asset lacks its measures too."""
    pytest.importorskip("pymediainfo")
    (folder / "i.png").write_bytes(image())

    def aleph(output: str) -> str:
        code, out, told = run("aleph", "run", "c.mp4", "x", "-o", output, "--image", "i.png")
        assert code == 0, out + told
        return told

    aleph("1.mp4")
    assert uploads(server) == 2
    assert aleph("2.mp4").count("Reused") == 2
    assert uploads(server) == 2
    file = reuse.looked_at("i.png", "image")
    assert file
    values = ("user:4242-runwayml:other@example.com-asset:0f2b6a52-9a6e-4a53-8f0d-65b0a3a2c001", file.key)
    (row,) = [
        each for each in server.simulator.state.assets if server.simulator.state.assets[each].media_type == "image/png"
    ]
    server.simulator.state.assets[values[0]] = server.simulator.state.assets[row]
    reuse.ask_index(lambda index: index.execute("UPDATE uploads SET asset = ? WHERE key = ?", values))
    assert aleph("3.mp4").count("Reused") == 1
    assert uploads(server) == 3
    clip = reuse.looked_at("c.mp4", "video")
    assert clip
    bare = json.loads(run("assets", "upload", "i.png", "--json")[1])["assetId"]
    reuse.ask_index(lambda index: index.execute("UPDATE uploads SET asset = ? WHERE key = ?", (bare, clip.key)))
    before = uploads(server)
    aleph("4.mp4")
    assert uploads(server) == before + 2, "the image has no account to be of before the clip has one"


@pytest.mark.parametrize(
    ("platform", "variables", "told"),
    [
        ("linux", {"XDG_CACHE_HOME": "/c"}, "/c/useapi-runwayml/uploads.sqlite"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, "/h/.cache/useapi-runwayml/uploads.sqlite"),
        ("linux", {}, "/h/.cache/useapi-runwayml/uploads.sqlite"),
        ("darwin", {}, "/h/Library/Caches/useapi-runwayml/uploads.sqlite"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/useapi-runwayml/Cache/uploads.sqlite"),
        ("win32", {}, "/h/AppData/Local/useapi-runwayml/Cache/uploads.sqlite"),
    ],
)
def test_the_index_lies_where_the_system_has_such_things(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], told: str
) -> None:
    """In the folder of what may be lost."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/h"))
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert reuse.index_path() == Path(told)
