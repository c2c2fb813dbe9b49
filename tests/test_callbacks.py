"""Callbacks: late, repeated, out of order, forged or malformed, they do no harm."""

from __future__ import annotations

import json
from typing import Any

import pytest

from useapi_runwayml import ParameterError, Task, callbacks

from .conftest import World
from .test_simulator import Service

T = "user:1-runwayml:a@b.c-task:t"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b"7",
        b'"x"',
        b"{}",
        b'{"id": "u"}',
        b'{"task": {}}',
        b'{"taskId": 7}',
        b"\xff",
        "\ud800",
        {},
    ],
)
def test_what_is_no_callback_is_refused(body: Any) -> None:
    """A body without a task id is a ParameterError, never anything untyped."""
    with pytest.raises(ParameterError):
        callbacks.parse(body)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"taskId": T, "status": "Q2", "zz": 1}),
        json.dumps({"task": {"taskId": T, "zz": 1}, "code": 200}).encode(),
        {"taskId": T, "zz": 1},
    ],
)
def test_what_is_one_is_read_tolerantly(body: Any) -> None:
    """Flat or wrapped, text, bytes or a mapping; what is unknown is kept."""
    task = callbacks.parse(body)
    assert task.task_id == T
    assert task.additional_properties == {"zz": 1}


def test_an_end_is_never_taken_back() -> None:
    """SUCCEEDED, then RUNNING, then SUCCEEDED again; and an older RUNNING does not replace a newer one."""
    running = Task.from_dict({"taskId": T, "status": "RUNNING", "updatedAt": "2026-01-01T00:00:05Z"})
    older = Task.from_dict({"taskId": T, "status": "PENDING", "updatedAt": "2026-01-01T00:00:01Z"})
    done = Task.from_dict({"taskId": T, "status": "SUCCEEDED"})
    assert callbacks.newer(None, running) is running
    assert callbacks.newer(running, older) is running
    assert callbacks.newer(older, running) is running
    assert callbacks.newer(running, done) is done
    assert callbacks.newer(done, running) is done
    assert callbacks.newer(done, Task.from_dict({"taskId": T, "status": "SUCCEEDED"})) is done
    other = Task.from_dict({"taskId": "other"})
    assert callbacks.newer(done, other) is other


def test_callbacks_of_the_simulator_in_any_order_end_well() -> None:
    """Repeated and reordered by faults, they leave the task where it ended."""
    service = Service()
    service.sim.faults.add("duplicate_callback", "callback", probability=0.5)
    service.sim.faults.add("reorder_callbacks", "callback", nth=[1])
    service.create(replyUrl="http://127.0.0.1:9/hook")
    service.clock.advance(100)
    service("GET", "/scheduler/")
    known: Task | None = None
    for each in [*service.transport.callbacks, *service.transport.callbacks[:2]]:
        known = callbacks.newer(known, callbacks.parse(each.body))
    assert known is not None
    assert known.status == "SUCCEEDED"


def test_a_crash_between_intent_and_receipt_is_recovered(world: World) -> None:
    """A process that dies after the POST: another one finds the id by the replyRef, the awkward prompt intact, no second POST."""
    prompt = 'a, "b"\nc 😀'

    def die(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.client().video_to_video.run(
            world.asset(), prompt, destination="never.mp4", reply_ref="row-1", on_created=die
        )
    found = world.client().tasks.find("row-1")
    assert found.options.text_prompt == prompt
    assert world.calls("createVideoToVideo") == 1
