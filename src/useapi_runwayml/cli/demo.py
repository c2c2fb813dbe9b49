"""`useapi-runwayml demo`: the main job, end to end, on a simulator of its own."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from useapi_runwayml_api.creations.registry import CREATIONS

from .. import RunwayClient
from .._seam import DEFAULT_CREATION
from . import output as output_of
from .needs import extra
from .telling import telling

PROMPT = "As a watercolour, wet on wet."
SPEED = 20.0
POLL = 0.25


def demo(video: Path | None = None, *, output: Path = Path("demo-output")) -> None:
    """Uploads a clip, creates a task, shows its progress and downloads the result, all on a local simulator.

    Parameters
    ----------
    video
        The clip; a small one that comes with the package unless given.
    output
        The folder for the result.
    """
    with extra("simulator"):
        from ..simulator import RunningClock, Simulator, SimulatorServer
    output.mkdir(parents=True, exist_ok=True)
    server = SimulatorServer(Simulator(strict=True), clock=RunningClock(SPEED))
    with (
        as_file(files(__package__).joinpath("clip.mp4")) as clip,
        server,
        RunwayClient("user:4242-simulated", base_url=server.base_url) as runway,
    ):
        path = _run(runway, clip if video is None else video, output, server.base_url)
    size = path.stat().st_size
    output_of.show(
        {"path": str(path), "bytes": size}, lambda: output_of.put(f"Result:    {path.resolve()} ({size} bytes)")
    )


def _run(runway: RunwayClient, source: Path, output: Path, where: str) -> Path:
    output_of.say(f"Simulator: {where} (nothing here costs credits)")
    asset = runway.assets.upload(source)
    output_of.say(f"Uploaded:  {source.name} ({source.stat().st_size} bytes)")
    creation = CREATIONS[DEFAULT_CREATION]
    values = {creation.source.name: asset.asset_id, creation.prompt.name: PROMPT}
    if (length := creation.option("seconds")) is not None:
        values[length.name] = min(length.choices)
    task = getattr(runway, creation.tag).create(**values)
    output_of.say(f"Task:      {task.task_id}")
    with telling(say=lambda line: output_of.say(f"           {line}")) as story:
        done = runway.tasks.wait(task, poll_interval=POLL, on_progress=story)
    return runway.tasks.download(done, output / f"{source.stem}-restyled{source.suffix}", overwrite=True)
