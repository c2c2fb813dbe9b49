"""What the simulator decides where a client's test would go wrong with it: who is let in, where callbacks go, what is paid, how time runs."""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml.simulator import ManualClock, RunningClock, Simulator, SimulatorServer, SimulatorTransport
from useapi_runwayml.simulator.callbacks import is_loopback
from useapi_runwayml.simulator.faults import parse_fault
from useapi_runwayml.simulator.media import extension_of, is_of_type
from useapi_runwayml.simulator.persist import StateFile

from .conftest import BASE_URL, MP4

TOKEN = "user:4242-abcdef"


@pytest.fixture
def sim() -> Simulator:
    return Simulator(max_jobs=1)


@pytest.fixture
def service(sim: Simulator) -> httpx.Client:
    transport = SimulatorTransport(sim, ManualClock())
    return httpx.Client(transport=transport, base_url=BASE_URL, headers={"Authorization": f"Bearer {TOKEN}"})


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (TOKEN, 401),
        (f"Basic {TOKEN}", 401),
        (f"Bearer {TOKEN} and more", 401),
        (f"xBearer {TOKEN}", 401),
        ("Bearer user:4242-", 401),
        ("", 401),
    ],
)
def test_a_token_alone_lets_in(service: httpx.Client, header: str, status: int) -> None:
    """Bearer and a well-formed token, and nothing around them."""
    assert service.get("/features/", headers={"Authorization": header}).status_code == status


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("localhost", True), ("127.0.0.1", True), ("::1", True), ("0.0.0.0", False), ("box.test", False)],
)
def test_it_warns_by_what_it_listens_on(host: str, is_here: bool) -> None:
    """A name of this machine alone is no reason to."""
    from useapi_runwayml.cli.simulate import _is_loopback

    assert _is_loopback(host) is is_here


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://localhost:1/x", True),
        ("http://127.0.0.1/x", True),
        ("http://127.8.9.1/x", True),
        ("http://[::1]/x", True),
        ("http://evil-localhost/x", False),
        ("http://localhost.evil.test/x", False),
        ("http://127.0.0.1.evil.test/x", False),
        ("http://10.0.0.1/x", False),
        ("http://user@localhost:1/x", True),
        ("http://localhost@evil.test/x", False),
    ],
)
def test_callbacks_stay_on_this_machine(url: str, is_here: bool) -> None:
    """By what the address names, not by how it looks."""
    assert is_loopback(url) is is_here


def test_a_refused_prompt_costs_nothing(sim: Simulator, service: httpx.Client) -> None:
    """No credit is spent, no slot taken, no task there; the next create is accepted."""
    asset = service.post("/assets/?name=x", content=MP4, headers={"Content-Type": "video/mp4"}).json()["assetId"]
    body = {"assetId": asset, "text_prompt": "[moderate]"}
    assert service.post("/gen3turbo/video", json=body).status_code == 422
    account = sim.state.accounts["maker@example.com"]
    assert (account.spent, sim.busy_slots(account.email, 0.0), len(sim.state.tasks), sim.paid.creates) == (0, 0, 0, 0)
    assert service.post("/gen3turbo/video", json={**body, "text_prompt": "x"}).status_code == 200
    assert (account.spent, sim.paid.creates) == (50, 1)


