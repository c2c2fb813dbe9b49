"""The simulated service, asked by plain httpx: it keeps to the document, to the facts, and to its seed."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from useapi_runwayml.simulator import ManualClock, Shapes, Simulator, SimulatorServer, SimulatorTransport

from .conftest import BASE_URL, MP4

HEADERS = {"Authorization": "Bearer user:1-abc"}
CREATE = "/gen3turbo/video"


class Service:
    """A simulator and an httpx client of it; every answer is held against the document."""

    def __init__(self, **settings: Any) -> None:
        self.sim = Simulator(**settings)
        self.clock = ManualClock()
        self.transport = SimulatorTransport(self.sim, self.clock)
        self.http = httpx.Client(transport=self.transport, base_url=BASE_URL, headers=HEADERS)

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self.http.request(method, path, **more)
        seen = self.sim.requests[-1]
        if seen.operation and answer.status_code != 413:
            kind = answer.headers["content-type"]
            value = answer.json() if kind == "application/json" else answer.text
            assert self.sim.contract.answer_problems(seen.operation, answer.status_code, kind, value) == []
        return answer

    def asset(self, media_type: str = "video/mp4", content: bytes = MP4, **query: Any) -> str:
        answer = self(
            "POST", "/assets/", params={"name": "clip", **query}, content=content, headers={"Content-Type": media_type}
        )
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["assetId"]
        return found

    def create(self, asset_id: str | None = None, **body: Any) -> httpx.Response:
        return self("POST", CREATE, json={"assetId": asset_id or self.asset(), "text_prompt": "x", **body})

    def task(self, task_id: str) -> Any:
        return self("GET", f"/tasks/{task_id}").json()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.mark.slow
def test_a_task_goes_through_its_states_in_40_to_90_seconds() -> None:
    """PENDING, then RUNNING for most of the time with growing progress, then SUCCEEDED with the clip as its artifact."""
    for seed in range(20):
        service = Service(seed=seed)
        task_id = service.create().json()["taskId"]
        seen: list[tuple[str, Any]] = []
        while not seen or seen[-1][0] != "SUCCEEDED":
            task = service.task(task_id)
            seen.append((task["status"], task["progressRatio"]))
            service.clock.advance(1)
        states = [state for state, _ in seen]
        assert 40 <= len(seen) <= 92
        assert states == sorted(states, key=["PENDING", "RUNNING", "SUCCEEDED"].index)
        assert states.count("RUNNING") > 0.8 * len(states)
        ratios = [float(ratio) for _, ratio in seen if ratio is not None]
        assert ratios == sorted(ratios)
        assert ratios[-1] == 1
        (artifact,) = service.task(task_id)["artifacts"]
        assert service.http.get(artifact["url"], headers={"Authorization": ""}).status_code == 400
        found = httpx.Client(transport=service.transport).get(artifact["url"])
        assert (found.content, found.headers["content-type"]) == (MP4, "video/mp4")


def test_options_are_echoed(service: Service) -> None:
    """The strength as a tenth, the size by the aspect ratio, and a seed that is chosen when none is given."""
    plain = service.create().json()["options"]
    assert (plain["structure_transformation"], plain["width"], plain["height"], plain["seconds"]) == (
        0.3,
        1280,
        768,
        10,
    )
    assert 1 <= plain["seed"] <= 4294967294
    assert plain["exploreMode"] is False, "a switch that was left out is off"
    asked = service.create(
        structure_transformation=9, aspect_ratio="portrait", seed=7, seconds=5, exploreMode=True
    ).json()
    options = asked["options"]
    assert (options["structure_transformation"], options["width"], options["height"], options["flip"]) == (
        0.9,
        768,
        1280,
        True,
    )
    assert (options["seed"], options["seconds"], options["exploreMode"]) == (7, 5, True)


def test_the_same_seed_gives_the_same_answers() -> None:
    """Ids, seeds and durations come from the seed alone."""

    def story(seed: int) -> list[str]:
        service = Service(seed=seed)
        texts = [service.create(service.asset()).text for _ in range(3)]
        service.clock.advance(50)
        return [*texts, service("GET", "/tasks/", params={"offset": 0, "limit": 10}).text]

    assert story(7) == story(7)
    assert story(7) != story(8)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"assetId": "a"},
        {"text_prompt": "x"},
        {"assetId": 7, "text_prompt": "x"},
        {"assetId": "a", "text_prompt": ""},
        *(
            {"assetId": "a", "text_prompt": "x", **wrong}
            for wrong in (
                {"structure_transformation": 11},
                {"structure_transformation": -1},
                {"structure_transformation": 2.5},
                {"aspect_ratio": "square"},
                {"seconds": 7},
                {"resolution": "1080p"},
                {"seed": 0},
                {"seed": 4294967295},
                {"seed": True},
                {"exploreMode": "yes"},
                {"replyRef": "x" * 1025},
                {"replyUrl": "x" * 1025},
                {"maxJobs": 0},
                {"maxJobs": 11},
            )
        ),
        [],
        "text",
        None,
    ],
)
def test_requests_are_judged_by_the_document(service: Service, body: Any) -> None:
    """What the document refuses is a 400 with a reason, and starts nothing."""
    answer = service("POST", CREATE, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert not service.sim.state.tasks


def test_odd_requests_have_fitting_answers(service: Service) -> None:
    """No token, no path, a wrong method, broken JSON, a wrong media type, wrong and doubled parameters."""
    assert service("GET", "/scheduler/", headers={"Authorization": ""}).status_code == 401
    assert service("GET", "/scheduler/", headers={"Authorization": "Bearer nonsense"}).status_code == 401
    assert service("GET", "/nothing").status_code == 404
    assert service("PUT", "/scheduler/").status_code == 405
    assert service("POST", CREATE, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert service("POST", CREATE, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 400
    assert service("POST", CREATE, content=b"x", headers={"Content-Type": "multipart/form-data"}).status_code == 400
    assert service("GET", "/tasks/").status_code == 200
    assert service("GET", "/tasks/?offset=0&limit=1001").status_code == 400
    assert service("GET", "/tasks/?offset=0&offset=1&limit=1").status_code == 400
    assert service("GET", "/tasks/?offset=x&limit=1").status_code == 400
    assert service("GET", "/tasks/unknown").status_code == 404
    assert service("DELETE", "/tasks/unknown").status_code == 404
    assert service("DELETE", "/scheduler/unknown").status_code == 404
    assert service("GET", "/assets/unknown").status_code == 404
    assert service("DELETE", "/assets/unknown").status_code == 404
    assert service.create("user:4242-runwayml:maker@example.com-asset:none").status_code == 404
    assert service.create(service.asset("image/png")).status_code == 400
    assert service("POST", "/assets/?name=x", content=b"", headers={"Content-Type": "video/mp4"}).status_code == 400


def test_a_form_does_as_well_as_json(service: Service) -> None:
    """Text parts become the types that the document wants; what is none of them is refused."""
    asset_id = service.asset()
    parts = {"assetId": asset_id, "text_prompt": "a\r\nb", "seed": "7", "exploreMode": "true", "seconds": "5"}
    task = service("POST", CREATE, files={key: (None, value) for key, value in parts.items()}).json()
    assert task["options"]["seed"] == 7
    assert task["options"]["exploreMode"] is True
    assert task["options"]["text_prompt"] == "a\r\nb"
    for wrong in ({"seed": "7.0"}, {"exploreMode": "True"}, {"seconds": "five"}):
        assert (
            service("POST", CREATE, files={key: (None, value) for key, value in {**parts, **wrong}.items()}).status_code
            == 400
        )


def test_each_account_has_its_own_slots_and_credits() -> None:
    """The asset's id says whose they are; maxJobs of a request counts before the account's own."""
    service = Service(accounts=["a@x.test", "b@x.test"], max_jobs=2, credits=200)
    first, second = service.asset(email="a@x.test"), service.asset(email="b@x.test")
    assert [service.create(first).status_code for _ in range(3)] == [200, 200, 429]
    assert [service.create(second, maxJobs=3, seconds=5).status_code for _ in range(4)] == [200, 200, 200, 429]
    busy = service.create(first).json()
    assert busy["error"] == "Account a@x.test is busy executing 2 tasks"
    assert {task["email"] for task in busy["runningTasks"]["a@x.test"]} == {"a@x.test"}
    service.clock.advance(100)
    assert [service.create(first).status_code for _ in range(3)] == [200, 200, 429]
    service.clock.advance(100)
    assert service.create(first).status_code == 412
    assert service.create(first, exploreMode=True).status_code == 200
    spent = service("GET", "/features/", params={"email": "b@x.test"}).json()
    assert spent == {"permitted": {"storageGB": 500, "numPlanCredits": 200}, "used": {"numPlanCredits": 75}}
    assert service("GET", "/tasks/", params={"offset": 0, "limit": 9}).status_code == 400
    assert service("GET", "/tasks/", params={"offset": 0, "limit": 9, "email": "c@x.test"}).status_code == 404
    assert len(service("GET", "/tasks/", params={"offset": 0, "limit": 9, "email": "b@x.test"}).json()) == 3


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("[moderate-later]", "FAILED", "SAFETY.INPUT.TEXT"),
        ("[fail]", "FAILED", "INTERNAL.BAD_OUTPUT.CODE01"),
        ("[cancel]", "CANCELLED", None),
        ("[no-output]", "SUCCEEDED", None),
    ],
)
def test_words_decide_the_end(service: Service, word: str, status: str, reason: Any) -> None:
    """Failure, moderation later, cancellation, and success with nothing."""
    task_id = service.create(text_prompt=f"a {word} b").json()["taskId"]
    service.clock.advance(100)
    task = service.task(task_id)
    assert (task["status"], task["artifacts"]) == (status, [])
    assert (task["error"] or {}).get("reason") == reason


def test_moderation_at_once_takes_no_slot_and_no_credits(service: Service) -> None:
    """422, and nothing was started."""
    assert service.create(text_prompt="[moderate]").status_code == 422
    assert not service.sim.state.tasks
    assert service.sim.state.accounts["maker@example.com"].spent == 0


def test_a_throttled_task_is_held_up(service: Service) -> None:
    """THROTTLED is a state between PENDING and RUNNING, and holds its slot."""
    task_id = service.create(text_prompt="[throttle]").json()["taskId"]
    service.clock.advance(60)
    assert service.task(task_id)["status"] == "THROTTLED"
    assert len(service("GET", "/scheduler/").json()) == 1
    service.clock.advance(80)
    assert service.task(task_id)["status"] == "RUNNING"
    service.clock.advance(80)
    assert service.task(task_id)["status"] == "SUCCEEDED"


def test_results_are_kept_for_seven_days(service: Service) -> None:
    """Then 410, and the list does not show them any more."""
    task_id = service.create().json()["taskId"]
    service.clock.advance(7 * 24 * 3600 - 1)
    assert service("GET", f"/tasks/{task_id}").status_code == 200
    service.clock.advance(1)
    assert service("GET", f"/tasks/{task_id}").status_code == 410
    assert service("GET", "/tasks/?offset=0&limit=9").json() == []


def test_links_expire_and_know_ranges(service: Service) -> None:
    """403 after their time or with a wrong signature; parts by Range; reading the task again gives a fresh link."""
    task_id = service.create().json()["taskId"]
    service.clock.advance(100)
    url = service.task(task_id)["artifacts"][0]["url"]
    files = httpx.Client(transport=service.transport)
    whole = files.get(url)
    part = files.get(url, headers={"Range": "bytes=10-19", "If-Range": whole.headers["etag"]})
    assert (part.status_code, part.content, part.headers["content-range"]) == (
        206,
        MP4[10:20],
        f"bytes 10-19/{len(MP4)}",
    )
    assert files.get(url, headers={"Range": "bytes=10-19", "If-Range": '"other"'}).status_code == 200
    assert files.get(url, headers={"Range": f"bytes={len(MP4)}-"}).status_code == 416
    assert files.get(url.replace("signature=", "signature=0")).status_code == 403
    service.clock.advance(3601)
    assert files.get(url).status_code == 403
    assert files.get(service.task(task_id)["artifacts"][0]["url"]).content == MP4


def test_releasing_frees_the_slot_but_the_job_goes_on(service: Service) -> None:
    """No callback comes any more, the credits are spent, and the task still ends."""
    service.sim.state.accounts["maker@example.com"].max_jobs = 1
    asset_id = service.asset()
    task_id = service.create(asset_id, replyUrl="http://127.0.0.1:1/").json()["taskId"]
    assert service.create(asset_id).status_code == 429
    assert service("DELETE", f"/scheduler/{task_id}").json() == {"success": True}
    assert service("DELETE", f"/scheduler/{task_id}").status_code == 404
    assert service.create(asset_id).status_code == 200
    service.clock.advance(100)
    assert service.task(task_id)["status"] == "SUCCEEDED"
    assert service.transport.callbacks == []
    assert service.sim.state.accounts["maker@example.com"].spent == 100


def test_lists_have_pages(service: Service) -> None:
    """offset and limit, newest first or oldest first, states filtered, bare or wrapped, with or without replyRef."""
    service.sim.state.accounts["maker@example.com"].max_jobs = 10
    asset_id = service.asset()
    ids = [service.create(asset_id, replyRef=f"r{number}", seconds=5).json()["taskId"] for number in range(7)][::-1]
    page = service("GET", "/tasks/", params={"offset": 2, "limit": 3}).json()
    assert [task["taskId"] for task in page] == ids[2:5]
    assert [task["replyRef"] for task in page] == ["r4", "r3", "r2"]
    assert service("GET", "/tasks/", params={"offset": 0, "limit": 9, "statuses": "SUCCEEDED,FAILED"}).json() == []
    service.sim.shapes = Shapes(tasks="wrapped", order="oldest", list_shows_reply_ref=False)
    page = service("GET", "/tasks/", params={"offset": 0, "limit": 3}).json()["tasks"]
    assert [task["taskId"] for task in page] == ids[::-1][:3]
    assert "replyRef" not in page[0]
    for kind in ("image/png", "audio/mpeg"):
        service.asset(kind)
    assert len(service("GET", "/assets/", params={"offset": 0, "limit": 50, "mediaType": "image"}).json()) == 1
    assert len(service("GET", "/assets/", params={"offset": 1, "limit": 50}).json()) == 2
    assert service("GET", "/assets/", params={"offset": 0, "limit": 51}).status_code == 400


def test_the_other_shapes(service: Service) -> None:
    """Numbers as numbers, newer metadata, errors as text, the create's answer wrapped."""
    service.sim.shapes = Shapes(create="wrapped", numbers="number", metadata="newer", errors="text")
    task_id = service.create().json()["task"]["taskId"]
    failed = service.create(text_prompt="[fail]").json()["task"]["taskId"]
    service.clock.advance(100)
    task = service.task(task_id)
    assert task["progressRatio"] == 1.0
    assert task["artifacts"][0]["fileSize"] == len(MP4)
    assert task["artifacts"][0]["metadata"]["hasAudio"] is False
    assert isinstance(service.task(failed)["error"], str)


