"""Answers: every status has one class, every body is kept, and reads are retried as the rules say."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import errors
from useapi_runwayml._core.answers import STATUS_ERRORS, decode, redact, text_of
from useapi_runwayml._core.retry import delay
from useapi_runwayml.simulator import ManualClock

from .conftest import World
from .test_document import DOCUMENT

TASK = "user:4242-runwayml:maker@example.com-task:t1"


def read(world: World, answer: Any, **settings: Any) -> Any:
    return world.scripted(lambda request: answer, max_retries=0, **settings).tasks.retrieve(TASK)


def test_every_status_is_one_class() -> None:
    """Each status from 100 to 999 but the 2xx maps to exactly the class of the design, with its body."""
    world = World("sync", ManualClock())
    for status in (*range(100, 200), *range(300, 1000)):
        expected = STATUS_ERRORS.get(status, errors.ServerError if 500 <= status < 600 else errors.APIStatusError)
        if status == 429:
            expected = errors.UpstreamBusyError
        with pytest.raises(errors.APIStatusError) as caught:
            read(world, httpx.Response(status, json={"error": "why", "code": status}))
        assert type(caught.value) is expected, status
        assert (caught.value.status, caught.value.code, caught.value.message) == (status, status, "why")
        assert caught.value.body == {"error": "why", "code": status}
        assert caught.value.task_id == TASK


@pytest.mark.parametrize(("status", "is_done"), [(200, True), (299, True), (199, False), (300, False)])
def test_a_deletion_is_done_by_any_success(status: int, is_done: bool) -> None:
    """And by nothing else."""
    client = World("sync", ManualClock()).scripted(lambda request: httpx.Response(status), max_retries=0)
    if is_done:
        client.tasks.delete(TASK)
    else:
        with pytest.raises(errors.APIStatusError):
            client.tasks.delete(TASK)


@pytest.mark.parametrize(("status", "is_read"), [(199, False), (200, True), (201, True), (299, True), (300, False)])
def test_a_task_is_read_of_any_success(status: int, is_read: bool) -> None:
    """Of an answer with another status none is read, whatever its body looks like."""
    answer = httpx.Response(status, json={"taskId": TASK, "status": "RUNNING"})
    if is_read:
        assert read(World("sync", ManualClock()), answer).status == "RUNNING"
    else:
        with pytest.raises(errors.APIStatusError):
            read(World("sync", ManualClock()), answer)


@pytest.mark.parametrize(("status", "requests"), [(399, 2), (400, 1), (499, 1), (408, 2), (500, 2)])
def test_a_create_that_was_refused_is_not_looked_for(status: int, requests: int) -> None:
    """Each 4xx but 408 says that no task was made; after any other answer nobody knows."""
    sent: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return httpx.Response(status) if request.method == "POST" else httpx.Response(200, json=[])

    client = World("sync", ManualClock()).scripted(handler, max_retries=0)
    with pytest.raises(errors.UseapiError) as caught:
        client.video_to_video.create(asset_id="user:1-runwayml:a@b.test-asset:1", text_prompt="x")
    assert isinstance(caught.value, errors.SubmissionUnknownError) is (requests > 1)
    assert (sent.count("POST"), len(sent) > 1) == (1, requests > 1)


def test_the_table_is_the_designs() -> None:
    """The ten statuses with a class of their own, typed in from the design."""
    assert {status: kind.__name__ for status, kind in STATUS_ERRORS.items()} == {
        400: "BadRequestError",
        401: "AuthenticationError",
        402: "SubscriptionError",
        403: "PermissionDeniedError",
        404: "NotFoundError",
        410: "GoneError",
        412: "InsufficientCreditsError",
        422: "ModerationError",
        429: "RateLimitError",
        596: "AccountSessionError",
    }


def test_no_documented_status_is_left_over() -> None:
    """Each status of the document that is no 2xx has a class of its own, or is a ServerError."""
    found = {
        int(status.replace("XX", "00"))
        for entry in DOCUMENT["paths"].values()
        for operation in entry.values()
        if isinstance(operation, dict)
        for status in operation["responses"]
    }
    assert {status for status in found if status not in STATUS_ERRORS and not 500 <= status < 600} == {200}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "x", "runningTasks": {"a@b.c": [{"taskId": "t"}, 7, None]}, "code": 429}, errors.AccountBusyError),
        ({"error": "x", "runningTasks": {}}, errors.AccountBusyError),
        ({"error": "x", "runningTasks": {"a@b.c": None}}, errors.AccountBusyError),
        ({"error": "x"}, errors.UpstreamBusyError),
        ({"error": {"message": "x"}, "code": 429}, errors.UpstreamBusyError),
        ({"error": "x", "runningTasks": []}, errors.RateLimitError),
        ({"error": "x", "runningTasks": None}, errors.RateLimitError),
        ({"message": "x"}, errors.RateLimitError),
        ([], errors.RateLimitError),
        ("slow down", errors.RateLimitError),
    ],
)
def test_both_shapes_of_429_are_told_apart(world: World, body: Any, kind: type[errors.RateLimitError]) -> None:
    """runningTasks as a mapping is the account's queue, `error` alone is Runway's, anything else neither."""
    with pytest.raises(errors.RateLimitError) as caught:
        read(world, httpx.Response(429, json=body))
    assert type(caught.value) is kind
    assert caught.value.body == body


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"error": "plain"}', "plain"),
        (b'{"error": {"code": 3, "message": "deep", "status": "S", "details": []}}', "deep"),
        (b'{"error": {"error": {"message": "deeper"}}}', "deeper"),
        (b'{"error": {"error": {"error": {"message": "deepest"}}}}', "deepest"),
        (b'{"error": {"error": {"error": {"error": {"message": "x"}}}}}', '{"message": "x"}'),
        (b'{"message": "other"}', "other"),
        (b"error code: 522", "error code: 522"),
        (
            b"<html><head><style>p{}</style><title>502</title></head><body><h1>Bad &amp; broken</h1></body></html>",
            "502 Bad & broken",
        ),
        (b"<SCRIPT>\nrun()\n</SCRIPT>Not here", "Not here"),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200 + "…"),
        (b"", ""),
        (b"null", ""),
        (b"[1, 2]", "[1, 2]"),
        (b"7", "7"),
        (b"\xff\xfe\x00", "��"),
        (b'{"error": "a\\nb\\u001b[31m"}', "a b [31m"),
        (b'{"error": "\\ud800"}', "?"),
        (b'{"truncated": "js', '{"truncated": "js'),
    ],
)
def test_the_text_of_an_error(content: bytes, message: str) -> None:
    """What a body says to a person, from a string, an object, plain text or HTML, in one printable line."""
    assert text_of(decode(content)) == message


@pytest.mark.parametrize(
    "content", [b"<html>", b"", b"{}", b"[]", b"null", b'"text"', b"{", b"\xff", b"7", b'{"code": 200}']
)
def test_a_2xx_of_no_use_is_an_error_of_its_own(world: World, content: bytes) -> None:
    """A 200 that is no task is APIResponseError with status and body; an object that says nothing too."""
    if content == b'{"code": 200}':
        assert read(world, httpx.Response(200, content=content)).task_id == TASK
        return
    with pytest.raises(errors.APIResponseError) as caught:
        read(world, httpx.Response(200, content=content))
    assert (caught.value.status, caught.value.body) == (200, decode(content))
    assert caught.value.task_id == TASK
    assert str(caught.value).endswith(f"of no use: {text_of(decode(content)) or 'nothing'}")


@pytest.mark.parametrize(("levels", "kind"), [(64, list), (65, str)])
def test_a_body_is_read_down_to_its_sixty_fourth_level(levels: int, kind: type) -> None:
    """One that goes deeper is kept as text, which nobody has to follow."""
    assert type(decode(b"[" * levels + b"]" * levels)) is kind


def test_a_deep_or_huge_body_is_survived(world: World) -> None:
    """Ten megabytes, a number of 5,000 digits, and brackets without end are kept, not choked on."""
    for content in (
        b"x" * 10_000_000,
        b'{"error": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"error":' * 900 + b"1" + b"}" * 900,
    ):
        with pytest.raises(errors.ServerError) as caught:
            read(world, httpx.Response(500, content=content))
        assert caught.value.body is not None
        assert len(str(caught.value)) < 500


def test_retry_after_in_all_its_forms(world: World) -> None:
    """Seconds, a date of whatever zone against the service's own Date, or the moment in the body; nonsense is None."""
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    date = {"Date": format_datetime(now, usegmt=True)}
    later = format_datetime(now + timedelta(seconds=30), usegmt=True)
    cases: list[tuple[dict[str, str], dict[str, Any], float | None]] = [
        ({"Retry-After": "7"}, {}, 7.0),
        ({"Retry-After": " 7.5 "}, {}, 7.5),
        ({"Retry-After": later, **date}, {}, 30.0),
        (date, {"retryAfter": "2026-01-02T03:04:15Z"}, 10.0),
        ({"Retry-After": format_datetime(now, usegmt=True), **date}, {}, 0.0),
        ({"Retry-After": "Fri, 02 Jan 2026 04:04:35 +0100", **date}, {}, 30.0),
        ({"Retry-After": "Fri, 02 Jan 2026 03:04:35 -0000", **date}, {}, 30.0),
        ({"Retry-After": "soon"}, {}, None),
        ({"Retry-After": "-1"}, {}, None),
        ({}, {"retryAfter": 7}, None),
        ({}, {}, None),
    ]
    for headers, body, seconds in cases:
        with pytest.raises(errors.RateLimitError) as caught:
            read(world, httpx.Response(429, json={"error": "x", **body}, headers=headers))
        assert caught.value.retry_after == seconds, (headers, body)


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError("x"), httpx.ReadTimeout("x"), 408, 429, 500, 503, 522, 599, "html", "half"]
)
def test_reads_are_retried(world: World, failure: Any) -> None:
    """Connection failures, 408, 429, 5xx and a useless 2xx are tried again, max_retries times."""
    sent: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(1)
        if len(sent) == 5:
            return httpx.Response(200, json={"taskId": TASK})
        if isinstance(failure, Exception):
            raise failure
        return (
            httpx.Response(200, text="<html>" if failure == "html" else '{"taskId')
            if isinstance(failure, str)
            else httpx.Response(failure)
        )

    assert world.scripted(handler).tasks.retrieve(TASK).task_id == TASK
    assert len(sent) == 5
    sent.clear()
    with pytest.raises(errors.UseapiError):
        world.scripted(handler, max_retries=3).tasks.retrieve(TASK)
    assert len(sent) == 4