def test_a_clock_runs_as_fast_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute in a second at 60; from a change on at the new speed; not at all while it is paused."""
    moment = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    clock = RunningClock(60, start=0.0)
    moment[0] += 2
    assert clock.now() == 120
    clock.go(speed=10)
    moment[0] += 3
    assert clock.now() == 150
    clock.go(paused=True)
    moment[0] += 100
    assert clock.now() == 150
    clock.advance(5)
    assert clock.now() == 155
    clock.go(paused=False)
    moment[0] += 1
    assert clock.now() == 165


def test_an_upload_over_http_is_bounded() -> None:
    """What is longer than the limit is refused while it comes, and nothing is kept."""
    with SimulatorServer(Simulator(upload_limit=100_000)) as server:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "video/mp4"}
        url = f"{server.base_url}/assets/?name=x"
        assert httpx.post(url, content=MP4 + bytes(100_000 - len(MP4)), headers=headers).status_code == 200
        assert httpx.post(url, content=MP4 + bytes(100_001 - len(MP4)), headers=headers).status_code == 413
        assert len(server.simulator.state.assets) == 1


def test_a_fault_of_a_command_line_is_read() -> None:
    """Values are JSON where they can be, else text; what is no fault, or no setting, is named."""
    assert parse_fault("createVideoToVideo:status:status=503,shape=account,nth=[1]") == {
        "kind": "status",
        "operation": "createVideoToVideo",
        "status": 503,
        "shape": "account",
        "nth": [1],
    }
    for wrong in ("createVideoToVideo", "x:status:503"):
        with pytest.raises(ValueError, match=r"no fault|not key=value"):
            parse_fault(wrong)


def test_a_field_of_a_form_may_be_sent_as_a_file(sim: Simulator, service: httpx.Client) -> None:
    """As some libraries send every field; a form that is none is refused in words."""
    asset = service.post("/assets/?name=x", content=MP4, headers={"Content-Type": "video/mp4"}).json()["assetId"]
    fields = {"assetId": (None, asset), "text_prompt": ("prompt.txt", b"as a watercolour"), "seconds": (None, "5")}
    assert service.post("/gen3turbo/video", files=fields).status_code == 200
    [task] = sim.state.tasks.values()
    assert (task.request["text_prompt"], task.request["seconds"]) == ("as a watercolour", 5)
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused = service.post("/gen3turbo/video", content=b"--x\r\nnonsense", headers=headers)
    assert refused.status_code == 400


def test_what_is_not_documented_is_said_of_an_answer(sim: Simulator) -> None:
    """A status, or a media type, that the document does not have."""
    contract = sim.contract
    assert contract.answer_problems("getFeatures", 200, "text/csv", "") == ["text/csv is not documented for 200"]
    assert contract.answer_problems("getFeatures", 299, "application/json", {}) == ["299 is not documented"]


def soon(condition: Callable[[], bool]) -> None:
    """Waits until it is so."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def test_a_state_that_could_not_be_kept_is_kept_once_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without another request; what stands in the way is told once."""
    tries, save = [0], StateFile.save

    def counted(*args: Any, **more: Any) -> None:
        tries[0] += 1
        save(*args, **more)

    monkeypatch.setattr(StateFile, "save", counted)
    folder = tmp_path / "states"
    folder.write_text("a file where a folder should be")
    with caplog.at_level("WARNING"), SimulatorServer(state=folder / "sim.json") as server:
        httpx.get(f"{server.base_url}/nothing")
        soon(lambda: "cannot be kept" in caplog.text)
        before = server.simulator.handled
        tried = tries[0]
        soon(lambda: tries[0] > tried + 2)
        assert caplog.text.count("cannot be kept") == 1
        folder.unlink()
        soon((folder / "sim.json").exists)
        assert server.simulator.handled == before


def test_a_callback_to_another_machine_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    """It is told, by its address without what may be secret in it."""
    with caplog.at_level("WARNING"), SimulatorServer(clock=ManualClock()) as server:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        asset = httpx.post(
            f"{server.base_url}/assets/?name=x", content=MP4, headers={**headers, "Content-Type": "video/mp4"}
        ).json()["assetId"]
        body = {"assetId": asset, "text_prompt": "x", "replyUrl": "http://192.0.2.1/hook?signed=s3cret"}
        assert httpx.post(f"{server.base_url}/gen3turbo/video", json=body, headers=headers).status_code == 200
        server.clock.advance(100)
        soon(lambda: "no callback to http://192.0.2.1/hook: only the loopback is allowed" in caplog.text)
        assert "s3cret" not in caplog.text


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    """With both versions, and nothing of it is taken."""
    (tmp_path / "sim.json").write_text('{"version": 99}')
    with pytest.raises(ValueError, match=r"it has version 99, this package reads \d+"):
        SimulatorServer(state=tmp_path / "sim.json")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 3}', '{"a":' * 100_000, '{"version": 3, "accounts": [], "chance": 5}']
)
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, text: str) -> None:
    """In words, with its name, and nothing of it is taken."""
    (tmp_path / "sim.json").write_text(text)
    with pytest.raises(ValueError, match=r"sim\.json is no state of the simulator: "):
        SimulatorServer(state=tmp_path / "sim.json")


