"""What the simulated service shows of tasks and files, when it shows it, and what it keeps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml.simulator import ManualClock, RunningClock, Shapes, Simulator, state
from useapi_runwayml.simulator.persist import StateFile
from useapi_runwayml.simulator.plan import Plan
from useapi_runwayml.simulator.transports import as_request
from useapi_runwayml.simulator.wire import Blob

from .conftest import MP4
from .test_simulator import CREATE, Service


@pytest.fixture
def service() -> Service:
    return Service()


def planned(service: Service, outcome: str = "", **body: Any) -> str:
    """A task that begins after ten seconds and ends after forty."""
    task_id: str = service.create(**body).json()["taskId"]
    service.sim.state.tasks[task_id].plan = Plan(10, 0, 40, outcome)
    return task_id


def test_an_upload_and_its_asset_are_shown_as_the_service_shows_them(service: Service) -> None:
    """In two shapes; a size is text, unless it is asked for as a number."""
    kind = {"Content-Type": "video/mp4"}
    upload = service("POST", "/assets/?name=clip&duration=4", content=MP4, headers=kind).json()
    asset_id = upload["assetId"]
    assert asset_id.endswith(f"-asset:{upload['id']}")
    assert upload["type"] == {"name": "video", "type": "video", "isDirectory": False}
    assert upload["user"] == {"id": 4242, "email": "maker@example.com"}
    assert upload["permissions"] == {"read": True, "write": True}
    asset = service("GET", f"/assets/{asset_id}").json()
    assert (asset["id"], asset["name"], asset["mediaType"], asset["mediaSubtype"]) == (
        upload["id"],
        "clip",
        "video",
        "mp4",
    )
    assert (asset["fileCount"], asset["isUserUpload"], asset["private"], asset["favorite"]) == (1, True, True, False)
    assert (asset["fileSize"], upload["size"]) == (str(len(MP4)), len(MP4))
    service.sim.shapes = Shapes(numbers="number")
    assert service("GET", f"/assets/{asset_id}").json()["fileSize"] == len(MP4)


def test_a_task_tells_when_it_will_begin_and_when_it_last_changed(service: Service) -> None:
    """As long as it waits, and as long as it changes; it holds its slot until the moment of its end."""
    task_id = planned(service)
    begun = service.clock.now()
    seen = []
    for age in (0, 4, 9.75, 10, 39.5, 40, 100):
        service.clock.advance(begun + age - service.clock.now())
        task = service.task(task_id)
        seen.append(
            (
                task["estimatedTimeToStartSeconds"],
                task["updatedAt"][14:22],
                len(service.sim.state.tracked("maker@example.com", service.clock.now())),
            )
        )
    assert seen == [
        (10, "00:00.00", 1),
        (6, "00:04.00", 1),
        (0, "00:09.75", 1),
        (None, "00:10.00", 1),
        (None, "00:39.50", 1),
        (None, "00:40.00", 0),
        (None, "00:40.00", 0),
    ]  # fmt: skip
    assert task["createdAt"] == "2026-01-02T03:00:00.000Z"
    assert task["artifacts"][0]["createdAt"] == "2026-01-02T03:00:40.000Z"
    assert task_id.endswith(f"-task:{task['id']}")


def test_a_result_is_shown_with_its_measures(service: Service) -> None:
    """The older way and the newer, and what nobody asked for is as the service has it."""
    task_id = planned(service, aspect_ratio="portrait", seconds=5)
    service.clock.advance(50)
    task = service.task(task_id)
    assert task["artifacts"][0]["fileSize"] == str(len(MP4))
    older = {"frameRate": 24, "duration": 5, "dimensions": [768, 1280], "size": {"width": 768, "height": 1280}}
    assert task["artifacts"][0]["metadata"] == older
    options = task["options"]
    assert (options["watermark"], options["enhance_prompt"], options["recordingEnabled"]) == (False, True, True)
    assert task["features"] == {"storageGB": 500, "numPlanCredits_permitted": 2250, "numPlanCredits_used": 25}
    service.sim.shapes = Shapes(metadata="newer", numbers="number")
    assert service.task(task_id)["artifacts"][0]["fileSize"] == len(MP4)
    newer = {"frameRate": 24, "duration": 5, "width": 768, "height": 1280, "hasAudio": False, "hasAlphaChannel": False}
    assert service.task(task_id)["artifacts"][0]["metadata"] == newer


@pytest.mark.parametrize(("outcome", "is_moderation"), [("moderated", True), ("failed", False)])
def test_the_error_of_a_task_says_whether_it_was_moderation(
    service: Service, outcome: str, is_moderation: bool
) -> None:
    """By a flag and a category."""
    task_id = planned(service, outcome)
    service.clock.advance(50)
    error = service.task(task_id)["error"]
    assert error["tally_asimov"] is is_moderation is (error["moderation_category"] is not None)


def test_a_link_holds_until_its_moment(service: Service) -> None:
    """And not at it."""
    service.sim.task_seconds = 0
    url = service.create().json()["artifacts"][0]["url"]
    files = httpx.Client(transport=service.transport)
    for seconds, status in ((3599.5, 200), (0.5, 403)):
        service.clock.advance(seconds)
        assert files.get(url).status_code == status


def test_beyond_the_most_that_is_kept_the_oldest_that_has_ended_goes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While none has ended all stay."""
    monkeypatch.setattr(state, "MOST_TASKS", 2)
    asset_id = service.asset()
    made = [service.create(asset_id).json()["taskId"] for _ in range(3)]
    assert [*service.sim.state.tasks] == made
    service.clock.advance(100)
    made.append(service.create(asset_id).json()["taskId"])
    assert [*service.sim.state.tasks] == made[1:]


