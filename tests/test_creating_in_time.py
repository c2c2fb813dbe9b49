"""Creates by the clock and by the evidence: how long they pause, whom they ask, and which task they take for theirs."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from useapi_runwayml import errors

from .conftest import World

EMAIL = "maker@example.com"
ASSET = f"user:4242-runwayml:{EMAIL}-asset:00000000-0000-4000-8000-000000000001"
OURS = f"user:4242-runwayml:{EMAIL}-task:00000000-0000-4000-8000-000000000002"
LOST = httpx.RemoteProtocolError("Server disconnected without sending a response.")


class Service:
    """Answers in turn to each operation, the last for ever, and keeps when it was asked for what."""

    def __init__(self, world: World, **answers: list[Any]) -> None:
        self.world = world
        self.answers = answers
        self.asked: list[tuple[str, float, httpx.Request]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/v1/runwayml")
        name = {"/gen3turbo/video": "create", "/scheduler/": "scheduler", "/tasks/": "tasks"}.get(path, "task")
        answers = self.answers.get(name, [[]])
        answer = answers[min(sum(each == name for each, _, _ in self.asked), len(answers) - 1)]
        self.asked.append((name, self.world.clock.now(), request))
        if isinstance(answer, Exception):
            raise answer
        date = format_datetime(datetime.fromtimestamp(self.world.clock.now(), UTC), usegmt=True)
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers={"Date": date, **answer.headers}, content=answer.content)
        return httpx.Response(200, headers={"Date": date}, json=answer)

    def times(self, name: str) -> list[float]:
        return [at for each, at, _ in self.asked if each == name]

    def create(self, *, pick: int = 1, reply_ref: str | None = "row-1", **settings: Any) -> Any:
        """Whatever is random takes the lower (0) or the upper (1) end."""
        client = self.world.scripted(self, **settings)
        client._target._context.uniform = lambda low, high: (low, high)[pick]
        given = {} if reply_ref is None else {"reply_ref": reply_ref}
        return client.video_to_video.create(asset_id=ASSET, text_prompt="as a watercolour", busy_timeout=600, **given)


def entry(**more: Any) -> dict[str, Any]:
    return {"taskId": OURS, "status": "PENDING", "replyRef": "row-1", "artifacts": [], **more}


def moment(world: World, seconds: float) -> str:
    return (datetime.fromtimestamp(world.clock.now(), UTC) + timedelta(seconds=seconds)).isoformat()


def gaps(times: list[float]) -> list[float]:
    return [round(later - earlier, 3) for earlier, later in itertools.pairwise(times)]


def test_what_was_never_sent_is_tried_again_ever_later(world: World) -> None:
    """Half a second at most, then twice as long each time, by chance within that; max_retries times."""
    service = Service(world, create=[httpx.ConnectError("no")])
    with pytest.raises(errors.APIConnectionError):
        service.create()
    assert gaps(service.times("create")) == [0.5, 1, 2, 4]
    again = Service(world, create=[httpx.ConnectError("no")])
    with pytest.raises(errors.APIConnectionError):
        again.create(pick=0)
    assert gaps(again.times("create")) == [0, 0, 0, 0]


def test_a_busy_answer_begins_the_tries_anew(world: World) -> None:
    """The service was reached: after it, what is not sent is tried as often as if nothing had been, however often it was before."""
    busy = httpx.Response(429, json={"error": "busy"}, headers={"Retry-After": "7"})
    service = Service(world, create=[httpx.ConnectError("no"), busy, httpx.ConnectError("no")])
    with pytest.raises(errors.APIConnectionError):
        service.create()
    assert gaps(service.times("create")) == [0.5, 7, 0.5, 1, 2, 4]


@pytest.mark.parametrize(("header", "pick", "pause"), [("0", 1, 1), ("7", 1, 7), (None, 0, 10), (None, 1, 30)])
def test_a_busy_account_is_asked_again_after_a_while(world: World, header: str | None, pick: int, pause: int) -> None:
    """As long as it says, a second at least; where it says nothing, 10 to 30 seconds by chance."""
    headers = {} if header is None else {"Retry-After": header}
    busy = httpx.Response(429, json={"error": "busy"}, headers=headers)
    service = Service(world, create=[busy, busy, entry()])
    assert service.create(pick=pick).task_id == OURS
    assert gaps(service.times("create")) == [pause, pause]


def test_a_look_up_asks_the_account_for_a_hundred(world: World) -> None:
    """The scheduler, and the newest hundred tasks of the account whose asset it is, every two seconds, to the end of its time."""
    service = Service(world, create=[LOST])
    begun = world.clock.now()
    with pytest.raises(errors.SubmissionUnknownError):
        service.create(lookup_timeout=5)
    assert gaps(service.times("tasks")) == [2, 2, 1]
    assert world.clock.now() - begun == 5
    (query, *_) = [dict(request.url.params) for name, _, request in service.asked if name == "tasks"]
    assert query == {"offset": "0", "limit": "100", "email": EMAIL}


def test_a_callers_reference_is_no_proof_where_nothing_confirms_it(world: World) -> None:
    """A task that bears it and cannot be read is told, and not taken; of a reference of our own it is taken."""
    service = Service(world, create=[LOST], scheduler=[[entry()]], task=[httpx.Response(503)])
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        service.create()
    assert caught.value.candidates == (OURS,)
    assert "not confirmed" in str(caught.value)

    class Echoing(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                reference = json.loads(request.content)["replyRef"]
                self.answers["scheduler"] = [[entry(replyRef=reference)]]
            return super().__call__(request)

    task = Echoing(world, create=[LOST], task=[httpx.Response(503)]).create(reply_ref=None)
    assert task.task_id == OURS


@pytest.mark.parametrize(("age", "is_ours"), [(119, True), (121, False)])
def test_a_task_from_before_the_post_is_anothers(world: World, age: int, is_ours: bool) -> None:
    """By the service's own clock, whose two minutes are forgiven; how long the POST itself took counts."""
    world_begun = moment(world, -age)

    class Slow(Service):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST":
                world.clock.advance(50)
            return super().__call__(request)

    service = Slow(world, create=[LOST], scheduler=[[entry()]], task=[entry(createdAt=world_begun)])
    if is_ours:
        assert service.create().task_id == OURS
    else:
        with pytest.raises(errors.SubmissionUnknownError) as caught:
            service.create(lookup_timeout=7)
        assert caught.value.candidates == ()
        assert len(service.times("task")) == 1, "what is another's is not asked for again"


def test_what_a_task_does_not_show_speaks_not_against_it(world: World) -> None:
    """A task whose options hide the prompt is ours by its reference; its id is kept where its own answer leaves it out."""
    shown = {"status": "RUNNING", "options": {"name": "x"}, "artifacts": []}
    service = Service(world, create=[LOST], scheduler=[[entry()]], task=[shown])
    assert service.create().task_id == OURS
