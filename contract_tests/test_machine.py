"""SDK and simulator together, through anything that may happen, with what must always hold."""

from __future__ import annotations

import io
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from useapi_runwayml import RunwayClient, errors
from useapi_runwayml.simulator import ManualClock, Simulator, SimulatorTransport

PRICE = 5  # credits a second, by the facts
CLIP = b"\x00\x00\x00\x18ftypmp42" + bytes(500)
FAULTS = ["close_before_read", "close_before_action", "close_after_action", "bad_json", "unreachable", "latency"]


class Cuts(SimulatorTransport):
    """Ctrl-C at the next create: before the request has left, or when the answer is on its way."""

    cut = ""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        cut = self.cut if request.method == "POST" else ""
        self.cut = "" if cut else self.cut
        if cut == "before":
            raise KeyboardInterrupt
        answer = super().handle_request(request)
        if cut == "after":
            raise KeyboardInterrupt
        return answer


class Life(RuleBasedStateMachine):
    """One account with two slots and credits for a few videos."""

    assets = Bundle("assets")
    tasks = Bundle("tasks")

    @initialize(shape=st.sampled_from(["flat", "wrapped"]), tasks=st.sampled_from(["bare", "wrapped"]))
    def begin(self, shape: Any, tasks: Any) -> None:
        from useapi_runwayml.simulator import Shapes

        self.sim = Simulator(max_jobs=2, credits=400, shapes=Shapes(create=shape, tasks=tasks))
        self.clock = ManualClock()
        self.transport = Cuts(self.sim, self.clock)
        self.http = httpx.Client(transport=self.transport)
        self.runway = RunwayClient("user:1-abc", base_url="http://sim.test/v1/runwayml", http_client=self.http)
        self.runway._use_clock(self.clock)
        self.folder = tempfile.TemporaryDirectory()
        self.number = 0
        self.spent: dict[str, int] = {}
        self.unknown: list[str] = []

    def teardown(self) -> None:
        if hasattr(self, "http"):
            self.http.close()
            self.folder.cleanup()

    @rule(target=assets)
    def upload(self) -> Any:
        return self.runway.assets.upload(io.BytesIO(CLIP), name="clip.mp4").asset_id

    @rule(
        target=tasks,
        asset_id=assets,
        word=st.sampled_from(
            ["", "", "", "[fail]", "[moderate]", "[moderate-later]", "[cancel]", "[no-output]", "[throttle]"]
        ),
        seconds=st.sampled_from([5, 10]),
        free=st.booleans(),
        fault=st.sampled_from([None, None, *FAULTS]),
    )
    def create(self, asset_id: str, word: str, seconds: Any, free: bool, fault: str | None) -> Any:
        self.number += 1
        reference, before = f"row-{self.number}", len(self.sim.state.tasks)
        if fault:
            self.sim.faults.add(fault, "createVideoToVideo", times=1, seconds=100.0)
        try:
            task = self.runway.video_to_video.create(
                asset_id=asset_id,
                text_prompt=f"x {word}",
                seconds=seconds,
                explore_mode=free,
                reply_ref=reference,
                busy_timeout=0,
            )
        except errors.SubmissionUnknownError as error:
            assert error.reply_ref == reference
            self.unknown.append(reference)
            return multiple()
        except errors.ModerationError:
            assert word == "[moderate]"
            return self._nothing(before)
        except errors.RateLimitError as error:
            if isinstance(error, errors.AccountBusyError):
                assert sum(map(len, error.running_tasks.values())) == 2
            else:
                assert fault == "bad_json", "only a 429 that cannot be read tells nothing of the tasks in the way"
            return self._nothing(before)
        except errors.InsufficientCreditsError:
            assert not free
            assert sum(self.spent.values()) + PRICE * seconds > 400
            return self._nothing(before)
        finally:
            self.sim.faults.clear()
        self.spent[str(task.task_id)] = 0 if free else PRICE * seconds
        return task.task_id

    @rule(target=tasks, asset_id=assets, cut=st.sampled_from(["before", "after"]), seconds=st.sampled_from([5, 10]))
    def create_and_leave(self, asset_id: str, cut: str, seconds: Any) -> Any:
        """Whoever breaks in has the receipt, and finds by it what was paid; it is not paid again."""
        self.number += 1
        reference, before = f"row-{self.number}", len(self.sim.state.tasks)
        self.transport.cut = cut
        try:
            self.runway.video_to_video.create(
                asset_id=asset_id, text_prompt="x", seconds=seconds, reply_ref=reference, busy_timeout=0
            )
        except KeyboardInterrupt as error:
            assert any(reference in note for note in error.__notes__)
        found = self.runway.tasks.find(reference)
        if found is None:
            return self._nothing(before)
        assert cut == "after"
        self.spent[str(found.task_id)] = PRICE * seconds
        return found.task_id

    @rule(task_id=tasks, seconds=st.sampled_from([1, 50]))
    def leave_a_wait(self, task_id: str, seconds: float) -> None:
        """A wait that ends early, by its time or by Ctrl-C, changes nothing: the next one goes on."""

        def leave(progress: Any) -> None:
            raise KeyboardInterrupt

        try:
            self.runway.tasks.wait(task_id, timeout=seconds, on_progress=leave)
        except errors.WaitTimeoutError as error:
            assert error.task_ids == [task_id]
        except (KeyboardInterrupt, errors.TaskError, errors.NotFoundError):
            pass
        assert self.runway._group.leader is None
        assert not self.runway._group.watches

    @rule(task_id=tasks, seconds=st.sampled_from([0.5, 3.0]))
    def wait_in_time(self, task_id: str, seconds: float) -> None:
        """A call in seconds takes no longer, whatever the service does."""
        self.sim.faults.add("latency", "getTask", seconds=100.0)
        begun = self.clock.now()
        try:
            self.runway.tasks.retrieve(task_id, timeout=seconds)
        except errors.APIConnectionError:
            assert self.clock.now() - begun <= seconds + 0.1
        finally:
            self.sim.faults.clear()

    def _nothing(self, before: int) -> Any:
        assert len(self.sim.state.tasks) == before
        return multiple()

    @rule(task_id=tasks, fault=st.sampled_from([None, "status", "bad_json", "close_before_action"]))
    def wait(self, task_id: str, fault: str | None) -> None:
        if fault:
            self.sim.faults.add(fault, "getTask", times=2)
        try:
            assert self.runway.tasks.wait(task_id, timeout=600).status == "SUCCEEDED"
        except errors.TaskError as error:
            assert error.task_id == task_id
            assert self.sim.state.tasks[task_id].plan.outcome in ("failed", "moderated", "cancelled")
        except errors.NotFoundError:
            assert task_id not in self.sim.state.tasks
        finally:
            self.sim.faults.clear()

    @rule(task_id=tasks, fault=st.sampled_from([None, "cut_body", "status"]))
    def download(self, task_id: str, fault: str | None) -> None:
        if fault:
            self.sim.faults.add(fault, "download", times=1)
        target = Path(self.folder.name) / "out.mp4"
        try:
            assert self.runway.tasks.download(task_id, target, overwrite=True).read_bytes() == CLIP
        except (errors.TaskError, errors.NotFoundError) as error:
            assert error.task_id == task_id
        finally:
            self.sim.faults.clear()
        assert [each.name for each in Path(self.folder.name).iterdir()] in ([], ["out.mp4"])

    @rule(task_id=tasks)
    def release(self, task_id: str) -> None:
        tracked = {each.task_id for each in self.runway.scheduler.list()}
        try:
            self.runway.scheduler.release(task_id)
            assert task_id in tracked
        except errors.NotFoundError:
            assert task_id not in tracked

    @rule(task_id=consumes(tasks))
    def delete(self, task_id: str) -> None:
        self.runway.tasks.delete(task_id)

    @rule(seconds=st.floats(0, 300))
    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @invariant()
    def nothing_is_doubled_lost_or_leaked(self) -> None:
        if not hasattr(self, "sim"):
            return
        known = self.sim.state.tasks
        references = Counter(task.request["replyRef"] for task in known.values())
        assert all(count == 1 for count in references.values()), "no task twice for one replyRef"
        assert not set(self.unknown) & set(references), "what exists is never called unknown"
        assert set(known) <= set(self.spent), "every task that exists was given"
        assert self.sim.state.accounts["maker@example.com"].spent == sum(self.spent.values()), "no credit leaks"
        assert self.sim.busy_slots("maker@example.com", self.clock.now()) <= 2, "no slot leaks"
        assert self.sim.token_leaks == 0, "the token goes to the API alone"

    @invariant()
    def both_sides_see_the_same(self) -> None:
        if not hasattr(self, "sim"):
            return
        now = self.clock.now()
        seen = {task.task_id: task.status for task in self.runway.tasks.list()}
        assert seen == {task.task_id: task.status(now) for task in self.sim.state.tasks.values()}
        plan = self.runway.features.retrieve()
        assert plan.used is not None
        assert plan.used.num_plan_credits == sum(self.spent.values())


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestLife.__doc__ = (
    "Uploads, creates, waits, downloads, releases, deletions and faults in any order keep all invariants."
)
