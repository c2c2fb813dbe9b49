"""The clients: settings, given http clients, and the public surface."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from typing import Any

import httpx
import pytest
from useapi_runwayml_api.creations import video_to_video

import useapi_runwayml
from useapi_runwayml import errors
from useapi_runwayml.resources import assets, features, scheduler, tasks

from .conftest import BASE_URL, TOKEN, World

TASK = "user:4242-runwayml:maker@example.com-task:t1"


def test_the_public_names_are_sorted_and_there() -> None:
    """`__all__` is sorted, each name can be had, all errors of the tree are among them, and nothing else is."""
    assert list(useapi_runwayml.__all__) == sorted(useapi_runwayml.__all__)
    assert all(getattr(useapi_runwayml, name) is not None for name in useapi_runwayml.__all__)
    assert set(errors.__all__) <= set(useapi_runwayml.__all__)
    assert {"AsyncRunwayClient", "Progress", "RunResult", "RunwayClient", "Task"} <= set(dir(useapi_runwayml))
    with pytest.raises(AttributeError, match="nothing"):
        useapi_runwayml.nothing  # noqa: B018


def test_importing_loads_next_to_nothing() -> None:
    """`import useapi_runwayml` loads neither httpx nor the models; naming the client loads no model."""
    code = (
        "import sys, useapi_runwayml; assert 'httpx' not in sys.modules and 'attrs' not in sys.modules;"
        "useapi_runwayml.RunwayClient;"
        "loaded = [each for each in sys.modules if each.startswith('useapi_runwayml_api')];"
        "assert set(loaded) <= {f'useapi_runwayml_api{each}' for each in ('', '.creations', '.creations.lazy', '.creations.clients')}, loaded"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


PAIRS = [
    (tasks.Tasks, tasks.AsyncTasks),
    (assets.Assets, assets.AsyncAssets),
    (scheduler.Scheduler, scheduler.AsyncScheduler),
    (features.Features, features.AsyncFeatures),
    (video_to_video.VideoToVideo, video_to_video.AsyncVideoToVideo),
    (useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient),
]


@pytest.mark.parametrize(("sync", "awaited"), PAIRS, ids=lambda each: each.__name__)
def test_both_clients_have_the_same_methods(sync: type, awaited: type) -> None:
    """Name by name, parameter by parameter, default by default; each with a docstring."""

    def surface(kind: type) -> dict[str, Any]:
        found = {}
        for name, member in inspect.getmembers(kind, inspect.isfunction):
            if name.startswith("_"):
                continue
            assert member.__doc__, f"{kind.__name__}.{name}"
            parameters = inspect.signature(member).parameters.values()
            found[name] = [(each.name, each.kind, each.default) for each in parameters]
        found.pop("close", None)
        found.pop("aclose", None)
        return found

    assert surface(sync) == surface(awaited)


@pytest.mark.parametrize(
    "settings",
    [
        {"base_url": "ftp://x"},
        {"base_url": "x"},
        {"base_url": "http://x?y=1"},
        {"max_retries": -1},
        {"max_retries": True},
        {"max_retries": 2.5},
        {"lookup_timeout": -1},
        {"lookup_timeout": float("nan")},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"http_client": object()},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any]) -> None:
    """Each with its name, in both clients."""
    for kind in (useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient):
        with pytest.raises(errors.ParameterError) as caught:
            kind(TOKEN, **settings)
        assert caught.value.problems[0].field == next(iter(settings))


def test_a_given_client_is_used_as_it_is(world: World) -> None:
    """Its headers, cookies, parameters and hooks apply; its auth and its redirects do not; it is not closed."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"Location": "http://elsewhere.test/"})

    http_client = world.http_client(
        httpx.MockTransport(handler),
        headers={"X-Team": "video"},
        params={"trace": "1"},
        cookies={"c": "1"},
        auth=("user", "password"),
        follow_redirects=True,
    )
    client = world.client(http_client=http_client)
    with pytest.raises(errors.APIStatusError) as caught:
        client.tasks.retrieve(TASK)
    assert caught.value.status == 302
    (request,) = seen
    assert request.headers["x-team"] == "video"
    assert request.headers["cookie"] == "c=1"
    assert request.url.params["trace"] == "1"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    if world.kind == "sync":
        client.close()
    else:
        client.aclose()
    assert not http_client.is_closed


