"""Waiting: until the end, through bad polls, within the deadline, and many at the price of few."""

from __future__ import annotations

import asyncio
import itertools
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import useapi_runwayml
from useapi_runwayml import Task, errors
from useapi_runwayml._core.asking import Terms, Watch
from useapi_runwayml._core.effects import Options, Park, Sleep
from useapi_runwayml._core.waiting import as_they_end
from useapi_runwayml.simulator import ManualClock, Simulator, SimulatorTransport

from .conftest import BASE_URL, TOKEN, World

TASK = "user:4242-runwayml:maker@example.com-task:t1"


def scripted(world: World, steps: list[Any], **settings: Any) -> tuple[Any, list[float]]:
    """A client whose reads give one step after the other (the last for ever), and when each was asked for."""
    asked: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        step = steps[min(len(asked), len(steps) - 1)]
        asked.append(world.clock.now())
        if isinstance(step, Exception):
            raise step
        return (
            step
            if isinstance(step, httpx.Response)
            else httpx.Response(200, json={"taskId": TASK, "artifacts": [], **step})
        )

    return world.scripted(handler, **settings), asked


def test_it_waits_through_all_states(world: World) -> None:
    """PENDING, RUNNING and SUCCEEDED, with progress that never leaves 0 to 1; then the task."""
    seen: list[useapi_runwayml.Progress] = []
    client = world.client()
    task = client.video_to_video.create(asset_id=world.asset(), text_prompt="x")
    done = client.tasks.wait(task, on_progress=seen.append)
    assert done.status == "SUCCEEDED"
    assert done.artifacts[0].url
    assert {each.status for each in seen} == {"PENDING", "RUNNING", "SUCCEEDED"}
    assert all(each.ratio is None or 0 <= each.ratio <= 1 for each in seen)
    assert [each.elapsed_seconds for each in seen] == sorted(each.elapsed_seconds for each in seen)


def test_seconds_that_are_left_are_those_until_the_end(world: World) -> None:
    """By the pace so far: a task that does a hundredth a second has what is left of a hundred; each answer came at the first try."""

    def handler(request: httpx.Request) -> httpx.Response:
        ratio = (world.clock.now() - start) / 100
        state = {"status": "RUNNING", "progressRatio": ratio} if ratio < 1 else {"status": "SUCCEEDED", "artifacts": []}
        return httpx.Response(200, json={"taskId": TASK, **state})

    start = world.clock.now()
    seen: list[useapi_runwayml.Progress] = []
    done = world.scripted(handler).tasks.wait(TASK, on_progress=seen.append)
    assert done.response.tries == 1
    told = [each.elapsed_seconds + each.seconds_left for each in seen if each.seconds_left]
    assert len(told) > 3
    assert told == pytest.approx([100] * len(told))


def test_one_bad_poll_is_ridden_out(world: World) -> None:
    """522 in plain text, a read timeout and a 429 between RUNNING and SUCCEEDED change nothing."""
    steps = [
        {"status": "RUNNING"},
        httpx.Response(522, text="error code: 522"),
        httpx.ReadTimeout("slow"),
        httpx.Response(429, json={"error": "x"}, headers={"Retry-After": "1"}),
        httpx.Response(200, text="<html>"),
        {"status": "SUCCEEDED"},
    ]
    client, asked = scripted(world, steps)
    assert client.tasks.wait(TASK).status == "SUCCEEDED"
    assert len(asked) == 6


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (402, errors.SubscriptionError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (410, errors.GoneError),
        (596, errors.AccountSessionError),
    ],
)
def test_a_permanent_error_is_raised_at_once(world: World, status: int, kind: type[errors.UseapiError]) -> None:
    """What no later poll can mend is raised after one request, with the task's id."""
    client, asked = scripted(world, [httpx.Response(status, json={"error": "no"})])
    with pytest.raises(kind) as caught:
        client.tasks.wait(TASK)
    assert caught.value.task_id == TASK
    assert len(asked) == 1