@pytest.mark.parametrize("status", [302, 400, 401, 402, 403, 404, 410, 412, 422, 596, 600])
def test_what_a_retry_cannot_mend_is_raised_at_once(world: World, status: int) -> None:
    """Permanent statuses, and 596, take one request."""
    sent: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(1)
        return httpx.Response(status, headers={"Location": "http://other.test/"})

    with pytest.raises(errors.APIStatusError):
        world.scripted(handler).tasks.retrieve(TASK)
    assert len(sent) == 1


def test_pauses_between_retries() -> None:
    """Full jitter under a capped exponential; a wish is honoured up to a minute, or within the time that remains."""
    top = lambda low, high: high  # noqa: E731
    broken = errors.ServerError("x", status=503)
    assert [delay(broken, attempt, max_retries=9, uniform=top) for attempt in range(6)] == [0.5, 1, 2, 4, 8, 8]
    assert delay(broken, 0, max_retries=9, uniform=lambda low, high: low) == 0
    assert delay(broken, 4, max_retries=4) is None
    assert delay(broken, 4, max_retries=9, remaining=8, uniform=top) == 8
    assert delay(broken, 4, max_retries=9, remaining=7.9, uniform=top) is None
    asked = errors.RateLimitError("x", status=429, retry_after=60)
    assert delay(asked, 0, max_retries=1) == delay(asked, 0, max_retries=1, remaining=60) == 60
    assert delay(asked, 0, max_retries=1, remaining=59) is None
    assert delay(errors.RateLimitError("x", status=429, retry_after=61), 0, max_retries=1) is None


