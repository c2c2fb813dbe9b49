"""Every operation, blocking and awaited, by the generated client and by the SDK: what leaves, and how each status is read."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
import useapi_runwayml_api.models
from useapi_runwayml_api import AuthenticatedClient
from useapi_runwayml_api.errors import UnexpectedStatus
from useapi_runwayml_api.models import AccountBusyBody, ErrorBody

from useapi_runwayml import errors
from useapi_runwayml.simulator import ManualClock, Simulator, SimulatorTransport

from . import facts
from .calls import HIGH, HOW, LOW, TOKEN
from .strategies import ASSET_ID, TASK_ID

ANSWERS: dict[str, Any] = {
    **{name: {"taskId": TASK_ID, "status": "PENDING"} for name in facts.CREATES},
    "listTasks": [{"taskId": TASK_ID}],
    "getTask": {"taskId": TASK_ID, "status": "RUNNING"},
    "listAssets": [{"assetId": ASSET_ID}],
    "uploadAsset": {"assetId": ASSET_ID, "type": {"name": "video"}},
    "getAsset": {"assetId": ASSET_ID},
    "listScheduler": [{"taskId": TASK_ID, "replyRef": "row"}],
    "getFeatures": {"permitted": {"numPlanCredits": 5}, "more": 1},
}
DONE = {"success": True}
MODEL_OF = {
    **dict.fromkeys(facts.CREATES, "Task"),
    "listTasks": "Task",
    "getTask": "Task",
    "listAssets": "Asset",
    "uploadAsset": "Asset",
    "getAsset": "Asset",
    "listScheduler": "ScheduledTask",
    "getFeatures": "Features",
}
BUSY = {
    "error": "Account a@b.test is busy executing 1 tasks",
    "runningTasks": {"a@b.test": [{"email": "a@b.test", "taskId": TASK_ID, "id": "u", "replyRef": "row"}]},
    "code": 429,
}
LATER = {"Retry-After": "7"}
CASES = [(name, status) for name, statuses in facts.STATUSES_OF.items() for status in statuses if status != 200]


def plain(found: Any) -> Any:
    return [each.to_dict() for each in found] if isinstance(found, list) else found.to_dict()


@pytest.mark.parametrize("level", [*LOW, *HIGH])
@pytest.mark.parametrize("name", facts.OPERATIONS)
def test_one_request_leaves_as_the_facts_have_it(name: str, level: Any) -> None:
    """Method, path, query and token of each operation are the facts'; ids keep colon, at sign and plus."""
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = ANSWERS.get(name, DONE)
        return httpx.Response(200, json=[] if isinstance(answer, list) else answer)

    level(HOW[name], handler)
    (request,) = seen
    method, path, _, _ = facts.OPERATIONS[name]
    expected = f"{httpx.URL(facts.BASE_URL).path}{HOW[name].url}"
    assert (request.method, request.url.raw_path.decode().partition("?")[0]) == (method, expected)
    assert re.sub(r"\{\w+\}", "", path) == re.sub(r"user:[^/]*", "", HOW[name].url)
    assert tuple(request.url.params.multi_items()) == HOW[name].query
    assert request.headers.get_list("authorization") == [f"Bearer {TOKEN}"]
    assert request.url.host == "api.useapi.net"


@pytest.mark.parametrize("name", facts.OPERATIONS)
def test_without_a_token_nothing_is_answered(name: str) -> None:
    """The simulated service, which goes by the document, refuses every operation without a token."""
    method, _, required, _ = facts.OPERATIONS[name]
    simulator = Simulator()
    with httpx.Client(transport=SimulatorTransport(simulator, ManualClock()), base_url=facts.BASE_URL) as client:
        query = {each: {"name": "c.mp4"}.get(each, 1) for each in required}
        assert client.request(method, HOW[name].url, params=query).status_code == 401


@pytest.mark.parametrize("name", facts.OPERATIONS)
def test_a_good_answer_is_read_and_kept(name: str) -> None:
    """At all four levels the same model with every field that came; a deletion of the SDK gives nothing."""
    answer = ANSWERS.get(name, DONE)
    for level in LOW:
        found = level(HOW[name], lambda request: httpx.Response(200, json=answer))
        assert found.status_code == 200
        assert plain(found.parsed) == answer
        kind = getattr(useapi_runwayml_api.models, MODEL_OF.get(name, "Acknowledgement"))
        assert all(type(each) is kind for each in (found.parsed if isinstance(found.parsed, list) else [found.parsed]))
    for level in HIGH:
        found = level(HOW[name], lambda request: httpx.Response(200, json=answer))
        assert found is None if name not in ANSWERS else plain(found) == answer


