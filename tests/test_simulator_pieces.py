"""Small parts of the simulator, each by itself: answers, faults, plans, clocks, bodies, what is kept."""

from __future__ import annotations

import asyncio
import copy
import gzip
import importlib
import random
import sys
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml.simulator import ManualClock, Simulator
from useapi_runwayml.simulator.asgi import _head
from useapi_runwayml.simulator.bodies import Unreadable, unpacked
from useapi_runwayml.simulator.chores import _post
from useapi_runwayml.simulator.contract import Contract, as_typed, load_contract
from useapi_runwayml.simulator.links import view, viewed
from useapi_runwayml.simulator.live import PAUSE, snapshot
from useapi_runwayml.simulator.persist import StateFile
from useapi_runwayml.simulator.plan import Plan
from useapi_runwayml.simulator.wire import Answer, Blob, Request, error_answer
from useapi_runwayml.simulator.world import Callback

SITE = "http://localhost"


@pytest.mark.parametrize(
    ("more", "is_plain"),
    [
        ({}, True),
        ({"blob": Blob()}, False),
        ({"breaks": "cut_body"}, False),
        ({"drip": 0.1}, False),
        ({"cut_at": 0}, False),
    ],
)
def test_an_answer_is_plain_if_nothing_befalls_its_body(more: dict[str, Any], is_plain: bool) -> None:
    """Then it goes out whole and at once; one that is cut before its first byte does not."""
    assert Answer(200, {}, b"x", **more).is_plain is is_plain


def test_a_part_of_a_file_goes_out_to_its_end() -> None:
    """And not beyond, in however many pieces."""
    content = random.Random(1).randbytes(200_000)
    found = Answer(206, {}, blob=Blob([content]), span=(10, 100_010))
    assert (b"".join(found.chunks()), found.length) == (content[10:100_010], 100_000)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "7", 7),
        ("integer", "7.5", "7.5"),
        ("number", "7.5", 7.5),
        ("number", "x", "x"),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("boolean", "yes", "yes"),
        ("string", "7", "7"),
        ("string", "true", "true"),
    ],
)
def test_a_text_is_read_as_the_type_that_is_wanted(kind: str, text: str, value: Any) -> None:
    """What is none of it stays as it is, to be refused in words."""
    found = as_typed(text, {"type": kind})
    assert (found, type(found)) == (value, type(value))


def test_a_parameter_is_required_where_the_document_says_so() -> None:
    """As OpenAPI has it: who says nothing of it requires nothing."""
    data = copy.deepcopy(load_contract().data)
    for each in data["components"]["parameters"].values():
        each.pop("required", None)
    contract = Contract(data)
    given = [("offset", "0"), ("limit", "9")]
    assert contract.read_parameters(contract.operations["listTasks"], {}, given)[1:] == ([], [])


def test_a_fault_is_the_same_whatever_it_has_hit() -> None:
    """Rules are told apart by what they do."""
    faults = Simulator().faults
    first, other = (faults.add("status", "getTask") for _ in range(2))
    assert first.takes("getTask", random.Random(1))
    assert (first.calls, first.hits) == (1, 1)
    assert first == other


def test_a_video_of_the_page_is_for_the_page_alone() -> None:
    """No other site may show it."""
    sim = Simulator()
    sim.state.blobs["a"] = (Blob([b"x"]), "video/mp4")
    assert view(sim, Request("GET", viewed("a"))).headers["cross-origin-resource-policy"] == "same-origin"


def test_a_clock_that_is_moved_by_hand_has_no_pace() -> None:
    """It neither has a speed nor is it paused."""
    assert snapshot(Simulator(), ManualClock(), 0.0)["clock"] == {"speed": None, "paused": False}
    assert 0.05 <= PAUSE <= 0.5, "it is looked for news often, but with a rest"


def test_a_simulator_is_as_it_is_said_to_be() -> None:
    """Unless told otherwise; it begins without a request, and what did not come over a socket took no time."""
    sim = Simulator()
    assert (sim.upload_limit, sim.storage, sim.link_seconds) == (2 << 30, 4 << 30, 3600)
    assert (sim.strict, sim.allow_remote_callbacks, sim.web_tasks, sim.task_seconds) == (False, False, 0, None)
    assert [(each.max_jobs, each.credits, each.spent) for each in sim.state.accounts.values()] == [(5, 2250, 0)]
    assert sim.state.new_uuid() == Simulator(seed=0).state.new_uuid()
    assert (sim.handled, sim.state.created, sim.token_leaks) == (0, 0, 0)
    sim.handle(Request("GET", "/"), 0.0)
    assert (sim.handled, sim.requests[-1].milliseconds) == (1, 0)


def test_an_error_has_its_status_as_code_unless_told_otherwise() -> None:
    """Some of the service's have none."""
    assert error_answer(404, "no").body == b'{"error": "no", "code": 404}'
    assert error_answer(404, "no", code=False).body == b'{"error": "no"}'