def test_a_deletion_whose_answer_was_lost_is_done(world: World) -> None:
    """The second try finds nothing to delete: that is success. An unknown id is NotFoundError from the start."""
    client = world.client()
    task = client.video_to_video.create(asset_id=world.asset(), text_prompt="x")
    world.faults.add("close_after_action", "deleteTask", nth=1)
    assert client.tasks.delete(task.task_id) is None
    assert world.calls("deleteTask") == 2
    with pytest.raises(errors.NotFoundError):
        client.tasks.delete(task.task_id)


def samples() -> list[errors.UseapiError]:
    """One of each class, with all that it can carry."""
    about: dict[str, Any] = {
        "status": 418,
        "code": 1,
        "body": {"a": [1]},
        "headers": httpx.Headers({"X": "y"}),
        "retry_after": 2.0,
        "task_id": TASK,
    }
    task = useapi_runwayml.Task.from_dict({"taskId": TASK})
    found: list[errors.UseapiError] = []
    for name in errors.__all__:
        kind = getattr(errors, name)
        if not isinstance(kind, type) or not issubclass(kind, errors.UseapiError):
            continue
        if kind is errors.ParameterError:
            found.append(kind([errors.Problem("seed", 0, "it must be more")]))
        elif issubclass(kind, errors.AccountBusyError):
            found.append(kind("m", running_tasks={"a": [useapi_runwayml.Task.from_dict({})]}, **about))
        elif issubclass(kind, errors.APIStatusError):
            found.append(kind("m", **about))
        elif issubclass(kind, errors.APIConnectionError):
            found.append(kind("m", maybe_sent=True, task_id=TASK))
        elif kind is errors.APIResponseError:
            found.append(kind("m", status=200, body="<html>", task_id=TASK))
        elif kind is errors.SubmissionUnknownError:
            found.append(kind("m", reply_ref="r", candidates=["t"]))
        elif issubclass(kind, errors.TaskFailedError):
            found.append(kind("m", task_id=TASK, task=task, reason="r", category="c"))
        elif kind is errors.WaitTimeoutError:
            found.append(kind("m", task_ids=[TASK], task=task))
        elif issubclass(kind, errors.TaskError):
            found.append(kind("m", task_id=TASK, task=task))
        else:
            found.append(kind("m", task_id=TASK))
    return found


