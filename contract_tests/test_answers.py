"""Answers and errors: laws that hold for what is documented and for what may come instead."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from useapi_runwayml_api.api.tasks import get_task, list_tasks
from useapi_runwayml_api.models import Task

import useapi_runwayml
from useapi_runwayml import errors

from . import facts
from .strategies import TASK_ID, bodies, json_values, raw_bodies, tasks

TOKEN = "user:1-abcdef"
STATUSES = st.sampled_from([*facts.STATUSES_OF["createVideoToVideo"], 403, 408, 410, 418, 599, 600, 999]) | st.integers(
    300, 999
)


def client(answer: httpx.Response) -> useapi_runwayml.RunwayClient:
    http_client = httpx.Client(transport=httpx.MockTransport(lambda request: answer))
    return useapi_runwayml.RunwayClient(
        TOKEN, base_url=facts.BASE_URL, http_client=http_client, max_retries=0, lookup_timeout=0
    )


@given(raw=tasks())
def test_a_task_with_an_id_is_never_lost(raw: dict[str, Any]) -> None:
    """Law: parsing raises for no JSON object that carries a task id, and to_dict of from_dict keeps everything."""
    task = Task.from_dict(raw)
    assert task.task_id == TASK_ID
    assert task.to_dict() == raw
    assert task.progress_ratio is None or math.isfinite(task.progress_ratio)
    assert isinstance(task.artifacts, list)
    for moment in (task.created_at, task.updated_at):
        assert moment is None or (isinstance(moment, datetime.datetime) and moment.tzinfo is not None)
    assert "zz_tomorrow" in task.additional_properties
    assert repr(task)


@given(raw=tasks(), wrapped=st.booleans())
def test_both_envelopes_give_the_same_task(raw: dict[str, Any], wrapped: bool) -> None:
    """Law: flat or under `task`, bare or under `tasks`, the task is the same."""
    raw = {key: value for key, value in raw.items() if key != "task"}
    payload = {"task": raw, "code": 200} if wrapped else raw
    found = get_task.parse(200, payload)
    assert isinstance(found, Task)
    assert found.to_dict() == raw
    listed = list_tasks.parse(200, {"tasks": [raw, 7, None]} if wrapped else [raw, "x"])
    assert isinstance(listed, list)
    assert [each.to_dict() for each in listed] == [raw]


@given(raw=tasks())
def test_the_sdk_reads_what_the_model_reads(raw: dict[str, Any]) -> None:
    """Law: through the whole SDK nothing of a task's answer is lost."""
    raw = json.loads(json.dumps({key: value for key, value in raw.items() if key != "task"}))
    task = client(httpx.Response(200, content=json.dumps(raw).encode())).tasks.retrieve(TASK_ID)
    assert task.to_dict() == raw


@given(status=STATUSES, body=bodies)
def test_every_error_body_is_typed_and_kept(status: int, body: Any) -> None:
    """Law: never an untyped exception; status and body are never lost; both shapes of 429 are told apart."""
    with pytest.raises(errors.APIStatusError) as caught:
        client(httpx.Response(status if status != 200 else 400, content=json.dumps(body).encode())).tasks.retrieve(
            TASK_ID
        )
    assert caught.value.status == (status if status != 200 else 400)
    assert caught.value.body == body
    assert caught.value.task_id == TASK_ID
    assert str(caught.value).isprintable()
    if status == 429:
        mapping = isinstance(body, dict) and isinstance(body.get("runningTasks"), dict)
        assert isinstance(caught.value, errors.AccountBusyError) == mapping
    if status in (422,):
        assert isinstance(caught.value, errors.ContentModerated)


@given(
    status=STATUSES,
    content=raw_bodies,
    kind=st.sampled_from(["application/json", "text/html", "text/plain", "", "x/y; charset=none"]),
)
def test_malformed_bodies_are_typed_and_kept(status: int, content: bytes, kind: str) -> None:
    """Law: truncated JSON, HTML, nothing, wrong types and bad UTF-8 are typed errors that keep what came."""
    answer = httpx.Response(status, content=content, headers={"Content-Type": kind})
    with pytest.raises((errors.APIStatusError, errors.APIResponseError)) as caught:
        client(answer).tasks.retrieve(TASK_ID)
    assert caught.value.status == status
    kept = caught.value.body
    if isinstance(kept, str):
        assert kept.encode() == content or json.loads(content) == kept
    elif isinstance(kept, bytes):
        assert kept == content
    else:
        assert json.loads(content) == kept


@given(status=STATUSES, body=bodies | json_values)
def test_a_create_is_refused_unknown_or_accepted_and_nothing_else(status: int, body: Any) -> None:
    """Law: whatever a create is answered, it is sent once, and ends as a task, a refusal, or an unknown outcome."""
    sent: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        if request.method == "POST":
            return httpx.Response(status, content=json.dumps(body).encode())
        return httpx.Response(200, json=[])

    http_client = httpx.Client(transport=httpx.MockTransport(handler))
    runway = useapi_runwayml.RunwayClient(TOKEN, base_url=facts.BASE_URL, http_client=http_client, lookup_timeout=0)
    with pytest.raises(errors.UseapiError) as caught:
        runway.video_to_video.create(asset_id="a", text_prompt="x", busy_timeout=0)
    assert sent.count("POST") == 1
    refused = (400 <= status < 500 and status != 408) or status == 596
    assert isinstance(caught.value, errors.APIStatusError if refused else errors.SubmissionUnknownError)
    assert any("replyRef" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("status", [200, 404, 502])
@pytest.mark.parametrize("filler", [b'{"error": "%s"}', b"<html>%s</html>", b"%s", b'{"a": ["%s"', b"[%s]"])
def test_ten_megabytes_are_typed_and_kept(status: int, filler: bytes) -> None:
    """Law: a body of any size is a typed error that keeps what came, with a message of a few lines."""
    content = filler % (b"x" * 10_000_000)
    with pytest.raises(errors.UseapiError) as caught:
        client(httpx.Response(status, content=content)).tasks.wait(TASK_ID, timeout=0.1)
    error: Any = caught.value
    assert len(str(error)) < 1000
    if status == 404:
        assert error.body == content.decode() or json.dumps(error.body).encode() == content
