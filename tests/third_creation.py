"""Run by test_new_creation on a client that was generated with one more creation: the whole package serves it as it is."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from useapi_runwayml_api.creations.registry import CREATIONS

import useapi_runwayml
from useapi_runwayml import AsyncRunwayClient, ParameterError, RunwayClient
from useapi_runwayml._core import polling
from useapi_runwayml.cli import app
from useapi_runwayml.simulator import ManualClock, RunningClock, Simulator, SimulatorServer, SimulatorTransport

from .media import clip

TOKEN = "user:1-abcdef"
BASE = "https://api.useapi.net/v1/runwayml"
MP4 = clip(seconds=10)
public: Any = useapi_runwayml


def refused(call: Callable[[], Any], *told: str) -> None:
    with pytest.raises(ParameterError) as caught:
        call()
    assert all(each in str(caught.value) for each in told)


def clients() -> None:
    """Both clients create, and refuse what the document refuses; the simulator echoes and charges by the document."""
    assert CREATIONS["gen3_video"].credits({}) is None
    hints = typing.get_type_hints(
        public.Gen3Video.create, vars(sys.modules[public.Gen3Video.__module__]) | {"httpx": httpx, "Task": Any}
    )
    assert hints["mode"] == Literal["fast", "slow"] | None
    assert "structure_transformation" in public.Gen3VideoOptions.__annotations__
    assert "0 to 1" in (public.AsyncGen3Video.create.__doc__ or public.Gen3Video.create.__doc__)
    simulator = Simulator(task_seconds=40, strict=True)
    simulator.clock = ManualClock()
    http = httpx.Client(transport=SimulatorTransport(simulator))
    runway: Any = RunwayClient(TOKEN, base_url=BASE, http_client=http)
    runway._use_clock(simulator.clock)
    given = {"clip_id": runway.assets.upload(io.BytesIO(MP4), name="c.mp4").asset_id, "words": "blue"}
    refused(
        lambda: runway.gen3_video.create(**given, structure_transformation=1.5), "structure_transformation", "0 to 1"
    )
    refused(lambda: runway.gen3_video.create(**given, mode="middling"), "mode", "fast, slow")
    refused(lambda: runway.gen3_video.create(**given, length=5), "length")
    task = runway.gen3_video.create(**given, structure_transformation=0.25, mode="slow", reply_ref="one")
    assert (task.options.structure_transformation, task.reply_ref, task.task_type) == (0.25, "one", "gen3")
    assert runway.tasks.wait(task).status == "SUCCEEDED"
    assert [each.cost for each in simulator.state.tasks.values()] == [None]
    assert simulator.state.accounts["maker@example.com"].spent == 0
    done, path = runway.gen3_video.run(Path("c.mp4"), "red", destination=Path("sync.mp4"), mode="fast")
    assert done.options.structure_transformation == 0.5, "the default of the document"
    assert path.read_bytes() == MP4

    async def awaited() -> None:
        http = httpx.AsyncClient(transport=SimulatorTransport(simulator))
        runway: Any = AsyncRunwayClient(TOKEN, base_url=BASE, http_client=http)
        assert (await runway.gen3_video.create(**given, length=8)).task_id
        simulator.faults.add("close_after_action", "createGen3Video", nth=1)
        assert (
            await runway.gen3_video.create(**given, structure_transformation=0.75)
        ).options.structure_transformation == 0.75

    asyncio.run(awaited())
    assert simulator.state.created == 4


def call(*arguments: str, code: int, says: str = "") -> str:
    """What a command prints, if it ends and says as it should."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        found = app.run(arguments)
    assert found == code, out.getvalue()
    assert says in out.getvalue(), out.getvalue()
    return out.getvalue()


def command_line() -> None:
    """A group of its own with its options, and a batch that mixes both creations."""
    with SimulatorServer(Simulator(task_seconds=40), clock=RunningClock(400)) as server:
        os.environ.update(USEAPI_TOKEN=TOKEN, USEAPI_RUNWAYML_BASE_URL=server.base_url)
        assert "--structure-transformation" in call("gen3-video", "run", "--help", code=0, says="not known")
        command = ("gen3-video", "run", "c.mp4", "blue", "--mode", "slow", "-o")
        call(*command, "cli.mp4", "--structure-transformation", "0.5", code=0)
        assert Path("cli.mp4").read_bytes() == MP4
        call(*command, "no.mp4", "--structure-transformation", "2", code=3, says="0 to 1")
        rows = [
            "video,words,mode,structure_transformation,endpoint,seed",
            "c.mp4,one,slow,0.5,,",
            "c.mp4,two,,0.25,gen3_video,",
            "c.mp4,three,,3,video_to_video,7",
        ]
        Path("jobs.csv").write_text("\n".join(rows))
        batch = ("batch", "run", "jobs.csv", "--endpoint", "gen3_video")
        call(*batch, "--dry-run", code=3, says="line 4: there is no column 'words' for video_to_video")
        Path("jobs.csv").write_text("\n".join(rows).replace("words", "prompt"))
        plan = json.loads(call(*batch, "--dry-run", "--json", code=0))
        assert plan == {"jobs": 3, "seconds": 18, "credits": None, "warnings": []}
        call(*batch, "--dry-run", code=0, says="about 50 credits and 2 of unknown price")
        refusal = "line 2: --max-credits cannot hold: the price of gen3_video is not known"
        call(*batch, "--yes", "--max-credits", "60", code=3, says=refusal)
        call(*batch, "--yes", "--poll-interval", "5", code=0)
        assert len(list(Path("results/jobs").glob("*.mp4"))) == 3
        kinds = [
            (each.operation, each.cost, each.request.get("structure_transformation"))
            for each in server.simulator.state.tasks.values()
        ]
        assert sorted(kinds[1:], key=str) == [
            ("createGen3Video", None, 0.25),
            ("createGen3Video", None, 0.5),
            ("createVideoToVideo", 50, 3),
        ]
        state = httpx.get(f"{server.origin}/_simulator/state").json()
        assert [task["cost"] for task in state["tasks"]].count(None) == 3, "a price that nobody knows is none"


if __name__ == "__main__":
    Path("c.mp4").write_bytes(MP4)
    polling.SHORTEST = polling.LONGEST = 0.05
    clients()
    command_line()