def test_callbacks_tell_of_progress_and_the_end(service: Service) -> None:
    """One at the start, one midway, one at the end; twice or out of order when a fault says so; remote ones not allowed."""
    task_id = service.create(replyUrl="http://127.0.0.1:9/hook").json()["taskId"]
    service.create(replyUrl="http://elsewhere.test/hook")
    service.clock.advance(100)
    service.task(task_id)
    mine = [each for each in service.transport.callbacks if each.task_id == task_id]
    assert [json.loads(each.body)["status"] for each in mine] == ["RUNNING", "RUNNING", "SUCCEEDED"]
    assert all(each.allowed for each in mine)
    assert not any(each.allowed for each in service.transport.callbacks if each.task_id != task_id)
    service.transport.callbacks.clear()
    service.sim.faults.add("duplicate_callback", "callback", nth=1)
    service.sim.faults.add("reorder_callbacks", "callback", nth=2)
    service.create(replyUrl="http://localhost:9/hook")
    service.clock.advance(100)
    service.task(task_id)
    assert [json.loads(each.body)["status"] for each in service.transport.callbacks] == [
        "RUNNING",
        "RUNNING",
        "SUCCEEDED",
        "RUNNING",
    ]


def test_strict_refuses_what_is_otherwise_noted() -> None:
    """Unknown fields and parameters are noted; strict refuses them, and files that are not what they say."""
    service = Service()
    assert service.create(surprise=1).status_code == 200
    assert service("GET", "/scheduler/?surprise=1").status_code == 200
    assert list(service.sim.notes) == [
        "createVideoToVideo: unknown field surprise",
        "listScheduler: unknown field surprise",
    ]
    assert service.asset(content=b"no video")
    strict = Service(strict=True)
    assert strict.create(surprise=1).status_code == 400
    assert strict("GET", "/scheduler/?surprise=1").status_code == 400
    kind = {"Content-Type": "video/mp4"}
    assert strict("POST", "/assets/?name=x", content=b"no video", headers=kind).status_code == 400
    assert strict("POST", "/assets/?name=x", content=MP4, headers=kind).status_code == 200