def test_unknown_states_go_on_and_cancelled_ends(world: World) -> None:
    """THROTTLED and a state of tomorrow are waited through; CANCELLED is an end."""
    steps = [{"status": "THROTTLED"}] * 3 + [{"status": "QUEUED_V2"}, {"status": "SUCCEEDED"}]
    client, asked = scripted(world, steps)
    assert client.tasks.wait(TASK).status == "SUCCEEDED"
    assert len(asked) == 5
    client, _ = scripted(world, [{"status": "CANCELLED"}])
    with pytest.raises(errors.TaskCancelledError) as caught:
        client.tasks.wait(TASK)
    assert caught.value.task_id == TASK


@pytest.mark.parametrize(
    ("error", "kind", "reason", "category", "told"),
    [
        (None, errors.TaskFailedError, None, None, "no reason"),
        ("boom", errors.TaskFailedError, None, None, "boom"),
        (
            {"reason": "INTERNAL.BAD_OUTPUT.CODE01"},
            errors.TaskFailedError,
            "INTERNAL.BAD_OUTPUT.CODE01",
            None,
            "INTERNAL",
        ),
        ({"reason": "SAFETY.INPUT.TEXT", "message": "m"}, errors.TaskModeratedError, "SAFETY.INPUT.TEXT", None, "m"),
        ({"moderation_category": "gore"}, errors.TaskModeratedError, None, "gore", "moderated"),
        (["odd"], errors.TaskFailedError, None, None, "no reason"),
    ],
)
def test_a_failure_tells_why(
    world: World, error: Any, kind: type[errors.TaskFailedError], reason: Any, category: Any, told: str
) -> None:
    """FAILED raises with reason and category where given, and keeps the task."""
    client, asked = scripted(world, [{"status": "FAILED", "error": error}])
    with pytest.raises(errors.TaskFailedError) as caught:
        client.tasks.wait(TASK)
    assert type(caught.value) is kind
    assert (caught.value.reason, caught.value.category) == (reason, category)
    assert told in str(caught.value)
    assert caught.value.task is not None
    assert caught.value.task.to_dict()["error"] == error
    assert len(asked) == 1


def test_the_deadline_keeps_the_receipt(world: World) -> None:
    """At the deadline: the id, the last task, no request after it, and another process can go on from the id."""
    client, asked = scripted(world, [{"status": "PENDING"}] * 2 + [httpx.Response(503)])
    begun = world.clock.now()
    with pytest.raises(errors.WaitTimeoutError) as caught:
        client.tasks.wait(TASK, timeout=33.3, poll_interval=10)
    assert isinstance(caught.value, TimeoutError)
    assert (caught.value.task_id, caught.value.task_ids) == (TASK, (TASK,))
    assert caught.value.task is not None
    assert caught.value.task.status == "PENDING"
    assert "503" in str(caught.value)
    assert world.clock.now() - begun == pytest.approx(33.3)
    assert asked[-1] - begun < 33.3
    other, _ = scripted(world, [{"status": "SUCCEEDED"}])
    assert other.tasks.wait(caught.value.task_id).status == "SUCCEEDED"


@pytest.mark.parametrize("how", ["wait", "as_completed"])
def test_an_hour_is_waited_unless_told_otherwise(world: World, how: str) -> None:
    """By both ways to wait."""
    client, _ = scripted(world, [{"status": "PENDING"}] * 800)
    begun = world.clock.now()
    tasks = client.tasks
    ask = {"wait": lambda: tasks.wait(TASK), "as_completed": lambda: next(iter(tasks.as_completed([TASK])))}[how]
    with pytest.raises(errors.WaitTimeoutError):
        ask()
    assert world.clock.now() - begun == pytest.approx(3600)


