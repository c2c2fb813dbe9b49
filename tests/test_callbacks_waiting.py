"""Waits that callbacks wake: few reads with them, and nothing but time lost without."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest

from useapi_runwayml import ParameterError, TaskFailedError, WaitTimeoutError
from useapi_runwayml._core.polling import interval
from useapi_runwayml.callbacks import CallbackApp, ReplyUrlSigner, inbox
from useapi_runwayml.simulator import ManualClock, SimulatorTransport

from .conftest import BASE_URL, World

SECRET = "a secret of the tests"
HOOK = "http://127.0.0.1:9/hook"


class CallingClock(ManualClock):
    """As time passes, the service sends its callbacks."""

    deliver: Any = staticmethod(lambda: None)

    def advance(self, seconds: float) -> None:
        super().advance(seconds)
        self.deliver()

    sleep = advance

    async def asleep(self, seconds: float) -> None:
        await super().asleep(seconds)
        self.deliver()


class Called(World):
    """A world whose client receives callbacks."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind, CallingClock())
        self.sim.task_seconds = 60
        self.app = CallbackApp(ReplyUrlSigner(SECRET, HOOK))
        self.transport_of_calls = SimulatorTransport(self.sim)
        self.clock.deliver = self.deliver  # type: ignore[attr-defined]
        self.bodies: list[bytes] = []

    def deliver(self) -> None:
        calls = [*self.transport_of_calls.callbacks, *self.sim.due_callbacks(BASE_URL, self.clock.now())]
        self.transport_of_calls.callbacks.clear()
        for call in calls:
            head = inbox.Head("POST", urlsplit(call.url).query, "application/json", "")
            self.app._take(inbox.read(inbox.admit(self.app.signer, head), call.body), None)
            self.bodies.append(call.body)

    def called(self, **settings: Any) -> Any:
        return self.client(self.transport_of_calls, callbacks=self.app, **settings)

    def reads(self) -> int:
        return sum(seen.method == "GET" for seen in self.sim.requests)


@pytest.fixture(params=["sync", "async"])
def called(request: pytest.FixtureRequest) -> Iterator[Called]:
    made = Called(request.param)
    yield made
    made.close()


def begin(called: Called, client: Any, **more: Any) -> Any:
    return client.video_to_video.create(asset_id=called.asset(), text_prompt="x", **more)


def test_a_minutes_task_costs_three_reads_at_most(called: Called) -> None:
    """And it is known within two seconds that it has ended; by run too."""
    client = called.called()
    task = begin(called, client)
    begun = called.clock.now()
    assert client.tasks.wait(task).status == "SUCCEEDED"
    assert called.clock.now() - begun < 60 + 2
    assert called.reads() <= 3


def test_a_run_is_woken(called: Called, tmp_path: Any, clip: Any) -> None:
    """Upload, create, wait and download: three reads of the task at most, and one for the file."""
    result = called.called().video_to_video.run(clip, "x", destination=tmp_path / "o.mp4")
    assert result.path.stat().st_size
    assert called.calls("getTask") <= 3


@pytest.mark.slow
def test_a_thousand_tasks_cost_few_reads(called: Called) -> None:
    """At most 1.2 each, each with a callback of its own end; all are known within seconds."""
    called.sim = type(called.sim)(max_jobs=5000, credits=10**7, task_seconds=None)
    called.sim.clock = called.clock
    called.transport_of_calls = SimulatorTransport(called.sim)
    client, asset = called.called(), called.asset()
    tasks = [client.video_to_video.create(asset_id=asset, text_prompt=f"x{number}") for number in range(1000)]
    ended = [each.status for each in client.tasks.as_completed(tasks)]
    assert ended == ["SUCCEEDED"] * 1000
    assert called.reads() <= 1.2 * 1000


def test_without_any_callback_it_takes_longer_and_nothing_else(called: Called) -> None:
    """It is asked for ever more seldom, down to once a minute."""
    called.faults.add("drop_callback", "callback")
    called.sim.task_seconds = 400
    client = called.called()
    task = begin(called, client)
    asked = list[float]()
    called.clock.deliver = lambda: asked.append(called.calls("getTask"))  # type: ignore[attr-defined]
    begun = called.clock.now()
    assert client.tasks.wait(task).status == "SUCCEEDED"
    assert called.clock.now() - begun < 400 + 72 + 2
    assert 7 <= called.reads() <= 9  # 15, 45, 105, 165, 225, 285, 345, 405 s, each up to a fifth later
    assert called.bodies == []


