"""Waits of one client that share their requests, in whatever order they are run: joined, led, parked, cut off, kept busy."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from useapi_runwayml._core.waiting import Group, Watch
from useapi_runwayml.simulator import Simulator, SimulatorTransport
from useapi_runwayml.simulator.clock import START, ManualClock

from .conftest import BASE_URL, MP4, TOKEN
from .stage import Actor, Stage, Tasks, Threads

WORDS = ("", "", "[fail]", "[cancel]", "[throttle]", "[moderate-later]")
ACCOUNTS = ("maker@example.com", "other@example.com")
UNKNOWN = "user:4242-runwayml:maker@example.com-task:11111111-2222-4333-8444-555555555555"
STEPS = 4000
SLACK = 1.1  # seconds: a leader looks up once a second


def begin_service() -> tuple[Simulator, list[str]]:
    """Six tasks on two accounts, and one that the service does not know."""
    sim = Simulator(accounts=ACCOUNTS, max_jobs=5, task_seconds=40)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    ids = []
    with httpx.Client(transport=SimulatorTransport(sim, ManualClock()), base_url=BASE_URL, headers=headers) as service:
        for number, word in enumerate(WORDS):
            email = ACCOUNTS[number % 2]
            made = service.post(
                f"/assets/?name=x&email={email}", content=MP4, headers={"Content-Type": "video/mp4"}
            ).json()
            body = {"assetId": made["assetId"], "text_prompt": f"x {word}", "email": email}
            ids.append(service.post("/gen3turbo/video", json=body).json()["taskId"])
    return sim, [*ids, UNKNOWN]


class Waits(RuleBasedStateMachine):
    """Up to five callers."""

    make: type[Stage] = Threads

    @initialize()
    def begin(self) -> None:
        self.sim, self.ids = begin_service()
        self.stage = self.make(self.sim, START)

    @precondition(lambda self: len(self.stage.actors) < 5)
    @rule(
        which=st.sets(st.integers(0, len(WORDS)), min_size=1),
        timeout=st.sampled_from([3.0, 30.0, 600.0]),
        poll_interval=st.sampled_from([None, None, 2.0, 45.0]),
        tells=st.booleans(),
    )
    def join(self, which: set[int], timeout: float, poll_interval: float | None, tells: bool) -> None:
        actor = Actor([self.ids[number] for number in sorted(which)], timeout, self.stage.time)
        self.stage.start(actor, timeout=timeout, poll_interval=poll_interval, tells=tells)

    @precondition(lambda self: self.on_stage())
    @rule(choice=st.integers(0, 99))
    def go_on(self, choice: int) -> None:
        """Whoever can; if nobody can, time passes until somebody does."""
        if not (ready := self.ready()):
            self.pass_on()
            ready = self.ready()
        if ready:
            self.stage.resume(ready[choice % len(ready)])

    @precondition(lambda self: self.on_stage())
    @rule(choice=st.integers(0, 99))
    def cut(self, choice: int) -> None:
        there = self.on_stage()
        actor = there[choice % len(there)]
        self.stage.resume(actor, cut=True)
        assert actor.is_over, "who is cut off is gone at once"

    @rule(seconds=st.sampled_from([0.5, 5.0, 30.0]))
    def pass_time(self, seconds: float) -> None:
        self.stage.advance(seconds)

    @rule(choice=st.integers(0, len(WORDS)))
    def hear(self, choice: int) -> None:
        """A callback says, rightly or not, that a task has ended."""
        self.stage.client._group.hint(self.ids[choice])

    @rule(
        kind=st.sampled_from(["status", "close_before_action", "bad_json"]),
        operation=st.sampled_from(["listTasks", "getTask", "listScheduler"]),
        status=st.sampled_from([429, 500, 503]),
    )
    def fail_once(self, kind: str, operation: str, status: int) -> None:
        self.sim.faults.add(kind, operation, times=1, status=status)

    def on_stage(self) -> list[Actor]:
        return [actor for actor in self.stage.actors if not actor.is_over]

    def ready(self) -> list[Actor]:
        return [actor for actor in self.on_stage() if actor.can_go_on(self.stage.time)]

    def pass_on(self) -> None:
        """Time passes until the first can go on."""
        moments = [actor.moment.until for actor in self.on_stage() if actor.moment is not None]
        first = min(moments, default=math.inf)
        assert first < math.inf, "all wait, and nobody will wake them"
        self.stage.time = max(self.stage.time, first)

    @invariant()
    def somebody_asks(self) -> None:
        """Who leads is there, and neither parked nor busy elsewhere; if nobody leads, somebody can take the lead."""
        if not hasattr(self, "stage"):
            return
        leader = self.stage.client._group.leader
        there = self.on_stage()
        free = [actor for actor in there if actor.moment is not None and actor.moment.kind != "busy"]
        if leader is not None:
            (leading,) = [actor for actor in there if actor.watch is leader]
            assert leading.moment is not None
            assert leading.moment.kind in ("sleep", "send", "answer"), "the lead is with one who asks"
        elif free:
            assert any(actor.can_go_on(self.stage.time) for actor in free), "they wait for one who does not ask"

    @invariant()
    def news_wakes(self) -> None:
        """Once a round is over, whoever is parked and has news may go on."""
        if not hasattr(self, "stage") or any(
            actor.moment is not None and actor.moment.kind in ("send", "answer") for actor in self.stage.actors
        ):
            return
        for actor in self.on_stage():
            if actor.moment is not None and actor.moment.gate is not None and actor.watch.news:
                assert actor.moment.gate.is_open

    @invariant()
    def one_request_at_a_time(self) -> None:
        if hasattr(self, "stage"):
            assert self.stage.flying <= 1

    def teardown(self) -> None:
        if not hasattr(self, "stage"):
            return
        try:
            self._to_the_end()
        finally:
            self.stage.close()

    def _to_the_end(self) -> None:
        """Everybody goes on in turn: each is given each of its tasks once, or is told at its deadline which are open."""
        self.sim.faults.clear()
        fair_from = self.stage.time
        for step in range(STEPS):
            if not self.on_stage():
                break
            if not (ready := self.ready()):
                self.pass_on()
                ready = self.ready()
            self.stage.resume(ready[step % len(ready)])
            self.somebody_asks()
            self.news_wakes()
            self.one_request_at_a_time()
        else:
            pytest.fail("it never ends")
        group = self.stage.client._group
        assert (group.leader, dict(group.watches), group.watching) == (None, {}, {})
        for actor in self.stage.actors:
            assert actor.error is None, actor.error
            assert len(set(actor.given)) == len(actor.given), "no task twice"
            if not actor.is_cut:
                assert sorted([*actor.given, *actor.left]) == sorted(actor.ids), "none is lost"
            if actor.left:
                assert actor.over_at >= actor.deadline
                assert actor.over_at <= max(actor.deadline, fair_from) + SLACK, "at its deadline, not later"


class AsyncWaits(Waits):
    """The same callers, awaiting."""

    make = Tasks


@pytest.mark.parametrize("machine", [Waits, AsyncWaits], ids=["threads", "tasks"])
def test_waits_that_share_their_requests_lose_nothing(machine: Any) -> None:
    """In any order: one asks for all, nobody waits for one who does not ask, each is given each task once, or told in time which are open."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=50,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate] if os.environ.get("HYPOTHESIS_PROFILE") == "mutants" else list(Phase),
        ),
    )