def test_the_wall_clock_may_jump(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines go by the monotonic clock alone."""
    import time

    monkeypatch.setattr(time, "time", lambda: 0.0)
    client, _ = scripted(world, [{"status": "RUNNING"}, {"status": "SUCCEEDED"}])
    assert client.tasks.wait(TASK, timeout=100).status == "SUCCEEDED"


def test_a_wish_to_wait_beyond_the_deadline_is_raised_at_once(world: World) -> None:
    """Retry-After is honoured within the deadline; beyond it there is no use in waiting."""
    limited = httpx.Response(429, json={"error": "x"}, headers={"Retry-After": "50"})
    client, asked = scripted(world, [limited, {"status": "SUCCEEDED"}])
    begun = world.clock.now()
    assert client.tasks.wait(TASK, timeout=100).status == "SUCCEEDED"
    assert world.clock.now() - begun >= 50
    client, asked = scripted(world, [limited])
    with pytest.raises(errors.UpstreamBusyError):
        client.tasks.wait(TASK, timeout=40)
    assert len(asked) == 1


def test_polls_are_never_under_five_seconds_by_default(world: World) -> None:
    """The pauses fit the task: 5 seconds at least, longer for one that has far to go or is throttled."""
    steps = [
        {"status": "PENDING", "estimatedTimeToStartSeconds": 40},
        {"status": "RUNNING", "progressRatio": "0.99"},
        {"status": "RUNNING", "progressRatio": 0.1},
        {"status": "THROTTLED"},
        {"status": "RUNNING", "progressRatio": "NaN"},
        {"status": "SUCCEEDED"},
    ]
    client, asked = scripted(world, steps)
    client.tasks.wait(TASK)
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert all(pause >= 5 for pause in pauses)
    assert 20 <= pauses[0] <= 24
    assert pauses[1] <= 6
    assert pauses[2] >= 30
    assert pauses[3] >= 60


def test_what_has_ended_costs_one_request_or_none(world: World) -> None:
    """A bare id of an ended task takes one request; a Task that is known to have ended takes none."""
    client, asked = scripted(world, [{"status": "SUCCEEDED", "artifacts": None}])
    done = client.tasks.wait(TASK)
    assert len(asked) == 1
    assert client.tasks.wait(done) is done
    assert list(client.tasks.as_completed([done])) == [done]
    assert len(asked) == 1


def test_an_interval_may_be_short(world: World) -> None:
    """Of half a second, too, for whoever asks for it."""
    client, asked = scripted(world, [{"status": "RUNNING"}, {"status": "SUCCEEDED"}])
    assert client.tasks.wait(TASK, poll_interval=0.5).status == "SUCCEEDED"
    assert 0.5 <= asked[1] - asked[0] <= 0.6


@pytest.mark.parametrize("bad", [{"timeout": -1}, {"timeout": True}, {"poll_interval": 0}, {"poll_interval": "5"}])
def test_odd_terms_are_refused(world: World, bad: dict[str, Any]) -> None:
    """Times that are no times send nothing."""
    client, asked = scripted(world, [{"status": "SUCCEEDED"}])
    with pytest.raises(errors.ParameterError):
        client.tasks.wait(TASK, **bad)
    for wrong in ("", "a/b", "..", 7, None):
        with pytest.raises(errors.ParameterError):
            client.tasks.wait(wrong)
    assert asked == []


def many(world: World, count: int, seconds: float, prompt: Callable[[int], str] = lambda _: "x") -> list[str]:
    """Tasks that are there without requests."""
    from useapi_runwayml.simulator.plan import make_plan, outcome_of
    from useapi_runwayml.simulator.state import Task

    asset_id, found = world.asset(), []
    for number in range(count):
        task_id = world.sim.state.new_id("maker@example.com", "task")
        plan = make_plan(world.sim.state.chance, outcome_of(prompt(number)), seconds + number * 20 / count)
        body = {"text_prompt": prompt(number)}
        now = world.clock.now()
        task = Task(task_id, "maker@example.com", now, plan, body, 1, asset_id, 50, "createVideoToVideo")
        world.sim.state.add_task(task, world.clock.now())
        found.append(task_id)
    return found


def test_as_completed_gives_each_as_it_ends_whatever_its_end(world: World) -> None:
    """Successes, failures and cancellations are all given, once each, in the order of their ends; unknown ids raise and it goes on."""
    words = ["x", "[fail]", "[cancel]", "[no-output]"]
    ids = many(world, 8, 60, lambda number: words[number % 4])
    missing = TASK + "-missing"
    given, raised = [], []
    tasks = world.client().tasks.as_completed([*ids, missing, ids[0]])
    while True:
        try:
            given.append(next(tasks))
        except errors.NotFoundError as error:
            raised.append(error.task_id)
        except StopIteration:
            break
    assert raised == [missing]
    assert sorted(task.task_id for task in given) == sorted(ids)
    assert {task.status for task in given} == {"SUCCEEDED", "FAILED", "CANCELLED"}


def test_as_completed_tells_at_the_deadline_what_is_open(world: World) -> None:
    """WaitTimeoutError carries every id that has not ended."""
    ids = [*many(world, 3, 30), *many(world, 3, 3000)]
    tasks = world.client().tasks.as_completed(ids, timeout=200)
    given = [next(tasks).task_id for _ in range(3)]
    with pytest.raises(errors.WaitTimeoutError) as caught:
        next(tasks)
    assert sorted(given) == sorted(ids[:3])
    assert sorted(caught.value.task_ids) == sorted(ids[3:])


@pytest.mark.slow
def test_a_thousand_tasks_cost_few_requests_and_come_in_time(world: World) -> None:
    """1,000 tasks of ten minutes: at most half a request each, each given within one interval of its end, 32 MB at most."""
    ids = many(world, 1000, 600)
    client = world.client()
    list(client.tasks.as_completed(many(world, 1, 1)))
    ends = {key: task.created + task.plan.ends for key, task in world.sim.state.tasks.items()}
    world.sim.requests.clear()
    tracemalloc.start()
    late = [world.clock.now() - ends[task.task_id] for task in client.tasks.as_completed(ids, on_progress=None)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(late) == 1000
    assert max(late) <= 36
    assert len(world.sim.requests) <= 500
    assert peak < 32 << 20


@pytest.mark.parametrize("order", ["newest", "oldest"])
@pytest.mark.parametrize("envelope", ["bare", "wrapped"])
def test_the_list_may_come_in_any_shape(world: World, order: Any, envelope: Any) -> None:
    """Neither the envelope nor the order of the list is relied on."""
    from useapi_runwayml.simulator import Shapes

    world.sim.shapes = Shapes(order=order, tasks=envelope)
    ids = many(world, 20, 60)
    assert len(list(world.client().tasks.as_completed(ids))) == 20


@pytest.mark.parametrize("status", [400, 404, 503])
def test_a_list_that_fails_degrades_to_single_reads(world: World, status: int) -> None:
    """Without the list every task is still given, under a total rate of reads."""
    world.faults.add("status", "listTasks", status=status)
    ids = many(world, 40, 60)
    begun = world.clock.now()
    assert len(list(world.client().tasks.as_completed(ids))) == 40
    assert world.calls("getTask") <= 2.5 * (world.clock.now() - begun) + 10


def test_tasks_that_the_list_never_shows_are_read_by_their_ids(world: World) -> None:
    """What the list does not answer for, a read of the task does."""
    ids = many(world, 6, 60)
    for task_id in ids[:3]:
        world.sim.state.tasks[task_id].in_list = False
    assert len(list(world.client().tasks.as_completed(ids))) == 6


@pytest.mark.parametrize("status", [401, 402, 596])
def test_an_error_of_the_account_ends_all_its_waits(world: World, status: int) -> None:
    """401, 402 and 596 are told for every task at once, each with its id."""
    world.faults.add("status", "listTasks", status=status)
    ids = many(world, 30, 60)
    tasks, raised = world.client().tasks.as_completed(ids), []
    for _ in ids:
        with pytest.raises(errors.APIStatusError) as caught:
            next(tasks)
        raised.append(caught.value.task_id)
    assert sorted(raised) == sorted(ids)
    assert len(world.sim.requests) == 1


def async_world(count: int, seconds: float) -> tuple[World, list[str], Any]:
    world = World("async-loop", ManualClock())
    ids = many(world, count, seconds)
    http_client = httpx.AsyncClient(transport=SimulatorTransport(world.sim))
    client = useapi_runwayml.AsyncRunwayClient(TOKEN, base_url=BASE_URL, http_client=http_client)
    client._use_clock(world.clock)
    return world, ids, client


@pytest.mark.slow
def test_a_thousand_concurrent_waits_share_their_rounds() -> None:
    """1,000 awaited `wait`s of ten minutes cost at most half a request each."""
    world, ids, client = async_world(1000, 600)

    async def main() -> list[Any]:
        return await asyncio.gather(*(client.tasks.wait(each) for each in ids))

    done = asyncio.run(main())
    assert [task.task_id for task in done] == ids
    assert len(world.sim.requests) <= 500


def test_a_cancelled_leader_passes_the_lead_on() -> None:
    """When the wait that asks for all is cancelled or ends, the others go on; nothing is deleted."""
    world, ids, client = async_world(4, 60)

    async def main() -> list[Any]:
        waits = [asyncio.create_task(client.tasks.wait(each)) for each in ids]
        for _ in range(20):
            await asyncio.sleep(0)
        waits[0].cancel()
        waits[2].cancel()
        return await asyncio.gather(*waits, return_exceptions=True)

    done = asyncio.run(main())
    assert [type(each) for each in done[::2]] == [asyncio.CancelledError] * 2
    assert [each.status for each in done[1::2]] == ["SUCCEEDED"] * 2
    assert not any(seen.method == "DELETE" for seen in world.sim.requests)


def test_one_deadline_does_not_end_the_others() -> None:
    """Each concurrent wait has a deadline of its own."""
    _, ids, client = async_world(4, 60)

    async def main() -> list[Any]:
        waits = [client.tasks.wait(each, timeout=20 if number % 2 else 500) for number, each in enumerate(ids)]
        return await asyncio.gather(*waits, return_exceptions=True)

    done = asyncio.run(main())
    assert [type(each) for each in done[1::2]] == [errors.WaitTimeoutError] * 2
    assert [each.status for each in done[::2]] == ["SUCCEEDED"] * 2


def test_waits_for_the_same_task_do_not_disturb_each_other() -> None:
    """One hears of the progress, one has less time, and all of what they wait for; then nothing is left of them."""
    _, ids, client = async_world(1, 60)
    seen: list[useapi_runwayml.Progress] = []

    async def main() -> list[Any]:
        terms: list[dict[str, Any]] = [{}, {"timeout": 20}, {"on_progress": seen.append}]
        return await asyncio.gather(*(client.tasks.wait(ids[0], **each) for each in terms), return_exceptions=True)

    plain, short, told = asyncio.run(main())
    assert (plain.status, told.status) == ("SUCCEEDED", "SUCCEEDED")
    assert isinstance(short, errors.WaitTimeoutError)
    assert short.task is not None
    assert seen[0].status != "SUCCEEDED"
    assert client._group.watching == {}


@pytest.mark.parametrize(("times", "is_told"), [(1, False), (None, True)])
def test_the_last_trouble_is_told_to_all_who_wait(times: int | None, is_told: bool) -> None:
    """At the deadline each hears of it, unless the task was read since."""
    world, ids, client = async_world(1, 60)
    world.faults.add("status", "getTask", status=503, times=times)

    async def main() -> list[Any]:
        return await asyncio.gather(*(client.tasks.wait(ids[0], timeout=20) for _ in "ab"), return_exceptions=True)

    for error in asyncio.run(main()):
        assert isinstance(error, errors.WaitTimeoutError)
        assert ("the last look failed" in str(error)) is is_told


def test_the_turn_of_a_task_is_forgotten_with_its_wait() -> None:
    """A client that always waits for something does not grow by what it has waited for."""
    world, ids, client = async_world(2, 60)
    for task_id in ids:
        world.sim.state.tasks[task_id].in_list = False

    async def main() -> list[Any]:
        return await asyncio.gather(*(client.tasks.wait(each) for each in ids))

    assert [task.task_id for task in asyncio.run(main())] == ids
    assert list(client._group.turns) == ids[1:]


def test_each_who_waits_has_an_error_of_its_own() -> None:
    """What one caller notes on it, or how it was raised there, is not seen by another."""
    _, _, client = async_world(1, 60)

    async def main() -> list[Any]:
        return await asyncio.gather(*(client.tasks.wait(TASK) for _ in "ab"), return_exceptions=True)

    one, other = asyncio.run(main())
    assert (type(one), type(other)) == (errors.NotFoundError, errors.NotFoundError)
    assert one is not other


def test_what_one_has_been_given_another_may_wait_for(world: World) -> None:
    """An iteration that goes on with other tasks keeps nobody from the one that it has had."""
    ids = [*many(world, 1, 10), *many(world, 1, 600)]
    client = world.client()
    tasks = client.tasks.as_completed(ids)
    assert next(tasks).task_id == ids[0]
    assert client.tasks.wait(ids[0], timeout=20).status == "SUCCEEDED"
    assert next(tasks).task_id == ids[1]


def test_threads_share_a_client() -> None:
    """Waits from many threads on one client all end, and share their rounds."""
    from concurrent.futures import ThreadPoolExecutor

    world = World("sync", ManualClock())
    ids = many(world, 24, 60)
    client = world.client()
    with ThreadPoolExecutor(24) as pool:
        done = list(pool.map(lambda each: client.tasks.wait(each, timeout=10_000), ids))
    assert [task.task_id for task in done] == ids


def test_an_iteration_that_is_given_up_leaves_nothing_behind(world: World) -> None:
    """Breaking out of `as_completed` frees the group for the waits that follow."""
    ids = many(world, 5, 60)
    client = world.client()
    tasks = client.tasks.as_completed(ids)
    next(tasks)
    del tasks
    assert client.tasks.wait(ids[4]).status == "SUCCEEDED"


def test_a_second_event_loop_is_told_why_not() -> None:
    """An async client in another loop gives a clear error."""
    client = useapi_runwayml.AsyncRunwayClient(
        TOKEN, base_url=BASE_URL, http_client=httpx.AsyncClient(transport=SimulatorTransport(Simulator()))
    )

    async def ask() -> Any:
        return await client.scheduler.list()

    assert asyncio.run(ask()) == []
    with pytest.raises(errors.UseapiError, match="another event loop"):
        asyncio.run(ask())

    async def look() -> None:
        async for _ in client.tasks.list():
            pytest.fail("it is asked in another loop")

    with pytest.raises(errors.UseapiError, match="another event loop"):
        asyncio.run(look())


# -- thousands ----------------------------------------------------------------------------------------------------------
@pytest.mark.proof
def test_five_thousand_tasks_cost_few_requests_and_come_in_time() -> None:
    """Beyond what the lists reach, the scheduler tells what goes on: at most half a request each, and each given soon after its end."""
    world = World("sync", ManualClock())
    ids = many(world, 5000, 600)
    ends = {key: task.created + task.plan.ends for key, task in world.sim.state.tasks.items()}
    late = [world.clock.now() - ends[str(task.task_id)] for task in world.client().tasks.as_completed(ids)]
    assert len(late) == 5000
    assert max(late) <= 36
    assert len(world.sim.requests) <= 2500
    assert world.calls("getTask") <= 500


@pytest.mark.proof
def test_five_thousand_waits_share_their_rounds() -> None:
    """`wait`s that run at once cost no more than one iteration."""
    world, ids, client = async_world(5000, 600)

    async def main() -> list[Any]:
        return await asyncio.gather(*(client.tasks.wait(each) for each in ids))

    done = asyncio.run(main())
    assert [task.task_id for task in done] == ids
    assert len(world.sim.requests) <= 2500


@pytest.mark.slow
def test_what_has_ended_long_ago_is_read_as_fast_as_it_is_answered(world: World) -> None:
    """2,600 ended tasks, 600 of them out of the lists' reach: one read each, in answers' time, not at a fixed rate."""
    ids = many(world, 2600, 1)
    world.clock.advance(100)
    begun = world.clock.now()
    assert len(list(world.client().tasks.as_completed(ids))) == 2600
    assert 600 <= world.calls("getTask") <= 610
    assert world.clock.now() - begun < 60


def test_reads_that_are_answered_slowly_end_a_round(world: World) -> None:
    """A round of single reads lasts no longer than its pause, so that the lists are asked again; nobody is forgotten."""
    ids = many(world, 40, 1)
    world.clock.advance(100)
    for task_id in ids:
        world.sim.state.tasks[task_id].in_list = False
    world.faults.add("latency", "getTask", seconds=2)
    begun = world.clock.now()
    assert len(list(world.client().tasks.as_completed(ids))) == 40
    assert world.calls("getTask") == 40
    assert world.calls("listTasks") > 10
    assert world.clock.now() - begun == pytest.approx(40 * 2), "none of the rounds waits for the next"


def test_a_service_that_asks_to_wait_is_not_read_on(world: World) -> None:
    """After a 429 with Retry-After no read follows before that."""
    ids = many(world, 12, 1)
    world.clock.advance(100)
    for task_id in ids:
        world.sim.state.tasks[task_id].in_list = False
    world.faults.add("status", "getTask", status=429, retry_after=50, times=1)
    begun = world.clock.now()
    tasks = world.client().tasks.as_completed(ids)
    next(tasks)
    assert world.clock.now() - begun >= 50
    assert len(list(tasks)) == 11
    assert world.calls("getTask") == 13


def test_a_scheduler_that_is_never_done_loses_no_end(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it shows as going on is read in turn all the same, a few in each round."""
    ids = many(world, 20, 60)
    for task_id in ids:
        world.sim.state.tasks[task_id].in_list = False
    monkeypatch.setattr(type(world.sim.state), "tracked", lambda self, email, now: list(self.tasks.values()))
    assert len(list(world.client().tasks.as_completed(ids))) == 20


@pytest.mark.parametrize(("is_tracked", "reads"), [(True, 2), (False, 10)])
def test_what_no_list_shows_is_read_at_leisure_while_it_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, is_tracked: bool, reads: int
) -> None:
    """Two in each round, or all if the scheduler shows none of them; and five seconds are between two rounds."""
    ids = many(world, 10, 600)
    for task_id in ids:
        world.sim.state.tasks[task_id].in_list = False
    world.faults.add("latency", "getTask", seconds=0.1)
    if not is_tracked:
        monkeypatch.setattr(type(world.sim.state), "tracked", lambda self, email, now: [])
    with pytest.raises(errors.WaitTimeoutError):
        next(world.client().tasks.as_completed(ids, timeout=59))
    assert 2 < world.calls("listScheduler") <= 12
    assert world.calls("getTask") <= reads * world.calls("listScheduler")


