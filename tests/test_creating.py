"""The life of a create, row by row: one POST at most reaches the service, and nothing that was paid for is lost."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from useapi_runwayml import errors

from .conftest import World

CREATE = "createVideoToVideo"


def create(world: World, client: Any = None, **more: Any) -> Any:
    asset_id = more.pop("asset_id", None) or world.asset()
    return (client or world.client()).video_to_video.create(asset_id=asset_id, text_prompt="As a watercolour", **more)


def test_an_accepted_create_gives_the_task(world: World) -> None:
    """A 2xx with a task id is the task, after one POST, with a fresh unique replyRef."""
    first, second = create(world), create(world)
    assert first.task_id in world.sim.state.tasks
    assert first.reply_ref
    assert first.reply_ref != second.reply_ref
    assert world.calls(CREATE) == 2


@pytest.mark.parametrize("shape", ["flat", "wrapped"])
def test_both_shapes_of_the_answer_give_the_task(world: World, shape: str) -> None:
    """The id is found flat and under `task`."""
    from useapi_runwayml.simulator import Shapes

    world.sim.shapes = Shapes(create=shape)  # type: ignore[arg-type]
    assert create(world).task_id in world.sim.state.tasks


def test_falsy_options_reach_the_wire_and_unset_ones_do_not(world: World) -> None:
    """0 and False are sent; what is None or left out is absent."""
    create(world, structure_transformation=0, explore_mode=False, seed=None)
    (task,) = world.sim.state.tasks.values()
    assert task.request["structure_transformation"] == 0
    assert task.request["exploreMode"] is False
    assert task.request.keys() == {"assetId", "text_prompt", "structure_transformation", "exploreMode", "replyRef"}


@pytest.mark.parametrize("encoding", ["json", "multipart"])
def test_both_encodings_send_the_same(world: World, encoding: str) -> None:
    """JSON and multipart give the service the same fields, an awkward prompt whole."""
    prompt = 'a, "b"\r\nc 😀\r\n--x\r\nContent-Disposition: form-data; name="seed"\r\n\r\n9'
    world.client().video_to_video.create(
        asset_id=world.asset(),
        text_prompt=prompt,
        seed=7,
        explore_mode=True,
        seconds=5,
        reply_ref="r",
        encoding=encoding,
    )
    (task,) = world.sim.state.tasks.values()
    expected = {"text_prompt": prompt, "seed": 7, "exploreMode": True, "seconds": 5, "replyRef": "r"}
    assert {key: value for key, value in task.request.items() if key != "assetId"} == expected


@pytest.mark.parametrize(
    "kind", ["close_before_read", "close_after_action", "close_before_action", "bad_json", "latency"]
)
def test_a_lost_answer_is_looked_up_and_never_sent_again(world: World, kind: str) -> None:
    """After a lost answer there is one POST on the wire; a job that exists is adopted, one that does not is "unknown"."""
    world.faults.add(kind, CREATE, seconds=100.0)
    exists = kind in ("close_after_action", "bad_json", "latency")
    if exists:
        assert create(world).task_id in world.sim.state.tasks
    else:
        with pytest.raises(errors.SubmissionUnknownError) as caught:
            create(world)
        assert caught.value.reply_ref in str(caught.value)
        assert caught.value.candidates == ()
        assert caught.value.__cause__ is not None
        assert any(caught.value.reply_ref in each for each in caught.value.__notes__)
    assert world.calls(CREATE) == 1
    assert len(world.sim.state.tasks) == exists


@pytest.mark.parametrize("status", [302, 408, 500, 502, 503, 504, 520, 522, 524, 599, 600, 700, 999])
@pytest.mark.parametrize("after", [True, False])
def test_a_status_that_proves_nothing_is_looked_up(world: World, status: int, after: bool) -> None:
    """5xx but 596, 408, 3xx and 600 to 999 say nothing about the job: it is found, or the outcome is unknown."""
    world.faults.add("status", CREATE, status=status, content_type="text/plain", after=after)
    if after:
        assert create(world).task_id in world.sim.state.tasks
    else:
        with pytest.raises(errors.SubmissionUnknownError) as caught:
            create(world)
        assert isinstance(caught.value.__cause__, errors.APIStatusError)
        assert caught.value.__cause__.status == status
    assert world.calls(CREATE) == 1


@pytest.mark.parametrize(
    "body", ["{}", '{"task": {}}', '{"id": "u"}', "<html>hello</html>", "", "[]", '{"task": {"id": "u"}}']
)
def test_a_2xx_without_a_task_id_is_looked_up(world: World, body: str) -> None:
    """A bare id is no task id; the body is kept on the cause."""
    world.faults.add("status", CREATE, status=200, body=body, content_type="application/json")
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(world)
    assert isinstance(caught.value.__cause__, errors.APIResponseError)
    assert caught.value.__cause__.status == 200
    assert world.calls(CREATE) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (402, errors.SubscriptionError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (412, errors.InsufficientCreditsError),
        (418, errors.APIStatusError),
        (422, errors.ModerationError),
        (596, errors.AccountSessionError),
    ],
)
def test_a_refusal_is_raised_at_once(world: World, status: int, kind: type[errors.APIStatusError]) -> None:
    """Every other 4xx, and 596, is its typed error: no look-up, no second POST."""
    world.faults.add("status", CREATE, status=status, content_type="application/json")
    with pytest.raises(kind) as caught:
        create(world)
    assert (caught.value.status, caught.value.code) == (status, status)
    assert caught.value.body == {"error": f"simulated {status}", "code": status}
    assert len(world.sim.requests) == 1
    assert any("replyRef" in each for each in caught.value.__notes__)


def test_moderation_is_one_thing_to_catch(world: World) -> None:
    """A 422 and a task that fails over safety are both ContentModerated."""
    client, asset_id = world.client(), world.asset()
    for prompt in ("[moderate] x", "[moderate-later] x"):
        with pytest.raises(errors.ContentModerated):
            client.tasks.wait(client.video_to_video.create(asset_id=asset_id, text_prompt=prompt))
    assert world.calls(CREATE) == 2


@pytest.mark.parametrize("shape", ["account", "upstream"])
def test_a_busy_account_is_waited_for(world: World, shape: str) -> None:
    """After a 429 the same create is posted again, 10 to 30 seconds later."""
    world.faults.add("busy", CREATE, shape=shape, nth=[1, 2])
    begun = world.clock.now()
    assert create(world).task_id
    assert 20 <= world.clock.now() - begun <= 60
    assert world.calls(CREATE) == 3
    assert len(world.sim.state.tasks) == 1


def test_retry_after_says_how_long_to_wait(world: World) -> None:
    """Retry-After on a 429 is what is waited."""
    world.faults.add("busy", CREATE, retry_after="17", nth=1)
    begun = world.clock.now()
    create(world)
    assert world.clock.now() - begun == pytest.approx(17)


@pytest.mark.parametrize(
    ("shape", "kind"), [("account", errors.AccountBusyError), ("upstream", errors.UpstreamBusyError)]
)
@pytest.mark.parametrize("patience", [0, 45])
def test_patience_ends(world: World, shape: str, kind: type[errors.RateLimitError], patience: float) -> None:
    """With busy_timeout 0 the 429 is raised at once, else when the time is over, in its own class."""
    world.faults.add("busy", CREATE, shape=shape)
    begun = world.clock.now()
    with pytest.raises(kind) as caught:
        create(world, busy_timeout=patience)
    assert world.clock.now() - begun <= patience
    assert (world.calls(CREATE) == 1) == (patience == 0)
    assert caught.value.status == 429


def test_a_full_queue_names_the_tasks_in_the_way(world: World) -> None:
    """AccountBusyError maps the account's email to the running tasks."""
    for _ in range(5):
        create(world, reply_ref="mine")
    with pytest.raises(errors.AccountBusyError) as caught:
        create(world, busy_timeout=0)
    (running,) = caught.value.running_tasks.values()
    assert list(caught.value.running_tasks) == ["maker@example.com"]
    assert {each.task_id for each in running} == set(world.sim.state.tasks)
    assert {each.reply_ref for each in running} == {"mine"}


