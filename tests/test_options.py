"""The options of clients: views under other settings, headers, connections; none of them sends a paid request twice."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import errors

from .conftest import Proxy, World
from .lines import Network, Said, answer, runway

TASK = "user:4242-runwayml:maker@example.com-task:t1"
KINDS = (useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient)


def view(client: Any, **settings: Any) -> Any:
    """A view of a client of the tests, which is made without awaiting."""
    return Proxy(client._target.with_options(**settings), client._runner)


def test_a_view_has_settings_of_its_own(world: World) -> None:
    """How often and how long it tries is its own; what is left out stays, and the first client is as it was."""
    sent: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.extensions["timeout"]["read"])
        return httpx.Response(503)

    client = world.scripted(handler, max_retries=2, timeout=30)
    for each, tries, seconds in (
        (view(client, max_retries=0), 1, 30),
        (view(client, timeout=7), 3, 7),
        (view(view(client, timeout=7), max_retries=1), 2, 7),
        (client, 3, 30),
    ):
        sent.clear()
        with pytest.raises(errors.ServerError):
            each.features.retrieve()
        assert len(sent) == tries
        assert sent[0] == pytest.approx(seconds)


def test_the_requests_of_a_views_wait_have_its_timeout(world: World) -> None:
    """Whoever leads the waits asks under its own settings."""
    sent: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json={"taskId": TASK, "status": "SUCCEEDED"})

    client = world.scripted(handler, timeout=7)
    view(client, timeout=50).tasks.wait(TASK)
    assert sent == [50]


def test_the_look_up_of_a_view_lasts_as_long_as_it_says(world: World) -> None:
    """And its create is sent once, as every other."""
    posts: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            posts.append(request)
            return httpx.Response(502)
        return httpx.Response(200, json=[])

    client = world.scripted(handler, lookup_timeout=20)
    for seconds, each in ((0, view(client, lookup_timeout=0)), (90, view(client, lookup_timeout=90)), (20, client)):
        posts.clear()
        begun = world.clock.now()
        with pytest.raises(errors.SubmissionUnknownError):
            each.video_to_video.create(asset_id="a", text_prompt="x")
        assert world.clock.now() - begun == pytest.approx(seconds, abs=0.1)
        assert len(posts) == 1


def test_views_know_each_others_creates_and_share_waits(world: World) -> None:
    """A task that one has given out is adopted by none of them, and all wait in one group."""
    client = world.client()
    other = view(client, timeout=5)
    task = client.video_to_video.create(asset_id=world.asset(), text_prompt="x", reply_ref="mine")
    assert task.task_id in other._target._context.given_out
    assert other._target._group is client._target._group
    world.faults.add("status", "createVideoToVideo", status=502, nth=1)
    with pytest.raises(errors.SubmissionUnknownError):
        other.video_to_video.create(asset_id=world.asset(), text_prompt="x", reply_ref="mine")


@pytest.mark.parametrize("settings", [{"timeout": -1}, {"max_retries": True}, {"lookup_timeout": "x"}])
def test_settings_of_a_view_that_cannot_be_are_refused(world: World, settings: dict[str, Any]) -> None:
    """By their names, as those of a client."""
    with pytest.raises(errors.ParameterError) as caught:
        view(world.client(), **settings)
    assert [each.field for each in caught.value.problems] == list(settings)


def test_a_closed_view_leaves_the_connections_open(world: World) -> None:
    """They are the first client's; once that is closed, the view is too. Both names close an awaiting one."""
    network = Network(world.clock, lambda method, path: Said(answer(200, b"[]")))
    client = runway(world, network)
    other = view(client)
    for each in (other, client):
        assert each.scheduler.list() == []
    other.close()
    assert client.scheduler.list() == []
    assert other.scheduler.list() == []
    client.close()
    for each in (other, client):
        with pytest.raises(errors.UseapiError, match="closed"):
            each.scheduler.list()