@pytest.mark.parametrize("status", [403, 404, 500])
def test_without_lists_and_scheduler_every_end_is_told(world: World, status: int) -> None:
    """Single reads are the last way, and they pause between their rounds."""
    world.faults.add("status", "listTasks", status=status)
    world.faults.add("status", "listScheduler", status=status)
    ids = many(world, 40, 60)
    assert len(list(world.client().tasks.as_completed(ids))) == 40
    assert world.calls("getTask") <= 40 * 16


@pytest.mark.parametrize(("count", "operation"), [(1, "getTask"), (2, "listTasks")])
def test_one_is_read_and_two_are_looked_up_in_a_list(world: World, count: int, operation: str) -> None:
    """So that each look is one request, whichever it is."""
    ids = many(world, count, 60)
    with pytest.raises(errors.WaitTimeoutError):
        next(world.client().tasks.as_completed(ids, timeout=30))
    assert {seen.operation for seen in world.sim.requests} == {operation}


def test_the_scheduler_is_asked_for_many_only(world: World) -> None:
    """Where the lists answer for all, nothing else is asked."""
    ids = many(world, 20, 60)
    assert len(list(world.client().tasks.as_completed(ids))) == 20
    assert world.calls("listScheduler") == 0


def test_reads_without_lists_and_scheduler_pause_between_their_rounds(world: World) -> None:
    """Nothing says that the tasks have ended: half of the time, at the most, goes into reading them."""
    for operation in ("listTasks", "listScheduler"):
        world.faults.add("status", operation, status=403)
    world.faults.add("latency", "getTask", seconds=0.5)
    ids = many(world, 40, 60)
    begun = world.clock.now()
    assert len(list(world.client().tasks.as_completed(ids))) == 40
    assert world.calls("getTask") * 0.5 <= 0.6 * (world.clock.now() - begun)


