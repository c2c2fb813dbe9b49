"""When a task is asked for again, by numbers, and whom a round asks for whom."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest
from useapi_runwayml_api.models.task import Task

from useapi_runwayml._core.polling import interval, jittered, progress_of

from .conftest import World

TASK = "user:4242-runwayml:maker@example.com-task:t1"


@pytest.mark.parametrize(
    ("task", "elapsed", "seconds"),
    [
        (None, 0, 5),
        ({"status": "PENDING"}, 0, 5),
        ({"status": "PENDING", "estimatedTimeToStartSeconds": 40}, 0, 20),
        ({"status": "PENDING", "estimatedTimeToStartSeconds": 4}, 0, 5),
        ({"status": "PENDING", "estimatedTimeToStartSeconds": 600}, 0, 30),
        ({"status": "RUNNING", "progressRatio": 0.5}, 20, 10),
        ({"status": "RUNNING", "progressRatio": 0.9}, 20, 5),
        ({"status": "RUNNING", "progressRatio": 0.01}, 20, 30),
        ({"status": "RUNNING", "progressRatio": 0}, 20, 5),
        ({"status": "RUNNING", "progressRatio": 1}, 20, 5),
        ({"status": "RUNNING", "progressRatio": 1e-320}, 1e300, 5),
        ({"status": "THROTTLED", "progressRatio": 0.5}, 20, 60),
        ({"status": "NEVER_SEEN"}, 20, 5),
    ],
)
def test_it_asks_again_when_it_is_worth_it(task: Any, elapsed: float, seconds: float) -> None:
    """In half the time that seems left, 5 to 30 seconds; a throttled task after a minute; what is no number says nothing."""
    known = None if task is None else Task.from_dict({"taskId": TASK, **task})
    assert interval(known, elapsed, None) == pytest.approx(seconds)
    assert interval(known, elapsed, 2.5) == 2.5


@pytest.mark.parametrize(("elapsed", "seconds"), [(0, 15), (10, 20), (25, 50), (300, 60)])
def test_who_is_called_back_asks_seldom(elapsed: float, seconds: float) -> None:
    """After 15 seconds, then ever later, up to each minute."""
    assert interval(None, elapsed, None, is_called_back=True) == seconds


def test_clients_do_not_ask_in_step(world: World) -> None:
    """Each pause is up to a fifth longer, never shorter, and so are those of a wait."""
    assert jittered(10, lambda low, high: low) == 10
    assert jittered(10, lambda low, high: high) == 12
    for pick, gap in ((0, 5), (1, 6)):
        asked: list[float] = []

        def handler(request: httpx.Request, asked: list[float] = asked) -> httpx.Response:
            asked.append(world.clock.now())
            done = len(asked) == 3
            state = {"status": "SUCCEEDED", "artifacts": []} if done else {"status": "RUNNING"}
            return httpx.Response(200, json=state)

        client = world.scripted(handler)
        client._target._context.uniform = lambda low, high, pick=pick: (low, high)[pick]
        assert client.tasks.wait(TASK).task_id == TASK, (
            "an answer that leaves the id out is of the task that was asked for"
        )
        assert [round(later - earlier, 3) for earlier, later in itertools.pairwise(asked)] == [gap, gap]


@pytest.mark.parametrize(("given", "told"), [(1.7, 1), (-0.2, 0), (0.3, 0.3), (None, None)])
def test_progress_stays_between_nothing_and_all(given: Any, told: Any) -> None:
    """Whatever the service says."""
    assert progress_of(Task.from_dict({"status": "RUNNING", "progressRatio": given}), TASK, 3).ratio == told


def test_each_account_is_asked_for_its_own(world: World) -> None:
    """Tasks of two accounts, and those whose account their id does not tell: one list each, by the account's email."""
    asked: list[str | None] = []
    ids = {
        email: [f"user:4242-runwayml:{email}-task:t{number}" for number in range(4)]
        for email in ("a@x.test", "b@x.test")
    }
    ids[""] = [f"plain-{number}" for number in range(4)]

    def handler(request: httpx.Request) -> httpx.Response:
        email = request.url.params.get("email")
        asked.append(email)
        shown = [{"taskId": each, "status": "SUCCEEDED", "artifacts": []} for each in ids[email or ""]]
        return httpx.Response(200, json=shown)

    wanted = [each for group in ids.values() for each in group]
    assert sorted(each.task_id for each in world.scripted(handler).tasks.as_completed(wanted)) == sorted(wanted)
    assert sorted(asked, key=str) == sorted([None, "a@x.test", "b@x.test"], key=str)