def test_a_connection_that_was_never_made_is_tried_again(world: World) -> None:
    """A refused connection sends nothing, so it may be repeated; then there is one task."""
    world.faults.add("unreachable", CREATE, nth=[1, 2])
    assert create(world).task_id
    assert len(world.sim.state.tasks) == 1


def test_never_sent_is_said_so(world: World) -> None:
    """When no connection can be made at all, maybe_sent is False and no look-up follows."""
    world.faults.add("unreachable", CREATE)
    with pytest.raises(errors.APIConnectionError) as caught:
        create(world)
    assert caught.value.maybe_sent is False
    assert world.calls(CREATE) == 5
    assert world.calls("listScheduler") == 0


def test_a_task_that_shows_up_late_is_found(world: World) -> None:
    """The look-up goes on until lookup_timeout, since the service may still be working."""
    world.faults.add("close_after_action", CREATE)
    world.faults.add("hide_in_scheduler", CREATE, seconds=9.0)
    world.faults.add("hide_in_list", CREATE)
    begun = world.clock.now()
    assert create(world).task_id in world.sim.state.tasks
    assert 9 <= world.clock.now() - begun <= 20


def test_what_is_not_found_is_looked_for_for_twenty_seconds(world: World) -> None:
    """Unless the client was told otherwise; then nobody knows what became of it."""
    world.faults.add("close_before_action", CREATE)
    asset_id, begun = world.asset(), world.clock.now()
    with pytest.raises(errors.SubmissionUnknownError):
        create(world, asset_id=asset_id)
    assert world.clock.now() - begun == pytest.approx(20, abs=0.5)


def test_a_look_up_whose_reads_fail_goes_on(world: World) -> None:
    """A scheduler that is down does not hide what the list shows, and the other way round."""
    world.faults.add("close_after_action", CREATE)
    world.faults.add("status", "listScheduler", status=503)
    world.faults.add("status", "listTasks", status=522, nth=[1, 2])
    assert create(world).task_id in world.sim.state.tasks
    assert world.calls(CREATE) == 1