def test_a_state_that_is_closed_keeps_no_file_open(service: Service) -> None:
    """Of those that lie on the disk."""
    blob = service.sim.state.assets[service.asset(content=bytes(2 << 20))].blob
    assert blob._file is not None
    service.sim.state.close()
    assert blob._file.closed


def test_each_answer_has_the_simulated_date_and_is_counted(service: Service) -> None:
    """As HTTP writes it."""
    assert service.sim.handled == 0
    answer = service("GET", "/scheduler/")
    assert answer.headers["date"] == "Fri, 02 Jan 2026 03:00:00 GMT"
    assert service.sim.handled == 1


def test_unknown_fields_are_noted(service: Service) -> None:
    """With their operation; a body of no type is told as that."""
    service("GET", "/scheduler/?surprise=1")
    assert [*service.sim.notes] == ["listScheduler: unknown field surprise"]
    for given, told in (("text/plain", "text/plain"), ("", "(none)")):
        error = service("POST", CREATE, content=b"x", headers={"Content-Type": given}).json()["error"]
        assert error.startswith(f"Content-Type {told} is not supported: application/json")


def test_a_named_token_is_the_only_one() -> None:
    """Any other is refused, however well it is formed."""
    service = Service(token="user:1-abc")
    assert service("GET", "/scheduler/").status_code == 200
    assert service("GET", "/scheduler/", headers={"Authorization": "Bearer user:1-abd"}).status_code == 401


def test_a_busy_runway_has_no_code(service: Service) -> None:
    """As in the vendor's words."""
    service.sim.faults.add("busy", "listScheduler")
    answer = service("GET", "/scheduler/")
    assert (answer.status_code, "code" in answer.json()) == (429, False)


def test_a_fault_of_which_only_the_kind_is_said_strikes_each_time() -> None:
    """With 503, at once, or after a hundred bytes; what has struck is counted."""
    faults = Simulator().faults
    faults.add("status", "listScheduler")
    faults.add("cut_body", "listScheduler")
    assert [each["hits"] for each in faults.listed()] == [0, 0]
    status, cut = faults.hits("listScheduler", frozenset({"status", "cut_body"}))
    assert (status.status, status.seconds, cut.bytes, cut.hits) == (503, 0, 100, 1)


def test_a_clock_runs_as_the_machines_unless_told_otherwise() -> None:
    """A second is a second."""
    assert RunningClock().speed == 1
    assert Simulator().clock is None
    assert ManualClock().now() == 1_767_322_800


def test_a_state_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """With the same chance, the same tasks and files; what is let go of later goes from the disk, if it is still there."""
    service, path = Service(web_tasks=2), tmp_path / "s.json"
    ids = [service.asset(content=each + MP4) for each in (b"a", b"b", b"c")]
    service.create(ids[0])
    StateFile(path).save(service.sim, service.clock)
    again, file = Service(web_tasks=2), StateFile(path)
    file.load(again.sim, again.clock)
    assert again.sim.state.created == 1
    assert again.sim.paid == service.sim.paid == (1, 50, {None: 1})
    assert [again.sim.state.assets[each].blob.read()[:1] for each in ids] == [b"a", b"b", b"c"]
    assert len(again("GET", "/tasks/?offset=0&limit=9").json()) == 3
    assert again.sim.state.new_uuid() == service.sim.state.new_uuid()
    media = sorted((tmp_path / "s.json.media").iterdir())
    assert len(media) == 3
    for each in ids[1:]:
        again("DELETE", f"/assets/{each}")
    next(each for each in media if each.name == ids[2].rpartition(":")[2]).unlink()
    file.save(again.sim, again.clock)
    assert [each.name for each in (tmp_path / "s.json.media").iterdir()] == [ids[0].rpartition(":")[2]]


