"""The SDK where its surroundings are not what it assumed: hooks that raise, references used as tags, a service that lags behind itself."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from httpx import Request, Response

from useapi_runwayml import errors

from .conftest import World

OWN = "user:1-runwayml:a@b.test-task:"
ASSET = "user:1-runwayml:a@b.test-asset:1"


class Service:
    """Answers creates with a task, and lists with nothing; counts the creates."""

    def __init__(self, status: int = 200, body: Any = None, headers: dict[str, str] | None = None) -> None:
        self.posts: list[str] = []
        self.answer = status, body, headers

    def __call__(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(200, json=[])
        self.posts.append(request.read().decode())
        status, body, headers = self.answer
        content = json.dumps(body or {"taskId": f"{OWN}{len(self.posts)}"}).encode()
        return Response(status, stream=httpx.ByteStream(content), headers=headers)


def hooked(world: World, service: Any, when: str, hook: Any, **settings: Any) -> Any:
    """A client whose given http client has a hook."""

    async def awaited(seen: Any) -> None:
        found = hook(seen)
        if found is not None:
            await found

    hooks = {when: [awaited if world.runner else hook]}
    http_client = world.http_client(httpx.MockTransport(service), event_hooks=hooks)
    return world.client(http_client=http_client, lookup_timeout=1, **settings)


def create(runway: Any, **more: Any) -> Any:
    return runway.video_to_video.create(**{"asset_id": ASSET, "text_prompt": "x", **more})


# -- hooks --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (412, errors.InsufficientCreditsError),
        (422, errors.ModerationError),
        (429, errors.RateLimitError),
    ],
)
def test_raise_for_status_in_a_hook_is_the_answer(world: World, status: int, kind: Any, reads: bool) -> None:
    """The commonest recipe changes nothing: the refusal is that of the status, with its Retry-After, and nothing is unknown."""
    service = Service(status, {"error": "why not", "code": status}, {"Retry-After": "7"})

    def hook(response: Response) -> Any:
        if reads and world.runner:

            async def read() -> None:
                await response.aread()
                response.raise_for_status()

            return read()
        if reads:
            response.read()
        response.raise_for_status()
        return None

    with pytest.raises(kind) as caught:
        create(hooked(world, service, "response", hook), busy_timeout=0)
    assert (caught.value.status, caught.value.retry_after) == (status, 7)
    assert ("why not" in str(caught.value)) is reads, "the text is there if the hook has read it"
    assert len(service.posts) == 1


def test_raise_for_status_of_another_request_is_no_answer(world: World) -> None:
    """A hook may send requests of its own: their refusals say nothing about the create."""
    service = Service()

    def hook(response: Response) -> None:
        if response.request.method == "POST":
            Response(401, request=Request("POST", "http://metrics.test")).raise_for_status()

    with pytest.raises(errors.SubmissionUnknownError):
        create(hooked(world, service, "response", hook))
    assert len(service.posts) == 1


def test_an_exception_of_a_hooks_own_is_no_answer(world: World) -> None:
    """Whatever it carries: only what httpx raises for a status tells of one."""
    service = Service(401)

    class Refusal(Exception):
        response: Response

    def hook(response: Response) -> None:
        if response.request.method == "POST":
            fault = Refusal("mine")
            fault.response = response
            raise fault

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(hooked(world, service, "response", hook))
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value.__cause__.__cause__, Refusal)


def test_a_prompt_is_sent_as_it_is_written(world: World) -> None:
    """In UTF-8, and not in numbers for its letters: that makes it no longer than it is."""
    service = Service()
    create(world.scripted(service), text_prompt='Ä "day" in 北京 😀')
    assert '"Ä \\"day\\" in 北京 😀"' in service.posts[0]


FAULTS = [
    RuntimeError("the collector is down"),
    httpx.ConnectError("no way", request=httpx.Request("POST", "http://metrics.test")),
    httpx.ReadTimeout("too late", request=httpx.Request("POST", "http://metrics.test")),
    OSError(5, "no disk"),
    ValueError("a bug"),
    errors.NotFoundError("of another service", status=404, body=None),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_hook_that_fails_before_the_request_means_not_sent(world: World, fault: Exception) -> None:
    """Nothing was sent, the error says so, and the hook's own exception is its cause."""
    service = Service()

    def hook(request: Request) -> None:
        raise fault

    with pytest.raises(errors.APIConnectionError) as caught:
        create(hooked(world, service, "request", hook, max_retries=0))
    assert caught.value.maybe_sent is False
    assert not service.posts
    if not isinstance(fault, httpx.RequestError):
        assert caught.value.__cause__ is fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_a_hook_that_fails_after_the_request_means_unknown(world: World, fault: Exception) -> None:
    """The create was sent once, and is looked for."""
    service = Service()

    def hook(response: Response) -> None:
        if response.request.method == "POST":
            raise fault

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(hooked(world, service, "response", hook))
    assert len(service.posts) == 1
    assert isinstance(caught.value.__cause__, errors.APIConnectionError)
    if not isinstance(fault, httpx.RequestError):
        assert caught.value.__cause__.__cause__ is fault