@pytest.mark.parametrize(
    ("kind", "more", "most"),
    [
        ("duplicate_callback", {}, 3),
        ("reorder_callbacks", {"nth": [1, 2]}, 3),
        ("late_callback", {"seconds": 20}, 4),
        ("forge_callback", {}, 9),
        ("drop_callback", {"nth": [3]}, 4),
    ],
)
def test_whatever_befalls_callbacks_the_end_is_the_true_one(
    called: Called, kind: str, more: dict[str, Any], most: int
) -> None:
    """Twice, out of order, late, forged or never: the task is read before anybody hears of its end."""
    called.faults.add(kind, "callback", **more)
    client = called.called()
    task = client.video_to_video.create(asset_id=called.asset(), text_prompt="[fail]")
    with pytest.raises(TaskFailedError):
        client.tasks.wait(task)
    assert called.calls("getTask") <= most


def test_a_callback_before_the_wait_counts(called: Called) -> None:
    """It is remembered: the wait reads once, and ends."""
    client = called.called()
    task = begin(called, client)
    called.clock.advance(70)
    begun = called.clock.now()
    assert client.tasks.wait(task).status == "SUCCEEDED"
    assert called.reads() == 1
    assert called.clock.now() == begun, "at once"


def test_a_late_callback_wakes_all_the_same(called: Called) -> None:
    """By twenty seconds: that is when the end is known, since the next look by itself would be later."""
    called.faults.add("late_callback", "callback", seconds=20)
    client = called.called()
    task = begin(called, client)
    begun = called.clock.now()
    assert client.tasks.wait(task).status == "SUCCEEDED"
    assert 79 <= called.clock.now() - begun < 84


def test_an_end_that_the_service_does_not_show_yet_is_asked_for_again(called: Called) -> None:
    """Told of the end, it still reads RUNNING: five seconds later it is asked once more, not a minute later."""
    client = called.called()
    task = begin(called, client)
    called.clock.advance(30)
    called.app.wake(task.task_id)
    called.clock.deliver = lambda: None  # type: ignore[attr-defined]
    called.sim.task_seconds = None
    with called.sim.lock:
        stored = called.sim.state.tasks[task.task_id]
    begun = called.clock.now()
    stored.created -= 28  # it ends in two seconds
    assert client.tasks.wait(task).status == "SUCCEEDED"
    assert called.clock.now() - begun < 9
    assert called.reads() == 2


def test_tasks_of_others_are_asked_for_as_ever(called: Called) -> None:
    """Of a task whose replyUrl is not ours no word is expected, but one that comes is heeded."""
    client = called.called()
    own = begin(called, client, reply_url=f"{HOOK}/mine")
    assert own.reply_url in (None, f"{HOOK}/mine")
    called.clock.deliver = lambda: None  # type: ignore[attr-defined]
    assert client.tasks.wait(own).status == "SUCCEEDED"
    assert called.reads() > 3
    other = begin(called, called.client())
    before = called.reads()
    with pytest.raises(WaitTimeoutError):
        client.tasks.wait(other.task_id, timeout=3)
    assert called.reads() == before + 1  # at once, since nothing is known of it


def test_an_interval_of_the_callers_is_kept(called: Called) -> None:
    """Whoever says how often to look gets that."""
    called.faults.add("drop_callback", "callback")
    client = called.called()
    assert client.tasks.wait(begin(called, client), poll_interval=2).status == "SUCCEEDED"
    assert called.reads() >= 25  # two seconds and up to a fifth more, from the beginning on


def test_creates_take_a_signed_address(called: Called) -> None:
    """It says which replyRef it is for, and nothing of a secret; one that would be too long is refused before anything is sent."""
    client = called.called()
    begin(called, client, reply_ref="row-7")
    (stored,) = called.sim.state.tasks.values()
    url = stored.request["replyUrl"]
    assert called.app.signer.check(url) == "row-7"
    assert SECRET not in url
    for refused in ({"reply_ref": "r" * 900}, {"reply_ref": 7}):
        before = len(called.sim.requests)
        with pytest.raises(ParameterError):
            begin(called, client, **refused)
        assert len(called.sim.requests) == before
    with pytest.raises(ParameterError) as caught:
        begin(called, client, reply_ref=7, seed=-1)
    assert {each.field for each in caught.value.problems} == {"reply_ref", "seed"}, "all at once, as without callbacks"


def test_a_create_whose_answer_was_lost_is_called_back_too(called: Called) -> None:
    """The look-up finds its task; its end is told as that of any other."""
    called.faults.add("close_after_action", "createVideoToVideo", nth=[1])
    client = called.called()
    task = begin(called, client)
    before = called.reads()
    assert client.tasks.wait(task).status == "SUCCEEDED"
    assert called.reads() - before <= 3


def test_many_ends_at_once_are_asked_for_together(called: Called) -> None:
    """Fifty callbacks in the same moment: lists answer them."""
    called.sim = type(called.sim)(max_jobs=100, credits=10**6, task_seconds=60)
    called.sim.clock = called.clock
    called.transport_of_calls = SimulatorTransport(called.sim)
    client, asset = called.called(), called.asset()
    tasks = [client.video_to_video.create(asset_id=asset, text_prompt=f"x{number}") for number in range(50)]
    assert len([*client.tasks.as_completed(tasks)]) == 50
    assert called.reads() <= 12


