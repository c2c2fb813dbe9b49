"""Iterations that others interfere with, functions that are given, and copies: nothing skipped, nothing lost, nothing shared."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import Asset, Task, errors

from .conftest import MP4, TOKEN, World
from .test_downloading import TASK, task_json

# -- lists that change while they are read -----------------------------------------------------------------------------


class Shelf:
    """Numbered assets, newest first, as the service lists them."""

    def __init__(self, count: int) -> None:
        self.ids = [f"a{number}" for number in range(count)]
        self.asked: list[tuple[int, int]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            self.ids.remove(request.url.path.rpartition("/")[2])
            return httpx.Response(204)
        offset, limit = int(request.url.params["offset"]), int(request.url.params["limit"])
        self.asked.append((offset, limit))
        assert offset <= 1000
        return httpx.Response(200, json=[{"assetId": each} for each in self.ids[offset : offset + limit]])


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 99, 175, 600])
def test_deleting_what_is_listed_skips_nothing(world: World, count: int) -> None:
    """Each item is shown once, and nothing is left."""
    shelf = Shelf(count)
    client = world.scripted(shelf)
    shown = []
    for asset in client.assets.list():
        shown.append(asset.asset_id)
        client.assets.delete(asset.asset_id)
    assert shown == [f"a{number}" for number in range(count)]
    assert shelf.ids == []
    assert len(shelf.asked) <= 3 * (1 + count / 25)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_deleted_or_added_all_that_stays_is_shown_once(world: World, seed: int) -> None:
    """Any of what was shown, at any moment, in any number; new ones come first, as they do there."""
    chance = random.Random(seed)
    shelf = Shelf(count := chance.randint(60, 400))
    stays = {each for each in shelf.ids if chance.random() < chance.choice([0.1, 0.5, 0.9])}
    shown: list[str] = []
    for asset in world.scripted(shelf).assets.list():
        shown.append(asset.asset_id)
        if chance.random() < 0.05:
            gone = {each for each in shown if each not in stays and chance.random() < 0.8}
            shelf.ids = [each for each in shelf.ids if each not in gone]
        if chance.random() < 0.02:
            shelf.ids.insert(0, f"new{len(shown)}")
    assert len(shown) == len(set(shown))
    assert set(shown) >= {f"a{number}" for number in range(count)}
    assert len(shelf.asked) < 120


def test_a_list_that_nobody_changes_costs_a_request_a_page(world: World) -> None:
    """The overlap of one entry costs next to nothing."""
    shelf = Shelf(490)
    assert len(list(world.scripted(shelf).assets.list())) == 490
    assert len(shelf.asked) == 11


def test_a_list_of_one_is_asked_for_twice(world: World) -> None:
    """Once for it, and once to see that there is no more."""
    shelf = Shelf(1)
    assert [each.asset_id for each in world.scripted(shelf).assets.list()] == ["a0"]
    assert shelf.asked == [(0, 50)] * 2


@pytest.mark.parametrize("gone", [1, 2, 49, 50, 51])
def test_whatever_few_are_gone_before_a_page_what_is_behind_it_is_shown(world: World, gone: int) -> None:
    """Also when what is left of the known ends where the page that shows nothing known begins."""
    shelf = Shelf(250)
    shown = []
    for asset in world.scripted(shelf).assets.list():
        shown.append(asset.asset_id)
        if len(shown) == 99:
            del shelf.ids[:gone]
    assert shown == [f"a{number}" for number in range(250)]


def test_far_behind_few_requests_find_the_way_back(world: World) -> None:
    """Each goes back twice as far as the one before: five of them for nine hundred entries that are gone."""
    shelf = Shelf(1000)
    shown, before = [], 0
    for asset in world.scripted(shelf).assets.list():
        shown.append(asset.asset_id)
        if len(shown) == 932:
            del shelf.ids[:900]
            before = len(shelf.asked)
    assert shown == [f"a{number}" for number in range(1000)]
    assert len(shelf.asked) - before <= 11


@pytest.mark.slow
def test_more_than_the_service_lists_ends(world: World) -> None:
    """Offset 1,000 is the last; what is behind it is not reached, and the list ends."""
    shelf = Shelf(1500)
    assert len(list(world.scripted(shelf).assets.list())) == 1050
    shelf = Shelf(1500)
    client = world.scripted(shelf)
    shown = []
    for asset in client.assets.list():
        shown.append(asset.asset_id)
        client.assets.delete(asset.asset_id)
    assert len(shown) == 1500  # what was deleted let the rest move up


# -- iterations that end early -----------------------------------------------------------------------------------------
def test_an_iteration_can_be_closed(world: World) -> None:
    """`close` and `aclose` end it, and the waits of others go on without it."""
    from .test_waiting import many

    ids = many(world, 4, 60)
    client = world.client()
    tasks = client.tasks.as_completed(ids)
    source = tasks._source if world.runner else tasks
    next(tasks)
    before = len(client._group._target.watches)
    if world.runner:
        world.runner.run(source.aclose())
    else:
        source.close()
    assert (before, len(client._group._target.watches)) == (1, 0)
    with pytest.raises(StopIteration):
        next(tasks)
    assert client.tasks.wait(ids[3]).status == "SUCCEEDED"


# -- functions that are given ------------------------------------------------------------------------------------------
def recorder(told: list[Any]) -> list[tuple[str, Callable[..., Any]]]:
    """Async functions of every kind."""

    async def plain(*args: Any) -> None:
        await asyncio.sleep(0)
        told.append(args)

    class Callable_:
        async def __call__(self, *args: Any) -> None:
            await plain(*args)

    class Methods:
        async def method(self, *args: Any) -> None:
            await plain(*args)

    return [
        ("function", plain),
        ("partial", functools.partial(plain)),
        ("object", Callable_()),
        ("method", Methods().method),
        ("lambda", lambda *args: plain(*args)),
    ]


def whole_way(client: Any, clip: Path, folder: Path, function: Any) -> dict[str, Callable[[], Any]]:
    """Every call that takes a function."""
    runs = client.video_to_video.run
    return {
        "run, on_created": lambda: runs(clip, "x", destination=folder / "a.mp4", on_created=function),
        "run, on_progress": lambda: runs(clip, "x", destination=folder / "b.mp4", on_progress=function),
        "wait": lambda: client.tasks.wait(
            client.video_to_video.create(asset_id=client.assets.upload(clip).asset_id, text_prompt="x"),
            on_progress=function,
        ),
        "upload": lambda: client.assets.upload(clip, on_progress=function),
        "download": lambda: client.tasks.download(
            next(iter(client.tasks.list())), folder / "c.mp4", on_progress=function
        ),
    }


CALLS = ["run, on_created", "run, on_progress", "wait", "upload", "download"]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("kind", range(5))
def test_async_functions_are_awaited(world: World, clip: Path, tmp_path: Path, name: str, kind: int) -> None:
    """By the client that awaits; the other one refuses them before anything is sent."""
    told: list[Any] = []
    label, function = recorder(told)[kind]
    client = world.client()
    client.video_to_video.run(clip, "x", destination=tmp_path / "first.mp4")
    world.sim.requests.clear()
    call = whole_way(client, clip, tmp_path, function)[name]
    if world.runner:
        call()
        assert told
    elif label != "lambda":
        with pytest.raises(errors.ParameterError, match="use AsyncRunwayClient"):
            call()
        assert not any(seen.operation.startswith("createVideo") for seen in world.sim.requests if name != "wait")
    elif name != "wait":
        with pytest.raises(errors.UseapiError, match="use AsyncRunwayClient"):
            call()


@pytest.mark.parametrize("name", CALLS)
def test_what_is_no_function_is_refused(world: World, clip: Path, tmp_path: Path, name: str) -> None:
    """Before anything is sent, by its name."""
    client = world.client()
    client.video_to_video.run(clip, "x", destination=tmp_path / "first.mp4")
    with pytest.raises(errors.ParameterError, match="must be a function") as caught:
        whole_way(client, clip, tmp_path, 7)[name]()
    assert caught.value.problems[0].field == ("on_created" if "created" in name else "on_progress")


def test_an_error_of_an_async_function_is_the_users(world: World, clip: Path, tmp_path: Path) -> None:
    """It arrives as it is, with the task's id as a note where one was paid for."""
    if not world.runner:
        pytest.skip("only where they are awaited")
    error = ValueError("of the user's")

    async def fail(*_: Any) -> None:
        raise error

    for name, call in whole_way(world.client(), clip, tmp_path, fail).items():
        if name == "download":
            continue
        with pytest.raises(ValueError, match="of the user's") as caught:
            call()
        assert caught.value is error
        if name.startswith("run"):
            assert "task user:" in "".join(error.__notes__)