def test_a_hook_that_looked_at_the_body_leaves_it_unknown(world: World) -> None:
    """Whoever has read the body may have sent it, as transports do that take it whole."""
    service = Service()

    def hook(request: Request) -> None:
        if request.method == "POST":
            assert b"text_prompt" in request.content
            raise RuntimeError("late")

    with pytest.raises(errors.SubmissionUnknownError):
        create(hooked(world, service, "request", hook))
    assert not service.posts


@pytest.mark.parametrize("first", [True, False])
def test_a_transport_of_the_users_that_fails(world: World, first: bool) -> None:
    """Before it has read the body nothing was sent, after that nobody knows."""

    class Own(httpx.MockTransport):
        def handle_request(self, request: Request) -> Response:
            if request.method == "POST" and first:
                raise RuntimeError("the breaker is open")
            answer = super().handle_request(request)
            if request.method == "POST":
                raise RuntimeError("after the fact")
            return answer

        async def handle_async_request(self, request: Request) -> Response:
            if request.method == "POST" and first:
                raise RuntimeError("the breaker is open")
            answer = await super().handle_async_request(request)
            if request.method == "POST":
                raise RuntimeError("after the fact")
            return answer

    service = Service()
    runway = world.client(http_client=world.http_client(Own(service)), max_retries=0, lookup_timeout=1)
    with pytest.raises(errors.APIConnectionError if first else errors.SubmissionUnknownError):
        create(runway)
    assert len(service.posts) == (0 if first else 1)


@pytest.mark.parametrize("how", ["stream", "content", "read"])
def test_a_transport_that_has_taken_the_body_may_have_sent_it(world: World, how: str) -> None:
    """By whatever way it took it: one POST, and a look for its task."""
    posts: list[str] = []

    class Own(httpx.BaseTransport, httpx.AsyncBaseTransport):
        def handle_request(self, request: Request) -> Response:
            if request.method != "POST":
                return Response(200, json=[])
            taken = {"stream": lambda: b"".join(request.stream), "content": lambda: request.content}  # type: ignore[arg-type]
            posts.append(taken.get(how, request.read)().decode())
            raise RuntimeError("after the fact")

        async def handle_async_request(self, request: Request) -> Response:
            if request.method != "POST" or how == "content":
                return self.handle_request(request)
            taken = b"".join([chunk async for chunk in request.stream]) if how == "stream" else await request.aread()  # type: ignore[union-attr]
            posts.append(taken.decode())
            raise RuntimeError("after the fact")

    with pytest.raises(errors.SubmissionUnknownError):
        create(world.client(http_client=world.http_client(Own()), lookup_timeout=1))
    assert len(posts) == 1
    assert '"text_prompt"' in posts[0]


def test_a_write_error_is_never_taken_for_not_sent(world: World) -> None:
    """What broke while the body went out may have arrived: one POST, and a look for its task."""
    posts = []

    def handler(request: Request) -> Response:
        if request.method == "POST":
            posts.append(1)
            raise httpx.WriteError("broken pipe", request=request)
        return Response(200, json=[])

    with pytest.raises(errors.SubmissionUnknownError):
        create(world.scripted(handler, lookup_timeout=1))
    assert len(posts) == 1