@pytest.mark.parametrize("error", samples(), ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_errors_survive_copy_and_pickle(error: errors.UseapiError, copied: Any) -> None:
    """Everything is kept: attributes, text, notes, and the cause with its text."""
    error.add_note("replyRef r")
    error.__cause__ = errors.APIConnectionError("the cause", maybe_sent=True)
    again = copied(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again).keys() == vars(error).keys()
    assert again.__notes__ == error.__notes__
    assert str(again.__cause__) == "the cause"
    assert again.task_id == error.task_id


def test_the_tree_is_the_designs() -> None:
    """Who is whose child, typed in from the design."""
    tree = {
        "UseapiError": "Exception",
        "ContentModerated": "Exception",
        "ParameterError": "UseapiError ValueError",
        "APIConnectionError": "UseapiError",
        "APITimeoutError": "APIConnectionError",
        "APIStatusError": "UseapiError",
        "BadRequestError": "APIStatusError",
        "AuthenticationError": "APIStatusError",
        "SubscriptionError": "APIStatusError",
        "PermissionDeniedError": "APIStatusError",
        "NotFoundError": "APIStatusError",
        "GoneError": "APIStatusError",
        "InsufficientCreditsError": "APIStatusError",
        "ModerationError": "APIStatusError ContentModerated",
        "RateLimitError": "APIStatusError",
        "AccountBusyError": "RateLimitError",
        "UpstreamBusyError": "RateLimitError",
        "AccountSessionError": "APIStatusError",
        "ServerError": "APIStatusError",
        "APIResponseError": "UseapiError",
        "SubmissionUnknownError": "UseapiError",
        "TaskError": "UseapiError",
        "TaskFailedError": "TaskError",
        "TaskModeratedError": "TaskFailedError ContentModerated",
        "TaskCancelledError": "TaskError",
        "TaskOutputMissingError": "TaskError",
        "WaitTimeoutError": "TaskError TimeoutError",
        "DownloadError": "UseapiError",
    }
    found = {name: getattr(errors, name) for name in errors.__all__ if name not in ("Problem", "MediaWarning")}
    assert {name: " ".join(base.__name__ for base in kind.__bases__) for name, kind in found.items()} == tree


def test_redaction() -> None:
    """Tokens and queries of links go; ids stay."""
    text = "user:42-abcDEF123 at https://x.test/a?sig=1&b=2, task user:42-runwayml:a@b.c-task:u"
    assert redact(text) == "user:… at https://x.test/a?… task user:42-runwayml:a@b.c-task:u"


def test_lists_of_all_pages(world: World) -> None:
    """Every task that the service can give, once each, in both envelopes; the offset ends at 1000."""
    from useapi_runwayml.simulator import Shapes

    from .test_waiting import many

    ids = many(world, 250, 60)
    client = world.client()
    assert [task.task_id for task in client.tasks.list()] == ids[::-1]
    world.sim.shapes = Shapes(tasks="wrapped")
    assert len(list(client.tasks.list(statuses=["PENDING"], email="maker@example.com"))) == 250
    assert list(client.tasks.list(statuses=["FAILED"])) == []
    many(world, 2200, 60)
    assert len(list(client.tasks.list())) == 2000


def test_a_list_that_stands_still_ends(world: World) -> None:
    """A service that ignores the offset gives its tasks once, not for ever."""
    page = [{"taskId": f"t{number}"} for number in range(3)]
    client = world.scripted(lambda request: httpx.Response(200, json=page))
    assert [task.task_id for task in client.tasks.list()] == ["t0", "t1", "t2"]


def test_assets_scheduler_and_features(world: World) -> None:
    """The smaller resources, end to end."""
    client = world.client()
    asset_id = world.asset()
    world.asset(media_type="image/png")
    assert [each.asset_id for each in client.assets.list(media_type="video")] == [asset_id]
    assert client.assets.retrieve(asset_id).media_type == "video"
    task = client.video_to_video.create(asset_id=asset_id, text_prompt="x", reply_ref="r")
    (tracked,) = client.scheduler.list()
    assert (tracked.task_id, tracked.reply_ref) == (task.task_id, "r")
    client.scheduler.release(task.task_id)
    assert client.scheduler.list() == []
    with pytest.raises(errors.NotFoundError):
        client.scheduler.release(task.task_id)
    plan = client.features.retrieve(email="maker@example.com")
    assert (plan.permitted.num_plan_credits, plan.used.num_plan_credits) == (2250, 50)
    client.assets.delete(asset_id)
    with pytest.raises(errors.NotFoundError):
        client.assets.retrieve(asset_id)
    assert plan.to_dict()["permitted"] == {"storageGB": 500, "numPlanCredits": 2250}
