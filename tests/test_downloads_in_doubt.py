"""Downloads where something is in doubt: a length, a version, the time, the folder; and what a client of one's own brings along."""

from __future__ import annotations

import io
import math
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from useapi_runwayml import errors
from useapi_runwayml._core.answers import retry_after
from useapi_runwayml._core.downloading import Link, Target, _fill
from useapi_runwayml._core.effects import Fetch, Options, Sleep
from useapi_runwayml._core.surroundings import Context, Settings
from useapi_runwayml._io.files import Disk
from useapi_runwayml._io.timeouts import cut
from useapi_runwayml.simulator import ManualClock

from .conftest import MP4, World


class Memory:
    """A file that is only remembered."""

    def __init__(self) -> None:
        self.file = io.BytesIO()

    def write(self, chunk: bytes) -> None:
        self.file.write(chunk)

    def restart(self) -> None:
        self.file = io.BytesIO()


def target(size: int | None = None) -> Target:
    return Target(Memory(), size, None)  # type: ignore[arg-type]  # what is not asked for is not there


@pytest.mark.parametrize(
    ("size", "headers", "body", "why"),
    [
        (5, {}, b"12345", ""),
        (5, {}, b"1234", "4 of 5 bytes came"),
        (5, {}, b"123456", "6 of 5 bytes came"),
        (9, {"content-length": "5"}, b"12345", ""),
        (5, {"content-length": "6"}, b"12345", "5 of 6 bytes came"),
        (9, {"transfer-encoding": "chunked"}, b"12345", ""),
        (None, {}, b"12345", ""),
        (None, {}, b"", "it is empty"),
        (5, {"content-length": "5", "content-encoding": "gzip"}, b"123456", "6 of 5 bytes came"),
    ],
)
def test_a_file_is_as_long_as_its_host_says(size: int | None, headers: dict[str, str], body: bytes, why: str) -> None:
    """Neither shorter nor longer; what the host does not say, the task does; a body that marks its own end needs neither."""
    found = target(size)
    assert found.accept(200, headers)
    if body:
        found.write(body)
    assert found.lacks() == why


@pytest.mark.parametrize(
    ("given", "validator"),
    [
        ({"etag": '"v1"', "last-modified": "then"}, '"v1"'),
        ({"etag": 'W/"v1"', "last-modified": "then"}, "then"),
        ({"etag": 'W/"v1"'}, None),
        ({"last-modified": "then"}, "then"),
        ({}, None),
    ],
)
def test_a_rest_is_asked_for_by_what_is_sure(given: dict[str, str], validator: str | None) -> None:
    """A weak tag does not tell bytes apart: then by the date, or the whole again."""
    found = target()
    found.accept(200, given)
    found.write(b"123")
    asked = found.headers()
    assert asked.get("If-Range") == validator
    assert asked.get("Range") == (None if validator is None else "bytes=3-")


@pytest.mark.parametrize(
    ("size", "span", "body", "why"),
    [
        (None, "bytes 0-4/5", b"12345", ""),
        (None, "bytes 0-3/5", b"1234", "4 of 5 bytes came"),
        (5, "bytes 0-3/*", b"1234", "4 of 5 bytes came"),
        (None, "bytes 1-4/5", b"", None),
    ],
)
def test_a_part_that_nobody_asked_for_is_the_file_if_it_begins_it(
    size: int | None, span: str, body: bytes, why: str | None
) -> None:
    """A host may answer the first request so: it counts from the file's first byte on, and is all if its length says so."""
    found = target(size)
    assert found.accept(206, {"content-range": span}) is (why is not None)
    if why is not None:
        found.write(body)
        assert found.lacks() == why


def test_a_rest_does_not_end_where_the_answer_before_would_have() -> None:
    """Chunks prove the end of their own answer only: a rest without them is measured by the task."""
    found = target(9)
    found.accept(200, {"etag": '"v1"', "transfer-encoding": "chunked"})
    found.write(b"123")
    assert found.accept(206, {"content-range": "bytes 3-8/*"})
    found.write(b"45")
    assert found.lacks() == "5 of 9 bytes came"


def test_a_host_that_has_no_such_rest_is_asked_for_the_whole() -> None:
    """After a 416 the next request names neither a range nor a version."""
    found = target()
    found.accept(200, {"etag": '"v1"'})
    found.write(b"123")
    assert not found.accept(416, {})
    assert found.headers() == {"Accept-Encoding": "identity"}


def course(deadline: float, chance: float = 0.0) -> tuple[Any, Target]:
    """A download that ends at this moment, at its first request; its clock begins at 1000, and chance is none, all, or between."""
    clock = ManualClock(1000)
    context = Context(Settings("http://x.test", 60, 4, 20), clock, object, Disk(), awaits=False)
    context.uniform = lambda least, most: least + chance * (most - least)
    file = target()
    core = _fill(context, file, Link("http://x.test/a", None, None), "task-1", Options(), deadline)
    assert isinstance(next(core), Fetch)
    return core, file


