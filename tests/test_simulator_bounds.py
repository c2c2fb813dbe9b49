"""The simulator at its edges: odd input, full disks, many readers, restarts."""

from __future__ import annotations

import errno
import gzip
import json
import math
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml.simulator import ManualClock, RunningClock, Shapes, Simulator, SimulatorServer, admin
from useapi_runwayml.simulator.bending import as_object, bend
from useapi_runwayml.simulator.bodies import Unreadable, unpacked
from useapi_runwayml.simulator.faults import Fault
from useapi_runwayml.simulator.persist import StateFile
from useapi_runwayml.simulator.plan import Plan
from useapi_runwayml.simulator.wire import Answer, Blob, Request

from .conftest import MP4
from .test_simulator import CREATE, HEADERS, Service

VIDEO = {**HEADERS, "Content-Type": "video/mp4"}


def test_a_state_keeps_the_bytes_of_this_life(tmp_path: Path) -> None:
    """After a reset the ids come again, and with them the new files, not the old ones; files of nobody are removed."""
    service, state = Service(), StateFile(tmp_path / "s.json")
    first = service.asset(content=b"old" + MP4)
    state.save(service.sim, service.clock)
    service.sim.reset()
    assert service.asset(content=b"new" + MP4) == first
    state.save(service.sim, service.clock)
    again = Simulator()
    StateFile(tmp_path / "s.json").load(again, ManualClock())
    assert again.state.assets[first].blob.read() == b"new" + MP4
    service.sim.reset()
    state.save(service.sim, service.clock, always=True)
    assert list((tmp_path / "s.json.media").iterdir()) == []


def test_a_state_is_written_when_something_happened_or_at_the_end(tmp_path: Path) -> None:
    """Time alone writes nothing while the simulator serves; at its end the moment is kept all the same."""
    service, path = Service(), tmp_path / "s.json"
    state = StateFile(path)
    service.create()
    state.save(service.sim, service.clock)
    before = path.read_bytes()
    service.clock.advance(100)
    state.save(service.sim, service.clock)
    assert path.read_bytes() == before
    state.save(service.sim, service.clock, always=True)
    assert json.loads(path.read_bytes())["now"] == json.loads(before)["now"] + 100


