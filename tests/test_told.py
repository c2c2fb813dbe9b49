"""What models and errors tell of the answer that they were read of, and how models show themselves."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import errors

from .conftest import TOKEN, World
from .lines import Network, Said, answer, runway

TASK = "user:4242-runwayml:maker@example.com-task:t1"
HEADERS = {
    "X-Request-Id": "r-1",
    "Set-Cookie": "session=s3cr3t",
    "X-Api-Key": "s3cr3t",
    "Authorization": "Bearer s3cr3t",
    "X-Echo": TOKEN,
    "Location": "https://files.test/x.mp4?signature=s3cr3t#s3cr3t",
    "Link": "<https://files.test/next?token=s3cr3t>; rel=next",
}


def test_a_model_tells_how_its_answer_came(world: World) -> None:
    """Status, headers without secrets, the id of the request, and how often it was sent; a list's entries have one answer."""
    answers = iter([503, 200])

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/tasks/"):
            found: Any = [{"taskId": "a"}, {"taskId": "b"}] if request.url.params["offset"] == "0" else []
            return httpx.Response(200, json=found)
        body = {"taskId": TASK, "artifacts": [{"url": "https://files.test/x.mp4"}]}
        return httpx.Response(next(answers), json=body, headers=HEADERS)

    client = world.scripted(handler)
    task = client.tasks.retrieve(TASK)
    info = task.response
    assert isinstance(info, useapi_runwayml.AnswerInfo)
    assert (info.status, info.tries, info.request_id) == (200, 2, "r-1")
    assert set(info.headers) == {"x-request-id", "x-echo", "location", "link", "content-length", "content-type"}
    assert info.headers["location"] == "https://files.test/x.mp4?…"
    assert info.headers["link"] == "<https://files.test/next?…>; rel=next"
    assert task.artifacts[0].response is None
    one, other = client.tasks.list()
    assert one.response is other.response
    assert (one.response.tries, one.response.request_id) == (1, None)
    for shown in (repr(info), repr(task), str(info.headers)):
        assert "s3cr3t" not in shown
    assert repr(info).startswith("AnswerInfo(status=200, elapsed_seconds=")


def test_seconds_are_those_of_the_last_request(world: World) -> None:
    """From its start to the end of its body, by the client's clock."""
    network = Network(world.clock, lambda method, path: Said(answer(200, b'{"taskId": "t"}'), pause=3.0))
    assert runway(world, network).tasks.retrieve(TASK).response.elapsed_seconds == pytest.approx(3.0)


def test_a_create_counts_all_its_tries(world: World) -> None:
    """Those that were refused as busy, and those that were never sent."""
    world.faults.add("busy", "createVideoToVideo", nth=1)
    world.faults.add("unreachable", "createVideoToVideo", nth=2)
    task = world.client().video_to_video.create(asset_id=world.asset(), text_prompt="x")
    assert (task.response.status, task.response.tries) == (200, 3)


def test_it_keeps_no_body(world: World) -> None:
    """A model of a large answer holds the answer's few facts alone."""
    body = {"taskId": TASK, "progressText": "x" * 1_000_000}
    task = world.scripted(lambda request: httpx.Response(200, json=body)).tasks.retrieve(TASK)
    assert len(pickle.dumps(task.response)) < 1000


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, '{"error": "x"}', errors.NotFoundError),
        (429, '{"error": "x", "runningTasks": {}}', errors.AccountBusyError),
        (502, "<html>", errors.ServerError),
        (200, "nonsense", errors.APIResponseError),
    ],
)
def test_an_error_tells_how_its_answer_came(status: int, body: str, kind: type, world: World) -> None:
    """Also after it was copied or went to another process."""
    client = world.scripted(lambda request: httpx.Response(status, text=body, headers=HEADERS), max_retries=0)
    with pytest.raises(kind) as caught:
        client.features.retrieve()
    for error in (caught.value, copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert (error.response.status, error.response.request_id, error.response.tries) == (status, "r-1", 1)


def test_an_error_of_a_task_has_the_answer_of_the_task(world: World) -> None:
    """And one without an answer has none."""
    client = world.scripted(lambda request: httpx.Response(200, json={"status": "FAILED"}, headers=HEADERS))
    with pytest.raises(errors.TaskFailedError) as failed:
        client.tasks.wait(TASK)
    assert failed.value.response is failed.value.task.response is not None

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    with pytest.raises(errors.APIConnectionError) as broken:
        world.scripted(refuse, max_retries=0).features.retrieve()
    assert broken.value.response is None


def test_a_repr_is_short_and_shows_no_signature() -> None:
    """What did not come is left out, long texts are cut, and links lose their queries also where no link is documented."""
    link = "https://files.test/x.mp4?signature=s3cr3t"
    raw = {
        "taskId": TASK,
        "status": "SUCCEEDED",
        "image": {"url": link},
        "sharedAsset": [link],
        "progressText": f"see {link}#s3cr3t",
        "options": {"text_prompt": "x" * 5000},
        "artifacts": [{"url": link, "previewUrls": [link] * 50}],
    }
    task = useapi_runwayml.Task.from_dict(raw)
    shown = repr(task)
    assert shown.startswith(f"Task(task_id='{TASK}', image={{'url': 'https://files.test/x.mp4?…'}}, options=")
    assert "s3cr3t" not in shown + repr(task.artifacts[0])
    assert len(shown) < 1000
    assert "None" not in shown
    assert "reply_ref" not in shown
    assert repr(task.artifacts[0]).startswith("Artifact(url='https://files.test/x.mp4?…', preview_urls=[")
    assert repr(useapi_runwayml.Task()) == "Task()"


def test_json_is_what_came() -> None:
    """Unknown fields included, readable, and writable whatever is in it."""
    raw = {"taskId": TASK, "name": "клип", "tomorrow": [1, None]}
    task = useapi_runwayml.Task.from_dict(raw)
    assert json.loads(task.to_json()) == raw
    assert "клип" in task.to_json()
    assert task.to_json(indent=2).startswith('{\n  "taskId"')
    half = useapi_runwayml.Task.from_dict({"name": "\ud800"}).to_json()
    assert json.loads(half.encode()) == {"name": "\ud800"}
    assert json.loads(useapi_runwayml.Task(task_id=TASK, image=object).to_json())["image"] == "<class 'object'>"


@pytest.mark.parametrize(
    ("value", "shown"),
    [("a" * 78, "'" + "a" * 78 + "'"), ("a" * 79, "'" + "a" * 59 + "… (81 characters)")],
)
def test_a_refused_value_is_shown_in_eighty_characters(value: str, shown: str) -> None:
    """A longer one by its begin, and how long it is."""
    assert str(errors.Problem("text_prompt", value, "too long")) == f"text_prompt: {shown} is refused, too long"


def test_the_error_of_a_status_names_what_there_is() -> None:
    """The operation and the task, where it is told of them; headers that nobody gives are none."""
    bare = errors.NotFoundError("No such task.", status=404)
    assert str(bare) == "404 No such task. Check the id and the account"
    assert (bare.headers, bare.task_id) == ({}, None)
    full = errors.NotFoundError("No.", status=404, operation="getTask", task_id="t1", headers={"x": "y"})
    assert str(full) == "getTask: 404 No (task t1). Check the id and the account"
    assert (full.headers, full.task_id) == ({"x": "y"}, "t1")