@pytest.mark.parametrize(
    ("deadline", "chance", "wish", "pause"),
    [
        (1030, 0, "20", 20),
        (1030, 0, "30", 30),
        (1030, 0, "31", None),
        (math.inf, 0, "60", 60),
        (math.inf, 0, "61", None),
        (1030, 0.5, "", 0.25),
        (1000.25, 1, "", 0.25),
    ],
)
def test_a_download_waits_no_longer_than_it_has_time(
    deadline: float, chance: float, wish: str, pause: float | None
) -> None:
    """As long as the host asks if that fits, and as chance says if it does not ask; what does not fit is told at once."""
    core, file = course(deadline, chance)
    file.accept(503, {"retry-after": wish} if wish else {})
    if pause is None:
        with pytest.raises(errors.DownloadError, match=f"Download it again in {wish} s"):
            core.send(None)
    else:
        assert core.send(None) == Sleep(pause)


@pytest.mark.parametrize(
    ("status", "is_final"),
    [
        (299, False),
        (300, True),
        (499, True),
        (500, False),
        (407, True),
        (408, False),
        (409, True),
        (424, True),
        (425, False),
        (426, True),
    ],
)
def test_a_refusal_of_a_host_is_final_and_its_trouble_is_not(status: int, is_final: bool) -> None:
    """What it answers from 300 to 499 would be the same again, unless it was too slow or too early: that is asked for once more."""
    core, file = course(math.inf)
    file.accept(status, {})
    if is_final:
        with pytest.raises(errors.DownloadError, match=f"the host answered {status}"):
            core.send(None)
    else:
        assert isinstance(core.send(None), Sleep)


def test_the_time_of_a_download_ends_wherever_it_is() -> None:
    """Between two chunks, and after a failure, what is over is told as such, with the task's id; no request outlives it."""
    clock = ManualClock()
    context = Context(Settings("http://x.test", 60, 4, 20), clock, object, Disk(), awaits=False)
    for _ in range(2):
        deadline = clock.now() + 30
        core = _fill(context, target(), Link("http://x.test/a", None, None), "task-1", Options(), deadline)
        fetch = next(core)
        assert isinstance(fetch, Fetch)
        assert fetch.options.deadline == deadline
        fetch.after()
        clock.advance(30)
        with pytest.raises(errors.DownloadError, match="task-1") as caught:
            fetch.after()
        assert caught.value.task_id == "task-1"
        with pytest.raises(errors.DownloadError, match="The time for task task-1 ended"):
            core.throw(errors.APIConnectionError("broken", maybe_sent=True))


def test_a_folder_that_takes_no_file_is_refused_before_anything_is_paid(
    world: World, tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is uploaded, nothing created."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    with pytest.raises(errors.ParameterError, match="cannot be written to"):
        world.client().video_to_video.run(clip, "x", destination=tmp_path / "out.mp4")
    assert not world.sim.requests


def test_the_auth_of_a_given_client_stays_with_it(world: World, tmp_path: Path) -> None:
    """Its user and password go neither to the API, which has the token, nor to a host of files."""
    seen: dict[str, str | None] = {}
    transport = world.transport()

    class Watching(httpx.BaseTransport, httpx.AsyncBaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            seen[request.url.path.split("/")[1]] = request.headers.get("authorization")
            return transport.handle_request(request)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return self.handle_request(request)

    client: Any = world.client(http_client=world.http_client(Watching(), auth=("somebody", "s3cret")))
    task = client.video_to_video.create(asset_id=world.asset(), text_prompt="x")
    done = client.tasks.wait(task)
    assert client.tasks.download(done, tmp_path / "out.mp4").read_bytes() == MP4
    assert seen["_simulator"] is None
    assert str(seen["v1"]).startswith("Bearer user:")


def test_no_part_of_a_timeout_is_none() -> None:
    """When no time is left a hundredth of a second is: nothing at all would mean something else to a socket."""
    assert cut({"connect": 5.0, "read": 60.0, "pool": None}, 0.0) == {"connect": 0.01, "read": 0.01, "pool": 0.01}
    assert cut({"connect": 5.0, "read": 60.0, "pool": None}, 7.0) == {"connect": 5.0, "read": 7.0, "pool": 7.0}
    assert cut({"read": None}, float("inf")) == {"read": None}


def test_a_client_may_do_without_retries(world: World) -> None:
    """With max_retries=0 a read is sent once."""
    client = world.client(max_retries=0)
    world.faults.add("status", "getFeatures", status=503)
    with pytest.raises(errors.ServerError):
        client.features.retrieve()
    assert world.calls("getFeatures") == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Thu, 01 Jan 2026 00:00:07 GMT", 7),
        ("Wed, 31 Dec 2025 23:59:00 GMT", 0),
        ("-5", None),
        ("0", 0),
        ("1.5", 1.5),
        ("soon", None),
        ("1000000000", None),
        ("999999999", 999_999_999),
    ],
)
def test_a_wish_to_wait_is_never_less_than_nothing(header: str, seconds: float | None) -> None:
    """A moment that is over is now; what is no time is no wish."""
    assert retry_after({"retry-after": header, "date": "Thu, 01 Jan 2026 00:00:00 GMT"}, None) == seconds
    asked = datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC)
    assert retry_after({"date": "Thu, 01 Jan 2026 00:00:00 GMT"}, asked) == 3