@pytest.mark.parametrize(("name", "status"), CASES)
def test_every_error_status_has_its_model_and_its_class(name: str, status: int) -> None:
    """The generated client reads the error of each status; the SDK raises its class, with status, body, task id and Retry-After."""
    for body, text in (
        ({"error": "no such luck", "code": status}, "no such luck"),
        ({"error": {"code": 3, "message": "no argument", "status": "INVALID", "details": []}}, "no argument"),
    ):
        for level in LOW:
            found = level(HOW[name], lambda request, body=body: httpx.Response(status, json=body, headers=LATER))
            assert type(found.parsed) is ErrorBody
            assert (found.status_code, found.parsed.error.message) == (status, text)
            assert found.parsed.to_dict() == body
            assert found.headers["retry-after"] == "7"
        for level in HIGH:
            with pytest.raises(errors.UseapiError) as caught:
                level(HOW[name], lambda request, body=body: httpx.Response(status, json=body, headers=LATER))
            error = caught.value
            if name in facts.CREATES and status in facts.GATEWAY_STATUSES:
                assert isinstance(error, errors.SubmissionUnknownError)
                error = error.__cause__  # type: ignore[assignment]
            assert type(error) is getattr(errors, facts.ERROR_CLASSES[status])
            assert isinstance(error, errors.APIStatusError)
            assert (error.status, error.body, error.retry_after) == (status, body, 7)
            assert text in str(error)
            assert error.task_id == (TASK_ID if TASK_ID in HOW[name].url else None)


@pytest.mark.parametrize("name", facts.OPERATIONS)
def test_the_two_shapes_of_429_are_told_apart(name: str) -> None:
    """With runningTasks the queue of this API is full, with error alone Runway refused: models and classes differ."""
    for level in LOW:
        found = level(HOW[name], lambda request: httpx.Response(429, json=BUSY))
        assert type(found.parsed) is AccountBusyBody
        assert [each.task_id for each in found.parsed.running_tasks.entries["a@b.test"]] == [TASK_ID]
        assert type(level(HOW[name], lambda request: httpx.Response(429, json={"error": "x"})).parsed) is ErrorBody
    for level in HIGH:
        with pytest.raises(errors.AccountBusyError) as caught:
            level(HOW[name], lambda request: httpx.Response(429, json=BUSY, headers={"Retry-After": "20"}))
        assert [each.reply_ref for each in caught.value.running_tasks["a@b.test"]] == ["row"]
        assert caught.value.retry_after == 20


@pytest.mark.parametrize("name", facts.OPERATIONS)
@pytest.mark.parametrize("status", [201, 403, 405, 408, 409, 418, 499, 600])
def test_other_statuses_are_not_known(name: str, status: int) -> None:
    """A status that the facts do not name has no model, and is an UnexpectedStatus for who asks for that."""
    for level in LOW:
        assert level(HOW[name], lambda request: httpx.Response(status, json={"error": "x"})).parsed is None
    transport = httpx.MockTransport(lambda request: httpx.Response(status, text="body"))
    with AuthenticatedClient(
        facts.BASE_URL, token=TOKEN, raise_on_unexpected_status=True, httpx_args={"transport": transport}
    ) as client:
        with pytest.raises(UnexpectedStatus) as caught:
            HOW[name].module.sync_detailed(*HOW[name].path, client=client, **HOW[name].arguments)
        assert caught.value.status_code == status


@pytest.mark.parametrize("name", facts.OPERATIONS)
@pytest.mark.parametrize("status", [501, 521, 523, 525, 595, 597, 599])
def test_whatever_else_begins_with_5_is_read_as_the_gateways(name: str, status: int) -> None:
    """The network before the service has more of them than the facts name: its body is read where it has one."""
    for level in LOW:
        found = level(HOW[name], lambda request: httpx.Response(status, json={"error": "x", "code": status})).parsed
        assert (type(found), found.code) == (ErrorBody, status)


@pytest.mark.parametrize(("name", "status"), CASES)
def test_known_statuses_are_no_surprise(name: str, status: int) -> None:
    """Who asks for UnexpectedStatus gets none for a status of the facts."""
    transport = httpx.MockTransport(lambda request: httpx.Response(status, text="error code: 522"))
    with AuthenticatedClient(
        facts.BASE_URL, token=TOKEN, raise_on_unexpected_status=True, httpx_args={"transport": transport}
    ) as client:
        found = HOW[name].module.sync_detailed(*HOW[name].path, client=client, **HOW[name].arguments)
    assert (found.status_code, found.content, found.parsed) == (status, b"error code: 522", None)