# -- copies ------------------------------------------------------------------------------------------------------------
def models() -> list[Any]:
    task = {
        **task_json("https://cdn.test/x"),
        "error": {"reason": "SAFETY"},
        "options": {"seed": 7, "features": {"a": [1]}},
        "createdAt": "2026-01-02T03:04:05Z",
        "unknown": {"deep": [1, {"a": 2}]},
    }
    return [Task.from_dict(task), Asset.from_dict({"assetId": "a", "tags": [1, 2], "user": {"id": 1}})]


def failures() -> list[errors.UseapiError]:
    """Errors with all that they can hold."""
    task = models()[0]
    body = {"error": {"deep": [1]}, "code": 429}
    unpicklable = ValueError(lambda: None)
    found: list[errors.UseapiError] = [
        errors.AccountBusyError(
            "busy", status=429, body=body, headers=httpx.Headers({"a": "b"}), running_tasks={"a": [task]}
        ),
        errors.TaskFailedError("failed", task_id=TASK, task=task, reason="r", category="c"),
        errors.WaitTimeoutError("late", task_ids=[TASK, "b"], task=task),
        errors.ParameterError([errors.Problem("seed", [1], "it must be an integer")]),
        errors.SubmissionUnknownError("unknown", reply_ref="r", candidates=("a",)),
        errors.APIConnectionError("no", maybe_sent=True, task_id=TASK),
    ]
    for each in found:
        each.add_note("a note")
        each.__cause__ = unpicklable
    return found