def test_a_closed_client_says_so() -> None:
    """A call after close is a clear error."""
    client = useapi_runwayml.RunwayClient(TOKEN, base_url=BASE_URL)
    with client:
        pass
    with pytest.raises(errors.UseapiError, match="closed"):
        client.scheduler.list()

    async def main() -> None:
        async with useapi_runwayml.AsyncRunwayClient(TOKEN, base_url=BASE_URL) as awaited:
            pass
        with pytest.raises(errors.UseapiError, match="closed"):
            await awaited.scheduler.list()

    asyncio.run(main())


def test_extra_headers_and_timeouts_are_for_one_call(world: World) -> None:
    """They reach the wire; headers that the client sets itself, and odd ones, are refused."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    client = world.scripted(handler)
    client.scheduler.list(extra_headers={"X-Trace": "7"}, timeout=3)
    client.scheduler.list(timeout=httpx.Timeout(9))
    client.scheduler.list()
    assert seen[0].headers["x-trace"] == "7"
    assert [each.extensions["timeout"]["read"] for each in seen] == [3, 9, 60]
    assert [each.extensions["timeout"]["connect"] for each in seen] == [3, 9, 5]
    assert "x-trace" not in seen[1].headers
    for bad in ({"Authorization": "x"}, {"host": "x"}, {"A": "b\r\nC: d"}, {"A": "é"}, {"": "x"}, {"A": 7}, ["A"]):
        with pytest.raises(errors.ParameterError) as caught:
            client.scheduler.list(extra_headers=bad)
        assert caught.value.problems[0].field.startswith("extra_headers")
    with pytest.raises(errors.ParameterError):
        client.scheduler.list(timeout="soon")
    assert len(seen) == 3


def test_opentelemetry_sees_the_requests() -> None:
    """httpx's instrumentation gives a span for each request of a client that is given an instrumented http client."""
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    http_client = httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, json=[])))
    HTTPXClientInstrumentor().instrument_client(http_client, tracer_provider=provider)
    useapi_runwayml.RunwayClient(TOKEN, base_url=BASE_URL, http_client=http_client).scheduler.list()
    (span,) = exporter.get_finished_spans()
    assert span.attributes is not None
    assert TOKEN not in str(dict(span.attributes))


def test_an_id_that_was_asked_for_is_never_lacking(world: World) -> None:
    """What is read by its id has that id though the answer left it out; an entry of a list without one is given all the same."""
    answers = {"/tasks/": [{"status": "RUNNING"}, {"taskId": None, "id": "bare"}], "/scheduler/": [{"taskId": 7}]}

    def handler(request: httpx.Request) -> httpx.Response:
        found = answers.get(request.url.path.removeprefix("/v1/runwayml"), {"name": "x"})
        return httpx.Response(200, json=[] if request.url.params.get("offset", "0") != "0" else found)

    client = world.scripted(handler)
    assert client.tasks.retrieve(TASK).task_id == TASK
    assert client.assets.retrieve("an-asset").asset_id == "an-asset"
    assert [(task.task_id, task.status, task.id) for task in client.tasks.list()] == [
        ("", "RUNNING", None),
        ("", None, "bare"),
    ]
    assert [entry.task_id for entry in client.scheduler.list()] == [""]
    with pytest.raises(errors.ParameterError, match="a task with an id"):
        client.tasks.wait(useapi_runwayml.Task.from_dict({"status": "RUNNING"}))


def test_a_wait_that_is_too_long_names_a_task(world: World) -> None:
    """`task_id` is that of the one task, or the first of those that are open."""
    client = world.scripted(lambda request: httpx.Response(200, json={"status": "RUNNING"}))
    with pytest.raises(errors.WaitTimeoutError) as caught:
        client.tasks.wait(TASK, timeout=1)
    assert (caught.value.task_id, caught.value.task_ids) == (TASK, (TASK,))
    with pytest.raises(errors.WaitTimeoutError) as caught:
        list(client.tasks.as_completed([TASK, "b"], timeout=1))
    assert (caught.value.task_id, caught.value.task_ids) == (TASK, (TASK, "b"))