def test_each_change_of_the_faults_is_one() -> None:
    """Whoever looks on is told of it: one that is added, one that is taken back, all."""
    faults = Simulator().faults
    faults.add("status", "getTask", nth=None)
    assert faults.changes == 1
    faults.add("status", "getTask", nth=[1])
    faults.remove(0)
    assert faults.changes == 3
    faults.clear()
    assert faults.changes == 4


@pytest.mark.parametrize(
    ("age", "status", "ratio"),
    [
        (0, "PENDING", None),
        (9.9, "PENDING", None),
        (10, "THROTTLED", None),
        (19.9, "THROTTLED", None),
        (20, "RUNNING", 0),
        (30, "RUNNING", 0.5),
        (39.9, "RUNNING", 0.995),
        (40, "SUCCEEDED", 1),
    ],
)
def test_a_phase_begins_at_its_moment(age: float, status: str, ratio: float | None) -> None:
    """And not after it."""
    plan = Plan(starts=10, throttled_until=20, ends=40, outcome="succeeded")
    assert (plan.status(age), plan.ratio(age)) == (status, ratio)


def test_any_gzip_is_unpacked_and_nothing_else() -> None:
    """Also one that repeats what stands far before; a bare deflate is none."""
    part = random.Random(1).randbytes(30_000)
    body = part + part[:1000]

    def packed(content: bytes) -> Request:
        return Request("POST", "/", [], {"content-encoding": "gzip"}, Blob([content]), SITE, SITE)

    assert unpacked(packed(gzip.compress(body, 9)), 1 << 20).body.read() == body
    with pytest.raises(Unreadable, match="no gzip"):
        unpacked(packed(zlib.compress(body)), 1 << 20)


def test_a_path_is_read_as_it_was_sent() -> None:
    """Where the server tells it so; else as it tells it."""
    scope = {"type": "http", "method": "GET", "scheme": "http", "path": "/a/b", "query_string": b"", "headers": []}
    assert _head(scope, "").path == "/a/b"
    assert _head({**scope, "raw_path": b"/a%2Fb"}, "").path == "/a%2Fb"


def test_a_request_is_read_with_all_that_it_says() -> None:
    """A parameter without a value, too; its links lead to where the server is, or else to where it was asked."""
    scope = {"type": "http", "method": "GET", "scheme": "https", "path": "/", "query_string": b"a=&b=1"}
    request = _head({**scope, "headers": [(b"host", b"x.test")]}, "")
    assert (request.query, request.origin, request.site) == (
        [("a", ""), ("b", "1")],
        "https://x.test",
        "https://x.test",
    )
    assert _head({**scope, "headers": []}, "http://sim.test").origin == "http://sim.test"


@pytest.mark.parametrize("error", [ValueError("no label"), httpx.ConnectError("refused"), httpx.InvalidURL("none")])
def test_a_callback_that_cannot_be_sent_is_told(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """And stops none of those after it."""

    def fails(request: httpx.Request) -> httpx.Response:
        raise error

    async def main() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(fails)) as client:
            await _post(client, Callback("http://127.0.0.1:9/x?signed=s3cr3t", b"{}", "t", True))

    asyncio.run(main())
    assert caplog.messages == [f"callback to http://127.0.0.1:9/x failed: {type(error).__name__}"]


@pytest.mark.parametrize(("behind", "moved"), [(100, 100), (0, 0), (-100, 0)])
def test_time_goes_on_where_a_state_was_left(tmp_path: Path, behind: float, moved: float) -> None:
    """A clock that is behind it jumps there; one that is not stays where it is."""
    sim, clock = Simulator(), ManualClock()
    StateFile(tmp_path / "s.json").save(sim, clock, always=True)
    later = ManualClock(clock.now() - behind)
    StateFile(tmp_path / "s.json").load(Simulator(), later)
    assert later.now() - (clock.now() - behind) == moved


def test_whoever_is_to_wake_first_moves_the_time() -> None:
    """In whatever order they went to sleep: each wakes at its own moment."""
    woken: list[tuple[float, float]] = []

    async def main() -> None:
        clock = ManualClock()
        begun = clock.now()

        async def sleeper(seconds: float) -> None:
            await clock.asleep(seconds)
            woken.append((seconds, clock.now() - begun))

        await asyncio.gather(*map(sleeper, (1, 5, 2, 6, 7, 3)))

    asyncio.run(main())
    assert woken == [(seconds, seconds) for seconds in (1, 2, 3, 5, 6, 7)]


@pytest.mark.parametrize(
    ("package", "name", "home"),
    [
        ("simulator", "SimulatorServer", "server"),
        ("callbacks", "CallbackApp", "asgi"),
    ],
)
def test_what_an_extra_lacks_is_told_with_the_extra(
    monkeypatch: pytest.MonkeyPatch, package: str, name: str, home: str
) -> None:
    """By whoever asks for a name that needs it."""
    module = importlib.import_module(f"useapi_runwayml.{package}")
    monkeypatch.delitem(vars(module), name, raising=False)
    monkeypatch.setitem(sys.modules, f"{module.__name__}.{home}", None)
    with pytest.raises(ModuleNotFoundError, match=rf"is missing\): pip install 'useapi-runwayml\[{package}\]'"):
        getattr(module, name)