def test_who_sleeps_for_no_time_lets_others_go_on() -> None:
    """As any other wait does."""
    clock, heard = ManualClock(), []

    async def main() -> None:
        other = asyncio.create_task(asyncio.sleep(0))
        other.add_done_callback(lambda _: heard.append("other"))
        for _ in range(5):
            await clock.asleep(0)
        heard.append("sleeper")

    asyncio.run(main())
    assert heard == ["other", "sleeper"]


def test_a_creation_may_need_measures_and_have_no_known_price(service: Service) -> None:
    """An asset that has none of them is refused; what nobody knows the price of costs nothing here."""
    model = service.sim.models["createVideoToVideo"]
    model._price = None
    assert service.create().status_code == 200
    assert service.sim.paid == (1, 0, {None: 1})
    model.needs = ["duration"]
    answer = service.create()
    assert (answer.status_code, "has no duration in its metadata" in answer.json()["error"]) == (400, True)


def test_an_answer_is_documented_under_its_status_or_its_range(service: Service) -> None:
    """The last of a range among it."""
    found = [service.sim.contract.status_key("createVideoToVideo", status) for status in (200, 500, 599, 499)]
    assert found == ["200", "5XX", "5XX", ""]


@pytest.mark.parametrize("size", [1000, 200_000])
def test_a_slow_body_takes_its_time_in_all(service: Service, size: int) -> None:
    """In however many pieces it comes; who does not wait for a piece has waited as long as they would."""
    service.sim.task_seconds = 0
    url = service.create(service.asset(content=bytes(size))).json()["artifacts"][0]["url"]
    service.sim.faults.add("slow_body", "download", seconds=4)
    files = httpx.Client(transport=service.transport)
    begun = service.clock.now()
    assert len(files.get(url, timeout=10).content) == size
    assert service.clock.now() - begun == 4
    with pytest.raises(httpx.ReadTimeout):
        files.get(url, timeout=0.5)
    assert service.clock.now() - begun == 4.5
    assert [*files.get(url, headers={"Range": f"bytes={size}-"}).iter_bytes()] == []


def test_who_has_no_patience_has_waited_as_long_as_they_would(service: Service) -> None:
    """Also for an answer; one that comes in time has moved the clock by what it took."""
    service.sim.faults.add("latency", "listScheduler", seconds=4)
    begun = service.clock.now()
    with pytest.raises(httpx.ReadTimeout):
        service("GET", "/scheduler/", timeout=0.5)
    assert service.clock.now() - begun == 0.5
    service("GET", "/scheduler/", timeout=5)
    assert service.clock.now() - begun == 4.5


@pytest.mark.parametrize(
    ("size", "error"), [(0, "RemoteProtocolError"), (1 << 16, "RemoteProtocolError"), ((1 << 16) + 1, "ReadError")]
)
def test_a_body_that_nobody_reads_breaks_off_where_it_is_long(service: Service, size: int, error: str) -> None:
    """A short one has left, so that only the answer is missing."""
    service.sim.faults.add("close_before_read", "uploadAsset")
    with pytest.raises(httpx.TransportError) as caught:
        service("POST", "/assets/?name=x", content=bytes(size), headers={"Content-Type": "video/mp4"})
    assert type(caught.value).__name__ == error


@pytest.mark.parametrize(
    ("operation", "media_type", "size", "status"),
    [
        ("/assets/?name=x", "video/mp4", 1000, 200),
        ("/assets/?name=x", "video/mp4", 1001, 413),
        (CREATE, "application/json", 1 << 20, 400),
        (CREATE, "application/json", (1 << 20) + 1, 413),
        ("/assets/?name=x", "video/mp4", 0, 400),
    ],
)
def test_a_body_has_a_limit(operation: str, media_type: str, size: int, status: int) -> None:
    """In process as over a socket; an upload has its own, and an empty one is none."""
    found = Service(upload_limit=1000)("POST", operation, content=b" " * size, headers={"Content-Type": media_type})
    assert found.status_code == status


def test_a_request_is_handed_on_with_all_that_it_says() -> None:
    """A parameter without a value, too."""
    found = as_request(httpx.Request("GET", "http://x.test/a%2Fb?a=&b=1", headers={"X-A": "1"}), Blob())
    assert (found.path, found.query, found.origin) == ("/a%2Fb", [("a", ""), ("b", "1")], "http://x.test")
    assert found.headers["x-a"] == "1"


def test_a_picture_is_no_video(service: Service) -> None:
    """Nothing is made of it, and nothing is paid."""
    found = service.create(service.asset("image/png"))
    assert (found.status_code, "is no video" in found.json()["error"]) == (400, True)
    assert service.sim.paid.creates == 0