@pytest.mark.parametrize(
    ("media_type", "head"),
    [
        ("video/mp4", b"\x00\x00\x00\x20ftypisom"),
        ("video/quicktime", b"\x00\x00\x00\x14ftypqt  "),
        ("video/quicktime", b"\x00\x00\x10\x00moov"),
        ("video/quicktime", b"\x00\x00\x10\x00mdat"),
        ("video/quicktime", b"\x00\x00\x00\x08wide"),
        ("video/quicktime", b"\x00\x00\x00\x08free"),
        ("video/3gpp", b"\x00\x00\x00\x18ftyp3gp4"),
        ("video/x-matroska", b"\x1a\x45\xdf\xa3\x01"),
        ("video/webm", b"\x1a\x45\xdf\xa3\x01"),
        ("audio/webm", b"\x1a\x45\xdf\xa3\x01"),
        ("video/x-flv", b"FLV\x01"),
        ("video/mpeg", b"\x00\x00\x01\xba\x44"),
        ("video/mpeg", b"\x00\x00\x01\xb3\x16"),
        ("video/MP2T", b"\x47\x40\x00\x10"),
        ("video/MP2T", b"\x00\x00\x00\x00\x47\x40"),
        ("video/x-msvideo", b"RIFF\x00\x01\x00\x00AVI LIST"),
        ("video/x-motion-jpeg", b"\xff\xd8\xff\xe0"),
        ("video/ogg", b"OggS\x00"),
        ("audio/ogg", b"OggS\x00"),
        ("image/png", b"\x89PNG\r\n\x1a\n\x00"),
        ("image/jpeg", b"\xff\xd8\xff\xe1"),
        ("image/gif", b"GIF87a\x01"),
        ("image/gif", b"GIF89a\x01"),
        ("image/webp", b"RIFF\x00\x01\x00\x00WEBPVP8 "),
        ("image/mpo", b"\xff\xd8\xff\xe1"),
        ("audio/wav", b"RIFF\x00\x01\x00\x00WAVEfmt "),
        ("audio/wave", b"RIFF\x00\x01\x00\x00WAVEfmt "),
        ("audio/mpeg", b"ID3\x03"),
        ("audio/mpeg", b"\xff\xfb\x90"),
        ("audio/mpeg", b"\xff\xf3\x90"),
        ("audio/mpeg", b"\xff\xf2\x90"),
        ("audio/mpeg", b"\xff\xfa\x90"),
        ("audio/flac", b"fLaC\x00"),
    ],
)
def test_a_file_is_known_by_how_it_begins(media_type: str, head: bytes) -> None:
    """By the marks of its format, at their places: a byte later it is none."""
    assert is_of_type(head, media_type)
    assert not is_of_type(b"\x00" + head, media_type)
    assert not is_of_type(b"", media_type)


@pytest.mark.parametrize(
    ("media_type", "ending"),
    [
        ("video/quicktime", "mov"),
        ("video/x-matroska", "mkv"),
        ("video/x-flv", "flv"),
        ("video/MP2T", "ts"),
        ("video/x-msvideo", "avi"),
        ("video/x-motion-jpeg", "mjpeg"),
        ("video/3gpp", "3gp"),
        ("video/ogg", "ogv"),
        ("audio/mpeg", "mp3"),
        ("video/mp4", "mp4"),
        ("audio/x-what", "what"),
        ("image/png", "png"),
    ],
)
def test_a_kind_of_file_has_its_usual_ending(media_type: str, ending: str) -> None:
    """As people name such files."""
    assert extension_of(media_type) == ending


def test_ids_are_as_the_services() -> None:
    """Random UUIDs of version 4, of which none comes twice, behind the user, the account and the kind."""
    sim = Simulator()
    made = [sim.state.new_uuid() for _ in range(3)]
    assert len(set(made)) == 3
    assert {(uuid.UUID(each).version, uuid.UUID(each).variant) for each in made} == {(4, uuid.RFC_4122)}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"max_jobs": 0}, "max_jobs must be at least 1"),
        ({"max_jobs": 0.5}, "max_jobs must be at least 1, and whole"),
        ({"task_seconds": -0.5}, "task_seconds must be seconds, at least 0"),
        ({"link_seconds": -0.5}, "link_seconds must be seconds, at least 0"),
        ({"credits": -1}, "credits must be at least 0"),
        ({"web_tasks": -1}, "web_tasks must be at least 0"),
        ({"storage": 0}, "storage must be at least 1"),
    ],
)
def test_a_service_that_cannot_be_is_refused(settings: dict[str, Any], told: str) -> None:
    """A bound is allowed, and what is beyond it is a ValueError that names it."""
    with pytest.raises(ValueError, match=told):
        Simulator(**settings)
    ((name, value),) = settings.items()
    Simulator(**{name: value + (0.5 if value % 1 else 1)}).state.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"max_jobs": 1.5},
        {"max_jobs": math.nan},
        {"storage": math.inf},
        {"task_seconds": math.nan},
        {"task_seconds": math.inf},
        {"link_seconds": math.nan},
        {"accounts": []},
        {"accounts": "maker@example.com"},
    ],
)
def test_what_is_no_setting_is_refused(settings: dict[str, Any]) -> None:
    """Its name is told."""
    with pytest.raises(ValueError, match=f"^{next(iter(settings))} must be"):
        Simulator(**settings)


@pytest.mark.parametrize("speed", [0, -1, 10_001, math.nan, math.inf])
def test_a_speed_that_no_clock_can_have_is_refused(speed: float) -> None:
    """At the beginning, and later, where the clock goes on as it was."""
    with pytest.raises(ValueError, match="speed must be more than 0, and 10000 at the most"):
        RunningClock(speed)
    clock = RunningClock(10_000)
    with pytest.raises(ValueError, match="speed must be more than 0"):
        clock.go(speed=speed, paused=True)
    assert (clock.speed, clock.paused) == (10_000, False)