def test_large_uploads_go_to_disk_and_too_large_ones_are_refused() -> None:
    """Beyond a megabyte a file takes no memory; beyond the limit it is 413; a JSON body has a limit of its own."""
    service = Service(upload_limit=5_000_000)
    asset_id = service.asset(content=b"x" * 4_000_000)
    blob = service.sim.state.assets[asset_id].blob
    assert blob._file is not None
    assert blob.read(3_999_998) == b"xx"
    kind = {"Content-Type": "video/mp4"}
    assert service("POST", "/assets/?name=x", content=b"x" * 5_000_001, headers=kind).status_code == 413
    assert service("POST", CREATE, json={"text_prompt": "x" * 1_100_000}).status_code == 413


@pytest.mark.proof
def test_ten_thousand_tasks_are_kept() -> None:
    """Beyond them the oldest that has ended makes room; a full page is still quick to make."""
    service = Service(max_jobs=10, credits=10**9, task_seconds=1.0)
    asset_id = service.asset()
    first = service.create(asset_id).json()["taskId"]
    for _ in range(10_000):
        service.clock.advance(1.1)
        assert service.create(asset_id).status_code == 200
    assert len(service.sim.state.tasks) == 10_000
    assert service("GET", f"/tasks/{first}").status_code == 404
    assert len(service("GET", "/tasks/?offset=1000&limit=1000").json()) == 1000