# -- whose answer, whose task -------------------------------------------------------------------------------------------
FOREIGN = [
    {"replyRef": "somebody else's"},
    {"options": {"text_prompt": "another prompt"}},
]
OURS: list[dict[str, Any]] = [
    {},
    {"options": {}},
    {"options": {"seed": 8, "seconds": 10}},
    {"options": {"text_prompt": "x", "seed": 7, "seconds": 5.0, "structure_transformation": 0.4}},
    {"options": {"text_prompt": "  x\n", "seed": None}},
]


@pytest.mark.parametrize("shown", FOREIGN, ids=str)
def test_an_answer_of_another_create_is_not_ours(world: World, shown: dict[str, Any]) -> None:
    """Another replyRef, or without one another prompt, means that connections were mixed up: the outcome is unknown."""
    service = Service(200, {"taskId": f"{OWN}x", **shown})
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(world.scripted(service, lookup_timeout=1), seed=7, seconds=5, structure_transformation=4)
    assert len(service.posts) == 1
    assert f"{OWN}x" in str(caught.value), "the task of whoever it is stands in the message"


@pytest.mark.parametrize("shown", OURS, ids=str)
def test_an_answer_that_shows_our_values_is_ours(world: World, shown: dict[str, Any]) -> None:
    """What is not shown says nothing, nor do other values than the prompt; spaces are no difference; our replyRef settles it."""
    service = Service(200, {"taskId": f"{OWN}x", **shown})
    runway = world.scripted(service)
    assert create(runway, seed=7, seconds=5, structure_transformation=4).task_id == f"{OWN}x"
    service.answer = 200, {"taskId": f"{OWN}y", "replyRef": "mine", "options": {"text_prompt": "rewritten"}}, None
    assert create(runway, reply_ref="mine").task_id == f"{OWN}y"


def lost(world: World, bearing: dict[str, dict[str, Any] | None], **settings: Any) -> Any:
    """A client whose second create and all later ones lose their answer; `bearing` are the tasks with its reference, None for one that cannot be read."""
    posts: list[int] = []

    def handler(request: Request) -> Response:
        if request.method == "POST":
            posts.append(1)
            if len(posts) == 1 and settings.get("first", True):
                return Response(200, json={"taskId": f"{OWN}first", "replyRef": "tag"})
            raise httpx.ReadError("lost", request=request)
        if request.url.path.endswith("/scheduler/"):
            return Response(200, json=[])
        if request.url.path.endswith("/tasks/"):
            return Response(200, json=[{"taskId": f"{OWN}{name}", "replyRef": "tag"} for name in bearing])
        task = bearing[request.url.path.rpartition("task:")[2]]
        return Response(503) if task is None else Response(200, json={"taskId": f"{OWN}x", "replyRef": "tag", **task})

    runway = world.scripted(handler, lookup_timeout=5)
    return runway, posts


def test_a_tag_of_many_creates_adopts_no_task_that_was_given_out(world: World) -> None:
    """The second create's answer is lost, and the list shows the first one's task alone: that is not its task."""
    runway, posts = lost(world, {"first": {}})
    assert create(runway, reply_ref="tag").task_id == f"{OWN}first"
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(runway, reply_ref="tag")
    assert caught.value.candidates == ()
    assert len(posts) == 2


def test_an_adopted_task_is_given_out_too(world: World) -> None:
    """The third create does not get the task that the second one found."""
    runway, _ = lost(world, {"first": {}, "second": {"taskId": f"{OWN}second"}})
    create(runway, reply_ref="tag")
    assert create(runway, reply_ref="tag").task_id == f"{OWN}second"
    with pytest.raises(errors.SubmissionUnknownError):
        create(runway, reply_ref="tag")


@pytest.mark.parametrize(
    "shown", [{"seed": 8}, {"seconds": 10}, {"structure_transformation": 0.3}, {"text_prompt": "y"}], ids=str
)
def test_all_that_is_shown_is_compared_before_a_task_is_adopted(world: World, shown: dict[str, Any]) -> None:
    """Seed, seconds and strength tell tasks of one reference apart, not the prompt alone."""
    values = {"seed": 7, "seconds": 5, "structure_transformation": 4}
    mine = {"text_prompt": "x", "seed": 7, "seconds": 5, "structure_transformation": 0.4}
    runway, _ = lost(world, {"other": {"options": {**mine, **shown}}}, first=False)
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(runway, reply_ref="tag", **values)
    assert caught.value.candidates == ()
    runway, _ = lost(world, {"mine": {"taskId": f"{OWN}mine", "options": mine}}, first=False)
    assert create(runway, reply_ref="tag", **values).task_id == f"{OWN}mine"


