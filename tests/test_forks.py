"""Clients that were made before a fork: a child has connections, waits and jitter of its own, and its parent's go on."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import UseapiError
from useapi_runwayml.simulator import RunningClock, Simulator, SimulatorServer

from .conftest import MP4, TOKEN

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(Simulator(max_jobs=100, credits=10**6, task_seconds=1), clock=RunningClock(100)) as server:
        yield server


def in_child(do: Callable[[], Any]) -> Any:
    """What a function gives in a forked child; its exception as text."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            found = do()
        except BaseException as error:  # noqa: BLE001
            found = f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        found = json.loads(told.read())
    os.waitpid(child, 0)
    return found


def create(runway: Any, prompt: str, asset_id: str) -> list[str]:
    task = runway.video_to_video.create(asset_id=asset_id, text_prompt=prompt)
    return [prompt, task.task_id, task.options.text_prompt]


def test_children_of_one_client_get_their_own_tasks(server: SimulatorServer) -> None:
    """Three children and their parent create at once over a client that had a connection: each gets its own answer."""
    import io

    with useapi_runwayml.RunwayClient(TOKEN, base_url=server.base_url) as runway:
        asset_id = str(runway.assets.upload(io.BytesIO(MP4), name="c.mp4").asset_id)
        pipes = []
        for child in range(3):
            reading, writing = os.pipe()
            if os.fork() == 0:
                found = [create(runway, f"child {child}, {number}", asset_id) for number in range(8)]
                os.write(writing, json.dumps(found).encode())
                os._exit(0)
            os.close(writing)
            pipes.append(reading)
        made = [create(runway, f"parent, {number}", asset_id) for number in range(8)]
        for each in pipes:
            with os.fdopen(each) as told:
                made += json.loads(told.read())
            os.wait()
    assert all(asked == shown for asked, _, shown in made)
    assert len({task_id for _, task_id, _ in made}) == 32
    tasks = server.simulator.state.tasks
    assert {tasks[task_id].request["text_prompt"] for _, task_id, _ in made} == {asked for asked, _, _ in made}


def test_the_connection_of_the_parent_stays_open(server: SimulatorServer) -> None:
    """A child neither uses nor closes it: the parent goes on over the same one."""
    with useapi_runwayml.RunwayClient(TOKEN, base_url=server.base_url) as runway:
        runway.scheduler.list()
        (before,) = runway._driver._client._transport._pool.connections  # type: ignore[attr-defined]

        of_parent = weakref.ref(runway._driver._client)

        def child() -> tuple[int, bool]:
            runway.scheduler.list()
            ours = runway._driver._client._transport._pool.connections  # type: ignore[attr-defined]
            runway.close()
            gc.collect()
            kept = of_parent()
            return len(ours), kept is not None and not kept.is_closed

        assert in_child(child) == [1, True]
        runway.scheduler.list()
        assert runway._driver._client._transport._pool.connections == [before]  # type: ignore[attr-defined]


def test_a_view_and_its_client_share_new_connections_in_a_child(server: SimulatorServer) -> None:
    """One set of them, whoever is told first."""
    with useapi_runwayml.RunwayClient(TOKEN, base_url=server.base_url) as runway:
        view = runway.with_options(timeout=5)
        runway.scheduler.list()
        before = runway._driver._client

        def child() -> list[bool]:
            ours = view._driver._client
            return [ours is runway._driver._client, ours is before, view.scheduler.list() == [], not ours.is_closed]

        assert in_child(child) == [True, False, True, True]
        assert view.scheduler.list() == []


def test_a_view_whose_client_is_gone_has_its_own_connections_in_a_child(server: SimulatorServer) -> None:
    """Nobody but the view is told of the fork then."""
    view = useapi_runwayml.RunwayClient(TOKEN, base_url=server.base_url).with_options(timeout=5)
    gc.collect()
    view.scheduler.list()
    before = view._driver._client
    assert in_child(lambda: [view._driver._client is before, view.scheduler.list() == []]) == [False, True]
    before.close()


def test_an_async_client_works_in_a_childs_own_loop(server: SimulatorServer) -> None:
    """It belongs to the parent's loop no more, and to the child's."""

    async def main() -> Any:
        runway = useapi_runwayml.AsyncRunwayClient(TOKEN, base_url=server.base_url)
        await runway.scheduler.list()
        return runway

    runner = asyncio.Runner()
    runway = runner.run(main())
    assert in_child(lambda: asyncio.Runner().run(runway.scheduler.list())) == []
    assert runner.run(runway.scheduler.list()) == []
    runner.run(runway.aclose())
    runner.close()


def test_a_given_http_client_is_refused_in_a_child(server: SimulatorServer) -> None:
    """Its connections are the parent's; the error says what to do, and the parent goes on."""
    with httpx.Client() as http_client:
        runway = useapi_runwayml.RunwayClient(TOKEN, base_url=server.base_url, http_client=http_client)
        runway.scheduler.list()
        told = in_child(lambda: runway.scheduler.list())
        assert told.startswith("UseapiError: The http_client that was given belongs to the parent of this process")
        assert "after the fork" in told
        assert runway.scheduler.list() == []


def test_a_wait_of_the_parent_does_not_hold_up_the_child(server: SimulatorServer) -> None:
    """A thread of the parent leads the waits, and holds their lock, in the moment of the fork: the child waits for its own."""
    import io

    with useapi_runwayml.RunwayClient(TOKEN, base_url=server.base_url) as runway:
        asset_id = str(runway.assets.upload(io.BytesIO(MP4), name="c.mp4").asset_id)
        task_id = create(runway, "x", asset_id)[1]
        entered, leave = threading.Event(), threading.Event()

        def hold() -> None:
            with runway._group.lock:
                runway._group.leader = object()  # type: ignore[assignment]
                entered.set()
                leave.wait(30)
                runway._group.leader = None

        holder = threading.Thread(target=hold)
        holder.start()
        entered.wait(30)
        found = in_child(lambda: runway.tasks.wait(task_id, timeout=30).status)
        leave.set()
        holder.join()
    assert found == "SUCCEEDED"


def test_parent_and_child_do_not_pause_in_step() -> None:
    """Their jitter comes from different numbers."""
    with useapi_runwayml.RunwayClient(TOKEN) as runway:
        child = in_child(lambda: [runway._context.uniform(0, 1) for _ in range(3)])
        assert child != [runway._context.uniform(0, 1) for _ in range(3)]


def test_a_closed_client_stays_closed_in_a_child() -> None:
    """A fork opens nothing again."""
    runway = useapi_runwayml.RunwayClient(TOKEN)
    runway.close()
    told = in_child(lambda: runway.scheduler.list())
    assert told == "UseapiError: This client is closed: make a new one"
    with pytest.raises(UseapiError):
        runway.scheduler.list()