def test_a_list_without_references_proves_nothing(world: World) -> None:
    """When neither place can show the job, the outcome stays unknown."""
    from useapi_runwayml.simulator import Shapes

    world.sim.shapes = Shapes(list_shows_reply_ref=False)
    world.faults.add("close_after_action", CREATE)
    world.faults.add("hide_in_scheduler", CREATE, seconds=1000.0)
    with pytest.raises(errors.SubmissionUnknownError):
        create(world)


def test_an_older_task_with_the_same_reference_is_not_ours(world: World) -> None:
    """With a caller's replyRef, a task with another prompt, or from before the POST, is not taken for ours."""
    client, asset_id = world.client(), world.asset()
    for prompt in ("As a watercolour", "As an oil painting"):
        client.video_to_video.create(asset_id=asset_id, text_prompt=prompt, reply_ref="row-1")
    world.clock.advance(600)
    world.faults.add("close_before_action", CREATE)
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(world, client, asset_id=asset_id, reply_ref="row-1")
    assert caught.value.candidates == ()
    world.faults.clear()
    world.faults.add("close_after_action", CREATE)
    found = create(world, client, asset_id=asset_id, reply_ref="row-1")
    assert found.task_id == list(world.sim.state.tasks)[-1]


def test_two_candidates_are_not_guessed_between(world: World) -> None:
    """Two tasks that could both be ours: both ids are told, none is chosen, and nobody waits for that to change."""
    client, asset_id = world.client(), world.asset()
    create(world, asset_id=asset_id, reply_ref="row-1")  # by another client, so that this one has not given it out
    world.faults.add("close_after_action", CREATE)
    begun = world.clock.now()
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(world, client, asset_id=asset_id, reply_ref="row-1")
    assert set(caught.value.candidates) == set(world.sim.state.tasks)
    assert world.clock.now() - begun < 10, "of the 20 s that there are"


def test_tasks_find_recovers_later(world: World) -> None:
    """What the look-up could not find in time, `tasks.find` finds by the exception's replyRef."""
    client = world.client(lookup_timeout=1)
    world.faults.add("close_after_action", CREATE)
    world.faults.add("status", "listScheduler", status=503, times=5)
    world.faults.add("status", "listTasks", status=503, times=5)
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        create(world, client)
    world.faults.clear()
    assert client.tasks.find(caught.value.reply_ref).task_id in world.sim.state.tasks
    assert client.tasks.find("nobody's") is None


def test_find_gives_the_newest_that_has_ended(world: World) -> None:
    """Of several ended tasks with one reference, the newest is found on the list."""
    client, asset_id = world.client(), world.asset()
    before = create(world, client, asset_id=asset_id, reply_ref="before").task_id
    world.clock.advance(100)
    made = []
    for _ in range(3):
        made.append(create(world, client, asset_id=asset_id, reply_ref="again").task_id)
        world.clock.advance(100)
    assert client.tasks.find("again").task_id == made[-1]
    assert client.tasks.find("before").task_id == before, "it looks past the others"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_interruption_carries_the_reference(world: World, interruption: type[BaseException]) -> None:
    """Whatever breaks into a create leaves with its replyRef as a note, and nothing is sent again."""
    sent = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content)["replyRef"])
        raise interruption

    with pytest.raises(interruption) as caught:
        create(world, world.scripted(handler))
    assert len(sent) == 1
    assert any(sent[0] in note for note in caught.value.__notes__)


def test_nothing_is_sent_for_wrong_parameters(world: World) -> None:
    """All problems at once, each with field, value and rule, and no request."""
    with pytest.raises(errors.ParameterError) as caught:
        world.client().video_to_video.create(
            asset_id="a/b", text_prompt=None, seed=0, seconds=7, extra_body={"seed": 1}, encoding="xml", busy_timeout=-1
        )
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["asset_id", "text_prompt", "seconds", "seed", "seed", "encoding", "busy_timeout"]
    assert all(problem.rule in str(caught.value) for problem in caught.value.problems)
    assert isinstance(caught.value, ValueError)
    assert not world.sim.requests


def test_unknown_parameters_are_refused_and_extra_ones_pass(world: World) -> None:
    """A misspelt keyword is a TypeError; `extra_body` carries what the document does not know."""
    with pytest.raises(TypeError):
        create(world, sed=1)
    create(world, extra_body={"new_option": {"deep": [1, None, "x"]}})
    (task,) = world.sim.state.tasks.values()
    assert task.request["new_option"] == {"deep": [1, None, "x"]}


@pytest.mark.parametrize(
    "extra", [{"a": float("nan")}, {"a": "\ud800"}, {"a": [object()]}, {1: 2}, [1], {"a": {"b": float("inf")}}]
)
def test_what_cannot_be_sent_is_refused(world: World, extra: Any) -> None:
    """NaN, a lone surrogate and what is no JSON never leave."""
    with pytest.raises(errors.ParameterError):
        create(world, extra_body=extra)
    assert not world.sim.requests