def test_a_task_of_another_account_is_not_adopted(world: World) -> None:
    """A task runs on the account that owns its asset."""
    other = OWN.replace("a@b.test", "c@d.test")
    runway, _ = lost(world, {"x": {"taskId": f"{other}x"}}, first=False)
    with pytest.raises(errors.SubmissionUnknownError):
        create(runway, reply_ref="tag")


def test_a_candidate_that_cannot_be_read_is_listed_as_such(world: World) -> None:
    """It is neither adopted nor left out, and nobody is told that no task bears the reference."""
    runway, posts = lost(world, {"doubtful": None}, first=False)
    with pytest.raises(errors.SubmissionUnknownError, match=r"1 task bears it, 1 of them not confirmed") as caught:
        create(runway, reply_ref="tag")
    assert caught.value.candidates == (f"{OWN}doubtful",)
    assert len(posts) == 1
    runway, _ = lost(world, {"doubtful": None, "good": {"taskId": f"{OWN}good"}}, first=False)
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(runway, reply_ref="tag")
    assert set(caught.value.candidates) == {f"{OWN}doubtful", f"{OWN}good"}


# -- a service that does not show its own task yet -----------------------------------------------------------------------
def slow(world: World, appears_after: float) -> Any:
    """A client of a service whose new task can be read only after some seconds."""
    begun = world.clock.monotonic()

    def handler(request: Request) -> Response:
        if request.method == "POST":
            return Response(200, json={"taskId": f"{OWN}new", "status": "PENDING"})
        if world.clock.monotonic() - begun < appears_after:
            return Response(404, json={"error": "no such task", "code": 404})
        return Response(200, json={"taskId": f"{OWN}new", "status": "SUCCEEDED", "artifacts": []})

    return world.scripted(handler)


def test_a_404_within_the_first_minute_is_not_yet(world: World) -> None:
    """The task of a create of this client is waited for, as a task and by its id."""
    runway = slow(world, 50)
    assert runway.tasks.wait(create(runway)).status == "SUCCEEDED"
    runway = slow(world, 50)
    assert runway.tasks.wait(create(runway).task_id).status == "SUCCEEDED"


def test_a_404_after_the_first_minute_is_final(world: World) -> None:
    """A minute later the service would show it."""
    runway = slow(world, 100)
    task = create(runway)
    begun = world.clock.monotonic()
    with pytest.raises(errors.NotFoundError):
        runway.tasks.wait(task)
    assert 60 <= world.clock.monotonic() - begun < 100


def test_a_404_of_an_id_that_only_the_caller_knows_is_final_at_once(world: World) -> None:
    """This client has not created it."""
    runway = slow(world, 50)
    begun = world.clock.monotonic()
    with pytest.raises(errors.NotFoundError):
        runway.tasks.wait(f"{OWN}other")
    assert world.clock.monotonic() - begun < 5


# -- lists that are refused once -----------------------------------------------------------------------------------------
def test_a_refused_list_is_asked_again_after_a_minute(world: World) -> None:
    """While some wait is always open, one 403 does not leave every later wait to single reads."""
    lists: list[float] = []
    begun = world.clock.monotonic()

    def handler(request: Request) -> Response:
        now = world.clock.monotonic() - begun
        if request.url.path.endswith("/tasks/"):
            lists.append(now)
            if now < 30:
                return Response(403, json={"error": "not now"})
            state = "SUCCEEDED" if now > 200 else "RUNNING"
            return Response(200, json=[{"taskId": f"{OWN}{n}", "status": state, "artifacts": []} for n in range(6)])
        return Response(200, json={"taskId": OWN + request.url.path[-1], "status": "RUNNING"})

    runway = world.scripted(handler)
    assert len(list(runway.tasks.as_completed([f"{OWN}{n}" for n in range(6)]))) == 6
    assert lists[0] < 30
    assert 60 <= lists[1] <= 120, "not every round, and not never"
    assert len(lists) > 3