COPIES: list[Callable[[Any], Any]] = [copy.copy, copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found))]


def reached(value: Any, depth: int = 5) -> set[int]:
    """The ids of all that could be changed in it."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = list(value.values())
    elif isinstance(value, (list, tuple, set)):
        inner = list(value)
    elif attrs.has(type(value)):
        inner = [getattr(value, each.name) for each in attrs.fields(type(value))]
    elif isinstance(value, errors.UseapiError):
        inner = list(vars(value).values())
    own = {id(value)} if isinstance(value, (dict, list, set)) else set()
    return own.union(*(reached(each, depth - 1) for each in inner)) if depth else own


@pytest.mark.parametrize("how", COPIES)
def test_copies_share_nothing(how: Callable[[Any], Any]) -> None:
    """Of models and of errors: what is changed in one does not change the other."""
    for found in [*models(), *failures()]:
        copied = how(found)
        assert type(copied) is type(found)
        assert len(reached(found)) > 0
        assert not reached(found) & reached(copied)
        if isinstance(found, errors.UseapiError):
            assert str(copied) == str(found)
            assert copied.task_id == found.task_id
            copied.add_note("mine")
            assert found.__notes__ == ["a note"]
        else:
            assert copied == found
            assert copied.raw == found.raw


def test_an_error_survives_with_a_cause_that_does_not() -> None:
    """Another process gets what the cause said."""
    for found in failures():
        there = pickle.loads(pickle.dumps(found))
        assert "ValueError" in str(there.__cause__)
        assert there.__notes__ == ["a note"]
    error = errors.UseapiError("x")
    error.__cause__ = OSError(5, "disk")
    there = pickle.loads(pickle.dumps(error))
    assert isinstance(there.__cause__, OSError)
    assert there.__cause__.errno == 5


def test_a_task_can_be_hashed() -> None:
    """Equal models have equal hashes, so that sets and dicts take them; others have others, as far as text and numbers tell."""
    one, other = models()[0], models()[0]
    assert one == other
    assert hash(one) == hash(other)
    assert len({one, other, Task.from_dict({"taskId": "b"}), models()[1]}) == 3
    assert hash(Task.from_dict(json.loads('{"options": {"a": 1}, "artifacts": []}'))) == hash(Task())


def test_a_result_can_be_kept(world: World, clip: Path, tmp_path: Path) -> None:
    """What `run` gives goes through pickle, as a result of another process does."""
    result = world.client().video_to_video.run(clip, "x", destination=tmp_path / "a.mp4")
    there = pickle.loads(pickle.dumps(result))
    assert there == result
    assert there.path.read_bytes()[:8] == MP4[:8]
    assert hash(there) == hash(result)


def test_a_client_is_not_copied() -> None:
    """It has connections and a token: the error says so."""
    for kind in (useapi_runwayml.RunwayClient, useapi_runwayml.AsyncRunwayClient):
        client = kind(TOKEN)
        for how in COPIES:
            with pytest.raises(TypeError, match="cannot be copied or pickled: make one in each process"):
                how(client)
