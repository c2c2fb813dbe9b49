"""`useapi-runwayml demo`: the main job, end to end, on a simulator of its own."""

from __future__ import annotations

import sys
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from .. import Progress as TaskProgress
from .. import RunwayClient
from .needs import extra

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
    print(f"Result:    {path.resolve()} ({path.stat().st_size} bytes)")


def _run(runway: RunwayClient, source: Path, output: Path, where: str) -> Path:
    print(f"Simulator: {where} (nothing here costs credits)")
    asset = runway.assets.upload(source)
    print(f"Uploaded:  {source.name} ({source.stat().st_size} bytes)")
    task = runway.video_to_video.create(asset_id=asset.asset_id or "", text_prompt=PROMPT, seconds=5)
    print(f"Task:      {task.task_id}", flush=True)
    with _bar() as bar:
        line = bar.add_task(str(task.status), total=1.0)

        def show(progress: TaskProgress) -> None:
            bar.update(line, completed=progress.ratio or 0.0, description=str(progress.status))
            if bar.disable:
                print(f"           {progress.status} {progress.ratio or 0:.0%}", flush=True)

        done = runway.tasks.wait(task, poll_interval=POLL, on_progress=show)
    return runway.tasks.download(done, output / f"{source.stem}-restyled{source.suffix}", overwrite=True)


def _bar() -> Progress:
    """A bar on a terminal, nothing elsewhere."""
    return Progress(
        TextColumn("           {task.description:<10}"),
        BarColumn(bar_width=40),
        TaskProgressColumn(),
        console=Console(file=sys.stderr),
        disable=not sys.stderr.isatty(),
    )