@pytest.fixture(params=[Threads, Tasks], ids=["threads", "tasks"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Of `begin_service`'s tasks `stage.ids[0]` ends after 40 s, and `stage.ids[4]`, which is throttled, after some three minutes."""
    sim, ids = begin_service()
    made: Stage = request.param(sim, START)
    made.sim, made.ids = sim, ids  # type: ignore[attr-defined]
    yield made
    made.close()


def begin(stage: Any, number: int, timeout: float, poll_interval: float | None = None) -> Actor:
    actor = Actor([stage.ids[number]], timeout, stage.time)
    stage.start(actor, timeout=timeout, poll_interval=poll_interval)
    return actor


def play(stage: Stage, until: float = math.inf) -> None:
    """Everybody goes on, and time passes where nobody can, up to this moment after the beginning, or until all is over."""
    while there := [actor for actor in stage.actors if not actor.is_over]:
        ready = [actor for actor in there if actor.can_go_on(stage.time)]
        if ready:
            stage.resume(ready[0])
            continue
        stage.time = min(START + until, *(actor.moment.until for actor in there if actor.moment is not None))
        if stage.time == START + until:
            return


def reads_after(stage: Any, moment: float) -> list[float]:
    """When something was asked, in seconds after that moment after the beginning."""
    return [seen.at - START - moment for seen in stage.sim.requests if seen.at > START + moment]


def test_who_waits_for_less_has_it_while_another_goes_on(stage: Any) -> None:
    """Whoever asks wakes those whose task has ended, and those whose time is over, however long its own task takes."""
    asks, waits, ends = begin(stage, 4, 600), begin(stage, 0, 600), begin(stage, 4, 5)
    play(stage)
    assert waits.given == stage.ids[:1]
    assert waits.over_at - START < 50 < asks.over_at - START
    assert (list(ends.left), ends.over_at - START) == ([stage.ids[4]], 5)


def test_each_end_wakes_few(stage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is over, and one that takes the lead from it: not all that wait, whose turns would grow with the square of them."""
    turns: list[Watch] = []
    turn = Group.turn

    def counted(self: Group, watch: Watch) -> Any:
        if not self.leads(watch):
            turns.append(watch)
        return turn(self, watch)

    monkeypatch.setattr(Group, "turn", counted)
    for number in range(20):
        begin(stage, 4, 5 + number, 45)
    play(stage)
    assert [actor.over_at - START for actor in stage.actors] == [5 + number for number in range(20)]
    assert len(turns) < 2 * 20


def test_the_lead_goes_past_those_who_are_busy(stage: Any) -> None:
    """Whoever is busy with what it was given asks for nobody: the next one does."""
    asks, busy, waits = begin(stage, 4, 600), begin(stage, 0, 600), begin(stage, 4, 600)
    while busy.moment is None or busy.moment.kind != "busy":
        ready = [actor for actor in stage.actors if actor.can_go_on(stage.time)]
        if ready:
            stage.resume(ready[0])
        else:
            stage.time = min(actor.moment.until for actor in stage.actors)
    assert stage.client._group.leader is asks.watch
    assert not waits.can_go_on(stage.time)
    stage.resume(asks, cut=True)
    assert waits.can_go_on(stage.time)
    stage.resume(waits)
    assert stage.client._group.leader is waits.watch


def test_a_wait_that_joins_does_not_hurry_the_others(stage: Any) -> None:
    """The round that it wants comes as long after the last one as any, not at once: many that come one by one ask no more often."""
    begin(stage, 4, 600, 45)
    play(stage, until=2)
    begin(stage, 0, 600, 45)
    play(stage, until=20)
    assert min(reads_after(stage, 0.5)) == 4.5


def test_a_callback_is_heard_within_a_second(stage: Any) -> None:
    """However seldom the tasks are to be read."""
    begin(stage, 0, 600, 45)
    play(stage, until=42.5)
    stage.client._group.hint(stage.ids[0])
    play(stage)
    assert min(reads_after(stage, 42.5)) <= 1