def test_a_wish_to_wait_is_heeded(called: Called) -> None:
    """A 429 to the read that a callback asked for: no further one before that time has passed."""
    client = called.called()
    task = begin(called, client)
    called.faults.add("status", "getTask", nth=[1], status=429, retry_after="40", body="{}")
    called.clock.advance(61)
    begun = called.clock.now()
    assert client.tasks.wait(task).status == "SUCCEEDED"
    assert 40 <= called.clock.now() - begun < 50
    assert called.reads() == 2


def test_further_callbacks_do_not_shorten_a_wish_to_wait(called: Called) -> None:
    """However many come while it lasts."""
    client = called.called()
    task = begin(called, client)
    called.clock.advance(61)
    called.faults.add("status", "getTask", nth=list(range(1, 20)), status=429, retry_after="40", body="{}")
    at, begun, deliver = list[float](), called.clock.now(), called.clock.deliver

    def more() -> None:
        deliver()
        if called.calls("getTask") > len(at):
            at.append(called.clock.now() - begun)
        called.app.wake(task.task_id)

    called.clock.deliver = more  # type: ignore[method-assign]
    assert client.tasks.wait(task, timeout=3000).status == "SUCCEEDED"
    assert len(at) > 10
    assert all(after - before >= 39 for before, after in pairwise(at)), at


def test_a_callback_does_not_shorten_a_wish_that_a_poll_was_told(called: Called) -> None:
    """A 429 to a wait that asked by itself counts for what callbacks ask for, too."""
    client = called.called()
    task = begin(called, client, reply_url=f"{HOOK}/mine")
    called.clock.deliver = lambda: called.calls("getTask") and called.app.wake(task.task_id)  # type: ignore[attr-defined]
    called.clock.advance(61)
    called.faults.add("status", "getTask", nth=[1], status=429, retry_after="40", body="{}")
    begun = called.clock.now()
    assert client.tasks.wait(task).status == "SUCCEEDED"
    assert 40 <= called.clock.now() - begun < 50
    assert called.reads() == 2


def test_two_ends_at_once_are_read_by_their_ids(called: Called) -> None:
    """No list is asked for so few."""
    client = called.called()
    tasks = [begin(called, client) for _ in "ab"]
    called.clock.advance(70)
    assert len([*client.tasks.as_completed(tasks)]) == 2
    assert (called.calls("getTask"), called.calls("listTasks")) == (2, 0)


def test_it_is_asked_for_ever_more_seldom() -> None:
    """After 15 s, 45 s, 105 s, and each minute from then on."""
    pauses = [interval(None, elapsed, None, is_called_back=True) for elapsed in (0, 15, 45, 105, 1e6)]
    assert pauses == [15, 30, 60, 60, 60]
    assert interval(None, 0, 2, is_called_back=True) == 2


def test_what_receives_no_callbacks_is_refused(called: Called) -> None:
    """In words, when the client is made."""
    with pytest.raises(ParameterError, match="callbacks: 'str' is refused, it must be a CallbackApp"):
        called.client(callbacks="http://h")
    assert called.client(callbacks=None)


def test_what_was_read_is_forgotten_with_the_waits_for_it(called: Called) -> None:
    """A client does not grow that waits for one task after the other, of each of which a callback has told by then."""
    client = called.called()
    tasks = [begin(called, client) for _ in range(3)]
    called.clock.advance(120)
    for each in tasks:
        client.tasks.wait(each)
    assert len(client._target._group.turns) == 1


def test_hints_are_bounded(called: Called, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tasks that nobody waits for, the newest are remembered."""
    monkeypatch.setattr("useapi_runwayml._core.asking.REMEMBERED", 3)
    group = called.called()._target._group
    for number in (1, 2, 3, 1, 4):
        called.app.wake(f"t{number}")
    assert [*group.hinted] == ["t3", "t1", "t4"]
    assert group.heard() == []


def test_a_callback_bears_no_token(called: Called) -> None:
    """Nor does an address."""
    client = called.called()
    task = begin(called, client)
    client.tasks.wait(task)
    assert called.bodies
    assert not any(b"s3cr3t" in body for body in called.bodies)
    assert all(json.loads(body)["taskId"] == task.task_id for body in called.bodies)


def test_short_waits_end_too_when_no_callback_comes(called: Called) -> None:
    """Each begins anew, and the task is not new any more: it is asked for as often as any other."""
    called.faults.add("drop_callback", "callback")
    client = called.called()
    task = begin(called, client)
    called.clock.advance(120)
    for _ in range(3):
        try:
            assert client.tasks.wait(task, timeout=10).status == "SUCCEEDED"
            return
        except WaitTimeoutError:
            pass
    pytest.fail("it has ended long ago, and nobody asked")