def test_faults_are_rules(service: Service) -> None:
    """By number, by chance, at most so often, for one operation or all; what is no fault is refused with what there is."""
    service.sim.faults.add("status", "listScheduler", nth=[2, 4], status=502)
    assert [service("GET", "/scheduler/").status_code for _ in range(5)] == [200, 502, 200, 502, 200]
    service.sim.faults.clear()
    service.sim.faults.add("status", "*", times=2, status=520, content_type="text/plain", retry_after="9")
    first = service("GET", "/scheduler/")
    assert (first.status_code, first.text, first.headers["retry-after"]) == (520, "error code: 520", "9")
    assert [service("GET", "/scheduler/").status_code for _ in range(2)] == [520, 200]
    service.sim.faults.clear()
    service.sim.faults.add("busy", "getFeatures", probability=0.5)
    answers = [service("GET", "/features/").status_code for _ in range(200)]
    assert 60 < answers.count(429) < 140
    for wrong in (
        {"kind": "nonsense"},
        {"kind": "status", "operation": "x"},
        {"kind": "status", "x": 1},
        {"kind": "status", "probability": 2},
    ):
        with pytest.raises(ValueError, match=r"there|fault|probability"):
            service.sim.faults.add(**wrong)


KINDS: list[tuple[str, dict[str, Any]]] = [
    ("close_before_read", {}),
    ("close_before_action", {}),
    ("close_after_action", {}),
    ("cut_body", {"bytes": 7}),
    ("bad_json", {}),
    ("latency", {"seconds": 1.0}),
    ("slow_body", {"seconds": 0.05}),
    ("status", {"status": 522, "content_type": "text/plain"}),
    ("status", {"status": 596, "content_type": "application/json"}),
    ("status", {"status": 502, "after": True}),
    ("busy", {"shape": "account", "retry_after": "3"}),
    ("busy", {"shape": "upstream"}),
]