def test_reads_take_turns(world: World) -> None:
    """Of many that only reads can answer, the last ones are not read after the first have ended, but in their turn."""
    for operation in ("listTasks", "listScheduler"):
        world.faults.add("status", operation, status=403)
    world.faults.add("latency", "getTask", seconds=1)
    ids = [*many(world, 40, 2000), *many(world, 1, 30)]
    begun = world.clock.now()
    assert next(iter(world.client().tasks.as_completed(ids))).task_id == ids[-1]
    assert world.clock.now() - begun < 200


@pytest.mark.slow
def test_tasks_that_only_the_scheduler_shows_are_asked_for_as_seldom_as_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause follows those whose state is known: a hundred tasks of an hour, of which lists show twenty."""
    for name in ("PAGE", "LAST_OFFSET"):
        monkeypatch.setattr(f"useapi_runwayml._core.surveying.{name}", 10)
    ids = many(world, 100, 3600)
    assert len(list(world.client().tasks.as_completed(ids, timeout=7200))) == 100
    assert len(world.sim.requests) <= 3600 / 30 * 10


# -- what others see of a wait --------------------------------------------------------------------------------------------
def begun(client: Any, task_ids: list[str], timeout: float = 3600) -> tuple[Watch, Any]:
    """A wait of this client, which its test runs step by step."""
    group = client._group._target
    watch = Watch(group.context, task_ids, Terms(timeout, None, None, Options()))
    return watch, as_they_end(group, watch)


def test_a_leader_that_was_interrupted_as_it_left_holds_nobody_up(world: World) -> None:
    """Whoever is parked looks for it once a minute, and takes the lead; so does who comes later."""
    ids = many(world, 2, 60)
    client = world.client()
    (leader, first), (_, second) = begun(client, ids[:1]), begun(client, ids[1:])
    assert isinstance(next(first), Sleep), "it leads"
    parked = next(second)
    assert isinstance(parked, Park)
    assert parked.seconds == 60
    _, third = begun(client, ids[1:], 0.5)
    assert next(third).seconds == 0.5, "none is parked beyond its own end"
    third.close()
    client._group.remove(leader)  # and the interruption comes
    assert isinstance(second.send(None), Sleep), "it leads now"
    second.close()
    assert client.tasks.wait(ids[0]).status == "SUCCEEDED"


def test_the_lead_goes_to_one_that_is_parked(world: World) -> None:
    """Not to one that has joined and is still busy."""
    ids = many(world, 3, 60)
    client = world.client()
    group = client._group._target
    (leader, first), (busy, _), (_, third) = (begun(client, [each]) for each in ids)
    next(first)
    group.join(busy)
    parked = next(third)
    group.leave(leader)
    assert isinstance(parked, Park)
    assert parked.gate.is_set()


def test_what_a_leader_goes_through_changes_under_the_lock_alone(world: World) -> None:
    """A thread that takes the news of its wait, and ends with its tasks, waits for the one that asks for all."""
    ids = many(world, 3, 0)
    client = world.client()
    group = client._group._target
    lock = group.lock

    class Held(OrderedDict[str, Any]):
        def __delitem__(self, key: str) -> None:
            assert lock._is_owned()
            super().__delitem__(key)

        def popitem(self, last: bool = True) -> tuple[str, Any]:
            assert lock._is_owned()
            return super().popitem(last)

    watch, core = begun(client, ids)
    watch.open, watch.news = Held(watch.open), Held()
    next(core)
    for each in ids:
        group.tell(each, Task(task_id=each, status="SUCCEEDED"))
    ended = [core.send(None), next(core), next(core)]
    assert [each.value[0] for each in ended] == ids
    assert [*core] == []
    assert not watch.open


def test_news_are_told_in_the_order_in_which_they_came(world: World) -> None:
    """A task that has newer news than it had stands behind those that came meanwhile."""
    watch, _ = begun(world.client(), ["a", "b"])
    for task_id, news in (("a", 1), ("b", 2), ("a", 3)):
        watch.keep(task_id, news)
    assert [*watch.news.items()] == [("b", 2), ("a", 3)]