def test_a_file_of_more_than_a_mebibyte_lies_on_the_disk() -> None:
    """One of just so much is in memory; each reads as it was, whole and in parts."""
    for size, on_disk in ((1 << 20, False), ((1 << 20) + 1, True)):
        content = bytes(range(256)) * (size // 256) + bytes(size % 256)
        blob = Blob([content[:1000], content[1000:]])
        assert (blob._file is not None) == on_disk
        assert (blob.size, blob.read()) == (size, content)
        assert blob.read(999, 3) == content[999:1002]
        assert (blob.read(999, 0), blob.read(size + 9)) == (b"", b"")
        assert not (on_disk and blob._memory)
        blob.append(b"more")
        assert blob.read(size) == b"more"
        blob.close()


def test_time_goes_on_after_a_restart(tmp_path: Path) -> None:
    """What had ended has ended, however far the clock had been moved."""
    service, path = Service(), tmp_path / "s.json"
    task_id = service.create().json()["taskId"]
    service.clock.advance(10**6)
    service.clock.advance(-5)
    StateFile(path).save(service.sim, service.clock)
    with SimulatorServer(clock=ManualClock(), state=path) as server:
        assert server.clock.now() >= service.clock.now()
        assert httpx.get(f"{server.base_url}/tasks/{task_id}", headers=HEADERS).status_code == 410


def test_a_malformed_reply_url_harms_nobody() -> None:
    """It is never called, and other requests go on."""
    service = Service()
    service.create(replyUrl="http://[oops")
    service.clock.advance(100)
    assert service("GET", "/scheduler/").status_code == 200
    assert [each.allowed for each in service.transport.callbacks] == [False] * 3


def test_a_lone_surrogate_does_not_break_the_list() -> None:
    """A prompt and a reference with one can be stored and read again."""
    service = Service()
    body = json.dumps({"assetId": service.asset(), "text_prompt": "\ud800", "replyRef": "\ud801"}).encode()
    assert service("POST", CREATE, content=body, headers={"Content-Type": "application/json"}).status_code == 200
    assert service("GET", "/tasks/?offset=0&limit=9").status_code == 200


def test_many_read_one_large_result_at_once() -> None:
    """Threads that download the same spilled file all get its bytes."""
    content = os.urandom(4 << 20)
    service = Service()
    task_id = service.create(service.asset(content=content)).json()["taskId"]
    service.clock.advance(100)
    url = service.task(task_id)["artifacts"][0]["url"]
    files = httpx.Client(transport=service.transport)
    with ThreadPoolExecutor(8) as pool:
        assert all(found.content == content for found in pool.map(lambda _: files.get(url), range(24)))


def test_a_slow_body_times_out_in_process_too() -> None:
    """As over a socket: a pause that is longer than the client's patience is a ReadTimeout."""
    for seconds, patience, late in [(2.0, 0.3, True), (0.1, 5.0, False)]:
        service = Service()
        service.sim.faults.add("slow_body", "listScheduler", seconds=seconds)
        by_process = meets_timeout(
            lambda service=service, patience=patience: service("GET", "/scheduler/", timeout=patience)
        )
        sim = Simulator()
        sim.faults.add("slow_body", "listScheduler", seconds=seconds)
        with SimulatorServer(sim) as server:
            url = f"{server.base_url}/scheduler/"
            by_socket = meets_timeout(
                lambda url=url, patience=patience: httpx.get(url, headers=HEADERS, timeout=patience)
            )
        assert by_process is by_socket is late


def meets_timeout(ask: Any) -> bool:
    try:
        ask()
    except httpx.ReadTimeout:
        return True
    return False


def test_a_held_callback_comes_in_the_end() -> None:
    """Even the last one, when no other follows that it could be sent after."""
    for settings in ({"nth": [3]}, {"probability": 1.0}):
        service = Service()
        service.sim.faults.add("reorder_callbacks", "callback", **settings)
        service.create(replyUrl="http://127.0.0.1:9/")
        service.clock.advance(100)
        service("GET", "/scheduler/")
        assert sorted(json.loads(each.body)["status"] for each in service.transport.callbacks) == [
            "RUNNING",
            "RUNNING",
            "SUCCEEDED",
        ]


@pytest.mark.parametrize(
    "wrong",
    [{"nth": "1"}, {"nth": ["1"]}, {"nth": [True]}, {"seconds": "2"}, {"seconds": -1}, {"status": "503"}, {"times": 1.5}, {"probability": "0.5"}, {"probability": True}, {"after": 1}, {"shape": "round"}, {"bytes": -1}, {"body": 7}, {"nth": [0]}, {"times": -1}, {"seconds": math.nan}, {"seconds": math.inf}, {"status": 199}, {"status": 1000}],
)  # fmt: skip
def test_a_fault_with_odd_settings_is_refused(wrong: dict[str, Any]) -> None:
    """When it is added, not when it strikes."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Simulator().faults.add("status", "listScheduler", **wrong)


def test_a_fault_at_the_bounds_is_taken() -> None:
    """No time, never, the first call, and every status that an answer can have."""
    faults = Simulator().faults
    for settings in ({"seconds": 0}, {"times": 0}, {"nth": [1]}, {"bytes": 0}, {"status": 200}, {"status": 999}):
        faults.add("status", "listScheduler", **settings)


def test_errors_may_come_as_runways_object() -> None:
    """`http_errors` gives an object instead of a text; the account of a busy fault is the asset's; retryAfter stands in the body."""
    service = Service(accounts=["a@x.test", "b@x.test"], shapes=Shapes(http_errors="object"))
    asset_id = service.asset(email="b@x.test")
    assert service("GET", "/tasks/none").json()["error"]["message"].startswith("Unable to retrieve")
    service.sim.faults.add("busy", "createVideoToVideo", shape="account", retry_after="20")
    busy = service.create(asset_id)
    assert list(busy.json()["runningTasks"]) == ["b@x.test"]
    assert busy.json()["retryAfter"] == "2026-01-02T03:00:20.000Z"
    assert busy.headers["retry-after"] == "20"


def test_files_of_nobody_are_let_go() -> None:
    """A deleted asset's bytes go with it, unless a task still shows them; then they go with the task."""
    service = Service()
    for _ in range(5):
        service("DELETE", f"/assets/{service.asset(content=b'x' * 2_000_000)}")
    assert service.sim.state.blobs == {}
    asset_id = service.asset()
    task_id = service.create(asset_id).json()["taskId"]
    service("DELETE", f"/assets/{asset_id}")
    service.clock.advance(100)
    assert httpx.Client(transport=service.transport).get(service.task(task_id)["artifacts"][0]["url"]).content == MP4
    service("DELETE", f"/tasks/{task_id}")
    assert service.sim.state.blobs == {}


def test_a_client_that_goes_away_has_uploaded_nothing() -> None:
    """300 of 1,000 bytes and a close: no asset."""
    with SimulatorServer(clock=RunningClock()) as server:
        host, port = server.origin.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            head = "POST /v1/runwayml/assets/?name=x HTTP/1.1\r\nHost: x\r\nContent-Type: video/mp4\r\nContent-Length: 1000\r\n"
            connection.sendall(f"{head}Authorization: Bearer user:1-a\r\n\r\n".encode() + b"x" * 300)
            time.sleep(0.05)  # the server has to see the beginning before the end
        assert httpx.get(f"{server.base_url}/scheduler/", headers=HEADERS).status_code == 200
        assert not server.simulator.state.assets


def test_a_full_disk_is_told_in_an_answer(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A spilled upload that cannot be kept is 507 with the reason, without a traceback; a state that cannot be kept is a warning."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with SimulatorServer(clock=RunningClock()) as server:
        monkeypatch.setattr("tempfile.TemporaryFile", full)
        answer = httpx.post(f"{server.base_url}/assets/?name=x", content=b"x" * 2_000_000, headers=VIDEO)
        monkeypatch.undo()
        assert answer.status_code == 507
        assert "No space left" in answer.json()["error"]
        assert httpx.get(f"{server.base_url}/scheduler/", headers=HEADERS).status_code == 200
    assert "Traceback" not in caplog.text


# -- what a caller is told ----------------------------------------------------------------------------------------------------
def test_answers_carry_the_codes_of_the_service() -> None:
    """A create's 200 in either shape, the 429 of the queue, and none with the 412; an unknown id is named without its account."""
    service = Service(max_jobs=1, credits=50)
    asset_id = service.asset()
    assert service.create(asset_id).json()["code"] == 200
    assert service.create(asset_id).json()["code"] == 429
    service.clock.advance(100)
    assert "code" not in service.create(asset_id).json()
    service.sim.shapes = Shapes(create="wrapped")
    assert service.create(asset_id, exploreMode=True).json()["code"] == 200
    unknown = "user:4242-runwayml:maker@example.com-task:none"
    assert service("GET", f"/tasks/{unknown}").json()["error"] == "Unable to retrieve taskId none (Not found.)"
    told = "Unable to retrieve assetId none (Not found.)"
    assert service("GET", f"/assets/{unknown}").json()["error"] == told
    assert service("DELETE", f"/assets/{unknown}").json()["error"] == told
    assert service.create(unknown).json()["error"] == told


def test_credits_may_be_spent_to_the_last() -> None:
    """Explore mode costs nothing, also when none are left."""
    service = Service(max_jobs=10, credits=100)
    asset_id = service.asset()
    asked = [{"seconds": 10}, {"exploreMode": True}, {"seconds": 10}, {"seconds": 5}, {"exploreMode": True}]
    assert [service.create(asset_id, **each).status_code for each in asked] == [200, 200, 200, 412, 200]
    assert service("GET", "/features/").json()["used"] == {"numPlanCredits": 100}
    assert service.sim.paid == (4, 100, {None: 4})


def test_of_several_accounts_only_the_list_of_tasks_needs_one_to_be_named() -> None:
    """The rest is of the first."""
    service = Service(accounts=["a@x.test", "b@x.test"])
    assert "a@x.test" in (first := service.asset())
    assert service("GET", "/tasks/?offset=0&limit=9").status_code == 400
    assert [each["assetId"] for each in service("GET", "/assets/?offset=0&limit=9").json()] == [first]
    assert service("GET", "/features/").status_code == 200
    assert Service()("GET", "/tasks/?offset=0&limit=9").status_code == 200


def test_storage_can_be_filled_to_the_last_byte() -> None:
    """And not beyond."""
    service = Service(storage=len(MP4))
    service.asset()
    kind = {"Content-Type": "video/mp4"}
    assert service("POST", "/assets/?name=x", content=b"x", headers=kind).status_code == 413


def test_tasks_of_the_web_application_began_a_minute_apart() -> None:
    """The last of them five seconds ago; each account has its own, they hold no slot, and come once."""
    service = Service(accounts=["a@x.test", "b@x.test"], web_tasks=3, task_seconds=100)
    begun = service.clock.now()
    for email in ("a@x.test", "b@x.test"):
        listed = service("GET", "/tasks/", params={"offset": 0, "limit": 9, "email": email}).json()
        assert [each["createdAt"][14:19] for each in listed] == ["59:55", "58:55", "57:55"]
        assert [each["status"] for each in listed][1:] == ["RUNNING", "SUCCEEDED"]
        assert {email in each["taskId"] for each in listed} == {True}
    assert service("GET", "/scheduler/").json() == []
    assert service.clock.now() == begun
    assert {task.cost for task in service.sim.state.tasks.values()} == {0}
    assert len(service.sim.state.tasks) == 6


def test_a_created_task_can_be_hidden_for_a_while() -> None:
    """From the scheduler for just so long, from the list for ever."""
    service = Service()
    service.sim.faults.add("hide_in_scheduler", "createVideoToVideo", seconds=10)
    service.sim.faults.add("hide_in_list", "createVideoToVideo")
    service.create()
    for seconds, shown in ((9.5, 0), (0.5, 1)):
        service.clock.advance(seconds)
        assert len(service("GET", "/scheduler/").json()) == shown
    assert service("GET", "/tasks/?offset=0&limit=9").json() == []


@pytest.mark.parametrize(
    ("seconds", "prompt", "ages"),
    [
        (2, "x", [(0.5, "RUNNING"), (1.9, "RUNNING"), (2, "SUCCEEDED")]),
        (10, "[throttle]", [(2, "THROTTLED"), (119, "THROTTLED"), (129.5, "RUNNING"), (130, "SUCCEEDED")]),
    ],
)
def test_a_task_takes_as_long_as_is_said(seconds: float, prompt: str, ages: list[tuple[float, str]]) -> None:
    """A throttled one two minutes longer."""
    service = Service(task_seconds=seconds)
    task_id, begun = service.create(text_prompt=prompt).json()["taskId"], service.clock.now()
    for age, status in ages:
        service.clock.advance(begun + age - service.clock.now())
        assert service.task(task_id)["status"] == status


def test_a_task_that_takes_no_time_has_ended_when_it_begins() -> None:
    """With all of its progress."""
    service = Service(task_seconds=0)
    answer = service.create().json()
    assert (answer["status"], float(answer["progressRatio"])) == ("SUCCEEDED", 1)


# -- callbacks ----------------------------------------------------------------------------------------------------------------
def told(service: Service, age: float) -> list[float]:
    """The progress that is told of at an age of the one task."""
    (task,) = service.sim.state.tasks.values()
    due = service.sim.due_callbacks("http://x.test", task.created + age)
    return [float(json.loads(each.body)["progressRatio"]) for each in due]


@pytest.fixture
def calling() -> Service:
    """A service whose one task tells of its progress after 20, 30 and 40 seconds."""
    service = Service()
    service.create(replyUrl="http://127.0.0.1:9/")
    (task,) = service.sim.state.tasks.values()
    task.plan = Plan(10, 20, 40, "")
    return service


def test_a_callback_is_due_at_its_moment_and_tells_of_it(calling: Service) -> None:
    """Each once, with the progress of that moment, also where nobody asked before."""
    assert told(calling, 19.9) == []
    assert told(calling, 20) == [0]
    assert told(calling, 29.9) == []
    assert [round(each, 2) for each in told(calling, 100)] == [0.5, 1]
    assert told(calling, 200) == []


def test_a_callback_can_be_late(calling: Service) -> None:
    """By just so much, and comes once."""
    calling.sim.faults.add("late_callback", "callback", nth=1, seconds=5)
    ages = (20, 24.9, 25, 25, 26)
    assert [told(calling, age) for age in ages] == [[], [], [0], [], []]


def test_a_callback_that_is_held_back_waits_for_the_next(calling: Service) -> None:
    """And follows it."""
    calling.sim.faults.add("reorder_callbacks", "callback", nth=1)
    assert [told(calling, age) for age in (20, 25, 30, 40)] == [[], [], [0.5, 0], [1]]


# -- files --------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("10-10", 10, 10), ("10-", 10, len(MP4) - 1), ("10-999999", 10, len(MP4) - 1), ("0-", 0, len(MP4) - 1)],
)
def test_a_part_ends_where_the_file_ends(asked: str, first: int, last: int) -> None:
    """One byte is a part, too; its date is one that HTTP knows."""
    service = Service(task_seconds=0)
    url = service.create().json()["artifacts"][0]["url"]
    found = httpx.Client(transport=service.transport).get(url, headers={"Range": f"bytes={asked}"})
    assert (found.status_code, found.content) == (206, MP4[first : last + 1])
    assert found.headers["content-range"] == f"bytes {first}-{last}/{len(MP4)}"
    assert found.headers["last-modified"].endswith(" GMT")


def test_a_token_that_is_sent_to_a_file_is_counted() -> None:
    """And refused."""
    service = Service(task_seconds=0)
    url = service.create().json()["artifacts"][0]["url"]
    for number in (1, 2):
        found = service.http.get(url)
        assert (found.status_code, found.text) == (400, "Only one way to sign a request is allowed")
        assert service.sim.token_leaks == number


# -- faults -------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("probability", "is_taken"), [(0, True), (1, True), (-0.5, False), (1.5, False)])
def test_a_probability_goes_from_nothing_to_one(probability: float, is_taken: bool) -> None:
    """Both ends among it."""
    faults = Simulator().faults
    if is_taken:
        faults.add("status", "listScheduler", probability=probability)
    else:
        with pytest.raises(ValueError, match="probability"):
            faults.add("status", "listScheduler", probability=probability)


@pytest.mark.parametrize(
    ("kind", "settings", "body", "status", "sent", "cut_at"),
    [
        ("bad_json", {}, b'{"a":1}', 200, b'{"a', None),
        ("bad_json", {}, b"{}", 200, b"{", None),
        ("cut_body", {"bytes": 1}, b"abc", 200, b"abc", 1),
        ("cut_body", {"bytes": 9}, b"abc", 200, b"abc", 2),
        ("cut_body", {"bytes": 9}, b"a", 200, b"a", 0),
        ("cut_body", {"bytes": 9}, b"", 200, b"", 0),
        ("status", {"after": True, "body": "no"}, b"abc", 503, b"no", None),
        ("status", {"body": "no"}, b"abc", 200, b"abc", None),
        ("hide_in_list", {"after": True}, b"abc", 200, b"abc", None),
    ],
)
def test_an_answer_is_bent(
    kind: str, settings: dict[str, Any], body: bytes, status: int, sent: bytes, cut_at: int | None
) -> None:
    """Half of its JSON is missing, it ends before its end, or another status comes after all was done."""
    answer = Answer(200, {}, body)
    bend(answer, Fault(kind, **settings))
    assert (answer.status, answer.body, answer.cut_at) == (status, sent, cut_at)


def test_a_file_has_no_json_to_break() -> None:
    """It comes as it is."""
    answer = Answer(200, {}, b"", Blob([b"abc"]), (0, 3))
    bend(answer, Fault("bad_json"))
    assert b"".join(answer.chunks()) == b"abc"


@pytest.mark.parametrize(
    ("status", "content_type", "body", "is_object"),
    [
        (400, "application/json", b'{"error": "no"}', True),
        (399, "application/json", b'{"error": "no"}', False),
        (400, "text/plain", b"no", False),
        (500, "application/json", b'["no"]', False),
        (500, "application/json", b'{"error": {}}', False),
    ],
)
def test_only_the_text_of_an_error_becomes_an_object(
    status: int, content_type: str, body: bytes, is_object: bool
) -> None:
    """Everything else stays as it is."""
    answer = Answer(status, {"content-type": content_type}, body)
    as_object(answer)
    assert (answer.body != body) is is_object
    assert not is_object or answer.json()["error"]["message"] == "no"


def test_a_request_that_is_not_read_has_no_status() -> None:
    """It is seen all the same."""
    service = Service()
    service.sim.faults.add("unreachable", "listScheduler")
    with pytest.raises(httpx.ConnectError):
        service("GET", "/scheduler/")
    assert (service.sim.requests[-1].status, service.sim.requests[-1].note) == (0, "unreachable")


# -- judging ------------------------------------------------------------------------------------------------------------------
def test_what_is_refused_is_named() -> None:
    """The field with what is wrong with it; a body that is none of the right kind, by that alone."""
    service = Service(strict=True)
    assert service("GET", "/tasks/?offset=0&limit=9").status_code == 200
    assert service.create(seconds=7).json()["error"].startswith("seconds: ")
    assert service("POST", CREATE, json=[]).json()["error"].startswith("[] is not of type")
    form = {"Content-Type": "multipart/form-data"}
    assert service("POST", CREATE, content=b"x", headers=form).json()["error"] == "The form has no boundary"
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    assert "The form cannot be read" in service("POST", CREATE, content=b"xyz", headers=form).json()["error"]
    kind = {"Content-Type": "application/json"}
    assert "The body is no JSON" in service("POST", CREATE, content=b"{", headers=kind).json()["error"]


@pytest.mark.parametrize(("size", "is_taken"), [(99, True), (100, True), (101, False), (102, False)])
def test_a_packed_body_is_measured_as_it_was_before(size: int, is_taken: bool) -> None:
    """Up to the limit, and not beyond."""
    request = Request("POST", "/", [], {"content-encoding": "gzip"}, Blob([gzip.compress(bytes(size))]))
    if is_taken:
        assert unpacked(request, 100).body.size == size
    else:
        with pytest.raises(Unreadable, match="too large"):
            unpacked(request, 100)


# -- steering -----------------------------------------------------------------------------------------------------------------
def test_steering_is_answered_with_200() -> None:
    """Whatever was asked or done; the clock goes up to the year 2100, and never back."""
    sim, clock = Simulator(), ManualClock()

    def steer(method: str, what: str, given: Any = None) -> int:
        return admin.handle(
            sim, clock, Request(method, f"/_simulator/{what}", body=Blob([json.dumps(given).encode()]))
        ).status

    for each in ("health", "document", "state", "faults"):
        assert steer("GET", each) == 200
    assert steer("POST", "faults", {"kind": "bad_json"}) == 200
    assert steer("DELETE", "faults/0") == 200
    assert steer("DELETE", "faults") == 200
    assert steer("POST", "reset") == 200
    assert steer("POST", "clock", {"advance": -0.5}) == 400
    assert steer("POST", "clock", {"advance": 0}) == 200
    assert steer("POST", "clock", {"advance": admin.LATEST - clock.now()}) == 200
    assert steer("POST", "clock", {"advance": 1}) == 400
    assert datetime.fromtimestamp(clock.now(), UTC) == datetime(2100, 1, 1, tzinfo=UTC)


def test_the_state_tells_how_far_a_task_is() -> None:
    """As the task itself does."""
    service = Service(task_seconds=100)
    task_id = service.create().json()["taskId"]
    service.clock.advance(50)
    (line,) = admin.state(service.sim, service.clock.now())["tasks"]
    assert line["progress"] == pytest.approx(float(service.task(task_id)["progressRatio"]))
    assert 0.4 < line["progress"] < 0.6