@pytest.mark.parametrize(("kind", "settings"), KINDS, ids=lambda each: each if isinstance(each, str) else "")
@pytest.mark.parametrize("size", [100, 3_000_000])
def test_a_socket_and_the_process_agree(kind: str, settings: dict[str, Any], size: int) -> None:
    """The same request meets the same answer, or the same exception of httpx, and leaves the same state behind."""

    def meet(http: httpx.Client, base_url: str, sim: Simulator) -> tuple[Any, ...]:
        sim.faults.add(kind, "uploadAsset", **settings)
        headers = {**HEADERS, "Content-Type": "video/mp4"}
        try:
            answer = http.post(f"{base_url}/assets/?name=x", content=b"x" * size, headers=headers)
            found: tuple[Any, ...] = (
                answer.status_code,
                answer.headers.get("retry-after"),
                answer.headers["content-type"],
            )
        except httpx.HTTPError as error:
            found = (type(error),)
        return (*found, len(sim.state.assets))

    one, other = Simulator(), Simulator()
    with SimulatorServer(one) as server, httpx.Client(timeout=0.4) as http:
        by_socket = meet(http, server.base_url, one)
    in_process = meet(httpx.Client(transport=SimulatorTransport(other), timeout=0.4), BASE_URL, other)
    if kind == "close_before_read":  # which of the two a socket causes is a race between the close and the body
        assert {by_socket[0], in_process[0]} <= {httpx.ReadError, httpx.RemoteProtocolError}
        by_socket, in_process = by_socket[1:], in_process[1:]
    assert by_socket == in_process
